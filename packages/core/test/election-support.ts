/** A cluster that elects: each member a process of its own, and wires between them that can be cut. */
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { Dialogue } from '../src/dialogue.ts'
import type { ElectionMember } from '../src/election.ts'
import { openKey } from '../src/key-files.ts'
import { addKey } from '../src/keys.ts'
import { handleMessages, send } from '../src/messages.ts'
import type { RaftMessage } from '../src/raft.ts'
import { encryptedBy } from '../src/secure-sockets.ts'
import { type Connection, connect } from '../src/sockets.ts'
import { type Program, recordingLog, start, stopAfterTest, tempFolder } from './support.ts'

const HOST = '127.0.0.1'

/** It looks seldom: what goes over the wires goes through the test's own process. */
export const PATIENCE = { timeout: 20_000, interval: 25 }

/** What a member knows, as it says on SIGUSR2. */
export interface Known {
  term: number
  role: string
  leader: string | null
  isHeld: boolean
}

/** A member, as a process. */
export class MemberProcess {
  readonly name: string
  readonly program: Program

  constructor(name: string, program: Program) {
    this.name = name
    this.program = program
  }

  /** The terms in which it leads, or has led. */
  get reigns(): number[] {
    return this.#said('leads').map(([term]) => Number(term))
  }

  /** The term in which it leads now. */
  get leads(): number | undefined {
    const over = this.#said('over').length
    return this.reigns[over]
  }

  /** Whom it follows, and in which term. */
  get follows(): string | undefined {
    return this.#said('follows').at(-1)?.join(' ')
  }

  /** What it has said and logged. */
  get lines(): string[] {
    return this.program.stdout.split('\n')
  }

  /** Asks it what it knows. */
  async knows(): Promise<Known> {
    const before = this.#said('knows').length
    this.program.child.kill('SIGUSR2')
    await vi.waitFor(() => expect(this.#said('knows').length).toBeGreaterThan(before), PATIENCE)
    return JSON.parse(this.#said('knows')[before]?.join(' ') ?? '')
  }

  /** Waits until it logs a line. */
  async says(line: RegExp): Promise<void> {
    await vi.waitFor(() => expect(this.program.stdout).toMatch(line), PATIENCE)
  }

  kill(signal: NodeJS.Signals): void {
    this.program.child.kill(signal)
  }

  #said(word: string): string[][] {
    return this.lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.split(' ').slice(1))
  }
}

/** Somebody who says to a member what no member of ours would say. */
export class ByHand {
  readonly connection: Connection
  readonly heard: RaftMessage[] = []

  constructor(connection: Connection) {
    this.connection = connection
    const handlers = { raft: (payload: unknown) => void this.heard.push(payload as RaftMessage) }
    handleMessages(connection, handlers, () => {}).catch(() => {})
  }

  say(payload: unknown): void {
    void send(this.connection, 'raft', payload)
  }

  /** Says something again and again until there is an answer of that type. */
  async ask(message: RaftMessage, type: RaftMessage['type']): Promise<RaftMessage> {
    const before = this.heard.length
    return vi.waitFor(
      () => {
        this.say(message)
        const answer = this.heard.slice(before).find((heard) => heard.type === type)
        if (!answer) throw new Error('no answer')
        return answer
      },
      { ...PATIENCE, interval: 20 },
    )
  }
}

/** A wire between two members, over which nothing comes while it is cut: nothing is closed, as when a cable is pulled. */
class Wire {
  readonly #port: number
  readonly #open = new Set<Socket>()
  #server: Server | undefined
  isCut = false

  constructor(port: number) {
    this.#port = port
  }

  async open(): Promise<number> {
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = openSocket({ port: this.#port, host: HOST, noDelay: true })
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#open.add(one)
        one
          .on('data', (chunk) => {
            if (!this.isCut) other.write(chunk)
          })
          .on('error', () => {})
          .on('close', () => {
            this.#open.delete(one)
            // A cut wire does not tell the other end.
            if (!this.isCut) other.destroy()
          })
      }
    })
    await once(this.#server.listen(0, HOST), 'listening')
    return (this.#server.address() as { port: number }).port
  }

  close(): void {
    this.#server?.close()
    for (const socket of this.#open) socket.destroy()
  }
}

export interface ClusterOptions {
  size?: number
  electionMs?: number
  heartbeatMs?: number
  /** Whether the wires between the members can be cut. */
  wired?: boolean
  /** Who is started. Default: all. */
  started?: readonly string[]
  /** Their program, of the fixtures. Default: `elects.ts`. */
  program?: string
  /** What it is given beside. */
  more?: readonly string[]
}

/** A cluster: its members run, and nobody leads yet. */
export async function aCluster({
  size = 3,
  electionMs = 150,
  heartbeatMs = 30,
  wired = false,
  started,
  program = 'elects.ts',
  more: always = [],
}: ClusterOptions = {}) {
  const folder = tempFolder()
  const names = Array.from({ length: size }, (_, index) => `node-${index + 1}`)
  const state = join(folder, 'state')
  mkdirSync(state)
  for (const node of [...names, 'boss', 'guest']) await addKey({ folder: join(state, 'keys'), node })
  const ports = await freePorts(size)
  const members: ElectionMember[] = names.map((name, index) => ({
    name,
    host: HOST,
    port: ports[index] ?? 0,
  }))
  const wires = new Map<string, Wire>()
  onTestFinished(() => {
    for (const wire of wires.values()) wire.close()
  })

  /** The members, as one of them reaches them. */
  async function seenBy(name: string): Promise<ElectionMember[]> {
    if (!wired) return members
    return Promise.all(
      members.map(async (member) => {
        if (member.name === name) return member
        const wire = new Wire(member.port)
        wires.set(`${name} ${member.name}`, wire)
        return { ...member, port: await wire.open() }
      }),
    )
  }

  const running = new Map<string, MemberProcess>()

  async function begin(name: string, ...more: string[]): Promise<MemberProcess> {
    const seen = JSON.stringify(await seenBy(name))
    const args = [name, seen, String(electionMs), String(heartbeatMs), ...always, ...more]
    const env = { ...process.env, STATE_DIRECTORY: state, LOGS_DIRECTORY: folder }
    const member = new MemberProcess(name, start(program, args, { cwd: folder, env }))
    running.set(name, member)
    return member
  }

  for (const name of started ?? names) await begin(name)

  /** What proves that somebody is a node of the cluster. */
  async function proofOf(node: string) {
    const { signal: stop } = stopAfterTest()
    const { log } = recordingLog()
    return encryptedBy(await openKey({ file: join(state, 'keys', `${node}.key`), log, stop }))
  }

  return {
    folder,
    state,
    members,
    get all() {
      return [...running.values()]
    },
    get: (name: string) => running.get(name) as MemberProcess,
    begin,
    proofOf,
    /** Connects to a member as a node, by hand. */
    async comeAs(node: string, to: string): Promise<ByHand> {
      const { port = 0 } = members.find(({ name }) => name === to) ?? {}
      const secure = await proofOf(node)
      const { signal: stop } = stopAfterTest()
      const connection = await vi.waitFor(
        () => connect({ peer: 'member', host: HOST, port, secure, stop }),
        PATIENCE,
      )
      return new ByHand(connection)
    },
    /** Asks a member something, as a node. */
    async ask(name: string, question: string, about?: unknown, node = 'boss'): Promise<unknown> {
      const { port = 0 } = members.find((member) => member.name === name) ?? {}
      const { signal: stop } = stopAfterTest()
      const connection = await connect({
        peer: 'member',
        host: HOST,
        port,
        secure: await proofOf(node),
        stop,
      })
      try {
        const dialogue = new Dialogue(connection, { handlers: {}, unknown: () => {} })
        const options = { answer: question, timeoutMs: 60_000, stop, ...(about !== undefined && { about }) }
        return await dialogue.ask(question, options)
      } finally {
        await connection.close()
      }
    },
    voteOf: (name: string) => join(state, `election-${name}.json`),
    /** Waits until one leads, and all of these follow it. */
    async elected(among: readonly string[] = names): Promise<MemberProcess> {
      return vi.waitFor(() => {
        const these = among.map((name) => running.get(name) as MemberProcess)
        const terms = these.map(({ leads }) => leads ?? 0)
        const leader = these[terms.indexOf(Math.max(...terms))] as MemberProcess
        const all = these.map(({ program }) => program.stdout + program.stderr).join('\n')
        expect(leader.leads, all).toBeDefined()
        for (const one of these) expect(one.follows, all).toBe(`${leader.name} ${leader.leads}`)
        return leader
      }, PATIENCE)
    },
    /** Cuts all wires between some and the others, or makes them whole. */
    cut(some: readonly string[], isCut = true) {
      for (const [ends, wire] of wires) {
        const [from = '', to = ''] = ends.split(' ')
        if (some.includes(from) !== some.includes(to)) wire.isCut = isCut
      }
    },
  }
}

/**
 * Ports that nobody listens on, of a range of this process, below those that systems give to outgoing connections: these would
 * take one before its member has it.
 */
async function freePorts(count: number): Promise<number[]> {
  range ??= ownRange()
  const first = await range
  const free: number[] = []
  for (let port = first + 1; free.length < count && port < first + PORTS_OF_A_PROCESS; port += 1)
    if (!used.has(port) && (await isFree(port))) free.push(port)
  if (free.length < count) throw new Error(`No ${count} ports are free from ${first} on`)
  for (const port of free) used.add(port)
  return free
}

/** Below those from which the chapters' tests choose, which run at the same time, and those that readers use. */
const [FIRST_PORT, PROCESSES, PORTS_OF_A_PROCESS] = [4_000, 40, 100]
const used = new Set<number>()
let range: Promise<number> | undefined

/** The first port of a range that no other process has. To listen on it is to have it, and ends with this process. */
async function ownRange(): Promise<number> {
  for (let turn = 0; turn < PROCESSES; turn += 1) {
    const first = FIRST_PORT + ((process.pid + turn) % PROCESSES) * PORTS_OF_A_PROCESS
    const server = createServer((socket) => socket.destroy()).unref()
    const isOurs = once(server.listen(first, HOST), 'listening').then(
      () => true,
      () => false,
    )
    if (await isOurs) return first
  }
  throw new Error(`No range of ports is free from ${FIRST_PORT} on`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, HOST), 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
