/** Which of the members this node is, and what it is told: `node node-1` says which, or its key does. */
import { credentialFile } from '@rpi-cluster/core/daemon'
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { openKey, openKeys } from '@rpi-cluster/core/key-files'
import { stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { config } from './config.ts'
import { memberCalled } from './leader-link.ts'

export const stop = stopSignal()
export const log = createLogger('node')

const [asked] = process.argv[2]?.startsWith('-') ? [] : process.argv.splice(2, 1)

/** By what name "status" asks for it: a service is the only one of its machine. */
export const program = asked ?? 'node'

/** Whose tasks these are: not this node's, but the cluster's. Whoever leads goes on with them. */
export const desk = 'cluster'

/** Reads what holds for a node. */
export function read() {
  const { cluster, node } = loadJsonConfig(config, ['cluster', 'node'], log)
  return { ...cluster, ...node }
}

export const settings = read()
if (asked !== undefined) memberCalled(asked, settings.members) // before a key is waited for that nobody will make
export const keys = await openKeys({ folder: settings.keys, nodes: settings.nodes, log, stop })
const file = asked === undefined ? credentialFile('key', settings.key) : `${settings.keys}/${asked}.key`
export const key = await openKey({ file, log, stop })
export const self = memberCalled(key.node, settings.members)
