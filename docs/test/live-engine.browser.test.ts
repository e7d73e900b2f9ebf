/** Each chapter's cluster, in a page: it says what it says on a Pi, and survives what its README promises. */
import { gzipSync } from 'node:zlib'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MOST_NODES } from '../live/cluster.ts'
import { engineFiles, LiveRun, launchBrowser, openPage } from './support/live-cluster.ts'

/** What the page may load for clusters, without the editor, in bytes. */
const MOST_COMPRESSED = 200_000

let browser: Browser
let page: Page
let files: Record<string, string>

beforeAll(async () => {
  browser = await launchBrowser()
  files = await engineFiles()
  page = await openPage(browser, files)
})
afterAll(() => browser?.close())

/** What the one that listens says of each that has come. */
const KNOWN: Record<string, string | RegExp> = {
  '03-sockets': /From [\d.:]+: Hello World, I am client \d+/,
  '04-config': /From [\d.:]+: Hello World, I am client \d+/,
  '05-json': /Received message from .*: "?Hello World, I am client \d+/,
  '06-slave-details': /Machine specifications of [\d.:]+: \{"hostname":"pi"/,
  '07-master-details': /wants to know my computer_details/,
  '09-many-slaves': /pi #\d+ wants to know my computer_details/,
  '10-disconnection': /pi #\d+ has joined/,
  '11-reconnection': /pi #\d+ has joined/,
  '13-slave-class': /pi #\d+ has joined/,
}

const live = allChapters().filter(({ live }) => live === true)

test('these chapters run in the page', () => {
  expect(live.map(({ name }) => name)).toEqual(Object.keys(KNOWN))
})

test.each(live)('$name says its known lines, from each of three', async ({ name }) => {
  const run = await LiveRun.start(page, name, { copies: 3, speed: 10 })
  await run.said('master', 'Listening on')
  await run.said('master', KNOWN[name] ?? '', 3)
  for (const copy of [1, 2, 3]) await run.said(`slave ${copy}`, 'Connected to 127.0.0.1')
  await run.signal('master', 'SIGINT')
  expect(await run.ended('master')).toBe('exit code 0')
  await run.said('master', 'Stopped')
})

test('10 is told that one has left, and why', async () => {
  const run = await LiveRun.start(page, '10', { copies: 2, speed: 10 })
  await run.said('master', /has joined/, 2)
  await run.do({ do: 'kill', lane: 'slave 1' })
  await run.said('master', /pi #\d+ has left/)
  await run.do({ do: 'black-hole', lane: 'slave 2', direction: 'both' })
  await run.said('master', /Nothing came from .* for 15 s/)
})

test.each(['11-reconnection', '13-slave-class'])('%s comes back after a kill and a cut', async (name) => {
  const run = await LiveRun.start(page, name, { copies: 2, speed: 10 })
  await run.said('master', /has joined/, 2)
  await run.do({ do: 'restart', lane: 'master' })
  await run.said('slave 1', 'Connected to', 2)
  await run.said('slave 2', 'Connected to', 2)
  await run.do({ do: 'cut', lane: 'slave 1' })
  await run.said('slave 1', /Lost the connection/, 2)
  await run.do({ do: 'heal', lane: 'slave 1' })
  await run.said('slave 1', 'Connected to', 3)
})

test('what a black hole held comes in order when it is healed', async () => {
  const run = await LiveRun.startThese(
    page,
    {
      name: 'counting',
      programs: [
        { name: 'listener', ready: ['up'], copies: 1, args: [] },
        { name: 'counter', ready: ['up'], copies: 1, connectsTo: 'listener', args: [] },
      ],
      files: {
        'src/listener.ts': `import { createServer } from 'node:net'
createServer((socket) => socket.on('data', (bytes) => console.log(String(bytes)))).listen(9, () => console.log('up'))`,
        'src/counter.ts': `import { connect } from 'node:net'
let count = 0
const socket = connect(9, '127.0.0.1', () => console.log('up'))
setInterval(() => socket.write((count += 1) + '\\n'), 100)`,
      },
    },
    { speed: 10 },
  )
  await run.said('listener', /^3$/)
  await run.do({ do: 'black-hole', lane: 'counter', direction: 'toServer' })
  const before = await run.seconds()
  await page.waitForFunction((until) => window.cluster.seconds > until, before + 5)
  const held = (await run.lines('listener')).filter((line) => /^\d+$/.test(line)).length
  await run.do({ do: 'heal', lane: 'counter' })
  await run.said('listener', new RegExp(`^${held + 20}$`))
  const numbers = (await run.lines('listener')).filter((line) => /^\d+$/.test(line)).map(Number)
  expect(numbers).toEqual(numbers.map((_, index) => index + 1))
})

test('a program waits for its end where another is not there, or ends as it does on a Pi', async () => {
  const run = await LiveRun.start(page, '06', { copies: 1, speed: 10 })
  await run.said('slave 1', 'Connected to')
  await run.do({ do: 'kill', lane: 'master' })
  expect(await run.ended('slave 1')).toBe('exit code 1')
  await run.do({ do: 'restart', lane: 'slave 1' })
  await run.said('slave 1', 'Nobody listens on 127.0.0.1:12345. Is the master running?')
})

test('time stands still, and goes step by step', async () => {
  const run = await LiveRun.start(page, '06', { copies: 1, speed: 10 })
  await run.said('master', 'I am still alive')
  const seconds = await page.evaluate(async () => {
    window.cluster.pause()
    const began = window.cluster.seconds
    await new Promise((resolve) => setTimeout(resolve, 50))
    const paused = window.cluster.seconds
    await window.cluster.step(100)
    return [paused - began, window.cluster.seconds - began]
  })
  expect(seconds[0]).toBe(0)
  expect(seconds[1]).toBeCloseTo(0.1, 5)
})

test('a changed program runs after a restart, and a mistake is shown at its line', async () => {
  const run = await LiveRun.start(page, '03', { copies: 1, speed: 10 })
  const problems = await page.evaluate(() =>
    window.cluster.setFiles({ 'src/master.ts': 'const one: number = 1\nconst = 2\n' }),
  )
  expect(problems).toMatchObject([{ file: 'src/master.ts', line: 2 }])
  await page.evaluate(() => window.cluster.setFiles({ 'src/master.ts': "console.log('changed' as string)" }))
  await run.do({ do: 'restart', lane: 'master' })
  await run.said('master', 'changed')
})

test('a configuration that is wrong is told in the words of the core', async () => {
  const run = await LiveRun.start(page, '04', {
    copies: 1,
    files: { 'rpicluster.cfg': '[master]\nsocket_port = many\n' },
  })
  await run.said('master', /socket_port/)
  expect(await run.ended('master')).toBe('exit code 1')
})

test('as many nodes run as a page may have, and no more', async () => {
  const run = await LiveRun.start(page, '11', { copies: 2, speed: 10 })
  const lanes = await page.evaluate(() => {
    window.cluster.setCopies(99)
    return window.cluster.lanes.map(({ name }) => name)
  })
  expect(lanes).toHaveLength(MOST_NODES)
  await run.said('master', /has joined/, MOST_NODES - 1)
  await page.evaluate(() => window.cluster.setCopies(1))
  await run.said('master', /has left/, MOST_NODES - 2)
})

test('what the page loads is small', () => {
  const bytes = Object.values(files).reduce((sum, text) => sum + gzipSync(text).length, 0)
  expect(bytes).toBeLessThan(MOST_COMPRESSED)
})
