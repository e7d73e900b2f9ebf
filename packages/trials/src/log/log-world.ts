/** Members that keep a log together, their machines and cards, and the network between them: what happens next is the next event of a queue. */
import type * as replicaModule from '@rpi-cluster/core/replica'
import type {
  LogMember,
  LogSnapshot,
  ReplicaDurable,
  ReplicaMessage,
  ReplicaState,
  ReplicaStep,
} from '@rpi-cluster/core/replica'
import { DueTimes } from '@rpi-cluster/core/task-lists'
import { BrokenRule } from '../simulated/broken-rule.ts'
import { type Chance, CLOCKS } from '../simulated/chance.ts'
import { Links } from '../simulated/links.ts'
import { hasStored, type Stored, type Write } from './disk.ts'
import type { DrawnLogWorld } from './drawn-log-world.ts'
import { type Copy, type Happening, LogMachine, type Reply, type Request } from './log-machine.ts'
import { LogRules } from './log-rules.ts'
import { toldOfStep } from './log-telling.ts'

/** The algorithm that is tried: the core's, or one with a rule broken. */
export type Replica = Pick<
  typeof replicaModule,
  'startAfter' | 'startReplica' | 'stepReplica' | 'wakeReplicaAt' | 'isSure' | 'entriesOf' | 'votersOf'
>

type Event =
  | { readonly arrives: ReplicaMessage; readonly of: number }
  | { readonly wakes: LogMachine; readonly process: number }
  | { readonly synced: LogMachine; readonly process: number }
  | { readonly then: () => void }

/** How often the power of a machine is cut in the middle of an fsync, and just after it, while there is trouble. */
const CRASH_WHEN_SAVING = 0.01

/** How much longer a disk takes for a snapshot than for entries, and the network. */
const SNAPSHOT_TAKES = 4

/** How many copies of a card are kept. */
const MOST_COPIES = 4

/** What no run takes whose messages come to an end: ten times what the longest of the first 600 seeds takes. */
const MOST_STEPS = 400_000

export class LogWorld {
  readonly drawn: DrawnLogWorld
  readonly machines: LogMachine[] = []
  readonly rules: LogRules
  /** The time, in ms. No member knows it. */
  now = 0
  steps = 0
  /** Whether programs crash, messages are very late, and disks hang. */
  isTroubled = true
  /** Whether something may go wrong now beside that: not while a card that was put back is not yet known as such. */
  isSpared = false
  loss: number
  readonly #replica: Replica
  readonly #chance: Chance
  readonly #tell: ((line: string) => void) | undefined
  readonly #events = new DueTimes<Event>()
  readonly #byId = new Map<string, LogMachine>()
  readonly #links = new Links()
  #names: number
  #stores = 0
  #tokens = 0

  constructor(replica: Replica, drawn: DrawnLogWorld, chance: Chance, tell?: (line: string) => void) {
    this.#replica = replica
    this.drawn = drawn
    this.#chance = chance
    this.#tell = tell
    this.loss = drawn.loss
    this.#names = drawn.size
    const founding = Array.from({ length: drawn.size }, (_, index) => ({
      id: this.#newId(`node-${index + 1}`),
      isVoter: true,
    }))
    for (const { id } of founding) this.#add(id, founding)
    this.rules = new LogRules(founding)
  }

  /** For a trace. */
  tell(line: string): void {
    this.#tell?.(`${this.now.toFixed(1).padStart(9)} ${line}`)
  }

  /** Something happens in so many ms. */
  later(ms: number, then: () => void): void {
    this.#events.add(this.now + ms, { then })
  }

  /** Lets time go by. */
  run(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const { next } = this.#events
      const event = this.#events.take(end)
      if (next === undefined || event === undefined) break
      this.now = next
      this.#happens(event)
    }
    this.now = end
  }

  /** A machine with an empty card, whose member knows of no cluster yet. */
  addMachine(): LogMachine {
    this.#names += 1
    return this.#add(this.#newId(`node-${this.#names}`), [])
  }

  #newId(name: string): string {
    this.#stores += 1
    return `${name}~${this.#stores}`
  }

  #add(id: string, founding: readonly LogMember[]): LogMachine {
    const { electionMs, heartbeatMs, kept, batch, clocks } = this.drawn
    const [slowest, fastest] = CLOCKS[clocks]
    const rate = this.#chance.between(slowest, fastest)
    const settings = { id, electionMs, heartbeatMs, kept, batch }
    const machine = new LogMachine(id.replace(/~.*/, ''), rate, settings, emptyCard(founding))
    this.machines.push(machine)
    this.#byId.set(id, machine)
    return machine
  }

  start(machine: LogMachine): void {
    if (machine.state || this.#byId.get(machine.id) !== machine) return
    machine.begin(this.#chance.between(0, 1_000_000))
    const { stored } = machine.disk
    this.#tokens += 1
    const start = this.#replica.startAfter(stored.durable.start, `t${this.#tokens}`)
    const durable = { ...stored.durable, start }
    machine.disk.stored = { ...stored, durable }
    this.rules.termIs(machine.id, durable.term)
    const { pieces: _, ...snapshot } = stored.snapshot
    machine.state = this.#replica.startReplica(
      machine.settings,
      durable,
      { snapshot, entries: stored.entries },
      { now: machine.clockAt(this.now), random: this.#chance.next() },
    )
    this.tell(
      `${machine.id} starts in term ${durable.term}, with entries up to ${machine.state.log.last.index}, and ${stored.snapshot.last.index} of them in a snapshot`,
    )
    this.#planWake(machine)
  }

  /** Cuts the power of a machine. What it was writing is on its card, or some of it. */
  crash(machine: LogMachine): void {
    if (!machine.state) return
    const { process, saving } = machine
    machine.disk.crash(this.#chance)
    machine.end()
    const { stored } = machine.disk
    if (saving && !saving.isSaved && saving.step.state.raft.role === 'leader')
      this.rules.neverWere(saving.step.append.filter(({ term, index }) => !hasStored(stored, term, index)))
    this.tell(
      `${machine.id} crashes, with entries up to ${stored.entries.at(-1)?.index ?? stored.snapshot.last.index} on its card`,
    )
    if (machine.restored) return
    machine.copies = [...machine.copies.slice(1 - MOST_COPIES), { stored, process }]
  }

  /** Puts a card back to what it was like once. The program does not run meanwhile. */
  restore(machine: LogMachine, copy: Copy): void {
    this.crash(machine)
    const { stored } = copy
    machine.restored = { copy, last: machine.process }
    machine.disk.stored = stored
    machine.copies = []
    this.rules.forgets(machine.id)
    this.tell(
      `the card of ${machine.id} is put back to an older copy, with term ${stored.durable.term} and entries up to ${stored.entries.at(-1)?.index ?? stored.snapshot.last.index}`,
    )
  }

  /** A new card: another member, which knows nothing. */
  wipe(machine: LogMachine): void {
    this.crash(machine)
    this.#byId.delete(machine.id)
    const old = machine.id
    machine.replace(this.#newId(machine.name), emptyCard([]))
    this.#byId.set(machine.id, machine)
    this.tell(`the card of ${old} is lost: with a new one it is ${machine.id}`)
  }

  /** Switches a machine off for good. */
  retire(machine: LogMachine): void {
    this.crash(machine)
    this.#byId.delete(machine.id)
    this.machines.splice(this.machines.indexOf(machine), 1)
    this.tell(`${machine.id} is switched off`)
  }

  freeze(machine: LogMachine): void {
    if (!machine.state || machine.isFrozen) return
    machine.isFrozen = true
    this.tell(`${machine.id} is frozen`)
  }

  wake(machine: LogMachine): void {
    if (!machine.isFrozen) return
    machine.isFrozen = false
    this.tell(`${machine.id} goes on`)
    this.#goOn(machine)
  }

  /** Something comes to a program, if it runs. */
  give(machine: LogMachine, happening: Happening): void {
    if (!machine.state) return
    machine.inbox.push(happening)
    this.#work(machine)
  }

  /** One does not hear the other any more. */
  cut(to: LogMachine, from: LogMachine): void {
    this.#links.cut(to.name, from.name)
  }

  cutOff(some: readonly LogMachine[]): void {
    const names = some.map(({ name }) => name)
    this.tell(`cut off: ${names.join(', ')}`)
    this.#links.cutOff(
      names,
      this.machines.map(({ name }) => name),
    )
  }

  healCuts(): void {
    this.#links.healCuts()
    this.tell('all cuts are healed')
  }

  byId(id: string): LogMachine | undefined {
    return this.#byId.get(id)
  }

  /** The one that leads as far as it knows, and of them the one of the newest term. */
  leader(): LogMachine | undefined {
    let leader: LogMachine | undefined
    for (const machine of this.machines)
      if (machine.state?.raft.role === 'leader' && machine.state.raft.term > (leader?.state?.raft.term ?? 0))
        leader = machine
    return leader
  }

  isSure(machine: LogMachine): boolean {
    const { settings, state } = machine
    return state !== undefined && this.#replica.isSure(settings, state, machine.clockAt(this.now))
  }

  #happens(event: Event): void {
    if ('arrives' in event) {
      const { from, to } = event.arrives
      const machine = this.#byId.get(to)
      if (!machine?.state || this.#links.isCut(machine.name, from.replace(/~.*/, ''))) return
      this.#meet(machine, from, event.of)
      if (isPromise(event.arrives)) this.#byId.get(from)?.promised.add(event.of)
      this.give(machine, { kind: 'message', message: event.arrives })
    } else if ('wakes' in event) {
      const { wakes: machine, process } = event
      if (machine.process !== process) return
      if (this.now >= machine.wakesAt) machine.wakesAt = Number.POSITIVE_INFINITY
      if (machine.isTimeWaiting || machine.wakesAt < Number.POSITIVE_INFINITY) return
      machine.isTimeWaiting = true
      this.give(machine, { kind: 'time' })
    } else if ('synced' in event) {
      const { synced: machine, process } = event
      if (machine.process !== process) return
      machine.disk.synced()
      if (this.#mayFail && this.#chance.is(CRASH_WHEN_SAVING)) this.#crashFor(machine)
      this.#sync(machine)
      if (!machine.isFrozen) this.#goOn(machine)
    } else event.then()
  }

  /** To hear the first of what a program says is to have a new connection to it. */
  #meet(machine: LogMachine, from: string, process: number): void {
    if ((machine.met.get(from) ?? 0) >= process) return
    machine.met.set(from, process)
    this.give(machine, { kind: 'met', member: from })
  }

  get #mayFail(): boolean {
    return this.isTroubled && !this.isSpared
  }

  #goOn(machine: LogMachine): void {
    if (machine.saving?.isSaved) this.#finish(machine, machine.saving.step)
    this.#work(machine)
  }

  /** A program takes one thing after the other, and waits for its disk in between. */
  #work(machine: LogMachine): void {
    while (machine.state && !machine.isFrozen && !machine.saving) {
      const happening = machine.inbox.shift()
      if (!happening) return
      if (happening.kind === 'request') this.#request(machine, happening.request)
      else this.#step(machine, happening)
    }
  }

  /** What clients want that has come by now is proposed together. */
  #request(machine: LogMachine, request: Request): void {
    const { state } = machine
    if (!state) return
    if (request.wish.input.kind === 'read') {
      const read = ++machine.lastRead
      machine.reads.set(read, { request })
      this.#step(machine, { kind: 'read', read })
      return
    }
    const requests = [request]
    for (let next = machine.inbox[0]; next?.kind === 'request'; next = machine.inbox[0]) {
      if (next.request.wish.input.kind === 'read') break
      requests.push(next.request)
      machine.inbox.shift()
    }
    const first = state.log.last.index + 1
    const data = requests.map(({ wish }) => JSON.stringify(wish))
    const { append } = this.#step(machine, { kind: 'propose', data })
    const proposed = append.filter(({ kind, index }) => kind === 'data' && index >= first)
    for (const [place, one] of requests.entries()) {
      const entry = proposed[place]
      if (entry) machine.waiting.set(entry.index, { term: entry.term, request: one })
      else this.#reply(one, { leader: state.raft.leader })
    }
    // A cluster of one may have it applied when nobody waits yet.
    this.#apply(machine)
  }

  #step(
    machine: LogMachine,
    happening:
      | Exclude<Happening, { kind: 'request' }>
      | { readonly kind: 'propose'; readonly data: readonly string[] }
      | { readonly kind: 'read'; readonly read: number },
  ): ReplicaStep {
    const { state: before, settings } = machine
    if (!before) throw new TypeError('A program that does not run takes no step.')
    this.steps += 1
    if (this.steps > MOST_STEPS)
      throw new BrokenRule(`all that is said comes to an end: after ${MOST_STEPS} steps it goes on`)
    if (happening.kind === 'time') machine.isTimeWaiting = false
    const input = { ...happening, now: machine.clockAt(this.now), random: this.#chance.next() }
    const step = this.#replica.stepReplica(settings, before, input)
    machine.state = step.state
    if (this.#tell) {
      const told = toldOfStep(before, step)
      if (told.length > 0) this.tell(`${machine.id}: ${told.join('; ')}`)
    }
    if (step.save) this.#write(machine, { kind: 'save', durable: step.save }, () => this.#isSaved(machine))
    this.#keep(machine, before, step)
    this.rules.commits(machine.id, before, step.state, this.#hasStored)
    if (step.save) {
      machine.saving = { step, isSaved: false }
      if (this.#mayFail && this.#chance.is(CRASH_WHEN_SAVING)) this.#crashFor(machine)
    } else this.#finish(machine, step)
    return step
  }

  #isSaved(machine: LogMachine): void {
    if (machine.saving) machine.saving.isSaved = true
  }

  /** Whether an entry is on a card, as far as anybody can know: what was lost with one was there. */
  readonly #hasStored = (id: string, term: number, index: number): boolean => {
    const machine = this.#byId.get(id)
    return !machine || machine.restored !== undefined || hasStored(machine.disk.stored, term, index)
  }

  /** What a step has to be kept of its log. */
  #keep(machine: LogMachine, before: ReplicaState, { state, install, append }: ReplicaStep): void {
    if (install) {
      machine.restore(install)
      this.rules.installs(machine.id, before, install, machine.queue.hashAfter(install.last.index))
      const { last } = install
      this.#write(machine, { kind: 'install', snapshot: install }, () => this.#durable(machine, last))
    }
    const last = append.at(-1)
    if (!last) return
    this.rules.writes(machine.id, before, state, append)
    this.#write(machine, { kind: 'append', entries: append }, () => this.#durable(machine, last))
  }

  #durable(machine: LogMachine, { term, index }: { term: number; index: number }): void {
    machine.inbox.push({ kind: 'durable', last: { term, index } })
  }

  #write(machine: LogMachine, write: Write, then: () => void): void {
    machine.disk.write(write, then)
    this.#sync(machine)
  }

  /** An fsync begins, if there is something for it and none is going on. */
  #sync(machine: LogMachine): void {
    const { disk, process } = machine
    if (!machine.state || !disk.isWaiting) return
    const isLong = disk.sync().some(({ kind }) => kind === 'install')
    const isHanging = this.#mayFail && this.#chance.is(0.01)
    const mean = isHanging ? this.drawn.electionMs : this.drawn.saveMs * (isLong ? SNAPSHOT_TAKES : 1)
    this.#events.add(this.now + this.#chance.wait(mean), { synced: machine, process })
  }

  #crashFor(machine: LogMachine): void {
    this.crash(machine)
    this.later(this.#chance.wait(this.drawn.electionMs / 4), () => this.start(machine))
  }

  /** What a step says is said, now that what it saves is saved. */
  #finish(machine: LogMachine, { messages, reads }: ReplicaStep): void {
    const { state } = machine
    machine.saving = undefined
    if (!state) return
    for (const message of messages) this.#say(machine, state, message)
    const { raft } = state
    if (raft.role === 'leader') this.rules.leads(machine.id, state, this.#replica.votersOf(state))
    for (const { id, index } of reads) {
      if (raft.role === 'leader') this.rules.mayRead(machine.id, state, index)
      const read = machine.reads.get(id)
      if (read) machine.reads.set(id, { ...read, from: index })
    }
    this.#apply(machine)
    this.#planWake(machine)
  }

  #say(machine: LogMachine, state: ReplicaState, message: ReplicaMessage): void {
    this.rules.said(message, state)
    if (isVote(message) && machine.hasForgotten)
      throw new BrokenRule(`who has an older store does not vote: ${machine.id} does`)
    const sent = message.type === 'snapshot' ? withPieces(machine, message) : message
    if (!sent) return
    this.#send(machine, sent)
    if (this.drawn.doubled > 0 && this.#chance.is(this.drawn.doubled)) this.#send(machine, sent)
  }

  #send({ process }: LogMachine, message: ReplicaMessage): void {
    const { loss, drawn } = this
    if (loss > 0 && this.#chance.is(loss)) return
    const isLate = this.#mayFail && this.#chance.is(drawn.late)
    const mean = drawn.delayMs * (message.type === 'snapshot' ? SNAPSHOT_TAKES : 1)
    const ms = isLate ? this.#chance.between(0, 3 * drawn.electionMs) : this.#takes(mean)
    this.#events.add(this.now + ms, { arrives: message, of: process })
  }

  #takes(mean: number): number {
    return this.#chance.wait(mean)
  }

  /** A client sends something to a member. */
  request(machine: LogMachine, request: Request): void {
    if (this.loss > 0 && this.#chance.is(this.loss)) return
    this.later(this.#takes(this.drawn.delayMs), () => this.give(machine, { kind: 'request', request }))
  }

  #reply(request: Request, reply: Reply): void {
    if (this.loss > 0 && this.#chance.is(this.loss)) return
    this.later(this.#takes(this.drawn.delayMs), () => request.reply(reply))
  }

  /** Applies what is committed, tells who waits for it, and takes a snapshot now and then. */
  #apply(machine: LogMachine): void {
    const { state } = machine
    if (!state) return
    if (machine.applied < state.commit) {
      const entries = this.#replica.entriesOf(state, machine.applied + 1, state.commit)
      for (const entry of entries) {
        const output = entry.kind === 'data' ? machine.queue.apply(entry) : undefined
        const hash = machine.queue.hashAfter(entry.index)
        this.rules.applies(machine.id, machine.applied, entry, hash, state.raft.term)
        machine.applied = entry.index
        const waiting = machine.waiting.get(entry.index)
        if (!waiting) continue
        machine.waiting.delete(entry.index)
        this.rules.acknowledged(entry.index)
        if (waiting.term === entry.term && output) this.#reply(waiting.request, { output })
      }
      if (machine.applied !== state.commit)
        throw new BrokenRule(
          `no entry is left out: ${machine.id} has applied ${machine.applied}, and ${state.commit} is committed`,
        )
    }
    for (const [read, { request, from }] of machine.reads)
      if (from !== undefined && from <= machine.applied) {
        machine.reads.delete(read)
        this.#reply(request, { output: machine.queue.read(request.wish.task) })
      }
    if (machine.applied - machine.snapshotAfter >= this.drawn.snapshotEach) this.#takeSnapshot(machine, state)
  }

  #takeSnapshot(machine: LogMachine, state: ReplicaState): void {
    const [entry] = this.#replica.entriesOf(state, machine.applied, machine.applied)
    if (!entry || machine.isTakingSnapshot) return
    const { term, index, time } = entry
    const members = state.members.findLast((one) => one.index <= index)?.members ?? []
    const head = { last: { term, index }, time, members }
    const pieces = machine.queue.snapshot()
    this.rules.snapshotIs(machine.id, head, machine.queue.hashAfter(index))
    // Not each time after the same number.
    machine.snapshotAfter = index + this.#chance.whole(0, this.drawn.snapshotEach)
    machine.isTakingSnapshot = true
    const { process } = machine
    // It is written beside the log, which goes on meanwhile, and counts from when the log says so.
    this.later(this.#takes(SNAPSHOT_TAKES * this.drawn.saveMs), () => {
      if (machine.process !== process) return
      machine.isTakingSnapshot = false
      const snapshot: LogSnapshot = { ...head, pieces: pieces() }
      this.#write(machine, { kind: 'snapshot', snapshot }, () =>
        machine.inbox.push({ kind: 'snapshotted', last: head.last }),
      )
    })
  }

  #planWake(machine: LogMachine): void {
    const { state, settings } = machine
    if (!state) return
    const wakeAt = this.#replica.wakeReplicaAt(settings, state)
    if (wakeAt === Number.POSITIVE_INFINITY) return
    const at = Math.max(this.now, machine.timeAt(wakeAt)) + 0.01
    if (at >= machine.wakesAt && machine.wakesAt > this.now) return
    machine.wakesAt = at
    this.#events.add(at, { wakes: machine, process: machine.process })
  }
}

/** A snapshot with the state machine in it: the newest on the card. Nothing while it is still on its way there. */
function withPieces(
  { disk }: LogMachine,
  message: Extract<ReplicaMessage, { type: 'snapshot' }>,
): ReplicaMessage | undefined {
  const { snapshot } = disk.stored
  return snapshot.last.index >= message.snapshot.last.index ? { ...message, snapshot } : undefined
}

function isVote(message: ReplicaMessage): boolean {
  return message.type === 'vote' || (message.type === 'vote_answer' && message.granted)
}

/** A member binds itself with its vote, and with what it says to have on its disk. */
function isPromise(message: ReplicaMessage): boolean {
  return isVote(message) || message.type === 'append_answer'
}

function emptyCard(founding: readonly LogMember[]): Stored {
  const durable: ReplicaDurable = {
    term: 0,
    votedFor: null,
    start: { number: 0, token: '', before: '' },
    seen: {},
  }
  const snapshot = { last: { term: 0, index: 0 }, time: 0, members: founding, pieces: [] }
  return { durable, snapshot, entries: [] }
}
