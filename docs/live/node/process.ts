/** The program's process: what it was started with, how it ends, and who is told. */
import './early.ts'
import { Writable } from 'node:stream'
import { clock, kindsAlive, letGo, look, onNothingAlive } from './alive.ts'
import { EventEmitter } from './events.ts'
import { setTimeout } from './timers.ts'

/** How the worker tells the page. */
export const page = {
  said: (_text: string) => {},
  ended: (_code: number, _signal?: string) => {},
}

/** Thrown where a program has ended itself, so that nothing after that line runs. */
export class Ended {}

/** What ends a process that listens to nothing else. Node gives a shell 128 and the signal's number. */
const SIGNALS: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }

const UNSETTLED_AWAIT = 13

function outputTo(descriptor: number) {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _encoding, done) {
      say(typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk))
      done()
    },
  })
  return Object.assign(stream, { fd: descriptor, isTTY: false, columns: 80 })
}

/** What a program prints. */
export function say(text: string): void {
  if (!process.hasEnded) page.said(text)
}

class Process extends EventEmitter {
  argv: string[] = ['/usr/bin/node']
  execArgv: string[] = []
  execPath = '/usr/bin/node'
  env: Record<string, string | undefined> = {}
  pid = 1
  ppid = 1
  title = 'node'
  platform = 'linux'
  arch = 'arm64'
  version = 'v22.0.0'
  versions = { node: '22.0.0' }
  release = { name: 'node' }
  exitCode: number | undefined
  stdout = outputTo(1)
  stderr = outputTo(2)
  stdin = { fd: 0, isTTY: false }
  hasEnded = false
  /** Whether all of its file has run, with whatever that waits for. */
  hasRun = false
  #folder = '/'

  constructor() {
    super()
    this.setMaxListeners(0)
    onNothingAlive(() => this.#nothingAlive())
  }

  cwd = () => this.#folder
  chdir(folder: string): void {
    this.#folder = folder
  }

  nextTick(run: (...values: unknown[]) => void, ...values: unknown[]): void {
    queueMicrotask(() => run(...values))
  }

  uptime = () => clock.now() / 1000
  hrtime = Object.assign(
    (since?: [number, number]): [number, number] => {
      const ns =
        BigInt(Math.round(clock.now() * 1e6)) - (since ? BigInt(since[0]) * 10n ** 9n + BigInt(since[1]) : 0n)
      return [Number(ns / 10n ** 9n), Number(ns % 10n ** 9n)]
    },
    { bigint: () => BigInt(Math.round(clock.now() * 1e6)) },
  )
  memoryUsage = Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), {
    rss: () => 0,
  })
  cpuUsage = () => ({ user: 0, system: 0 })
  getActiveResourcesInfo = kindsAlive
  umask = () => 0o22
  getuid = () => 1000
  emitWarning(warning: string | Error): void {
    this.stderr.write(`(node:${this.pid}) ${typeof warning === 'string' ? `Warning: ${warning}` : warning}\n`)
  }

  exit(code: number | undefined = this.exitCode): never {
    if (!this.hasEnded) this.#end(code ?? 0)
    throw new Ended()
  }

  /** Sends a signal, which comes with a turn of its own. */
  kill(pid: number, signal: string | number = 'SIGTERM'): true {
    if (pid !== this.pid) throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH', syscall: 'kill' })
    if (signal !== 0) setTimeout(() => this.signalled(String(signal)))
    return true
  }

  signalled(signal: string): void {
    if (signal !== 'SIGKILL' && this.emit(signal, signal, SIGNALS[signal])) {
      look()
      return
    }
    this.hasEnded = true
    page.ended(128 + (SIGNALS[signal] ?? 0), signal)
  }

  /** An error that nobody has taken. */
  failed(error: unknown): void {
    if (error instanceof Ended || this.hasEnded) return
    if (this.listenerCount('uncaughtException') > 0) {
      this.#guarded(() => this.emit('uncaughtException', error, 'uncaughtException'))
      return
    }
    say(`Uncaught ${error instanceof Error ? (error.stack ?? String(error)) : String(error)}\n`)
    this.#guarded(() => this.exit(1))
  }

  /** What ends the process within is no error. */
  #guarded(run: () => void): void {
    try {
      run()
    } catch (error) {
      if (error instanceof Ended) return
      say(`${error instanceof Error ? error.stack : error}\n`)
      page.ended(7)
    }
  }

  #nothingAlive(): void {
    if (this.hasEnded || (this.argv.length < 2 && !this.hasRun)) return
    if (!this.hasRun) {
      say('Warning: Detected unsettled top-level await\n')
      this.#guarded(() => this.exit(UNSETTLED_AWAIT))
      return
    }
    this.#guarded(() => {
      this.emit('beforeExit', this.exitCode ?? 0)
      if (kindsAlive().length === 0) this.exit()
    })
  }

  #end(code: number): void {
    this.exitCode = code
    try {
      this.emit('exit', code)
    } finally {
      this.hasEnded = true
      page.ended(this.exitCode ?? code)
    }
  }
}

export const process = new Process()
/** Something that happens to the program from outside: an error of its handlers is the process's. */
export function happens(run: () => void): void {
  if (process.hasEnded) return
  try {
    run()
  } catch (error) {
    process.failed(error)
  }
  letGo(run)
}

export default process
export const { nextTick } = process
