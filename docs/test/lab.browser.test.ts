/** The page of a lab, in a real browser: a cluster of real processes, and what a reader does to it by clicks and keys. */
import { readFileSync } from 'node:fs'
import { findChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import type { LabEvent } from '@rpi-cluster/tutorial/lab/events'
import { Lab } from '@rpi-cluster/tutorial/lab/lab'
import { serveLabPage } from '@rpi-cluster/tutorial/lab/server'
import type { Watched } from '@rpi-cluster/tutorial/lab/watched'
import type { WireRecording } from '@rpi-cluster/tutorial/record/wire'
import { freePorts } from '@rpi-cluster/tutorial/run/environment'
import type * as Timeline from '@rpi-cluster/tutorial/timeline.js'
import type { BrowserContextOptions, JSHandle, Page } from 'playwright-core'
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'

/** Longer than any change takes on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const PHONE = { width: 390, height: 844 }
const WIDE = { width: 1200, height: 900 }

interface Opened {
  /** Serves the page of something that is watched, and opens it in a window of its own. */
  open(watched: Watched, options?: BrowserContextOptions & { canAct?: boolean }): Promise<Page>
  /** What a page may never do: messages on the console, errors, requests that fail. */
  problems: string[]
}

const test = browserTest.extend<{ $test: { lab: Lab; opened: Opened } }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture asks for from its pattern
  lab: async ({}, use) => {
    const chapter = findChapter('11-reconnection')
    const lab = await Lab.start(chapter, { copies: { slave: 3 }, ports: await freePorts([chapter]) })
    await use(lab)
    await lab.close()
  },
  opened: async ({ browser }, use) => {
    const stop = new AbortController()
    const problems: string[] = []
    await use({
      problems,
      async open(watched, { canAct = true, ...options } = {}) {
        const { address } = await serveLabPage(watched, { stop: stop.signal, canAct })
        const context = await browser.newContext({ viewport: WIDE, ...options })
        context.on('console', (message) => problems.push(message.text()))
        context.on('weberror', (error) => problems.push(String(error.error())))
        const page = await context.newPage()
        await page.goto(address)
        await page.getByRole('heading', { name: watched.chapterName }).waitFor()
        return page
      },
    })
    await Promise.all(browser.contexts().map((context) => context.close()))
    stop.abort()
    expect(problems).toEqual([])
  },
})

/** Waits until the list has an entry. */
const lists = (page: Page, entry: RegExp) =>
  page.locator('.timeline-list button').filter({ hasText: entry }).first().waitFor(PATIENCE)

/** The node, as the page has it: its name and its state. */
const node = (page: Page, name: string) => page.locator('#nodes label').filter({ hasText: name })

const isNow = (page: Page, name: string, state: string) =>
  expect.poll(() => node(page, name).textContent(), PATIENCE).toBe(`${name} ${state}`)

const happens = (page: Page, text: RegExp) =>
  expect.poll(() => page.locator('#happened').textContent(), PATIENCE).toMatch(text)

test('a reader kills a node by a click, and cuts, heals and searches by keys', async ({ lab, opened }) => {
  const { open, problems } = opened
  const page = await open(lab)
  for (const name of ['slave 1', 'slave 2', 'slave 3']) await isNow(page, name, 'ready')

  await node(page, 'slave 2').click()
  await page.getByRole('button', { name: /^Kill/ }).click()
  await isNow(page, 'slave 2', 'ended')
  await happens(page, /kill slave 2/i)
  await lists(page, /slave 2 has ended/)
  await lists(page, /master .*has left, after/)

  // What cannot be done says why.
  await page.keyboard.press('c')
  await expect
    .poll(() => page.locator('#refused').textContent(), PATIENCE)
    .toMatch(/slave 2 .*restart slave 2/)
  expect(problems.splice(0)).toEqual([expect.stringMatching(/409/)])
  await page.keyboard.press('r')
  await isNow(page, 'slave 2', 'ready')
  expect(await page.locator('#refused').textContent()).toBe('')

  await page.keyboard.press('n')
  await page.keyboard.press('x')
  await happens(page, /cut the link of slave 3/i)
  await lists(page, /slave 3 .*trying again/i)
  await page.keyboard.press('b')
  await lists(page, /slave 3 black hole for both ways/)
  await page.keyboard.press('h')
  await happens(page, /heal the link of slave 3/i)

  // A message and all that it has.
  await page.keyboard.press('/')
  await page.keyboard.type('sends master computer_details')
  await expect
    .poll(async () => [...new Set(await page.locator('.timeline-list b').allTextContents())].sort(), PATIENCE)
    .toEqual(['slave 1', 'slave 2', 'slave 3'])
  await page.locator('.timeline-list button').first().press('Enter')
  const details = page.getByRole('region', { name: 'The chosen entry' })
  await expect.poll(() => details.locator('pre').textContent()).toMatch(/"type": "computer_details"/)
  await details.getByRole('button', { name: 'Byte by byte' }).click()
  expect(await details.locator('pre').textContent()).toMatch(/^7b 22 74 79 70 65 22 3a /)
})

test('a page that is opened late has what was before, and each page what happens then', async ({
  lab,
  opened: { open },
}) => {
  const early = await open(lab)
  await lab.up
  await lab.do({ do: 'kill', lane: 'slave 1' })
  const late = await open(lab)
  for (const page of [early, late]) {
    await lists(page, /master .*Listening on/)
    await isNow(page, 'slave 1', 'ended')
    await lists(page, /slave 1 kill/)
  }
  await late.getByRole('button', { name: /^Restart master/ }).click()
  for (const page of [early, late]) await lists(page, /master restart/)
})

test('nodes are put into groups by a dialog, and all is healed', async ({ lab, opened: { open } }) => {
  const page = await open(lab)
  await lab.up
  await page.keyboard.press('g')
  const dialog = page.getByRole('dialog', { name: 'Partition' })
  await dialog.getByLabel('master').selectOption('A')
  await dialog.getByLabel('slave 3').selectOption('B')
  await dialog.getByRole('button', { name: 'Partition' }).click()
  await lists(page, /all partition: A master \| B slave 3/)
  await page.keyboard.press('H')
  await lists(page, /all heal everything/)
})

test('axe finds nothing, light and dark, wide and on a phone, where nothing moves sideways', async ({
  lab,
  opened: { open },
}) => {
  const page = await open(lab)
  await isNow(page, 'slave 1', 'ready')
  await lab.do({ do: 'kill', lane: 'slave 1' })
  await lists(page, /slave 1 has ended/)
  await page.locator('.timeline-list button').filter({ hasText: /sends/ }).first().click()
  const check = async (state: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const size of [WIDE, PHONE]) {
        await page.setViewportSize(size)
        const where = `${state}, ${colorScheme}, ${size.width}`
        expect(await violations(page), where).toEqual([])
        const width = await page.evaluate(() => document.documentElement.scrollWidth)
        expect(width, where).toBeLessThanOrEqual(size.width)
      }
    }
  }
  await check('the page')
  await page.locator('.timeline-menu summary').first().click()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await check('a menu and the keys')
})

test('a recording has the time line, and nothing that can be done', async ({ opened: { open } }) => {
  const page = await open(recorded('11-reconnection'), { canAct: false })
  await lists(page, /slave 1 sends master computer_details/)
  expect(await page.getByRole('button', { name: /^Kill/ }).count()).toBe(0)
  expect(await page.locator('#actions').isVisible()).toBe(false)
  await page.keyboard.press('k')
  // A window of its middle, of some nodes and kinds.
  await page.getByText('Kinds: all').click()
  await page.getByRole('checkbox', { name: 'messages' }).uncheck()
  await lists(page, /slave 1 connects to master/)
  await expect.poll(() => page.locator('.timeline-list .of-bytes').count(), PATIENCE).toBe(0)
  await page.getByText('Nodes: all').click()
  for (const name of ['master', 'slave 1', 'slave 2'])
    await page.getByRole('checkbox', { name, exact: true }).uncheck()
  await expect
    .poll(async () => new Set(await page.locator('.timeline-list button').allTextContents()), PATIENCE)
    .toSatisfy((entries: Set<string>) => [...entries].every((entry) => entry.includes('slave 3')))
})

test('an hour of 50 nodes is drawn in a blink, and is bounded', async ({ opened: { open } }) => {
  const page = await open(recorded('11-reconnection'), { canAct: false })
  const session = await page.context().newCDPSession(page)
  const module = (await page.evaluateHandle('import("/timeline.js")')) as JSHandle<typeof Timeline>
  const fed = await page.evaluate(feedAnHour, module)
  expect(fed.listed).toBe(100)
  expect(fed.kept).toMatch(/^The oldest [\d,]+ events are no longer kept/)
  // On a machine with nothing else to do: 20 ms. Without a graphics card, and with much else, more.
  expect(fed.frameMs).toBeLessThan(400)
  await session.send('HeapProfiler.collectGarbage')
  const { metrics } = await session
    .send('Performance.enable')
    .then(() => session.send('Performance.getMetrics'))
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Infinity
  expect(heap / 1e6).toBeLessThan(300)
})

/** Runs in the page: puts another time line there, with more than it keeps, and moves it. */
async function feedAnHour({ createTimeline }: typeof Timeline) {
  const place = document.createElement('div')
  document.querySelector('main')?.append(place)
  const nodes = Array.from({ length: 50 }, (_, index) => `node ${index + 1}`)
  const lanes = ['hub', ...nodes].map((name) => ({ name, program: 'made-up' }))
  const timeline = createTimeline(place, { lanes })
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
  const HOUR = 3600
  let number = 0
  for (let at = 0; at < HOUR; at += 60) {
    const events: LabEvent[] = []
    for (let second = at; second < at + 60; second += 1) {
      for (let index = 0; index < 20; index += 1) {
        const lane = nodes[number % nodes.length] as string
        const text = `{"type":"message","payload":"I am still alive, client: ${number}"}\r`
        events.push({ type: 'bytes', at: second, connection: 0, from: lane, to: 'hub', chunk: number, text })
        events.push({
          type: 'line',
          at: second,
          lane: 'hub',
          text: `Received message from pi #${number}: I am still alive`,
        })
        events.push({ type: 'line', at: second, lane, text: `Sent ${number}` })
        number += 1
      }
    }
    timeline.add(events)
    await frame()
  }
  timeline.showAll()
  while (!place.querySelector('.timeline-count')?.textContent.startsWith('The last 100 of')) await frame()
  const listed = place.querySelectorAll('.timeline-list li').length
  const began = performance.now()
  let frames = 0
  for (; frames < 20; frames += 1) {
    ;(place.querySelector('[aria-label="Zoom in"]') as HTMLElement).click()
    await frame()
  }
  const frameMs = (performance.now() - began) / frames
  return {
    frameMs,
    listed,
    kept: place.querySelector('.timeline-kept')?.textContent ?? '',
  }
}

/** A recording of a chapter's wire, as a lab's page takes it. */
function recorded(chapter: string): Watched {
  const file = new URL(`../recordings/${chapter}.wire.json`, import.meta.url)
  const { lanes, events } = JSON.parse(readFileSync(file, 'utf8')) as WireRecording
  return {
    chapterName: chapter,
    commands: [],
    lanes: lanes.map((name, index) => ({
      name,
      program: name,
      ...(index > 0 && { connectsTo: lanes[0] as string }),
    })),
    seconds: () => events.at(-1)?.at ?? 0,
    history: () => events,
    onEvents: () => () => {},
    do: () => Promise.reject(new Error('This is a recording.')),
    close: () => Promise.resolve(),
  }
}
