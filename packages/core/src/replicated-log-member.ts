/**
 * A member of a cluster that keeps a log together: what one of them is told by way of its leader, all have in the same order,
 * and any of them may be lost.
 *
 * @since 0.27.0
 */
import { randomBytes } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from './connection.ts'
import type { Answers } from './dialogue.ts'
import { checkElection, Election, type ElectionOptions, type Reign } from './election-member.ts'
import type { ElectionView, Leader, MemberView } from './election-view.ts'
import { OperationalError } from './lifecycle.ts'
import { JOIN, LogChanges } from './log-changes.ts'
import {
  answerFounding,
  checkFounders,
  FOUNDING,
  type Founding,
  findFounding,
  foundingIn,
} from './log-founding.ts'
import { lossIn } from './log-losses.ts'
import { LogWire } from './log-wire.ts'
import { memberId, nameOfMember } from './member-ids.ts'
import type { Handlers } from './messages.ts'
import {
  lastOf,
  membersOf,
  type ReplicaDurable,
  type ReplicaMessage,
  startAfter,
  startReplica,
  votersOf,
  waitsFor,
} from './replica.ts'
import { ReplicaDriver } from './replica-driver.ts'
import { openReplicaStore, type ReplicaStore } from './replica-store.ts'
import type { StateMachine } from './state-machine.ts'

/** The times of etcd, unless told otherwise, in ms. */
const DEFAULT_ELECTION_MS = 1_000
const DEFAULT_HEARTBEAT_MS = 100

/** How often a node asks that belongs to no cluster yet, or is no member of it, in ms; and for how long it is told to nobody. */
const ASK_MS = 250
const GRACE_MS = 3_000

/** How many times what it takes to have a commit on the disk a time-out should have: etcd's and the paper's rule. */
const WRITES_IN_AN_ELECTION = 10

export interface ReplicatedLogOptions extends Omit<ElectionOptions, 'file'> {
  /** What the log is for: it is given each entry that is committed. */
  machine: StateMachine
  /** Who begins the cluster, by their names. Default: all `members`. The others are reached, and come when they are added. */
  founders?: readonly string[]
  /** What its folder is called, in the `stateFolder`. Default: `log-NAME`. */
  folder?: string
}

/** The time in which this member leads. */
export interface LogReign extends Reign {
  /**
   * Has something in the log.
   *
   * @returns when a majority has it on its disks, and it is applied here
   * @throws OperationalError when this reign is over before. Nobody knows then whether it will be there; or when it has more
   *   than 4 Mi characters
   */
  propose(data: string): Promise<void>
  /** The cluster's time, in ms: it goes on where the leader before has stopped, and never goes back. */
  time(): number
}

/** How far a member is: what it adds to the `details` of its view. */
export interface LogDetails {
  /** The id of its cluster, and of its store's member there. */
  cluster: string | null
  id: string
  /** Whether it has a vote: no learner has, and nobody who is no member. */
  isVoter: boolean
  /** How many entries are in the log, on its disk, known to be committed, and applied, each with all before. */
  last: number
  durable: number
  committed: number
  applied: number
}

/**
 * Opens the log of this member.
 *
 * @throws OperationalError when its options cannot be right; when its store is damaged, cannot be written, or another process has
 *   it
 */
export async function openReplicatedLog(options: ReplicatedLogOptions): Promise<ReplicatedLog> {
  checkElection(options)
  checkFounders(foundersOf(options), options.members)
  const { name, folder = `log-${name}`, log, stop, electionMs = DEFAULT_ELECTION_MS } = options
  const store = await openReplicaStore({ name: folder, log, stop })
  const { durable: before, founding, snapshot, entries } = store.take()
  const start = startAfter(before.start, wordOf(9))
  const durable = { ...before, start }
  await store.save(durable)
  const took = store.writeMs.toFixed(1)
  log.info(
    `Keeps the log as ${memberId(name, store.id)}, with ${snapshot?.last.index ?? 0} entries in a snapshot and ${entries.length} behind it. Term ${before.term}. An entry is on the disk in ${took} ms: ${store.path}`,
  )
  if (electionMs < WRITES_IN_AN_ELECTION * store.writeMs)
    log.warn(
      `A time-out of ${electionMs} ms is short for this disk, which takes ${took} ms for an entry: elections may fail. Give all members ${WRITES_IN_AN_ELECTION} times that, or more.`,
    )
  const begun = founding as Founding | undefined
  const first = { last: { term: 0, index: 0 }, time: 0, members: begun?.members ?? [] }
  return new ReplicatedLog(options, store, durable, begun, { snapshot: snapshot ?? first, entries })
}

/** A member's part in a log. {@link openReplicatedLog} makes it. */
export class ReplicatedLog {
  /** What this member is called, and its id: with another store it would be another member. */
  readonly name: string
  readonly id: string
  /** What to do with what the others say, for the node that listens for them. */
  readonly handlers: Handlers
  /** What to answer to those who ask, for the same node. */
  readonly answers: Answers

  readonly #options: ReplicatedLogOptions
  readonly #store: ReplicaStore
  readonly #driver: ReplicaDriver
  readonly #election: Election
  readonly #wire: LogWire
  #begun: Founding | undefined
  #restores: readonly string[] | undefined
  #fail: (error: OperationalError) => void = () => {}
  #toldMembers = ''

  /** @internal {@link openReplicatedLog} makes it */
  constructor(
    options: ReplicatedLogOptions,
    store: ReplicaStore,
    durable: ReplicaDurable,
    begun: Founding | undefined,
    found: Parameters<typeof startReplica>[2],
  ) {
    const { name, machine, log, mayHandOver, members } = options
    const { electionMs = DEFAULT_ELECTION_MS, heartbeatMs = DEFAULT_HEARTBEAT_MS } = options
    this.#options = options
    this.#store = store
    this.#begun = begun
    this.#restores = found.snapshot.pieces
    this.name = name
    this.id = memberId(name, store.id)
    const settings = { id: this.id, electionMs, heartbeatMs }
    const cluster = () => this.#begun?.cluster
    this.#wire = new LogWire({ cluster, take: (message, via) => this.#take(message, via), log })
    const state = startReplica(settings, durable, found, { now: performance.now(), random: 0 })
    let driver: ReplicaDriver | undefined
    this.#election = new Election(
      { ...options, details: () => ({ ...options.details?.(), ...this.details }) },
      {
        close: () => store.close(),
        driverOf: ({ stepped }) => {
          const send = (message: ReplicaMessage, via: Connection | undefined) => this.#send(message, via)
          const ended = () => void this.#putAside()
          const told: typeof stepped = (step) => {
            this.#tellMembers()
            stepped(step)
          }
          driver = new ReplicaDriver({ settings, state, store, machine, send, stepped: told, ended, log })
          return driver
        },
        handlersOf: (member) => this.#wire.handlersOf(() => member),
        met: (member) => this.#met(member),
        voters: () => (driver ? votersOf(driver.replica).map(nameOfMember) : []),
      },
    )
    this.#driver = driver as unknown as ReplicaDriver
    const changes = new LogChanges({
      ...{ id: this.id, driver: this.#driver, cluster, electionMs, log },
      mayChange: () => [...members.map((member) => member.name), ...(mayHandOver?.() ?? [])],
    })
    this.handlers = this.#wire.handlers
    this.answers = {
      ...this.#election.answers,
      ...changes.answers,
      [FOUNDING]: answerFounding({ name, store: store.id, about: this.#about }, () => {
        const isFounder = this.#begun !== undefined && this.#begun.members.length > 0
        return isFounder || this.#isMember ? this.#begun : undefined
      }),
    }
  }

  /** How this member sees the cluster, at this moment. */
  get view(): ElectionView {
    return this.#election.view
  }

  /** How the others say that they see it, by their names. */
  get views(): ReadonlyMap<string, MemberView> {
    return this.#election.views
  }

  /** Who leads, as far as this member knows. It is sure of that only where it is the one itself. */
  get leader(): Leader | undefined {
    return this.#election.leader
  }

  /** How far this member is. */
  get details(): LogDetails {
    const { replica, applied } = this.#driver
    return {
      cluster: this.#begun?.cluster ?? null,
      id: this.id,
      isVoter: votersOf(replica).includes(this.id),
      last: lastOf(replica).index,
      durable: replica.durable,
      committed: replica.commit,
      applied: applied.index,
    }
  }

  /** The cluster's time, in ms, as far as this member knows it. */
  get time(): number {
    return this.#driver.time
  }

  /**
   * Takes part, until it is stopped. The state machine becomes what its last snapshot says first.
   *
   * @throws OperationalError when that is not its own; when its store turns out to be older than it was: then that is put aside
   * @throws whatever is a mistake
   */
  async run(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    if (this.#restores) this.#options.machine.restore(this.#restores)
    this.#restores = undefined
    await Promise.race([failed, Promise.all([this.#election.run(), this.#belong()])])
  }

  /**
   * Does something each time that this member leads, for as long as it does. When it begins, all is applied here that was
   * committed before.
   *
   * @param use gets its reign, and a signal that is aborted when that is over
   * @throws as `whileLeading` of an election does
   */
  async whileLeading(use: (reign: LogReign, over: AbortSignal) => Promise<void>): Promise<void> {
    const driver = this.#driver
    await this.#election.whileLeading(({ term, isHeld }, over) =>
      use({ term, isHeld, propose: (data) => driver.propose(data, term), time: () => driver.time }, over),
    )
  }

  /** Does something for each leader, this member among them, as `follow` of an election does. */
  async follow(use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void> {
    await this.#election.follow(use)
  }

  /**
   * Resolves when all is applied here that was committed anywhere when it was called: what is read here then is not stale. While
   * nobody leads it waits.
   *
   * @throws the signal's reason, an AbortError, when `stop` is aborted first
   */
  async caughtUp(stop: AbortSignal = this.#options.stop): Promise<void> {
    await this.#driver.caughtUp(stop)
  }

  /** Hands over, if it leads, as `handOver` of an election does. */
  async handOver(to?: string): Promise<boolean> {
    return await this.#election.handOver(to)
  }

  /** Hands over, if it leads, before it is stopped. Never rejects. */
  async drain(): Promise<void> {
    await this.#election.drain()
  }

  get #about(): unknown {
    const own = this.#options.members.find(({ name }) => name === this.name)
    return own && { host: own.host, port: own.port }
  }

  #take(message: ReplicaMessage, via: Connection): void {
    this.#election.meet(via)
    this.#driver.give({ kind: 'message', message, via })
  }

  #send(message: ReplicaMessage, via: Connection | undefined): void {
    const isBulk = message.type === 'append' || message.type === 'snapshot'
    const way = this.#election.wayTo(nameOfMember(message.to), isBulk ? undefined : via, isBulk)
    if (way && message.type === 'snapshot') {
      // The newest there is, which has more than the one that was meant.
      const { snapshot, pieces } = this.#driver.takeSnapshot()
      this.#wire.saySnapshot(way, { ...message, snapshot }, pieces)
    } else if (way) this.#wire.say(way, message)
  }

  #met(member: string): void {
    const id = this.#driver.idOf(member)
    if (id !== undefined) this.#driver.give({ kind: 'met', member: id })
  }

  /** Finds out to which cluster it belongs, and sees to it that it is a member there. */
  async #belong(): Promise<void> {
    const { stop } = this.#options
    const begin = performance.now()
    const told = new Set<string>()
    const tell = (line: string) => {
      if (told.has(line) || performance.now() - begin < GRACE_MS) return
      told.add(line)
      this.#options.log.warn(line)
    }
    while (!stop.aborted) {
      if (!this.#begun) await this.#look(tell)
      else if (!this.#isMember) await this.#ask(tell)
      else this.#tellWaiting(tell)
      if (!this.leader) this.#tellLoss(tell)
      await sleep(this.#isMember ? 4 * ASK_MS : ASK_MS, undefined, { signal: stop }).catch(() => {})
    }
  }

  #tellWaiting(tell: (line: string) => void): void {
    const { replica } = this.#driver
    const { electionMs = DEFAULT_ELECTION_MS, heartbeatMs = DEFAULT_HEARTBEAT_MS } = this.#options
    const names = waitsFor({ id: this.id, electionMs, heartbeatMs }, replica, performance.now()).map(
      nameOfMember,
    )
    if (names.length > 0 && replica.raft.leader === null)
      tell(
        `Waits for ${names.join(', ')} before it votes, for ten time-outs at most: one of them may know of a later start of this member, if its card was put back`,
      )
  }

  #tellLoss(tell: (line: string) => void): void {
    if (!this.#begun) return
    const loss = lossIn(this.#begun.cluster, [this.view, ...this.#viewsOfOthers])
    if (loss !== undefined) tell(loss)
  }

  /** What those say who are reached. */
  get #viewsOfOthers(): ElectionView[] {
    return [...this.#election.views.values()].flatMap(({ view, isReachable }) =>
      isReachable && view ? [view] : [],
    )
  }

  get #isMember(): boolean {
    return membersOf(this.#driver.replica).some(({ id }) => id === this.id)
  }

  async #look(tell: (line: string) => void): Promise<void> {
    const { members, log, stop } = this.#options
    const founders = foundersOf(this.#options)
    const others = members.map(({ name }) => name).filter((name) => name !== this.name)
    const asked = await Promise.all(
      others.map((name) =>
        this.#election.ask(name, FOUNDING, { answer: FOUNDING, stop }).catch(() => undefined),
      ),
    )
    const answers = asked.flatMap((said) => foundingIn(said) ?? [])
    const begun = findFounding({ id: this.id, about: this.#about }, founders, answers)
    if (!begun) {
      const here = [this.id, ...answers.map(({ id }) => id)].map(nameOfMember)
      const missing = founders.filter((name) => !here.includes(name))
      if (missing.length > 0)
        tell(
          `The cluster begins when all of ${founders.join(', ')} are there: it waits for ${missing.join(', ')}`,
        )
      return
    }
    await this.#store.found(begun)
    this.#begun = begun
    log.info(
      begun.members.length > 0
        ? `Begins cluster ${begun.cluster}: ${begun.members.map(({ id }) => nameOfMember(id)).join(', ')}`
        : `Comes to cluster ${begun.cluster}, with an empty store: it learns first, and has no vote`,
    )
    if (begun.members.length > 0) this.#driver.become(begun.members)
  }

  /** Asks whoever leads to be let in. */
  async #ask(tell: (line: string) => void): Promise<void> {
    const { stop } = this.#options
    const leader = this.#viewsOfOthers
      .sort((one, other) => other.term - one.term)
      .find((view) => view.leader === view.name)
    if (!leader) {
      tell('Nobody is known to lead who could let this node in')
      return
    }
    const about = { cluster: this.#begun?.cluster, id: this.id, about: this.#about }
    try {
      const { why } = Object(await this.#election.ask(leader.name, JOIN, { answer: JOIN, about, stop }))
      if (typeof why === 'string') tell(`${leader.name} does not let this node in: ${why}`)
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error
    }
  }

  /** Tells who the members are, when that has changed. */
  #tellMembers(): void {
    const { members, commit } = this.#driver.replica
    const now = members.findLast(({ index }) => index <= commit)
    const names = (now?.members ?? []).map(
      ({ id, isVoter }) => `${nameOfMember(id)}${isVoter ? '' : ' (learns)'}`,
    )
    const told = names.join(', ')
    if (told === this.#toldMembers) return
    if (this.#toldMembers !== '') this.#options.log.info(`Members from now on: ${told}`)
    this.#toldMembers = told
    for (const { about, id } of now?.members ?? []) {
      const { host, port } = Object(about)
      if (typeof host === 'string' && typeof port === 'number')
        this.#election.reach({ name: nameOfMember(id), host, port })
    }
  }

  /** Its store is a copy of before. The next start has an empty one. */
  async #putAside(): Promise<void> {
    const { path } = this.#store
    const aside = `${path}-older-${wordOf(3)}`
    try {
      await this.#store.close()
      await rename(path, aside)
      this.#fail(
        new OperationalError(
          `The store of ${this.name} is older than it was, as after a restored card: it must not vote with it. It is put aside, as ${aside}. Start ${this.name} again: it comes with an empty store, and learns from the others.`,
        ),
      )
    } catch (error) {
      this.#fail(
        new OperationalError(
          `The store of ${this.name} is older than it was, as after a restored card, and cannot be put aside (${(error as Error).message}): remove ${path}, and start ${this.name} again.`,
        ),
      )
    }
  }
}

function foundersOf({ members, founders }: ReplicatedLogOptions): readonly string[] {
  return founders ?? members.map(({ name }) => name)
}

function wordOf(bytes: number): string {
  return randomBytes(bytes).toString('hex')
}
