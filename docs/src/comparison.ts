/** What the site knows of the chapters in order to compare them: what each is, and what each brought. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { coreModules } from '@rpi-cluster/tutorial/chapters/growth'
import { withoutDescription } from '@rpi-cluster/tutorial/compare/compared'
import { Comparison, comparedFiles } from '@rpi-cluster/tutorial/compare/comparison'
import { importsFromCore } from '@rpi-cluster/tutorial/compare/difference'
import { type Change, explainedChanges } from '@rpi-cluster/tutorial/compare/explanations'
import { linesIn } from '@rpi-cluster/tutorial/compare/file-diff'
import { openingComment, symbolsOf } from '@rpi-cluster/tutorial/texts/source'
import { readFiles } from '@rpi-cluster/tutorial/workspace/files'
import { ROOT } from '@rpi-cluster/tutorial/workspace/repository'
import type { MarkdownRenderer } from 'vitepress'
import { comparisonOf, moduleHunks } from '../.vitepress/theme/comparison.ts'
import { highlightLines } from './highlight.ts'
import type { ShownBack, ShownComparison, ShownFile, ShownSources, ShownStep } from './shown.ts'

/** A chapter's files as they are compared with those of others. */
export async function shownSources(chapter: Chapter): Promise<ShownSources> {
  const { texts } = readFiles(chapter.folder, comparedFiles(chapter))
  const files = [...texts].map(async ([file, whole]): Promise<ShownFile> => {
    const text = file === 'package.json' ? withoutDescription(whole) : whole
    return { file, text, lines: await highlightLines(text.trimEnd(), file) }
  })
  return {
    number: chapter.number,
    name: chapter.name,
    files: await Promise.all(files),
    users: importsFromCore(chapter, texts).map(({ file, imports }) => ({
      file,
      imports: [...imports].map(([module, names]) => [module, [...names]]),
    })),
  }
}

/** What a chapter brought since the one before it: the core's modules, and what is said of its changes. */
export async function shownStep(chapter: Chapter, md: MarkdownRenderer): Promise<ShownStep> {
  const before = allChapters().findLast(({ number }) => number < chapter.number)
  if (!before) return { name: chapter.name, explanations: [], back: [], modules: [] }
  const changes = explainedChanges(before, chapter)
  return {
    name: chapter.name,
    back: await backIn(before, chapter, changes, md),
    explanations: changes.flatMap(
      ({ file, line, last, added, symbol, backFrom, explanationMarkdown, explainedIn }) =>
        explanationMarkdown !== undefined && explainedIn !== undefined && backFrom === undefined
          ? {
              file,
              line,
              last,
              added,
              ...(symbol !== undefined && { symbol }),
              html: inline(explanationMarkdown, explainedIn, md),
            }
          : [],
    ),
    modules: coreModules(ROOT)
      .filter(({ bornIn }) => before.number < bornIn && bornIn <= chapter.number)
      .map(({ name, bornIn }) => {
        const file = `packages/core/src/${name}.ts`
        const text = readFileSync(join(ROOT, file), 'utf8')
        return {
          name,
          bornIn,
          html: inline(openingComment(text), file, md),
          publicNames: symbolsOf(text)
            .filter((symbol) => symbol.isPublic && !symbol.name.includes('.'))
            .map((symbol) => symbol.name),
          lines: linesIn(text).length,
        }
      }),
  }
}

/** The files that are back, with the lines of those that have changed since, and what is said of the others. */
function backIn(
  before: Chapter,
  chapter: Chapter,
  changes: readonly Change[],
  md: MarkdownRenderer,
): Promise<ShownBack[]> {
  const { back, texts } = new Comparison(before, chapter)
  return Promise.all(
    [...back].map(async ([file, { from, text }]): Promise<ShownBack> => {
      if (texts.own[1].get(file) !== text)
        return { file, from, was: { text, lines: await highlightLines(text.trimEnd(), file) } }
      const { explanationMarkdown, explainedIn } =
        changes.find(({ backFrom }) => backFrom === `chapters/${from}/${file}`) ?? {}
      return explanationMarkdown === undefined || explainedIn === undefined
        ? { file, from }
        : { file, from, html: inline(explanationMarkdown, explainedIn, md) }
    }),
  )
}

/** A chapter beside the one before it, with the lines of the core's modules: what its page shows. */
export async function shownComparison(
  before: Chapter,
  after: Chapter,
  md: MarkdownRenderer,
): Promise<ShownComparison> {
  const step = await shownStep(after, md)
  const shown = comparisonOf(await shownSources(before), await shownSources(after), [step], [], allChapters())
  const changes = shown.changes.map(async ({ notes, ...change }) => {
    if (!notes) return change
    const { file } = change
    const text = readFileSync(join(ROOT, file), 'utf8')
    const lines = await highlightLines(text.trimEnd(), file)
    return { ...change, hunks: moduleHunks({ file, text, lines }, notes) }
  })
  return { ...shown, changes: await Promise.all(changes) }
}

/** Words of a text as HTML, with its links made links of the site. */
function inline(markdown: string, file: string, md: MarkdownRenderer): string {
  return md.renderInline(markdown, { path: join(ROOT, file), relativePath: file })
}
