/**
 * `pnpm practice NN --hint`: what to do next, in three steps. First what it is for, in the words of the chapter's
 * README; then how it is done, with the names to use and where these are documented; then the lines.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { declaringModule } from '../texts/core-names.ts'
import { importedNames, symbolsOf } from '../texts/source.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import type { PracticeFolder } from './folder.ts'
import { type Missing, missingChanges } from './missing-changes.ts'
import { mistakesIn } from './mistakes.ts'
import { stepAfter } from './next-step.ts'
import { checkPromises, lastCheck } from './promises.ts'

/** What comes after what was shown of a change. */
const NEXT = { explained: 'prepared', prepared: 'shown' } as const

/**
 * Shows the next step of the next missing change. After its lines it goes on to the change after, since a reader may
 * have solved it in another way; and when all promises are kept, nothing is missing, however it was done.
 *
 * @returns the exit code
 */
export async function hint(folder: PracticeFolder): Promise<number> {
  const mistakes = mistakesIn(folder)
  for (const mistake of mistakes) console.log(`${mistake}\n`)
  const known = mistakes.length > 0 ? undefined : await promisesOf(folder)
  const missing = missingChanges(folder)
  if (known && known.kept === known.promises) {
    console.log(nothingLeft(folder, known.promises, missing.length))
    return 0
  }
  if (missing.length === 0) {
    console.log(nothingMissing(folder, known))
    return 0
  }

  const { memory } = folder
  if (missing.every(({ key }) => memory.hints[key] === 'shown')) memory.hints = {}
  const next = missing.find(({ key }) => memory.hints[key] !== 'shown') as Missing
  const before = memory.hints[next.key]
  const shown = before === undefined || before === 'shown' ? 'explained' : NEXT[before]
  // What one sentence explains is one step, such as all import lines of a file.
  const topic = ({ change, explanation }: Missing) => explanation.join('\n') || change.symbol
  const step = missing.filter(
    (other) => other.file === next.file && topic(other) === topic(next) && memory.hints[other.key] === before,
  )
  for (const { key } of step) memory.hints[key] = shown
  folder.memory = memory
  const kept = known && `${known.kept} of ${known.promises} promises kept, `
  const toGo = `${missing.length} ${missing.length === 1 ? 'change' : 'changes'} to go`
  const texts = {
    explained: () => theExplanation(step, `${folder.name}: ${kept ?? ''}${toGo}.`, folder),
    prepared: () => theMeans(step, folder),
    shown: () => theLines(step, folder),
  }
  console.log(texts[shown]())
  return 0
}

/** Which promises are kept, tried anew where the files are not those of the last check. Nothing where that says nothing. */
async function promisesOf(folder: PracticeFolder): Promise<{ kept: number; promises: number } | undefined> {
  const known = lastCheck(folder)
  if (known) return known
  if (folder.memory.made === folder.fingerprint()) return undefined // nothing was changed yet
  try {
    const results = await checkPromises(folder)
    return { kept: results.filter(({ isKept }) => isKept).length, promises: results.length }
  } catch (error) {
    if (!(error instanceof ReaderError)) throw error
    console.log(`${error.message}\n`)
    return undefined
  }
}

function nothingLeft(folder: PracticeFolder, promises: number, missing: number): string {
  const { name, chapter } = folder
  return [
    `${name}: all ${promises} promises kept, so nothing is left to do.`,
    ...(missing > 0
      ? [
          `It is not ${chapter.name} to the letter, and need not be. pnpm where ${name} shows where they differ.`,
        ]
      : []),
    '',
    stepAfter(folder),
  ].join('\n')
}

function nothingMissing(
  { name, chapter }: PracticeFolder,
  known: { kept: number; promises: number } | undefined,
): string {
  const has = `${name} has every change of ${chapter.name}`
  if (!known) return `${has}. pnpm practice ${chapter.number} --check says whether its promises are kept.`
  return [
    `${has}, and keeps ${known.kept} of ${known.promises} promises.`,
    `What it has beyond the chapter is in their way: pnpm where ${name} shows it, and pnpm test in ${name} what was expected.`,
  ].join('\n')
}

function theExplanation(step: readonly Missing[], state: string, folder: PracticeFolder): string {
  const { chapter } = folder
  const { file, from, explanation } = step[0] as Missing
  const said =
    explanation.length > 0 ? explanation : [`chapters/${chapter.name}/README.md says nothing of it.`]
  const isNew = folder.read(file) === undefined
  const symbols = [...new Set(step.flatMap(({ change }) => change.symbol ?? []))].join(', ')
  return [
    `${state} Next: ${file}${symbols && `, at ${symbols}`}`,
    ...(isNew && from !== undefined ? [`(${from} becomes ${file}: rename it)`] : []),
    ...(isNew && from === undefined ? ['(a new file)'] : []),
    '',
    ...said.flatMap((paragraph) => [`  ${paragraph.replace(/\s+/g, ' ')}`, '']),
    `How it is done: pnpm practice ${chapter.number} --hint`,
  ].join('\n')
}

/** Which names the lines use, where each is documented, and how much changes where. */
function theMeans(step: readonly Missing[], { chapter }: PracticeFolder): string {
  const { file } = step[0] as Missing
  const names = file.endsWith('.ts') ? meansIn(step, join(chapter.folder, file)) : []
  const places = step.map(({ change: { line, removed, added } }) => {
    const counts = [
      ...(removed.length > 0 ? [`${lines(removed)} go`] : []),
      ...(added.length > 0 ? [`${lines(added)} come`] : []),
    ]
    return `  near line ${line}: ${counts.join(', ').replace(/\b1 line (go|come)\b/g, '1 line $1s')}`
  })
  return [
    `How, in ${file}:`,
    '',
    ...places,
    '',
    ...names.flatMap((rows) => [...rows.map((row) => `  ${row}`), '']),
    `The lines themselves: pnpm practice ${chapter.number} --hint`,
  ].join('\n')
}

/** What of its imports the lines of a step use: for each the rows that tell of it. */
function meansIn(step: readonly Missing[], path: string): string[][] {
  const words = new Set(step.flatMap(({ change }) => change.added.join('\n').match(/[\w$]+/g) ?? []))
  return [...importedNames(readFileSync(path, 'utf8'))].flatMap(([specifier, imported]) => {
    const used = [...imported].filter((name) => words.has(name))
    const documented = used.map((name) => [`${name}, from ${specifier}`, ...documentationOf(name, specifier)])
    if (documented.some((rows) => rows.length > 1)) return documented
    return used.length > 0 ? [[`${used.join(', ')}, from ${specifier}`]] : []
  })
}

/** The first sentence of a doc comment of the core, and where it stands. */
function documentationOf(name: string, specifier: string): string[] {
  const module = /^@rpi-cluster\/core\/(.+)$/.exec(specifier)?.[1]
  if (module === undefined) return []
  const file = `packages/core/src/${declaringModule(module, name)}.ts`
  const text = readFileSync(join(ROOT, file), 'utf8')
  const symbol = symbolsOf(text).find((other) => other.name === name)
  if (!symbol) return []
  const [sentence] = new Intl.Segmenter('en', { granularity: 'sentence' }).segment(symbol.doc)
  return [
    ...(sentence ? [`  ${sentence.segment.replace(/\s+/g, ' ').trim()}`] : []),
    `  All of it: ${file}:${symbol.first}`,
  ]
}

function lines({ length }: readonly string[]): string {
  return `${length} ${length === 1 ? 'line' : 'lines'}`
}

function theLines(step: readonly Missing[], { chapter }: PracticeFolder): string {
  const { file } = step[0] as Missing
  return [
    ...step.flatMap(({ change: { line, removed, added } }) => [
      `${file}, near line ${line}:`,
      '',
      ...removed.map((text) => `  - ${text}`.trimEnd()),
      ...added.map((text) => `  + ${text}`.trimEnd()),
      '',
    ]),
    `The whole file: pnpm practice ${chapter.number} --solution ${file}`,
  ].join('\n')
}
