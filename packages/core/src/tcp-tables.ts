/**
 * What the system tells of its TCP connections, where it tells: Linux lists them in /proc/net.
 *
 * @since 0.3.0
 */
import { existsSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'

/**
 * An end of a connection, or a listening socket, as the system lists it.
 *
 * @internal
 */
export interface TcpEntry {
  address: string
  port: number
  peerAddress: string
  peerPort: number
  isListening: boolean
  /** Whether a program has it, and not the system alone, which keeps it for a while after the program has closed it. */
  isOwned: boolean
  /** Whether something is being sent again, since the other system has not confirmed it. */
  isSentAgain: boolean
  /** How many of the system's own questions, whether the other is there or has room again, have no answer. */
  unansweredProbes: number
}

/** What IPv6 writes before an IPv4 address. */
const MAPPED = '00000000000000000000ffff'

/** Linux's number for a socket that listens (TCP_LISTEN). */
const LISTENING = '0A'

/** Its number for the timer after which it sends again what was not confirmed. */
const SENDING_AGAIN = '01:'

/**
 * All that the system lists; nothing where it does not.
 *
 * @param tables the folder of the tables
 * @internal
 */
export function tcpEntries(tables = '/proc/net'): TcpEntry[] | undefined {
  const files = [join(tables, 'tcp'), join(tables, 'tcp6')].filter((file) => existsSync(file))
  return files.length === 0 ? undefined : files.flatMap(readTable)
}

/** A table that proc_net_tcp(5) describes: a line of headings, and then one for each socket. */
function readTable(file: string): TcpEntry[] {
  const [, ...lines] = readFileSync(file, 'ascii').trimEnd().split('\n')
  return lines.map((line) => {
    const [, local = '', remote = '', state, , timer = '', again = '', , probes = '', inode] = line
      .trim()
      .split(/\s+/)
    const [address, port] = endOf(local)
    const [peerAddress, peerPort] = endOf(remote)
    return {
      address,
      port,
      peerAddress,
      peerPort,
      isListening: state === LISTENING,
      isOwned: inode !== '0',
      isSentAgain: timer.startsWith(SENDING_AGAIN) && Number.parseInt(again, 16) > 0,
      unansweredProbes: Number.parseInt(probes, 10),
    }
  })
}

/** An address and a port, each in hexadecimal: `0100007F:3039`. Of an address, each four bytes are the wrong way round. */
function endOf(end: string): [string, number] {
  const [address = '', port = ''] = end.split(':')
  const bytes = address.match(/.{8}/g)?.map((word) => word.match(/../g)?.reverse().join('')) ?? []
  return [addressOfBytes(bytes.join('').toLowerCase()), Number.parseInt(port, 16)]
}

function addressOfBytes(hex: string): string {
  if (hex.startsWith(MAPPED)) return addressOfBytes(hex.slice(MAPPED.length))
  if (hex.length > 8) return canonicalAddress(hex.match(/.{4}/g)?.join(':') ?? '')
  return (
    hex
      .match(/../g)
      ?.map((byte) => Number.parseInt(byte, 16))
      .join('.') ?? ''
  )
}

/**
 * An address as it can be compared: IPv6 in its shortest form.
 *
 * @internal
 */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1) : address
}
