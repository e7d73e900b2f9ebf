/**
 * Who wants to hear how tasks end: each is told at the pace at which it reads, several ends in a message.
 *
 * @since 0.24.0
 */
import type { Connection } from './connection.ts'
import { OperationalError } from './lifecycle.ts'
import type { Task } from './task-records.ts'
import { TaskStream } from './task-stream.ts'
import { isShownOpen, stateJson } from './task-texts.ts'

/** How many bytes may wait for a submitter that does not read. It gets the rest when it comes back and asks. */
const MOST_UNREAD_BYTES = 16 * 1024 * 1024

/** A submitter that wants to hear of ends. */
interface Follower {
  readonly peer: Connection
  readonly stream: TaskStream
}

/**
 * All who follow tasks.
 *
 * @internal
 */
export class TaskFollowers {
  readonly #mayTell: () => boolean
  readonly #followers = new Map<Connection, Follower>()
  readonly #unflushed = new Set<TaskStream>()

  /** @param mayTell whether anything may be told now */
  constructor(mayTell: () => boolean) {
    this.#mayTell = mayTell
  }

  /** A peer hears of a task's end: with the next {@link flush}, if it has ended and that is durable. */
  follow(task: Task, peer: Connection): void {
    const follower = this.#followerOf(peer)
    if (!isShownOpen(task)) {
      follower.stream.add('task_results', stateJson(task))
      this.#unflushed.add(follower.stream)
      return
    }
    // One whose connection is over hears of nothing.
    const others = followersOf(task).filter((known) => known !== follower && !known.peer.socket.destroyed)
    task.follower = others.length === 0 ? follower : [...others, follower]
  }

  /** Tells who follows a task that it has ended, with the next {@link flush}. */
  tell(task: Task): void {
    const followers = followersOf(task)
    task.follower = undefined
    if (followers.length === 0) return
    const json = stateJson(task)
    for (const { peer, stream } of followers) {
      stream.add('task_results', json)
      this.#unflushed.add(stream)
      if (stream.bytes > MOST_UNREAD_BYTES)
        peer.fail(
          new OperationalError(
            `Cut off ${peer.peer}: it does not read how its tasks end, and ${stream.bytes} bytes wait for it.`,
          ),
        )
    }
  }

  /** Sends what there is to send. */
  flush(): void {
    for (const stream of this.#unflushed) stream.flush()
    this.#unflushed.clear()
  }

  #followerOf(peer: Connection): Follower {
    let follower = this.#followers.get(peer)
    if (!follower) {
      const stream = new TaskStream(peer, { mayWrite: this.#mayTell })
      follower = { peer, stream }
      this.#followers.set(peer, follower)
      peer.socket.once('close', () => {
        this.#followers.delete(peer)
        this.#unflushed.delete(stream)
      })
    }
    return follower
  }
}

/** Mostly it is one, which stands there by itself. */
function followersOf({ follower }: Task): Follower[] {
  if (follower === undefined) return []
  return Array.isArray(follower) ? follower : [follower as Follower]
}
