/** The queue in NATS: whoever leads speaks for it to those who hand in, and each node takes tasks from it by itself. */
import { availableParallelism } from 'node:os'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openToken } from '@rpi-cluster/core/web-token'
import { TaskPool } from '@rpi-cluster/core/worker'
import { config } from './config.ts'
import { connectNats } from './nats.ts'
import { NatsDesk } from './nats-desk.ts'
import { NatsWorker } from './nats-worker.ts'
import { log, self, settings, stop } from './self.ts'
import { tasks } from './tasks.ts'
import type { WorkQueue } from './work-queue.ts'

const place = loadJsonConfig(config, 'engines', log)
const { leaseSeconds } = place
const token = place.natsToken ?? (await openToken({ name: 'nats', log })).reveal()
/** Everything here waits for it; the node does not. */
const connected = connectNats({ ...place, token, name: self.name, log, stop })
const { mostWaiting, attempts, slots = availableParallelism(), has } = settings

export const natsQueue: WorkQueue = {
  openDesk: ({ reign, ended, stop }) =>
    new NatsDesk({
      ...{ connected, tasks, mostWaiting, ended, log, stop },
      submitters: () => settings.submitters,
      isHeld: () => reign.isHeld(),
    }),

  openWorker() {
    const pool = new TaskPool({
      ...{ file: new URL('./tasks.ts', import.meta.url), tasks, children: slots, log, stop },
    })
    return new NatsWorker({
      connected,
      name: self.name,
      pool,
      tasks,
      slots,
      leaseSeconds,
      attempts,
      has,
      log,
      stop,
    })
  },
}
