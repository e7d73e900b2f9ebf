/**
 * Why a port is taken. The system says EADDRINUSE in four cases, in which a reader has to do different things: somebody
 * listens there, or uses the port for a connection, or has ended and left connections behind that the system has not
 * forgotten yet, or holds it for no purpose that can be seen.
 *
 * @since 0.3.0
 */
import { once } from 'node:events'
import { connect, isIPv4 } from 'node:net'
import { addressOf } from './addresses.ts'
import { canonicalAddress, type TcpEntry, tcpEntries } from './tcp-tables.ts'

/** How long to wait for who may listen there, in ms. It is this machine that answers. */
const ANSWER_MS = 1_000

const EVERY_ADDRESS = ['0.0.0.0', '::']

/**
 * Why a port cannot be listened on, as the end of a sentence, and what to do.
 *
 * @param address an IP address
 * @param tables where the system tells what uses its ports, if it does: Linux does
 * @internal
 */
export async function whyPortTaken(address: string, port: number, tables = '/proc/net'): Promise<string> {
  const entries = entriesOf(address, port, tables)
  if (!entries) return (await answers(address, port)) ? whyListening() : WHY_NOT_SEEN
  const listening = entries.find(({ isListening }) => isListening)
  if (listening)
    return whyListening(listening.address === canonicalAddress(address) ? undefined : listening.address)
  const owned = entries.find(({ isOwned }) => isOwned)
  if (owned) {
    return `nobody listens there, but a program has a connection from it to ${addressOf(owned.peerAddress, owned.peerPort)}. Stop that program, or choose another port.`
  }
  if (entries.length > 0) {
    return `nobody listens there any more, but the system keeps connections that a program has left behind: ${entries.length}. It forgets them in a minute or two. Wait so long, or choose another port.`
  }
  return 'nobody listens there, but a program holds it. Stop that program, or choose another port.'
}

const WHY_NOT_SEEN =
  'nobody listens there, but a program holds it, or the system keeps connections that one has left behind. Wait a minute or two, or choose another port.'

function whyListening(where?: string): string {
  const there =
    where === undefined ? 'there' : EVERY_ADDRESS.includes(where) ? 'on all addresses' : `on ${where}`
  return `another program listens ${there}, perhaps this one in another terminal. Stop it, or choose another port.`
}

/** What uses a port in a way that keeps others from this address, where the system tells. */
function entriesOf(address: string, port: number, tables: string): TcpEntry[] | undefined {
  return tcpEntries(tables)?.filter(
    (entry) => entry.port === port && excludeEachOther(entry.address, canonicalAddress(address)),
  )
}

/** Whether a port cannot be used on both addresses. `::` stands for those of IPv4, too. */
function excludeEachOther(a: string, b: string): boolean {
  if (a === b || a === '::' || b === '::') return true
  return (a === '0.0.0.0' && isIPv4(b)) || (b === '0.0.0.0' && isIPv4(a))
}

/** Whether somebody takes a connection there. */
async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: ANSWER_MS }).on('timeout', () =>
    socket.destroy(new Error('no answer')),
  )
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.on('error', () => {}).destroy()
  }
}
