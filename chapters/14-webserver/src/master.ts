import { loadConfig } from '@rpi-cluster/core/config'
import type { Answers } from '@rpi-cluster/core/dialogue'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { machineDetails } from '@rpi-cluster/core/machine'
import { type Handlers, textOf } from '@rpi-cluster/core/messages'
import { ListeningNode } from '@rpi-cluster/core/node'
import { masterConfig } from './config.ts'

const stop = stopSignal()
const log = createLogger('master')
const { socketBindIp: host, socketPort: port } = loadConfig(masterConfig, log)

class Master extends ListeningNode {
  override handlers: Handlers = {
    computer_details: (details, slave) => this.roster.introduce(slave, details),
    machine_details: (details, slave) => this.roster.introduce(slave, details), // what chapter 06 calls it
    message: (text, slave) => log.info(`Received message from ${this.roster.nameOf(slave)}: ${textOf(text)}`),
  }

  override answers: Answers = {
    computer_details: async (slave) => {
      log.info(`${this.roster.nameOf(slave)} wants to know my computer_details`)
      return { type: 'master_info', payload: await machineDetails() }
    },
  }
}

await new Master({ peer: 'slave', host, port, stop, log }).run()
