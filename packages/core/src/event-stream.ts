/**
 * A table that is followed by a page: its changes as server-sent events, which a browser's `EventSource` takes. (The
 * format is in the HTML standard, under "server-sent events".)
 *
 * @since 0.15.0
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Changes, LiveTable } from './live-table.ts'
import type { Site } from './web-site.ts'

/**
 * How often a page hears something when nothing changes, in ms: a server of sites cuts after 20 s a page that takes nothing,
 * and proxies one that is silent for a minute.
 */
const BEAT_MS = 15_000

/** How long a page should wait before it comes back, in ms. */
const RETRY_MS = 2_000

/** A comment, which keeps the connection open, and an event that a page may count on: comments do not reach it. */
const BEAT = Buffer.from(': nothing has changed\nevent: beat\ndata:\n\n')

export interface EventsOptions {
  /** What the page has already: the id of the last event that it got, or the version that it was made of. */
  since?: string | undefined
  /** How often a page hears something when nothing changes, in ms. Default: 15,000. */
  beatMs?: number
}

/**
 * Adds a stream to a site: who asks for it gets what changes in a table. A browser that comes back says itself what it got
 * last; a page says in its question what it was made of: `/events?since=VERSION`.
 */
export function serveEvents(site: Site, path: string, table: LiveTable<unknown>): void {
  site.get(path, (context) => {
    const since = context.req.header('Last-Event-ID') ?? context.req.query('since')
    return context.body(eventsOf(table, { since }), 200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'X-Accel-Buffering': 'no', // nginx would gather it
    })
  })
}

/**
 * What changes in a table, as events, for as long as somebody reads. An event is the JSON text of `{all, rows, removed}`, as
 * {@link Changes} has them; its id is their version. Each reader has its own pace, and nothing is kept for it but the
 * event that it is reading.
 */
export function eventsOf(
  table: LiveTable<unknown>,
  { since, beatMs = BEAT_MS }: EventsOptions = {},
): ReadableStream<Uint8Array> {
  const over = new AbortController()
  const steps = table.follow(over.signal, since)
  let step: Promise<IteratorResult<Changes<unknown>, void>> | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(reader) {
        reader.enqueue(Buffer.from(`retry: ${RETRY_MS}\n\n`))
      },
      async pull(reader) {
        step ??= steps.next()
        const quiet = new AbortController()
        const beat = sleep(beatMs, undefined, { signal: quiet.signal, ref: false }).catch(() => undefined)
        const next = await Promise.race([step, beat])
        quiet.abort()
        if (next) step = undefined
        if (!over.signal.aborted) reader.enqueue(next?.value ? bytesOf(next.value) : BEAT)
      },
      cancel() {
        over.abort()
      },
    },
    { highWaterMark: 0 },
  )
}

const encoded = new WeakMap<Changes<unknown>, Buffer>()

/** Changes as an event. All pages that are equally far get the same, so it is made once. */
function bytesOf(changes: Changes<unknown>): Buffer {
  const known = encoded.get(changes)
  if (known) return known
  const { version, all, rows, removed } = changes
  const bytes = Buffer.from(`id: ${version}\ndata: ${JSON.stringify({ all, rows, removed })}\n\n`)
  encoded.set(changes, bytes)
  return bytes
}
