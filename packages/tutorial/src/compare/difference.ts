/** The difference between two chapters as data: what the site shows, `--json` prints, and `pnpm diff` makes readable. */
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { renamedFiles } from '../chapters/former-names.ts'
import { namesFromCore } from '../texts/core-names.ts'
import { openingComment, symbolsOf } from '../texts/source.ts'
import { firstUserOf, type Importing, placedIn } from './between.ts'
import { ALL_PARTS, Comparison, type FileChange, type Part } from './comparison.ts'
import { type Change, explainedChanges } from './explanations.ts'
import type { Texts } from './file-diff.ts'

/** A module that the core gained between two chapters. */
interface Growth {
  /** `json-lines` */
  name: string
  /** The chapter that brought it. */
  bornIn: number
  /** What it is for: its opening comment. */
  doc: string
  publicNames: { name: string; doc: string; firstUsedBy?: string }[]
}

/** All that is known of the difference between two chapters. The site and `--json` show it as it is. */
export interface Difference {
  before: string
  after: string
  files: FileChange[]
  growth: Growth[]
  /** Names of modules that the second chapter does not have yet. */
  lost: string[]
  /** Each change with its explanation, where the README of its chapter has one. */
  changes: Change[]
  /** Unified diffs as git writes them, whole. */
  diffs: Record<Part, string>
}

/** All that `--json` prints, for the site. */
export function difference(before: Chapter, after: Chapter): Difference {
  return differenceOf(new Comparison(before, after))
}

/** Everything about the difference, as data; or about some parts of it: there is nothing of the others then. */
export function differenceOf(comparison: Comparison, parts: readonly Part[] = ALL_PARTS): Difference {
  const { before, after } = comparison
  const diffOf = (part: Part) => (parts.includes(part) ? comparison.unified(part) : '')
  return {
    before: before.name,
    after: after.name,
    files: comparison.files(parts),
    growth: parts.includes('core') ? growthOf(comparison) : [],
    lost: comparison.lostModules.map(({ name }) => name),
    changes: explanationsFor(comparison).filter(({ file }) => parts.includes(partOfFile(file))),
    diffs: { own: diffOf('own'), core: diffOf('core'), tests: diffOf('tests') },
  }
}

/** The modules that came in between, with their names, and who uses each first. */
export function growthOf({ newModules, after, texts }: Comparison): Growth[] {
  const sources = importsFromCore(after, texts.own[1])
  return newModules.map(({ name, bornIn }) => {
    const text = texts.core[1].get(`packages/core/src/${name}.ts`) ?? ''
    const publicNames = symbolsOf(text).filter((symbol) => symbol.isPublic && !symbol.name.includes('.'))
    return {
      name,
      bornIn,
      doc: openingComment(text),
      publicNames: publicNames.map((symbol) => {
        const firstUsedBy = firstUserOf(name, symbol.name, sources)
        return { name: symbol.name, doc: symbol.doc, ...(firstUsedBy !== undefined && { firstUsedBy }) }
      }),
    }
  })
}

/** What the sources of a chapter import of the core, its programs first. */
export function importsFromCore(chapter: Chapter, own: Texts): Importing[] {
  return [...own]
    .filter(([file]) => file.startsWith('src/'))
    .sort(([a], [b]) => Number(isProgram(b, chapter)) - Number(isProgram(a, chapter)))
    .map(([file, text]) => ({ file, imports: namesFromCore(text) }))
}

function partOfFile(file: string): Part {
  if (file.startsWith('packages/')) return 'core'
  return /^chapters\/[^/]+\/test\//.test(file) ? 'tests' : 'own'
}

function isProgram(file: string, { programs }: Chapter): boolean {
  return programs.some(({ name }) => file === `src/${name}.ts`)
}

/** The explanations of every chapter from the first to the second; going backwards, there are none. */
export function explanationsFor(comparison: Comparison): Change[] {
  const { before, after } = comparison
  const chapters = allChapters().filter(({ number }) => before.number <= number && number <= after.number)
  return chapters.slice(1).flatMap((chapter, index) => {
    const names = renamedFiles(after, chapter, chapters)
    // What came and went in between is in neither; what is back since is in both, if the first is old enough.
    const isKnown = ({ file, goneFrom, backFrom }: Change) => {
      const path = file.replace(/^chapters\/[^/]+\//, '')
      if (backFrom !== undefined) return comparison.back.has(path)
      return goneFrom === undefined || comparison.texts.own[0].has(path)
    }
    const changes = explainedChanges(chapters[index] as Chapter, chapter).filter(isKnown)
    return changes.flatMap((change) =>
      placedIn(after.name, comparison.texts.own[1], change, chapter.name, names),
    )
  })
}
