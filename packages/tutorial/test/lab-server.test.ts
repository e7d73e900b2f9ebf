/** What the page of a lab asks for and what it does not answer: who else could ask it to kill processes. */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { LabAction, LabEvent } from '../src/lab/events.ts'
import { serveLabPage } from '../src/lab/server.ts'
import type { Watched } from '../src/lab/watched.ts'
import { ReaderError } from '../src/workspace/reader-error.ts'

/** What a page shows without a cluster: a history, and what a test lets happen. */
class Happening implements Watched {
  readonly chapterName = '03-sockets'
  readonly lanes = [
    { name: 'node 1', program: 'node' },
    { name: 'node 2', program: 'node', connectsTo: 'node 1' },
  ]
  readonly commands = ['ask']
  readonly done: LabAction[] = []
  readonly listeners = new Set<(events: readonly LabEvent[]) => void>()
  readonly #history: LabEvent[]

  constructor(history: LabEvent[] = []) {
    this.#history = history
  }

  seconds = () => 7
  history = () => this.#history
  onEvents(listener: (events: readonly LabEvent[]) => void) {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  async do(action: LabAction) {
    if ('lane' in action && action.lane === 'node 9') throw new ReaderError('There is no node "node 9" here.')
    this.done.push(action)
  }
  async close() {}
}

async function serve(watched: Watched, canAct = true) {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const { address } = await serveLabPage(watched, { stop: stop.signal, canAct })
  const { host, origin } = new URL(address)
  const told = (await (await fetch(`${address}lab`)).json()) as { token?: string }
  const headers = { Origin: origin, 'Content-Type': 'application/json', 'Lab-Token': told.token ?? '' }
  return { address, host, headers, told }
}

/** Asks as `fetch` may not: by any name. */
async function statusFor(
  address: string,
  options: { headers: Record<string, string>; method?: string; body?: string },
) {
  const asked = request(address, options)
  asked.end(options.body)
  const [answer] = await once(asked, 'response')
  answer.resume()
  return answer.statusCode as number
}

const line = (number: number): LabEvent => ({
  type: 'line',
  at: number,
  lane: 'node 1',
  text: `line ${number}`,
})

test("an action is done for the lab's own page, and for nobody else", async () => {
  const watched = new Happening()
  const { address, headers, told } = await serve(watched)
  const body = JSON.stringify({ do: 'kill', lane: 'node 2' })
  const post = (changed: Record<string, string>) =>
    statusFor(`${address}do`, { method: 'POST', body, headers: { ...headers, ...changed } })
  expect(await post({ Origin: 'http://stranger.example' })).toBe(403)
  expect(await post({ Origin: '' })).toBe(403)
  expect(await post({ 'Lab-Token': 'guessed' })).toBe(403)
  expect(await post({ 'Lab-Token': '' })).toBe(403)
  expect(await post({ 'Content-Type': 'text/plain' })).toBe(403)
  // A name that a stranger has made lead here (DNS rebinding).
  expect(await statusFor(`${address}lab`, { headers: { Host: 'stranger.example' } })).toBe(421)
  expect(watched.done).toEqual([])
  expect(await post({})).toBe(204)
  expect(watched.done).toEqual([{ do: 'kill', lane: 'node 2' }])
  expect(told).toMatchObject({ commands: ['ask'] })
  const command = { do: 'run', lane: 'ask', args: 'all "at once"' } as const
  expect(
    (await fetch(`${address}do`, { method: 'POST', headers, body: JSON.stringify(command) })).status,
  ).toBe(204)
  expect(watched.done.at(-1)).toEqual(command)
  expect(await statusFor(`${address}lab`, { method: 'POST', headers, body })).toBe(405)
})

test('what is no action, or cannot be done, is refused in words', async () => {
  const watched = new Happening()
  const { address, headers } = await serve(watched)
  const post = async (body: string) => {
    const answer = await fetch(`${address}do`, { method: 'POST', headers, body })
    return [answer.status, await answer.text()]
  }
  expect(await post('kill')).toEqual([400, 'An action is JSON, and this is none.\n'])
  expect(await post('{"do":"kill"}')).toEqual([400, expect.stringMatching(/^lane: .*"lane"/)])
  expect(await post('{"do":"explode","lane":"node 1"}')).toEqual([
    400,
    expect.stringMatching(/^do: .*"explode"/),
  ])
  expect(await post('{"do":"trickle","lane":"node 1","bytesPerSecond":0}')).toEqual([
    400,
    expect.stringMatching(/^bytesPerSecond: /),
  ])
  expect(await post(JSON.stringify({ do: 'kill', lane: 'x'.repeat(40_000) }))).toEqual([
    413,
    expect.any(String),
  ])
  expect(await post('{"do":"kill","lane":"node 9"}')).toEqual([409, 'There is no node "node 9" here.\n'])
  expect(watched.done).toEqual([])
})

test('a recording takes no action, and gives no token', async () => {
  const watched = new Happening()
  const { address, headers, told } = await serve(watched, false)
  expect(told.token).toBeUndefined()
  expect(told).not.toHaveProperty('commands')
  expect(await statusFor(`${address}do`, { method: 'POST', headers, body: '{"do":"heal-all"}' })).toBe(405)
  expect(watched.done).toEqual([])
})

test('the page runs nothing but its own files', async () => {
  const { address } = await serve(new Happening())
  const answer = await fetch(address)
  const policy = answer.headers.get('Content-Security-Policy')
  expect(policy).toMatch(/default-src 'none'/)
  expect(policy).toMatch(/script-src 'self'(;|$)/)
  const page = await answer.text()
  expect(page).not.toMatch(/<script(?![^>]* src=)|<[^>]* (style|on\w+)=/)
  const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
  expect(files).toContain('page.js')
  for (const file of [...files, 'timeline.js', 'timeline-elements.js', 'words.js'])
    expect((await fetch(`${address}${file}`)).status, file).toBe(200)
})

test('a page gets the history first, in pieces, and then what happens', async () => {
  const watched = new Happening(Array.from({ length: 2_500 }, (_, index) => line(index)))
  const { address } = await serve(watched)
  const answer = await fetch(`${address}events`)
  const texts: string[] = []
  const sizes: number[] = []
  let buffer = ''
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    buffer += chunk
    const messages = buffer.split('\n\n')
    buffer = messages.pop() ?? ''
    for (const message of messages) {
      if (!message.startsWith('data: {')) continue
      const { now, events = [] } = JSON.parse(message.slice('data: '.length)) as {
        now: number
        events?: LabEvent[]
      }
      expect(now).toBe(7)
      if (events.length > 0) sizes.push(events.length)
      texts.push(...events.map((event) => (event.type === 'line' ? event.text : event.type)))
      if (texts.length === 2_500) for (const listener of watched.listeners) listener([line(2_500)])
    }
    if (texts.length > 2_500) break
  }
  expect(texts).toEqual(Array.from({ length: 2_501 }, (_, index) => `line ${index}`))
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000)
  await vi.waitFor(() => expect(watched.listeners.size).toBe(0))
})

test('a page that reads nothing is dropped, and nothing more is kept for it', async () => {
  const watched = new Happening()
  const { host } = await serve(watched)
  const [name, port] = host.split(':')
  const socket = connect(Number(port), name)
  onTestFinished(() => {
    socket.destroy()
  })
  socket.pause().write(`GET /events HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await vi.waitFor(() => expect(watched.listeners.size).toBe(1), { timeout: 10_000 })
  const piece = Array.from({ length: 1_000 }, (_, index) => line(index))
  // More than the system takes on its way, and more than waits.
  for (let count = 0; count < 500 && watched.listeners.size > 0; count += 1) {
    for (const listener of watched.listeners) listener(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(watched.listeners.size).toBe(0)
})
