import { loadConfig } from '@rpi-cluster/core/config'
import type { Answers } from '@rpi-cluster/core/dialogue'
import { Identities } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { Presence, Topics } from '@rpi-cluster/core/live'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { type Handlers, textOf } from '@rpi-cluster/core/messages'
import { ListeningNode } from '@rpi-cluster/core/node'
import type { Connection } from '@rpi-cluster/core/sockets'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

class Master extends ListeningNode {
  readonly identities = new Identities({ log })
  readonly presence = new Presence({ roster: this.roster, identities: this.identities })
  readonly topics = new Topics({ log, tables: { roster: this.presence.table } })

  override handlers: Handlers = {
    computer_details: (details, slave) => this.introduce(slave, details),
    machine_details: (details, slave) => this.introduce(slave, details), // what chapter 06 calls it
    message: (text, slave) => log.info(`Received message from ${this.roster.nameOf(slave)}: ${textOf(text)}`),
    subscribe: this.topics.subscribe,
  }

  override answers: Answers = {
    computer_details: async (slave) => {
      log.info(`${this.roster.nameOf(slave)} wants to know my computer_details`)
      return { type: 'master_info', payload: await machineDetails() }
    },
    uuid: (slave) => ({ type: 'uuid', payload: this.identities.give(slave) }),
    slave_details: () => ({ type: 'slave_details', payload: this.presence.list() }),
  }

  introduce(slave: Connection, details: unknown) {
    this.identities.introduce(slave, details)
    this.roster.introduce(slave, details)
  }
}

await new Master({ peer: 'slave', host, port, stop, log }).run()
