/** How each engine is started: its command, and what it is told. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stateFolder } from '@rpi-cluster/core/state-folder'
import type { Token } from '@rpi-cluster/core/web-token'

export interface Engine {
  command: string
  args: string[]
  /** Where it listens, once it is up: `127.0.0.1:12361`. */
  address: string
  /** Where else it does. */
  others: readonly string[]
  /** Whether a line that it says is worth telling. */
  isBad: (line: string) => boolean
}

interface Place {
  host: string
  natsPort: number
  natsMb: number
  etcdPort: number
  etcdPeerPort: number
}

/** In which package of Debian a command is. */
export function packageOf({ command }: Engine): string {
  return command === 'etcd' ? 'etcd-server' : command
}

/** NATS with JetStream, for who has the token. Its configuration has that in it: on a command line all could read it. */
export async function natsServer({ host, natsPort, natsMb }: Place, token: Token): Promise<Engine> {
  const folder = join(stateFolder(), 'nats')
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'nats.conf')
  const bytes = (natsMb + 64) * 1024 * 1024 // beside the streams with a limit there is a small one without
  const text = `listen: "${host}:${natsPort}"
authorization { token: "${token.reveal()}" }
jetstream { store_dir: ${JSON.stringify(folder)}, max_file_store: ${bytes}, max_memory_store: 0 }
`
  await writeFile(file, text, { mode: 0o600 })
  await chmod(file, 0o600)
  const isBad = (line: string) => /\[(ERR|WRN|FTL)\]/.test(line)
  return { command: 'nats-server', args: ['-c', file], address: `${host}:${natsPort}`, others: [], isBad }
}

/** A single etcd, with the times of the cluster. Whoever reaches its port may do everything: it listens to this machine alone. */
export function etcdServer(
  { host, etcdPort, etcdPeerPort }: Place,
  { electionMs, heartbeatMs }: { electionMs: number; heartbeatMs: number },
): Engine {
  const [client, peer] = [`http://${host}:${etcdPort}`, `http://${host}:${etcdPeerPort}`]
  const options = {
    name: 'etcd',
    'data-dir': join(stateFolder(), 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `etcd=${peer}`,
    'election-timeout': electionMs,
    'heartbeat-interval': heartbeatMs,
    logger: 'zap',
    'log-level': 'error',
  }
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const [address, others] = [`${host}:${etcdPort}`, [`${host}:${etcdPeerPort}`]]
  return { command: 'etcd', args, address, others, isBad: (line) => line.includes('"level"') }
}
