/**
 * Serving a site to browsers, however many come and however slow or hostile they are: each has a time for its request and a
 * limit for its size, and all together have a number of connections, of which the most idle one goes when another comes.
 *
 * @since 0.14.0
 */
import { addAbortListener, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { getRequestListener } from '@hono/node-server'
import { addressOf } from './addresses.ts'
import { TurnedAway } from './descriptors.ts'
import { OperationalError } from './lifecycle.ts'
import type { Logger } from './logging.ts'
import { whyNotListening } from './socket-errors.ts'
import type { Site } from './web-site.ts'

/** How large the head of a request may be, in bytes. A browser's has a few hundred. */
const MAX_HEAD_BYTES = 8 * 1024

/** How long a request may take to come, in ms, from the moment that its connection is there or the last answer was sent. */
const REQUEST_TIMEOUT_MS = 5_000

/** How often is looked whose time is over, in ms. */
const LOOK_MS = 1_000

/** How long a browser may keep a connection for its next request, in ms. */
const KEEP_ALIVE_MS = 5_000

/** How long a browser may take nothing of an answer, in ms. */
const STALLED_MS = 20_000

/** How many connections there may be. A browser has six to a site. */
const DEFAULT_MAX_CONNECTIONS = 128

const EVERY_ADDRESS = ['0.0.0.0', '::']

export interface ServeSiteOptions {
  /** The address or the name to listen on: `127.0.0.1` for this machine only, `0.0.0.0` for every IPv4 interface. */
  host: string
  /** 1 to 65535, or 0 for one that is free. */
  port: number
  /** Closes every connection and stops listening when aborted. */
  stop: AbortSignal
  /** Where it is told that browsers were turned away. */
  log: Logger
  /** By which other names this machine may be asked for: `cluster.example.org`. Default: none. */
  names?: readonly string[]
  /** How many connections there may be at once. Default: 128. */
  maxConnections?: number
}

/** A site that is served. */
export interface SiteServer {
  /** What to open in a browser: `http://127.0.0.1:8123/`. */
  readonly address: string
}

/**
 * Serves a site, until it is stopped. A request has 5 seconds and 8 KiB. When there are as many connections as there may be
 * and another one comes, the one is closed that has waited longest without a request.
 *
 * @returns once it listens
 * @throws OperationalError when it cannot listen there: the port is taken, or needs more rights, or the address is not one of
 *   this machine's
 */
export async function serveSite(site: Site, options: ServeSiteOptions): Promise<SiteServer> {
  const { host, port, stop, log, names = [], maxConnections = DEFAULT_MAX_CONNECTIONS } = options
  stop.throwIfAborted()
  const known = { names: [host, ...names] }
  const answer = getRequestListener((request, env) =>
    site.fetch(request, { ...known, incoming: env.incoming as IncomingMessage }),
  )
  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: LOOK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  })
  server.timeout = STALLED_MS

  /** Those that have no request in work, from the one that has waited longest on. */
  const idle = new Set<Socket>()
  const turnedAway = new TurnedAway(log)
  let open = 0
  server.on('connection', (socket) => {
    open += 1
    socket.once('close', () => {
      open -= 1
      idle.delete(socket)
    })
    idle.add(socket)
    if (open <= maxConnections) return
    const [longest = socket] = idle
    const address = addressOf(longest.remoteAddress, longest.remotePort)
    longest.destroy()
    turnedAway.tell(
      address,
      `it has waited longest without a request, and the limit of open connections is ${maxConnections}`,
    )
  })
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    idle.delete(request.socket)
    response.once('close', () => {
      if (!request.socket.destroyed) idle.add(request.socket)
    })
    void answer(request, response)
  }
  server.on('request', serve)
  server.on('checkContinue', serve) // who asks before it sends a body is told in the answer

  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    throw new OperationalError(await whyNotListening(error, host, port), { cause: error })
  }
  server.on('error', (error) => log.warn(`Could not accept a connection: ${error.message}`))
  addAbortListener(stop, () => {
    server.close()
    server.closeAllConnections()
    turnedAway.end()
  })
  return { address: `http://${addressOf(nameFor(host), (server.address() as AddressInfo).port)}/` }
}

/** What to call a host in an address that somebody is to open. Every address is none: one of them is, of another machine too. */
function nameFor(host: string): string {
  if (!EVERY_ADDRESS.includes(host)) return host
  try {
    const found = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')
    return found?.address ?? hostname()
  } catch {
    return hostname() // some sandboxes do not let a program ask
  }
}
