/**
 * Which node a task is given to: of those that can do it and have room, the one that is expected to have done it first. A
 * slow node gets less, and is measured again now and then. Nothing here knows of sockets, or what time it is.
 *
 * @since 0.24.0
 */

/** How much of short tasks may lie ready at a node beyond what it does now, in ms: more than the way there and back takes. */
const AHEAD_MS = 50

/**
 * How many tasks may be at a node for each of its slots, however short they are.
 *
 * @internal
 */
export const MOST_A_SLOT = 256

/** What a task is taken to need that nobody has done yet, in ms: too long to lie ready anywhere. */
const UNKNOWN_MS = 100

/** For how many that a node has done one more may lie ready there: the first parts of a picture may be the shortest. */
const DONE_FOR_ONE_AHEAD = 16

/** How much of the slowest is forgotten with each that follows. */
const FORGOTTEN = 1 / 64

/** How much of an estimate the last task makes out. */
const WEIGHT = 0.2

/** How long an estimate is believed, in ms; it drifts back to what others need by half in this time again. */
const BELIEVED_MS = 30_000

/** How much slower a task is taken to be at a node whose every slot is taken: cores share their memory. */
const CROWDING = 0.25

/**
 * What a task needs of a node: its name, and what else makes a difference. Many tasks share one.
 *
 * @internal
 */
export interface Demand {
  readonly name: string
  readonly version: number
  readonly memoryMb: number
  readonly requires: readonly string[]
}

/**
 * What a node says that it can do.
 *
 * @internal
 */
export interface Abilities {
  /** By the names of tasks: which version of each. */
  tasks: ReadonlyMap<string, number>
  /** How many it does at once. */
  slots: number
  /** How much memory it has for them, in MiB. */
  memoryMb: number
  has: ReadonlySet<string>
  draining: boolean
}

/** How long a task takes at a node. */
interface Speed {
  ms: number
  at: number
  /** How many it has done. */
  count: number
  /** How long the slowest of late took, in ms: less of it counts with each that follows. */
  slowestMs: number
}

/** The numbers of a decision, kept until somebody wants to read them. */
interface Decision {
  name: string
  waitMs: number
  ms: number
  inFlight: number
  /** The next best, if there was one. */
  other: Worker | undefined
  otherMs: number
  /** How many could have done it, and had room. */
  choices: number
}

/**
 * A node that does tasks.
 *
 * @internal
 */
export class Worker {
  /** What it is called. */
  name: string
  /** Who it is, for longer than a connection. */
  readonly identity: string
  abilities: Abilities
  /** Whether what was sent to it waits for it to read. */
  isFull = false
  /** It gave tasks back, and is left alone until then. */
  restsUntil = 0
  /** It is to have nothing else, for a task that is tried alone. */
  isReserved = false
  /** What is at it: how many, those of them that are no short ones, what these and those are expected to take, and the memory. */
  inFlight = 0
  long = 0
  longMs = 0
  shortMs = 0
  memoryMb = 0
  /** How many it has done, and how many have failed there. */
  done = 0
  failed = 0
  readonly speeds = new Map<string, Speed>()
  readonly decision: Decision = {
    name: '',
    waitMs: 0,
    ms: 0,
    inFlight: 0,
    other: undefined,
    otherMs: 0,
    choices: 0,
  }

  constructor(name: string, identity: string, abilities: Abilities) {
    this.name = name
    this.identity = identity
    this.abilities = abilities
  }
}

/**
 * All nodes that do tasks, and which of them is to have the next one.
 *
 * @internal
 */
export class Placement {
  readonly workers = new Set<Worker>()
  #means = new Map<string, number>()
  #meansAt = Number.NEGATIVE_INFINITY

  /** Which worker is to have a task now; none when none that can do it has room. */
  choose(demand: Demand, now: number): Worker | undefined {
    let best: Worker | undefined
    let other: Worker | undefined
    let [bestMs, otherMs, choices] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0]
    for (const worker of this.workers) {
      if (worker.isReserved || !canDo(worker, demand)) continue
      const ms = this.estimate(worker, demand.name, now)
      if (!hasRoom(worker, demand, ms, now)) continue
      choices += 1
      const finishMs = waitAt(worker) + ms * crowding(worker)
      if (finishMs < bestMs || (finishMs === bestMs && best && worker.inFlight < best.inFlight)) {
        ;[other, otherMs] = [best, bestMs]
        ;[best, bestMs] = [worker, finishMs]
      } else if (finishMs < otherMs) {
        ;[other, otherMs] = [worker, finishMs]
      }
    }
    if (best) this.#note(best, demand.name, now, { other, otherMs, choices })
    return best
  }

  /** A worker that can do it and has nothing to do, for a task that is tried alone; or the one that will be so first. */
  chooseIdle(demand: Demand, now: number): Worker | undefined {
    let best: Worker | undefined
    for (const worker of this.workers)
      if (
        canDo(worker, demand) &&
        isTaking(worker, now) &&
        worker.abilities.memoryMb >= demand.memoryMb &&
        (!best || worker.inFlight < best.inFlight || (worker.inFlight === best.inFlight && worker.isReserved))
      )
        best = worker
    return best
  }

  /** How long a task is expected to take at a worker, in ms. */
  estimate(worker: Worker, name: string, now: number): number {
    const speed = worker.speeds.get(name)
    if (!speed) return this.#mean(name, now) ?? UNKNOWN_MS
    const age = now - speed.at
    if (age <= BELIEVED_MS) return speed.ms
    const mean = this.#mean(name, now) ?? speed.ms
    return mean + (speed.ms - mean) * 2 ** ((BELIEVED_MS - age) / BELIEVED_MS)
  }

  /** A task is at a worker from now on. Returns what it is expected to take, in ms, for {@link left}. */
  came(worker: Worker, demand: Demand, now: number): number {
    const ms = this.estimate(worker, demand.name, now)
    worker.inFlight += 1
    worker.memoryMb += demand.memoryMb
    if (ms > AHEAD_MS) {
      worker.long += 1
      worker.longMs += ms
    } else worker.shortMs += ms
    return ms
  }

  /** It is there no more. */
  left(worker: Worker, demand: Demand, ms: number): void {
    worker.inFlight -= 1
    worker.memoryMb -= demand.memoryMb
    if (ms > AHEAD_MS) {
      worker.long -= 1
      worker.longMs -= ms
    } else worker.shortMs -= ms
    // Rounding leaves something of many sums.
    if (worker.inFlight === 0) worker.longMs = worker.shortMs = 0
  }

  /** A task took so long at a worker, in ms. */
  measured(worker: Worker, name: string, ms: number, now: number): void {
    const speed = worker.speeds.get(name)
    if (!speed) worker.speeds.set(name, { ms, at: now, count: 1, slowestMs: ms })
    else {
      speed.count += 1
      speed.slowestMs = Math.max(ms, speed.slowestMs * (1 - FORGOTTEN))
      speed.ms += (ms - speed.ms) * WEIGHT
      speed.at = now
    }
  }

  /** Why nobody can do it, however long it waits; nothing when somebody can. */
  whyNobody({ name, version, memoryMb, requires }: Demand): string | undefined {
    const all = [...this.workers]
    if (all.length === 0) return 'no node that does tasks is here'
    const named = all.filter(({ abilities }) => abilities.tasks.has(name))
    if (named.length === 0) return `no node has the task ${name}`
    const able = named.filter(({ abilities }) => abilities.tasks.get(name) === version)
    if (able.length === 0)
      return `no node has version ${version} of ${name}: they have ${[...new Set(named.map(({ abilities }) => abilities.tasks.get(name)))].join(', ')}`
    const lacking = requires.filter((tag) => !able.some(({ abilities }) => abilities.has.has(tag)))
    if (lacking.length > 0) return `no node has ${lacking.join(', ')}`
    const fitting = able.filter(({ abilities }) => requires.every((tag) => abilities.has.has(tag)))
    if (fitting.length === 0) return `no node has all of ${requires.join(', ')}`
    if (!fitting.some(({ abilities }) => abilities.memoryMb >= memoryMb))
      return `no node has ${memoryMb} MiB of memory for it`
    if (fitting.every(({ abilities }) => abilities.draining))
      return 'every node that can do it takes no more work'
    return undefined
  }

  /** Why the last task was placed at a worker and not elsewhere, for people. */
  explain({ decision, abilities: { slots } }: Worker): string {
    const { name, waitMs, ms, inFlight, other, otherMs, choices } = decision
    if (name === '') return ''
    const here = `${name} was expected to be done here in ${msText(waitMs + ms)}: ${inFlight} in work in ${slots} ${slots === 1 ? 'slot' : 'slots'}, ${msText(ms)} for each`
    if (!other) return `${here}. No other node that can do it had room`
    return `${here}. Next of ${choices} was ${other.name}, in ${msText(otherMs)}`
  }

  #note(
    best: Worker,
    name: string,
    now: number,
    { other, otherMs, choices }: Pick<Decision, 'other' | 'otherMs' | 'choices'>,
  ): void {
    const { decision } = best
    decision.name = name
    decision.waitMs = waitAt(best)
    decision.ms = this.estimate(best, name, now) * crowding(best)
    decision.inFlight = best.inFlight
    decision.other = other
    decision.otherMs = otherMs
    decision.choices = choices
  }

  /** What a task takes at those who have done it, on average. Looked at ten times a second at most. */
  #mean(name: string, now: number): number | undefined {
    if (now - this.#meansAt > 100) {
      this.#means.clear()
      this.#meansAt = now
    }
    let mean = this.#means.get(name)
    if (mean === undefined) {
      let [sum, count] = [0, 0]
      for (const { speeds } of this.workers) {
        const speed = speeds.get(name)
        if (!speed) continue
        sum += speed.ms
        count += 1
      }
      mean = count === 0 ? Number.NaN : sum / count
      this.#means.set(name, mean)
    }
    return Number.isNaN(mean) ? undefined : mean
  }
}

/** Whether a worker may do it at all. */
function canDo({ abilities: { tasks, has } }: Worker, { name, version, requires }: Demand): boolean {
  if (tasks.get(name) !== version) return false
  for (const tag of requires) if (!has.has(tag)) return false
  return true
}

function isTaking({ abilities, isFull, restsUntil }: Worker, now: number): boolean {
  return !abilities.draining && !isFull && restsUntil <= now
}

/** Whether one more may be at a worker: one in each slot, and short ones ahead of that, which long ones do not wait for. */
function hasRoom(worker: Worker, { name, memoryMb }: Demand, ms: number, now: number): boolean {
  const { abilities, inFlight, long, shortMs } = worker
  const { slots } = abilities
  if (!isTaking(worker, now) || inFlight >= slots * MOST_A_SLOT) return false
  // As many as there are slots are at work, and no more take memory.
  const atWork = inFlight < slots ? worker.memoryMb : (worker.memoryMb / inFlight) * (slots - 1)
  if (atWork + memoryMb > abilities.memoryMb) return false
  if (ms > AHEAD_MS) return long < slots
  if (inFlight < slots) return true
  if (inFlight >= slots * mostASlot(worker.speeds.get(name))) return false
  return long < slots && shortMs + ms <= AHEAD_MS * (slots - long)
}

/** How many may be at a node for each slot: few, as long as it is not known that all of them are short. */
function mostASlot(speed: Speed | undefined): number {
  if (!speed) return 1
  return Math.min(MOST_A_SLOT, 1 + speed.count / DONE_FOR_ONE_AHEAD, 1 + AHEAD_MS / speed.slowestMs)
}

/** How long a task would wait at a worker before it begins, in ms. */
function waitAt({ inFlight, longMs, shortMs, abilities: { slots } }: Worker): number {
  return inFlight < slots ? 0 : (longMs + shortMs) / slots
}

function crowding({ inFlight, abilities: { slots } }: Worker): number {
  return 1 + CROWDING * Math.min(1, inFlight / slots)
}

/** A time for people. */
function msText(ms: number): string {
  if (ms >= 10_000) return `${Math.round(ms / 1_000)} s`
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`
}
