/** Comparing two chapters: what the address asks for, and what it becomes. */
import { findChapter } from '@rpi-cluster/tutorial/chapters'
import { difference } from '@rpi-cluster/tutorial/diff'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { test, visit } from './support/page.ts'

test.for(['?from=03-sockets&to=05-json', '?from=3&to=5', '?from=03&to=05'])(
  '/compare/%s shows what pnpm diff 3 5 does, and that the core gained json-lines',
  async (search, { page }) => {
    await visit(page, `compare/${search}`)
    expect(await choice(page)).toEqual(['03-sockets', '05-json'])

    const { files, growth } = difference(findChapter('3'), findChapter('5'))
    const shown = await page.locator('.table-scrolls tbody tr').allInnerTexts()
    expect(shown.map((row) => row.split('\t'))).toEqual(
      files.map(({ file, from, status, addedLines, removedLines }) => [
        from ? `${from} → ${file}` : file,
        status,
        `+${addedLines} −${removedLines}`,
      ]),
    )
    const gained = await page.locator('h2#core ~ h3').allInnerTexts()
    expect(gained).toEqual(expect.arrayContaining(['json-lines', ...growth.map(({ name }) => name)]))
    for (const { name } of growth.flatMap(({ publicNames }) => publicNames))
      expect(await page.locator('h2#core ~ ul code').allInnerTexts()).toContain(name)
  },
)

test('the table leads to each file that differs', async ({ page }) => {
  await visit(page, 'compare/?from=3&to=5')
  await page.locator('.table-scrolls a', { hasText: 'src/slave.ts' }).click()
  expect(page.url()).toMatch(/\?from=3&to=5#changed-src\/slave\.ts$/)
  const heading = page.locator('[id="changed-src/slave.ts"] .file-name')
  await expect.poll(async () => (await heading.boundingBox())?.y).toBeLessThan(300)
})

test('choosing another chapter changes the address, and Back returns', async ({ page }) => {
  await visit(page, 'compare/?from=03-sockets&to=05-json')
  await page.getByRole('combobox', { name: 'From' }).selectOption('02-packaging')
  await page.waitForURL(/\?from=02-packaging&to=05-json$/)
  await row(page, 'rpicluster.cfg', 'added')
  await page.getByRole('combobox', { name: 'to' }).selectOption('03-sockets')
  await page.waitForURL(/\?from=02-packaging&to=03-sockets$/)
  await page.locator('tbody tr', { hasText: 'rpicluster.cfg' }).waitFor({ state: 'detached' })

  await page.goBack()
  await expect.poll(() => choice(page)).toEqual(['02-packaging', '05-json'])
  await row(page, 'rpicluster.cfg', 'added')
  await page.goBack()
  await expect.poll(() => choice(page)).toEqual(['03-sockets', '05-json'])
  await page.reload()
  await expect.poll(() => choice(page)).toEqual(['03-sockets', '05-json'])
})

test('Swap turns the comparison round', async ({ page }) => {
  await visit(page, 'compare/?from=03-sockets&to=05-json')
  await row(page, 'rpicluster.cfg', 'added')
  await page.getByRole('button', { name: 'Swap' }).click()
  await page.waitForURL(/\?from=05-json&to=03-sockets$/)
  expect(await choice(page)).toEqual(['05-json', '03-sockets'])
  await row(page, 'rpicluster.cfg', 'removed')
  await page.getByRole('heading', { name: 'What the core does not have yet' }).waitFor()
})

test('a chapter compared with itself is said to be the same', async ({ page }) => {
  await page.goto('compare/?from=4&to=4')
  await page.getByText('Both are the same chapter').waitFor()
  expect(await page.locator('.changed-file').count()).toBe(0)
})

test.for(['99', '07-unknown', '<b>3</b>', ''])(
  'an address that asks for chapter "%s" is told that there is none',
  async (asked, { page }) => {
    await page.goto(`compare/?from=${encodeURIComponent(asked)}&to=05-json`)
    await expect
      .poll(() => page.getByRole('alert').allInnerTexts())
      .toEqual([`There is no chapter "${asked}". Choose two of these.`])
  },
)

function choice(page: Page): Promise<string[]> {
  return page
    .locator('.choice select')
    .evaluateAll((all) => all.map((one) => (one as HTMLSelectElement).value))
}

function row(page: Page, file: string, status: string): Promise<void> {
  return page.locator('tbody tr', { hasText: file }).filter({ hasText: status }).waitFor()
}
