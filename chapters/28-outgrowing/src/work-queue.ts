/** Where the tasks are, as the programs of a node see it: in the own queue, or in NATS JetStream. */
import type { Answers } from '@rpi-cluster/core/dialogue'
import type { Reign } from '@rpi-cluster/core/election'
import type { Handlers } from '@rpi-cluster/core/messages'
import type { ListeningNode } from '@rpi-cluster/core/node'
import type { LogReign } from '@rpi-cluster/core/replicated-log'
import type { TaskEnd, Tasks } from '@rpi-cluster/core/tasks'
import type { LeaderLink } from './leader-link.ts'
import { settings } from './self.ts'

/** What a leader has, for those who hand in work and those who watch. All of it stands in the protocol of 24 and 25. */
export interface Desk {
  readonly handlers: Handlers
  /** `submit`, `task_states`, `cancel_tasks`, `failed_tasks`, `retry_tasks`, and `task_history`. */
  readonly answers: Answers
  readonly tables: Tasks['tables']
  /** Resolves when it knows all tasks that there were. */
  readonly recovered: Promise<void>
}

interface DeskOptions {
  /** The node that others connect to. */
  node: Pick<ListeningNode, 'roster'>
  reign: Reign | LogReign
  /** Called with each task that has ended, once. */
  ended: (end: TaskEnd) => void
  /** The reign is over. */
  stop: AbortSignal
}

/** What does tasks on a node. */
export interface Worker {
  readonly handlers: Handlers
  introduce(): Promise<void>
  drain(): Promise<void>
}

/** A queue. */
export interface WorkQueue {
  openDesk(options: DeskOptions): Desk
  /** @param link a way to whoever leads */
  openWorker(link: LeaderLink): Worker
}

/** The one that the configuration chooses. Who does not choose NATS does not load its client. */
export const queue: WorkQueue =
  settings.queue === 'own'
    ? (await import('./own-queue.ts')).ownQueue
    : (await import('./nats-queue.ts')).natsQueue
