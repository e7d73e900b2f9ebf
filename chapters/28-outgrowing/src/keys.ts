/** Who has access: `keys add pi-3`, `keys list`, `keys revoke pi-3`, `keys rotate pi-3`. Each node notices by itself, in its own folder. */
import { loadJsonConfig } from '@rpi-cluster/core/json-config'
import { addKey, listKeys, revokeKey, rotateKey } from '@rpi-cluster/core/keys'
import { OperationalError, stopSignal } from '@rpi-cluster/core/lifecycle'
import { createLogger } from '@rpi-cluster/core/logging'
import { config } from './config.ts'

const USAGE = 'Say what to do with keys: list, add NAME, revoke NAME, or rotate NAME.'

stopSignal()
const log = createLogger('keys')
const [verb, ...rest] = process.argv.slice(2)
const names = rest[0]?.startsWith('-') ? [] : rest.slice(0, 1)
process.argv.splice(2, 1 + names.length) // what is left is --config FILE, or nothing
const [node] = names
const { keys: folder } = loadJsonConfig(config, 'node', log)

if (verb === 'list' && node === undefined) await list()
else if (verb === 'add' && node !== undefined) await add(node)
else if (verb === 'revoke' && node !== undefined) await revoke(node)
else if (verb === 'rotate' && node !== undefined) await rotate(node)
else throw new OperationalError(USAGE)

async function list() {
  const { keys, problems } = await listKeys({ folder })
  for (const { node, fingerprint, since, until } of keys)
    log.info(`${node} has the key ${fingerprint}, since ${since}${until ? `, until ${until}` : ''}`)
  for (const problem of problems) log.warn(problem)
  if (keys.length === 0) log.info('Nobody has a key')
}

async function add(node: string) {
  const { fingerprint, file } = await addKey({ folder, node })
  log.info(
    `${node} has the key ${fingerprint} now. Copy it to its machine, readable to its user alone: ${file}`,
  )
}

async function revoke(node: string) {
  await revokeKey({ folder, node })
  log.info(`${node} has no key any more, and is cut off`)
}

async function rotate(node: string) {
  const { fingerprint, file, olderUntil } = await rotateKey({ folder, node })
  log.info(`${node} has the key ${fingerprint} now. Copy it to its machine: ${file}`)
  log.info(`The older one holds until ${olderUntil}`)
}
