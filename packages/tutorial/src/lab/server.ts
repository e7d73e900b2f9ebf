/**
 * The page of a lab, served to browsers of this machine: what happens, as server-sent events, and what can be done to
 * the cluster, for this page alone.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@rpi-cluster/core/logging'
import { createSite, type Site, serveFile, serveSite } from '@rpi-cluster/core/web'
import * as v from 'valibot'
import type { LabAction, LabEvent } from './events.ts'
import type { Watched } from './watched.ts'

/** How often a page is told what time it is, in ms. It is told sooner when something happens. */
const BEAT_MS = 1_000

/** How many events go to a page at once: a history in pieces, so that the page can draw in between. */
const MAX_AT_ONCE = 1_000

/** How many events may wait for a page that reads slowly, besides the history. With more it is dropped, and comes back. */
const MAX_WAITING = 20_000

/** How long an action may be, in bytes: a partition of hundreds of nodes. */
const MAX_ACTION_BYTES = 32 * 1024

/** What a page has, besides what happens. */
const FILES = {
  '/': 'page.html',
  '/icon.svg': 'icon.svg',
  '/page.css': 'page.css',
  '/page.js': 'page.js',
  '/timeline.css': 'timeline.css',
  '/timeline.js': 'timeline.js',
  '/timeline-elements.js': 'timeline-elements.js',
  '/words.js': 'words.js',
}

const lane = v.string()
const ActionSchema = v.variant('do', [
  v.strictObject({ do: v.picklist(['kill', 'stop', 'continue', 'restart', 'cut', 'heal']), lane }),
  v.strictObject({ do: v.literal('skew'), lane, seconds: v.pipe(v.number(), v.finite()) }),
  v.strictObject({
    do: v.literal('black-hole'),
    lane,
    direction: v.picklist(['toServer', 'toClient', 'both']),
  }),
  v.strictObject({
    do: v.literal('delay'),
    lane,
    delayMs: v.pipe(v.number(), v.minValue(0)),
    jitterMs: v.exactOptional(v.pipe(v.number(), v.minValue(0))),
  }),
  v.strictObject({
    do: v.literal('trickle'),
    lane,
    bytesPerSecond: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  }),
  v.strictObject({ do: v.literal('run'), lane, args: v.string() }),
  v.strictObject({ do: v.literal('partition'), groups: v.array(v.array(lane)) }),
  v.strictObject({ do: v.literal('heal-all') }),
])

export interface LabPageOptions {
  /** Stops serving when aborted. */
  stop: AbortSignal
  /** Whether something can be done to what is shown: a recording has no buttons. Default: true. */
  canAct?: boolean
  /** Where the page's own mistakes are told. Default: the console. */
  log?: Pick<Logger, 'warn' | 'error' | 'debug'>
}

/**
 * Serves the page on a free port of the loopback, until it is stopped.
 *
 * @returns what to open in a browser
 */
export async function serveLabPage(
  watched: Watched,
  { stop, canAct = true, log = console }: LabPageOptions,
): Promise<{ address: string }> {
  const token = randomUUID()
  const site = createSite({ log: log as Logger })
  for (const [path, file] of Object.entries(FILES))
    serveFile(site, path, new URL(`./page/${file}`, import.meta.url))
  site.get('/lab', (context) =>
    context.json({
      chapter: watched.chapterName,
      lanes: watched.lanes,
      ...(canAct && { commands: watched.commands, token }),
    }),
  )
  site.get('/events', (context) =>
    context.body(streamOf(watched, stop), 200, { 'Content-Type': 'text/event-stream; charset=utf-8' }),
  )
  if (canAct) takeActions(site, watched, token)
  return serveSite(site, { host: '127.0.0.1', port: 0, stop, log: log as Logger })
}

/**
 * A site of core's is only read. What is done to a cluster is asked for by its own page alone: another site's page does not
 * know the token, and could not send it from there.
 */
function takeActions(site: Site, watched: Watched, token: string): void {
  const read = site.fetch
  site.fetch = (request, ...rest) => {
    const { pathname } = new URL(request.url)
    return request.method === 'POST' && pathname === '/do'
      ? answerTo(request, watched, token)
      : read(request, ...rest)
  }
}

async function answerTo(request: Request, watched: Watched, token: string): Promise<Response> {
  const { headers } = request
  const isOwn =
    headers.get('Origin') === `http://${headers.get('Host')}` &&
    isSame(headers.get('Lab-Token') ?? '', token) &&
    headers.get('Content-Type') === 'application/json'
  if (!isOwn) return refusal(403, "Only the lab's own page can do something. Load it anew if this is it.")
  const length = headers.get('Content-Length')
  if (length === null || Number(length) > MAX_ACTION_BYTES)
    return refusal(413, `An action has a length, and ${MAX_ACTION_BYTES} bytes at most.`)
  const action = actionIn(await request.text())
  if (typeof action === 'string') return refusal(400, action)
  try {
    await watched.do(action)
    return new Response(null, { status: 204 })
  } catch (error) {
    return refusal(409, error instanceof Error ? error.message : String(error))
  }
}

/** What is to be done, or why it is nothing that can be. */
function actionIn(text: string): LabAction | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'An action is JSON, and this is none.'
  }
  const { success, output, issues } = v.safeParse(ActionSchema, value)
  if (success) return output as LabAction
  return issues.map((issue) => `${v.getDotPath(issue) ?? 'The action'}: ${issue.message}`).join('. ')
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function refusal(status: number, why: string): Response {
  return new Response(`${why}\n`, {
    status,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Control': 'no-store',
      Connection: 'close',
    },
  })
}

/**
 * What has happened, in pieces, and then what happens. Each page has its own pace: it takes the next piece when it has room
 * for it, and one that takes nothing for 20 s is cut off by the server.
 */
function streamOf(watched: Watched, stop: AbortSignal): ReadableStream<Uint8Array> {
  const waiting: LabEvent[] = [...watched.history()]
  const limit = waiting.length + MAX_WAITING
  const over = new AbortController()
  const ends = AbortSignal.any([over.signal, stop])
  let wake: (() => void) | undefined
  const unsubscribe = watched.onEvents((events) => {
    waiting.push(...events)
    if (waiting.length > limit) over.abort()
    wake?.()
  })
  ends.addEventListener('abort', () => {
    unsubscribe()
    wake?.()
  })
  const piece = (events: LabEvent[]) =>
    Buffer.from(
      `data: ${JSON.stringify({ now: watched.seconds(), ...(events.length > 0 && { events }) })}\n\n`,
    )
  return new ReadableStream<Uint8Array>(
    {
      start(page) {
        page.enqueue(Buffer.from('retry: 1000\nevent: begin\ndata:\n\n'))
      },
      async pull(page) {
        if (waiting.length === 0 && !ends.aborted) {
          const slept = new AbortController()
          const beat = sleep(BEAT_MS, undefined, { signal: slept.signal, ref: false }).catch(() => undefined)
          await Promise.race([
            beat,
            new Promise<void>((resolve) => {
              wake = resolve
            }),
          ])
          slept.abort()
        }
        if (ends.aborted) page.close()
        else page.enqueue(piece(waiting.splice(0, MAX_AT_ONCE)))
      },
      cancel() {
        over.abort()
      },
    },
    { highWaterMark: 0 },
  )
}
