/** The keys of the cluster that is measured: each of its programs has one, and every connection is encrypted by it. */
import { join } from 'node:path'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { addKey } from '@rpi-cluster/core/keys'
import { encryptedBy, encryptedWith } from '@rpi-cluster/core/secure-sockets'
import { noLog } from '../no-log.ts'

export const HOST = '127.0.0.1'
export const SUBMITTER = 'submitter'
export const NODES = ['node-1', 'node-2', 'node-3', 'node-4']

export const stop = new AbortController().signal

/** Where the measurement has put them, for the processes that it starts. */
const folder = () => process.env['BENCH_TASK_KEYS'] ?? ''

export async function makeKeys(folder: string): Promise<void> {
  process.env['BENCH_TASK_KEYS'] = folder
  for (const node of [SUBMITTER, ...NODES]) await addKey({ folder, node })
}

/** How the primary listens. */
export async function listening() {
  const keys = await openKeys({ folder: folder(), nodes: NODES, log: noLog, stop })
  return { peer: 'node', host: HOST, secure: encryptedWith(keys, { stop, log: noLog }), stop, log: noLog }
}

/** How a node, or the submitter, connects. */
export async function connecting(name: string, port: number) {
  const key = await openKey({ file: join(folder(), `${name}.key`), log: noLog, stop })
  return { peer: 'primary', host: HOST, port, secure: encryptedBy(key), stop, log: noLog }
}
