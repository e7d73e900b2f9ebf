/** The difference between two chapters as the site shows it: git's hunks with colours, and what the READMEs say of each change. */
import { join } from 'node:path'
import type { Chapter } from '@rpi-cluster/tutorial/chapters'
import { type Difference, difference } from '@rpi-cluster/tutorial/diff'
import { ROOT } from '@rpi-cluster/tutorial/repository'
import { parse } from 'diff2html'
import type { DiffBlock, DiffFile, DiffLine } from 'diff2html/lib/types.js'
import type { MarkdownRenderer } from 'vitepress'
import { highlightLines } from './highlight.ts'
import type { ShownChange, ShownComparison, ShownHunk, ShownLine } from './shown.ts'

const PARTS = ['own', 'core', 'tests'] as const

/** Compares two chapters for the site. */
export async function shownComparison(
  before: Chapter,
  after: Chapter,
  md: MarkdownRenderer,
): Promise<ShownComparison> {
  const found = difference(before, after)
  const changes: ShownChange[] = []
  for (const part of PARTS) {
    for (const diff of parse(found.diffs[part])) {
      const file = inChapter(diff.isDeleted ? diff.oldName : diff.newName)
      const change = found.files.find((other) => other.part === part && other.file === file)
      if (!change)
        throw new Error(`${before.name} to ${after.name}: git names ${file}, the list of files does not`)
      const hunks = await Promise.all(diff.blocks.map((block) => shownHunk(block, diff, found, md)))
      changes.push({ ...change, hunks })
    }
  }
  return {
    changes,
    growth: found.growth.map(({ name, bornIn, doc, publicNames }) => ({
      name,
      bornIn,
      html: inline(doc, `packages/core/src/${name}.ts`, md),
      publicNames: publicNames.map(({ name, firstUsedBy }) => ({
        name,
        ...(firstUsedBy && { firstUsedBy }),
      })),
    })),
    lost: found.lost,
  }
}

async function shownHunk(
  block: DiffBlock,
  diff: DiffFile,
  { after, changes }: Difference,
  md: MarkdownRenderer,
): Promise<ShownHunk> {
  const path = inChapter(diff.isDeleted ? diff.oldName : diff.newName)
  const file = path.startsWith('packages/') ? path : `chapters/${after}/${path}`
  const code = (line: DiffLine) => line.content.slice(1)
  const side = (left: 'insert' | 'delete') =>
    highlightLines(
      block.lines
        .filter(({ type }) => type !== left)
        .map(code)
        .join('\n'),
      path,
    )
  const [older, newer] = [await side('insert'), await side('delete')]

  const items: ShownHunk['items'] = []
  const told = new Set<string>()
  let line = block.newStartLine
  // The rows of a run of changed lines: the removed ones stand beside the added ones.
  let row = 1
  let [removed, added] = [0, 0]
  const endRun = () => {
    row += Math.max(removed, added)
    removed = added = 0
  }
  for (const { type, oldNumber, newNumber } of block.lines) {
    if (type === 'context') {
      endRun()
      older.shift()
      items.push(lineOf('kept', newer.shift(), row, oldNumber, newNumber))
      row += 1
      line += 1
      continue
    }
    for (const { explanationMarkdown = '', explainedIn = '' } of changes.filter(
      (change) => change.file === file && change.line === line && change.explanationMarkdown,
    )) {
      if (told.has(explanationMarkdown)) continue
      told.add(explanationMarkdown)
      endRun()
      items.push({ kind: 'note', html: inline(explanationMarkdown, explainedIn, md), row })
      row += 1
    }
    if (type === 'delete') {
      items.push(lineOf('removed', older.shift(), row + removed, oldNumber, undefined))
      removed += 1
    } else {
      items.push(lineOf('added', newer.shift(), row + added, undefined, newNumber))
      added += 1
      line += 1
    }
  }
  return { line: block.newStartLine, items }
}

function lineOf(
  kind: ShownLine['kind'],
  html: string | undefined,
  row: number,
  before: number | undefined,
  after: number | undefined,
): ShownLine {
  return {
    kind,
    html: html ?? '',
    row,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  }
}

/** Words of a text as HTML, with its links made links of the site. */
function inline(markdown: string, file: string, md: MarkdownRenderer): string {
  return md.renderInline(markdown, { path: join(ROOT, file), relativePath: file })
}

/** `03-sockets/src/slave.ts` to `src/slave.ts`. */
function inChapter(path: string): string {
  return path.split('/').slice(1).join('/')
}
