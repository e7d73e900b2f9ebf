/** What changed since the chapter before: the words of the README beside the lines that they explain. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { firstAndLast, siteBelow, test, visit } from './support/page.ts'

const later = firstAndLast(allChapters().slice(1))

/** The pages of the core's modules, as a browser would show their sentences. */
const modulePages = readdirSync(join(ROOT, 'docs/core'))
  .map((file) => readFileSync(join(ROOT, 'docs/core', file), 'utf8'))
  .join(' ')
  .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  .replace(/[`*]/g, '')
  .replace(/\s+/g, ' ')

test.for(later)(
  'the changes of $name stand right below what the README says of them',
  async ({ name }, { page }) => {
    await visit(page, `chapters/${name}/?view=changes`)
    await unfold(page)
    const notes = await page.locator('.explanation').evaluateAll((all) =>
      all.map((note) => {
        let next = note.nextElementSibling
        while (next?.matches('.explanation')) next = next.nextElementSibling
        // A run of changed lines has no box of its own.
        const below = [note.nextElementSibling, note.nextElementSibling?.firstElementChild]
          .flatMap((one) => (one?.getClientRects().length ? [one.getBoundingClientRect().top] : []))
          .at(0)
        return {
          text: note.textContent.replace(/\s+/g, ' ').trim(),
          explains: next?.matches('.added, .removed'),
          gap: Math.round((below ?? Number.NaN) - note.getBoundingClientRect().bottom),
        }
      }),
    )
    expect(notes.length).toBeGreaterThan(0)
    const readme = (await page.locator('#view-read').evaluate((view) => view.textContent)).replace(
      /\s+/g,
      ' ',
    )
    // What a module of the core is for stands in its own page.
    const said = readme + modulePages
    for (const { text, explains, gap } of notes) {
      expect(said).toContain(text)
      expect({ text, explains, gap }).toEqual({ text, explains: true, gap: 0 })
    }
  },
)

test('side by side, what was removed is left of what was added, and what was kept is on both sides', async ({
  readers,
}) => {
  const page = await readers.open(siteBelow, { viewport: { width: 1500, height: 900 } })
  await visit(page, 'chapters/04-config/?view=changes')
  const rows = await rowsOf(page)
  const [removed, added] = [
    "const server = await listen({ peer: 'slave', host: '127.0.0.1', port: 31415, stop, log }, async (slave) => {",
    "const server = await listen({ peer: 'slave', host, port, stop, log }, async (slave) => {",
  ]
  const row = rows.find(({ cells }) => cells.some(({ text }) => text === removed))
  expect(row?.cells).toEqual([
    { kind: 'removed', text: removed, side: 'left' },
    { kind: 'added', text: added, side: 'right' },
  ])
  const kept = rows.filter(({ cells }) => cells.some(({ kind }) => kind === 'kept'))
  expect(kept.length).toBeGreaterThan(0)
  for (const { cells } of kept) {
    const text = cells[0]?.text
    expect(cells).toEqual([
      { kind: 'kept', text, side: 'left' },
      { kind: 'kept', text, side: 'right' },
    ])
  }
})

test.for([390, 1499])(
  'on a page %i wide there is one column: the removed line, and the added one below it',
  async (width, { readers }) => {
    const page = await readers.open(siteBelow, { viewport: { width, height: 844 } })
    await visit(page, 'chapters/04-config/?view=changes')
    const rows = await rowsOf(page)
    expect(rows.flatMap(({ cells }) => cells).filter(({ side }) => side !== 'whole')).toEqual([])
    const texts = rows.flatMap(({ cells }) => cells.map(({ kind, text }) => `${kind}: ${text}`))
    const at = texts.findIndex((text) => text.startsWith('removed: const server = await listen('))
    expect(texts[at + 1]).toMatch(/^added: const server = await listen\(/)
    // Nothing is there twice.
    expect(await page.locator('.twin:visible').count()).toBe(0)
  },
)

test('programs come before all else; package.json and the tests are folded, and no import has its words twice', async ({
  page,
}) => {
  await visit(page, 'chapters/06-slave-details/?view=changes')
  const files = await page.locator('#view-changes .changed-file').evaluateAll((all) =>
    all.map((file) => ({
      file: (file as HTMLElement).dataset['file'] ?? '',
      isOpen: !(file instanceof HTMLDetailsElement) || file.open,
    })),
  )
  const open = files.filter(({ isOpen }) => isOpen).map(({ file }) => file)
  expect(open).toEqual(['src/master.ts', 'src/slave.ts'])
  expect(files.slice(0, 3).map(({ file }) => file)).toEqual([...open, 'package.json'])
  const said = await page.locator('[id="changed-src/master.ts"] .explanation').allInnerTexts()
  expect(said.map((words) => words.slice(0, 9))).toEqual(['Its table', 'Instead o'])
})

test('the first chapter says that nothing came before it', async ({ page }) => {
  await visit(page, 'chapters/01-logging-liveness/?view=changes')
  await page.getByText('This is the first chapter').waitFor()
})

/** Folded files too. */
function unfold(page: Page): Promise<void> {
  return page.locator('details.changed-file').evaluateAll((all) => {
    for (const one of all) (one as HTMLDetailsElement).open = true
  })
}

/** The lines of the master's changes as they stand: those in one row together, from left to right. */
function rowsOf(page: Page) {
  return page.locator('[id="changed-src/master.ts"] .hunk').evaluateAll((hunks) => {
    const rows: { top: number; cells: { kind: string; text: string; side: string }[] }[] = []
    for (const hunk of hunks) {
      const frame = hunk.getBoundingClientRect()
      const middle = (frame.left + frame.right) / 2
      const lines = [...hunk.querySelectorAll('.line')].filter((line) => line.checkVisibility())
      const boxes = lines
        .map((line) => ({ line, box: line.getBoundingClientRect() }))
        .sort((a, b) => Math.round(a.box.top - b.box.top) || a.box.left - b.box.left)
      for (const { line, box } of boxes) {
        const { left, right } = box
        const side = right <= middle + 1 ? 'left' : left >= middle - 1 ? 'right' : 'whole'
        const kind = ['kept', 'removed', 'added'].find((kind) => line.classList.contains(kind)) ?? ''
        const cell = { kind, side, text: line.querySelector('code')?.textContent ?? '' }
        const row = rows.at(-1)
        if (row && Math.abs(row.top - box.top) < 1) row.cells.push(cell)
        else rows.push({ top: box.top, cells: [cell] })
      }
    }
    return rows
  })
}
