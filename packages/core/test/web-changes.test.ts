import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createSite, html, type ServeSiteOptions, serveSite } from '../src/web.ts'
import { type ChangesOptions, changesWith, openToken } from '../src/web-changes.ts'
import { recordingLog, stopAfterTest, tempFolder } from './support.ts'

/** Longer than a request may take, which is 5 s and up to a second more, on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const WRONG = `${'A'.repeat(42)}A`

/** A site on which something may be changed, served on a free port. */
async function served(options: Partial<ServeSiteOptions> & ChangesOptions = {}) {
  const { signal: stop } = stopAfterTest()
  const { log, records } = recordingLog()
  const folder = tempFolder()
  const token = await openToken({ name: 'site', log, folder })
  const secret = readFileSync(token.file, 'utf8').trim()
  const site = createSite({ log, changes: changesWith(token, options) })
  const said: unknown[] = []
  site.get('/', (context) =>
    context.html(html`<p>${context.get('mayChange') ? 'may change' : 'may read'}</p>`),
  )
  site.on(['POST', 'DELETE'], '/thing', (context) => {
    said.push(context.get('said'))
    return context.json({ taken: true }, 202)
  })
  const { address } = await serveSite(site, { host: '127.0.0.1', port: 0, stop, log, ...options })
  const { port, host } = new URL(address)
  const bearer = { authorization: `Bearer ${secret}` }
  const cookie = { cookie: `may-change-${token.name}=${secret}` }
  return { port: Number(port), host, address, token, secret, bearer, cookie, said, records, folder, log }
}

interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string | Buffer
  to?: string
}

/** Asks on a connection of its own. A body is JSON, unless the headers say otherwise. */
function ask(
  port: number,
  { method = 'POST', path = '/thing', headers = {}, body, to = '127.0.0.1' }: Asked = {},
) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const request = httpRequest({
      host: to,
      port,
      path,
      method,
      headers: { ...type, ...headers },
      agent: false,
    })
    request.on('error', reject).on('response', async (response) => {
      let text = ''
      for await (const piece of response.setEncoding('utf8')) text += piece
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
    })
    request.end(body)
  })
}

/** A connection on which a test says what it likes, and reads what is answered until it is closed. */
async function rawSocket(port: number, ...lines: string[]) {
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
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  return raw
}

test('who has the token as a bearer changes something, by JSON, by a form, or with nothing to say', async () => {
  const { port, bearer, said } = await served()
  for (const [method, body, type] of [
    ['POST', '{"name":"ü","__proto__":1}', 'application/json'],
    ['POST', '[1]', 'Application/JSON; charset=utf-8'],
    ['POST', 'a=1&b=x+y%26&__proto__=2', 'application/x-www-form-urlencoded'],
    ['DELETE', undefined, 'text/plain'],
  ] as const) {
    const headers = { ...bearer, 'content-type': type }
    expect(await ask(port, { method, headers, ...(body && { body }) })).toMatchObject({
      status: 202,
      body: '{"taken":true}',
    })
  }
  expect(said).toEqual([
    JSON.parse('{"name":"ü","__proto__":1}'),
    [1],
    { a: '1', b: 'x y&', ['__proto__']: '2' },
    undefined,
  ])
})

test('without a token, and with a wrong one, nothing is changed', async () => {
  const { port, said, secret, token, host } = await served()
  const origin = `http://${host}`
  for (const headers of [
    {},
    { authorization: `Bearer ${WRONG}` },
    { authorization: `Bearer ${secret.slice(0, -1)}` },
    { authorization: `Bearer ${secret}x` },
    { authorization: `Basic ${secret}` },
    { authorization: secret },
    { authorization: `Bearer ${secret} ${secret}` },
    { authorization: 'Bearer ' },
    { cookie: `may-change-${token.name}=${WRONG}`, origin },
    { cookie: `may-change-${token.name}=`, origin },
    { cookie: `may-change=${secret}`, origin },
    { cookie: `may-change-${token.name}=${secret}`, authorization: `Bearer ${WRONG}`, origin },
  ] as Record<string, string>[]) {
    const { status, headers: answered, body } = await ask(port, { headers })
    expect([headers, status, answered['www-authenticate']]).toEqual([headers, 401, 'Bearer'])
    expect(JSON.parse(body)).toEqual({ error: expect.stringMatching(/token of this site/) })
  }
  // In an address it would be in every log on the way.
  expect(await ask(port, { path: `/thing?token=${secret}` })).toMatchObject({ status: 401 })
  expect(said).toEqual([])
  const forPeople = await ask(port, { headers: { accept: 'text/html,*/*' } })
  expect(forPeople).toMatchObject({ headers: { 'content-type': expect.stringMatching(/^text\/plain/) } })
})

test('the link gives a browser the cookie, which no script and no page of another site can use', async () => {
  const { port, secret, host, said, token } = await served()
  const link = await ask(port, { method: 'GET', path: `/?token=${secret}` })
  expect(link).toMatchObject({
    status: 303,
    headers: { location: '/', 'cache-control': 'no-store' },
    body: '',
  })
  const [cookie = ''] = link.headers['set-cookie'] ?? []
  const [pair = '', ...attributes] = cookie.split('; ')
  expect(pair).toBe(`may-change-${token.name}=${secret}`)
  expect(attributes.sort()).toEqual(['HttpOnly', `Max-Age=${30 * 86_400}`, 'Path=/', 'SameSite=Strict'])

  const origin = `http://${host}`
  expect((await ask(port, { method: 'GET', path: '/', headers: { cookie: pair } })).body).toContain(
    'may change',
  )
  expect((await ask(port, { method: 'GET', path: '/' })).body).toContain('may read')
  const headers = { cookie: `other=1; ${pair}`, origin }
  expect(await ask(port, { headers, body: '{}' })).toMatchObject({ status: 202 })
  expect(said).toEqual([{}])

  const wrong = await ask(port, { method: 'GET', path: `/?token=${WRONG}` })
  expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined])
  // The name is another one for another token: cookies go to each port of a machine.
  expect((await served()).token.name).not.toBe(token.name)
})

test('a page of another site changes nothing, and neither does a cookie without a page', async () => {
  const { port, bearer, cookie, host, said } = await served()
  for (const origin of [
    'http://example.org',
    'null',
    `https://${host}`,
    `http://127.0.0.1:${port + 1}`,
    'http://127.0.0.1',
    `http://localhost:${port}`,
    `http://${host}/`,
    `http://${host}.example.org`,
    '',
  ]) {
    for (const has of [cookie, bearer])
      expect([origin, (await ask(port, { headers: { ...has, origin } })).status]).toEqual([origin, 403])
  }
  expect(await ask(port, { headers: cookie })).toMatchObject({
    status: 403,
    body: expect.stringMatching(/which page it comes from/),
  })
  expect(said).toEqual([])
  for (const [headers, name] of [
    [cookie, host],
    [bearer, host],
    [cookie, `localhost:${port}`],
    [cookie, 'LOCALHOST'],
  ] as const) {
    const own = { ...headers, host: name, origin: `http://${name.toLowerCase()}` }
    expect(await ask(port, { headers: own })).toMatchObject({ status: 202 })
  }
})

test('a browser is told to say where it comes from, to pages of this site alone', async () => {
  const { port } = await served()
  const { headers } = await ask(port, { method: 'GET', path: '/' })
  expect(headers['referrer-policy']).toBe('same-origin')
})

test('a body that is too large, or no JSON, is refused, however it is sent', async () => {
  const { port, bearer, said } = await served({ mostBytes: 100 })
  const fits = JSON.stringify('x'.repeat(98))
  const tooLong = JSON.stringify('x'.repeat(99))
  expect(await ask(port, { headers: bearer, body: fits })).toMatchObject({ status: 202 })
  expect(
    await ask(port, { headers: { ...bearer, 'transfer-encoding': 'chunked' }, body: fits }),
  ).toMatchObject({
    status: 202,
  })
  said.length = 0
  for (const headers of [bearer, { ...bearer, 'transfer-encoding': 'chunked' }])
    expect(await ask(port, { headers, body: tooLong })).toMatchObject({
      status: 413,
      body: '{"error":"A body has at most 100 bytes here."}',
    })
  // What is announced as too large is not waited for.
  const announced = await rawSocket(
    port,
    'POST /thing HTTP/1.1',
    'Host: localhost',
    `Authorization: ${bearer.authorization}`,
    'Content-Length: 101',
  )
  await vi.waitFor(() => expect(announced.text).toMatch(/^HTTP\/1\.1 413 /), PATIENCE)
  for (const [type, body, status] of [
    ['application/json', '{"a":', 400],
    ['application/json', Buffer.from('"\xff"', 'latin1'), 400],
    ['application/json', '['.repeat(100), 400],
    ['application/x-www-form-urlencoded', '{"a":1}', 415],
    ['text/plain', '{"a":1}', 415],
    ['multipart/form-data; boundary=x', '--x--', 415],
    ['', '{"a":1}', 415],
  ] as const) {
    const answer = await ask(port, { headers: { ...bearer, 'content-type': type }, body })
    expect([type, body, answer.status]).toEqual([type, body, status])
    expect(JSON.parse(answer.body)).toEqual({ error: expect.any(String) })
  }
  expect(said).toEqual([])
})

test('a body without end is cut off where it is too long, and one that is slow when its time is over', async () => {
  const { port, secret, said, records } = await served()
  const head = ['POST /thing HTTP/1.1', 'Host: localhost', `Authorization: Bearer ${secret}`]
  const json = 'Content-Type: application/json'
  const endless = await rawSocket(port, ...head, json, 'Transfer-Encoding: chunked')
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
  const more = setInterval(() => endless.socket.write(chunk), 1)
  onTestFinished(() => clearInterval(more))
  const slow = await rawSocket(port, ...head, json, 'Content-Length: 1000')
  slow.socket.write('{"a":')
  const slowChunks = await rawSocket(port, ...head, json, 'Transfer-Encoding: chunked')
  const drop = setInterval(() => slowChunks.socket.write('1\r\n \r\n'), 500)
  onTestFinished(() => clearInterval(drop))
  const gone = await rawSocket(port, ...head, json, 'Content-Length: 1000')
  gone.socket.destroy()
  await vi.waitFor(() => expect(endless.text).toMatch(/^HTTP\/1\.1 413 /), PATIENCE)
  await vi.waitFor(
    () => expect([slow.isClosed, slowChunks.isClosed, endless.isClosed]).toEqual([true, true, true]),
    PATIENCE,
  )
  for (const { text } of [slow, slowChunks]) expect(text).toMatch(/^(HTTP\/1\.1 408 |$)/)
  expect(said).toEqual([])
  expect(records.filter(({ level }) => level !== 'info')).toEqual([])
})

test('nothing of a body is waited for from who has no token', async () => {
  const { port } = await served()
  const raw = await rawSocket(port, 'POST /thing HTTP/1.1', 'Host: localhost', 'Content-Length: 1000')
  await vi.waitFor(() => expect(raw.text).toMatch(/^HTTP\/1\.1 401 .*"error"/s), PATIENCE)
})

test('through a proxy on this machine it has to be https, and then the cookie is for https alone', async () => {
  const { port, bearer, cookie, secret, host, said } = await served({ names: ['cluster.example.org'] })
  const https = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' }
  const name = { host: 'cluster.example.org' }
  for (const headers of [
    { 'x-forwarded-proto': 'http' },
    { 'x-forwarded-proto': 'https, http' },
    { 'x-forwarded-proto': '' },
    { 'x-forwarded-for': '192.0.2.1' },
    { forwarded: 'for=192.0.2.1;proto=http' },
  ] as Record<string, string>[]) {
    const answer = await ask(port, { headers: { ...bearer, ...headers } })
    expect([headers, answer.status]).toEqual([headers, 403])
    expect(answer.body).toMatch(/not reached by https/)
    const page = await ask(port, { method: 'GET', path: '/', headers: { ...cookie, ...headers } })
    expect(page.body).toContain('may read')
  }
  const link = await ask(port, {
    method: 'GET',
    path: `/?token=${secret}`,
    headers: { 'x-forwarded-proto': 'http' },
  })
  expect([link.status, link.headers['set-cookie']]).toEqual([403, undefined])
  expect(said).toEqual([])

  expect(await ask(port, { headers: { ...bearer, ...https, ...name } })).toMatchObject({ status: 202 })
  const own = { ...cookie, ...https, ...name, origin: 'https://cluster.example.org' }
  // One that asks for a password passes that on.
  expect(await ask(port, { headers: { ...own, authorization: 'Basic bWU6cGFzc3dvcmQ=' } })).toMatchObject({
    status: 202,
  })
  expect(await ask(port, { headers: own })).toMatchObject({ status: 202 })
  for (const origin of ['http://cluster.example.org', `https://${host}`])
    expect(await ask(port, { headers: { ...own, origin } })).toMatchObject({ status: 403 })
  const [set] =
    (await ask(port, { method: 'GET', path: `/?token=${secret}`, headers: { ...https, ...name } })).headers[
      'set-cookie'
    ] ?? []
  expect(set).toMatch(/; Secure\b/)
})

/** An address of this machine that is not its loopback: what connects to it comes from there. */
const outer = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

test.runIf(outer)(
  'from beyond the loopback nothing is changed, and no token is taken, whatever is said of https',
  async () => {
    const { port, bearer, cookie, secret, said } = await served({ host: '0.0.0.0' })
    const to = outer ?? ''
    for (const headers of [bearer, { ...bearer, 'x-forwarded-proto': 'https' }]) {
      const answer = await ask(port, { to, headers, body: '{}' })
      expect(answer.status).toBe(403)
      expect(JSON.parse(answer.body).error).toMatch(
        /^Nothing is changed from another machine without encryption: .* ssh -L 8123:127\.0\.0\.1:8123 /,
      )
    }
    const link = await ask(port, { to, method: 'GET', path: `/?token=${secret}` })
    expect([link.status, link.headers['set-cookie']]).toEqual([403, undefined])
    const page = await ask(port, { to, method: 'GET', path: '/', headers: cookie })
    expect(page).toMatchObject({ status: 200, body: expect.stringContaining('may read') })
    expect(said).toEqual([])
    expect(await ask(port, { headers: bearer })).toMatchObject({ status: 202 })
  },
)

test('what only reads is as it was; a wrong name, another method and a path that is not there are refused', async () => {
  const { port, bearer, said } = await served()
  const [page, head] = await Promise.all(['GET', 'HEAD'].map((method) => ask(port, { method, path: '/' })))
  expect([page?.status, head?.status, page?.body, head?.body]).toEqual([200, 200, '<p>may read</p>', ''])
  expect(
    await ask(port, { method: 'GET', path: '/', headers: { 'content-length': '2' }, body: '{}' }),
  ).toMatchObject({
    status: 413,
  })
  for (const method of ['GET', 'POST', 'DELETE'])
    expect(await ask(port, { method, headers: { ...bearer, host: 'example.org' } })).toMatchObject({
      status: 421,
    })
  for (const method of ['PUT', 'PATCH', 'OPTIONS', 'TRACE'])
    expect(await ask(port, { method, headers: bearer })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD, POST, DELETE' },
    })
  expect(await ask(port, { path: '/nothing', headers: bearer })).toMatchObject({ status: 404 })
  expect(said).toEqual([])
})

test('a token is made once, for its owner alone, and is the same for all who open it', async () => {
  const { log, records } = recordingLog()
  const folder = tempFolder()
  const open = () => openToken({ name: 'site', log, folder })
  const [first, ...others] = await Promise.all([open(), open(), open()])
  const { file } = first
  const text = readFileSync(file, 'utf8')
  expect(text).toMatch(/^[\w-]{43}\n$/)
  expect([file, statSync(file).mode & 0o777]).toEqual([join(folder, 'site.token'), 0o600])
  expect(readdirSync(folder)).toEqual(['site.token'])
  for (const token of [...others, await open()]) expect(token.matches(text.trim())).toBe(true)
  expect([text, '', WRONG].map((given) => first.matches(given))).toEqual([false, false, false])
  const shown = `[token in ${file}]`
  expect([String(first), JSON.stringify({ first }), inspect({ first })]).toEqual([
    shown,
    JSON.stringify({ first: shown }),
    `{ first: ${shown} }`,
  ])
  expect(records).toEqual([])
})

test('the link of a new token is printed once, and not into the log', async () => {
  const { log, records } = recordingLog()
  const folder = tempFolder()
  const written: unknown[] = []
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(text) > 0)
  onTestFinished(() => stdout.mockRestore())
  for (let start = 0; start < 2; start += 1)
    (await openToken({ name: 'site', log, folder })).tell('http://127.0.0.1:8123/')
  stdout.mockRestore()
  const file = join(folder, 'site.token')
  const secret = readFileSync(file, 'utf8').trim()
  expect(written).toEqual([expect.stringContaining(`\n  http://127.0.0.1:8123/?token=${secret}\n`)])
  expect(records.map(({ msg }) => msg)).toEqual(
    Array(2).fill(
      `To change something on the page, open http://127.0.0.1:8123/?token=TOKEN with the TOKEN from ${file}`,
    ),
  )
})

test('a token that others can read, and a file with none, are refused with what to do', async () => {
  const { log } = recordingLog()
  const folder = tempFolder()
  const file = join(folder, 'site.token')
  const open = () => openToken({ name: 'site', log, folder })
  await open()
  chmodSync(file, 0o640)
  await expect(open()).rejects.toThrow(
    `The token in ${file} is refused: others can get at it, since its mode is 640. Delete the file: at the next start a new one is made.`,
  )
  chmodSync(file, 0o600)
  for (const text of ['', 'short\n', `${'A'.repeat(2_000)}`]) {
    writeFileSync(file, text)
    await expect(open()).rejects.toThrow(`There is no token in ${file}. Delete the file`)
  }
  await expect(openToken({ name: 'x', log, folder: '/dev/null/x' })).rejects.toThrow(
    /^Cannot read or make the token in /,
  )
})
