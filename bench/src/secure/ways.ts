/** How connections may be proven and encrypted, for both ends of each pair of processes. */
import { join } from 'node:path'
import { connect as connectNats, type NodeConnectionOptions } from '@nats-io/transport-node'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { encryptedBy, encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { signedBy, signedWith } from '@rpi-cluster/core/signed'
import { type Connection, connect, listen } from '@rpi-cluster/core/sockets'
import { noLog } from '../no-log.ts'

/** In the clear, signed, encrypted. */
export const WAYS = ['core', 'signed', 'encrypted'] as const
export type Way = (typeof WAYS)[number]

const HOST = '127.0.0.1'
const stop = new AbortController().signal

/** Where the measurement has put keys and certificates, for the processes that it starts. */
const secrets = () => process.env['BENCH_SECRETS'] ?? ''
const keysFolder = () => join(secrets(), 'keys')

/** Listens in a way, on a port that is free or given. */
export async function listenBy(way: Way, port: number, serve: (peer: Connection) => Promise<void>) {
  const secure = way === 'core' ? undefined : await listening(way)
  const listener = await listen({ peer: 'slave', host: HOST, port, stop, log: noLog, secure }, serve)
  return { port: Number(listener.address.split(':').at(-1)) }
}

async function listening(way: 'signed' | 'encrypted') {
  const keys = await openKeys({ folder: keysFolder(), nodes: ['pi-1'], log: noLog, stop })
  return way === 'signed'
    ? signedWith(keys, { stop, log: noLog, unsigned: [] })
    : encryptedWith(keys, { stop, log: noLog })
}

/** Gives what connects in a way, each time anew. */
export async function connectingBy(way: Way, port: number): Promise<() => Promise<Connection>> {
  if (way === 'core') return () => connect({ peer: 'master', host: HOST, port, stop })
  const key = await openKey({ file: join(keysFolder(), 'pi-1.key'), log: noLog, stop })
  const secure = way === 'signed' ? signedBy(key) : encryptedBy(key)
  return () => connect({ peer: 'master', host: HOST, port, stop, secure })
}

/** Connects to the NATS server over TLS, whose certificate it checks. */
export function natsOverTls(port: number, options: NodeConnectionOptions = {}) {
  return connectNats({ servers: `localhost:${port}`, tls: { caFile: join(secrets(), 'ca.crt') }, ...options })
}
