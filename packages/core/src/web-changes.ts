/**
 * A site on which something may be changed: by who has its token, from its own pages or by a program, and not where others
 * can listen in. Everything else stays there to be read.
 *
 * @since 0.24.0
 */
import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { sameAddress } from './network-addresses.ts'
import type { SiteChanges } from './web-site.ts'
import type { Token } from './web-token.ts'

export { type OpenTokenOptions, openToken, Token } from './web-token.ts'

/** By what something is changed. */
const METHODS = ['POST', 'DELETE']

/** How large a body may be, in bytes, unless told otherwise. */
const DEFAULT_MOST_BYTES = 1024 * 1024

/** How long a browser keeps the token, in s: 30 days from the link on. */
const KEPT_SECONDS = 30 * 86_400

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** What makes a request, of what the server knows of it. */
type Asked = Parameters<SiteChanges['look']>[0]

/** Why a request is refused. */
interface Refused {
  status: 400 | 401 | 403 | 408 | 413 | 415
  why: string
}

const WRONG_TOKEN: Refused = {
  status: 401,
  why: 'This is not the token of this site. Its log says where that is.',
}

export interface ChangesOptions {
  /** How large the body of a request may be, in bytes. Default: 1 MiB. */
  mostBytes?: number
}

/**
 * For the `changes` of a site: takes POST and DELETE
 *
 * - from this machine itself, or by a proxy on it that says that it was reached by https (`X-Forwarded-Proto`); others get 403
 * - from a page of this site's own, by the header `Origin`, or from no page at all; those of others get 403
 * - with the token: as `Authorization: Bearer TOKEN`, or from a browser in the cookie that the link `/?token=TOKEN` gives it,
 *   which no script reads and which no other site's page has sent along; who has none gets 401
 * - with a body of JSON, or of a form's fields as texts, or without one. A larger one than may be gets 413, another one 400 or 415
 *
 * A page finds what was said in `context.get('said')`: undefined without a body. Whether who looks at a page may change
 * something is `context.get('mayChange')`.
 */
export function changesWith(
  token: Token,
  { mostBytes = DEFAULT_MOST_BYTES }: ChangesOptions = {},
): SiteChanges {
  // Cookies go to every port of a machine, so another site there has one of another name.
  const cookie = `may-change-${token.name}`

  const hasCookie = (context: Asked) => token.matches(getCookie(context, cookie) ?? '')

  /** Who asks with the link is given the cookie, and the page without the token in its address. */
  const takeLink = (context: Asked, given: string): Response => {
    const way = wayOf(context)
    if ('why' in way) return refuse(context, way)
    if (!token.matches(given)) return refuse(context, WRONG_TOKEN)
    setCookie(context, cookie, token.reveal(), {
      path: '/',
      httpOnly: true,
      sameSite: 'Strict',
      secure: way.scheme === 'https',
      maxAge: KEPT_SECONDS,
    })
    return context.redirect('/', 303)
  }

  const whyRefused = (context: Asked): Refused | undefined => {
    const way = wayOf(context)
    if ('why' in way) return way
    const { req } = context
    const origin = req.header('Origin')
    if (origin !== undefined && origin !== originOf(way.scheme, req.header('Host')))
      return {
        status: 403,
        why: `Nothing is changed for a page of another site, which calls itself ${origin.slice(0, 100)}.`,
      }
    // A proxy that asks for a password passes that on, as Basic: it is no token, and a browser has the cookie besides.
    const [, given] = /^Bearer +(.*?) *$/i.exec(req.header('Authorization') ?? '') ?? []
    if (given !== undefined) return token.matches(given) ? undefined : WRONG_TOKEN
    if (!hasCookie(context))
      return {
        status: 401,
        why: 'To change something takes the token of this site: its log says where that is. A browser gets it by the link /?token=TOKEN, a program says "Authorization: Bearer TOKEN".',
      }
    // Every browser says so with what changes something. One that does not may be led by anybody.
    if (origin === undefined)
      return {
        status: 403,
        why: 'With a cookie, a request has to say which page it comes from, by the header Origin.',
      }
    return undefined
  }

  return {
    methods: METHODS,
    async look(context) {
      const { req } = context
      if (!METHODS.includes(req.method)) {
        const given = req.path === '/' && req.method === 'GET' ? req.query('token') : undefined
        if (given !== undefined) return takeLink(context, given)
        context.set('mayChange', !('why' in wayOf(context)) && hasCookie(context))
        return undefined
      }
      const refused = whyRefused(context)
      if (refused) return refuse(context, refused)
      const body = await readBody(context, mostBytes)
      if ('why' in body) return refuse(context, body)
      context.set('mayChange', true)
      context.set('said', body.said)
      return undefined
    },
  }
}

/** How a request came, if nobody could listen in. A proxy is believed when it is on this machine. */
function wayOf({ env, req }: Asked): { scheme: 'http' | 'https' } | Refused {
  const from = sameAddress(env.incoming.socket.remoteAddress ?? '')
  if (from === undefined || !(from.startsWith('127.') || from === '::1'))
    return {
      status: 403,
      why: 'Nothing is changed from another machine without encryption: whoever listens in would have the token. Use https, by a proxy on the machine of this site, or bring the page to your own machine by ssh, as in: ssh -L 8123:127.0.0.1:8123 pi@raspberrypi.local',
    }
  const scheme = req.header('X-Forwarded-Proto')
  const isProxied = ['X-Forwarded-Proto', 'X-Forwarded-For', 'Forwarded'].some(
    (name) => req.header(name) !== undefined,
  )
  if (!isProxied) return { scheme: 'http' }
  if (scheme === 'https') return { scheme }
  return {
    status: 403,
    why: 'Nothing is changed without encryption: the proxy before this site was not reached by https, or does not say so in the header X-Forwarded-Proto.',
  }
}

/** What a browser calls the pages of this site. */
function originOf(scheme: string, host: string | undefined): string | undefined {
  const address = `${scheme}://${host}`
  return URL.canParse(address) ? new URL(address).origin : undefined
}

/** Reads a body, as far as it may be long. Who sends it slowly is ended by the server's time for a request. */
async function readBody({ req, env }: Asked, mostBytes: number): Promise<{ said: unknown } | Refused> {
  const tooLarge: Refused = { status: 413, why: `A body has at most ${mostBytes} bytes here.` }
  if (Number(req.header('Content-Length') ?? 0) > mostBytes) return tooLarge
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    // The answer still has to go out where this came in.
    for await (const piece of env.incoming.iterator({ destroyOnReturn: false })) {
      bytes += piece.length
      if (bytes > mostBytes) return tooLarge
      pieces.push(piece)
    }
  } catch {
    return { status: 408, why: 'The body did not come to its end.' }
  }
  return bytes === 0 ? { said: undefined } : whatIsSaid(Buffer.concat(pieces), req.header('Content-Type'))
}

function whatIsSaid(bytes: Buffer, header = ''): { said: unknown } | Refused {
  const type = header.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== JSON_TYPE && type !== FORM_TYPE)
    return { status: 415, why: `A body is JSON here, with the header "Content-Type: ${JSON_TYPE}".` }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (type === JSON_TYPE) return { said: JSON.parse(text) }
    if (!text.startsWith('{')) return { said: Object.fromEntries(new URLSearchParams(text)) }
    // As curl sends it, unless told otherwise.
    return {
      status: 415,
      why: `This looks like JSON, and says that it is a form. Send it with "Content-Type: ${JSON_TYPE}".`,
    }
  } catch (error) {
    return {
      status: 400,
      why: `The body is no ${type === JSON_TYPE ? 'JSON' : 'form'}: ${(error as Error).message}.`,
    }
  }
}

/** A browser shows a text, and a program reads JSON. What is still to come of the body nobody reads. */
function refuse(context: Context, { status, why }: Refused): Response {
  const headers = {
    Connection: 'close',
    ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
  }
  const isForPeople = context.req.header('Accept')?.includes('text/html')
  return isForPeople
    ? context.text(`${why}\n`, status, headers)
    : context.json({ error: why }, status, headers)
}
