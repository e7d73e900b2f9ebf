/** The fifth view of a chapter: its cluster in the page, run, broken and changed there. */
import { gzipSync } from 'node:zlib'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { outOfReach } from './support/narrow.ts'
import { firstAndLast, siteBelow, test, visit } from './support/page.ts'

/** The most that opening Live may load, compressed, in bytes. */
const MOST_BYTES = 400_000

/** What its editor, its time line, its worker and its network take together is more than that. */
const LEAST_BYTES = 300_000

/** What is waited for is a minute of the cluster's time at most, which runs ten times as fast. */
const PATIENCE = { timeout: 60_000 }

const live = allChapters().filter((chapter) => chapter.live === true)
const others = allChapters().filter((chapter) => chapter.live !== true)
/** The one in which most can be seen. */
const STURDY = '11-reconnection'

const pathOf = (name: string) => `chapters/${name}/?view=live`

test.for(live)(
  '$name loads what it needs when it is opened, runs, and says what it promises',
  async (chapter, { page }) => {
    await visit(page, `chapters/${chapter.name}/`)
    // Each node asks for the worker, which the browser has by then.
    const loaded = new Map<string, Promise<Buffer>>()
    page.on('response', (response) => {
      // VitePress fetches the pages that links in sight lead to, whatever is opened.
      if (!/\.md\./.test(response.url())) loaded.set(response.url(), response.body())
    })
    expect(await scriptsOf(page)).not.toContainEqual(expect.stringMatching(/LiveView|live-worker/))
    await page.getByRole('tab', { name: 'Live' }).click()
    await start(page)
    await whenReady(page)
    for (const lane of lanesOf(chapter)) {
      const { ready } = chapter.programs.find(({ name }) => name === lane.program) ?? { ready: [] }
      const isSaid = async () => {
        const lines = await said(page, lane.name)
        return ready.some((text) => lines.includes(text))
      }
      await expect.poll(isSaid, { message: lane.name }).toBe(true)
    }
    const bytes = (await Promise.all(loaded.values())).reduce((sum, body) => sum + gzipSync(body).length, 0)
    console.log(`${chapter.name}: ${bytes} bytes compressed`)
    // Nothing of it was there before.
    expect(bytes).toBeGreaterThan(LEAST_BYTES)
    expect(bytes).toBeLessThan(MOST_BYTES)
  },
)

test.for(live)(
  '$name survives a kill and a cut as it promises',
  { timeout: 300_000 },
  async (chapter, { page }) => {
    const [first, ...connecting] = lanesOf(chapter)
    const server = first?.name ?? ''
    const node = connecting[0]?.name ?? ''
    const waits = chapter.programs.some(({ withoutPeer }) => withoutPeer === 'waits')
    await visit(page, pathOf(chapter.name))
    await start(page)
    await whenReady(page)
    await page.getByLabel('Time runs').selectOption('ten times faster')

    await act(page, node, 'Kill')
    await expect.poll(() => stateOf(page, node)).toBe('ended: killed (SIGKILL)')
    await act(page, node, 'Restart')
    await expect.poll(() => timesConnected(page, node), PATIENCE).toBe(2)
    expect(await stateOf(page, server)).toBe('ready')

    await act(page, node, 'Cut')
    await expect.poll(() => said(page, server), PATIENCE).toMatch(/Lost the connection to/)
    if (waits) {
      await act(page, node, 'Heal')
      await expect.poll(() => timesConnected(page, node), PATIENCE).toBe(3)
    } else await expect.poll(() => stateOf(page, node), PATIENCE).toBe('ended: exit code 1')
    expect(await stateOf(page, server)).toBe('ready')

    const before = await Promise.all(connecting.map(({ name }) => timesConnected(page, name)))
    await act(page, server, 'Kill')
    await expect.poll(() => stateOf(page, server)).toBe('ended: killed (SIGKILL)')
    for (const [index, { name }] of connecting.entries()) {
      if (!waits) {
        await expect.poll(() => stateOf(page, name), PATIENCE).toBe('ended: exit code 1')
        continue
      }
      if (index === 0) await act(page, server, 'Restart')
      await expect.poll(() => timesConnected(page, name), PATIENCE).toBe((before[index] ?? 0) + 1)
    }
  },
)

test.for(firstAndLast(others))(
  '$name says what it needs, and plays the recording',
  async ({ name, live }, { page }) => {
    await visit(page, pathOf(name))
    const needs = typeof live === 'object' ? live.needs : ''
    expect(needs).not.toBe('')
    expect(await page.locator('#view-live').textContent()).toContain(`it needs ${needs}`)
    await page.locator('#view-live [data-testid=player] .ap-line').first().waitFor()
  },
)

test('nodes come and go, time stops and goes by steps, and Stop ends every program', async ({ page }) => {
  await visit(page, pathOf(STURDY))
  await page.getByLabel('slaves').selectOption('1')
  await start(page)
  await whenReady(page)
  expect(await terminals(page)).toEqual(['master', 'slave 1'])
  await page.getByLabel('slaves').selectOption('7')
  await whenReady(page)
  expect(await terminals(page)).toHaveLength(8)
  await page.getByLabel('slaves').selectOption('2')
  expect(await terminals(page)).toEqual(['master', 'slave 1', 'slave 2'])

  await page.getByRole('button', { name: 'Stop time' }).click()
  const clock = page.getByLabel('Time since the start')
  const seconds = async () => Number.parseFloat((await clock.textContent()) ?? '')
  await page.getByRole('button', { name: 'Let time go on' }).waitFor()
  const before = await seconds()
  for (let step = 1; step <= 3; step += 1) {
    await page.getByRole('button', { name: 'Step 100 ms' }).click()
    await expect.poll(seconds).toBeCloseTo(before + step / 10, 1)
  }
  await page.getByRole('button', { name: 'Let time go on' }).click()
  await expect.poll(seconds).toBeGreaterThan(before + 1)

  await page.getByRole('button', { name: 'Stop', exact: true }).first().click()
  for (const name of ['master', 'slave 1', 'slave 2'])
    await expect.poll(() => stateOf(page, name)).toBe('ended: exit code 0')
  await page.getByRole('button', { name: 'Start', exact: true }).waitFor()
})

test('what goes over the wire is shown byte by byte, when asked for', async ({ page }) => {
  await visit(page, pathOf(STURDY))
  await start(page)
  await whenReady(page)
  await page.locator('.timeline-entry.of-bytes').filter({ hasText: 'computer_details' }).first().click()
  const details = page.locator('.timeline-details')
  await details.getByRole('button', { name: 'Byte by byte' }).click()
  expect(await details.locator('pre').textContent()).toMatch(/^7b 22 74 79 70 65 22/)
})

test('a program that was changed runs again, and the others go on', async ({ page }) => {
  await visit(page, pathOf(STURDY))
  await start(page)
  await whenReady(page)
  await write(page, 'src/slave.ts', (text) =>
    text.replace('Connecting to the master', 'Looking for my master'),
  )
  await page.getByRole('button', { name: 'Run what is written' }).click()
  await expect.poll(() => said(page, 'slave 3')).toContain('Looking for my master')
  await whenReady(page)
  expect(await said(page, 'master')).toMatch(/has left/)
  expect((await said(page, 'master')).match(/Listening on/g)).toHaveLength(1)

  // It is there after a reload, and gone with Reset.
  await page.reload()
  await start(page)
  await expect.poll(() => said(page, 'slave 1')).toContain('Looking for my master')
  await page.getByRole('tab', { name: 'src/slave.ts (changed)' }).click()
  await page.getByRole('button', { name: 'Reset src/slave.ts' }).click()
  await page.getByRole('button', { name: 'Run what is written' }).click()
  await expect
    .poll(() => said(page, 'slave 1'))
    .toMatch(/Looking for my master[\s\S]*Connecting to the master/)
  expect(await page.getByRole('tab', { name: '(changed)' }).count()).toBe(0)
  await page.reload()
  await page.locator('.cm-content').waitFor()
  expect(await page.getByRole('tab', { name: '(changed)' }).count()).toBe(0)
})

test('a configuration that was changed takes effect, and what is wrong in it is told', async ({ page }) => {
  await visit(page, pathOf(STURDY))
  await write(page, 'rpicluster.cfg', (text) => text.replaceAll('12345', '4711'))
  await page.keyboard.press('Control+Enter')
  await whenReady(page)
  expect(await said(page, 'master')).toContain('Listening on 127.0.0.1:4711')
  expect(await said(page, 'slave 1')).toContain('Connected to 127.0.0.1:4711')

  await write(page, 'rpicluster.cfg', (text) => text.replace('4711', 'many'))
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => stateOf(page, 'master')).toBe('ended: exit code 1')
  const problem = page.locator('.live-problems').getByRole('button', { name: 'rpicluster.cfg, line 6' })
  await problem.click()
  expect(await markedLines(page)).toEqual(['socket_port = many'])
})

test('a mistake is shown at its line, whether it cannot be read or fails as it runs', async ({ page }) => {
  await visit(page, pathOf(STURDY))
  await start(page)
  await whenReady(page)
  await write(page, 'src/slave.ts', (text) =>
    text.replace('const stop = stopSignal()', 'const stop = = stopSignal()'),
  )
  await page.getByRole('button', { name: 'Run what is written' }).click()
  await page.locator('.live-problems').getByText('src/slave.ts, line 13').waitFor()
  expect(await markedLines(page)).toEqual(['const stop = = stopSignal()'])
  // What ran goes on.
  expect(await stateOf(page, 'slave 1')).toBe('ready')

  await write(page, 'src/slave.ts', (text) =>
    text.replace('= = stopSignal()', "= stopSignal()\nthrow new TypeError('oh')"),
  )
  await page.getByRole('button', { name: 'Run what is written' }).click()
  await page.locator('.live-problems').getByText('src/slave.ts, line 14').waitFor()
  expect(await markedLines(page)).toEqual(["throw new TypeError('oh')"])
  expect(await said(page, 'slave 1')).toContain('oh')
})

test('who wrote before the chapter changed is told', async ({ page }) => {
  await page.addInitScript(
    (key) => localStorage.setItem(key, JSON.stringify({ text: '// mine', of: '// as it was' })),
    `live ${STURDY} src/slave.ts`,
  )
  await visit(page, pathOf(STURDY))
  await page.getByRole('tab', { name: 'src/slave.ts (changed)' }).click()
  await page.getByText("The chapter's src/slave.ts is another one since you wrote yours.").waitFor()
  expect(await textOf(page)).toBe('// mine')
})

test('Tab indents in the editor, and leaves it after Escape', async ({ page }) => {
  await visit(page, pathOf(STURDY))
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('Tab')
  expect(await textOf(page)).toMatch(/^ {2}import/)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('Run what is written')
})

test('without a network it runs as well, once a chapter around it was read', async ({ readers }) => {
  const page = await readers.open(siteBelow, { offline: true })
  await visit(page, `chapters/${STURDY}/`)
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
  const isKept = () =>
    page.evaluate(async () => {
      const [name = ''] = await caches.keys()
      const urls = (await (await caches.open(name)).keys()).map(({ url }) => url)
      return [/live-worker/, /LiveView/, /chapters\/13-slave-class\/$/].map((one) =>
        urls.some((url) => one.test(url)),
      )
    })
  await expect.poll(isKept, PATIENCE).toEqual([true, true, true])
  await readers.whenAnswered()
  readers.excuse(/ERR_INTERNET|net::ERR_FAILED|failed: net::ERR|hashmap|gave 503|status of 503/)
  await page.context().setOffline(true)
  await visit(page, pathOf('13-slave-class'))
  await start(page)
  await whenReady(page)
})

test('it has no violation of axe-core while it runs, light and dark', async ({ readers }) => {
  const page = await readers.open(siteBelow, { colorScheme: 'light' })
  await visit(page, pathOf(STURDY))
  await write(page, 'src/slave.ts', (text) => text.replace('const stop =', 'const stop = ='))
  await page.getByRole('button', { name: 'Run what is written' }).click()
  await page.locator('.live-problems').waitFor()
  await page.getByRole('button', { name: 'Reset src/slave.ts' }).click()
  await start(page)
  await whenReady(page)
  await act(page, 'slave 1', 'Kill')
  expect(await violations(page), 'light').toEqual([])
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.locator('html.dark').waitFor()
  expect(await violations(page), 'dark').toEqual([])
})

test('on a phone it does not scroll sideways, and cuts nothing off', async ({ readers }) => {
  const page = await readers.open(siteBelow, { viewport: { width: 390, height: 844 } })
  await visit(page, pathOf(STURDY))
  await start(page)
  await whenReady(page)
  await page.locator('.live-partition summary').click()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  // A list shortens what it names; all of it stands beside.
  await expect
    .poll(async () => (await outOfReach(page)).filter((one) => !/timeline-entry/.test(one)))
    .toEqual([])
})

/** The nodes that a chapter starts, as their terminals are called. */
function lanesOf({ programs }: Chapter): { name: string; program: string }[] {
  return programs.flatMap(({ name, many, copies }) =>
    Array.from({ length: copies }, (_, index) => ({
      name: many === undefined ? name : `${name} ${index + 1}`,
      program: name,
    })),
  )
}

async function start(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Start', exact: true })
  await button.waitFor()
  const begin = performance.now()
  await button.click()
  await page.locator('.live-terminal .said').first().waitFor()
  console.log(`The first line came ${Math.round(performance.now() - begin)} ms after the click.`)
}

async function whenReady(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const states = [...document.querySelectorAll<HTMLElement>('.live-terminal')].map(
      ({ dataset }) => dataset['state'],
    )
    return states.length > 0 && states.every((state) => state === 'ready')
  })
}

async function act(page: Page, node: string, what: string): Promise<void> {
  const faults = page.locator('.live-faults')
  await faults.locator('.live-nodes').getByRole('radio', { name: node }).check()
  await faults.getByRole('button', { name: what, exact: true }).click()
}

function terminals(page: Page): Promise<string[]> {
  return page.locator('.live-terminal h3').allInnerTexts()
}

async function stateOf(page: Page, node: string): Promise<string | null> {
  return page.locator(`.live-terminal[data-node="${node}"]`).getAttribute('data-state')
}

async function said(page: Page, node: string): Promise<string> {
  return (await page.locator(`.live-terminal[data-node="${node}"] pre`).textContent()) ?? ''
}

async function timesConnected(page: Page, node: string): Promise<number> {
  return (await said(page, node)).match(/Connected to/g)?.length ?? 0
}

/** The text of the editor, all of which fits. */
async function textOf(page: Page): Promise<string> {
  return (await page.locator('.cm-line').allTextContents()).join('\n')
}

/** Changes a file as a reader does, who writes all of it anew. */
async function write(page: Page, file: string, change: (text: string) => string): Promise<void> {
  await page.getByRole('tab', { name: file }).click()
  const content = page.getByRole('textbox', { name: `Editor of ${file}` })
  await content.press('Control+Home')
  const before = await textOf(page)
  const after = change(before)
  expect(after).not.toBe(before)
  await content.press('Control+A')
  await page.keyboard.insertText(after)
}

function markedLines(page: Page): Promise<string[]> {
  return page.locator('.cm-line:has(.cm-lintRange-error)').allTextContents()
}

function scriptsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name))
}
