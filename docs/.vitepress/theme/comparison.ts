/**
 * Compares two chapters for a page, with the functions of `pnpm diff`. Each chapter has one file of what it is and one
 * of what it brought, so that the site grows with the chapters, and not with their pairs. Runs in the browser, and
 * where the pages are built.
 */
import { type NamedPrograms, renamedFiles } from '@rpi-cluster/tutorial/chapters/former-names'
import { besideTheirUse, firstUserOf, placedIn } from '@rpi-cluster/tutorial/compare/between'
import { Compared, changeOf } from '@rpi-cluster/tutorial/compare/compared'
import { type FileDiff, nameOf } from '@rpi-cluster/tutorial/compare/file-diff'
import { type HunkLines, hunksIn } from '@rpi-cluster/tutorial/compare/hunks'
import type {
  ShownChange,
  ShownComparison,
  ShownExplanation,
  ShownFile,
  ShownHunk,
  ShownLine,
  ShownSources,
  ShownStep,
} from '../../src/shown.ts'

/**
 * The difference between two chapters. The core's modules are listed without their lines, which `moduleHunks` makes
 * of their sources.
 *
 * @param steps what each chapter after the first brought, up to the second; none when going backwards
 * @param lost names of modules that the core does not have yet in the second
 * @param chapters all of them, which say what their programs were called before
 */
export function comparisonOf(
  before: ShownSources,
  after: ShownSources,
  steps: readonly ShownStep[],
  lost: readonly string[],
  chapters: readonly (NamedPrograms & { name: string })[],
): ShownComparison {
  const renamedBetween = (older: string, newer: string) => {
    const [one, other] = [older, newer].map((name) => chapters.find((chapter) => chapter.name === name))
    return one && other ? renamedFiles(one, other, chapters) : new Map<string, string>()
  }
  const withTexts = (chapter: ShownSources) => ({
    chapter,
    texts: new Map(chapter.files.map(({ file, text }) => [file, text])),
  })
  // Only of neighbours is anything back: further apart, what lies between is left out.
  const backSince = steps.length === 1 ? (steps[0]?.back ?? []) : []
  const back = new Map(backSince.map((one) => [one.file, one]))
  const textNow = (file: string) => after.files.find((one) => one.file === file)?.text ?? ''
  const compared = new Compared(withTexts(before), withTexts(after), new Map(), {
    renamed: renamedBetween(before.name, after.name),
    back: new Map(backSince.map(({ file, from, was }) => [file, { from, text: was?.text ?? textNow(file) }])),
  })
  const said = besideTheirUse(
    steps.flatMap((step) => {
      const names = renamedBetween(after.name, step.name)
      return step.explanations.flatMap((one) =>
        placedIn(after.name, compared.texts.own[1], one, step.name, names),
      )
    }),
    ({ html }) => html,
  )
  const lines = (sources: ShownSources, file: string | undefined) =>
    sources.files
      .find((one) => one.file === file)
      // As in the texts: a package.json with the name of the other chapter would differ in that alone.
      ?.lines.map((line) => (file === 'package.json' ? line.replaceAll(sources.name, after.name) : line)) ??
    []
  const changesIn = (part: 'own' | 'tests') =>
    compared.diffs(part).map((diff: FileDiff): ShownChange => {
      const notes = said.filter(({ file }) => file === `chapters/${after.name}/${nameOf(diff)}`)
      const was = back.get(nameOf(diff))?.was?.lines ?? lines(before, diff.before?.file)
      const sides = [was, lines(after, diff.after?.file)] as const
      return { ...changeOf(diff, part), hunks: hunksIn(diff).map((hunk) => shownHunk(hunk, ...sides, notes)) }
    })
  const unchanged = compared.backUnchanged().map((change): ShownChange => {
    const said = back.get(change.file)?.html
    return { ...change, hunks: [], ...(said !== undefined && { said }) }
  })
  const modules = steps.flatMap(({ modules }) => modules)
  const users = after.users.map(({ file, imports }) => ({
    file,
    imports: new Map(imports.map(([module, names]) => [module, new Set(names)])),
  }))
  return {
    changes: [
      ...changesIn('own'),
      ...unchanged,
      ...modules
        .map(({ name, lines }): ShownChange => {
          const file = `packages/core/src/${name}.ts`
          const notes = said.filter((one) => one.file === file)
          return { part: 'core', status: 'added', file, addedLines: lines, removedLines: 0, hunks: [], notes }
        })
        .sort((a, b) => (a.file < b.file ? -1 : 1)),
      ...changesIn('tests'),
    ],
    growth: modules.map(({ name, bornIn, html, publicNames }) => ({
      name,
      bornIn,
      html,
      publicNames: publicNames.map((symbol) => {
        const firstUsedBy = firstUserOf(name, symbol, users)
        return { name: symbol, ...(firstUsedBy !== undefined && { firstUsedBy }) }
      }),
    })),
    lost: [...lost],
  }
}

/** What became of a file, in a few words. */
export function statusOf({ status, backFrom }: Pick<ShownChange, 'status' | 'backFrom'>): string {
  if (backFrom === undefined) return status
  return `back from ${backFrom}, ${status === 'back' ? 'unchanged' : 'changed since'}`
}

/** The lines of a module that the core gained, with what is said of them. */
export function moduleHunks({ lines }: ShownFile, notes: readonly ShownExplanation[]): ShownHunk[] {
  const all = { beforeStart: 0, beforeEnd: 0, afterStart: 0, afterEnd: lines.length }
  return [shownHunk({ ...all, runs: [all] }, [], lines, notes)]
}

/** A hunk line by line: each with its row, which it shares with the one beside it, and below what is said of it. */
function shownHunk(
  { beforeStart, afterStart, afterEnd, runs }: HunkLines,
  older: readonly string[],
  newer: readonly string[],
  notes: readonly ShownExplanation[],
): ShownHunk {
  const items: ShownHunk['items'] = []
  const told = new Set<string>()
  let [before, after, row] = [beforeStart, afterStart, 1]
  const put = (kind: ShownLine['kind'], html: string | undefined, row: number, numbers: Numbers) =>
    items.push({ kind, html: html ?? '', row, ...numbers })
  for (const run of [...runs, undefined]) {
    for (; after < (run?.afterStart ?? afterEnd); before += 1, after += 1, row += 1)
      put('kept', newer[after], row, { before: before + 1, after: after + 1 })
    if (!run) break

    // The removed lines of a run stand beside the added ones.
    let [removed, added] = [0, 0]
    const explain = () => {
      for (const { html } of notes.filter(({ line }) => line === after + 1)) {
        if (told.has(html)) continue
        told.add(html)
        row += Math.max(removed, added)
        removed = added = 0
        items.push({ kind: 'note', html, row })
        row += 1
      }
    }
    for (; before < run.beforeEnd; before += 1, removed += 1) {
      explain()
      put('removed', older[before], row + removed, { before: before + 1 })
    }
    for (; after < run.afterEnd; after += 1, added += 1) {
      explain()
      put('added', newer[after], row + added, { after: after + 1 })
    }
    row += Math.max(removed, added)
  }
  return { line: afterStart + 1, items }
}

type Numbers = Pick<ShownLine, 'before' | 'after'>
