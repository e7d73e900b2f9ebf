/** Members of an election as processes of their own, and somebody who watches whom they elect. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ElectionMember, ElectionWatch } from '@rpi-cluster/core/election'
import { openKey } from '@rpi-cluster/core/key-files'
import { addKey } from '@rpi-cluster/core/keys'
import { createLogger } from '@rpi-cluster/core/logging'
import { encryptedBy } from '@rpi-cluster/core/secure-sockets'
import { freePort } from '@rpi-cluster/tutorial/harness'

const HOST = '127.0.0.1'

/** After how long nothing of what is waited for comes any more, in ms. */
const PATIENCE_MS = 60_000

/** How long a link works between two stalls, in the longest of these, at most. */
const CALM_IN_STALLS = 6

export interface ElectingOptions {
  size?: number
  electionMs: number
  heartbeatMs: number
  /** Up to how long each link stands still, again and again, in ms. Default: they do not. */
  stallMs?: number
}

/** A leader that was elected, and after how long. */
export interface Elected {
  name: string
  term: number
  afterMs: number
}

export class Electing {
  readonly names: readonly string[]
  readonly folder = mkdtempSync(join(tmpdir(), 'election-trial-'))
  readonly #options: ElectingOptions
  readonly #stop = new AbortController()
  readonly #members: ElectionMember[] = []
  readonly #running = new Map<string, ChildProcess>()
  readonly #links: StallingLink[] = []
  #watch!: ElectionWatch
  #kept: string | undefined
  readonly #looks = new Set<() => void>()

  private constructor(options: ElectingOptions) {
    this.#options = options
    this.names = Array.from({ length: options.size ?? 3 }, (_, index) => `node-${index + 1}`)
  }

  /** Starts the members, and waits until one leads and all follow it. */
  static async start(options: ElectingOptions): Promise<Electing> {
    const electing = new Electing(options)
    await electing.#begin()
    return electing
  }

  async #begin(): Promise<void> {
    const { folder, names } = this
    const { signal: stop } = this.#stop
    const keys = join(folder, 'keys')
    mkdirSync(keys, { mode: 0o700 })
    for (const node of [...names, 'watch']) await addKey({ folder: keys, node })
    for (const name of names) this.#members.push({ name, host: HOST, port: await freePort() })
    for (const name of names) await this.restart(name)
    const log = createLogger('watch', { folder }).child({}, { level: 'fatal' })
    const secure = encryptedBy(await openKey({ file: join(keys, 'watch.key'), log, stop }))
    const changed = () => {
      for (const look of this.#looks) look()
    }
    this.#watch = new ElectionWatch({ members: this.#members, secure, log, stop, changed })
    await this.settled()
  }

  /** Starts a member, which does not run. */
  async restart(name: string): Promise<void> {
    const { electionMs, heartbeatMs } = this.#options
    const log = openSync(join(this.folder, `${name}.txt`), 'a')
    const args = [name, JSON.stringify(await this.#seenBy(name)), String(electionMs), String(heartbeatMs)]
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'elects.ts'), ...args],
      {
        stdio: ['ignore', log, log],
        env: { ...process.env, STATE_DIRECTORY: this.folder, LOGS_DIRECTORY: this.folder },
      },
    )
    this.#running.set(name, child)
  }

  async #seenBy(name: string): Promise<ElectionMember[]> {
    const { stallMs } = this.#options
    if (stallMs === undefined) return this.#members
    return Promise.all(
      this.#members.map(async (member) => {
        if (member.name === name) return member
        const link = new StallingLink(member.port, stallMs)
        this.#links.push(link)
        return { ...member, port: await link.open() }
      }),
    )
  }

  kill(name: string, signal: NodeJS.Signals): void {
    this.#running.get(name)?.kill(signal)
  }

  /** Waits until one leads, and all are reached and follow it. */
  async settled(): Promise<{ name: string; term: number }> {
    return this.#until('all of them to follow one', () => {
      const { leader, views } = this.#watch
      const all = [...views.values()]
      const follows = ({ view, isReachable }: (typeof all)[number]) =>
        isReachable && view?.leader === leader?.name && view?.term === leader?.term
      return leader && all.every(follows) ? leader : undefined
    })
  }

  /** Waits until another one says that it leads, in a later term. */
  async anotherLeads({ term }: { term: number }): Promise<Elected> {
    const began = performance.now()
    return this.#until('another leader', () => {
      for (const [name, { view, isReachable }] of this.#watch.views) {
        if (isReachable && view && view.role === 'leader' && view.leader === name && view.term > term)
          return { name, term: view.term, afterMs: performance.now() - began }
      }
      return undefined
    })
  }

  /** What all have logged. */
  get logs(): string {
    if (this.#kept !== undefined) return this.#kept
    return this.names.map((name) => readFileSync(join(this.folder, `${name}.txt`), 'utf8')).join('\n')
  }

  async end(): Promise<void> {
    this.#kept = this.logs
    this.#stop.abort()
    for (const child of this.#running.values()) child.kill('SIGKILL')
    for (const link of this.#links) link.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #until<Found>(what: string, find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#looks.delete(look)
        reject(new Error(`Waited for ${what} for ${PATIENCE_MS / 1_000} s.\n${this.logs}`))
      }, PATIENCE_MS)
      const look = () => {
        const found = find()
        if (found === undefined) return
        clearTimeout(timer)
        this.#looks.delete(look)
        resolve(found)
      }
      this.#looks.add(look)
      look()
    })
  }
}

/** A link that stands still again and again, in both directions, for a time up to `stallMs`, and loses nothing. */
class StallingLink {
  readonly #port: number
  readonly #stallMs: number
  readonly #open = new Set<Socket>()
  #server: Server | undefined
  #timer: NodeJS.Timeout | undefined
  #isStill = false
  /** What has come while it stands still, for whom, in order. */
  readonly #late: [Socket, Buffer][] = []

  constructor(port: number, stallMs: number) {
    this.#port = port
    this.#stallMs = stallMs
  }

  async open(): Promise<number> {
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = openSocket({ port: this.#port, host: HOST, noDelay: true })
      this.#pass(near, far)
      this.#pass(far, near)
    })
    await once(this.#server.listen(0, HOST), 'listening')
    this.#goOn()
    return (this.#server.address() as { port: number }).port
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#server?.close()
    for (const socket of this.#open) socket.destroy()
  }

  #goOn(): void {
    this.#isStill = false
    for (const [socket, chunk] of this.#late.splice(0)) socket.write(chunk)
    this.#timer = setTimeout(() => this.#standStill(), Math.random() * CALM_IN_STALLS * this.#stallMs)
  }

  #standStill(): void {
    this.#isStill = true
    this.#timer = setTimeout(() => this.#goOn(), Math.random() * this.#stallMs)
  }

  #pass(one: Socket, other: Socket): void {
    this.#open.add(one)
    one
      .on('data', (chunk) => {
        if (this.#isStill) this.#late.push([other, chunk])
        else other.write(chunk)
      })
      .on('error', () => {})
      .on('close', () => {
        this.#open.delete(one)
        other.destroy()
      })
  }
}
