/** Who wants to hear how tasks of NATS end, and hears it: what has ended at about the same time together. */
import { asciiJson, JsonText } from '@rpi-cluster/core/frames'
import { send } from '@rpi-cluster/core/messages'
import type { Connection } from '@rpi-cluster/core/sockets'
import { hasEnded, type TaskState } from '@rpi-cluster/core/tasks'
import type { KeptTask } from './nats.ts'

/** For how long ends are gathered, in ms, and how large a message becomes, in bytes. */
const GATHER_MS = 5
const MESSAGE_BYTES = 128 * 1024

/** How many bytes may wait for one that does not read. It gets the rest when it comes back and asks. */
const MOST_UNREAD_BYTES = 16 * 1024 * 1024

export class NatsFollowers {
  readonly #followers = new Map<string, Set<Connection>>()
  readonly #unsent = new Map<Connection, string[]>()
  #timer: NodeJS.Timeout | undefined

  /** A peer hears of the end of a task: soon, if it has ended. */
  follow(task: KeptTask | undefined, peer: Connection) {
    if (!task) return
    if (hasEnded(task)) return this.#add(peer, task)
    const peers = this.#followers.get(task.id) ?? new Set()
    this.#followers.set(task.id, peers.add(peer))
  }

  /** A task has ended. */
  tell(task: KeptTask) {
    for (const peer of this.#followers.get(task.id) ?? []) this.#add(peer, task)
    this.#followers.delete(task.id)
  }

  #add(peer: Connection, task: KeptTask) {
    const texts = this.#unsent.get(peer) ?? []
    texts.push(asciiJson(stateOf(task)))
    this.#unsent.set(peer, texts)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const [to, all] of this.#unsent) this.#send(to, all)
      this.#unsent.clear()
    }, GATHER_MS)
  }

  #send(peer: Connection, texts: string[]) {
    for (let from = 0, to = 0; from < texts.length; from = to) {
      let bytes = 0
      do bytes += texts[to++]?.length ?? 0
      while (to < texts.length && bytes < MESSAGE_BYTES)
      if (!peer.socket.writable || peer.socket.writableLength > MOST_UNREAD_BYTES) return
      const json = new JsonText(`[${texts.slice(from, to).join(',')}]`)
      void send(peer, 'task_results', json)?.catch(() => {}) // its loss is told by who reads it
    }
  }
}

/** What others are told of a task. */
export function stateOf(task: KeptTask): TaskState {
  const { input: _, demand, at, endedAt, nodes, seq, retries, ...state } = task
  return state
}
