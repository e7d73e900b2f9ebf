/** Asks a daemon something: client.js QUESTION [ABOUT]. */
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { connect } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const [question = '', about] = process.argv.slice(2)
const connection = await connect({ peer: 'node', host: '127.0.0.1', port: 7001, stop, timeoutMs: 30_000 })
const dialogue = new Dialogue(connection, { unknown: () => {} })
const answer = ['product', 'key_length', 'seen', 'task_result']
console.log(JSON.stringify(await dialogue.ask(question, { answer, about, timeoutMs: 30_000 })))
await connection.close()
