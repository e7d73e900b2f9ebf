/**
 * What a site has, and what goes with each of its answers: headers that keep a browser from doing more than the page needs,
 * a page for what is not there, and a refusal for what is not taken.
 *
 * @since 0.14.0
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type Context, Hono } from 'hono'
import { accepts } from 'hono/accepts'
import { compress } from 'hono/compress'
import { etag } from 'hono/etag'
import { secureHeaders } from 'hono/secure-headers'
import { getMimeType } from 'hono/utils/mime'
import type { Logger } from './logging.ts'
import { namesThisMachine } from './own-names.ts'
import type { Html } from './web-html.ts'

/** What the server tells a site of a request, besides the request; and what a site tells its pages, where something may be changed. */
interface SiteEnv {
  Bindings: { incoming: IncomingMessage; names: readonly string[] }
  Variables: { mayChange?: boolean; said?: unknown }
}

/** A site: an app of Hono, to which a program adds its pages. */
export type Site = Hono<SiteEnv>

/** What a site takes besides being read, and from whom. */
export interface SiteChanges {
  /** The methods that change something. */
  readonly methods: readonly string[]
  /**
   * Looks at a request before a page does: one by which something is to be changed, and one that only reads, too.
   *
   * @returns what to answer instead of the page, if the page is not to answer
   */
  readonly look: (context: Context<SiteEnv>) => Response | undefined | Promise<Response | undefined>
}

/** What a browser may load for a page: what this site has, and nothing that stands in the page itself, as a script would. */
const FROM_HERE = ["'self'"]
const FROM_NOWHERE = ["'none'"]

/** How much smaller a file has to become for its compressed form to be kept, too: pictures do not. */
const WORTH_IT = 0.9

/** What a site takes: it is there to be read. */
const METHODS = ['GET', 'HEAD']

export interface SiteOptions {
  /** Where a mistake in a page is told. */
  log: Logger
  /** The page for what is not there. Default: a line of text. */
  notFound?: () => Html
  /** What may be changed here, and by whom: `changesWith` says it. Default: the site is there to be read. */
  changes?: SiteChanges
}

/**
 * Makes a site without pages. Whatever is added to it,
 *
 * - is answered only to who asks for this machine by one of its names or addresses; others get 421
 * - is read, by GET or HEAD; anything else gets 405, and a request with a body 413 (unless it takes `changes`)
 * - tells browsers to load nothing from elsewhere and to run nothing that stands in a page, to show it in no frame, to take
 *   its type as it is told, and to tell nobody where they come from
 * - is not kept by browsers, unless it says so itself
 * - is compressed for browsers that take it so, but for events, which are not to wait for each other
 *
 * A page that throws is told in the log, and is 500 to the browser.
 */
export function createSite({ log, notFound, changes }: SiteOptions): Site {
  const site: Site = new Hono<SiteEnv>()
  site.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: FROM_NOWHERE,
        styleSrc: FROM_HERE,
        scriptSrc: FROM_HERE,
        imgSrc: FROM_HERE,
        connectSrc: FROM_HERE,
        baseUri: FROM_NOWHERE,
        formAction: FROM_HERE, // a form asks for a page
        frameAncestors: FROM_NOWHERE,
      },
      xFrameOptions: 'DENY',
      // A browser that tells no page where it comes from tells none that this one is the site's own.
      ...(changes && { referrerPolicy: 'same-origin' }),
      strictTransportSecurity: false, // this is plain HTTP, and would stay so
      originAgentCluster: false, // of no use without HTTPS, and so is the next; browsers warn of it
      crossOriginOpenerPolicy: false,
    }),
  )
  site.use(compress())
  site.use(async (context, next) => {
    const refusal = refusalOf(context, changes?.methods ?? []) ?? (await changes?.look(context))
    if (refusal) context.res = refusal
    else await next()
    if (!context.res.headers.has('Cache-Control')) context.header('Cache-Control', 'no-store')
  })
  site.notFound((context) =>
    notFound ? context.html(notFound(), 404) : context.text('There is no such page here.\n', 404),
  )
  site.onError((error, context) => {
    const { method, path } = context.req
    log.error(`A mistake in the answer to ${method} ${path}: ${error} (its stack is in the log file)`)
    log.debug({ err: error }, 'Where the mistake was')
    return context.text('A mistake in the program has kept it from answering. Its log says more.\n', 500)
  })
  return site
}

/**
 * Adds a file, such as a stylesheet. It is read and compressed now, so that nothing that a browser asks for reads the disk. A
 * browser that has it asks whether it is still the same, and gets it only if it is not.
 *
 * @param path where it is on the site: `/page.css`
 * @param file where it is on this machine: `new URL('./page.css', import.meta.url)`
 * @throws Error when it cannot be read
 */
export function serveFile(site: Site, path: string, file: URL): void {
  const content = new Uint8Array(readFileSync(file))
  const small = new Uint8Array(gzipSync(content, { level: 9 }))
  const isSmaller = small.length < content.length * WORTH_IT
  const type = getMimeType(basename(fileURLToPath(file))) ?? 'application/octet-stream'
  const headers = {
    'Content-Type': type.startsWith('text/') && !type.includes('charset') ? `${type}; charset=utf-8` : type,
    'Cache-Control': 'no-cache',
    ...(isSmaller && { Vary: 'Accept-Encoding' }),
  }
  site.get(path, etag(), (context) => {
    const [body, encoding] = isSmaller && takesGzip(context) ? [small, 'gzip'] : [content]
    return context.body(body, 200, {
      ...headers,
      'Content-Length': String(body.length),
      ...(encoding !== undefined && { 'Content-Encoding': encoding }),
    })
  })
}

function takesGzip(context: Context): boolean {
  const header = 'Accept-Encoding'
  return accepts(context, { header, supports: ['gzip'], default: 'identity' }) === 'gzip'
}

/** Why a request is not answered; nothing when it is. */
function refusalOf({ env, req, text }: Context<SiteEnv>, changing: readonly string[]): Response | undefined {
  const { incoming, names } = env
  if (!namesThisMachine(req.header('Host'), incoming.socket.localAddress, names)) {
    return text(
      'This machine is not called so. Open the page by an address or a name of the machine, as its log says it.\n',
      421,
    )
  }
  if (changing.includes(req.method)) return undefined
  if (!METHODS.includes(req.method)) {
    const taken = [...METHODS, ...changing]
    const said =
      changing.length === 0
        ? `This site is there to be read: ${METHODS.join(' and ')}, and nothing else.\n`
        : `This site takes ${taken.join(', ')}, and nothing else.\n`
    return text(said, 405, { Allow: taken.join(', '), Connection: 'close' })
  }
  if (Number(req.header('Content-Length') ?? 0) > 0 || req.header('Transfer-Encoding') !== undefined)
    return text('A request has no body here.\n', 413, { Connection: 'close' })
  return undefined
}
