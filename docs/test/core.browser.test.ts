/** The page of the core: every module and every name, told by nobody but the sources. */
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters'
import { ROOT, trackedFiles } from '@rpi-cluster/tutorial/repository'
import { describe, expect } from 'vitest'
import { test, visit } from './support/page.ts'

const SOURCES = join(ROOT, 'packages/core/src')

const modules = trackedFiles(SOURCES).map((file) => {
  const text = readFileSync(join(SOURCES, file), 'utf8')
  const exported = text.matchAll(/^export (?:async )?(?:function\*?|class|const|interface|type) (\w+)/gm)
  return {
    name: basename(file, '.ts'),
    since: Number(/@since 0\.(\d+)\.0/.exec(text)?.[1]),
    names: [...new Set([...exported].map(([, name]) => name))],
    text,
  }
})

/** The first chapter with a program that imports a module, as the site names it. */
function firstUser(module: string): string | undefined {
  const chapter = allChapters().find(({ folder }) =>
    trackedFiles(join(folder, 'src')).some((file) =>
      readFileSync(join(folder, 'src', file), 'utf8').includes(`'@rpi-cluster/core/${module}'`),
    ),
  )
  return chapter && `First used by chapter ${String(chapter.number).padStart(2, '0')}: ${chapter.title}.`
}

describe.each(modules)('the module $name', ({ name, since, names, text }) => {
  test('has its place, its names and its first user', async ({ page }) => {
    await visit(page, 'core-by-chapter/')
    const section = await page.locator(`h3[id="${name}"]`).evaluate((heading) => {
      const elements: Element[] = []
      let chapter = heading.previousElementSibling
      while (chapter && chapter.tagName !== 'H2') chapter = chapter.previousElementSibling
      for (let at = heading.nextElementSibling; at && !/^H[23]$/.test(at.tagName); at = at.nextElementSibling)
        elements.push(at)
      return {
        chapter: chapter?.textContent,
        names: elements
          .filter(({ tagName }) => tagName === 'H4')
          .map((one) => one.querySelector('code')?.textContent),
        paragraphs: elements.filter(({ tagName }) => tagName === 'P').map((one) => one.textContent),
      }
    })
    expect(names.length).toBeGreaterThan(0)
    expect(section.names.toSorted()).toEqual(names.toSorted())
    expect(section.chapter).toContain(`By chapter ${String(since).padStart(2, '0')}: `)
    expect(section.paragraphs).toContain(
      firstUser(name) ?? 'No program of a chapter uses it by itself: other modules do.',
    )
  })

  test('unfolds its source', async ({ page }) => {
    await visit(page, 'core-by-chapter/')
    const source = page.locator('.core-source', { hasText: `The source of ${name}` })
    await source.locator('summary').click()
    const code = source.locator('pre')
    await code.waitFor()
    expect((await code.evaluate((pre) => pre.textContent)).trimEnd()).toBe(text.trimEnd())
  })
})

test('the links beside headings are named as the headings are', async ({ page }) => {
  await visit(page, 'core-by-chapter/')
  const named = await page.locator('.vp-doc .header-anchor').evaluateAll((all) =>
    all.map((anchor) => ({
      name: anchor.getAttribute('aria-label'),
      heading: anchor.parentElement?.textContent.replace(/\u200b/g, '').trim(),
    })),
  )
  expect(named.length).toBeGreaterThan(modules.length)
  for (const { name, heading } of named) expect(name).toBe(`Permalink to "${heading}"`)
})
