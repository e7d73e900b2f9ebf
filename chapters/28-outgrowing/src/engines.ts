/** Runs the engines that the configuration chooses, on this machine, and ends them with itself. On real Pis they are services. */
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { every, OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { openToken } from '@rpi-cluster/core/web-token'
import { config } from './config.ts'
import { type Engine, etcdServer, natsServer, packageOf } from './engine-commands.ts'
import { EngineProcess, isInstalled, mustBeFree } from './engine-process.ts'

const stop = stopSignal()
const log = createLogger('engines')
const { cluster, engines: place } = loadJsonConfig(config, ['cluster', 'engines'], log)

const engines: Engine[] = []
if (cluster.queue === 'nats') engines.push(await natsServer(place, await openToken({ name: 'nats', log })))
if (cluster.leader === 'etcd') engines.push(etcdServer(place, cluster))

const missing = engines.filter(({ command }) => !isInstalled(command))
if (missing.length > 0)
  throw new OperationalError(
    `Not installed here: ${missing.map(({ command }) => command).join(', ')}. On Debian, say: sudo apt install ${missing.map(packageOf).join(' ')}`,
  )

await mustBeFree(engines)
const ending = new AbortController()
const over = AbortSignal.any([stop, ending.signal])
const running = engines.map((engine) => new EngineProcess(engine, { log, stop: over }))
try {
  await Promise.all(running.map((engine) => engine.isUp()))
  const places = engines.map(({ command, address }) => `${command} at ${address}`).join(', ')
  log.info(`Engines: ${places || 'none is chosen. The queue and the lead are those of the cluster itself'}`)
  for await (const _ of every(60_000, stop));
} finally {
  ending.abort() // when one does not come up, the others are not left behind
  await Promise.allSettled(running.map((engine) => engine.ended))
}
