/**
 * Whether a browser means this machine. A page of a stranger may have a name that leads to this machine's address all of
 * a sudden (DNS rebinding), and read then what is served there, as if it were the stranger's own. The browser says by which
 * name it has come, in the header Host: so only names that are this machine's are answered.
 *
 * @since 0.14.0
 */
import { isIP } from 'node:net'
import { hostname } from 'node:os'

/** What a home network puts behind a machine's name. Nobody can buy a name under these. */
const HOME_DOMAINS = ['local', 'lan', 'home', 'internal', 'home.arpa']

/** A host and perhaps a port, as the header has it: `raspberrypi.local:8123`, `[::1]:8123`. */
const HOST = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i

/**
 * Whether a Host header names this machine: its loopback names, its own name, alone and as home networks know it, the
 * address by which it was reached, or one of the names given. The port does not matter: there are tunnels.
 *
 * @param header what stands in the header, if there is one
 * @param reachedAt the address of this machine to which the connection goes
 * @param names others that are known to be this machine's
 * @internal
 */
export function namesThisMachine(
  header: string | undefined,
  reachedAt: string | undefined,
  names: readonly string[],
): boolean {
  const [, ipv6, other] = HOST.exec(header ?? '') ?? []
  const name = (ipv6 ?? other)?.toLowerCase().replace(/\.$/, '')
  if (name === undefined) return false
  if (names.some((own) => own.toLowerCase() === name)) return true
  if (isIP(name) !== 0)
    return /^127\./.test(name) || name === '::1' || name === reachedAt?.replace(/^::ffff:/, '')
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  const own = hostname().toLowerCase()
  const [short = own] = own.split('.')
  return name === own || name === short || HOME_DOMAINS.some((domain) => name === `${short}.${domain}`)
}
