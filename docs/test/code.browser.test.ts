/** The code of a chapter, to read and to copy. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { repositoryFiles } from '@rpi-cluster/tutorial/workspace/repository'
import { expect } from 'vitest'
import { firstAndLast, siteBelow, test, visit } from './support/page.ts'

/** What a page needs in order to copy, and a test to read what was copied. */
const COPYING = { permissions: ['clipboard-read', 'clipboard-write'] }

const copied = () => navigator.clipboard.readText()

test.for(firstAndLast(allChapters()))(
  'every file of $name is there, and is copied as it is on disk',
  async ({ name, folder }, { readers }) => {
    const page = await readers.open(siteBelow, COPYING)
    await visit(page, `chapters/${name}/?view=code`)
    const files = await page.locator('#view-code .file h2').allInnerTexts()
    expect(files.toSorted()).toEqual(
      repositoryFiles(folder).filter((file) => /^src\/|^rpicluster\.(?:cfg|json)$/.test(file)),
    )

    for (const file of files) {
      const onDisk = readFileSync(join(folder, file), 'utf8')
      const section = page.getByRole('region', { name: file })
      await section.getByRole('button', { name: 'Copy' }).click()
      await section.getByText('Copied').waitFor()
      expect(await page.evaluate(copied)).toBe(onDisk)
      // Selected by hand, it comes without the numbers of the lines.
      const selected = await section.locator('pre').evaluate((pre) => {
        getSelection()?.selectAllChildren(pre)
        return getSelection()?.toString()
      })
      expect(selected?.trimEnd()).toBe(onDisk.trimEnd())
    }
  },
)

test('a block of a text is copied by its button', async ({ readers }) => {
  const page = await readers.open(siteBelow, COPYING)
  await visit(page, 'chapters/06-slave-details/')
  const block = page
    .locator('#view-read div[class*=language-]', { hasText: "from '@rpi-cluster/core/" })
    .first()
  await block.hover()
  await block.getByRole('button', { name: 'Copy Code' }).click()
  await block.locator('button.copied').waitFor()
  const code = (await block.locator('pre code').textContent())?.trim()
  expect(code).not.toBe('')
  expect((await page.evaluate(copied)).trim()).toBe(code)
})

test('a piece with changes is copied as it is now, without marks and without what is gone', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, COPYING)
  await visit(page, 'chapters/06-slave-details/')
  const block = page.locator('#view-read .piece', { hasText: 'I am still alive' })
  await block.hover()
  await block.getByRole('button', { name: 'Copy Code' }).click()
  await block.locator('button.copied').waitFor()
  const [first, heartbeat, last, ...more] = (await page.evaluate(copied)).trimEnd().split('\n')
  expect([first, last]).toEqual(['for await (const _ of every(5_000, stop, { firstAfter: 5_000 })) {', '}'])
  expect(heartbeat).toMatch(/^ {2}await send\(master, 'message', `I am still alive, client: /)
  expect(more).toEqual([])
})

test('of what a terminal showed the commands alone are copied', async ({ readers }) => {
  const page = await readers.open(siteBelow, COPYING)
  await visit(page, 'chapters/01-logging-liveness/')
  const block = page.locator('#view-read .terminal', { hasText: '$ tail' })
  await block.hover()
  await block.getByRole('button', { name: 'Copy the commands' }).click()
  await block.locator('button.copied').waitFor()
  expect(await page.evaluate(copied)).toBe(
    'pnpm --filter 01-logging-liveness start --for 12s\ntail -n 2 chapters/01-logging-liveness/mainlogger.log',
  )
})
