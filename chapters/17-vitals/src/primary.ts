import { Identities } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { Presence, Topics } from '@rpi-cluster/core/live'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { textOf } from '@rpi-cluster/core/messages'
import { loadRenamedConfig } from '@rpi-cluster/core/names'
import { ListeningNode } from '@rpi-cluster/core/node'
import type { Connection } from '@rpi-cluster/core/sockets'
import { names, primaryConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('primary')
const { socketBindIp: host, socketPort: port } = loadRenamedConfig(primaryConfig, log)

class Primary extends ListeningNode {
  readonly identities = new Identities({ log })
  readonly presence = new Presence({ roster: this.roster, identities: this.identities })
  readonly topics = new Topics({ log, tables: { roster: this.presence.table } })

  override handlers = names.handlers({
    computer_details: (details, secondary) => this.introduce(secondary, details),
    machine_details: (details, secondary) => this.introduce(secondary, details), // what chapter 06 calls it
    message: (text, secondary) =>
      log.info(`Received message from ${this.roster.nameOf(secondary)}: ${textOf(text)}`),
    subscribe: this.topics.subscribe,
  })

  override answers = names.answers({
    computer_details: async (secondary) => {
      log.info(`${this.roster.nameOf(secondary)} wants to know my computer_details`)
      return { type: 'primary_info', payload: await machineDetails() }
    },
    uuid: (secondary) => ({ type: 'uuid', payload: this.identities.give(secondary) }),
    secondary_details: () => ({ type: 'secondary_details', payload: this.presence.list() }),
  })

  introduce(secondary: Connection, details: unknown) {
    names.introduce(secondary, details)
    this.identities.introduce(secondary, details)
    this.roster.introduce(secondary, details)
  }
}

await new Primary({ peer: 'secondary', host, port, stop, log }).run()
