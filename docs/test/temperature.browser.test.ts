/** The page of chapter 18 in a real browser: alarms come and go by themselves, and a sensor has its chart. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import { sayTo } from '@rpi-cluster/tutorial/harness/peer'
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'

/** Longer than any change takes on a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 }

const test = browserTest.extend<{ $test: { chapter: ChapterCopy } }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture asks for from its pattern
  chapter: async ({}, use) => {
    const chapter = await ChapterCopy.make('18-temperature')
    const config = join(chapter.folder, 'rpicluster.cfg')
    const text = await readFile(config, 'utf8')
    await writeFile(config, text.replace(/^vitals_seconds = .*$/m, 'vitals_seconds = 5'))
    await use(chapter)
    await chapter.remove()
  },
})

const frame = (type: string, payload: unknown) => `${JSON.stringify({ type, payload })}\r`

/** A secondary called `oven #7` is this hot, in °C. */
const isHot = (chapter: ChapterCopy, degrees: number) =>
  sayTo(
    chapter.port,
    frame('node_baseinfo', { hostname: 'oven', client: 7 }) + frame('vitals', { cpu_temperature: degrees }),
  )

test('an alarm is seen and told as it comes, and goes by itself; what a sensor measures has a chart', async ({
  browser,
  chapter,
}) => {
  await chapter.run('primary')
  const webserver = await chapter.run('webserver')
  await chapter.run('secondary')
  await webserver.says(/Connected to/)
  const address = `http://127.0.0.1:${chapter.portsOf('webserver')[0]}/`
  const context = await browser.newContext({ colorScheme: 'dark', viewport: { width: 390, height: 844 } })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(address)
  const count = () => page.locator('#alarm-count').textContent()
  const alarms = () => page.locator('#alarms li').allTextContents()
  await expect.poll(count, PATIENCE).toBe('None.')

  await isHot(chapter, 85)
  await expect.poll(alarms, PATIENCE).toContainEqual(expect.stringMatching(/^oven #7 is hot: 85 °C, since /))
  await expect.poll(count, PATIENCE).toMatch(/The newest: oven #7 is /)
  expect(await violations(page)).toEqual([])
  const width = await page.evaluate('document.documentElement.scrollWidth')
  expect(width).toBeLessThanOrEqual(390)
  await isHot(chapter, 75)
  await expect.poll(async () => (await alarms()).filter((text) => text.includes('hot')), PATIENCE).toEqual([])

  await page.goto(new URL('/vitals', address).href)
  const headings = () => page.locator('h2').allTextContents()
  await expect
    .poll(headings, PATIENCE)
    .toEqual(expect.arrayContaining(['Temperature of the processor, °C', 'Disk in use, %']))

  await page.goto(new URL('/vitals?node=nobody', address).href)
  const readout = page.locator('[data-vital="cpu_temperature"] .readout')
  await expect.poll(() => readout.textContent(), PATIENCE).toBe('Nothing was measured in this time.')
  await page.waitForTimeout(500) // what draws tells its cursor later
  expect(await readout.textContent()).toBe('Nothing was measured in this time.')
  expect(problems).toEqual([])
  await context.close()
})
