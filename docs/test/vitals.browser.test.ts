/** The page of the vitals of chapter 17, in a real browser: with a past that is made up, and with real programs. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import type { Running } from '@rpi-cluster/tutorial/harness/running'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'
import { type MadeUp, type MadeUpNode, MadeUpPrimary } from './support/made-up-primary.ts'

/** Longer than any change takes on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const PHONE = { width: 390, height: 844 }
const WIDE = { width: 1000, height: 900 }

interface Cluster {
  chapter: ChapterCopy
  webserver: Running
  /** Where the page is: `http://127.0.0.1:40001/vitals`. */
  address: string
  /** Starts a primary with such a past, and waits until the page has heard of its nodes. */
  madeUp(madeUp: MadeUp): Promise<MadeUpPrimary>
  /** Opens the page in a window of its own. */
  open(query?: Record<string, string>, options?: BrowserContextOptions): Promise<Page>
  /** What a page may never do: messages on the console, requests that fail. */
  problems: string[]
}

const test = browserTest.extend<{ $test: { cluster: Cluster } }>({
  cluster: async ({ browser }, use) => {
    const chapter = await ChapterCopy.make('17-vitals')
    const config = join(chapter.folder, 'rpicluster.cfg')
    await writeFile(
      config,
      (await readFile(config, 'utf8')).replace(/^vitals_seconds = .*$/m, 'vitals_seconds = 5'),
    )
    const problems: string[] = []
    const ends: (() => unknown)[] = []
    const webserver = await chapter.run('webserver')
    await webserver.says(/Serving the page/)
    const address = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/vitals`
    await use({
      chapter,
      webserver,
      address,
      problems,
      async madeUp(madeUp) {
        const primary = new MadeUpPrimary(madeUp)
        ends.push(() => primary.close())
        await primary.listen(chapter.port)
        const last = madeUp.nodes.at(-1)?.name ?? ''
        await expect.poll(async () => (await fetch(address)).text(), PATIENCE).toContain(last)
        return primary
      },
      async open(query = {}, options = {}) {
        const context = await browser.newContext({ viewport: WIDE, ...options })
        ends.push(() => context.close())
        context.on('console', (message) => problems.push(message.text()))
        context.on('weberror', (error) => problems.push(String(error.error())))
        context.on('response', (response) => {
          if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`)
        })
        const page = await context.newPage()
        await page.goto(`${address}?${new URLSearchParams(query)}`)
        return page
      },
    })
    await Promise.all(ends.map((end) => end()))
    await chapter.remove()
  },
})

const VITALS = ['cpu_percentage', 'cpu_frequency', 'ram_free', 'swap_free']

const nodesOf = (count: number): MadeUpNode[] =>
  Array.from({ length: count }, (_, index) => ({
    node: index.toString(16).padStart(32, '0'),
    name: `pi-${index + 1} #${4711 + index}`,
  }))

/** Each at a height of its own; the first one with nothing for 22 minutes of the last hour. */
const madeUp = (count: number): MadeUp => {
  const nodes = nodesOf(count)
  const now = Date.now() / 1000
  return {
    nodes,
    vitals: VITALS,
    value(vital, { node }, time) {
      const index = Number.parseInt(node, 16)
      if (index === 0 && time > now - 2880 && time < now - 1560) return null
      return vital === 'ram_free' ? 2 ** 30 * (1 + (index % 5)) : 40 + (index % 50)
    },
  }
}

const section = (page: Page, vital: string) => page.locator(`[data-vital="${vital}"]`)

/** Waits until a chart is drawn. */
const drawn = (page: Page, vital = 'cpu_percentage') => section(page, vital).locator('canvas').waitFor()

const readout = (page: Page, vital = 'cpu_percentage') => section(page, vital).locator('.readout')

const line = (page: Page) => page.locator('#line').textContent()

/**
 * What of a chart is coloured, as lines are and nothing else is: for each tenth of its time, the share of its columns that
 * have such a pixel.
 */
async function colouredTenths(page: Page, vital = 'cpu_percentage'): Promise<number[]> {
  return section(page, vital)
    .locator('canvas')
    .evaluate((element) => {
      const canvas = element as HTMLCanvasElement
      const scale = devicePixelRatio
      const [left, top] = [56 * scale, 17 * scale] // of the plot, within its axes
      const [width, height] = [canvas.width - left - 20 * scale, canvas.height - top - 40 * scale]
      const { data } = (canvas.getContext('2d') as CanvasRenderingContext2D).getImageData(
        left,
        top,
        width,
        height,
      )
      const columns = Array.from({ length: Math.floor(width) }, (_, x) =>
        Array.from({ length: Math.floor(height) }, (_, y) => 4 * (y * Math.floor(width) + x)).some((at) => {
          const [red = 0, green = 0, blue = 0, alpha = 0] = data.slice(at, at + 4)
          return alpha > 150 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60
        }),
      )
      return Array.from({ length: 10 }, (_, tenth) => {
        const own = columns.slice((columns.length * tenth) / 10, (columns.length * (tenth + 1)) / 10)
        return own.filter(Boolean).length / own.length
      })
    })
}

test('an hour of one node: a line with its gap, the same as a table and as a file, and a point that comes', async ({
  cluster: { madeUp: start, open, address, problems },
}) => {
  const made = madeUp(3)
  const [first] = made.nodes as [MadeUpNode]
  const primary = await start(made)
  const page = await open({ node: first.node })
  await drawn(page)
  expect(await page.title()).toBe(`Vitals of ${first.name}`)
  expect(await page.locator('h2').allTextContents()).toEqual([
    'Processor in use, %',
    'Processor frequency, MHz',
    'Free memory, GiB',
    'Free swap, GiB',
  ])
  const tenths = await colouredTenths(page)
  for (const tenth of [0, 6, 7, 8]) expect(tenths[tenth]).toBeGreaterThan(0.9)
  expect(tenths.slice(3, 5)).toEqual([0, 0])

  await section(page, 'ram_free').getByText('As a table').click()
  const rows = section(page, 'ram_free').locator('tbody tr')
  await expect.poll(() => rows.count(), PATIENCE).toBeGreaterThanOrEqual(60)
  const cells = await rows.locator('td').allTextContents()
  expect(cells.filter((cell) => cell === '').length).toBeGreaterThanOrEqual(20)
  expect(new Set(cells)).toEqual(new Set(['', '1']))

  const download = page.waitForEvent('download')
  await section(page, 'ram_free').getByText('As CSV').click()
  expect((await download).suggestedFilename()).toBe('ram_free.csv')
  const csv = await (await fetch(`${address}.csv?vital=ram_free`)).text()
  const [head, ...lines] = csv.split('\r\n')
  expect(head).toBe(`time,${made.nodes.map(({ name }) => name).join(',')}`)
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z,1073741824,2147483648,3221225472$/)
  expect(lines.filter((row) => /Z,,2147483648,3221225472$/.test(row)).length).toBeGreaterThanOrEqual(20)
  expect(lines.at(-1)).toBe('')

  await section(page, 'cpu_percentage').locator('.chart').focus()
  primary.tell(first, { cpu_percentage: 87.65, ram_free: 5 * 2 ** 30 })
  await expect
    .poll(async () => {
      await page.keyboard.press('End')
      return readout(page).textContent()
    }, PATIENCE)
    .toMatch(/^[\d-]{10} [\d:]{8}: pi-1 #4711, 87\.65 %/)
  // Of another node it is none of this page's.
  primary.tell(made.nodes[1] as MadeUpNode, { cpu_percentage: 12.34 })
  primary.tell(first, { cpu_percentage: 76.54 })
  await expect
    .poll(async () => {
      await page.keyboard.press('End')
      return readout(page).textContent()
    }, PATIENCE)
    .toMatch(/, 76\.54 %/)
  expect(problems).toEqual([])
})

test('the keyboard goes through time and from node to node, and what stands there is said', async ({
  cluster: { madeUp: start, open, problems },
}) => {
  await start(madeUp(3))
  const page = await open({ span: 'day' })
  await drawn(page)
  const chart = page.getByRole('application', { name: /^Processor in use/ })
  const isReached = () => chart.evaluate((element) => element === document.activeElement)
  for (let tabs = 0; tabs < 10 && !(await isReached()); tabs += 1) await page.keyboard.press('Tab')
  expect(await isReached()).toBe(true)
  expect(await readout(page).getAttribute('role')).toBe('status')
  const press = async (key: string) => {
    await page.keyboard.press(key)
    const [, time = '', text = ''] = /^(\S+ \S+): (.*)$/.exec((await readout(page).textContent()) ?? '') ?? []
    return { time: Date.parse(`${time.replace(' ', 'T')}Z`), text }
  }
  const last = await press('End')
  expect(last.text).toBe('pi-1 #4711, 40 %')
  const before = await press('ArrowLeft')
  expect(last.time - before.time).toBe(300_000)
  expect(await press('ArrowDown')).toEqual({ ...before, text: 'pi-2 #4712, 41 %' })
  expect(await press('ArrowDown')).toEqual({ ...before, text: 'pi-3 #4713, 42 %' })
  expect(await press('ArrowDown')).toEqual({ ...before, text: 'pi-1 #4711, 40 %' })
  expect(await press('ArrowUp')).toEqual({ ...before, text: 'pi-3 #4713, 42 %' })
  expect((await press('PageUp')).time).toBe(before.time - 20 * 300_000)
  expect((await press('Home')).time).toBeLessThan(last.time - 23 * 3_600_000)
  // Names stand below the chart, and at the pointer.
  expect(await section(page, 'cpu_percentage').locator('.u-legend').textContent()).toMatch(
    /pi-1 #4711.*pi-2 #4712.*pi-3 #4713/s,
  )
  await section(page, 'cpu_percentage').locator('.u-over').hover()
  await expect.poll(() => readout(page).textContent(), PATIENCE).toMatch(/: 3 nodes, from 40 to 42 %$|: pi-/)
  expect(problems).toEqual([])
})

test('axe finds nothing, light and dark, wide and on a phone, where nothing but a table moves sideways', async ({
  cluster: { madeUp: start, open, problems },
}) => {
  await start(madeUp(12))
  const page = await open()
  const check = async (state: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const size of [WIDE, PHONE]) {
        await page.setViewportSize(size)
        const where = `${state}, ${colorScheme}, ${size.width}`
        await expect
          .poll(
            () =>
              page
                .locator('.chart .uplot')
                .first()
                .evaluate(({ clientWidth }) => clientWidth),
            PATIENCE,
          )
          .toBeLessThanOrEqual(size.width)
        expect(await violations(page), where).toEqual([])
        const width = await page.evaluate(() => document.documentElement.scrollWidth)
        expect(width, where).toBeLessThanOrEqual(size.width)
      }
    }
  }
  await drawn(page)
  await section(page, 'cpu_percentage').getByText('As a table').click()
  await expect
    .poll(() => section(page, 'cpu_percentage').locator('thead th').allTextContents(), PATIENCE)
    .toEqual(['Time', ...nodesOf(10).map(({ name }) => name)])
  await check('all nodes')
  await page.getByRole('combobox', { name: 'Nodes' }).selectOption('pi-12 #4722')
  await page.getByRole('combobox', { name: 'Time' }).selectOption('last month')
  await page.getByRole('button', { name: 'Show' }).click()
  await page.waitForURL(/node=0+b&span=month/)
  await drawn(page)
  await check('a month of one node')
  expect(problems).toEqual([])
})

test('a chart has other colours in the dark, at once', async ({ cluster: { madeUp: start, open } }) => {
  await start(madeUp(1))
  const page = await open({}, { colorScheme: 'light' })
  await drawn(page)
  // The line's own colour: none else is as colourful and as frequent.
  const colour = () =>
    section(page, 'cpu_percentage')
      .locator('canvas')
      .evaluate((element) => {
        const canvas = element as HTMLCanvasElement
        const context = canvas.getContext('2d') as CanvasRenderingContext2D
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
        const counts = new Map<string, number>()
        for (let at = 0; at < data.length; at += 4) {
          const [red = 0, green = 0, blue = 0] = data.slice(at, at + 3)
          if (data[at + 3] !== 255 || Math.max(red, green, blue) - Math.min(red, green, blue) < 60) continue
          const name = `${red} ${green} ${blue}`
          counts.set(name, (counts.get(name) ?? 0) + 1)
        }
        return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0]
      })
  const light = await colour()
  expect(light).toBeDefined()
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect.poll(colour, PATIENCE).not.toBe(light)
})

test('without JavaScript there are tables', async ({ cluster: { madeUp: start, open, problems } }) => {
  const made = madeUp(2)
  await start(made)
  const page = await open({ span: 'day' }, { javaScriptEnabled: false, viewport: PHONE })
  await page.waitForURL(/tables=yes/)
  expect(await page.locator('table').count()).toBe(4)
  const rows = section(page, 'cpu_percentage').locator('tbody tr')
  expect(await rows.count()).toBeGreaterThan(280)
  expect(await rows.nth(1).locator('td').allTextContents()).toEqual(['40', '41'])
  expect(await page.locator('.chart').first().isVisible()).toBe(false)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width)
  await page.getByRole('combobox', { name: 'Nodes' }).selectOption(made.nodes[1]?.name ?? '')
  await page.getByRole('button', { name: 'Show' }).click()
  await page.waitForURL(/node=0+1/)
  expect(await section(page, 'ram_free').locator('tbody td').first().textContent()).toBe('2')
  // axe is JavaScript, and the page then has both.
  const both = await open({ span: 'hour', tables: 'yes' }, { viewport: PHONE })
  await drawn(both)
  expect(await both.locator('table:not(.u-legend)').count()).toBe(4)
  expect(await violations(both)).toEqual([])
  expect(problems).toEqual([])
})

test('a vital that a node has described has its words, and one that nobody knows its key', async ({
  cluster: { madeUp: start, open, problems },
}) => {
  await start({
    ...madeUp(1),
    vitals: [...VITALS, 'cpu_temperature', 'load'],
    describe: (vital) =>
      vital === 'cpu_temperature' ? { label: 'Temperature <b>of it</b>', unit: '°C' } : undefined,
  })
  const page = await open()
  const headings = () => page.locator('h2').allTextContents()
  await expect
    .poll(async () => (await headings()).slice(-2), PATIENCE)
    .toEqual(['Temperature <b>of it</b>, °C', 'load'])
  expect(problems).toEqual([])
})

test('what the primary does not tell is told, and goes on when it does', async ({
  cluster: { chapter, madeUp: start, open, address },
}) => {
  const status = async (query: string) => {
    const answer = await fetch(`${new URL(`/api/vitals?${query}`, address)}`)
    return `${answer.status} ${await answer.text()}`
  }
  const page = await open()
  await expect
    .poll(() => line(page), PATIENCE)
    .toMatch(/^No answer from the primary\. There is no connection to the primary now\.$/m)
  expect(await status('vital=ram_free')).toMatch(/^503 No answer from the primary/)
  expect(await status('vital=ram_free&span=decade')).toMatch(/^400 The span is one of hour, day/)
  expect(await status(`vital=${encodeURIComponent('<b>')}`)).toMatch(/^400 The vital is a name/)
  const primary = await start(madeUp(1))
  await drawn(page)
  await expect.poll(() => line(page), PATIENCE).toBe('')
  expect(await status('vital=ram_free')).toMatch(/^200 \{"label":"Free memory","unit":"bytes"/)

  primary.knowsThePast = false
  const python = await open({ span: 'year' })
  await expect
    .poll(() => line(python), PATIENCE)
    .toMatch(/^The primary does not tell the past\. One in Python/)
  expect(await status('vital=ram_free&span=week')).toMatch(/^501 The primary does not tell the past/)
  const plain = await open({ span: 'week' }, { javaScriptEnabled: false })
  await plain.waitForURL(/tables=yes/)
  expect(await line(plain)).toMatch(/^The primary does not tell the past/)
  expect(chapter.outputs.flatMap(({ lines }) => lines).filter((text) => /mistake/.test(text))).toEqual([])
})

test('a hundred nodes are a hundred lines, and the primary is asked once however many pages there are', async ({
  cluster: { madeUp: start, open, problems },
}) => {
  const primary = await start(madeUp(100))
  const pages = [await open({ span: 'month' }), await open({ span: 'month' }), await open({ span: 'month' })]
  for (const page of pages) await drawn(page, 'swap_free')
  expect(primary.asked.map(({ vital }) => vital).sort()).toEqual([...VITALS].sort())
  const [page] = pages as [Page]
  await section(page, 'cpu_percentage').locator('.chart').focus()
  await page.keyboard.press('End')
  for (let count = 1; count < 100; count += 1) await page.keyboard.press('ArrowDown')
  expect(await readout(page).textContent()).toMatch(/: pi-100 #4810, 89 %$/)
  expect(problems).toEqual([])
})

test('the first look costs less than 60 kB', async ({ cluster: { madeUp: start, open } }) => {
  await start(madeUp(5))
  const page = await open({ span: 'hour' })
  await drawn(page, 'swap_free')
  const bytes = await page.evaluate(() =>
    (
      [
        ...performance.getEntriesByType('navigation'),
        ...performance.getEntriesByType('resource'),
      ] as PerformanceResourceTiming[]
    ).reduce((sum, { transferSize }) => sum + transferSize, 0),
  )
  expect(bytes).toBeGreaterThan(20_000)
  expect(bytes).toBeLessThan(60_000)
})

test('real secondaries are seen on the page, each by itself from the first page, and the page survives its server', async ({
  cluster: { chapter, webserver, address, open, problems },
}) => {
  await chapter.run('primary')
  const names: string[] = []
  for (let count = 0; count < 2; count += 1) {
    const secondary = await chapter.run('secondary')
    await secondary.says(/Connected to .* as client \d+/)
    const [, client] = /as client (\d+)/.exec(secondary.lines.join('\n')) ?? []
    names.push(`#${client}`)
  }
  const page = await open()
  await drawn(page)
  // Both send every half a second, as their clock goes: what stands at the end changes by itself.
  await section(page, 'ram_free').locator('.chart').focus()
  const last = async (key: string) => {
    await page.keyboard.press(key)
    return (await readout(page, 'ram_free').textContent()) ?? ''
  }
  const seen = new Map<string, Set<string>>()
  await expect
    .poll(async () => {
      await page.keyboard.press('End')
      const [, client = '', value = ''] = /: .*(#\d+), ([\d.]+) GiB/.exec(await last('ArrowDown')) ?? []
      if (client) seen.set(client, (seen.get(client) ?? new Set()).add(value))
      return names.every((name) => (seen.get(name)?.size ?? 0) > 1)
    }, PATIENCE)
    .toBe(true)

  const home = await open()
  await home.goto(new URL('/', address).href)
  await home.getByRole('link', { name: names[0] as string }).click()
  await home.waitForURL(/\/vitals\?node=[0-9a-f]{32}$/)
  await drawn(home)
  await home.locator('.chart').first().focus()
  await home.keyboard.press('End')
  expect(await readout(home).textContent()).toContain(names[0])
  expect(problems).toEqual([])

  await webserver.stop('SIGKILL')
  await expect
    .poll(() => line(page), PATIENCE)
    .toMatch(/^The web server is out of reach\. What stands here is of [\d:]+\.$/)
  await chapter.run('webserver')
  await expect.poll(() => line(page), PATIENCE).toBe('')
  await expect.poll(() => last('End'), PATIENCE).toMatch(/#\d+, [\d.]+ GiB/)
})
