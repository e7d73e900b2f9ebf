import { inheritedSocket, passTasks } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKeys } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { textOf } from '@rpi-cluster/core/messages'
import { ListeningNode } from '@rpi-cluster/core/node'
import { encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { openStore } from '@rpi-cluster/core/store'
import { baseInfo } from '@rpi-cluster/core/vitals'
import { belongToMachine } from './belong.ts'
import { config, names } from './config.ts'
import { influxWriter } from './influxdb.ts'
import { Nodes } from './nodes.ts'
import { setLimits } from './sensors.ts'

const stop = stopSignal()
const log = createLogger('primary')
const read = () => loadJsonConfig(config, 'primary', log)
const settings = read()
const { socketBindIp: host, socketPort: port, rawDays, fiveMinutesDays, hoursDays } = settings
const keys = await openKeys({ folder: settings.keys, nodes: settings.nodes, log, stop })
const store = await openStore({ name: 'vitals', keep: { rawDays, fiveMinutesDays, hoursDays }, stop, log })
const influx = influxWriter({ ...settings, outbox: store.outbox('influxdb'), stop, log })

class Primary extends ListeningNode {
  readonly nodes = new Nodes({ roster: this.roster, store, also: influx, log })

  override handlers = names.handlers({
    node_baseinfo: this.nodes.introduce,
    message: (text, secondary) =>
      log.info(`Received message from ${this.roster.nameOf(secondary)}: ${textOf(text)}`),
    vitals: this.nodes.take,
    sensors: this.nodes.vitals.describe,
    subscribe: this.nodes.broadcast.subscribe,
    unsubscribe: this.nodes.broadcast.unsubscribe,
    reply: this.nodes.rollCall.take,
  })

  override answers = names.answers({
    node_baseinfo: async (secondary) => {
      log.info(`${this.roster.nameOf(secondary)} wants to know my node_baseinfo`)
      return { type: 'primary_info', payload: await baseInfo() }
    },
    uuid: (secondary) => ({ type: 'uuid', payload: this.nodes.identities.give(secondary) }),
    secondary_details: () => ({ type: 'secondary_details', payload: this.nodes.presence.list() }),
    history: this.nodes.vitals.history,
    everyone: this.nodes.everyone,
    ...passTasks({ node: this, askers: () => settings.askers, log }),
  })
}

const open = { secure: encryptedWith(keys, { stop, log }), descriptor: inheritedSocket('nodes') }
const primary = new Primary({ peer: 'secondary', host, port, ...open, stop, log })
const live = ['askers', 'hotFrom', 'fullFrom'] as const
const apply = (now: typeof settings) => setLimits(Object.assign(settings, now))
setLimits(settings)
await belongToMachine({ program: 'primary', node: primary, config: settings, read, live, apply, log })
await primary.run()
