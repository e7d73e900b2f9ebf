import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test as plainTest } from 'vitest'
import { type ChapterCopy, chapterTest, isAlive, Running } from '../src/harness/harness.ts'
import { programEnvironment } from '../src/run/environment.ts'
import { lackIn, whyNotStarted } from '../src/run/not-started.ts'
import { ROOT } from '../src/workspace/repository.ts'

const test = chapterTest('06-slave-details')

test('--for ends the cluster by itself; the slave starts when the master listens', async ({ chapter }) => {
  const cluster = await chapter.start({ args: ['--for', '20s'] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(0)
  expect(cluster.messages).toContainEqual(
    expect.stringMatching(/^Machine specifications of \S+: \{"hostname":/),
  )
  expect(cluster.messages).toContainEqual(
    expect.stringMatching(/^Received message from \S+: I am still alive, client: \d+$/),
  )
})

test('--slaves N starts so many, each with its pid, and when one is killed the others go on', async ({
  chapter,
}) => {
  const cluster = await chapter.start({ args: ['--slaves', '3'] })
  await cluster.says(/Connected to/, 3)
  const pids = [1, 2, 3].map((number) => pidOf(cluster, `slave ${number}`))
  const logged = (await chapter.log('slave.log')).map(({ pid }) => Number(pid))
  expect(new Set(pids)).toEqual(new Set(logged))
  process.kill(pids[1] ?? 0, 'SIGKILL')
  await cluster.says(/^slave 2 \| \(ended, by SIGKILL\)$/)
  const before = cluster.messages.filter((message) => message.startsWith('Received message')).length
  await cluster.says(/Received message/, before + 2)
  await cluster.stop()
  expect(cluster.exitCode).toBe(0)
  const names = new Set(cluster.lines.map((line) => line.split('|')[0]?.trim()))
  expect(names).toEqual(new Set(['master', 'slave 1', 'slave 2', 'slave 3']))
})

test('when all slaves have ended, it says who is left, and how that is ended', async ({ chapter }) => {
  const cluster = await chapter.start({ args: ['--slaves', '2'] })
  await cluster.says(/Connected to/, 2)
  process.kill(pidOf(cluster, 'slave 1'), 'SIGKILL')
  await cluster.says(/^slave 1 \| \(ended, by SIGKILL\)$/)
  process.kill(pidOf(cluster, 'slave 2'), 'SIGKILL')
  await cluster.says(/^slave 2 \| \(ended, by SIGKILL\)$/)
  await cluster.stop()
  expect(cluster.lines.filter((line) => !line.includes(' | '))).toEqual([
    'Only master is left. Ctrl-C ends it.',
  ])
})

test('SIGTERM to the runner alone ends every program', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Connected to/)
  await cluster.stop('SIGTERM')
  expect(cluster.exitCode).toBe(0)
  expect(cluster.messages.filter((message) => message === 'Stopped')).toHaveLength(2)
})

test('when nobody reads any more, the programs end, and then the runner does', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Connected to/)
  const pids = [pidOf(cluster, 'master'), pidOf(cluster, 'slave')]
  cluster.closeConsole()
  await cluster.ends()
  expect(pids.filter(isAlive)).toEqual([])
})

test('a master that is killed ends the cluster, with an exit code that is not 0', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Connected to/)
  process.kill(pidOf(cluster, 'master'), 'SIGKILL')
  await cluster.ends()
  expect(cluster.exitCode).toBe(1)
  expect(cluster.lines).toContainEqual(expect.stringMatching(/^master \| \(ended, by SIGKILL\)$/))
})

test('a runner that is killed leaves no process behind for long', async ({ chapter }) => {
  const cluster = await chapter.start()
  await cluster.says(/Received message/)
  const logs = await Promise.all(['master.log', 'slave.log'].map((name) => chapter.log(name)))
  const pids = logs.map(([line]) => Number(line?.['pid']))
  expect(pids.filter(isAlive)).toHaveLength(2)
  cluster.signal('SIGKILL')
  await expect.poll(() => pids.filter(isAlive), { timeout: 15_000 }).toEqual([])
})

test('start twice at once gives the second a clear error, and leaves the first alone', async ({
  chapter,
}) => {
  const first = await chapter.start()
  await first.says(/Connected to/)
  const second = await chapter.start()
  await second.ends()
  expect(second.exitCode).toBe(1)
  expect(second.lines[1]).toMatch(/^master \| .*Port \d+ is taken on 127\.0\.0\.1: /)
  await first.stop()
  expect(first.exitCode).toBe(0)
})

test('--config goes to every program, and counts from the folder where the reader typed', async ({
  chapter,
}) => {
  await chapter.write('rpicluster.cfg', '')
  await chapter.write(
    'src/mine.cfg',
    `[master]\nsocket_port = ${chapter.port}\nsocket_bind_ip =\n[slave]\nsocket_port = ${chapter.port}\nmaster_ip = localhost\n`,
  )
  const cluster = await chapter.start({ args: ['--config', 'mine.cfg'], from: join(chapter.folder, 'src') })
  await cluster.says(/Connected to/)
  await cluster.stop()
  expect(cluster.lines[1]).toContain(`Listening on 0.0.0.0:${chapter.port}`)
})

test.for([
  [
    ['--for', '20'],
    "option '--for <time>' argument '20' is invalid. It takes a time with its unit, such as 20s, 2m or 500ms.",
  ],
  [
    ['--slaves', '0'],
    "option '--slaves <number>' argument '0' is invalid. It takes a whole number from 1 to 1000.",
  ],
] as const)('%j is refused with a clear line', async ([args, line], { chapter }) => {
  const cluster = await chapter.start({ args: [...args] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(1)
  expect(cluster.lines[0]).toBe(`error: ${line}`)
})

chapterTest('02-packaging')('a single program has no slaves', async ({ chapter }) => {
  const cluster = await chapter.start({ args: ['--slaves', '2'] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(2)
  expect(cluster.lines).toEqual([
    '02-packaging is a single program: it has no slaves to start (chapter 03 brings them).',
  ])
})

// How many files Node itself has open is another number on each system: this one is for Linux.
const onLinux = test.skipIf(process.platform !== 'linux')

onLinux('more slaves than the system can start are a line, and no process stays', async ({ chapter }) => {
  const tutorial = join(ROOT, 'packages/tutorial/bin/tutorial.js')
  // Node takes some 30 by itself, and each program two.
  const command = `ulimit -n 38; exec '${process.execPath}' '${tutorial}' start --slaves 30`
  const cluster = new Running(
    spawn('bash', ['-c', command], {
      cwd: chapter.folder,
      detached: true,
      env: programEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  onTestFinished(() => cluster.kill())
  await cluster.ends()
  expect(cluster.exitCode).toBe(1)
  const others = cluster.lines.filter((line) => !/^(master|slave \d+) +\| /.test(line))
  expect(others).toEqual([
    expect.stringMatching(
      /^(master|slave \d+) could not be started: too many files are open here, and this shell allows 38\. Start fewer programs, or allow more first: ulimit -n 256$/,
    ),
  ])
  expect(cluster.lines.join('\n')).not.toMatch(/^\s+at /m)
  const logs = ['master.log', 'slave.log'].map((name) => chapter.log(name).catch(() => []))
  const started = (await Promise.all(logs)).flat()
  expect(started.map(({ pid }) => Number(pid)).filter(isAlive)).toEqual([])
})

plainTest.for([
  ['EAGAIN', /^slave 3 could not be started: you have as many processes as .*ulimit -u shows the limit\.$/],
  ['ENOMEM', /^slave 3 could not be started: this machine has no memory left for it\. Start fewer/],
  ['ENFILE', /^slave 3 could not be started: too many files are open on this machine\./],
  ['EACCES', /^slave 3 could not be started: spawn node EACCES$/],
] as const)('a program that %s keeps from starting', ([code, told]) => {
  const error = Object.assign(new Error(`spawn node ${code}`), { code })
  expect(whyNotStarted('slave 3', error, 4)).toMatch(told)
})

plainTest.for([
  ['Error [TransformError]: The service was stopped: spawn bin/esbuild EAGAIN', 'EAGAIN'],
  ['node[10011]: pthread_create: Resource temporarily unavailable', 'EAGAIN'],
  ['  #  Assertion failed: (0) == (uv_thread_create(t.get(), start_thread, this))', 'EAGAIN'],
  ["Error: EMFILE: too many open files, open 'index.mjs'", 'EMFILE'],
  ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory', 'ENOMEM'],
  ['Port 31415 is taken on 127.0.0.1', undefined],
] as const)('%s while a program starts is a lack of %s', ([line, code]) => {
  expect(lackIn(line)?.code).toBe(code)
})

/** Makes of a copy of 06 a chapter with three kinds of programs. */
async function threeKinds(chapter: ChapterCopy, withoutPeer: 'ends' | 'waits'): Promise<void> {
  await chapter.write('src/gateway.ts', program('gateway', ''))
  await chapter.write('src/primary.ts', program('primary', 'await sleep(50)'))
  await chapter.write('src/secondary.ts', program('secondary', ''))
  const pkg = JSON.parse(readFileSync(join(chapter.folder, 'package.json'), 'utf8'))
  const ready = 'is up'
  pkg.cluster = {
    programs: {
      primary: { ready },
      gateway: { ready, connectsTo: 'primary', withoutPeer, args: ['--number', '{n}'] },
      secondary: { ready, many: 'secondaries', copies: 2, connectsTo: 'primary', withoutPeer: 'waits' },
    },
  }
  await chapter.write('package.json', JSON.stringify(pkg))
}

/** A program that says a line, then that it is up, and ends at SIGTERM or by a line of its own. */
function program(name: string, before: string): string {
  return `
    import { setTimeout as sleep } from 'node:timers/promises'
    const alive = setInterval(() => {}, 1000)
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => { console.log('stopping'); clearInterval(alive) })
    console.log('begins', process.pid, ...process.argv.slice(2))
    ${before}
    console.log('${name} is up')`
}

/** The process of a cluster's program, as `start` says it. */
function pidOf(cluster: Running, name: string): number {
  const line = cluster.lines.find((line) => line.startsWith(name))
  return Number(/^[a-z 0-9]+ \| \(started, pid (\d+)\)$/.exec(line ?? '')?.[1])
}

test('programs of three kinds start in their order and end in the opposite one, each with its arguments', async ({
  chapter,
}) => {
  await threeKinds(chapter, 'ends')
  const cluster = await chapter.start({ args: ['--secondaries', '3'] })
  await cluster.says(/secondary is up/, 3)
  await cluster.stop()
  expect(cluster.exitCode).toBe(0)
  const said = cluster.lines.map((line) => line.replace(/ \d{2,}/, ''))
  expect(said.slice(0, 6)).toEqual([
    'primary     | (started, pid)',
    'primary     | begins',
    'primary     | primary is up',
    'gateway     | (started, pid)',
    'gateway     | begins --number 1',
    'gateway     | gateway is up',
  ])
  expect(said.filter((line) => line.startsWith('secondary')).toSorted()).toEqual(
    [1, 2, 3].flatMap((n) =>
      ['(started, pid)', 'begins', 'secondary is up', 'stopping'].map((text) => `secondary ${n} | ${text}`),
    ),
  )
  expect(said.slice(-2)).toEqual(['gateway     | stopping', 'primary     | stopping'])
})

test('a program that all others can do without may end; the cluster ends with one that is needed', async ({
  chapter,
}) => {
  await threeKinds(chapter, 'waits')
  const patient = await chapter.start()
  await patient.says(/secondary is up/, 2)
  process.kill(pidOf(patient, 'primary'), 'SIGKILL')
  await patient.says(/^primary +\| \(ended, by SIGKILL\)$/)
  process.kill(pidOf(patient, 'gateway'), 'SIGKILL')
  await patient.says(/^gateway +\| \(ended, by SIGKILL\)$/)
  expect(isAlive(pidOf(patient, 'secondary 2'))).toBe(true)
  // When none is left, there is nothing to wait for.
  process.kill(pidOf(patient, 'secondary 1'), 'SIGKILL')
  process.kill(pidOf(patient, 'secondary 2'), 'SIGKILL')
  await patient.ends()
  expect(patient.exitCode).toBe(1)
  expect(patient.lines.filter((line) => !line.includes(' | '))).toEqual([
    'Only 2 secondaries are left. Ctrl-C ends them.',
  ])
})

test('who needs some seconds to end has them, however fast the clock of a test is', async ({ chapter }) => {
  await threeKinds(chapter, 'ends')
  const [before, ends] = [
    program('primary', ''),
    `process.on('exit', () => Atomics.wait(numbers, 0, 0, 2_500))`,
  ]
  await chapter.write(
    'src/primary.ts',
    `const numbers = new Int32Array(new SharedArrayBuffer(4))\n${before}\n${ends}`,
  )
  const cluster = await chapter.start()
  await cluster.says(/secondary is up/, 2)
  await cluster.stop()
  expect(cluster.exitCode, cluster.lines.join('\n')).toBe(0)
})

test('an option of other chapters is refused with what this one takes', async ({ chapter }) => {
  await threeKinds(chapter, 'ends')
  const cluster = await chapter.start({ args: ['--slaves', '2'] })
  await cluster.ends()
  expect(cluster.exitCode).toBe(2)
  expect(cluster.lines).toEqual([
    expect.stringMatching(
      /^06-slave-details has no slaves to start \(chapters 03 to \d\d have them\)\. It takes --secondaries\.$/,
    ),
  ])
})

test('what is chosen at the start goes to every program, and a chapter without that choice says where it is', async ({
  chapter,
}) => {
  await threeKinds(chapter, 'ends')
  const none = await chapter.start({ args: ['--queue', 'nats'] })
  await none.ends()
  expect([none.exitCode, none.lines]).toEqual([
    2,
    [expect.stringMatching(/^06-slave-details has no queue "nats" to choose \(chapter 28 has it\)\.$/)],
  ])
  const file = join(chapter.folder, 'package.json')
  const { cluster, ...others } = JSON.parse(readFileSync(file, 'utf8'))
  const choices = { queue: { place: 'cluster.queue', of: ['own', 'nats'] } }
  await chapter.write(
    'package.json',
    JSON.stringify({ ...others, cluster: { config: 'a.json', ...cluster, choices } }),
  )
  await chapter.write('src/primary.ts', "console.log('primary is up', process.env.RPI_CLUSTER_CLUSTER_QUEUE)")
  const chosen = await chapter.start({ args: ['--queue', 'nats'] })
  await chosen.says(/^primary +\| primary is up nats$/)
  await chosen.ends()
})
