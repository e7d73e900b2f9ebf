/** The page of chapter 26 in a real browser: who leads, while leaders die, and who is told to lead. */
import { ChapterCopy } from '@rpi-cluster/tutorial/harness/chapter-copy'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'

/** Longer than an election takes on a busy machine. */
const PATIENCE = { timeout: 60_000 }

const NAMES = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5']

interface Cluster {
  /** Opens the page, as somebody who may change something or as a guest. */
  open(options?: BrowserContextOptions & { asGuest?: boolean }): Promise<Page>
  kill(name: string): Promise<void>
  start(name: string): Promise<void>
  /** What a page may never do: messages on the console, answers that say no. */
  problems: string[]
}

const test = browserTest.extend<{ $test: { cluster: Cluster } }>({
  cluster: async ({ browser }, use) => {
    const chapter = await ChapterCopy.make('26-leader-election')
    const problems: string[] = []
    const running = new Map<string, Awaited<ReturnType<ChapterCopy['run']>>>()
    const contexts: { close(): Promise<void> }[] = []
    const start = async (name: string) => {
      const copy = NAMES.indexOf(name) + 1
      const node = await chapter.run('node', { copy, env: { TUTORIAL_CLOCK_SPEED: '1' } })
      running.set(name, node)
      await node.says(/ Listening on /)
    }
    await Promise.all(NAMES.map(start))
    const webserver = await chapter.run('webserver')
    await webserver.says(/ Connected to /)
    const link = /http:\S+\?token=[\w-]{43}/.exec(webserver.lines.join('\n'))?.[0] ?? 'no link'
    await use({
      problems,
      start,
      kill: async (name) => void (await running.get(name)?.kill()),
      async open({ asGuest = false, ...options } = {}) {
        const context = await browser.newContext(options)
        contexts.push(context)
        context.on('console', (message) => problems.push(message.text()))
        context.on('weberror', (error) => problems.push(String(error.error())))
        const page = await context.newPage()
        await page.goto(asGuest ? new URL('/', link).href : link)
        return page
      },
    })
    for (const context of contexts) await context.close()
    await chapter.remove()
  },
})

const rows = (page: Page) => page.locator('#members tr')

/** Who leads, as the page says, when it is somebody else than this one. */
async function leaderOn(page: Page, before = 'nobody'): Promise<string> {
  const leader = async () => {
    const text = (await page.locator('#leader').textContent()) ?? ''
    return /(node-\d) leads, in term \d+\./.exec(text)?.[1] ?? before
  }
  await expect.poll(leader, PATIENCE).not.toBe(before)
  return await leader()
}

test('the page follows each leader: one is killed, one is told to lead', async ({
  cluster: { open, kill, start, problems },
}) => {
  const page = await open()
  const first = await leaderOn(page)
  await expect.poll(() => rows(page).count(), PATIENCE).toBe(5)
  await expect.poll(() => page.getByText(`follows ${first}`).count(), PATIENCE).toBe(4)
  await page.evaluate(() => Object.assign(window, { isTheSame: true }))

  await kill(first)
  const second = await leaderOn(page, first)
  const dead = page.locator(`#member-${first}`)
  await expect.poll(() => dead.textContent(), PATIENCE).toMatch(/not reached/)
  expect(await dead.getByRole('button').count()).toBe(0)
  await expect.poll(() => page.getByText(`What stands below comes from ${second}.`).count(), PATIENCE).toBe(1)

  await start(first)
  await expect.poll(() => dead.textContent(), PATIENCE).toMatch(new RegExp(`follows ${second}`))
  expect(await page.evaluate(() => 'isTheSame' in window)).toBe(true) // without a reload
  await dead.getByRole('button', { name: `Let it lead: ${first}` }).click()
  expect(await leaderOn(page, second)).toBe(first)
  expect(problems).toEqual([])
})

test('without a majority it says that nobody leads, and what each member does; who may only look has no button', async ({
  cluster: { open, kill, problems },
}) => {
  const page = await open({ asGuest: true })
  const leader = await leaderOn(page)
  const others = NAMES.filter((name) => name !== leader)
  for (const name of others.slice(0, 3)) await kill(name)
  await expect.poll(() => page.locator('#leader').textContent(), PATIENCE).toMatch(/Nobody leads\./)
  await expect.poll(() => page.getByText('not reached').count(), PATIENCE).toBe(3)
  await expect.poll(() => page.getByText('No primary is here, since').count(), PATIENCE).toBe(1)
  expect(await page.getByRole('button').count()).toBe(0)
  expect(problems).toEqual([])
})

test('it has no violation, light and dark, and does not scroll sideways on a phone', async ({
  cluster: { open },
}) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await open({ colorScheme, viewport: { width: 390, height: 844 } })
    await leaderOn(page)
    await expect.poll(() => rows(page).count(), PATIENCE).toBe(5)
    expect(await violations(page)).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
  }
})
