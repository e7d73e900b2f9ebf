/**
 * How many tasks are in which state: of all, and of each group.
 *
 * @since 0.24.0
 */
import type { Group, Task } from './task-records.ts'
import type { TaskState } from './task-states.ts'

/** How many groups are shown: the newest. */
const MOST_SHOWN = 20

/**
 * Counts and groups.
 *
 * @internal
 */
export class TaskGroups {
  /** All that is open, and all that has ended since the start. */
  readonly counts: Record<TaskState['state'], number> = noCounts()
  /** The newest groups, the oldest of them first. */
  readonly newest: Group[] = []
  readonly #groups = new Map<string, Group>()

  get(name: string): Group | undefined {
    return this.#groups.get(name)
  }

  /** The group of a task that comes, new if there is none of that name. */
  of(name: string, by: string, task: string, now: number): Group {
    let group = this.#groups.get(name)
    if (group) return group
    group = {
      ...{ name, by, task, since: now, counts: noCounts(), total: 0 },
      ...{ members: [], forgotten: 0, isToldDone: false },
    }
    this.#groups.set(name, group)
    const before = this.newest.findIndex((shown) => shown.name === name)
    if (before >= 0) this.newest.splice(before, 1)
    this.newest.push(group)
    if (this.newest.length > MOST_SHOWN) this.newest.shift()
    return group
  }

  /** A task is known from now on. */
  added(task: Task): void {
    this.counts[task.state] += 1
    const { group } = task
    if (!group) return
    group.counts[task.state] += 1
    group.total += 1
    group.isToldDone = false
    group.members.push(task)
  }

  /** Says where a task stands now. */
  move(task: Task, state: TaskState['state']): void {
    const { group } = task
    this.counts[task.state] -= 1
    this.counts[state] += 1
    if (group) {
      group.counts[task.state] -= 1
      group.counts[state] += 1
    }
    task.state = state
  }

  /** A task that has ended is known no more. It stays counted. */
  forgot({ group }: Task, isKnown: (task: Task) => boolean): void {
    if (!group) return
    group.forgotten += 1
    if (group.forgotten * 2 < group.members.length) return
    group.members = group.members.filter(isKnown)
    group.forgotten = 0
    if (group.members.length === 0) this.#groups.delete(group.name)
  }

  /** What is known now was there before this start: of what had ended then is nothing to tell, and of the rest not since when. */
  recovered(): void {
    for (const group of this.newest) {
      const { waiting, running } = group.counts
      group.isToldDone = waiting + running === 0
      group.since = undefined
    }
  }

  /** Those of the newest groups of which all tasks have ended since this was asked last. */
  *done(): Generator<Group, void, void> {
    for (const group of this.newest) {
      const { waiting, running } = group.counts
      if (group.isToldDone || waiting + running > 0) continue
      group.isToldDone = true
      yield group
    }
  }
}

function noCounts(): Record<TaskState['state'], number> {
  return { waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
}
