import { Identities } from '@rpi-cluster/core/identity'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { Presence, Topics } from '@rpi-cluster/core/live'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import { loadRenamedConfig } from '@rpi-cluster/core/names'
import { ListeningNode } from '@rpi-cluster/core/node'
import { Alarms } from '@rpi-cluster/core/sensors'
import type { Connection } from '@rpi-cluster/core/sockets'
import { openStore } from '@rpi-cluster/core/store'
import { baseInfo, KeptVitals } from '@rpi-cluster/core/vitals'
import { names, primaryConfig } from './config.ts'
import { influxWriter } from './influxdb.ts'
import { rules } from './sensors.ts'

const stop = stopSignal()
const log = createLogger('primary')
const config = loadRenamedConfig(primaryConfig, log)
const { socketBindIp: host, socketPort: port, rawDays, fiveMinutesDays, hoursDays } = config
const store = await openStore({ name: 'vitals', keep: { rawDays, fiveMinutesDays, hoursDays }, stop, log })
const influx = influxWriter({ ...config, outbox: store.outbox('influxdb'), stop, log })

class Primary extends ListeningNode {
  readonly identities = new Identities({ log })
  readonly presence = new Presence({ roster: this.roster, identities: this.identities })
  readonly vitals = new KeptVitals({ roster: this.roster, store, also: influx, log })
  readonly alarms = new Alarms({ presence: this.presence.table, vitals: this.vitals.table, rules, log })
  readonly tables = { roster: this.presence.table, vitals: this.vitals.table, alarms: this.alarms.table }
  readonly topics = new Topics({ log, tables: this.tables })

  override handlers = names.handlers({
    node_baseinfo: (details, secondary) => this.introduce(secondary, details),
    machine_details: (details, secondary) => this.introduce(secondary, details), // what chapter 06 calls it
    message: (text, secondary) =>
      log.info(`Received message from ${this.roster.nameOf(secondary)}: ${textOf(text)}`),
    vitals: (vitals, secondary) => {
      log.info(`Received vitals from ${this.roster.nameOf(secondary)}: ${textOf(vitals)}`)
      this.vitals.take(vitals, secondary)
    },
    sensors: this.vitals.describe,
    subscribe: this.topics.subscribe,
  })

  override answers = names.answers({
    node_baseinfo: async (secondary) => {
      log.info(`${this.roster.nameOf(secondary)} wants to know my node_baseinfo`)
      return { type: 'primary_info', payload: await baseInfo() }
    },
    uuid: (secondary) => ({ type: 'uuid', payload: this.identities.give(secondary) }),
    secondary_details: () => ({ type: 'secondary_details', payload: this.presence.list() }),
    history: this.vitals.history,
  })

  introduce(secondary: Connection, details: unknown) {
    for (const each of [names, this.identities, this.roster, this.vitals]) each.introduce(secondary, details)
  }
}

await new Primary({ peer: 'secondary', host, port, stop, log }).run()
