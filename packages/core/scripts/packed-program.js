// The program of somebody who installed the core from npm: plain JavaScript that uses every entry.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, port } from '@rpi-cluster/core/config'
import { Decoder, encode } from '@rpi-cluster/core/json-lines'
import { every, requestStop, stopSignal } from '@rpi-cluster/core/lifecycle'
import { LogFile } from '@rpi-cluster/core/log-file'
import { FloodGate } from '@rpi-cluster/core/log-floods'
import { escapeInvisible } from '@rpi-cluster/core/log-text'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { handleMessages, send } from '@rpi-cluster/core/messages'
import { programFolder } from '@rpi-cluster/core/program-folder'
import { connect, listen } from '@rpi-cluster/core/sockets'

const stop = stopSignal()
const log = createLogger('program')

writeFileSync(join(programFolder(), 'rpicluster.cfg'), '[node]\nsocket_port = 31415\n')
assert.deepEqual(loadConfig({ section: 'node', keys: { socket_port: port } }, log), { socketPort: 31415 })

const received = []
const handlers = { machine_details: (details) => received.push(details) }
const listener = await listen({ peer: 'node', host: '127.0.0.1', port: 0, stop, log }, (node) =>
  handleMessages(node, handlers, (type, payload) => received.push([type, payload])),
)
const [host, freePort] = listener.address.split(':')
const connection = await connect({ peer: 'listener', host, port: Number(freePort), stop })
const details = await machineDetails()
await send(connection, 'machine_details', details)
await send(connection, 'greeting', 'Grüße')
for await (const _ of every(10, stop)) if (received.length === 2) break
assert.deepEqual(received, [details, ['greeting', 'Grüße']])

new Decoder().push(Buffer.from(encode('by hand')), (message) => received.push(message))
assert.equal(received.at(-1), 'by hand')

new LogFile(join(programFolder(), 'own.log')).write(`${escapeInvisible('\u009b')}\n`)
assert.ok(readFileSync('own.log', 'utf8').endsWith('\\u009b\n'))

assert.ok(new FloodGate(() => {}).lets('the first of its kind'))

const lastLine = `Every entry works on Node ${process.version}`
log.info(lastLine)
assert.ok(readFileSync('program.log', 'utf8').includes(lastLine))
requestStop() // nothing may keep the program alive after this
