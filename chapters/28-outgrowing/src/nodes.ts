import { Broadcast } from '@rpi-cluster/core/broadcast'
import { Identities } from '@rpi-cluster/core/identity'
import { Presence, Topics } from '@rpi-cluster/core/live'
import type { Logger } from '@rpi-cluster/core/logging'
import type { ListeningNode } from '@rpi-cluster/core/node'
import type { Connection } from '@rpi-cluster/core/sockets'
import type { TaskEnd, Tasks } from '@rpi-cluster/core/tasks'

interface NodesOptions {
  roster: ListeningNode['roster']
  /** What they do. */
  tables: Tasks['tables']
  log: Logger
}

/** What the primary knows of its nodes, and what others may follow of it. */
export class Nodes {
  readonly identities: Identities
  readonly presence: Presence
  readonly broadcast: Broadcast

  readonly #roster: ListeningNode['roster']

  constructor({ roster, tables, log }: NodesOptions) {
    this.#roster = roster
    this.identities = new Identities({ log })
    this.presence = new Presence({ roster, identities: this.identities })
    const topics = new Topics({ log, tables: { roster: this.presence.table, ...tables } })
    this.broadcast = new Broadcast({ log, topics: { task_end: {} }, others: topics.subscribe })
  }

  /** Who introduces itself is told to all who want to know. */
  introduce = (details: unknown, node: Connection) => {
    for (const each of [this.identities, this.#roster]) each.introduce(node, details)
  }

  /** Tells those who draw a picture what has become of a part of it. */
  tellEnd = (end: TaskEnd) => {
    if (end.group !== undefined) this.broadcast.publish('task_end', end)
  }
}
