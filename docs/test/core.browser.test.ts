/** The pages of the core: every module and every name, told by nobody but the sources, and by its text where it has one. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { allChapters } from '@rpi-cluster/tutorial/chapters/chapters'
import { ROOT, repositoryFiles } from '@rpi-cluster/tutorial/workspace/repository'
import { expect } from 'vitest'
import { siteBelow, test, visit } from './support/page.ts'

const SOURCES = join(ROOT, 'packages/core/src')

const modules = repositoryFiles(SOURCES).map((file) => {
  const text = readFileSync(join(SOURCES, file), 'utf8')
  const exported = text.matchAll(
    /^export (?:async )?(?:function\*?|(?:abstract )?class|const|interface|type) (\w+)/gm,
  )
  return {
    name: basename(file, '.ts'),
    since: Number(/@since 0\.(\d+)\.0/.exec(text)?.[1]),
    names: [...new Set([...exported].map(([, name = '']) => name))],
  }
})

test('every module has a page, with every name that it exports, and the chapter that brought it', async ({
  page,
}) => {
  await visit(page, 'core-by-chapter/')
  const found = await page.evaluate(
    async (names) => {
      const pages = names.map(async (name) => {
        const response = await fetch(`../core/${name}/`)
        const shown = new DOMParser().parseFromString(await response.text(), 'text/html')
        return {
          name,
          heading: shown.querySelector('h1')?.childNodes[0]?.textContent?.trim(),
          names: [...shown.querySelectorAll('h3')].flatMap(({ id, firstElementChild: code }) =>
            code?.tagName === 'CODE' && id === `name.${code.textContent}` ? code.textContent : [],
          ),
          came: [...shown.querySelectorAll('li')].find(({ textContent }) =>
            /^Came with chapter/.test(textContent),
          )?.textContent,
        }
      })
      return Promise.all(pages)
    },
    modules.map(({ name }) => name),
  )
  expect(found.map(({ names, ...rest }) => ({ ...rest, names: names.toSorted() }))).toEqual(
    modules.map(({ name, since, names }) => {
      const chapter = allChapters().find(({ number }) => number === since)
      return {
        name,
        heading: name,
        names: names.toSorted(),
        came: `Came with chapter ${String(since).padStart(2, '0')}: ${chapter?.title}.`,
      }
    }),
  )
})

test('the list by chapter leads to every module, each below the chapter that brought it', async ({
  page,
}) => {
  await visit(page, 'core-by-chapter/')
  const listed = await page.locator('.vp-doc :is(h3, li a)').evaluateAll((all) => {
    let chapter = ''
    return all.flatMap((one) => {
      if (one.tagName === 'H3') chapter = one.id
      const module = /core\/([\w-]+)\/$/.exec((one as HTMLAnchorElement).href ?? '')?.[1]
      return module ? [{ module, chapter }] : []
    })
  })
  const wanted = modules.map(({ name, since }) => ({
    module: name,
    chapter: allChapters().find(({ number }) => number === since)?.name,
  }))
  expect(new Set(listed)).toEqual(new Set(wanted))
  expect(listed.length).toBe(modules.length)
  // It is to be looked over at a glance: what it once was, all names on one page, had 26,000 pixels.
  expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(modules.length * 150)
})

test('a module without a text says what its source says: what it is for, who uses it, its names and their members', async ({
  page,
}) => {
  expect(existsSync(join(ROOT, 'docs/core/connection.md'))).toBe(false)
  await visit(page, 'core/connection/')
  const words = await page.locator('.vp-doc').textContent()
  expect(words).toContain('and between them bytes in both directions.')
  expect(words).toContain('Programs import its names from sockets.')
  expect(words).toMatch(/Used by .*\bconnecting\b.*\blistening\b.*\bsockets\b/)
  expect(words).toMatch(/Builds on .*\bchunks\b/)

  const member = page.locator('li', { has: page.locator('[id="name.Connection.write"]') })
  expect(await member.locator('code').first().textContent()).toMatch(/^write\(/)
  expect(await member.textContent()).toMatch(/Throws/)
  await page.locator('.VPDocAsideOutline').getByRole('link', { name: 'Connection', exact: true }).click()
  await expect.poll(() => new URL(page.url()).hash).toBe('#name.Connection')
})

test('a module with a text has that first, and then what its source says', async ({ page }) => {
  await visit(page, 'core/lifecycle/')
  const headings = await page.locator('.vp-doc h2').evaluateAll((all) => all.map(({ id }) => id))
  expect(headings).toEqual([
    'what-it-is-for',
    'how-it-works',
    ...headings.slice(2, -4),
    'where-it-stands',
    'its-names',
    'for-other-modules',
    'the-source',
  ])
  expect(await page.locator('.vp-doc').textContent()).toContain('First used by chapter 02: Packaging.')
  const every = page.locator('[id="name.every"] ~ p', { hasText: /^First used by chapter/ }).first()
  expect(await every.textContent()).toBe('First used by chapter 02: Packaging.')
})

test('what only other modules use is told apart', async ({ page }) => {
  await visit(page, 'core/turns/')
  const headings = await page.locator('.vp-doc :is(h2, h3)').evaluateAll((all) => all.map(({ id }) => id))
  expect(headings).toEqual(['where-it-stands', 'for-other-modules', 'name.Turn', 'the-source'])
  expect(await page.locator('.vp-doc').textContent()).toContain(
    'No program of a chapter imports it: other modules do.',
  )
})

test('a module that passes names on leads to where they are declared', async ({ page }) => {
  await visit(page, 'core/sockets/')
  await page.locator('#where-it-stands ~ ul').getByRole('link', { name: 'listen', exact: true }).click()
  await page.waitForURL(`${siteBelow.url}core/listening/#name.listen`)
  await page.getByRole('heading', { level: 1, name: 'listening' }).waitFor()
})

test('a module unfolds its source', async ({ page }) => {
  await visit(page, 'core/json-lines/')
  const source = page.locator('.core-source')
  await source.locator('summary').click()
  const code = source.locator('pre')
  await code.waitFor()
  expect((await code.evaluate((pre) => pre.textContent)).trimEnd()).toBe(
    readFileSync(join(SOURCES, 'json-lines.ts'), 'utf8').trimEnd(),
  )
})

test('links of a text, of a program and of a comparison lead to the module and the name', async ({
  page,
}) => {
  await visit(page, 'core/sockets/')
  expect(
    await page
      .locator('.vp-doc a', { hasText: /^listen$/ })
      .first()
      .getAttribute('href'),
  ).toBe('/x/core/listening/#name.listen')
  await visit(page, 'chapters/03-sockets/?view=code')
  await page.locator('.file a', { hasText: '@rpi-cluster/core/sockets' }).first().click()
  await page.waitForURL(`${siteBelow.url}core/sockets/`)
  await page.getByRole('heading', { level: 1, name: 'sockets' }).waitFor()
  await visit(page, 'compare/?from=2&to=3')
  await page.locator('h2#core ~ ul').getByRole('link', { name: 'connect', exact: true }).click()
  await page.waitForURL(`${siteBelow.url}core/connecting/#name.connect`)
})

test('the links beside headings are named as the headings are', async ({ page }) => {
  await visit(page, 'core/connection/')
  const named = await page.locator('.vp-doc .header-anchor').evaluateAll((all) =>
    all.map((anchor) => ({
      name: anchor.getAttribute('aria-label'),
      heading: anchor.parentElement?.textContent.replace(/\u200b/g, '').trim(),
    })),
  )
  expect(named.length).toBeGreaterThan(3)
  for (const { name, heading } of named) expect(name).toBe(`Permalink to "${heading}"`)
})
