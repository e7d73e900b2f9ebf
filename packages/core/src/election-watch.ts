/**
 * Who leads, for a program that is no member: it is connected to all members, asks them again and again, and follows the leader.
 *
 * @since 0.26.0
 */
import { setMaxListeners } from 'node:events'
import * as v from 'valibot'
import type { SecureConnecting } from './connecting.ts'
import type { AskOptions } from './dialogue.ts'
import {
  type ElectionMember,
  HAND_OVER,
  handOverAnswer,
  type Leader,
  type MemberView,
} from './election-view.ts'
import { Leaders } from './leaders.ts'
import { OperationalError, within } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { MemberLinks } from './member-links.ts'

/** How long a member may say nothing before its connection is made anew, in ms. */
const SILENCE_MS = 2_000

/** How long nobody has to lead before those who follow are told that nobody does, in ms. */
const LONG_MS = 4_000

/** How long to wait for one who leads, in ms, unless told otherwise. */
const DEFAULT_WITHIN_MS = 10_000

export interface ElectionWatchOptions {
  members: readonly ElectionMember[]
  /** How it proves who it is: `encryptedBy(key)`. */
  secure: SecureConnecting | undefined
  log: Logger
  stop: AbortSignal
  /** Called when there is something new to see: in `views`, or `leader`. */
  changed?: () => void
}

/** A leader, as those see it who are no members. */
export interface SeenLeader extends Leader {
  /** What its program says beside: empty while it is not reached itself. */
  readonly details: Readonly<Record<string, unknown>>
}

/** The members of a cluster, seen from elsewhere. It begins to look at once, until `stop` is aborted. */
export class ElectionWatch {
  readonly #options: ElectionWatchOptions
  readonly #links: MemberLinks
  readonly #leaders = new Leaders(LONG_MS)
  /** Those who wait for something to see. */
  readonly #looking = new Set<() => void>()

  constructor(options: ElectionWatchOptions) {
    this.#options = options
    const { members, secure, log, stop, changed } = options
    setMaxListeners(0, stop) // a few for each member
    this.#links = new MemberLinks({
      ...{ members, secure, silenceMs: SILENCE_MS, log, stop },
      isMissed: (member) => this.#isMember(member),
      changed: () => {
        this.#leaders.hear(this.leader)
        for (const look of [...this.#looking]) look()
        changed?.()
      },
    })
    void this.#links.run().finally(() => this.#leaders.forget())
  }

  /** What each member says, by its name. */
  get views(): ReadonlyMap<string, MemberView> {
    return this.#links.views
  }

  /** Who leads, in the newest term that any member speaks of. Undefined while nobody is known to. */
  get leader(): SeenLeader | undefined {
    const views = [...this.views.values()].flatMap(({ view, isReachable }) =>
      isReachable && view ? [view] : [],
    )
    const known = views
      .filter(({ leader }) => leader !== null)
      .sort((one, other) => other.term - one.term)
      .map(({ leader, term }) => ({ name: leader as string, term }))
    for (const { name, term } of known) {
      const own = views.find((view) => view.name === name)
      // The others may not have heard yet that it leads no more.
      if (own && own.term >= term && own.leader !== name) continue
      return { name, term, details: own?.details ?? {} }
    }
    return undefined
  }

  /**
   * Does something for each leader, for as long as it leads.
   *
   * @param use gets the leader, and a signal that is aborted when another one leads, or the same one again in a later term, or
   *   nobody for four seconds. For the next one it is called when it has returned
   * @returns when it is stopped, and `use` has returned
   * @throws whatever `use` throws
   */
  async follow(use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void> {
    await this.#leaders.each(this.#options.stop, use)
  }

  /**
   * Waits until somebody leads.
   *
   * @param options `withinMs`: for how long at most, in milliseconds. Default: 10,000
   * @throws OperationalError when nobody does in that time, with how each member is
   * @throws the signal's reason, an AbortError, when `stop` is aborted first
   */
  async whenLed({ withinMs = DEFAULT_WITHIN_MS }: { withinMs?: number } = {}): Promise<SeenLeader> {
    const { stop } = this.#options
    await this.#leaders.find(() => this.leader !== undefined, within(withinMs, stop))
    stop.throwIfAborted()
    const { leader } = this
    if (leader) return leader
    throw new OperationalError(`Nobody leads. ${this.#howAllAre()}`)
  }

  /**
   * Waits until all members were reached, or sought in vain.
   *
   * @throws the signal's reason, an AbortError, when `stop` is aborted first
   */
  async whenSeen(): Promise<void> {
    await this.#when(() => this.#links.wereTried)
  }

  /**
   * Has the leader hand over, to the member `to`, or to one that is reached.
   *
   * @returns whether that one leads now, or without `to` another one
   * @throws OperationalError when nobody leads, or the leader is not reached, does not take that from this node, or says why it
   *   cannot
   */
  async handOver(to?: string): Promise<boolean> {
    await this.whenSeen()
    const { name } = await this.whenLed()
    const about = to === undefined ? {} : { to }
    const answer = v.safeParse(
      handOverAnswer,
      await this.#links.ask(name, HAND_OVER, { answer: HAND_OVER, about }),
    )
    if (!answer.success)
      throw new OperationalError(`${name} was asked to hand over, and answers something else.`)
    const { done, why } = answer.output
    if (why !== undefined) throw new OperationalError(`${name} does not hand over: ${why}`)
    return done
  }

  /**
   * Asks whoever leads something, as a dialogue does.
   *
   * @throws what `ask` of a dialogue throws; OperationalError when nobody leads, or the leader is not reached
   * @internal
   */
  async askLeader(question: string, options: AskOptions): Promise<unknown> {
    const { name } = await this.whenLed()
    return await this.#links.ask(name, question, options)
  }

  /** Whether somebody says that it is one, or nobody says anything. */
  #isMember(name: string): boolean {
    const views = [...this.views.values()].flatMap(({ view }) => view ?? [])
    return views.length === 0 || views.some(({ members }) => members.includes(name))
  }

  /** Resolves when something is so; it is looked at whenever there is something new to see. */
  async #when(isSo: () => boolean): Promise<void> {
    const { stop } = this.#options
    stop.throwIfAborted()
    if (isSo()) return
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        this.#looking.delete(look)
        stop.removeEventListener('abort', abort)
      }
      const look = () => {
        if (!isSo()) return
        end()
        resolve()
      }
      const abort = () => {
        end()
        reject(stop.reason)
      }
      this.#looking.add(look)
      stop.addEventListener('abort', abort, { once: true })
    })
  }

  #howAllAre(): string {
    const all = [...this.views].map(([name, { view, isReachable }]) => {
      if (!isReachable) return `${name} is not reached.`
      return `${name} is ${view?.role} in term ${view?.term}.`
    })
    return all.join(' ')
  }
}
