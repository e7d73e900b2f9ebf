/**
 * Pages that are none: `pages.ts ADDRESS`. They are loaded as a browser would, and follow what changes. Told how many, so
 * many are open; told to, some of them stop reading.
 */
import { type ClientRequest, get, type IncomingMessage } from 'node:http'

/** What the pages are told. */
export interface Order {
  open?: number
  /** Whether they read. */
  read?: boolean
}

/** What they tell. */
export interface Report {
  open: number
  /** How many bytes of events have come. */
  bytes: number
}

const address = process.argv[2] ?? ''
const agent = { agent: false as const }
const pages: { request: ClientRequest; response: IncomingMessage }[] = []
let bytes = 0

async function open(): Promise<void> {
  const html = await (await fetch(address)).text()
  const [, since = ''] = /data-version="([^"]+)"/.exec(html) ?? []
  await new Promise<void>((resolve, reject) => {
    const request = get(new URL(`/events?since=${since}`, address), agent, (response) => {
      pages.push({ request, response })
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('error', () => {})
      resolve()
    })
    request.on('error', reject)
  })
}

process.on('disconnect', () => process.exit())
process.on('message', async ({ open: wanted = pages.length, read }: Order) => {
  while (pages.length < wanted) await open()
  while (pages.length > wanted) pages.pop()?.request.destroy()
  if (read === false) for (const { response } of pages) response.pause()
  if (read === true) for (const { response } of pages) response.resume()
  process.send?.({ open: pages.length, bytes } satisfies Report)
})
