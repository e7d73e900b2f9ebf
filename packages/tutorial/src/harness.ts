/**
 * Runs a chapter's programs for its tests, as the reader runs them: real processes, real sockets,
 * real files. Each test gets a copy of the chapter's folder, so that log files are its own, a clock
 * that runs ten times as fast, and ports that nobody else uses.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { test as baseTest, onTestFinished, vi } from 'vitest'
import { allChapters, CHAPTERS_FOLDER, type Chapter, readChapter } from './chapters.ts'
import { FIXED_PORTS, freePort, programEnvironment } from './environment.ts'
import { explainFailure, isPractice, type ProgramOutput } from './explain-failure.ts'

const HERE = dirname(fileURLToPath(import.meta.url))

/** How long to wait for something that must come, in ms. Long, because it only ends a test that is broken anyway. */
const PATIENCE_MS = 20_000

// A test's own limit comes after the harness's, which can say what was missing.
vi.setConfig({ testTimeout: 3 * PATIENCE_MS })

export { freePort }

/** Something that a test waits for did not come. Not a statement about the program: it may only be slow. */
export class HarnessError extends Error {
  override readonly name = 'HarnessError'
}

/** vitest's `test`, with a copy of a chapter to run. By default it is the chapter that the test file belongs to. */
export function chapterTest(name?: string) {
  return baseTest.extend<{ chapter: ChapterCopy }>({
    chapter: async ({ task, onTestFailed }, use) => {
      const copy = await ChapterCopy.make(name ?? chapterOf(task.file.filepath))
      if (isPractice(task.file.filepath)) onTestFailed(() => explainFailure(task, copy.outputs))
      await use(copy)
      await copy.remove()
    },
  })
}

/** The test of a chapter's own programs. */
export const test = chapterTest()

/** The folder that a test file belongs to. The matrix sets CHAPTER_UNDER_TEST=before, and it is the chapter before that. */
function chapterOf(testFile: string): string {
  const own = dirname(dirname(testFile))
  return process.env['CHAPTER_UNDER_TEST'] === 'before' ? chapterBefore(basename(own)) : own
}

function chapterBefore(name: string): string {
  const chapters = allChapters()
  const before = chapters[chapters.findIndex((chapter) => chapter.name === name) - 1]
  if (!before) throw new HarnessError(`No chapter comes before ${name}`)
  return before.name
}

/** A copy of a chapter, outside the workspace. */
export class ChapterCopy {
  readonly #chapter: Chapter
  readonly #running: { name: string; running: Running }[] = []
  readonly #standIns: StandInMaster[] = []
  /** The copy's absolute path. */
  readonly folder: string
  /** The port that this copy's master listens on. */
  readonly port: number

  private constructor(folder: string, port: number) {
    this.#chapter = readChapter(folder)
    this.folder = folder
    this.port = port
  }

  /** Copies a chapter, given by its name or by its folder. */
  static async make(chapter: string): Promise<ChapterCopy> {
    const original = resolve(CHAPTERS_FOLDER, chapter)
    const folder = await mkdtemp(join(tmpdir(), `${basename(original)}-`))
    await cp(original, folder, {
      recursive: true,
      filter: (path) => !/node_modules|\.log$|\.practice\.json$/.test(path.slice(original.length)),
    })
    await symlink(join(original, 'node_modules'), join(folder, 'node_modules'))
    const copy = new ChapterCopy(folder, await freePort())
    await copy.configure({ port: copy.port })
    return copy
  }

  /** The names of the chapter's programs. */
  get programs(): readonly string[] {
    return this.#chapter.programs
  }

  /** What each program that was run has printed so far. */
  get outputs(): ProgramOutput[] {
    return this.#running.map(({ name, running }) => ({ name, lines: running.lines }))
  }

  /** Writes the copy's rpicluster.cfg, as a reader would for these values. */
  async configure({ port = this.port, bindIp = '127.0.0.1', masterIp = '127.0.0.1' }): Promise<void> {
    const text = `[master]\nsocket_port = ${port}\nsocket_bind_ip = ${bindIp}\n\n[slave]\nsocket_port = ${port}\nmaster_ip = ${masterIp}\n`
    await this.write('rpicluster.cfg', text)
  }

  /** Writes a file of the copy. */
  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.folder, file), text)
  }

  /** The lines of a log file, parsed. */
  async log(name: string): Promise<Record<string, unknown>[]> {
    if (!existsSync(join(this.folder, name))) throw new HarnessError(`No program wrote a log file ${name}`)
    const text = await readFile(join(this.folder, name), 'utf8')
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  }

  /** Runs one program, by itself; by default the only one. Resolves when it has said something, or has ended. */
  async run(program = this.programs[0] ?? 'none', options: RunOptions = {}): Promise<Running> {
    if (!existsSync(join(this.folder, 'src', `${program}.ts`)))
      throw new HarnessError(`There is no program src/${program}.ts`)
    return this.#spawn(`src/${program}.ts`, ['--import', 'tsx', `src/${program}.ts`], options)
  }

  /** Runs the whole cluster, as `pnpm start` does. Resolves when it has said something, or has ended. */
  start(options: RunOptions = {}): Promise<Running> {
    return this.#spawn('start', [join(HERE, '../bin/tutorial.js'), 'start'], options)
  }

  /** Listens where this copy's slave looks for its master. */
  async standInMaster(): Promise<StandInMaster> {
    const master = new StandInMaster()
    this.#standIns.push(master)
    await master.listen(this.port)
    return master
  }

  /** Ends what still runs, and deletes the copy. */
  async remove(): Promise<void> {
    for (const standIn of this.#standIns) standIn.close()
    await Promise.all(this.#running.map(({ running }) => running.kill()))
    await rm(this.folder, { recursive: true })
  }

  async #spawn(
    name: string,
    command: string[],
    { args = [], cwd = this.folder, from, port, preload }: RunOptions,
  ): Promise<Running> {
    const running = new Running(
      spawn(process.execPath, [...command, ...args], {
        cwd,
        detached: true, // a process group of its own, as a shell gives to a command
        env: programEnvironment({ ports: `${FIXED_PORTS[0]}:${port ?? this.port}`, from, preload }),
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    this.#running.push({ name, running })
    await running.saidSomething()
    return running
  }
}

export interface RunOptions {
  /** Its arguments. */
  args?: string[]
  /** The folder to run it in. Default: the copy. */
  cwd?: string
  /** The folder where the reader typed, when it is not where the program runs (pnpm leaves it in INIT_CWD). */
  from?: string
  /** The port that stands in for chapter 03's fixed one. */
  port?: number
  /** A module to load before the program: its path. */
  preload?: string
}

/** A process that a test has started: a program, or a whole cluster. */
export class Running {
  readonly #process: ChildProcess
  readonly #closed: Promise<void>
  readonly #lines: string[] = []
  #onChange: () => void = () => {}
  #hasEnded = false

  constructor(child: ChildProcess) {
    this.#process = child
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line)
        this.#onChange()
      })
    }
    this.#closed = once(child, 'close').then(() => {
      this.#hasEnded = true
      this.#onChange()
    })
  }

  /** Everything it has printed so far, on stdout and stderr, a line each. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** The messages of the log lines it has printed so far: what stands after time, level and name. */
  get messages(): string[] {
    return this.#lines.map((line) => line.replace(/^.*?\] \w+(?: \(\w+\))?: /, ''))
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new HarnessError('The process could not be started')
    return this.#process.pid
  }

  /** The exit code, or the name of the signal that ended it. */
  get exitCode(): number | string | null {
    return this.#process.exitCode ?? this.#process.signalCode
  }

  /** Waits for a line, or for `times` of them. */
  async says(pattern: RegExp, times = 1): Promise<void> {
    await this.#until(
      () => this.#lines.filter((line) => pattern.test(line)).length >= times,
      `say ${pattern}`,
    )
  }

  /** Waits for its first line, or for its end. */
  async saidSomething(): Promise<void> {
    await this.#until(() => this.#lines.length > 0 || this.#hasEnded, 'say anything')
  }

  /** Waits until it has ended by itself. */
  async ends(): Promise<void> {
    await this.#until(() => this.#hasEnded, 'end')
  }

  /** Sends a signal, to it or to its whole process group, and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', to: 'process' | 'group' = 'process'): Promise<void> {
    if (!this.#hasEnded) this.signal(signal, to)
    await this.ends()
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals, to: 'process' | 'group' = 'process'): void {
    try {
      process.kill(to === 'group' ? -this.pid : this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it has just ended
    }
  }

  /** Closes this end of its stdout and stderr, as `| head` does. */
  closeConsole(): void {
    this.#process.stdout?.destroy()
    this.#process.stderr?.destroy()
  }

  /** Ends it and all that it has started, at once. */
  async kill(): Promise<void> {
    this.signal('SIGKILL', 'group')
    await this.#closed
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const said = () => `It said:\n${this.#lines.join('\n')}`
    let timeout: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        timeout = setTimeout(
          () => reject(new HarnessError(`In ${PATIENCE_MS / 1000} s it did not ${what}. ${said()}`)),
          PATIENCE_MS,
        )
        this.#onChange = () => {
          if (condition()) resolve()
          else if (this.#hasEnded)
            reject(new HarnessError(`It ended (${this.exitCode}) and did not ${what}. ${said()}`))
        }
        this.#onChange()
      })
    } finally {
      clearTimeout(timeout)
      this.#onChange = () => {}
    }
  }
}

/** True where python3 is installed. In CI it must be, and this throws. */
export function hasPython(): boolean {
  const found = spawnSync('python3', ['--version']).status === 0
  if (found) return true
  if (process.env['CI'])
    throw new HarnessError('python3 is not installed, and CI must run the tests that need it')
  console.warn('python3 is not installed: the tests with Python nodes are left out')
  return false
}

/** Runs a Python program until it ends, or the test does. */
export async function runPython(file: string, ...args: string[]): Promise<Running> {
  const running = new Running(
    spawn('python3', [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
  )
  onTestFinished(() => running.kill())
  await running.saidSomething()
  return running
}

/** Sends pieces to a listening program, one at a time, ends the connection, and waits until the program has closed it too. */
export async function talkTo(port: number, ...pieces: (string | Buffer)[]): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve))
  }
  socket.end()
  socket.resume()
  await Promise.race([once(socket, 'close'), once(socket, 'error')])
}

/** True when somebody listens on a port of this machine. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Listens in a master's place, and keeps what arrives. */
export class StandInMaster {
  /** Everything that has arrived so far, as text. */
  received = ''
  readonly #server = createServer((socket) => this.#take(socket))
  readonly #sockets: Socket[] = []
  #onChange: () => void = () => {}

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Waits until so many bytes have arrived. */
  async receives(bytes: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timeout = setTimeout(
        () => reject(new HarnessError(`Only this arrived: ${JSON.stringify(this.received)}`)),
        PATIENCE_MS,
      )
      this.#onChange = () => {
        if (this.received.length < bytes) return
        clearTimeout(timeout)
        resolve()
      }
      this.#onChange()
    })
  }

  /** Closes every connection, and listens no more. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #take(socket: Socket): void {
    this.#sockets.push(socket)
    socket.on('error', () => {})
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.received += text
      this.#onChange()
    })
  }
}
