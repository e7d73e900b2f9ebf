/** Each chapter of part II among Python nodes of all posts that it can meet, in good times and in bad ones. */
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type ChapterCopy, chapterTest, hasPython, type Running } from '@rpi-cluster/tutorial/harness'
import { describe, expect } from 'vitest'
import {
  connectionsOf,
  KINDS,
  masterServes,
  pythonMaster,
  pythonNode,
  slavesServe,
} from './support/company.ts'

const PART_II = [
  '07-master-details',
  '08-helper-functions',
  '09-many-slaves',
  '10-disconnection',
  '11-reconnection',
  '12-autostart',
  '13-slave-class',
]

/** Nodes that come back without a pause when they have lost their master. Before it refuses them, that of 11 has measured for a second. */
const HASTY = ['11', '15', '15-web', '16', '16-web', '17', '18']

describe.runIf(hasPython()).for(PART_II)('in company with Python nodes, %s', (name) => {
  const test = chapterTest(name)
  const number = Number.parseInt(name, 10)

  test('a master serves those of all posts from 07 to 18, side by side', ({ chapter }) =>
    masterServes(chapter, KINDS))

  test('a slave serves under the master of 07', ({ chapter }) => slavesServe(chapter, '07'))

  test('a slave serves under the master of 09', ({ chapter }) => slavesServe(chapter, '09'))

  test.runIf(number >= 10)(
    'five slaves serve under the master of 09, wherever it puts its answers',
    ({ chapter }) => slavesServe(chapter, '09', 5),
  )

  test('a slave that the master of 07 does not listen to gives up, or waits', async ({ chapter }) => {
    await pythonMaster('07', chapter.port)
    const first = await chapter.run('slave')
    await first.says(/We have information/)
    const second = await chapter.run('slave')
    if (number < 11) {
      await second.ends()
      expect(second.exitCode).toBe(1)
      expect(second.lines.at(-1)).toMatch(
        number < 10 ? /No answer from the master/ : /Nothing came from the master/,
      )
    } else {
      await second.says(/Nothing came from the master/, 2)
      expect(second.exitCode).toBeNull()
      expect(second.messages.filter((line) => line.startsWith('Connected to')).length).toBeLessThanOrEqual(
        1 + second.mostTurns(15_000),
      )
    }
    expect(first.exitCode).toBeNull()
  })

  test('a slave whose thread in the master has died gives up, or comes back', async ({ chapter }) => {
    const master = await pythonMaster('09', chapter.port)
    await leaveHalfAFrame(chapter.port)
    await master.says(/^Client disconnected/)
    const slave = await chapter.run('slave')
    await master.says(/Error/)
    await slave.says(number < 10 ? /No answer from the master/ : /Nothing came from the master/)
    if (number < 11) {
      await slave.ends()
      expect(slave.exitCode).toBe(1)
    } else {
      await slave.says(/Connected to/, 2)
      await slave.says(/We have information/, 2)
      expect(slave.exitCode).toBeNull()
    }
  })
})

async function leaveHalfAFrame(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  await new Promise((resolve) => socket.end('{"type": "mess', () => resolve(undefined)))
}

describe.runIf(hasPython()).for(['10-disconnection', '13-slave-class'])('a master of %s', (name) => {
  const test = chapterTest(name)

  test.for(['SIGTERM', 'SIGKILL'] as const)(
    'that is started anew after %s is found again',
    async (signal, { chapter }) => {
      const first = await chapter.run('master')
      const nodes = await company(chapter, first)
      await first.stop(signal)
      await Promise.all(nodes.map(([, node]) => node.says(/^waiting|^lost|Disconnection/)))
      await chapter.run('master')
      await Promise.all(nodes.map(([kind, node]) => returns(kind, node)))
      // The system ends a killed program's connections one after the other, and its listening last, perhaps.
      for (const [kind, node] of nodes)
        expect(connectionsOf(node).length, kind).toBeLessThanOrEqual(signal === 'SIGTERM' ? 2 : 3)
    },
  )

  test('cuts Python nodes that are silent, and serves those that come back', async ({ chapter }) => {
    const master = await chapter.run('master')
    const nodes = await company(chapter, master)
    for (const [, node] of nodes) node.signal('SIGSTOP')
    await master.says(/Nothing came from/, nodes.length)
    for (const [, node] of nodes) node.signal('SIGCONT')
    await Promise.all(nodes.map(([kind, node]) => returns(kind, node)))
    for (const [kind, node] of nodes) expect(connectionsOf(node).length, kind).toBeLessThanOrEqual(2)
  })
})

/** Nodes of all kinds, at a master of ours. */
async function company(chapter: ChapterCopy, master: Running): Promise<[kind: string, node: Running][]> {
  await master.says(/Listening on/)
  return Promise.all(
    KINDS.map(async (kind) => {
      const node = await pythonNode(kind, chapter.port)
      await node.says(/^beat/)
      return [kind, node]
    }),
  )
}

/** Waits until a node that has lost its master is served again, or has ended as its post has it. */
async function returns(kind: string, node: Running): Promise<void> {
  if (kind === '07' || kind === '10') {
    await node.ends()
    expect(node.exitCode).toBe(kind === '07' ? 1 : 0)
    return
  }
  await node.says(/^connected/, 2)
  await node.says(/^beat/, node.lines.filter((line) => line === 'beat').length + 2)
  expect(node.exitCode).toBeNull()
}

describe.runIf(hasPython())('Python nodes that come back without a pause', () => {
  const test = chapterTest('13-slave-class')

  test('do not spin at a master that has no room for them', async ({ chapter }) => {
    await change(chapter, 'stop, log })', 'stop, log, maxConnections: 1 })')
    const master = await chapter.run('master')
    await master.says(/Listening on/)
    const served = await pythonNode('13', chapter.port)
    await served.says(/^beat/)
    const others = await Promise.all(HASTY.map((kind) => pythonNode(kind, chapter.port)))
    await served.says(/^beat/, 8)
    for (const other of others) {
      expect(connectionsOf(other).length).toBeLessThanOrEqual(1 + other.mostTurns(5_000))
      expect(other.exitCode).toBeNull()
    }
    await served.kill()
    await master.says(/Received message from (?!python-13)/)
  })

  test('do not spin at a master with a mistake in it', async ({ chapter }) => {
    const mistake = '() => { throw new TypeError("not an answer") }'
    await change(chapter, 'Answers = {', `Answers = { uuid: ${mistake}, node_baseinfo: ${mistake},`)
    const master = await chapter.run('master')
    await master.says(/Listening on/)
    const served = await pythonNode('13', chapter.port)
    await served.says(/^beat/)
    const others = await Promise.all(HASTY.slice(1).map((kind) => pythonNode(kind, chapter.port)))
    await served.says(/^beat/, 8)
    for (const other of others) {
      expect(connectionsOf(other).length).toBeLessThanOrEqual(2 + other.mostTurns(1_000))
      expect(other.exitCode).toBeNull()
    }
    expect(connectionsOf(served)).toHaveLength(1)
  })
})

/** Changes the master of a copy. */
async function change(chapter: ChapterCopy, from: string, to: string): Promise<void> {
  const source = await readFile(join(chapter.folder, 'src/master.ts'), 'utf8')
  await chapter.write('src/master.ts', source.replace(from, to))
}
