/** The stand-ins for Node's modules, held against Node: the same behaviours, the same processes, on both sides. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LiveChapter } from '../live/chapter.ts'
import { behaviours } from './stand-ins.ts'
import { engineFiles, LiveRun, launchBrowser, openPage } from './support/live-cluster.ts'

const HERE = dirname(fileURLToPath(import.meta.url))

/** A program, what it says, and how it ends. */
interface Ending {
  name: string
  program: string
  says: string[]
  code: number
}

const endings: Ending[] = [
  { name: 'nothing is left', program: 'console.log("done")', says: ['done'], code: 0 },
  { name: 'a timer is left', program: 'setTimeout(() => console.log("late"), 20)', says: ['late'], code: 0 },
  {
    name: "only an unref'd timer is left",
    program: 'setTimeout(() => console.log("never"), 20).unref()',
    says: [],
    code: 0,
  },
  {
    name: 'a server is left, until it closes',
    program: `import { createServer } from 'node:net'
const server = createServer().listen(0, '127.0.0.1', () => { console.log('up'); server.close() })`,
    says: ['up'],
    code: 0,
  },
  {
    name: "an unref'd server is left",
    program: `import { createServer } from 'node:net'
createServer().listen(0, '127.0.0.1').unref()`,
    says: [],
    code: 0,
  },
  {
    name: 'it says with which code',
    program: 'setTimeout(() => process.exit(3), 5); process.on("exit", (code) => console.log(code))',
    says: ['3'],
    code: 3,
  },
  {
    name: 'nothing after the exit runs',
    program: 'console.log("a"); process.exit(0); console.log("b")',
    says: ['a'],
    code: 0,
  },
  { name: 'the code was put down', program: 'process.exitCode = 4', says: [], code: 4 },
  {
    name: 'an error that nobody takes',
    program: 'setTimeout(() => { throw new Error("oh") }, 5)',
    says: [],
    code: 1,
  },
  {
    name: 'a promise that nobody catches',
    program: 'void Promise.reject(new Error("oh")); setTimeout(() => {}, 1000)',
    says: [],
    code: 1,
  },
  {
    name: 'an error that is taken',
    program:
      'process.on("uncaughtException", (error) => console.log(error.message)); setTimeout(() => { throw new Error("oh") }, 5)',
    says: ['oh'],
    code: 0,
  },
  {
    name: 'a rejected promise that is taken',
    program:
      'process.on("uncaughtException", (error) => console.log(error.message)); void Promise.reject(new Error("oh"))',
    says: ['oh'],
    code: 0,
  },
  { name: 'it waits for what never comes', program: 'await new Promise(() => {})', says: [], code: 13 },
  {
    name: 'it wants more before it ends',
    program:
      'let times = 0; process.on("beforeExit", () => { if (times++ < 2) setTimeout(() => console.log(times), 1) })',
    says: ['1', '2'],
    code: 0,
  },
  {
    name: 'a signal that it listens to',
    program:
      'const timer = setInterval(() => {}, 1000); process.on("SIGTERM", (name) => { console.log(name); clearInterval(timer) }); process.kill(process.pid, "SIGTERM")',
    says: ['SIGTERM'],
    code: 0,
  },
]

describe('in Node', () => {
  test.each(behaviours)('$name', async ({ run, gives }) => {
    expect(await run()).toEqual(gives)
  })

  test.each(endings)('a program ends: $name', async ({ program, says, code }) => {
    const folder = mkdtempSync(join(tmpdir(), 'ending-'))
    try {
      writeFileSync(join(folder, 'program.mjs'), program)
      const child = spawn(process.execPath, [join(folder, 'program.mjs')], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let text = ''
      child.stdout.on('data', (chunk) => (text += chunk))
      const [ended] = await once(child, 'close')
      expect({ says: text.split('\n').slice(0, -1), code: ended }).toEqual({ says, code })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('in the page', () => {
  let browser: Browser
  let page: Page
  let results: Map<string, { gave?: unknown; failed?: string }>

  beforeAll(async () => {
    browser = await launchBrowser()
    page = await openPage(browser, await engineFiles())
    const run = await LiveRun.startThese(
      page,
      chapterOf(`${readFileSync(join(HERE, 'stand-ins.ts'), 'utf8')}
for (const { name, run } of behaviours) {
  const given = await Promise.race([Promise.resolve().then(run), sleep(5_000).then(() => { throw new Error('it does not end') })]).then((gave) => ({ gave }), (error) => ({ failed: String(error.stack ?? error) }))
  console.log(JSON.stringify({ name, ...given }))
}
console.log('all done')
process.exit(0)
`),
    )
    await run.said('program', 'all done')
    const lines = (await run.lines('program')).filter((line) => line.startsWith('{'))
    results = new Map(lines.map((line) => JSON.parse(line)).map(({ name, ...given }) => [name, given]))
  })
  afterAll(() => browser?.close())

  test.each(behaviours)('$name', ({ name, gives }) => {
    expect(results.get(name)).toEqual({ gave: gives })
  })

  test.each(endings)('a program ends: $name', async ({ program, says, code }) => {
    const run = await LiveRun.startThese(page, chapterOf(program))
    const how = await run.ended('program')
    // What it says of an error stands elsewhere in Node: on standard error.
    const lines = (await run.lines('program')).filter((line) => !/^(Uncaught|Warning:| +at )/.test(line))
    expect({ says: lines, how }).toEqual({ says, how: `exit code ${code}` })
  })
})

function chapterOf(program: string): LiveChapter {
  return {
    name: 'stand-ins',
    programs: [{ name: 'program', ready: [], copies: 1, args: [] }],
    files: { 'src/program.ts': program },
  }
}
