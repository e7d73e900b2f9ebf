/** The page, the pictures and the API of the webserver, asked as browsers and programs ask, with a primary that a test plays. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asciiJson } from '@rpi-cluster/core/frames'
import { createLogger } from '@rpi-cluster/core/logging'
import { TaskClient } from '@rpi-cluster/core/tasks'
import { createSite, serveSite } from '@rpi-cluster/core/web'
import { changesWith, openToken } from '@rpi-cluster/core/web-changes'
import { decode } from 'fast-png'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { addApi } from '../src/api.ts'
import { colourOf, hexOf } from '../src/colours.ts'
import { addHome, HomePage, notFoundPage } from '../src/page.ts'
import { draw, drawnTileFrom, type Tile, tilesOf } from '../src/picture.ts'
import { pngOf } from '../src/png.ts'
import { Work } from '../src/work.ts'

type Question = {
  question: string
  about: { tasks?: { name: string; input: unknown; group?: string; id: string }[] }
}

const all = <Row>(rows: Record<string, Row>) => ({ version: 'x-1', all: true, rows, removed: [] })

/** A webserver whose primary answers what a test says. */
async function served() {
  const folder = mkdtempSync(join(tmpdir(), 'page-'))
  const stop = new AbortController()
  onTestFinished(() => {
    stop.abort()
    rmSync(folder, { recursive: true })
  })
  const log = createLogger('webserver', { folder })
  const work = new Work()
  const page = new HomePage(work, stop.signal)
  const asked: Question[] = []
  const primary = {
    answer: ({ about }: Question): unknown => ({ ids: (about.tasks ?? []).map(({ id }) => id) }),
  }
  const tasks = new TaskClient({
    ask: async (question, { about }) => {
      // Over the wire it is text.
      const heard: Question = { question, about: JSON.parse(asciiJson(about ?? null)) }
      asked.push(heard)
      return primary.answer(heard)
    },
  })
  const token = await openToken({ name: 'webserver', log, folder })
  const secret = readFileSync(token.file, 'utf8').trim()
  const site = createSite({ log, notFound: notFoundPage, changes: changesWith(token) })
  addHome(site, page, work.pictures)
  addApi(site, tasks, work.pictures)
  const { address } = await serveSite(site, { host: '127.0.0.1', port: 0, stop: stop.signal, log })
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(new URL(path, address), {
      method,
      headers: {
        authorization: `Bearer ${secret}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    })
    const text = await response.text()
    const type = response.headers.get('content-type') ?? ''
    return {
      status: response.status,
      body: type.includes('json') ? JSON.parse(text) : text,
      headers: response.headers,
    }
  }
  return { work, page, tasks, asked, primary, address, ask, token, secret }
}

/** A tile that a node has drawn, as the primary tells of it. */
function end(tile: Tile, node: string, group = 'a picture') {
  return {
    id: `${tile.x}/${tile.y}`,
    name: 'mandelbrot',
    group,
    by: 'x',
    state: 'done',
    node,
    attempts: 1,
    lost: 0,
    result: draw(tile),
  }
}

describe('a picture', () => {
  test('has tiles that cover each pixel once, and draw the same together as one', () => {
    for (const [width, height, tile] of [
      [250, undefined, 100],
      [100, 75, 100],
      [33, 51, 16],
    ] as const) {
      const options = { width, ...(height !== undefined && { height }) }
      const [whole] = tilesOf({ ...options, tile: 500 })
      const tiles = tilesOf({ ...options, tile })
      const { width: across, height: down } = whole as Tile
      expect([across, down]).toEqual([width, height ?? Math.round(width * 0.75)])
      const pixels = Buffer.alloc(across * down, 1)
      const times = Buffer.alloc(across * down)
      for (const each of tiles) {
        const drawn = drawnTileFrom(draw({ ...each, iterations: 50 }))
        for (let row = 0; row < each.height; row += 1) {
          const at = (each.y + row) * across + each.x
          drawn?.pixels.copy(pixels, at, row * each.width, (row + 1) * each.width)
          for (let column = 0; column < each.width; column += 1)
            times[at + column] = (times[at + column] ?? 0) + 1
        }
      }
      expect(times.every((count) => count === 1)).toBe(true)
      expect(
        pixels.equals(drawnTileFrom(draw({ ...(whole as Tile), iterations: 50 }))?.pixels ?? Buffer.alloc(0)),
      ).toBe(true)
    }
  })

  test('tells how far it is, and has the set where it belongs', () => {
    const progress: number[] = []
    const [tile] = tilesOf({ width: 64, height: 48, tile: 100 })
    const drawn = drawnTileFrom(draw(tile as Tile, (part) => progress.push(part)))
    expect([progress.length, progress.at(-1)]).toEqual([48, 1])
    const at = (x: number, y: number) => drawn?.pixels[y * 64 + x]
    expect(at(40, 24)).toBe(0) // near the middle of the set
    expect(at(0, 0)).toBeGreaterThan(0)
    expect(at(63, 47)).toBe(at(63, 1)) // it is the same above and below
  })

  test.each([
    [{ width: 15 }, /^The width is a number of pixels from 16 to 2400, and not 15\.$/],
    [{ width: 2_401 }, /^The width /],
    [{ width: 100.5 }, /^The width /],
    [{ width: Number.NaN }, /^The width .* not NaN/],
    [{ width: '100' as unknown as number }, /^The width /],
    [{ width: 100, height: 11 }, /^The height /],
    [{ width: 100, tile: 1 }, /^The tile /],
    [{ width: 2_400, tile: 16 }, /^These would be \d+ tiles, and a picture has at most 1000\.$/],
    [
      { width: 100, view: '__proto__' as 'whole' },
      /^The view is one of whole, seahorses, .* and not __proto__\.$/,
    ],
  ])('that there is not is refused: %o', (options, message) => {
    expect(() => tilesOf(options)).toThrow(message)
  })

  test('a result that is no tile of it is none', () => {
    const [tile] = tilesOf({ width: 32 })
    const good = draw(tile as Tile)
    expect(drawnTileFrom(good)).toMatchObject({ x: 0, width: 32 })
    for (const wrong of [
      undefined,
      null,
      'text',
      {},
      { ...good, x: 1 },
      { ...good, y: -1 },
      { ...good, width: 31 },
      { ...good, width: 1e9, height: 1e9 },
      { ...good, whole: undefined },
      { ...good, whole: { width: 1e9, height: 1e9 } },
      { ...good, pixels: '' },
      { ...good, pixels: 7 },
    ])
      expect(drawnTileFrom(wrong)).toBeUndefined()
  })
})

describe('a colour', () => {
  const contrast = (one: number, other: number) =>
    (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
  const brightness = (hex: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }

  test('is always the same for a name, another for the next, and stands out on light and on dark', () => {
    const names = [
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((number) => `secondary-${number}`),
      'pi',
      'pi-10',
      'attic',
      'ü',
      '',
    ]
    const colours = names.map((name) => hexOf(colourOf(name)))
    expect(new Set(colours).size).toBe(names.length)
    expect(names.map((name) => hexOf(colourOf(name)))).toEqual(colours)
    for (const colour of colours) {
      expect(colour).toMatch(/^#[\da-f]{6}$/)
      for (const ground of ['#ffffff', '#17171a'])
        expect(contrast(brightness(colour), brightness(ground))).toBeGreaterThan(4)
    }
    // It does not change from one version to the next.
    expect(hexOf(colourOf('secondary-1'))).toBe('#e04423')
  })
})

describe('a PNG', () => {
  test('has each tile in the colour of its node, and what is not drawn yet transparent', () => {
    const pixels = new Uint8Array(4).fill(128)
    const tile = (x: number, y: number, node: string) => ({ x, y, width: 2, height: 2, pixels, node })
    const {
      width,
      height,
      data,
      palette = [],
    } = decode(pngOf(4, 4, [tile(0, 0, 'pi-1'), tile(2, 0, 'pi-2'), tile(0, 2, 'pi-1')]))
    expect([width, height]).toEqual([4, 4])
    const at = (x: number, y: number) => palette[data[y * 4 + x] ?? 0]
    const near = (colour: number[] = [], node: string) =>
      Math.max(...colourOf(node).map((part, index) => Math.abs(part - (colour[index] ?? 999))))
    for (const [x, y, node] of [
      [0, 0, 'pi-1'],
      [3, 1, 'pi-2'],
      [1, 3, 'pi-1'],
    ] as const)
      expect(near(at(x, y), node)).toBeLessThan(5)
    expect(at(3, 3)?.[3]).toBe(0)
    expect(at(0, 0)?.[3]).toBe(255)
  })

  test('has room for more nodes than it has colours', () => {
    const tiles = Array.from({ length: 300 }, (_, x) => ({
      x,
      y: 0,
      width: 1,
      height: 1,
      pixels: new Uint8Array([200]),
      node: `pi-${x}`,
    }))
    expect(decode(pngOf(300, 1, tiles)).palette?.length).toBeLessThanOrEqual(256)
  })
})

describe('the webserver', () => {
  test('a picture that is handed in is whole tasks of one group, and is there tile by tile', async () => {
    const { ask, asked, work, page } = await served()
    const { status, body } = await ask('POST', '/api/pictures', { width: 32, height: 24, tile: 16 })
    expect([status, body]).toEqual([202, { group: expect.stringMatching(/^picture-/), tiles: 4 }])
    const { group } = body
    const tiles = (asked[0]?.about.tasks ?? []).map(({ input, ...task }) => ({
      ...task,
      input: input as Tile,
    }))
    expect(tiles.map(({ name, group }) => [name, group])).toEqual(Array(4).fill(['mandelbrot', group]))
    expect((await ask('GET', '/')).body).toContain('<svg id="canvas" viewBox="0 0 32 24"')
    const before = page.parts.changesSince().version
    for (const { input } of tiles.slice(0, 3)) work.handlers.task_end(end(input, 'pi-1', group))

    const { rows } = page.parts.changesSince(before)
    expect(Object.keys(rows)).toEqual([
      'drawn-by',
      ...['0-0', '16-0', '0-16'].map((place) => `tile-${group}-${place}`),
    ])
    const { body: html } = await ask('GET', '/')
    expect(html.match(/<image /g)).toHaveLength(3)
    expect(html).toMatch(/pi-1: 3 tiles/)
    const tile = await ask('GET', `/pictures/${group}/16-0.png`)
    expect([tile.status, tile.headers.get('content-type')]).toEqual([200, 'image/png'])
    const whole = await fetch(new URL(`/pictures/${group}.png`, (await served()).address))
    expect(whole.status).toBe(404) // there is nothing of it at another one
    for (const path of [`/pictures/${group}/16-16.png`, '/pictures/none/0-0.png', '/pictures/none.png'])
      expect((await ask('GET', path)).status).toBe(404)
  })

  test('the whole is a PNG of what is there', async () => {
    const { work, address } = await served()
    const tiles = tilesOf({ width: 32, height: 24, tile: 16 })
    const get = async () => {
      const bytes = await (await fetch(new URL('/pictures/a%20picture.png', address))).arrayBuffer()
      return decode(new Uint8Array(bytes))
    }
    const clear = ({ data }: { data: ArrayLike<number> }) =>
      Array.from(data).filter((value) => value === 0).length
    for (const [index, tile] of tiles.entries()) {
      work.handlers.task_end(end(tile, 'pi-1'))
      const png = await get()
      expect([png.width, png.height]).toEqual([32, 24])
      const there = tiles.slice(0, index + 1).reduce((sum, { width, height }) => sum + width * height, 0)
      expect(clear(png)).toBe(32 * 24 - there)
    }
  })

  test('the newest four pictures are kept, and what is no tile changes nothing', async () => {
    const { work, page } = await served()
    const [tile] = tilesOf({ width: 16, height: 12 }) as [Tile]
    for (const group of ['1', '2', '3', '4', '5', '5']) work.handlers.task_end(end(tile, 'pi-1', group))
    expect(work.pictures.list().map(({ group }) => group)).toEqual(['2', '3', '4', '5'])
    const { version } = page.parts.changesSince()
    const good = end(tile, 'pi-2', '6')
    for (const wrong of [
      null,
      'text',
      { ...good, name: 'note' },
      { ...good, state: 'failed' },
      { ...good, result: 'x' },
      { ...good, group: undefined },
      { ...good, node: undefined },
      { ...end({ ...tile, x: 16, whole: { width: 99, height: 99 } }, 'pi-2', '5') },
      end(tile, 'pi-2', '5'), // a second time, from another node
    ])
      work.handlers.task_end(wrong)
    expect(page.parts.changesSince(version).rows).toEqual({})
  })

  test('what was drawn while it was away it asks for, once for each connection, and when it was too slow', async () => {
    const { work, tasks, primary, asked } = await served()
    const tiles = tilesOf({ width: 32, height: 24, tile: 16 })
    const states = tiles.map((tile) => end(tile, 'pi-1', 'before'))
    primary.answer = () => ({ tasks: states.slice(0, 3), more: false })
    await work.catchUp(tasks)
    expect(asked).toEqual([]) // not before it knows which there are
    const counts = { total: 4, waiting: 0, running: 0, done: 4, failed: 0 }
    const groups = ['before', 'notes'].map((group) => [
      `group:${group}`,
      { group, name: group === 'notes' ? 'note' : 'mandelbrot', by: 'x', ...counts },
    ])
    work.handlers.queue(all(Object.fromEntries(groups)))
    await work.catchUp(tasks)
    await work.catchUp(tasks)
    expect(asked).toEqual([{ question: 'task_states', about: { group: 'before' } }])
    expect(work.pictures.get('before')?.tiles.size).toBe(3)
    primary.answer = () => ({ tasks: states, more: false })
    work.handlers.missed()
    await work.catchUp(tasks)
    expect(work.pictures.get('before')?.tiles.size).toBe(4)
  })

  test('the page shows the queue, the nodes, the groups and the failed, whatever they are called', async () => {
    const { work, page, ask } = await served()
    const evil = '<b onclick="x">&\''
    work.handlers.queue(
      all({
        queue: {
          waiting: 1_234,
          running: 2,
          done: 3,
          failed: 4,
          cancelled: 5,
          perSecond: 6.7,
          most: 1_234,
          why: 'no node has camera',
        },
        [`group:${evil}`]: {
          group: evil,
          name: 'mandelbrot',
          by: evil,
          total: 10,
          waiting: 3,
          running: 2,
          done: 4,
          failed: 1,
        },
        'group:ended': {
          group: 'ended',
          name: 'note',
          by: 'x',
          total: 1,
          waiting: 0,
          running: 0,
          done: 1,
          failed: 0,
        },
      }),
    )
    const node = {
      slots: 4,
      inFlight: 3,
      done: 9,
      failed: 1,
      msPerTask: { note: 1.25 },
      has: [],
      memoryMb: 1,
      why: 'it is the only one',
    }
    work.handlers.workers(
      all({
        'pi-10': { ...node, node: 'pi-10', running: [], state: 'draining' },
        'pi-2': {
          ...node,
          node: 'pi-2',
          running: [
            { id: '1', name: 'note' },
            { id: '2', name: 'note' },
          ],
          state: 'ready',
        },
        [evil]: { ...node, node: evil, running: [], state: 'ready' },
      }),
    )
    work.handlers.failed(
      all({
        [evil]: {
          id: evil,
          name: 'trouble',
          group: evil,
          by: evil,
          kind: 'threw',
          reason: evil,
          attempts: 3,
          lost: 1,
          nodes: [evil, 'pi-2'],
          at: '2026-01-01T00:00:00.000Z',
        },
      }),
    )
    await vi.waitFor(() => expect(page.parts.size).toBeGreaterThanOrEqual(4 + 2 + 3 + 1))
    const { body } = await ask('GET', '/')
    for (const text of [
      '1,234',
      '6.7',
      'The queue is full',
      'no node has camera',
      'max="10" value="5"',
      '4 of 10',
      '1 failed',
      '3 of 4',
      '2 note',
      'draining',
      'note 1.3 ms',
      'it is the only one',
      'threw: ',
      '1 of them lost with a node',
      'Nodes that do tasks: 3. Tasks that have failed: 1.',
      hexOf(colourOf('pi-2')),
    ])
      expect(body).toContain(text)
    expect(body.indexOf('id="node-pi-2"')).toBeLessThan(body.indexOf('id="node-pi-10"'))
    expect(body).not.toMatch(/<b |style=|onclick="x"|<script(?! type="module" src="\/page\.js")/)
    // What has ended cannot be cancelled.
    expect(body.match(/>Cancel</g)).toHaveLength(1)
    expect(body).toContain(`action="/api/groups/${encodeURIComponent(evil).replaceAll("'", '&#39;')}/cancel"`)

    work.handlers.workers(all({}))
    await vi.waitFor(() => expect(String(page.parts.get('said'))).toMatch(/tasks: 0\./))
    expect((await ask('GET', '/')).body).not.toContain('id="node-')
  })

  test('who may only look is told how to get further, and finds no button to press', async () => {
    const { address, token, secret } = await served()
    const get = async (headers: Record<string, string>) => (await fetch(address, { headers })).text()
    const reads = await get({})
    expect(reads).toMatch(/class="reads"/)
    expect(reads).toMatch(/open the link that the web server has printed/)
    expect(reads).not.toContain('Draw it')
    const changes = await get({ cookie: `may-change-${token.name}=${secret}` })
    expect(changes).toMatch(/class="changes"/)
    expect(changes).toContain('Draw it')
  })

  test('each question to the API is one to the primary, and what is wrong with it is said', async () => {
    const { ask, asked, primary } = await served()
    const state = { id: 'a/b', name: 'note', by: 'x', state: 'done', attempts: 1, lost: 0, result: 7 }
    primary.answer = ({ question }) =>
      question === 'submit'
        ? { ids: ['1'] }
        : /^(cancel|retry)/.test(question)
          ? { count: 2 }
          : { tasks: [state], more: false }
    for (const [method, path, body, status, answer, about] of [
      [
        'POST',
        '/api/tasks',
        { name: 'note', input: [1], group: 'g' },
        202,
        { id: expect.any(String) },
        { tasks: [{ name: 'note', input: [1], group: 'g', id: expect.any(String) }] },
      ],
      ['GET', '/api/tasks/a%2Fb', undefined, 200, state, { ids: ['a/b'] }],
      ['GET', '/api/tasks?group=g', undefined, 200, { tasks: [state] }, { group: 'g' }],
      ['GET', '/api/tasks?state=failed', undefined, 200, { tasks: [state] }, null],
      ['DELETE', '/api/tasks/a%2Fb', undefined, 200, { count: 2 }, { ids: ['a/b'] }],
      ['DELETE', '/api/groups/a%20b', undefined, 200, { count: 2 }, { group: 'a b' }],
      ['POST', '/api/groups/a%20b/cancel', undefined, 200, { count: 2 }, { group: 'a b' }],
      ['POST', '/api/tasks/a%2Fb/retry', undefined, 200, { count: 2 }, { ids: ['a/b'] }],
    ] as const) {
      const got = await ask(method, path, body)
      expect([path, got.status, got.body, asked.at(-1)?.about]).toEqual([path, status, answer, about])
    }
    const count = asked.length
    for (const [path, body, error] of [
      ['/api/tasks', undefined, /^A task is \{"name"/],
      ['/api/tasks', { name: 7 }, /^A task is /],
      ['/api/tasks', { name: 'note', group: [] }, /^A task is /],
      ['/api/pictures', undefined, /^The width is /],
      ['/api/pictures', { width: 'much' }, /^The width is .* not NaN/],
      ['/api/pictures', { width: 100, view: 'none' }, /^The view is one of /],
    ] as const)
      expect(await ask('POST', path, body)).toMatchObject({
        status: 400,
        body: { error: expect.stringMatching(error) },
      })
    expect(await ask('GET', '/api/tasks')).toMatchObject({ status: 400 })
    expect(asked).toHaveLength(count)
    primary.answer = () => ({ tasks: [], more: false })
    expect(await ask('GET', '/api/tasks/none')).toMatchObject({
      status: 404,
      body: { error: expect.stringMatching(/no task none/) },
    })
    primary.answer = () => ({ refused: 'webserver may not submit' })
    expect(await ask('POST', '/api/tasks', { name: 'note' })).toMatchObject({
      status: 503,
      body: { error: 'The primary refuses that: webserver may not submit' },
    })
  })

  test('a full queue is said, and a picture that did not get in as a whole is taken back', async () => {
    const { ask, asked, primary } = await served()
    primary.answer = ({ question, about }) =>
      question === 'submit'
        ? { ids: about.tasks?.slice(0, 1).map(({ id }) => id), full: { waiting: 9, most: 9 } }
        : { count: 1 }
    expect(await ask('POST', '/api/pictures', { width: 32, tile: 16 })).toMatchObject({
      status: 503,
      body: { error: 'The queue is full. Try again when less waits.' },
    })
    const group = asked[0]?.about.tasks?.[0]?.group
    expect(asked.at(-1)).toEqual({ question: 'cancel_tasks', about: { group } })
  })

  test('a form gets the page again, or a page that says what is wrong', async () => {
    const { ask } = await served()
    const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' }
    const done = await ask('POST', '/api/pictures', 'width=32&view=island', form)
    expect([done.status, done.headers.get('location')]).toEqual([303, '/'])
    const wrong = await ask('POST', '/api/pictures', 'width=1', form)
    expect([wrong.status, wrong.body]).toEqual([
      400,
      expect.stringMatching(/<h1>Not done<\/h1>.*The width is/s),
    ])
  })

  test('a stream of events has what the page does not', async () => {
    const { address, page, work } = await served()
    const { version } = page.parts.changesSince()
    const stop = new AbortController()
    const response = await fetch(new URL(`/events?since=${version}`, address), { signal: stop.signal })
    const [tile] = tilesOf({ width: 16, height: 12 }) as [Tile]
    work.handlers.task_end(end(tile, 'pi-1'))
    let text = ''
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += piece
      if (text.includes('tile-')) break
    }
    stop.abort()
    expect(text).toMatch(/"tile-a%20picture-0-0":"<svg .*<image href=/)
  })
})
