/**
 * What waits, and whose turn it is: submitters take turns, and of each goes first what came first. What nobody has room for
 * keeps nothing waiting that needs something else.
 *
 * @since 0.24.0
 */
import { DueTimes, LinkedList } from './task-lists.ts'
import type { Worker } from './task-placement.ts'
import type { CountedDemand, Lane, Line, Task } from './task-records.ts'

/**
 * All tasks that wait.
 *
 * @internal
 */
export class WaitingTasks {
  /** What is tried with nothing else beside it: some nodes were lost with it. */
  readonly alone = new LinkedList<Task>()
  /** How many bytes their inputs have. */
  bytes = 0

  readonly #lanes: Lane[] = []
  readonly #byName = new Map<string, Lane>()
  readonly #resting = new DueTimes<NonNullable<Task['rest']>>()
  #turn = 0
  #round = 0

  /** Where tasks of a submitter wait that need the same. */
  line(by: string, demand: CountedDemand): Line {
    let lane = this.#byName.get(by)
    if (!lane) {
      lane = { by, lines: [] }
      this.#byName.set(by, lane)
      this.#lanes.push(lane)
    }
    let line = lane.lines.find((known) => known.demand === demand)
    if (!line) {
      line = { lane, demand, tasks: new LinkedList() }
      lane.lines.push(line)
    }
    return line
  }

  /** A task waits behind all others of its submitter. */
  add(task: Task): void {
    this.#count(task, 1)
    task.line.tasks.push(task)
  }

  /** A task waits before all others of its submitter. */
  addInFront(task: Task, isAlone: boolean): void {
    this.#count(task, 1)
    if (isAlone) this.alone.push(task)
    else task.line.tasks.unshift(task)
  }

  /** A task waits, and is not given to anybody before a moment. */
  rest(task: Task, until: number): void {
    this.#count(task, 1)
    task.rest = { task, until }
    this.#resting.add(until, task.rest)
  }

  /** A task waits no more. */
  remove(task: Task): void {
    this.#count(task, -1)
    task.rest = undefined
    task.list?.remove(task)
  }

  /** When the next task has rested; nothing when none rests. */
  get nextRested(): number | undefined {
    return this.#resting.next
  }

  /** Whoever has rested may be given to somebody. */
  wake(now: number, isAlone: (task: Task) => boolean): void {
    for (let rest = this.#resting.take(now); rest; rest = this.#resting.take(now)) {
      const { task } = rest
      if (task.rest !== rest) continue
      task.rest = undefined
      if (isAlone(task)) this.alone.push(task)
      else task.line.tasks.unshift(task)
    }
  }

  /**
   * Goes through what waits, by turns, as long as somebody has room for it.
   *
   * @param choose who is to have a task that needs this, if anybody has room
   * @param give takes it out of here
   */
  place(
    choose: (demand: CountedDemand) => Worker | undefined,
    give: (task: Task, worker: Worker) => void,
  ): void {
    this.#round += 1
    const lanes = this.#lanes
    for (let passed = 0; passed < lanes.length; ) {
      this.#turn = (this.#turn + 1) % lanes.length
      const isPlaced = this.#placeOne(lanes[this.#turn] as Lane, choose, give)
      passed = isPlaced ? 0 : passed + 1
    }
  }

  #placeOne(
    lane: Lane,
    choose: (demand: CountedDemand) => Worker | undefined,
    give: (task: Task, worker: Worker) => void,
  ): boolean {
    for (;;) {
      const first = this.#firstOf(lane)
      if (!first) return false
      const worker = choose(first.line.demand)
      if (worker) {
        give(first, worker)
        return true
      }
      first.line.demand.blockedIn = this.#round
    }
  }

  /** What came first of a submitter, of what somebody may have room for. */
  #firstOf({ lines }: Lane): Task | undefined {
    let oldest: Task | undefined
    for (const { demand, tasks } of lines) {
      const { first } = tasks
      if (first && demand.blockedIn !== this.#round && (!oldest || first.order < oldest.order)) oldest = first
    }
    return oldest
  }

  /** Forgets the lines that are for what nobody needs any more. */
  forgetLines(isNeeded: (demand: CountedDemand) => boolean): void {
    for (const { lines } of this.#lanes)
      lines.splice(0, lines.length, ...lines.filter(({ demand }) => isNeeded(demand)))
  }

  #count({ line: { demand }, input }: Task, by: 1 | -1): void {
    demand.waiting += by
    this.bytes += by * input.length
  }
}
