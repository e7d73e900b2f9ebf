/**
 * Which addresses are the same one, however they are written, and which are one household's.
 *
 * @since 0.21.0
 */
import { SocketAddress } from 'node:net'

/** How an IPv6 socket writes the address of an IPv4 peer. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/

/** How many of the eight groups of an IPv6 address say which network it is in: a household gets a /64, and its machines 2^64 addresses. */
const NETWORK_GROUPS = 4

/**
 * An address in one spelling: `127.0.0.1` for `::ffff:127.0.0.1`, `fe80::1` for `FE80:0:0::1%eth0`.
 *
 * @returns undefined when it is none
 * @internal
 */
export function sameAddress(text: string): string | undefined {
  const family = text.includes(':') ? 'ipv6' : 'ipv4'
  const [withoutZone = ''] = text.split('%')
  try {
    const { address } = new SocketAddress({ address: withoutZone, family })
    return MAPPED.exec(address)?.[1] ?? address
  } catch {
    return undefined
  }
}

/**
 * What stands for all addresses that one machine can easily have: its IPv4 address, or the /64 network of its IPv6 address.
 *
 * @internal
 */
export function sourceOf(text: string | undefined): string {
  const address = text === undefined ? undefined : sameAddress(text)
  if (address === undefined) return 'unknown'
  if (!address.includes(':')) return address
  const [before = '', after] = address.split('::')
  const first = before === '' ? [] : before.split(':')
  const last = after ? after.split(':') : []
  const between = after === undefined ? 0 : 8 - first.length - last.length
  const groups = [...first, ...Array<string>(Math.max(0, between)).fill('0'), ...last]
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`
}
