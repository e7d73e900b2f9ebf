/**
 * A member of an election: it votes, may be elected, and knows who leads.
 *
 * @since 0.26.0
 */
import { addAbortListener } from 'node:events'
import * as v from 'valibot'
import { checkPort } from './addresses.ts'
import type { Connection } from './connection.ts'
import type { Answers, AskOptions } from './dialogue.ts'
import { ElectionLog } from './election-log.ts'
import {
  type ElectionMember,
  type ElectionView,
  HAND_OVER,
  type handOverAnswer,
  type Leader,
  type MemberView,
  STATE,
} from './election-view.ts'
import { encryptedBy } from './encrypted-connecting.ts'
import { Leaders } from './leaders.ts'
import { OperationalError, within } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { MemberLinks } from './member-links.ts'
import { type Handlers, send, textOf } from './messages.ts'
import type { OwnKey } from './own-key.ts'
import { type RaftMessage, type RaftSettings, raftMessage } from './raft.ts'
import { type ElectionDriver, RaftDriver, type RaftDriverOptions, type TakenStep } from './raft-driver.ts'
import { Succession } from './succession.ts'
import { openVoteFile } from './vote-file.ts'

/** The times of etcd, unless told otherwise, in ms. They suit an SD card, and a network with some load. */
const DEFAULT_ELECTION_MS = 1_000
const DEFAULT_HEARTBEAT_MS = 100

/** How many times what it takes to have a vote on the disk a time-out should have: etcd's and the paper's rule for a round trip. */
const WRITES_IN_AN_ELECTION = 10

/** How long a member may say nothing, in ms, and in time-outs, before its connection is made anew. */
const LEAST_SILENCE_MS = 2_000
const SILENCE_IN_ELECTIONS = 2

/** How many time-outs nobody has to lead before that is told to those who follow, or who wait for another one. */
const LONG_IN_ELECTIONS = 4

/** For how many time-outs one that is stopped waits for who takes over: longer than it leads without that. */
const SHORT_IN_ELECTIONS = 1.5

/** How many bytes may wait for a member that reads slowly. What is said meanwhile would be old before it is read. */
const MOST_WAITING_BYTES = 16 * 1024

/** The type of a message of Raft. */
const RAFT = 'raft'

/** How many different mistakes of others are told. */
const MOST_TOLD = 100

const handOverTo = v.fallback(v.object({ to: v.optional(v.string()) }), {})

export interface ElectionOptions {
  /** What this member is called: one of `members`, and the node whose `key` it has. */
  name: string
  /** All members, this one among them. The same list for each of them. */
  members: readonly ElectionMember[]
  /** The key of this member, by which it proves to the others that it is the one. */
  key: OwnKey
  /** The file of its vote; a path that is not absolute counts from the `stateFolder`. Default: `election-NAME.json`. */
  file?: string
  /**
   * How long a member hears nothing of a leader before it stands for election: a time between this and twice this, in
   * milliseconds. Default: 1,000. The paper has 150.
   */
  electionMs?: number
  /** How often a leader says that it leads, in milliseconds: less than half of `electionMs`. Default: 100. */
  heartbeatMs?: number
  /** Who may have it hand its lead over, by the names of their keys, beside the members. Default: nobody. */
  mayHandOver?: () => readonly string[]
  /** What else there is to say to who asks who leads: where the leader's work is done, how much waits. */
  details?: () => Record<string, unknown>
  log: Logger
  stop: AbortSignal
}

/** The time in which this member leads. */
export interface Reign {
  /** In which term. No other member leads in it, and each later reign has a higher one. */
  readonly term: number
  /**
   * Whether nobody else can lead at this moment. It is false at once in a process that was stopped and goes on, and for
   * moments when the others are late. What a leader does only while it leads asks this each time.
   */
  isHeld(): boolean
}

/**
 * Opens the part of this member: reads what it has voted, and says how long it takes to write that.
 *
 * @throws OperationalError when it is not among the members, has another one's key, or the times cannot be right; when its vote
 *   is damaged, cannot be written, or another process has it
 */
export async function openElection(options: ElectionOptions): Promise<Election> {
  checkElection(options)
  const { name, file = `election-${name}.json`, members, log } = options
  const { electionMs } = timesOf(options)
  const votes = await openVoteFile({ file, member: name })
  const { term } = votes.durable
  const took = votes.writeMs.toFixed(1)
  log.info(
    `Votes as ${name}, one of ${members.length} members, of which ${majorityOf(members)} elect. Term ${term}. A vote is on the disk in ${took} ms: ${votes.path}`,
  )
  if (electionMs < WRITES_IN_AN_ELECTION * votes.writeMs)
    log.warn(
      `A time-out of ${electionMs} ms is short for this disk, which takes ${took} ms for a vote: elections may fail. Give all members ${WRITES_IN_AN_ELECTION} times that, or more.`,
    )
  const { durable } = votes
  return new Election(options, {
    driverOf: (wiring) => new RaftDriver({ ...wiring, durable, save: (vote) => votes.write(vote) }),
    close: () => votes.close(),
  })
}

/**
 * What a member of an election is made of.
 *
 * @internal
 */
export interface ElectionParts {
  /** What decides. */
  driverOf: (options: Pick<RaftDriverOptions, 'settings' | 'send' | 'stepped' | 'log'>) => ElectionDriver
  /** Lets go of what it keeps its votes in. */
  close: () => Promise<void>
  /** What else is done with what a member says. */
  handlersOf?: (member: string) => Handlers
  /** Called when there is a new connection to a member. */
  met?: (member: string) => void
  /** Who elects, now. Default: all members. */
  voters?: () => readonly string[]
}

/** A member's part in an election. {@link openElection} makes it. */
export class Election {
  /** What this member is called. */
  readonly name: string
  /** What to do with what the others say, for the node that listens for them. */
  readonly handlers: Handlers
  /** What to answer to who asks who leads, for the same node. */
  readonly answers: Answers

  readonly #options: ElectionOptions
  readonly #parts: ElectionParts
  readonly #driver: ElectionDriver
  readonly #links: MemberLinks
  readonly #voters: () => readonly string[]
  readonly #log: ElectionLog
  readonly #reigns = new Succession<Reign>()
  readonly #leaders: Leaders
  /** The connections on which members have come here. */
  readonly #incoming = new Map<string, Connection>()
  /** The connections on which somebody has asked who leads, and hears when that changes. */
  readonly #followers = new Set<Connection>()
  /** Who led when they were last told. */
  #said: Leader | undefined
  readonly #told = new Set<string>()

  /** @internal {@link openElection} makes it */
  constructor(options: ElectionOptions, parts: ElectionParts) {
    const { name, members, key, log, stop } = options
    const times = timesOf(options)
    const all = members.map(({ name }) => name)
    this.#voters = parts.voters ?? (() => all)
    const voters = this.#voters
    const settings: RaftSettings = {
      id: name,
      get members() {
        return voters()
      },
      ...times,
    }
    this.name = name
    this.#options = options
    this.#parts = parts
    this.#leaders = new Leaders(LONG_IN_ELECTIONS * times.electionMs)
    this.#log = new ElectionLog(log, settings)
    this.#driver = parts.driverOf({
      settings,
      send: (message, via) => this.#send(message, via),
      stepped: (step) => this.#stepped(step),
      log,
    })
    this.#links = new MemberLinks({
      members: members.filter((member) => member.name !== name),
      secure: encryptedBy(key),
      silenceMs: Math.max(LEAST_SILENCE_MS, SILENCE_IN_ELECTIONS * times.electionMs),
      log,
      stop,
      handlersOf: (member) => ({
        [RAFT]: (payload, peer) => this.#take(payload, member, peer),
        ...parts.handlersOf?.(member),
      }),
      isMissed: (member) => voters().includes(member),
      ...(parts.met && { met: parts.met }),
      changed: () => this.#log.reaches(this.#links.reachable),
    })
    this.handlers = { [RAFT]: (payload, peer) => this.#take(payload, peer.node, peer) }
    this.answers = {
      [STATE]: (peer) => {
        this.#meet(peer)
        this.#follow(peer)
        return { type: STATE, payload: this.view }
      },
      [HAND_OVER]: async (peer, about) => {
        const { members, mayHandOver } = this.#options
        const allowed = [...members.map(({ name }) => name), ...(mayHandOver?.() ?? [])]
        if (peer.node === undefined || !allowed.includes(peer.node)) return undefined
        const { to } = v.parse(handOverTo, about)
        log.info(`${peer.node} asks it to hand over${to === undefined ? '' : ` to ${textOf(to)}`}`)
        return { type: HAND_OVER, payload: await this.#tryHandOver(to) }
      },
    }
  }

  /** How this member sees the election, at this moment. */
  get view(): ElectionView {
    const { name, details } = this.#options
    const { term, role, votedFor } = this.#driver.state
    return {
      name,
      term,
      role,
      leader: this.leader?.name ?? null,
      votedFor,
      members: [...this.#voters()],
      reachable: this.#links.reachable,
      details: details?.() ?? {},
    }
  }

  /** How the others say that they see it, by their names. */
  get views(): ReadonlyMap<string, MemberView> {
    return this.#links.views
  }

  /** Who leads, as far as this member knows. It is sure of that only where it is the one itself. */
  get leader(): Leader | undefined {
    const { term, leader } = this.#driver.state
    if (leader === null || (leader === this.name && !this.#driver.holdsLead)) return undefined
    return { name: leader, term }
  }

  /**
   * Takes part, until it is stopped. What the node that listens for the others is told before is not heard.
   *
   * @throws whatever is a mistake
   */
  async run(): Promise<void> {
    const { stop } = this.#options
    const ended = addAbortListener(stop, () => this.#log.end())
    try {
      await Promise.all([this.#driver.run(stop), this.#links.run()])
    } finally {
      ended[Symbol.dispose]()
      this.#leaders.forget()
      await this.#parts.close()
    }
  }

  /**
   * Does something each time that this member leads, for as long as it does.
   *
   * When `use` returns before, or throws an OperationalError, which is told, this member cannot do what a leader is for: it
   * hands over to another one.
   *
   * @param use gets its reign, and a signal that is aborted when that is over. The next one begins when it has returned
   * @returns when it is stopped, and `use` has returned
   * @throws whatever `use` throws that is no OperationalError; and that as well where there is no other member
   */
  async whileLeading(use: (reign: Reign, over: AbortSignal) => Promise<void>): Promise<void> {
    const { log, stop } = this.#options
    await this.#reigns.each(stop, async (reign, over) => {
      try {
        await use(reign, over)
      } catch (error) {
        if (!(error instanceof OperationalError) || this.#voters().length === 1) throw error
        for (const problem of error.problems) log.error(problem)
      }
      if (!over.aborted && (await this.handOver()))
        log.warn(`Cannot do what a leader is for: has handed over in term ${reign.term}`)
    })
  }

  /**
   * Does something for each leader, this member among them, for as long as it leads.
   *
   * @param use gets the leader, and a signal that is aborted when another one leads, or the same one again in a later term, or
   *   nobody for four time-outs. For the next one it is called when it has returned
   * @returns when it is stopped, and `use` has returned
   * @throws whatever `use` throws
   */
  async follow(use: (leader: Leader, over: AbortSignal) => Promise<void>): Promise<void> {
    await this.#leaders.each(this.#options.stop, use)
  }

  /**
   * Hands the lead over, to the member `to`, or to one that is reached.
   *
   * @returns whether another one leads now. False when this member does not lead, or that one is not reached, and nothing has
   *   happened; and when nobody is elected in four time-outs: this one leads no more then.
   * @throws OperationalError when `to` is no other member
   */
  async handOver(to?: string): Promise<boolean> {
    const others = this.#voters().filter((name) => name !== this.name)
    if (to !== undefined && !others.includes(to))
      throw new OperationalError(`${to} is no other member. These are: ${others.join(', ')}.`)
    const { term, role } = this.#driver.state
    if (role !== 'leader') return false
    this.#driver.give({ kind: 'hand_over', ...(to !== undefined && { to }) })
    if (!this.#driver.state.handOver) return false
    const next = await this.#nextLeader(term, LONG_IN_ELECTIONS)
    return next !== undefined && (to === undefined || next.name === to)
  }

  /**
   * Hands over, if it leads, before it is stopped. From then on it tells nothing more of the election: all members may be about
   * to stop. Never rejects.
   */
  async drain(): Promise<void> {
    const { log } = this.#options
    this.#log.end()
    const { role, term } = this.#driver.state
    if (role !== 'leader' || this.#voters().length === 1) return
    const begin = performance.now()
    this.#driver.give({ kind: 'hand_over' })
    const next = this.#driver.state.handOver && (await this.#nextLeader(term, SHORT_IN_ELECTIONS))
    if (next) log.info(`Handed over within ${(performance.now() - begin).toFixed()} ms: ${next.name} leads`)
    else log.info('Nobody takes the lead over now: members that stay elect one after their time-outs')
  }

  async #tryHandOver(to: string | undefined): Promise<v.InferOutput<typeof handOverAnswer>> {
    try {
      return { done: await this.handOver(to) }
    } catch (error) {
      return { done: false, why: (error as Error).message }
    }
  }

  /** Waits for another leader, for so many time-outs at most. */
  async #nextLeader(term: number, elections: number): Promise<Leader | undefined> {
    const late = within(elections * timesOf(this.#options).electionMs, this.#options.stop)
    const isAnother = (leader: Leader) => leader.term > term && leader.name !== this.name
    return await this.#leaders.find(isAnother, late)
  }

  #stepped(step: TakenStep): void {
    const { term, role, handOver } = step.after
    this.#log.took(step)
    const leads = role === 'leader' && !handOver
    if (!leads) this.#reigns.become(undefined)
    // Not before the others have answered: so a reign begins with one that is held.
    else if (this.#reigns.holder?.term !== term && this.#driver.holdsLead)
      this.#reigns.become({ term, isHeld: () => this.#holds(term) })
    const { leader } = this
    if (!leader && !leads && this.#leaders.last?.name === this.name) this.#leaders.forget()
    else this.#leaders.hear(leader)
    if (leader?.name === this.#said?.name && leader?.term === this.#said?.term) return
    this.#said = leader
    for (const follower of this.#followers) this.#say(follower, STATE, this.view)
  }

  #holds(term: number): boolean {
    return this.#driver.holdsLead && this.#driver.state.term === term
  }

  /** Sends a message, over a connection that is there, or not at all: Raft says again what matters. */
  #send(message: RaftMessage, via: Connection | undefined): void {
    const way = this.wayTo(message.to, via)
    if (way) this.#say(way, RAFT, message)
  }

  /**
   * A connection to a member: one on which it has just spoken, or another. Undefined while there is none.
   *
   * @param isBulk whether much is to be said: where there are two, that goes over the one that was made here, on which more may
   *   wait, and what is urgent over the other
   * @internal
   */
  wayTo(member: string, via?: Connection, isBulk = true): Connection | undefined {
    const ways = [this.#links.connectionTo(member), this.#incoming.get(member)]
    return [via, ...(isBulk ? ways : ways.reverse())].find((connection) => connection?.socket.writable)
  }

  /**
   * Asks a member something, as a dialogue does.
   *
   * @throws what `ask` of a dialogue throws; an OperationalError when the member is not reached
   * @internal
   */
  async ask(member: string, question: string, options: AskOptions): Promise<unknown> {
    return await this.#links.ask(member, question, options)
  }

  /**
   * A member has spoken on a connection that it has made: it is a way to it.
   *
   * @internal
   */
  meet(peer: Connection): void {
    this.#meet(peer)
  }

  /**
   * One more node is reached from now on, which is or becomes a member.
   *
   * @internal
   */
  reach(member: ElectionMember): void {
    if (member.name !== this.name) this.#links.add(member)
  }

  #say(peer: Connection, type: string, payload: unknown): void {
    if (!peer.socket.writable || peer.socket.writableLength > MOST_WAITING_BYTES) return
    void send(peer, type, payload)?.catch(() => {}) // its loss is told by who reads it
  }

  /** Takes a message, if it is one, and that of who has sent it. */
  #take(payload: unknown, proven: string | undefined, peer: Connection): void {
    const parsed = v.safeParse(raftMessage, payload)
    if (!parsed.success) {
      this.#tellOnce(
        `What ${proven ?? 'somebody without a key'} says of the election is not understood`,
        payload,
      )
      return
    }
    const message = parsed.output
    if (message.from !== proven || !this.#isOther(proven)) {
      this.#tellOnce(
        `${proven ?? 'Somebody without a key'} says something about the election in the name of ${textOf(message.from)}, which is refused`,
        payload,
      )
      return
    }
    if (message.to !== this.name) {
      this.#tellOnce(
        `What ${proven} says is for ${textOf(message.to)}: has it another address for that?`,
        payload,
      )
      return
    }
    this.#meet(peer)
    this.#driver.give({ kind: 'message', message, via: peer })
  }

  #isOther(name: string): boolean {
    return name !== this.name && this.#options.members.some((member) => member.name === name)
  }

  /** Remembers a way to a member: it is the first one after that was started again. */
  #meet(peer: Connection): void {
    const { node } = peer
    if (node === undefined || !this.#isOther(node) || this.#incoming.get(node) === peer) return
    this.#incoming.set(node, peer)
    peer.socket.once('close', () => {
      if (this.#incoming.get(node) === peer) this.#incoming.delete(node)
    })
  }

  #follow(peer: Connection): void {
    if (this.#followers.has(peer)) return
    this.#followers.add(peer)
    peer.socket.once('close', () => this.#followers.delete(peer))
  }

  #tellOnce(line: string, payload: unknown): void {
    if (this.#told.has(line) || this.#told.size >= MOST_TOLD) return
    this.#told.add(line)
    this.#options.log.warn(`${line}: ${textOf(payload)}`)
  }
}

function timesOf({
  electionMs = DEFAULT_ELECTION_MS,
  heartbeatMs = DEFAULT_HEARTBEAT_MS,
}: Partial<ElectionOptions>) {
  return { electionMs, heartbeatMs }
}

function majorityOf({ length }: readonly ElectionMember[]): number {
  return Math.floor(length / 2) + 1
}

/**
 * Looks whether somebody can take part so.
 *
 * @throws OperationalError what cannot be right, a line each
 * @internal
 */
export function checkElection(options: Omit<ElectionOptions, 'file'>): void {
  const { name, members, key } = options
  const { electionMs, heartbeatMs } = timesOf(options)
  const names = members.map(({ name }) => name)
  const problems: string[] = []
  if (!names.includes(name)) problems.push(`${name} is not among the members: ${names.join(', ')}.`)
  for (const twice of names.filter((name, index) => names.indexOf(name) !== index))
    problems.push(`The member ${twice} is there twice.`)
  for (const [index, { name: other, host, port }] of members.entries()) {
    const first = members.findIndex((member) => member.host === host && member.port === port)
    if (first < index)
      problems.push(
        `${members[first]?.name} and ${other} are both at ${host}:${port}. Each is at a place of its own.`,
      )
  }
  if (key.node !== name)
    problems.push(
      `The key is that of ${key.node}, and this member is ${name}. Each has a key of its own: ${key.file}.`,
    )
  if (!(heartbeatMs > 0 && 2 * heartbeatMs < electionMs))
    problems.push(
      `A time-out of ${electionMs} ms leaves no room for two heartbeats, one each ${heartbeatMs} ms: give it five to ten times that.`,
    )
  if (problems.length > 0) throw new OperationalError(problems)
  for (const { port } of members) checkPort(port, 1)
}
