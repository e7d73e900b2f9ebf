import { Broadcast, RollCall } from '@rpi-cluster/core/broadcast'
import { Identities } from '@rpi-cluster/core/identity'
import { Presence, Topics } from '@rpi-cluster/core/live'
import type { Logger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import type { ListeningNode } from '@rpi-cluster/core/node'
import { Alarms } from '@rpi-cluster/core/sensors'
import type { Connection } from '@rpi-cluster/core/sockets'
import type { Store } from '@rpi-cluster/core/store'
import { KeptVitals, type NodeSample } from '@rpi-cluster/core/vitals'
import { names } from './config.ts'
import { rules } from './sensors.ts'

interface NodesOptions {
  roster: ListeningNode['roster']
  store: Store
  /** Who else is given their vitals. */
  also: ((sample: NodeSample) => void) | undefined
  log: Logger
}

/** What the primary knows of its nodes: who they are, who is here, their vitals, and what is wrong with them. */
export class Nodes {
  readonly identities: Identities
  readonly presence: Presence
  readonly vitals: KeptVitals
  /** What others may follow: commands, and tables. */
  readonly broadcast: Broadcast
  /** Who does what all are told. */
  readonly rollCall: RollCall

  readonly #options: NodesOptions

  constructor(options: NodesOptions) {
    const { roster, log } = options
    this.#options = options
    this.identities = new Identities({ log })
    this.presence = new Presence({ roster, identities: this.identities })
    this.vitals = new KeptVitals(options)
    const [presence, vitals] = [this.presence.table, this.vitals.table]
    const alarms = new Alarms({ presence, vitals, rules, log })
    const topics = new Topics({ log, tables: { roster: presence, vitals, alarms: alarms.table } })
    this.broadcast = new Broadcast({ log, topics: { command: {} }, others: topics.subscribe })
    this.rollCall = new RollCall({ broadcast: this.broadcast, topic: 'command', roster, presence })
  }

  /** Who introduces itself is told to all who want to know. */
  introduce = (details: unknown, node: Connection) => {
    const { roster } = this.#options
    for (const each of [names, this.identities, roster, this.vitals]) each.introduce(node, details)
  }

  /** Tells all a command, and its asker who has answered. */
  everyone = async (asker: Connection, command: unknown) => {
    const { roster, log } = this.#options
    log.info(`${roster.nameOf(asker)} says to everyone: ${textOf(command)}`)
    const report = await this.rollCall.call(command)
    return report && { type: 'report', payload: report }
  }

  take = (vitals: unknown, node: Connection) => {
    const { roster, log } = this.#options
    log.info(`Received vitals from ${roster.nameOf(node)}: ${textOf(vitals)}`)
    this.vitals.take(vitals, node)
  }
}
