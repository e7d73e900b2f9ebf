/**
 * Links to the members of an election: a connection to each, which is made anew soon after it is lost, and on which a member is
 * asked again and again how it sees the election.
 *
 * A node of the earlier chapters may wait for a minute until it tries again. Here a second is long: who comes back, or whose
 * cable is plugged in again, is needed for a majority.
 *
 * @since 0.26.0
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { connect, type SecureConnecting } from './connecting.ts'
import type { Connection } from './connection.ts'
import { type AskOptions, Dialogue } from './dialogue.ts'
import {
  type ElectionMember,
  type ElectionView,
  electionView,
  type MemberView,
  STATE,
} from './election-view.ts'
import { every, OperationalError } from './lifecycle.ts'
import { watch } from './liveness.ts'
import type { Logger } from './logging.ts'
import type { Handlers } from './messages.ts'

/** How long to wait before a connection is tried again, in ms: at random, so that two that have lost each other do not meet for ever. */
const SHORTEST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 500

/** How often a member is asked in the silence after which it is taken for gone. */
const ASKED_IN_A_SILENCE = 4

/** How many bytes may wait for a member that does not read, before its connection is made anew. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024

/** For how long why a member is not reached is nobody's business, in ms: all of them start at the same time. */
const GRACE_MS = 3_000

/** @internal */
export interface MemberLinksOptions {
  members: readonly ElectionMember[]
  secure: SecureConnecting | undefined
  /** How long a member may say nothing before its connection is made anew, in ms: at least 2,000. */
  silenceMs: number
  log: Logger
  stop: AbortSignal
  /** What to do with each type of message of a member. */
  handlersOf?: (member: string) => Handlers
  /** Called when a member has said how it sees the election, or is reached or not as it was not before. */
  changed: () => void
  /** Whether it is told why this one is not reached. Default: it is, of all. */
  isMissed?: (member: string) => boolean
  /** Called when there is a new connection to a member. */
  met?: (member: string) => void
}

interface Link extends MemberView {
  readonly member: ElectionMember
  connection: Connection | undefined
  dialogue: Dialogue | undefined
  view: ElectionView | undefined
  isReachable: boolean
  since: Date
  /** Since when there is no connection, in ms of the clock that does not jump. */
  lostAt: number
  /** Why, as far as it was told. */
  readonly told: Set<string>
  /** Whether it was reached, or sought in vain, since this began. */
  wasTried: boolean
}

/** @internal */
export class MemberLinks {
  readonly #options: MemberLinksOptions
  readonly #links = new Map<string, Link>()
  /** Keeps a connection to one that comes later. */
  #keepLater: (link: Link) => void = () => {}

  constructor(options: MemberLinksOptions) {
    this.#options = options
    for (const member of options.members) this.add(member)
  }

  /** What is known of each. */
  get views(): ReadonlyMap<string, MemberView> {
    return this.#links
  }

  /** Whether each was reached or sought in vain by now. */
  get wereTried(): boolean {
    return [...this.#links.values()].every(({ wasTried }) => wasTried)
  }

  /** Who is reached now. */
  get reachable(): string[] {
    return [...this.#links].filter(([, { isReachable }]) => isReachable).map(([name]) => name)
  }

  connectionTo(member: string): Connection | undefined {
    return this.#links.get(member)?.connection
  }

  /**
   * Asks a member something, as a dialogue does.
   *
   * @throws what `ask` of a dialogue throws; an OperationalError when the member is not reached
   */
  async ask(member: string, question: string, options: AskOptions): Promise<unknown> {
    const dialogue = this.#links.get(member)?.dialogue
    if (!dialogue) throw new OperationalError(`The member ${member} is not reached, and cannot be asked.`)
    return await dialogue.ask(question, options)
  }

  /** Has a link to one more member, unless there is one of that name. */
  add(member: ElectionMember): void {
    if (this.#links.has(member.name)) return
    const link: Link = {
      ...{ member, connection: undefined, dialogue: undefined, view: undefined, isReachable: false },
      ...{ since: new Date(), lostAt: performance.now(), told: new Set(), wasTried: false },
    }
    this.#links.set(member.name, link)
    this.#keepLater(link)
  }

  /** Keeps a connection to each, until `stop` is aborted. */
  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#keepLater = (link) => void this.#keep(link).catch(reject)
    })
    await Promise.race([failed, Promise.all([...this.#links.values()].map((link) => this.#keep(link)))])
  }

  async #keep(link: Link): Promise<void> {
    const { silenceMs: timeoutMs, secure, stop } = this.#options
    const { member } = link
    while (!stop.aborted) {
      try {
        const peer = `member ${member.name}`
        const maxWaitingBytes = MOST_WAITING_BYTES
        const how = { ...member, peer, timeoutMs, maxWaitingBytes, secure, stop }
        await this.#use(member.name, link, await connect(how))
      } catch (error) {
        if (stop.aborted) return
        if (!(error instanceof OperationalError)) throw error
        this.#tell(link, error)
        link.wasTried = true
        this.#options.changed()
      }
      const pause = randomInt(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS)
      await sleep(pause, undefined, { signal: stop }).catch(() => {})
    }
  }

  /** @throws OperationalError when the connection is over, with why */
  async #use(member: string, link: Link, connection: Connection): Promise<never> {
    const { silenceMs, handlersOf, log } = this.#options
    const over = new AbortController()
    connection.socket.once('close', () => over.abort())
    try {
      watch(connection, { silenceMs })
      const dialogue = new Dialogue(connection, {
        handlers: { ...handlersOf?.(member), [STATE]: (payload) => this.#see(link, payload) },
        unknown: (type) => log.debug(`Unknown message from ${connection.peer}: ${type}`),
      })
      Object.assign(link, { connection, dialogue })
      this.#options.met?.(member)
      return await Promise.race([
        dialogue.ended.then(() => lost(connection)),
        this.#ask(link, dialogue, over.signal),
      ])
    } finally {
      Object.assign(link, { connection: undefined, dialogue: undefined, lostAt: performance.now() })
      this.#set(link, false)
      void connection.close()
    }
  }

  async #ask(link: Link, dialogue: Dialogue, over: AbortSignal): Promise<never> {
    const { silenceMs, stop } = this.#options
    for await (const _ of every(silenceMs / ASKED_IN_A_SILENCE, over))
      this.#see(link, await dialogue.ask(STATE, { answer: STATE, stop }))
    return await new Promise(() => {}) // why it is over is told by who reads
  }

  #see(link: Link, said: unknown): void {
    link.view = viewFrom(said)
    link.wasTried = true
    link.told.clear()
    if (link.isReachable) this.#options.changed()
    else this.#set(link, true)
  }

  #set(link: Link, isReachable: boolean): void {
    if (link.isReachable === isReachable) return
    Object.assign(link, { isReachable, since: new Date() })
    this.#options.changed()
  }

  /** Tells once why there is no connection, when there has been none for some time. */
  #tell({ member, told, lostAt }: Link, { problems }: OperationalError): void {
    const { log, isMissed = () => true } = this.#options
    for (const problem of problems) {
      const isNew = isMissed(member.name) && performance.now() - lostAt > GRACE_MS && !told.has(problem)
      if (isNew) told.add(problem)
      log[isNew ? 'warn' : 'debug'](problem)
    }
  }
}

/** What a member says, if that is understood: one of a later version may say it otherwise, and is reached all the same. */
function viewFrom(said: unknown): ElectionView | undefined {
  const parsed = v.safeParse(electionView, said)
  return parsed.success ? parsed.output : undefined
}

/** @throws OperationalError that it was closed at its other end, or why else it is over */
function lost(connection: Connection): never {
  connection.throwIfLost()
  throw new OperationalError(`Lost the connection to ${connection.peer}: the other end closed it.`)
}
