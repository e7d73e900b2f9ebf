/** Members, their machines, and the network between them, in one process: what happens next is the next event of a queue. */
import type * as raftModule from '@rpi-cluster/core/raft'
import type { RaftMessage, RaftState, RaftStep } from '@rpi-cluster/core/raft'
import { DueTimes } from '@rpi-cluster/core/task-lists'
import { toldOf } from '../../../core/test/raft-telling.ts'
import { BrokenRule } from '../simulated/broken-rule.ts'
import type { Chance } from '../simulated/chance.ts'
import { Links } from '../simulated/links.ts'
import type { DrawnWorld } from './drawn-world.ts'
import { type Happening, Machine } from './machine.ts'
import { Rules } from './rules.ts'

/** The algorithm that is tried: the core's, or one with a rule broken. */
export type Raft = Pick<typeof raftModule, 'startRaft' | 'stepRaft' | 'wakeAt' | 'holdsLead'>

type Event =
  | { readonly arrives: RaftMessage }
  | { readonly wakes: Machine; readonly process: number }
  | { readonly saved: Machine; readonly process: number }
  | { readonly then: () => void }

/** How often a program is killed in the middle of saving, and just after it, while there is trouble. */
const CRASH_WHEN_SAVING = 0.03

export class World {
  readonly drawn: DrawnWorld
  readonly machines: readonly Machine[]
  readonly rules: Rules
  /** The time, in ms. No member knows it. */
  now = 0
  steps = 0
  /** Whether programs crash, messages are very late, and disks hang. */
  isTroubled = true
  loss: number
  readonly #raft: Raft
  readonly #chance: Chance
  readonly #tell: ((line: string) => void) | undefined
  readonly #events = new DueTimes<Event>()
  readonly #byName = new Map<string, Machine>()
  #news = ''
  readonly #links = new Links()

  constructor(raft: Raft, drawn: DrawnWorld, chance: Chance, tell?: (line: string) => void) {
    this.#raft = raft
    this.drawn = drawn
    this.#chance = chance
    this.#tell = tell
    this.loss = drawn.loss
    const { members, electionMs, heartbeatMs, rates, logs } = drawn
    this.machines = members.map((id, index) => {
      const settings = { id, members, electionMs, heartbeatMs }
      return new Machine(settings, rates[index] as number, logs[index] as Machine['lastEntry'])
    })
    for (const machine of this.machines) this.#byName.set(machine.name, machine)
    this.rules = new Rules(new Map(this.machines.map(({ name, lastEntry }) => [name, lastEntry])))
  }

  /** For a trace. */
  tell(line: string): void {
    this.#tell?.(`${this.now.toFixed(1).padStart(9)} ${line}`)
  }

  /** For a trace, unless it was told last. */
  tellNews(line: string): void {
    if (line !== this.#news) this.tell(line)
    this.#news = line
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

  start(machine: Machine): void {
    if (machine.state) return
    machine.begin(this.#chance.between(0, 1_000_000))
    this.rules.started(machine.name, machine.disk.term)
    const state = this.#raft.startRaft(machine.settings, machine.disk, {
      now: machine.clockAt(this.now),
      random: this.#chance.next(),
    })
    machine.state = { ...state, lastEntry: machine.lastEntry }
    this.tell(`${machine.name} starts in term ${machine.disk.term}`)
    this.#planWake(machine)
  }

  /** Kills a program. What it was saving is on its disk, or it is not. */
  crash(machine: Machine): void {
    if (!machine.state) return
    const save = machine.saving?.save
    if (save && this.#chance.is(0.5)) machine.disk = save
    machine.end()
    const became = save ? `, and what it was saving is ${machine.disk === save ? 'kept' : 'lost'}` : ''
    this.tell(`${machine.name} crashes${became}`)
  }

  freeze(machine: Machine): void {
    if (!machine.state || machine.isFrozen) return
    machine.isFrozen = true
    this.tell(`${machine.name} is frozen`)
  }

  wake(machine: Machine): void {
    if (!machine.isFrozen) return
    machine.isFrozen = false
    this.tell(`${machine.name} goes on`)
    if (machine.saving && machine.disk === machine.saving.save) this.#finish(machine, machine.saving)
    this.#work(machine)
  }

  handOver(machine: Machine, to: string): void {
    this.tell(`${machine.name} is to hand over to ${to}`)
    this.#happensTo(machine, { kind: 'hand_over', to })
  }

  /** One does not hear the other any more. */
  cut(to: Machine, from: Machine): void {
    this.#links.cut(to.name, from.name)
  }

  cutOff(some: readonly Machine[]): void {
    const names = some.map(({ name }) => name)
    this.tell(`cut off: ${names.join(', ')}`)
    this.#links.cutOff(names, this.drawn.members)
  }

  /** Nothing gets through from one to the other for so long, and then all of it. */
  stall(to: Machine, from: Machine, ms: number): void {
    this.#links.stall(to.name, from.name, this.now + ms)
  }

  healCuts(): void {
    this.#links.healCuts()
    this.tell('all cuts are healed')
  }

  /** The one that all follow, and that is sure of it. */
  settledOn(): Machine | undefined {
    const leader = this.machines.find((machine) => this.#holdsLead(machine))
    if (!leader) return undefined
    const isFollowed = ({ state }: Machine) =>
      state?.leader === leader.name && state.term === leader.state?.term
    return this.machines.every(isFollowed) ? leader : undefined
  }

  #holdsLead(machine: Machine): boolean {
    const { settings, state } = machine
    return state !== undefined && this.#raft.holdsLead(settings, state, machine.clockAt(this.now))
  }

  #happens(event: Event): void {
    if ('arrives' in event) {
      const { from, to } = event.arrives
      const machine = this.#byName.get(to) as Machine
      if (!this.#links.isCut(to, from)) this.#happensTo(machine, { kind: 'message', message: event.arrives })
    } else if ('wakes' in event) {
      const { wakes: machine, process } = event
      if (machine.process !== process) return
      if (this.now >= machine.wakesAt) machine.wakesAt = Number.POSITIVE_INFINITY
      if (machine.isTimeWaiting || machine.wakesAt < Number.POSITIVE_INFINITY) return
      machine.isTimeWaiting = true
      this.#happensTo(machine, { kind: 'time' })
    } else if ('saved' in event) {
      const { saved: machine, process } = event
      if (machine.process !== process || !machine.saving?.save) return
      machine.disk = machine.saving.save
      if (this.isTroubled && this.#chance.is(CRASH_WHEN_SAVING)) this.#crashFor(machine)
      if (machine.isFrozen || !machine.saving) return
      this.#finish(machine, machine.saving)
      this.#work(machine)
    } else event.then()
  }

  #happensTo(machine: Machine, happening: Happening): void {
    if (!machine.state) return
    machine.inbox.push(happening)
    this.#work(machine)
  }

  /** A program takes one thing after the other, and waits for its disk in between. */
  #work(machine: Machine): void {
    while (machine.state && !machine.isFrozen && !machine.saving) {
      const happening = machine.inbox.shift()
      if (!happening) return
      this.#step(machine, happening)
    }
  }

  #step(machine: Machine, happening: Happening): void {
    const { state: before, settings } = machine
    if (!before) return
    this.steps += 1
    if (happening.kind === 'time') machine.isTimeWaiting = false
    const input = machine.input(happening, this.now, this.#chance.next())
    const step = this.#raft.stepRaft(settings, before, input)
    machine.state = step.state
    if (this.#tell) {
      const told = toldOf(before, input, step)
      if (told.length > 0) this.tell(`${machine.name}: ${told.join('; ')}`)
    }
    this.#look(machine, before, happening)
    if (step.save) {
      machine.saving = step
      const isHanging = this.isTroubled && this.#chance.is(0.02)
      const ms = isHanging ? this.#chance.wait(this.drawn.electionMs) : this.#takes(this.drawn.saveMs)
      this.#events.add(this.now + ms, { saved: machine, process: machine.process })
      if (this.isTroubled && this.#chance.is(CRASH_WHEN_SAVING)) this.#crashFor(machine)
    } else this.#finish(machine, step)
  }

  #crashFor(machine: Machine): void {
    this.crash(machine)
    this.later(this.#chance.wait(this.drawn.electionMs / 4), () => this.start(machine))
  }

  /** What a step says is said, now that it is saved. */
  #finish(machine: Machine, { messages }: RaftStep): void {
    machine.saving = undefined
    for (const message of messages) {
      this.rules.said(message)
      this.#send(message)
      if (this.drawn.doubled > 0 && this.#chance.is(this.drawn.doubled)) this.#send(message)
    }
    if (machine.state?.role === 'leader') this.rules.leads(machine.name, machine.state)
    this.#planWake(machine)
  }

  #send(message: RaftMessage): void {
    const { loss, drawn } = this
    if (loss > 0 && this.#chance.is(loss)) return
    const isLate = this.isTroubled && this.#chance.is(drawn.late)
    const ms = isLate ? this.#chance.between(0, 3 * drawn.electionMs) : this.#takes(drawn.delayMs)
    const stalledUntil = this.#links.stalledUntil(message.to, message.from)
    this.#events.add(Math.max(this.now + ms, stalledUntil), { arrives: message })
  }

  #takes(mean: number): number {
    return this.drawn.isEven ? mean : this.#chance.wait(mean)
  }

  #planWake(machine: Machine): void {
    const { state, settings } = machine
    if (!state) return
    const at = Math.max(this.now, machine.timeAt(this.#raft.wakeAt(settings, state))) + 0.01
    if (at >= machine.wakesAt && machine.wakesAt > this.now) return
    machine.wakesAt = at
    this.#events.add(at, { wakes: machine, process: machine.process })
  }

  /** What must hold of those who lead. */
  #look(machine: Machine, before: RaftState, happening: Happening): void {
    const { state, settings } = machine
    if (state?.role !== 'leader') return
    const clock = machine.clockAt(this.now)
    if (before.role !== 'leader' || state.term !== before.term) {
      machine.answeredAt.clear()
      machine.leadsSince = clock
    }
    if (
      happening.kind === 'message' &&
      happening.message.type === 'heartbeat_answer' &&
      happening.message.term === state.term
    )
      machine.answeredAt.set(happening.message.from, clock)
    const times = settings.members
      .filter((member) => member !== machine.name)
      .map((member) => machine.answeredAt.get(member) ?? machine.leadsSince)
      .sort((a, b) => b - a)
    const heardAt = [clock, ...times][Math.floor(settings.members.length / 2)] as number
    if (clock - heardAt > settings.electionMs + 0.001)
      throw new BrokenRule(
        `a leader that no majority hears stops: ${machine.name} has led term ${state.term} for ${Math.round(clock - heardAt)} ms without an answer of one`,
      )
    if (this.drawn.clocks === 'wild' || !this.#holdsLead(machine)) return
    for (const other of this.machines)
      if (other !== machine && this.#holdsLead(other))
        throw new BrokenRule(
          `one is sure to lead: ${other.name}, of term ${other.state?.term}, and ${machine.name}, of term ${state.term}, both are`,
        )
  }
}
