/** A cluster whose nodes are all of one kind and connect to each other: its ports, its links, and what is done to these. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Chapter, findChapter, readChapter } from '../src/chapters/chapters.ts'
import { settingsOf, textWith, valueAt } from '../src/chapters/config-file.ts'
import { mostCopies, portsOf } from '../src/chapters/ports.ts'
import { ChapterCopy } from '../src/harness/chapter-copy.ts'
import type { LabEvent } from '../src/lab/events.ts'
import { Lab } from '../src/lab/lab.ts'
import { TELLS_WHO_LISTENS } from '../src/lab/open-ports.ts'
import { promiseOf } from '../src/lab/promises.ts'
import { namedIn } from '../src/lab/scenario.ts'
import { actionsOf } from '../src/lab/words.ts'
import { freePorts } from '../src/run/environment.ts'
import { linksBetween, membersOf } from '../src/run/members.ts'
import { carriedOver, settingOf, withValue } from '../src/ship/config-values.ts'

const PATIENCE = { timeout: 20_000, interval: 10 }

const CONFIG = `// Who is a member.
{
  "cluster": {
    "members": {
      "node-1": { "host": "127.0.0.1", "port": 12351, "other_port": 12341 }, // the first
      "node-2": { "host": "127.0.0.1", "port": 12352, "other_port": 12342 },
      "node-3": { "host": "127.0.0.1", "port": 12353, "other_port": 12343 },
      "node-4": { "host": "127.0.0.1", "port": 12354, "other_port": 12344 },
      "node-5": { "host": "127.0.0.1", "port": 12355, "other_port": 12345 }
    },
    "seconds": 1
  }
}
`

/** It greets each other member, again and again, over both ports, and answers greetings. node-5 listens on its other port later. */
const NODE = `import { readFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { setInterval, setTimeout } from 'node:timers'
process.on('SIGTERM', () => process.exit())
const [name = ''] = process.argv.slice(2)
console.log('begins', name)
const text = readFileSync('rpicluster.json', 'utf8').replace(/\\/\\/.*/g, '')
const members: Record<string, { port: number; other_port: number }> = JSON.parse(text).cluster.members
for (const [other, { port, other_port }] of Object.entries(members))
  for (const each of [port, other_port]) {
    if (other === name) {
      const server = createServer((peer) => {
        peer.on('error', () => {}).on('data', (said) => {
          console.log('heard', String(said))
          peer.write('back to ' + said)
        })
      })
      const listen = () => server.listen(each, '127.0.0.1', () => console.log('Listening on', each))
      if (name === 'node-5' && each === other_port) setTimeout(listen, 20_000)
      else listen()
    } else {
      let peer: ReturnType<typeof connect> | undefined
      setInterval(() => {
        peer ??= connect(each, '127.0.0.1')
          .on('data', (said) => console.log(String(said), 'from', other, each))
          .on('error', (error: NodeJS.ErrnoException) => console.log(error.code, 'from', other, each))
          .on('close', () => { peer = undefined })
        peer.write(name)
      }, 500)
    }
  }
`

let folder = ''
let chapter: Chapter
beforeAll(() => {
  folder = join(realpathSync(mkdtempSync(join(tmpdir(), 'mesh-'))), '28-made-up')
  mkdirSync(join(folder, 'src'), { recursive: true })
  const node = {
    ...{ ready: 'Listening on', copies: 5, many: 'nodes', args: ['node-{n}'] },
    listens: ['cluster.members.node-{n}.port', 'cluster.members.node-{n}.other_port'],
    ...{ connectsTo: 'node', withoutPeer: 'waits' },
  }
  const files = {
    'package.json': JSON.stringify({
      ...{ name: '28-made-up', type: 'module', engines: { node: '>=20.19' } },
      files: ['src', 'rpicluster.json'],
      cluster: { config: 'rpicluster.json', programs: { node } },
    }),
    'rpicluster.json': CONFIG,
    'src/node.ts': NODE,
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  symlinkSync(join(findChapter('19').folder, 'node_modules'), join(folder, 'node_modules'))
  chapter = readChapter(folder)
})
afterAll(() => rmSync(join(folder, '..'), { recursive: true }))

describe('the configuration of a mesh', () => {
  test('has the ports of each copy, wherever they stand in it', () => {
    expect(portsOf(chapter)).toEqual(
      [1, 2, 3, 4, 5].flatMap((copy) =>
        [12_350 + copy, 12_340 + copy].map((port) => ({ program: 'node', copy, port, isFixed: false })),
      ),
    )
    expect(mostCopies(chapter.programs[0] ?? expect.fail('no program'), chapter)).toBe(5)
  })

  test('is read and written at such a place, and what was set there stays', () => {
    const setting = { section: 'cluster', key: 'members.node-1.host', value: 'pi-1.local' }
    expect(settingOf('cluster.members.node-1.host=pi-1.local')).toEqual(setting)
    const theirs = withValue(CONFIG, setting)
    expect(theirs).toBe(CONFIG.replace('127.0.0.1', 'pi-1.local'))
    expect(valueAt(theirs, 'cluster.members.node-1.host')).toBe('pi-1.local')
    expect(textWith(CONFIG, { ...setting, key: 'members.node-6.host' })).toBeUndefined()
    expect(settingsOf(CONFIG)).toHaveLength(16)
    const fresh = CONFIG.replace('"seconds": 1', '"seconds": 2')
    expect(carriedOver(theirs, CONFIG, fresh)).toEqual({
      text: fresh.replace('127.0.0.1', 'pi-1.local'),
      notices: ['is new, and keeps cluster.members.node-1.host = pi-1.local'],
    })
  })
})

test('each member has a link to each other one, and is told who it is', () => {
  const members = membersOf(chapter, { node: 3 })
  expect(members.map(({ name, args }) => [name, ...args])).toEqual(
    [1, 2, 3].map((n) => [`node ${n}`, `node-${n}`]),
  )
  const links = linksBetween(members, chapter)
  expect(links.map(({ lane, to, port }) => `${lane} to ${to} at ${port}`)).toEqual(
    [1, 2, 3].flatMap((lane) =>
      [1, 2, 3]
        .filter((to) => to !== lane)
        .flatMap((to) => [12_350, 12_340].map((port) => `node ${lane} to node ${to} at ${port + to}`)),
    ),
  )
  expect(linksBetween(membersOf(chapter), chapter)).toHaveLength(5 * 4 * 2)
})

test('in a copy, a member runs by itself, and a link may lead to either of its ports', async () => {
  const copy = await ChapterCopy.make(folder)
  onTestFinished(() => copy.remove())
  const two = await copy.run('node', { copy: 2 })
  await two.says(/^begins node-2$/)
  const [port, otherPort] = copy.portsOf('node', 2)
  expect([port, otherPort]).not.toContain(12_352)
  await two.says(new RegExp(`^Listening on ${otherPort}$`))
  const link = await copy.link('node', 2, 1)
  expect(link.serverPort).toBe(otherPort)
  const one = await copy.run('node', { copy: 1, through: link })
  await one.says(new RegExp(`back to node-1 from node-2 ${port}$`))
  await one.says(new RegExp(`back to node-1 from node-2 ${otherPort}$`))
  expect(link.connections).toHaveLength(1)
})

describe('in the lab', () => {
  test('members are cut off alone and in groups, in both directions, whoever connects', async () => {
    const events: LabEvent[] = []
    const lab = await Lab.start(chapter, {
      speed: 10,
      ports: await freePorts([chapter]),
      onEvents: (batch) => events.push(...batch),
    })
    const named = namedIn(chapter, {}, () => 0)
    const act = async (words: string) => {
      for (const action of actionsOf(words, named)) await lab.do(action)
    }
    /** Who is heard by whom, once everybody has been heard by everybody who is in the same of these groups. */
    const heard = async (...groups: number[][]) => {
      const since = events.length
      const wanted = groups.flatMap((group) =>
        group.flatMap((one) => group.filter((two) => two !== one).map((two) => `${one} ${two}`)),
      )
      const now = () =>
        new Set(
          events
            .slice(since)
            .map((event) => event.type === 'line' && /back to node-(\d) from node-(\d)/.exec(event.text))
            .flatMap((found) => (found ? `${found[1]} ${found[2]}` : [])),
        )
      await vi.waitFor(() => expect([...now()]).toEqual(expect.arrayContaining(wanted)), PATIENCE)
      return { only: () => expect([...now()].toSorted()).toEqual(wanted.toSorted()) }
    }
    try {
      await lab.up
      expect(lab.lanes.map(({ name }) => name)).toEqual([1, 2, 3, 4, 5].map((n) => `node ${n}`))
      await heard([1, 2, 3, 4, 5])
      const isSaid = (text: RegExp) =>
        vi.waitFor(
          () =>
            expect(events).toContainEqual(
              expect.objectContaining({ type: 'line', lane: 'node 1', text: expect.stringMatching(text) }),
            ),
          PATIENCE,
        )
      // A port on which nobody listens refuses who connects, as it would without a link.
      await isSaid(/^ECONNREFUSED from node-5 12345$/)
      await isSaid(/^back to node-1 from node-5 12345$/)
      if (TELLS_WHO_LISTENS) expect(JSON.stringify(events)).not.toContain('ECONNRESET')

      await act('cut node 1')
      await heard([2, 3, 4, 5]) // what was on its way has arrived
      ;(await heard([2, 3, 4, 5])).only()
      await act('heal node 1')
      await heard([1, 2, 3, 4, 5])

      await act('partition node 1, node 2 | node 3, node 4, node 5')
      await heard([1, 2], [3, 4, 5])
      ;(await heard([1, 2], [3, 4, 5])).only()
      await act('heal')
      await heard([1, 2, 3, 4, 5])

      // It hears nobody, and its own greetings arrive.
      await act('black-hole node 3 in')
      await heard([1, 2, 4, 5])
      const since = events.length
      const said = (lane: string, text: RegExp) =>
        expect.objectContaining({ type: 'line', lane, text: expect.stringMatching(text) })
      for (const lane of ['node 1', 'node 5'])
        await vi.waitFor(
          () => expect(events.slice(since)).toContainEqual(said(lane, /^heard (node-3)+$/)),
          PATIENCE,
        )
      await heard([1, 2, 4, 5])
      expect(events.slice(since)).not.toContainEqual(said('node 3', /^(back|heard)/))
      await act('heal')

      await act('stop node 2')
      await heard([1, 3, 4, 5])
      await act('continue node 2')
      await act('kill node 4')
      await heard([1, 2, 3, 5])
      await act('restart node 4')
      await heard([1, 2, 3, 4, 5])
    } finally {
      await lab.close()
    }
  })

  test('a member is back when it talks with another one, whichever of the two connects', () => {
    const named = namedIn(chapter, { node: 3 }, () => 0)
    const started = (lane: string): LabEvent => ({ type: 'state', at: 0, lane, state: 'started' })
    const talk = (from: string, to: string, connection: number): LabEvent[] => [
      { type: 'opened', at: 11, connection, from, to },
      { type: 'bytes', at: 12, connection, from, to, chunk: 0, text: '' },
      { type: 'bytes', at: 13, connection, from: to, to: from, chunk: 1, text: '' },
    ]
    const verdict = (...events: LabEvent[]) =>
      promiseOf('nodes back within 30s', named).verdict({
        events: [...[1, 2, 3].map((n) => started(`node ${n}`)), ...events],
        ...{ lanes: named.lanes, lastStepAt: 10, now: 60 },
      })
    expect(verdict(...talk('node 1', 'node 2', 1), ...talk('node 1', 'node 3', 2)).is).toBe('kept')
    expect(verdict(...talk('node 1', 'node 2', 1), ...talk('page', 'node 3', 2))).toEqual({
      is: 'broken',
      why: 'not back: node 3',
    })
  })

  test('the help says how to part them', () => {
    const named = namedIn(chapter, { node: 3 }, () => 0)
    expect(() => actionsOf('partition node 1', named)).toThrow('partition node 1, node 2 | node 3')
  })
})
