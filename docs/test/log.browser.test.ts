/** The page of chapter 27 in a real browser: how far each member's log is, and a member that comes. */
import { expect } from 'vitest'
import { violations } from './support/axe.ts'
import { test as browserTest } from './support/browser.ts'
import { type Cluster, leaderOn, PATIENCE, rows, useCluster } from './support/members.ts'

const test = browserTest.extend<{ $test: { cluster: Cluster } }>({
  cluster: ({ browser }, use) =>
    useCluster('27-replicated-tasks', ['node-1', 'node-2', 'node-3'], browser, use),
})

test('the page goes on with a picture when its leader is killed, and shows how far each log is', async ({
  cluster: { open, kill, problems },
}) => {
  const page = await open()
  const first = await leaderOn(page)
  await expect.poll(() => rows(page).count(), PATIENCE).toBe(3)
  await page.getByLabel('Width').selectOption({ index: 0 })
  await page.getByRole('button', { name: 'Draw' }).click()
  await expect.poll(() => page.getByText(/^[1-9]\d* of \d+$/).count(), PATIENCE).toBeGreaterThan(0)
  await kill(first)
  const second = await leaderOn(page, first)
  await expect
    .poll(() => page.locator(`#member-${second}`).textContent(), PATIENCE)
    .toMatch(/(\d+) of \1 entries/)
  await expect.poll(() => page.locator(`#member-${first}`).textContent(), PATIENCE).toMatch(/not reached/)
  await expect.poll(() => page.getByText(/^(\d+) of \1$/).count(), PATIENCE).toBeGreaterThan(0)
  expect(problems).toEqual([])
})

test('it shows a member that comes, and has no violation', async ({ cluster: { open, run, start } }) => {
  const page = await open({ viewport: { width: 390, height: 844 } })
  await leaderOn(page)
  await start('node-4')
  await expect.poll(() => run('members', 'add', 'node-4'), PATIENCE).toMatch(/^node-4 /m)
  const fourth = page.locator('#member-node-4')
  await expect.poll(() => fourth.textContent(), PATIENCE).toMatch(/follows node-\d/)
  expect(await violations(page)).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
})
