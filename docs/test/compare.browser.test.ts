/** Comparing two chapters: what the address asks for, and what it becomes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, type Chapter, findChapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { besideTheirUse } from '@rpi-cluster/tutorial/compare/between'
import { difference } from '@rpi-cluster/tutorial/compare/difference'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { comparisonOf } from '../.vitepress/theme/comparison.ts'
import { changesHtml } from '../src/changes-html.ts'
import type { ShownSources, ShownStep } from '../src/shown.ts'
import { siteBelow, test, visit } from './support/page.ts'

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

test('what the chapters in between say stands above the lines that are still there', async ({ page }) => {
  const [first, last] = [allChapters()[0], allChapters().at(-1)] as [Chapter, Chapter]
  await visit(page, `compare/?from=${first.name}&to=${last.name}`)
  const notes = await page.locator('.changed-file:not(details) .explanation').evaluateAll((all) =>
    all.map((note) => {
      let next = note.nextElementSibling
      while (next?.matches('.explanation')) next = next.nextElementSibling
      return { text: note.textContent, explains: next?.matches('.added, .removed') }
    }),
  )
  for (const note of notes) expect(note).toEqual({ text: note.text, explains: true })
  const { changes } = difference(first, last)
  const said = besideTheirUse(changes, ({ explanation }) => explanation)
    .filter(({ file, explanation }) => file.startsWith('chapters/') && explanation)
    .map(({ explanation = '' }) => squeezed(explanation))
  expect(said.length).toBeGreaterThan(5)
  expect(new Set(notes.map(({ text }) => squeezed(text)))).toEqual(new Set(said))
})

test('a program that has another name is shown beside what it was, with what was said of it under the old one', () => {
  const chapters = [
    { number: 1, name: '01-one', programs: [{ name: 'leader' }] },
    { number: 2, name: '02-two', programs: [{ name: 'head', formerly: 'leader' }] },
    { number: 3, name: '03-three', programs: [{ name: 'first', formerly: 'head' }] },
  ]
  const sources = (index: number, file: string, lines: string[]): ShownSources => ({
    number: index + 1,
    name: chapters[index]?.name ?? '',
    files: [{ file, text: lines.map((line) => `${line}\n`).join(''), lines }],
    users: [],
  })
  const older = sources(0, 'src/leader.ts', ['as it was'])
  const newer = sources(2, 'src/first.ts', ['all of it', 'is new'])
  const said = { file: 'chapters/02-two/src/head.ts', line: 1, last: 1, added: ['is new'], html: 'Said.' }
  const steps = ['02-two', '03-three'].map((name) => ({
    name,
    explanations: name === '02-two' ? [said] : [],
    back: [],
    modules: [],
  }))
  const forward = comparisonOf(older, newer, steps, [], chapters)
  expect(forward.changes).toMatchObject([
    { status: 'moved', from: 'src/leader.ts', file: 'src/first.ts', addedLines: 2, removedLines: 1 },
  ])
  const items = forward.changes[0]?.hunks.flatMap(({ items }) => items.map(({ kind, html }) => [kind, html]))
  expect(items).toEqual([
    ['removed', 'as it was'],
    ['added', 'all of it'],
    ['note', 'Said.'],
    ['added', 'is new'],
  ])
  expect(changesHtml(forward, () => '')).toContain('<span class="path">src/leader.ts → src/first.ts</span>')
  expect(comparisonOf(newer, older, [], [], chapters).changes).toMatchObject([
    { status: 'moved', from: 'src/first.ts', file: 'src/leader.ts' },
  ])
})

test('what is back is compared with what it was, in words; between chapters further apart it is not', () => {
  const sources = (number: number, files: Record<string, string>): ShownSources => ({
    number,
    name: `0${number}-made-up`,
    files: Object.entries(files).map(([file, text]) => ({ file, text, lines: text.trimEnd().split('\n') })),
    users: [],
  })
  const [first, third] = [
    { 'src/page.ts': 'as it was\n', 'src/style.css': 'old\n' },
    { 'src/page.ts': 'as it was\n', 'src/style.css': 'new\n' },
  ]
  const was = { text: 'old\n', lines: ['old'] }
  const step: ShownStep = {
    name: '03-made-up',
    explanations: [],
    back: [
      { file: 'src/page.ts', from: '01-made-up', html: 'The page is back.' },
      { file: 'src/style.css', from: '01-made-up', was },
    ],
    modules: [],
  }
  const shown = comparisonOf(sources(2, {}), sources(3, third), [step], [], [])
  expect(shown.changes).toMatchObject([
    { status: 'changed', file: 'src/style.css', backFrom: '01-made-up', addedLines: 1, removedLines: 1 },
    { status: 'back', file: 'src/page.ts', backFrom: '01-made-up', addedLines: 0, removedLines: 0 },
  ])
  const html = changesHtml(shown, () => '')
  expect(html).toContain('<span class="counts">back from 01-made-up, changed since, +1 −1</span>')
  expect(html).toContain('<code>old</code>')
  expect(html).toContain('<span class="counts">back from 01-made-up, unchanged</span>')
  expect(html).toContain('<p>The page is back.</p>')
  const apart = comparisonOf(
    sources(1, first),
    sources(3, third),
    [{ ...step, name: '02-made-up', back: [] }, step],
    [],
    [],
  )
  expect(apart.changes).toMatchObject([{ status: 'changed', file: 'src/style.css' }])
  expect(apart.changes[0]).not.toHaveProperty('backFrom')
})

test('a module that the core gained comes when it is unfolded, with what is said of its names', async ({
  page,
}) => {
  await visit(page, 'compare/?from=1&to=6')
  const file = page.locator('[id="changed-packages/core/src/frames.ts"]')
  expect(await file.locator('.line').count()).toBe(0)
  await file.locator('summary').click()
  await file.locator('.line').first().waitFor()
  expect(
    (
      await file
        .locator('.line code')
        .evaluateAll((all) => all.map((one) => one.textContent.replace('\u200b', '')))
    ).join('\n'),
  ).toBe(readFileSync(join(ROOT, 'packages/core/src/frames.ts'), 'utf8').trimEnd())
  expect(await file.locator('.explanation').count()).toBeGreaterThan(0)
})

test('the chapters to choose from stand below their parts', async ({ page }) => {
  await visit(page, 'compare/')
  const groups = await page.getByRole('combobox', { name: 'From' }).evaluate((select) =>
    [...select.querySelectorAll('optgroup')].map(({ label, children }) => ({
      label,
      chapters: [...children].map((option) => (option as HTMLOptionElement).value),
    })),
  )
  const parts = [...new Set(allChapters().map(({ part }) => part))]
  expect(groups).toEqual(
    parts.map((part) => ({
      label: `${part.number}: ${part.title}`,
      chapters: allChapters()
        .filter((chapter) => chapter.part === part)
        .map(({ name }) => name),
    })),
  )
})

test('without JavaScript it says what it needs, and offers no choice', async ({ readers }) => {
  const page = await readers.open(siteBelow, { javaScriptEnabled: false })
  await page.goto('compare/')
  readers.excuse(/\.js failed: csp/)
  const note = page.locator('noscript p')
  expect(await note.evaluate((one) => one.checkVisibility() && one.textContent)).toContain('needs JavaScript')
  expect(
    await page
      .locator('.choice, .compared')
      .evaluateAll((all) => all.filter((one) => one.checkVisibility()).length),
  ).toBe(0)
})

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

/** A text as it reads: a browser keeps the breaks of its source. */
function squeezed(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
