import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { serveEvents } from '../src/event-stream.ts'
import { LiveTable } from '../src/live.ts'
import { createSite, html, type ServeSiteOptions, serveFile, serveSite } from '../src/web.ts'
import { recordingLog, stopAfterTest, tempFolder } from './support.ts'

/** Longer than a request may take, which is 5 s and up to a second more, on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const CSS = 'p { color: green }\n'

const SCRIPT = 'export const name = "a name that stands here again and again"\n'.repeat(100)

/** A site with a page, JSON, a file and a mistake, served on a free port. */
async function served(options: Partial<ServeSiteOptions> = {}) {
  const controller = stopAfterTest()
  const { log, records } = recordingLog()
  const site = createSite({ log, notFound: () => html`<p>Not here.</p>` })
  const table = new LiveTable<string>()
  site.get('/', (context) => context.html(html`<p>${'<b>&"'}</p>`))
  site.get('/api', (context) => context.json({ name: 'ü' }))
  site.get('/mistake', () => {
    throw new TypeError('oh')
  })
  site.get('/never', () => new Promise<Response>(() => {}))
  const file = join(tempFolder(), 'page.css')
  writeFileSync(file, CSS)
  serveFile(site, '/page.css', pathToFileURL(file))
  const script = join(tempFolder(), 'page.js')
  writeFileSync(script, SCRIPT)
  serveFile(site, '/page.js', pathToFileURL(script))
  site.get('/long', (context) => context.json({ text: SCRIPT }))
  serveEvents(site, '/events', table)
  const { address } = await serveSite(site, {
    host: '127.0.0.1',
    port: 0,
    stop: controller.signal,
    log,
    ...options,
  })
  const port = Number(new URL(address).port)
  return { port, address, records, controller, site, log, table }
}

interface Got {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** As it came. */
  bytes: Buffer
}

/** Asks as a browser does, on a connection of its own. */
function get(port: number, path = '/', { method = 'GET', headers = {}, body = '' } = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false })
    request.on('error', reject).on('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece) => pieces.push(piece))
      response.on('end', () => {
        const bytes = Buffer.concat(pieces)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: String(bytes), bytes })
      })
    })
    request.end(body)
  })
}

/** A connection on which a test says what it likes. */
async function rawSocket(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  onTestFinished(() => void socket.destroy())
  const raw = { socket, text: '', isClosed: false }
  socket.on('error', () => {})
  socket.on('data', (piece) => {
    raw.text += piece
  })
  socket.on('close', () => {
    raw.isClosed = true
  })
  await once(socket, 'connect')
  return raw
}

const says = (socket: Socket, ...lines: string[]) => socket.write(`${lines.join('\r\n')}\r\n\r\n`)

test('each thing has its type, with its charset, and a text in a template is a text', async () => {
  const { port } = await served()
  const [page, json, css, missing] = await Promise.all(
    ['/', '/api', '/page.css', '/nothing?x=1'].map((path) => get(port, path)),
  )
  expect(page).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/html; charset=UTF-8' },
    body: '<p>&lt;b&gt;&amp;&quot;</p>',
  })
  expect(json).toMatchObject({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"name":"ü"}',
  })
  expect(css).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/css; charset=utf-8' },
    body: CSS,
  })
  expect(missing).toMatchObject({ status: 404, body: '<p>Not here.</p>' })
})

test('every answer tells browsers to load nothing from elsewhere, to run nothing of the page, and to show it in no frame', async () => {
  const { port } = await served()
  const answers = await Promise.all([
    get(port),
    get(port, '/page.css'),
    get(port, '/nothing'),
    get(port, '/mistake'),
    get(port, '/', { method: 'POST' }),
    get(port, '/', { headers: { host: 'example.org' } }),
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 500, 405, 421])
  for (const { headers } of answers) {
    expect(headers).toMatchObject({
      'content-security-policy': expect.stringMatching(/default-src 'none';.*frame-ancestors 'none'/),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': expect.stringMatching(/^no-/),
    })
    expect(headers['content-security-policy']).not.toMatch(/unsafe|data:|https?:/)
    expect(headers).not.toHaveProperty('x-powered-by')
  }
})

test('a file that a browser has is not sent again, until it is another; a page is not kept', async () => {
  const { port } = await served()
  const { headers } = await get(port, '/page.css')
  const etag = headers.etag ?? 'none'
  const again = (value: string) => get(port, '/page.css', { headers: { 'if-none-match': value } })
  expect(await again(etag)).toMatchObject({ status: 304, body: '', headers: { etag } })
  expect(await again('"of yesterday"')).toMatchObject({ status: 200, body: CSS })
  expect(headers['cache-control']).toBe('no-cache')
  expect((await get(port)).headers).toMatchObject({ 'cache-control': 'no-store' })
})

test('what is long enough is compressed for who takes it so, and a file has an ETag for each form', async () => {
  const { port } = await served()
  const gzip = { 'accept-encoding': 'gzip, deflate, br' }
  for (const [path, text] of [
    ['/page.js', SCRIPT],
    ['/long', JSON.stringify({ text: SCRIPT })],
  ] as const) {
    const plain = await get(port, path)
    expect(plain).toMatchObject({ body: text, headers: { vary: 'Accept-Encoding' } })
    expect(plain.headers).not.toHaveProperty('content-encoding')
    const refused = await get(port, path, { headers: { 'accept-encoding': 'gzip;q=0, *' } })
    expect(refused.headers['content-encoding']).not.toBe('gzip')
    const packed = await get(port, path, { headers: gzip })
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
    expect(packed.headers['content-type']).toBe(plain.headers['content-type'])
    expect(String(gunzipSync(packed.bytes))).toBe(text)
    expect(packed.bytes.length).toBeLessThan(text.length / 10)
  }
  const [plain, packed, head] = await Promise.all([
    get(port, '/page.js'),
    get(port, '/page.js', { headers: gzip }),
    get(port, '/page.js', { headers: gzip, method: 'HEAD' }),
  ])
  expect(new Set([plain.headers.etag, packed.headers.etag]).size).toBe(2)
  expect(packed.headers['content-length']).toBe(String(packed.bytes.length))
  const { date: _, ...headers } = packed.headers
  expect(head).toMatchObject({ body: '', headers })
  for (const [headers, status] of [
    [{ ...gzip, 'if-none-match': packed.headers.etag ?? 'none' }, 304],
    [{ 'if-none-match': plain.headers.etag ?? 'none' }, 304],
    [{ ...gzip, 'if-none-match': '"of yesterday"' }, 200],
  ] as const)
    expect(await get(port, '/page.js', { headers })).toMatchObject({ status })
  // A short file is not.
  const short = await get(port, '/page.css', { headers: gzip })
  expect(short).toMatchObject({ body: CSS, headers: { 'content-length': String(CSS.length) } })
  expect(short.headers).not.toHaveProperty('content-encoding')
})

test('events come one by one, also to who takes them compressed', async () => {
  const { port, table } = await served()
  const raw = await rawSocket(port)
  says(raw.socket, 'GET /events HTTP/1.1', 'Host: localhost', 'Accept-Encoding: gzip')
  for (const name of ['first', 'second']) {
    table.set(name, name)
    await vi.waitFor(() => expect(raw.text).toContain(`"rows":{"${name}":"${name}"}`), PATIENCE)
  }
  expect(raw.text).toMatch(/^HTTP\/1\.1 200 (?!.*content-encoding)/is)
})

test('who leaves in the middle of a compressed answer leaves no mistake behind', async () => {
  const { port, site, records } = await served()
  const noise = Buffer.from(Array.from({ length: 2_000_000 }, () => Math.random() * 95 + 32)).toString(
    'latin1',
  )
  site.get('/noise', (context) => context.text(noise))
  for (let count = 0; count < 5; count += 1) {
    const raw = await rawSocket(port)
    says(raw.socket, 'GET /noise HTTP/1.1', 'Host: localhost', 'Accept-Encoding: gzip')
    await once(raw.socket, 'data')
    raw.socket.destroy()
  }
  expect(await get(port)).toMatchObject({ status: 200 })
  expect(records).toEqual([])
})

test('HEAD is GET without what it is about, and anything else is refused with what is taken', async () => {
  const { port } = await served()
  for (const path of ['/', '/page.css', '/nothing']) {
    const [head, whole] = [await get(port, path, { method: 'HEAD' }), await get(port, path)]
    expect(head).toMatchObject({ status: whole.status, body: '' })
    expect(head.headers['content-type']).toBe(whole.headers['content-type'])
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])
    expect(await get(port, '/', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
})

test('only the names and addresses of this machine are answered: no page of a stranger takes its place', async () => {
  const { port } = await served({ names: ['Cluster.example.org'] })
  const status = async (host: string) => (await get(port, '/', { headers: { host } })).status
  const [short] = hostname().split('.')
  const own = [
    'localhost',
    'LOCALHOST:8123',
    'pi.localhost',
    '127.0.0.1',
    '127.0.0.2:1',
    '[::1]:8123',
    hostname(),
    `${short}.local`,
    `${short}.home.arpa:8123`,
    'cluster.example.org',
    'localhost.',
  ]
  for (const host of own) expect([host, await status(host)]).toEqual([host, 200])
  const others = [
    'example.org',
    'localhost.example.org',
    `${short}.example.org`,
    '127.0.0.1.example.org',
    'notlocalhost',
    '192.0.2.1',
    '[2001:db8::1]',
    '2130706433',
    'a@localhost',
    'localhost, example.org',
  ]
  // What is no host at all is 400 already.
  for (const host of others) expect([host, await status(host)]).toEqual([host, /[@ ]/.test(host) ? 400 : 421])
  expect((await get(port, '/', { headers: { host: 'example.org' } })).body).toMatch(
    /^This machine is not called so\. Open the page by an address or a name of the machine/,
  )
})

test('a request without a Host, or with two, is refused', async () => {
  const { port } = await served()
  for (const [lines, expected] of [
    [['GET / HTTP/1.1'], 400],
    [['GET / HTTP/1.0'], 400],
    [['GET / HTTP/1.1', 'Host:'], 400],
    [['GET / HTTP/1.1', 'Host: example.org', 'Host: localhost'], 421],
    [['GET http://localhost/ HTTP/1.1', 'Host: example.org'], 421],
  ] as const) {
    const raw = await rawSocket(port)
    says(raw.socket, ...lines, 'Connection: close')
    await vi.waitFor(() => expect(raw.text).toMatch(/^HTTP\/1\.1 \d+/), PATIENCE)
    expect([lines, Number(raw.text.slice(9, 12))]).toEqual([lines, expected])
  }
})

test('a path leads to nothing but what the site has, however it is written', async () => {
  const { port } = await served()
  for (const path of [
    '/../page.css/../../../etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
    '/page.css%00.html',
    '/page.css/',
    '/%',
    '/%ff%fe',
    '/__proto__',
    '/constructor',
  ])
    expect([path, (await get(port, path)).status]).toEqual([path, 404])
})

test('a body is refused, before it has come and after it was announced', async () => {
  const { port } = await served()
  expect(
    await get(port, '/', { method: 'GET', headers: { 'content-length': '5' }, body: 'hello' }),
  ).toMatchObject({ status: 413 })
  const asks = await rawSocket(port)
  says(asks.socket, 'GET / HTTP/1.1', 'Host: localhost', 'Content-Length: 9999999', 'Expect: 100-continue')
  await vi.waitFor(() => expect(asks).toMatchObject({ isClosed: true }), PATIENCE)
  expect(asks.text).toMatch(/^HTTP\/1\.1 413 /)
  const chunked = await rawSocket(port)
  says(chunked.socket, 'GET / HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked')
  await vi.waitFor(() => expect(chunked.text).toMatch(/^HTTP\/1\.1 413 /), PATIENCE)
})

test('a head that is too large, or no HTTP at all, is refused, and the site goes on', async () => {
  const { port } = await served()
  const large = await rawSocket(port)
  says(large.socket, 'GET / HTTP/1.1', 'Host: localhost', `X: ${'x'.repeat(20_000)}`)
  const endless = await rawSocket(port)
  endless.socket.write(`GET /${'x'.repeat(100_000)}`)
  const frame = await rawSocket(port)
  frame.socket.write('{"type":"message","payload":"hello"}\r')
  await vi.waitFor(() => {
    expect(large.text).toMatch(/^HTTP\/1\.1 431 /)
    expect(endless.text).toMatch(/^HTTP\/1\.1 (431|414) /)
    expect(frame.text).toMatch(/^HTTP\/1\.1 400 /)
  }, PATIENCE)
  expect(await get(port)).toMatchObject({ status: 200 })
})

test('a page that throws is told in the log, and to the browser without its stack', async () => {
  const { port, records } = await served()
  const { status, body } = await get(port, '/mistake')
  expect([status, body]).toEqual([500, expect.not.stringMatching(/oh|TypeError|at /)])
  expect(records.map(({ msg }) => msg)).toContain(
    'A mistake in the answer to GET /mistake: TypeError: oh (its stack is in the log file)',
  )
  expect(await get(port)).toMatchObject({ status: 200 })
})

test('when there are as many connections as may be, the one goes that has waited longest, and who comes is served', async () => {
  const { port, records } = await served({ maxConnections: 10 })
  const crowd: Awaited<ReturnType<typeof rawSocket>>[] = []
  for (let count = 0; count < 30; count += 1) crowd.push(await rawSocket(port))
  expect(await get(port)).toMatchObject({ status: 200 })
  await vi.waitFor(() => expect(crowd.filter(({ isClosed }) => !isClosed).length).toBe(9), PATIENCE)
  expect(crowd.findLastIndex(({ isClosed }) => isClosed)).toBeLessThan(30 - 9)
  expect(records.filter(({ msg }) => /^Turned away/.test(msg)).map(({ msg }) => msg)).toEqual([
    expect.stringMatching(
      /^Turned away 127\.0\.0\.1:\d+: it has waited longest without a request, and the limit of open connections is 10\. Others are counted\.$/,
    ),
  ])
})

test('it ends when it is stopped, whatever is open', async () => {
  const { port, controller } = await served()
  const idle = await rawSocket(port)
  const half = await rawSocket(port)
  half.socket.write('GET / HT')
  const waiting = await rawSocket(port)
  says(waiting.socket, 'GET /never HTTP/1.1', 'Host: localhost')
  const kept = await rawSocket(port)
  says(kept.socket, 'GET / HTTP/1.1', 'Host: localhost')
  await vi.waitFor(() => expect(kept.text).toMatch(/<\/p>$/), PATIENCE)
  controller.abort()
  await vi.waitFor(
    () => expect([idle, half, waiting, kept].filter(({ isClosed }) => !isClosed)).toEqual([]),
    { ...PATIENCE, timeout: 10_000 }, // before the times of connections end them, of which the longest is 20 s
  )
  await expect(get(port)).rejects.toThrow(/ECONNREFUSED/)
})

test('a port that is taken is told with who has it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => void taken.close())
  const { port } = taken.address() as { port: number }
  await expect(served({ port })).rejects.toThrow(
    `Port ${port} is taken on 127.0.0.1: another program listens there, perhaps this one in another terminal. Stop it, or choose another port.`,
  )
})

test('an address that somebody can open is given, also where every address is listened on', async () => {
  expect((await served({ host: 'localhost' })).address).toMatch(/^http:\/\/localhost:\d+\/$/)
  const { address } = await served({ host: '0.0.0.0' })
  expect(address).toMatch(/^http:\/\/(?!0\.0\.0\.0)[\w.-]+:\d+\/$/)
  expect((await fetch(address)).status).toBe(200)
})
