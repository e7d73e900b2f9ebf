/**
 * Who looks after the cluster: has members come and go, replaces a card that is lost, and puts one back to an older copy, which is
 * a mistake. One thing at a time, until it is done.
 */
import type { LogMember } from '@rpi-cluster/core/replica'
import type { Chance } from '../simulated/chance.ts'
import type { LogMachine } from './log-machine.ts'
import type { LogWorld } from './log-world.ts'

/** How many members there are at most. */
const MOST_MEMBERS = 5

/** By when after a card was put back nothing keeps its member from the others, and by when it votes in any case, in time-outs. */
const SPARED_AFTER = 4
const SPARED_UNTIL = 14

/** What the operator is at. */
type Job =
  | { readonly kind: 'add'; readonly id: string }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'replace'; readonly id: string; readonly by: string }
  | { readonly kind: 'restore'; readonly machine: LogMachine; readonly since: number }

export class Operator {
  readonly #world: LogWorld
  readonly #chance: Chance
  #job: Job | undefined
  #changes = 0

  constructor(world: LogWorld, chance: Chance) {
    this.#world = world
    this.#chance = chance
    this.#lookAgain()
  }

  /** How often it was at something. */
  get changes(): number {
    return this.#changes
  }

  get isDone(): boolean {
    return this.#job === undefined
  }

  /** Begins something, if it is at nothing. */
  begin(): void {
    if (this.#job) return
    this.#beginAny()
    if (this.#job) this.#changes += 1
  }

  #beginAny(): void {
    const { members } = this.#world.rules
    const voters = members.filter(({ isVoter }) => isVoter)
    const kind = this.#chance.next()
    const { id } = this.#chance.one(members)
    const machine = this.#world.byId(id)
    if (!machine) return
    if (kind < 0.25 && members.length < MOST_MEMBERS) this.#add()
    else if (kind < 0.4 && voters.length > 1) {
      this.#job = { kind: 'remove', id }
      this.#world.tell(`the operator removes ${id}`)
    } else if (kind < 0.65 && voters.length > 2) {
      this.#world.wipe(machine)
      this.#world.later(this.#chance.wait(this.#world.drawn.electionMs), () => this.#world.start(machine))
      this.#job = { kind: 'replace', id, by: machine.id }
    } else if (voters.length > 2 && machine.copies.length > 0) this.#restore(machine)
  }

  #add(): void {
    const machine = this.#world.addMachine()
    this.#world.tell(`the operator adds ${machine.id}`)
    this.#world.start(machine)
    this.#job = { kind: 'add', id: machine.id }
  }

  #restore(machine: LogMachine): void {
    const { drawn } = this.#world
    this.#world.restore(machine, this.#chance.one(machine.copies))
    this.#job = { kind: 'restore', machine, since: this.#world.now }
    // For so long any trouble may go on, and then none: the others can be heard before it votes without having heard them.
    this.#world.later(SPARED_AFTER * drawn.electionMs, () => this.#spare())
    this.#world.later(this.#chance.wait(drawn.electionMs), () => this.#world.start(machine))
  }

  #spare(): void {
    if (this.#job?.kind !== 'restore') return
    this.#world.isSpared = true
    this.#world.healCuts()
    for (const machine of this.#world.machines) {
      this.#world.wake(machine)
      this.#world.start(machine)
    }
  }

  #lookAgain(): void {
    const { electionMs } = this.#world.drawn
    this.#world.later(this.#chance.wait(electionMs / 2), () => {
      if (this.#job) this.#look(this.#job)
      else this.#lookForOlder()
      this.#lookAgain()
    })
  }

  #look(job: Job): void {
    if (job.kind === 'restore') {
      this.#lookAfterRestored(job)
      return
    }
    if (isDone(job, this.#world.rules.members)) {
      this.#world.tell(`the operator is done: ${job.kind} ${job.id}`)
      this.#job = undefined
      const gone = job.kind === 'remove' ? this.#world.byId(job.id) : undefined
      // It is switched off some time, or never.
      if (gone && this.#chance.is(0.5)) this.#world.retire(gone)
      return
    }
    const leader = this.#world.leader()
    if (!leader?.state) return
    if (job.kind === 'remove' && leader.id === job.id) {
      this.#world.give(leader, { kind: 'hand_over' })
      return
    }
    const known = leader.state.members.at(-1)?.members ?? []
    const isHasty = this.#chance.is(0.1)
    const members = isHasty ? this.#twoAtOnce(job, known) : wanted(job, known)
    if (members) this.#world.give(leader, { kind: 'members', members })
    // The wrong one to hand over to, but who knows that in a hurry?
    if (job.kind === 'remove' && this.#chance.is(0.2))
      this.#world.give(leader, { kind: 'hand_over', to: job.id })
  }

  /** Who is impatient has one voter go and another one come at once. That must not be. */
  #twoAtOnce(job: Exclude<Job, { kind: 'restore' }>, members: readonly LogMember[]): readonly LogMember[] {
    const young = job.kind === 'replace' ? job.by : job.id
    const others = members.filter(({ id }) => id !== young)
    const gone = this.#chance.one(others)
    const isThere = members.some(({ id, isVoter }) => id === young && isVoter)
    if (isThere || !gone?.isVoter) return members
    return [...others.filter((member) => member !== gone), { id: young, isVoter: true }]
  }

  /** Some hear late that their store is older than it was. */
  #lookForOlder(): void {
    const { members } = this.#world.rules
    const machine = this.#world.machines.find(
      ({ id, state }) => state?.older != null && members.some((member) => member.id === id),
    )
    if (machine) this.#job = { kind: 'restore', machine, since: this.#world.now }
  }

  /** A card that was put back: when the others have said so, it is a case for a new one. */
  #lookAfterRestored({ machine, since }: Extract<Job, { kind: 'restore' }>): void {
    const isOlder = machine.state?.older != null
    if (!isOlder && this.#world.now - since < SPARED_UNTIL * this.#world.drawn.electionMs) return
    this.#world.isSpared = false
    const { id } = machine
    if (isOlder) {
      this.#world.wipe(machine)
      this.#world.later(this.#chance.wait(this.#world.drawn.electionMs), () => this.#world.start(machine))
    } else machine.restored = undefined
    this.#job = isOlder ? { kind: 'replace', id, by: machine.id } : undefined
  }
}

function isDone(job: Exclude<Job, { kind: 'restore' }>, members: readonly LogMember[]): boolean {
  const isVoter = (id: string) => members.some((member) => member.id === id && member.isVoter)
  const isThere = (id: string) => members.some((member) => member.id === id)
  switch (job.kind) {
    case 'add':
      return isVoter(job.id)
    case 'remove':
      return !isThere(job.id)
    case 'replace':
      return isVoter(job.by) && !isThere(job.id)
  }
}

/** The next step on the way there: undefined when the rest comes by itself. */
function wanted(
  job: Exclude<Job, { kind: 'restore' }>,
  members: readonly LogMember[],
): readonly LogMember[] | undefined {
  const has = (id: string) => members.some((member) => member.id === id)
  switch (job.kind) {
    case 'add':
      return has(job.id) ? undefined : [...members, { id: job.id, isVoter: false }]
    case 'remove':
      return has(job.id) ? members.filter(({ id }) => id !== job.id) : undefined
    case 'replace': {
      if (!has(job.id) && has(job.by)) return undefined
      const rest = members.filter(({ id }) => id !== job.id)
      return has(job.by) ? rest : [...rest, { id: job.by, isVoter: false }]
    }
  }
}
