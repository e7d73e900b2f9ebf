/** A chapter on its way to a Pi: `pnpm bundle` makes a folder of plain JavaScript, which runs without the workspace. */
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { bundle } from '../src/bundle/bundle.ts'
import { bundleChapter, filesOf } from '../src/bundle/bundle-chapter.ts'
import { bundleReadme } from '../src/bundle/bundle-readme.ts'
import { OutFolder } from '../src/bundle/out-folder.ts'
import { findChapter, readChapter } from '../src/chapters/chapters.ts'
import { belongsTo } from '../src/chapters/copied.ts'
import { freePort, Running } from '../src/harness/harness.ts'
import { ROOT } from '../src/workspace/repository.ts'

const TUTORIAL = fileURLToPath(new URL('../bin/tutorial.js', import.meta.url))

let folder: string
/** The bundle of 06, where it was made. */
let made: string

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'bundles-')))
  made = join(folder, 'made')
  // As pnpm runs it in the chapter, for a reader who typed in another folder.
  await execa(process.execPath, [TUTORIAL, 'bundle', '--out', 'made'], {
    cwd: findChapter('6').folder,
    env: { INIT_CWD: folder },
  })
}, 60_000)

afterAll(() => rm(folder, { recursive: true }))

/** Runs a program in an environment without traces of pnpm and vitest, as a Pi's, and from another folder than its own. */
function run(...args: string[]): Running {
  const running = new Running(
    spawn(process.execPath, args, { cwd: tmpdir(), detached: true, env: { PATH: process.env['PATH'] } }),
  )
  onTestFinished(() => running.kill())
  return running
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

test('a bundle has a readable file for each program, one for what they share, configuration, package.json and README, and nothing else', async () => {
  const shared = filesOf(made).find((file) => /^shared-\w+\.js$/.test(file)) ?? 'what they share'
  expect(filesOf(made)).toEqual([
    '.bundle.json',
    'README.md',
    'master.js',
    'package.json',
    'rpicluster.cfg',
    shared,
    'slave.js',
  ])
  const text = (file: string) => readFile(join(made, file), 'utf8')
  expect(await text('master.js')).toMatch(/\n\/\/ chapters\/06-slave-details\/src\/master\.ts\n/)
  expect(await text('master.js')).toMatch(/\nlog\.info\(`Listening on \$\{server\.address\}`\);\n$/)
  expect(await text(shared)).toMatch(/\n\/\/ packages\/core\/src\/logging\.ts\n/)
  expect((await text('package.json')).trimEnd().split('\n')).toHaveLength(3)
  expect(JSON.parse(await text('package.json'))).toMatchObject({ name: '06-slave-details', type: 'module' })
  expect(await text('README.md')).toMatch(/\nnode master\.js .*\nnode slave\.js .*\n/)

  const all = await Promise.all(filesOf(made).map(text))
  expect(Buffer.byteLength(all.join(''))).toBeLessThan(1_000_000)
  for (const place of [ROOT, folder]) expect(all.join('')).not.toContain(place)
})

test('of a chapter that makes services it says how, for each program', () => {
  const lines = bundleReadme(findChapter('12'), { node: '>=20.19' }).split('\n')
  expect(lines.filter((line) => line.startsWith('node '))).toEqual([
    'node master.js                    # first. When it says "Listening on", start the others',
    'node slave.js                     # connects to master, on as many machines as you like',
    'node helpers.js                   # ends by itself',
    'node service.js master --install  # as root, or by sudo: from now on the machine starts it',
    'node service.js slave --install   # as root, or by sudo: from now on the machine starts it',
  ])
})

test('master and slave run where nothing is but the bundle, and log there', async () => {
  const pi = join(folder, 'pi')
  await cp(made, pi, { recursive: true })
  const port = await freePort()
  const config = `[master]\nsocket_port = ${port}\nsocket_bind_ip = 127.0.0.1\n[slave]\nsocket_port = ${port}\nmaster_ip = 127.0.0.1\n`
  await writeFile(join(pi, 'rpicluster.cfg'), config)
  const other = join(folder, 'other.cfg')
  await writeFile(other, config)

  const master = run(join(pi, 'master.js'))
  await master.says(/Listening on/)
  const slave = run(join(pi, 'slave.js'), '--config', other)
  await master.says(/Machine specifications of \S+: \{"hostname"/)

  for (const running of [slave, master]) {
    await running.stop('SIGTERM')
    expect(running.exitCode).toBe(0)
  }
  for (const program of ['master', 'slave'])
    expect(await readFile(join(pi, `${program}.log`), 'utf8')).toContain('"msg":"Stopped"')
  expect(await readdir(pi)).toHaveLength(7 + 2)
})

test('what one program alone imports is in its file: the others load nothing of it', async () => {
  const chapter = join(folder, '27-made-up')
  const cluster = { programs: { drawer: { ready: 'drawn' }, teller: { ready: 'told' } } }
  await write(
    join(chapter, 'package.json'),
    JSON.stringify({ name: '27-made-up', type: 'module', engines: { node: '>=20.19' }, cluster }),
  )
  await write(join(chapter, 'src/both.ts'), `export const both: string = 'both'\n`)
  await write(join(chapter, 'src/large.ts'), `export const large: string = 'large'\n`)
  await write(
    join(chapter, 'src/drawer.ts'),
    `import { both } from './both.ts'\nimport { large } from './large.ts'\nconsole.log(both, large)\n`,
  )
  await write(join(chapter, 'src/teller.ts'), `import { both } from './both.ts'\nconsole.log(both)\n`)
  const bundled = join(folder, 'made-up-27')
  await bundleChapter(readChapter(chapter), bundled)

  const texts = Object.fromEntries(
    await Promise.all(
      filesOf(bundled).map(async (file) => [file, await readFile(join(bundled, file), 'utf8')] as const),
    ),
  )
  const having = (text: string) => Object.keys(texts).filter((file) => texts[file]?.includes(text))
  expect(having('= "large"')).toEqual(['drawer.js'])
  expect(having('= "both"')).toEqual([expect.stringMatching(/^shared-\w+\.js$/)])
  const drawer = run(join(bundled, 'drawer.js'))
  await drawer.ends()
  expect(drawer.lines).toEqual(['both large'])
})

test('where Node does not know the processor, the bundle has what finds out its name', async () => {
  const unknown = join(folder, 'unknown-processor.mjs')
  await writeFile(
    unknown,
    `import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
const { cpus } = os
os.cpus = () => cpus().map((core) => ({ ...core, model: 'unknown' }))
syncBuiltinESMExports()\n`,
  )
  const port = await freePort()
  const config = join(folder, 'unknown.cfg')
  await writeFile(
    config,
    `[master]\nsocket_port = ${port}\nsocket_bind_ip = 127.0.0.1\n[slave]\nsocket_port = ${port}\nmaster_ip = 127.0.0.1\n`,
  )
  const master = run(join(made, 'master.js'), '--config', config)
  await master.says(/Listening on/)
  const slave = run('--import', unknown, join(made, 'slave.js'), '--config', config)
  await master.says(/Machine specifications of/)
  const line = master.messages.find((message) => message.startsWith('Machine specifications')) ?? ''
  const { cpu } = JSON.parse(line.slice(line.indexOf('{')))
  expect(cpu).toMatch(/\w/)
  expect(cpu).not.toMatch(/unknown/i)
  await slave.stop()
})

test('chapter 01, which knows its own place, logs in its bundle', async () => {
  const bundled = join(folder, 'one/01')
  await bundleChapter(findChapter('1'), bundled)
  const main = run(join(bundled, 'main.js'))
  await main.says(/going to sleep/)
  await main.stop('SIGINT')
  expect(main.exitCode).toBe(0)
  expect(filesOf(join(folder, 'one')).filter((file) => file.endsWith('.log'))).toEqual(['01/mainlogger.log'])
})

test('workers, data and commands come along, and find each other', async () => {
  const chapter = join(folder, '28-made-up')
  await write(
    join(chapter, 'package.json'),
    JSON.stringify({
      name: '28-made-up',
      type: 'module',
      engines: { node: '>=20.19' },
      files: ['src', 'data', 'keys.txt'],
      scripts: { keys: 'node --import tsx src/keys.ts' },
      cluster: { config: 'made-up.cfg', programs: { drawer: { ready: 'drawn' } } },
    }),
  )
  await write(join(chapter, 'made-up.cfg'), '')
  await write(join(chapter, 'keys.txt'), 'a key')
  await write(join(chapter, 'data/words.txt'), 'words')
  await write(join(chapter, 'src/page.html'), 'a page')
  await write(join(chapter, 'src/shared/tile.ts'), `export const area: number = 6 * 7\n`)
  await write(
    join(chapter, 'src/worker.ts'),
    `import { parentPort } from 'node:worker_threads'
import { area } from './shared/tile.ts'
parentPort?.postMessage(area)\n`,
  )
  await write(
    join(chapter, 'src/drawer.ts'),
    `import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
// Not this one: new URL('./gone.ts', import.meta.url)
const worker: Worker = new Worker(new URL('./worker.ts', import.meta.url))
const area = await new Promise((resolve) => worker.once('message', resolve))
const data = [new URL('page.html', import.meta.url), join(import.meta.dirname, '..', 'data', 'words.txt')]
console.log('drawn', area, ...data.map((file) => readFileSync(file, 'utf8')))\n`,
  )
  await write(
    join(chapter, 'src/keys.ts'),
    `import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
console.log(readFileSync(fileURLToPath(new URL('../keys.txt', import.meta.url)), 'utf8'))\n`,
  )
  await symlink(join(ROOT, 'packages/tutorial/node_modules'), join(chapter, 'node_modules'))
  const bundled = join(folder, 'made-up')
  await bundleChapter(readChapter(chapter), bundled)
  await rm(chapter, { recursive: true })

  expect(filesOf(bundled)).toEqual([
    'README.md',
    'data/words.txt',
    'drawer.js',
    'keys.js',
    'keys.txt',
    'made-up.cfg',
    'package.json',
    'src/page.html',
    'worker.js',
  ])
  const [drawer, keys] = [run(join(bundled, 'drawer.js')), run(join(bundled, 'keys.js'))]
  await Promise.all([drawer.ends(), keys.ends()])
  expect(drawer.lines).toEqual(['drawn 42 a page words'])
  expect(keys.lines).toEqual(['a key'])
})

test('a store, which has a thread and WebAssembly, works in a bundle', async () => {
  const chapter = join(folder, '28-keeper')
  await write(
    join(chapter, 'package.json'),
    JSON.stringify({
      name: '28-keeper',
      type: 'module',
      engines: { node: '>=20.19' },
      cluster: { programs: { keeper: { ready: 'kept' } } },
    }),
  )
  await write(
    join(chapter, 'src/keeper.ts'),
    `import { createLogger } from '@rpi-cluster/core/logging'
import { openStore } from '@rpi-cluster/core/store'
const store = await openStore({ name: 'vitals', log: createLogger('keeper') })
store.add({ node: 'a', name: 'pi-1', at: 1_700_000_040, values: { load: 1.5 } })
await store.flush()
const { lines } = await store.history({ vital: 'load', from: 1_700_000_040, to: 1_700_000_100 })
console.log('kept', JSON.stringify(lines))
await store.close()\n`,
  )
  await symlink(join(findChapter('17').folder, 'node_modules'), join(chapter, 'node_modules'))
  const bundled = join(folder, 'keeper')
  await bundleChapter(readChapter(chapter), bundled)
  await rm(chapter, { recursive: true })

  expect(filesOf(bundled)).toEqual([
    'README.md',
    'keeper.js',
    'node-sqlite3-wasm.wasm',
    'package.json',
    'store-worker.js',
  ])
  const keeper = run(join(bundled, 'keeper.js'))
  await keeper.ends()
  expect(keeper.lines).toEqual(['kept [{"node":"a","name":"pi-1","mean":[1.5]}]'])
  expect(filesOf(bundled)).toContain('state/vitals.db')
})

test('tasks, which processes of their own do, work in a bundle', async () => {
  const chapter = join(folder, '28-doer')
  await write(
    join(chapter, 'package.json'),
    JSON.stringify({
      name: '28-doer',
      type: 'module',
      engines: { node: '>=20.19' },
      cluster: { programs: { doer: { ready: 'done' } } },
    }),
  )
  await write(
    join(chapter, 'src/tasks.ts'),
    `import { defineTasks } from '@rpi-cluster/core/worker'
export const tasks = defineTasks({
  double: { version: 1, run: (input: number) => ({ double: 2 * input, elsewhere: process.pid }) },
})\n`,
  )
  await write(
    join(chapter, 'src/doer.ts'),
    `import { createLogger } from '@rpi-cluster/core/logging'
import { TaskPool } from '@rpi-cluster/core/worker'
import { tasks } from './tasks.ts'
const stop = new AbortController()
const pool = new TaskPool({
  file: new URL('./tasks.ts', import.meta.url),
  tasks,
  log: createLogger('doer'),
  stop: stop.signal,
})
const { double, elsewhere } = JSON.parse(await pool.run({ id: 'a', name: 'double', input: '21', attempt: 1 }))
console.log('done', double, elsewhere !== process.pid)
stop.abort()\n`,
  )
  await symlink(join(findChapter('17').folder, 'node_modules'), join(chapter, 'node_modules'))
  const bundled = join(folder, 'doer')
  await bundleChapter(readChapter(chapter), bundled)
  await rm(chapter, { recursive: true })

  expect(filesOf(bundled)).toEqual(['README.md', 'doer.js', 'package.json', 'task-child.js', 'tasks.js'])
  // A process loads its tasks, and nothing of what hands them to it.
  expect(await readFile(join(bundled, 'tasks.js'), 'utf8')).not.toContain('TaskPool')
  const doer = run(join(bundled, 'doer.js'))
  await doer.ends()
  expect(doer.lines).toEqual(['done 42 true'])
})

test('a transport of pino, which a bundle cannot hold, is told', async () => {
  const chapter = join(folder, '01-logging-liveness')
  const { folder: original } = findChapter('1')
  await cp(original, chapter, { recursive: true, filter: belongsTo(original) })
  await symlink(join(original, 'node_modules'), join(chapter, 'node_modules'))
  await writeFile(
    join(chapter, 'src/main.ts'),
    "import pino from 'pino'\npino({ transport: { target: 'pino-pretty' } }).info('hello')\n",
  )
  await bundleChapter(readChapter(chapter), join(folder, 'transport'))
  const main = run(join(folder, 'transport/main.js'))
  await main.ends()
  expect(main.lines.join('\n')).toContain('a bundle has not: give pino a stream.')
})

test('what cannot be compiled is told with file and line', async () => {
  // tsup says "ESM Build failed", silent or not: in a green run it looks like an error.
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => said.mockRestore())
  const chapter = join(folder, 'broken')
  const { folder: original } = findChapter('2')
  await cp(original, chapter, { recursive: true, filter: belongsTo(original) })
  await writeFile(join(chapter, 'src/master.ts'), `const stop = \nconst log = 1\n`)
  await expect(bundleChapter(readChapter(chapter), join(folder, 'of-broken'))).rejects.toThrow(
    /^\S*broken\/src\/master\.ts:2:1: Unexpected "const"$/,
  )
})

test("a bundle that is made anew leaves what is the reader's", async () => {
  const made = join(folder, 'first')
  for (const file of ['master.js', 'worker.js', 'old/data.txt', 'rpicluster.cfg', 'notes.txt'])
    await write(join(made, file), `first ${file}`)
  const out = join(folder, 'out')
  expect(new OutFolder(out, 'out').replaceBy(made)).toEqual([])

  await write(join(out, 'rpicluster.cfg'), 'with my addresses')
  await write(join(out, 'worker.js'), 'with my mend')
  await write(join(out, 'notes.txt'), 'with my notes')
  await write(join(out, 'master.log'), 'a log')
  await write(join(out, 'keys.js'), 'mine alone')
  const again = join(folder, 'again')
  for (const file of ['master.js', 'worker.js', 'keys.js', 'rpicluster.cfg'])
    await write(join(again, file), `again ${file}`)
  const notices = new OutFolder(out, 'out').replaceBy(again).join('\n')

  const backup = /[\d-]+T[\d-]+\.js\.bak/
  const found = Object.fromEntries(
    await Promise.all(
      filesOf(out)
        .filter((file) => file !== '.bundle.json')
        .map(async (file) => [file.replace(backup, 'DATE.js.bak'), await readFile(join(out, file), 'utf8')]),
    ),
  )
  expect(found).toEqual({
    'keys.DATE.js.bak': 'mine alone',
    'keys.js': 'again keys.js',
    'master.js': 'again master.js',
    'master.log': 'a log',
    'notes.txt': 'with my notes',
    'rpicluster.cfg': 'with my addresses',
    'worker.DATE.js.bak': 'with my mend',
    'worker.js': 'again worker.js',
  })
  expect(notices.replaceAll(new RegExp(backup, 'g'), 'DATE.js.bak').split('\n').sort()).toEqual([
    'Your out/keys.js is kept as keys.DATE.js.bak.',
    'Your out/worker.js is kept as worker.DATE.js.bak.',
    'out/notes.txt stays: you have changed it.',
    'out/rpicluster.cfg stays as you have changed it.',
  ])
  // And so it is the next time: the reader's are not forgotten.
  expect(new OutFolder(out, 'out').replaceBy(again)).toEqual([
    'out/rpicluster.cfg stays as you have changed it.',
  ])
  expect(await readdir(out)).not.toContain('old')
})

test('a folder with other things in it, or a file, is left alone', async () => {
  const full = join(folder, 'full')
  await write(join(full, 'thesis.txt'), 'years of work')
  const into = (out: string) => bundle(findChapter('6'), join(folder, out), folder)
  await expect(into('full')).rejects.toThrow(
    'There are other files in full, and it is no bundle. Name a new folder, or an empty one, with --out.',
  )
  await expect(into('full/thesis.txt')).rejects.toThrow(
    'full/thesis.txt is a file. Name a folder with --out.',
  )
  await expect(into('full/thesis.txt/bundle')).rejects.toThrow(/a part of that path is a file/)
  expect(filesOf(full)).toEqual(['thesis.txt'])

  await write(join(folder, 'forged/.bundle.json'), '{"files":{"../full/thesis.txt":"0"}}')
  // Where no folder can be made, not even by root.
  await expect(bundle(findChapter('6'), '/proc/nowhere', folder)).rejects.toThrow(
    /^Cannot write \/proc\/nowhere: /,
  )
  await expect(into('forged')).rejects.toThrow(/it names files outside/)
  expect(() => new OutFolder(join(full, 'thesis.txt/bundle'), 'bundle')).toThrow(
    /a part of that path is a file/,
  )
})
