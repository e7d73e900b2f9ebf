import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChapterCopy, freePort, isListening, test as testInCopy } from '@rpi-cluster/tutorial/harness'
import { expect, vi } from 'vitest'
import { PATIENCE } from './cluster.ts'
import { isHere, openWorld } from './world.ts'

const test = testInCopy.extend<{ chosen: ChapterCopy }>({
  // In the chapter before there is nothing to choose.
  chosen: async ({ chapter }, use) => {
    expect(chapter.chapter.programs.map(({ name }) => name)).toContain('engines')
    await use(chapter)
  },
})

/** Both engines are chosen. */
const ENGINES = { RPI_CLUSTER_CLUSTER_QUEUE: 'nats', RPI_CLUSTER_CLUSTER_LEADER: 'etcd' }

/** Ports on which nobody else listens. */
async function enginePorts() {
  return {
    RPI_CLUSTER_ENGINES_NATS_PORT: String(await freePort()),
    RPI_CLUSTER_ENGINES_ETCD_PORT: String(await freePort()),
    RPI_CLUSTER_ENGINES_ETCD_PEER_PORT: String(await freePort()),
  }
}

/** Runs a program to its end, with choices. Returns its exit code, and what it said last. */
async function endOf(chapter: ChapterCopy, name: string, env: Record<string, string>) {
  const program = await chapter.run(name, { env })
  await program.ends()
  return [program.exitCode, program.messages.at(-1)]
}

test('the configuration alone chooses an engine, and one that is not installed is one line, which says how to install it', async ({
  chosen: chapter,
}) => {
  const own = await chapter.run('engines', { env: { PATH: '/nowhere' } })
  await own.says(/ Engines: none is chosen/)
  await own.stop()
  expect(await endOf(chapter, 'engines', { PATH: '/nowhere', ...ENGINES })).toEqual([
    1,
    'Not installed here: nats-server, etcd. On Debian, say: sudo apt install nats-server etcd-server',
  ])
})

test('an engine in whose place somebody else listens is not said to be there, whichever of its ports that is', async ({
  chosen: chapter,
  skip,
}) => {
  if (!isHere('nats') || !isHere('etcd')) return skip('NATS or etcd is not installed')
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const taken = (command: string) =>
    `Somebody listens on 127.0.0.1:${port} already, where ${command} is to listen: one that was left behind? End it, or choose another port under "engines".`
  const ports = await enginePorts()
  for (const [name, command] of [
    ['NATS_PORT', 'nats-server'],
    ['ETCD_PORT', 'etcd'],
    ['ETCD_PEER_PORT', 'etcd'],
  ] as const) {
    const env = { ...ENGINES, ...ports, [`RPI_CLUSTER_ENGINES_${name}`]: String(port) }
    const engines = await chapter.run('engines', { env })
    await engines.ends()
    const [_, ...said] = engines.messages // what the configuration is comes first
    expect([engines.exitCode, ...said]).toEqual([1, taken(command)])
  }
  other.close()
})

test('when an engine does not come up, the other one is not left behind', async ({
  chosen: chapter,
  skip,
}) => {
  if (!isHere('nats') || !isHere('etcd')) return skip('NATS or etcd is not installed')
  const ports = await enginePorts()
  await mkdir(join(chapter.folder, 'state'), { recursive: true })
  await chapter.write('state/etcd', 'where etcd wants a folder')
  const env = { ...ENGINES, ...ports }
  const engines = await chapter.run('engines', { env })
  await engines.ends()
  expect(engines.exitCode).toBe(1)
  expect(engines.messages.at(-1)).toMatch(/^etcd ends as soon as it is started, with exit code 1: /)
  for (const port of Object.values(ports)) expect(await isListening(Number(port))).toBe(false)
})

test('Ctrl-C, which reaches nodes and engines at once, ends all of them well while tasks are in work', async ({
  chosen: chapter,
  skip,
}) => {
  if (!isHere('nats') || !isHere('etcd')) return skip('NATS or etcd is not installed')
  const env = { ...(await enginePorts()), TUTORIAL_CLOCK_SPEED: '1' }
  const cluster = await chapter.start({ args: ['--queue', 'nats', '--leader', 'etcd'], env })
  await cluster.says(/ Serving the page on /)
  const file = join(chapter.folder, 'begun.txt')
  const input = JSON.stringify({ file, line: 'begun', seconds: 60 })
  for (const id of ['1', '2', '3']) {
    const submit = await chapter.run('submit', { args: ['note', input, '--id', id, '--no-wait'], env })
    await submit.ends()
  }
  await vi.waitFor(async () => expect(await readFile(file, 'utf8')).toBe('begun\n'.repeat(3)), PATIENCE)
  await cluster.stop('SIGINT', 'group')
  expect(cluster.exitCode).toBe(0)
  const asked = cluster.messages.findIndex((line) => line.startsWith('Asked to stop'))
  const wrong = /\(ended, |FATAL|Not all of it was finished|Still busy/
  expect(cluster.lines.slice(asked).filter((line) => wrong.test(line))).toEqual([])
  expect(cluster.messages.filter((line) => line === 'Stopped')).toHaveLength(5)
})

test('a node whose NATS was never there says so, and what to do, and stops all the same', async ({
  chosen: chapter,
}) => {
  const env = { ...(await enginePorts()), RPI_CLUSTER_CLUSTER_QUEUE: 'nats', TUTORIAL_CLOCK_SPEED: '1' }
  const node = await chapter.run('node', { env })
  await node.says(
    / NATS is not reached\. Nobody listens on 127\.0\.0\.1:\d+\. Is the NATS server running\? On this machine "engines" starts it\.$/,
  )
  await node.stop('SIGINT')
  expect([node.exitCode, node.messages.at(-1)]).toEqual([0, 'Stopped'])
})

test('a node stops well while it connects to what answers nothing', async ({ chosen: chapter }) => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const choices = { RPI_CLUSTER_CLUSTER_QUEUE: 'nats', RPI_CLUSTER_ENGINES_NATS_PORT: String(port) }
  const node = await chapter.run('node', { env: { ...choices, TUTORIAL_CLOCK_SPEED: '1' } })
  await node.says(/ NATS at 127\.0\.0\.1:\d+ cannot be used yet: /)
  await once(silent, 'connection') // it looks who listens there
  await once(silent, 'connection') // the client connects
  await node.stop('SIGINT')
  silent.close()
  expect([node.exitCode, node.messages.at(-1)]).toEqual([0, 'Stopped'])
})

test('the own queue with the lead by etcd is refused in one line, which says what to choose', async ({
  chosen: chapter,
}) => {
  expect(await endOf(chapter, 'node', { RPI_CLUSTER_CLUSTER_LEADER: 'etcd' })).toEqual([
    1,
    'The own queue is a log, and who leads in that only its members can say: choose "nats" as cluster.queue for "etcd" as cluster.leader, or "own" for both.',
  ])
})

test('with etcd "members" is one line, which says that there is no log', async ({ chosen: chapter }) => {
  expect(await endOf(chapter, 'members', ENGINES)).toEqual([
    1,
    'etcd says who leads: there is no log, of which a node would have to be a member. "leader" shows who is there.',
  ])
})

test('a picture that was handed in is finished by NATS and etcd though who leads is killed while it is drawn', async ({
  chosen: chapter,
  skip,
}) => {
  if (!isHere('nats') || !isHere('etcd')) return skip('NATS or etcd is not installed')
  const kinds = { queue: 'nats', leader: 'etcd', count: 3, mostWaiting: 1_000 } as const
  const { nodes, watch, close } = await openWorld(chapter, kinds)
  const { name, term } = await watch.whenLed()
  const args = ['mandelbrot', '--width', '480', '--view', 'seahorses', '--id', 'holiday']
  const submit = await chapter.run('submit', { args })
  await submit.says(/ Handed in as holiday: \d+ tasks$/)
  await nodes.kill(name)
  await submit.ends()
  expect([submit.exitCode, submit.messages.at(-1)]).toEqual([0, expect.stringMatching(/^The picture is /)])
  const next = await nodes.lead({ after: term })
  expect(next.name).not.toBe(name)
  await close()
})

test('who leads by etcd says what is so when it leads no more: etcd was away, or it stood still itself', async ({
  chosen: chapter,
  skip,
}) => {
  if (!isHere('nats') || !isHere('etcd')) return skip('NATS or etcd is not installed')
  const { nodes, first, killEngines, startEngines, close } = await openWorld(chapter, {
    ...{ queue: 'nats', leader: 'etcd', count: 1, electionMs: 1_000 },
  } as const)
  const node = nodes.of(first.name)
  const ends = () => node.messages.filter((line) => line.startsWith('Leads no more'))
  await killEngines()
  await node.says(/ Leads no more, /)
  expect(ends()).toEqual([
    expect.stringMatching(
      /^Leads no more, in term \d+: its lease has ended: etcd has not renewed it for \d+\.\d s$/,
    ),
  ])
  await startEngines()
  await nodes.lead({ after: first.term })
  node.signal('SIGSTOP')
  await sleep(4_000) // longer than its lease
  node.signal('SIGCONT')
  await node.says(/ Leads no more, /, 2)
  expect(ends().at(-1)).toMatch(/: its lease has ended: this process stood still for \d+\.\d s$/)
  await close()
})

test('by etcd those are members who begin the cluster and who are there: nobody waits for the others that may come', async ({
  chosen: chapter,
  skip,
}) => {
  if (!isHere('nats') || !isHere('etcd')) return skip('NATS or etcd is not installed')
  const kinds = { queue: 'nats', leader: 'etcd', count: 2 } as const
  const { nodes, names, first, watch, close } = await openWorld(chapter, kinds)
  const seen = () => watch.views.get(first.name)?.view?.members
  await vi.waitFor(() => expect(seen()).toEqual(names), PATIENCE)
  await nodes.start('node-4')
  await vi.waitFor(() => expect(seen()).toEqual([...names, 'node-4']), PATIENCE)
  await close()
})
