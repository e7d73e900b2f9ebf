/**
 * Members in one process, with a clock and a network that a scenario has in its hand: what stands in `raft/*.txt` is done, and
 * what the members do is told. A message takes 10 ms. Nothing is left to chance.
 *
 * | Command | What it does |
 * | --- | --- |
 * | `members NAME...` | starts members. An election takes 1,000 to 2,000 ms, a heartbeat goes each 100 ms |
 * | `patience NAME MS` | how long this one waits for a leader. Otherwise 1,100 ms, and 100 ms more for each next member |
 * | `pass MS` | lets time go by |
 * | `cut NAME...` | cuts these off from the others, but not from each other |
 * | `cut-from NAME NAME` | the first does not hear the second any more, in one direction |
 * | `heal` | ends all cuts |
 * | `freeze NAME`, `wake NAME` | stops a program, and lets it go on: what came meanwhile waits for it |
 * | `crash NAME`, `start NAME` | kills it, and starts it from what it had saved |
 * | `crash-when-saving NAME lost`, or `kept` | kills it at its next save: before it is on the disk, or just after, with nothing said |
 * | `hand-over NAME [NAME]` | asks a leader to hand over |
 * | `log NAME TERM/INDEX` | gives it a log that ends so |
 * | `deliver TYPE FROM TO TERM [yes]` | an answer that was on its way for long arrives |
 * | `who` | tells what each of them is now |
 */
import {
  type Durable,
  holdsLead,
  type RaftInput,
  type RaftMessage,
  type RaftSettings,
  type RaftState,
  startRaft,
  stepRaft,
  wakeAt,
} from '../src/raft.ts'
import { toldOf } from './raft-telling.ts'

const ELECTION_MS = 1_000
const HEARTBEAT_MS = 100
const DELAY_MS = 10

/** A command, what stands before it, and what was told when it was done. */
export interface Scene {
  readonly command: string
  readonly before: string
  readonly told: string
}

/** The scenes of a file: a comment, a command, `----`, and lines up to an empty one. */
export function scenesOf(text: string): Scene[] {
  return [...text.matchAll(/((?:^(?:#.*)?\n)*)^(.+)\n----\n((?:.+\n)*)/gm)].map(
    ([, before = '', command = '', told = '']) => ({ before, command, told }),
  )
}

interface Member {
  readonly settings: RaftSettings
  patienceMs: number
  disk: Durable
  lastEntry: RaftState['lastEntry']
  state: RaftState | undefined
  isFrozen: boolean
  waiting: RaftMessage[]
  crashesWhenSaving: 'lost' | 'kept' | undefined
}

/** What a scenario is about. */
export class Scenario {
  #now = 0
  readonly #members = new Map<string, Member>()
  /** Who does not hear whom: `to < from`. */
  readonly #cut = new Set<string>()
  #underWay: { at: number; message: RaftMessage }[] = []
  #told: string[] = []

  /** Does a command, and tells what came of it. */
  do(command: string): string {
    this.#told = []
    const [verb = '', ...words] = command.split(' ')
    const act = this.#commands[verb]
    if (!act) throw new TypeError(`There is no command ${verb}`)
    act(...words)
    return this.#told.map((line) => `${line}\n`).join('') || 'nothing is told\n'
  }

  readonly #commands: Record<string, (...words: string[]) => void> = {
    members: (...names) => this.#begin(names),
    pass: (ms) => this.#pass(Number(ms)),
    heal: () => this.#cut.clear(),
    who: () => this.#tellWho(),
    cut: (...names) => {
      for (const one of this.#members.keys())
        for (const other of names)
          if (!names.includes(one)) this.#cut.add(`${one} < ${other}`).add(`${other} < ${one}`)
    },
    'cut-from': (to = '', from = '') => this.#cut.add(`${this.#member(to).settings.id} < ${from}`),
    patience: (name, ms) => {
      const member = this.#member(name)
      member.patienceMs = Number(ms)
      // The wait that has begun is this long, too.
      if (member.state?.role === 'follower')
        member.state = { ...member.state, electionAt: member.state.heardAt + member.patienceMs }
    },
    freeze: (name) => {
      this.#member(name).isFrozen = true
    },
    wake: (name) => this.#wake(this.#member(name)),
    crash: (name) => this.#crash(this.#member(name)),
    start: (name) => this.#start(this.#member(name)),
    'crash-when-saving': (name, what) => {
      this.#member(name).crashesWhenSaving = what === 'lost' ? 'lost' : 'kept'
    },
    'hand-over': (name, to) => this.#step(this.#member(name), { kind: 'hand_over', to }),
    log: (name, end = '') => {
      const member = this.#member(name)
      const [term = 0, index = 0] = end.split('/').map(Number)
      member.lastEntry = { term, index }
      if (member.state) member.state = { ...member.state, lastEntry: member.lastEntry }
    },
    deliver: (type, from = '', to = '', term = '', ...words) => {
      const message = { type, from, to, term: Number(term), granted: words.includes('yes') }
      this.#hear(message as RaftMessage)
    },
  }

  /** Others that were there before are forgotten. */
  #begin(members: string[]): void {
    this.#members.clear()
    this.#cut.clear()
    this.#underWay = []
    this.#now = 0
    for (const [index, id] of members.entries()) {
      const member: Member = {
        settings: { id, members, electionMs: ELECTION_MS, heartbeatMs: HEARTBEAT_MS },
        patienceMs: 1_100 + 100 * index,
        disk: { term: 0, votedFor: null },
        lastEntry: { term: 0, index: 0 },
        state: undefined,
        isFrozen: false,
        waiting: [],
        crashesWhenSaving: undefined,
      }
      this.#members.set(id, member)
      this.#start(member)
    }
  }

  #member(name = ''): Member {
    const member = this.#members.get(name)
    if (!member) throw new TypeError(`There is no member ${name}`)
    return member
  }

  #start(member: Member): void {
    const { settings, disk, lastEntry } = member
    member.state = { ...startRaft(settings, disk, this.#moment(member)), lastEntry }
    this.#tell(member, [`follower in term ${disk.term}`])
  }

  #crash(member: Member): void {
    member.state = undefined
    member.waiting = []
    member.crashesWhenSaving = undefined
  }

  #wake(member: Member): void {
    member.isFrozen = false
    for (const message of member.waiting.splice(0)) this.#step(member, { kind: 'message', message })
  }

  /** The next thing happens, and the next, until the time is over. */
  #pass(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const awake = [...this.#members.values()].filter(({ state, isFrozen }) => state && !isFrozen)
      const alarms = awake.map((member) => ({
        at: wakeAt(member.settings, member.state as RaftState),
        member,
      }))
      const next = Math.min(...alarms.map(({ at }) => at), ...this.#underWay.map(({ at }) => at))
      if (next > end) break
      this.#now = Math.max(this.#now, next)
      const arrived = this.#underWay.filter(({ at }) => at <= next)
      this.#underWay = this.#underWay.filter(({ at }) => at > next)
      for (const { message } of arrived)
        if (!this.#cut.has(`${message.to} < ${message.from}`)) this.#hear(message)
      for (const { at, member } of alarms) if (at <= next) this.#step(member, { kind: 'time' })
    }
    this.#now = end
  }

  #hear(message: RaftMessage): void {
    const member = this.#member(message.to)
    if (member.isFrozen) member.waiting.push(message)
    else this.#step(member, { kind: 'message', message })
  }

  #step(
    member: Member,
    what:
      | { kind: 'time' }
      | { kind: 'message'; message: RaftMessage }
      | { kind: 'hand_over'; to?: string | undefined },
  ): void {
    const { state: before, settings } = member
    if (!before) return
    const input: RaftInput = { ...what, ...this.#moment(member) }
    const step = stepRaft(settings, before, input)
    if (step.save && member.crashesWhenSaving) {
      if (member.crashesWhenSaving === 'kept') member.disk = step.save
      this.#tell(member, [`crashes, with term ${member.disk.term} on its disk`])
      this.#crash(member)
      return
    }
    this.#tell(member, toldOf(before, input, step))
    member.state = step.state
    member.disk = step.save ?? member.disk
    for (const message of step.messages)
      if (!this.#cut.has(`${message.to} < ${settings.id}`))
        this.#underWay.push({ at: this.#now + DELAY_MS, message })
  }

  #moment({ patienceMs }: Member): { now: number; random: number } {
    return { now: this.#now, random: (patienceMs - ELECTION_MS) / ELECTION_MS }
  }

  #tell({ settings }: Member, what: string[]): void {
    if (what.length > 0)
      this.#told.push(`${String(this.#now).padStart(5)} ${settings.id}: ${what.join('; ')}`)
  }

  #tellWho(): void {
    for (const member of this.#members.values()) {
      const { state, settings } = member
      if (!state) this.#tell(member, ['is not running'])
      else if (state.role !== 'leader')
        this.#tell(member, [
          `${state.role} in term ${state.term}`,
          state.leader ? `follows ${state.leader}` : 'knows no leader',
        ])
      else
        this.#tell(member, [
          `leader in term ${state.term}`,
          holdsLead(settings, state, this.#now) ? 'sure that nobody else leads' : 'not sure of it',
        ])
    }
  }
}
