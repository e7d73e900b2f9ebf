import { Broadcast, RollCall } from '@rpi-cluster/core/broadcast'
import { Identities } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { Presence } from '@rpi-cluster/core/live'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import { loadRenamedConfig } from '@rpi-cluster/core/names'
import { ListeningNode } from '@rpi-cluster/core/node'
import type { Connection } from '@rpi-cluster/core/sockets'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { names, primaryConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('primary')
const { socketBindIp: host, socketPort: port } = loadRenamedConfig(primaryConfig, log)

class Primary extends ListeningNode {
  readonly identities = new Identities({ log })
  readonly presence = new Presence({ roster: this.roster, identities: this.identities })
  readonly broadcast = new Broadcast({ log, topics: { command: {} } })
  readonly rollCall = new RollCall({
    broadcast: this.broadcast,
    topic: 'command',
    roster: this.roster,
    presence: this.presence.table,
  })

  override handlers = names.handlers({
    node_baseinfo: (details, secondary) => this.introduce(secondary, details),
    machine_details: (details, secondary) => this.introduce(secondary, details), // what chapter 06 calls it
    message: (text, secondary) =>
      log.info(`Received message from ${this.roster.nameOf(secondary)}: ${textOf(text)}`),
    subscribe: this.broadcast.subscribe,
    unsubscribe: this.broadcast.unsubscribe,
    reply: this.rollCall.take,
  })

  override answers = names.answers({
    node_baseinfo: async (secondary) => {
      log.info(`${this.roster.nameOf(secondary)} wants to know my node_baseinfo`)
      return { type: 'primary_info', payload: await baseInfo() }
    },
    uuid: (secondary) => ({ type: 'uuid', payload: this.identities.give(secondary) }),
    secondary_details: () => ({ type: 'secondary_details', payload: this.presence.list() }),
    everyone: async (asker, command) => {
      log.info(`${this.roster.nameOf(asker)} says to everyone: ${textOf(command)}`)
      const report = await this.rollCall.call(command)
      return report && { type: 'report', payload: report }
    },
  })

  introduce(secondary: Connection, details: unknown) {
    for (const each of [names, this.identities, this.roster]) each.introduce(secondary, details)
  }
}

await new Primary({ peer: 'secondary', host, port, stop, log }).run()
