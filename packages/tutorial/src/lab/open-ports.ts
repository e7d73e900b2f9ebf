/**
 * Links that refuse who connects while nobody listens behind them: a program may listen on one of its ports long after it is
 * up, and not for ever, as one that leads now and then. The system tells who listens, where it is Linux.
 */
import { existsSync, readFileSync } from 'node:fs'
import { setInterval } from 'node:timers'
import type { FaultyLink } from './faulty-link.ts'

/** How often is looked, in ms of real time. */
const LOOK_MS = 50

/** Where Linux lists its sockets (proc_net_tcp(5)). */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']

/** A line of a socket that listens, and its port: 0A is TCP_LISTEN. */
const LISTENING = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm

/** Whether this system tells who listens. */
export const TELLS_WHO_LISTENS = TABLES.some((table) => existsSync(table))

/**
 * Looks again and again who listens.
 *
 * @returns what ends that
 */
export function openWithTheirPorts(links: readonly FaultyLink[]): () => void {
  if (links.length === 0) return () => {}
  const look = setInterval(() => {
    const open = listeningPorts()
    for (const link of links) void link.listens(open.has(link.serverPort)).catch(() => {})
  }, LOOK_MS)
  return () => clearInterval(look)
}

function listeningPorts(): Set<number> {
  const rows = TABLES.filter((table) => existsSync(table)).flatMap((table) => [
    ...readFileSync(table, 'latin1').matchAll(LISTENING),
  ])
  return new Set(rows.map(([, port = '']) => Number.parseInt(port, 16)))
}
