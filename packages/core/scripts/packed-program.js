// The program of somebody who installed the core from npm: plain JavaScript that uses every entry.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Broadcast } from '@rpi-cluster/core/broadcast'
import { loadConfig, port } from '@rpi-cluster/core/config'
import { changedKeys } from '@rpi-cluster/core/daemon'
import { deliver } from '@rpi-cluster/core/deliver'
import { Dialogue } from '@rpi-cluster/core/dialogue'
import { ElectionWatch, openElection } from '@rpi-cluster/core/election'
import { eventsOf } from '@rpi-cluster/core/event-stream'
import { Handshakes } from '@rpi-cluster/core/handshakes'
import { newIdentity, openIdentity } from '@rpi-cluster/core/identity'
import { defineConfig, port as jsonPort, loadJsonConfig } from '@rpi-cluster/core/json-config'
import { Decoder, encode } from '@rpi-cluster/core/json-lines'
import { jsonSchemaOf } from '@rpi-cluster/core/json-schema'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { addKey, listKeys } from '@rpi-cluster/core/keys'
import { every, requestStop, stopSignal } from '@rpi-cluster/core/lifecycle'
import { LiveTable } from '@rpi-cluster/core/live'
import { watch } from '@rpi-cluster/core/liveness'
import { LogFile } from '@rpi-cluster/core/log-file'
import { FloodGate } from '@rpi-cluster/core/log-floods'
import { escapeInvisible } from '@rpi-cluster/core/log-text'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { handleMessages, send } from '@rpi-cluster/core/messages'
import { Names } from '@rpi-cluster/core/names'
import { ConnectingNode, ListeningNode } from '@rpi-cluster/core/node'
import { nodeTasks } from '@rpi-cluster/core/node-tasks'
import { programFolder } from '@rpi-cluster/core/program-folder'
import { startRaft, stepRaft, wakeAt } from '@rpi-cluster/core/raft'
import '@rpi-cluster/core/raft-turn' // types alone
import { stayConnected } from '@rpi-cluster/core/reconnect'
import { startAfter, startReplica, stepReplica, wakeReplicaAt } from '@rpi-cluster/core/replica'
import { openReplicatedLog } from '@rpi-cluster/core/replicated-log'
import { LedgerHistory, replicatedJournal, TaskLedger } from '@rpi-cluster/core/replicated-tasks'
import { Roster } from '@rpi-cluster/core/roster'
import { encryptedBy, encryptedWith, fingerprintOf } from '@rpi-cluster/core/secure-sockets'
import { Sensors } from '@rpi-cluster/core/sensors'
import { unitOf } from '@rpi-cluster/core/service'
import { signedBy, signedWith } from '@rpi-cluster/core/signed'
import { connect, listen } from '@rpi-cluster/core/sockets'
import '@rpi-cluster/core/state-machine' // types alone
import { openStore } from '@rpi-cluster/core/store'
import '@rpi-cluster/core/task-journal' // types alone
import { openTaskStore } from '@rpi-cluster/core/task-store'
import { TaskClient, Tasks } from '@rpi-cluster/core/tasks'
import { baseInfo, takeVitals, vitalsJson } from '@rpi-cluster/core/vitals'
import { createSite, html, serveSite } from '@rpi-cluster/core/web'
import { changesWith, openToken } from '@rpi-cluster/core/web-changes'
import { defineTasks, TaskPool } from '@rpi-cluster/core/worker'

const stop = stopSignal()
const log = createLogger('program')

writeFileSync(join(programFolder(), 'rpicluster.cfg'), '[node]\nsocket_port = 31415\n')
assert.deepEqual(loadConfig({ section: 'node', keys: { socket_port: port } }, log), { socketPort: 31415 })

const shape = defineConfig({
  node: {
    description: 'A node.',
    keys: { socket_port: { schema: jsonPort, description: 'Its port.' } },
  },
})
writeFileSync(join(programFolder(), 'rpicluster.json'), '{ "node": { "socket_port": 31416 } } // JSON')
assert.deepEqual(loadJsonConfig(shape, 'node', log), { socketPort: 31416 })
assert.equal(jsonSchemaOf(shape).properties.node.properties.socket_port.maximum, 65535)

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

const roster = new Roster({ log })
const unknown = (type) => assert.fail(`unknown: ${type}`)
const answerer = await listen({ peer: 'node', host: '127.0.0.1', port: 0, stop, log }, async (node) => {
  roster.add(node)
  watch(node)
  const answers = { name: (peer) => ({ type: 'its_name', payload: roster.nameOf(peer) }) }
  await new Dialogue(node, { answers, unknown }).ended
})
let name
void stayConnected(
  { peer: 'answerer', host, port: Number(answerer.address.split(':')[1]), stop, log },
  async (asker) => {
    const dialogue = new Dialogue(asker, { unknown })
    name = await dialogue.ask('name', { answer: 'its_name' })
    await dialogue.ended
  },
)
for await (const _ of every(10, stop)) if (name) break
assert.equal(name, roster.members[0].address)

assert.ok(
  Math.abs(
    Number(
      await nodeTasks()
        .get('node-time')
        .run(() => {}),
    ) *
      1000 -
      Date.now(),
  ) < 60_000,
)

class Teller extends ConnectingNode {
  async greet() {
    await this.send('greeting', 'hello')
  }
}
void new Teller({ peer: 'listener', host, port: Number(freePort), stop, log }).run()
void new ListeningNode({ peer: 'node', host, port: 0, stop, log }).run()
for await (const _ of every(10, stop)) if (received.at(-1)[1] === 'hello') break

const token = await openToken({ name: 'program', log })
const site = createSite({ log, changes: changesWith(token) })
site.get('/', (context) => context.html(html`<p>${'<b>'}</p>`))
site.post('/said', (context) => context.json(context.get('said')))
const { address } = await serveSite(site, { host, port: 0, stop, log })
assert.equal(await (await fetch(address)).text(), '<p>&lt;b&gt;</p>')
const said = await fetch(new URL('said', address), {
  method: 'POST',
  headers: { Authorization: `Bearer ${token.reveal()}`, 'Content-Type': 'application/json' },
  body: '["said"]',
})
assert.deepEqual(await said.json(), ['said'])

assert.throws(() => unitOf('nobody'), /There is no program/)

const identity = await openIdentity({ name: 'program', log })
const uuid = await identity.get(newIdentity)
assert.equal(JSON.parse(readFileSync('state/program.json', 'utf8')).uuid, uuid)

const table = new LiveTable()
table.set('a', 1)
const events = eventsOf(table).getReader()
await events.read() // when to come back
assert.match(Buffer.from((await events.read()).value).toString(), /"rows":\{"a":1\}/)
await events.cancel()

assert.deepEqual(new Names('new', { old_info: 'new_info' }).either('new_info'), ['new_info', 'old_info'])

const store = await openStore({ name: 'vitals', log, stop })
store.add({ node: 'a', name: 'pi-1', at: 1_700_000_000, values: { load: 1.5 } })
await store.flush()
const history = await store.history({ vital: 'load', from: 1_700_000_000, to: 1_700_000_060 })
assert.deepEqual(history.lines, [{ node: 'a', name: 'pi-1', mean: [1.5, null] }])

const outbox = store.outbox('elsewhere')
outbox.add('a text')
await store.flush()
const arrived = await new Promise((resolve) => {
  void deliver({ to: 'elsewhere', outbox, send: async (texts) => resolve(texts), log, stop })
})
assert.deepEqual(arrived, ['a text'])

assert.equal((await baseInfo()).ram, details.ram)
assert.match(vitalsJson(await takeVitals()).json, /^\{"cpu_percentage":\d+\.\d+,/)
const sensors = new Sensors([{ vital: 'answer', label: 'Answer', unit: '', read: () => 42 }], { log })
assert.deepEqual(await sensors.read(), { answer: 42 })

const broadcast = new Broadcast({ log, topics: { news: {} } })
assert.throws(() => broadcast.publish('old', 1), /There is no topic "old"/)

const keys = await openKeys({ folder: 'keys', nodes: ['pi-1'], log, stop })
const key = await openKey({ file: 'keys/pi-*.key', log, stop })
assert.equal(new Handshakes().atWork, 0)
const signing = await listen(
  { peer: 'node', host: '127.0.0.1', port: 0, stop, log, secure: signedWith(keys, { stop, log }) },
  (node) => handleMessages(node, { message: (text) => received.push(`${node.node}: ${text}`) }, () => {}),
)
const signer = await connect({
  peer: 'listener',
  host: '127.0.0.1',
  port: Number(signing.address.split(':').at(-1)),
  stop,
  secure: signedBy(key),
})
await send(signer, 'message', 'signed')
for await (const _ of every(10, stop)) if (received.includes('pi-1: signed')) break
await signer.close()

await addKey({ folder: 'keys', node: `node-${process.version}` })
const listed = (await listKeys({ folder: 'keys' })).keys.find(({ node }) => node === 'pi-1')
assert.equal(listed.fingerprint, fingerprintOf(key.key))
const whispering = await listen(
  { peer: 'node', host, port: 0, stop, log, secure: encryptedWith(keys, { stop, log }) },
  (node) => send(node, 'your_name', node.node),
)
const whisper = await connect({
  ...{ peer: 'listener', host, port: Number(whispering.address.split(':')[1]), stop },
  secure: encryptedBy(key),
})
await handleMessages(whisper, { your_name: (name) => received.push(name) }, unknown)
assert.equal(received.at(-1), 'pi-1')

/** @type {import('@rpi-cluster/core/task-journal').TaskJournal} */
const journal = { recovered: () => [], write: async () => {} }
const desk = new Tasks({
  ...{ node: { roster }, tasks: { add: { version: 1 } }, submitters: () => ['pi-1'], journal, log, stop },
})
const client = new TaskClient({
  ask: async (q, { about }) => (await desk.answers[q]({ node: 'pi-1' }, about)).payload,
})
assert.equal(await client.cancel({ ids: [] }), 0)
await assert.rejects(client.submit([{ name: 'add', group: '' }]), /The primary refuses that/)

assert.deepEqual(changedKeys({ a: 1, b: [2] }, { a: 2, b: [2] }), ['a'])

const tasks = `import { defineTasks } from '@rpi-cluster/core/worker'
export const tasks = defineTasks({ double: { version: 1, run: (input) => 2 * input } })`
writeFileSync('tasks.js', tasks)
const file = new URL('./tasks.js', import.meta.url)
const pool = new TaskPool({ file, tasks: (await import(file)).tasks, children: 1, log, stop })
assert.equal(await pool.run({ id: 'a', name: 'double', input: '21', attempt: 1 }), '42')
assert.throws(() => defineTasks({ Double: {} }), /The task "Double": its name must be/)

new Decoder().push(Buffer.from(encode('by hand')), (message) => received.push(message))
assert.equal(received.at(-1), 'by hand')

new LogFile(join(programFolder(), 'own.log')).write(`${escapeInvisible('\u009b')}\n`)
assert.ok(readFileSync('own.log', 'utf8').endsWith('\\u009b\n'))

assert.ok(new FloodGate(() => {}).lets('the first of its kind'))

const taskStore = await openTaskStore({ name: 'tasks', log, stop })
const task = { kind: 'submitted', id: 'a', name: 'mandelbrot', input: '{}', by: 'program', at: Date.now() }
await taskStore.write([task, { kind: 'ended', id: 'a', state: 'done', attempts: 1, lost: 0, at: Date.now() }])
assert.equal((await taskStore.history({ limit: 1 })).tasks[0].state, 'done')
await taskStore.close()
const openedAgain = await openTaskStore({ name: 'tasks', log, stop })
assert.deepEqual([...openedAgain.recovered()][0], task)

const alone = { id: 'pi-1', members: ['pi-1'], electionMs: 1_000, heartbeatMs: 100 }
const began = startRaft(alone, { term: 0, votedFor: null }, { now: 0, random: 0.5 })
const elected = stepRaft(alone, began, { kind: 'time', now: wakeAt(alone, began), random: 0.5 })
assert.deepEqual([elected.state.role, elected.save], ['leader', { term: 1, votedFor: 'pi-1' }])

const memberKeys = { peer: 'member', host, port: 0, stop, log, secure: encryptedWith(keys, { stop, log }) }
const memberPort = Number((await listen(memberKeys, async () => {})).address.split(':')[1])
const members = [{ name: 'pi-1', host, port: memberPort }]
const election = await openElection({
  name: 'pi-1',
  members,
  key,
  electionMs: 50,
  heartbeatMs: 10,
  log,
  stop,
})
void election.run()
for await (const _ of every(10, stop)) if (election.leader) break
assert.equal(election.view.role, 'leader')
assert.equal(new ElectionWatch({ members, secure: encryptedBy(key), log, stop }).leader, undefined)

const fresh = { term: 0, votedFor: null, seen: {}, start: { number: 0, token: '', before: '' } }
const begins = { ...fresh, start: startAfter(fresh.start, 'a word') }
const snapshot = { last: { term: 0, index: 0 }, time: 0, members: [{ id: 'pi-1', isVoter: true }] }
const kept = startReplica(alone, begins, { snapshot }, { now: 0, random: 0.5 })
const leading = stepReplica(alone, kept, { kind: 'time', now: wakeReplicaAt(alone, kept), random: 0.5 })
assert.equal(leading.append[0].kind, 'begin')

const ledger = new TaskLedger({ ended: (ends) => ended.add(ends) })
const replicated = await openReplicatedLog({
  ...{ name: 'pi-1', members, key, machine: ledger, electionMs: 50, heartbeatMs: 10, log, stop },
})
const endedStore = await openTaskStore({ name: 'ended', log, stop })
const ended = new LedgerHistory({ store: endedStore, cluster: () => replicated.details.cluster, log })
void replicated.run()
await new Promise((resolve) => {
  void replicated.whileLeading(async (reign, over) => {
    const end = { kind: 'ended', id: 'a', state: 'done', attempts: 1, lost: 0, at: Date.now() }
    await replicatedJournal(reign, ledger).write([task, end])
    resolve()
    await new Promise((isOver) => over.addEventListener('abort', isOver))
  })
})
await ended.written()
assert.equal((await endedStore.history({ limit: 1 })).tasks[0].id, 'a')

const lastLine = `Every entry works on Node ${process.version}`
log.info(lastLine)
assert.ok(readFileSync('program.log', 'utf8').includes(lastLine))
requestStop() // nothing may keep the program alive after this
