import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, expect } from 'vitest'
import { findChapter } from '../src/chapters/chapters.ts'
import { readCluster } from '../src/chapters/cluster.ts'
import { configFilesOf, mostCopies, portsOf } from '../src/chapters/ports.ts'

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants the fixtures that this one uses
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'cluster-'))
    await use(folder)
    rmSync(folder, { recursive: true })
  },
})

/** What is said of a package.json with this in its key `cluster`, without the file's name. */
function problemsOf(cluster: unknown, folder: string): string[] {
  const file = join(folder, 'package.json')
  writeFileSync(file, JSON.stringify({ name: '07-made-up', cluster }))
  try {
    readCluster(folder)
    return []
  } catch (error) {
    const lines = (error as Error).message.split('\n')
    for (const line of lines) expect(line.startsWith(`${file}: `)).toBe(true)
    return lines.map((line) => line.slice(file.length + 2))
  }
}

const ready = 'Listening on'

test('what goes without saying is filled in', () => {
  expect(findChapter('4').programs).toEqual([
    {
      name: 'master',
      ready: [ready],
      copies: 1,
      listens: ['master.socket_port'],
      log: 'master.log',
      args: [],
    },
    {
      name: 'slave',
      ready: ['Connected to'],
      many: 'slaves',
      copies: 1,
      listens: [],
      connectsTo: 'master',
      peerAddress: 'slave.master_ip',
      withoutPeer: 'ends',
      log: 'slave.log',
      args: [],
    },
  ])
})

test('a port stands in the code, or in the configuration', () => {
  expect(portsOf(findChapter('3'))).toEqual([{ program: 'master', port: 31_415, isFixed: true }])
  expect(portsOf(findChapter('4'))).toEqual([{ program: 'master', port: 12_345, isFixed: false }])
  expect(portsOf(findChapter('2'))).toEqual([])
})

test.for([
  '[master]\nSocket_Port : "20001"  ; mine',
  '[DEFAULT]\nsocket_port = 20001\n[master]\n',
  '[master]\nbase = 200\nsocket_port = %(base)s01',
])('%j is read as the programs read it', (text, { folder }) => {
  writeFileSync(join(folder, 'rpicluster.cfg'), text)
  expect(portsOf({ ...findChapter('6'), folder })).toEqual([
    { program: 'master', port: 20_001, isFixed: false },
  ])
})

test('each copy may have a configuration of its own, in INI or in JSON', ({ folder }) => {
  const node = {
    ready,
    many: 'nodes',
    copies: 3,
    config: 'node-{n}.json',
    listens: ['port', 'web.port', 'gone.port'],
  }
  expect(problemsOf({ programs: { node } }, folder)).toEqual([])
  for (const n of [1, 2, 3]) {
    const config = { port: 20_000 + n, web: { port: 8000 + n } }
    writeFileSync(join(folder, `node-${n}.json`), JSON.stringify(config))
  }
  writeFileSync(join(folder, 'node-5.json'), '{}') // 4 is missing: nobody can start five
  const programs = readCluster(folder)?.programs ?? []
  const chapter = { ...findChapter('6'), folder, programs }
  expect(portsOf(chapter).map(({ copy, port }) => [copy, port])).toEqual([
    [1, 20_001],
    [1, 8001],
    [2, 20_002],
    [2, 8002],
    [3, 20_003],
    [3, 8003],
  ])
  expect(programs.map((program) => mostCopies(program, chapter))).toEqual([3])
  expect(configFilesOf(chapter)).toEqual(['node-1.json', 'node-2.json', 'node-3.json'])
})

test.for<[cluster: unknown, ...problems: string[]]>([
  [
    { programs: { main: { ready, formerly: ['a'] } } },
    'cluster.programs.main.formerly is ["a"]. It takes the name that the program had in the chapter before',
  ],
  ['master', 'cluster is "master". It takes an object with the programs of the cluster, such as {'],
  [{}, 'cluster.programs is missing. It takes an object with an entry for each program'],
  [{ programs: {} }, 'cluster.programs is empty.'],
  [
    { live: false, programs: { main: { ready } } },
    'cluster.live is false. It takes true, or an object with what its programs need',
  ],
  [
    { programs: { main: {} } },
    'cluster.programs.main.ready is missing. It takes what a line of the program says',
  ],
  [
    { programs: { main: { ready, copies: '2', listens: [70_000], logs: 'a' } } },
    'cluster.programs.main.copies is "2". It takes a whole number from 1 to 1000.',
    'cluster.programs.main.listens.0 is 70000. It takes a list of ports (1 to 65535)',
    'cluster.programs.main.logs is not known here. Known here: ready, many, copies,',
  ],
  [
    { order: [], programs: { main: { ready } } },
    'cluster.order is not known here. Known here: config, live, state, choices, programs.',
  ],
  [
    { choices: { queue: { place: 'cluster.queue', of: ['own'] } }, programs: { main: { ready } } },
    'cluster.choices goes with a file that cluster.config names.',
  ],
  [
    { config: 'a.json', choices: { for: { place: 'queue', of: [] } }, programs: { main: { ready } } },
    'cluster.choices.for.place is "queue". It takes a place in the configuration file',
    'cluster.choices.for.of is []. It takes a list of texts.',
  ],
  [
    { config: 'a.json', choices: { for: { place: 'a.b', of: ['c'] } }, programs: { main: { ready } } },
    'cluster.choices.for: "start --for" means something else',
  ],
  [{ programs: { main: { ready, listens: ['31415'] } } }, 'cluster.programs.main.listens.0 is "31415".'],
  [{ programs: { main: { ready: [] } } }, 'cluster.programs.main.ready is []. It takes'],
  [{ programs: { main: { ready, log: 'logs/a.log' } } }, 'cluster.programs.main.log is "logs/a.log".'],
  [
    { programs: { main: { ready, listens: ['main.port'] } } },
    'cluster.programs.main.listens has "main.port", and neither cluster.config nor',
  ],
  [{ programs: { Main: { ready } } }, 'cluster.programs.Main: a program is named in small letters'],
  [
    { programs: { main: { ready, many: 'config' } } },
    'cluster.programs.main.many is "config", which is taken',
  ],
  [
    { programs: { a: { ready, connectsTo: 'constructor', withoutPeer: 'ends' }, b: { ready } } },
    'cluster.programs.a.connectsTo is "constructor". Programs here: a, b.',
  ],
  [
    { programs: { a: { ready }, b: { ready, connectsTo: 'a' } } },
    'cluster.programs.b has only one of connectsTo and withoutPeer, and they go together.',
  ],
  [
    { programs: { a: { ready, connectsTo: 'a', peerAddress: 'a.ip', withoutPeer: 'ends' } } },
    'cluster.programs.a.peerAddress goes with connectsTo, and with a file that cluster.config names.',
  ],
  [
    { config: 'a.cfg', programs: { a: { ready, peerAddress: 'ip' } } },
    'cluster.programs.a.peerAddress is "ip". It takes a place in its configuration file, section and key',
  ],
  [
    { programs: { a: { ready, connectsTo: 'a', withoutPeer: 'dies' } } },
    'cluster.programs.a.withoutPeer is "dies". It takes "ends" or "waits".',
  ],
])('%j is refused, with file and key', ([cluster, ...problems], { folder }) => {
  expect(problemsOf(cluster, folder)).toEqual(problems.map((text) => expect.stringContaining(text)))
})
