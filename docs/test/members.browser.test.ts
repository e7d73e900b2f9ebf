/** The page of chapter 26 in a real browser: who leads, while leaders die, and who is told to lead. */
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'
import { type Cluster, leaderOn, PATIENCE, rows, useCluster } from './support/members.ts'

const NAMES = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5']

const test = browserTest.extend<{ $test: { cluster: Cluster } }>({
  cluster: ({ browser }, use) => useCluster('26-leader-election', NAMES, browser, use),
})

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
