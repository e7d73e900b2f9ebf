/**
 * Two chapters side by side, as texts: the difference between their own files, between their tests, and the modules
 * that the core gained from one to the other. Nothing here knows of Node, so that the site's page compares any two
 * chapters in the browser, and shows what `pnpm diff` does.
 */
import type { MarkedLine } from '../texts/pieces.ts'
import { diffFiles, type FileDiff, nameOf, sizeOf, type Texts } from './file-diff.ts'

/** What is compared: the chapter's own files, the core's modules, or the chapter's tests. */
export type Part = 'own' | 'core' | 'tests'

/** All of it, in the order in which it is shown. */
export const ALL_PARTS: readonly Part[] = ['own', 'core', 'tests']

/** A run of changed lines, without context. */
export interface Hunk {
  /** Where it is in the newer chapter, counted from the chapter's folder: `src/main.ts`. For a removed file, where it was. */
  file: string
  /** The first line of it in the newer file; for lines that were only removed, the line that they stood before. */
  line: number
  removed: string[]
  added: string[]
}

/** A file that differs. */
export interface FileChange {
  part: Part
  /** `back`: it is as an earlier chapter has it, and the one before has none. */
  status: 'added' | 'removed' | 'moved' | 'changed' | 'back'
  /** Counted from the chapter's folder; from the repository's for the core. */
  file: string
  /** Where a moved file was. */
  from?: string
  /** The earlier chapter that a file is back from, whether it has changed since or not: `02-packaging`. */
  backFrom?: string
  addedLines: number
  removedLines: number
}

/** A file that is back: not in the chapter before, and in an earlier one. */
export interface Back {
  /** The name of the latest that has it. */
  from: string
  /** What it is there. */
  text: string
}

/** What is to be known of a chapter that is compared. */
export interface ComparedChapter {
  /** `3` */
  number: number
  /** `03-sockets` */
  name: string
}

/** A chapter with the texts of its files, by their paths in its folder. */
interface WithTexts<Chapter> {
  chapter: Chapter
  texts: Texts
}

/** How alike two files must be to count as one that moved. Low, because these programs are short and change much. */
const MOVED = 0.1

/** What tries the programs, and is none of them. */
const TRIES = /^(test|scenarios)\//

/** Two chapters, compared. */
export class Compared<Chapter extends ComparedChapter = ComparedChapter> {
  readonly before: Chapter
  readonly after: Chapter
  /** What is compared: for each part the texts of either side. */
  readonly texts: Readonly<Record<Part, [before: Texts, after: Texts]>>
  /** The files that are back, by their paths. They are compared with what they were, as if the chapter before had them. */
  readonly back: ReadonlyMap<string, Back>
  readonly #diffs = new Map<Part, FileDiff[]>()
  readonly #renamed: ReadonlyMap<string, string>

  /**
   * @param core the modules that the core gained in between, by their paths in the repository
   * @param options `all`: compare the lines of package.json that only name the chapter, too; `renamed`: which files
   *   had another name, as {@link renamedFiles} tells; `back`: which files are back
   */
  constructor(
    older: WithTexts<Chapter>,
    newer: WithTexts<Chapter>,
    core: Texts,
    {
      all = false,
      renamed = new Map(),
      back = new Map(),
    }: {
      all?: boolean
      renamed?: ReadonlyMap<string, string>
      back?: ReadonlyMap<string, Back>
    } = {},
  ) {
    this.before = older.chapter
    this.after = newer.chapter
    this.#renamed = renamed
    this.back = back
    const [known, after] = [older, newer].map(({ chapter, texts }) =>
      all ? texts : withName(newer.chapter.name, texts, chapter.name),
    ) as [Texts, Texts]
    const before = new Map([...known, ...[...back].map(([file, { text }]) => [file, text] as const)])
    this.texts = {
      own: [without(TRIES, before), without(TRIES, after)],
      core: [new Map(), core],
      tests: [only(TRIES, before), only(TRIES, after)],
    }
  }

  /** Every file of one part that differs. */
  diffs(part: Part): readonly FileDiff[] {
    const known = this.#diffs.get(part)
    if (known) return known
    const diffs = diffFiles(...this.texts[part], { moved: MOVED, renamed: this.#renamed }).map((diff) => {
      const backFrom = this.back.get(nameOf(diff))?.from
      return backFrom === undefined ? diff : { ...diff, backFrom }
    })
    this.#diffs.set(part, diffs)
    return diffs
  }

  /** Every file that differs, part by part: the chapter's own, the core's, the tests. Of the own, what is back comes last. */
  files(parts = ALL_PARTS): FileChange[] {
    return parts.flatMap((part) => [
      ...this.diffs(part).map((diff) => changeOf(diff, part)),
      ...(part === 'own' ? this.backUnchanged() : []),
    ])
  }

  /** The files that are back as they were. */
  backUnchanged(): FileChange[] {
    return [...this.back]
      .filter(([file, { text }]) => this.texts.own[1].get(file) === text)
      .map(([file, { from }]) => ({
        part: 'own',
        status: 'back',
        file,
        backFrom: from,
        addedLines: 0,
        removedLines: 0,
      }))
  }

  /** Every run of changed lines in one part. */
  hunks(part: Part): Hunk[] {
    return this.diffs(part).flatMap((diff) =>
      diff.runs.map(({ beforeStart, beforeEnd, afterStart, afterEnd }) => ({
        file: nameOf(diff),
        line: afterStart + 1,
        removed: (diff.before?.lines ?? []).slice(beforeStart, beforeEnd).map(withoutEnd),
        added: (diff.after?.lines ?? []).slice(afterStart, afterEnd).map(withoutEnd),
      })),
    )
  }

  /** All lines of a changed file of the chapter's own, those that are gone included; nothing when it is the same in both. */
  marked(file: string): MarkedLine[] | undefined {
    const diff = this.diffs('own').find(({ after }) => after?.file === file)
    if (!diff || diff.runs.length === 0) return undefined
    const [older, newer] = [diff.before?.lines ?? [], diff.after?.lines ?? []]
    const marked: MarkedLine[] = []
    const put = (mark: MarkedLine['mark'], lines: readonly string[], first: number) => {
      for (const [index, text] of lines.entries())
        marked.push({ mark, text: withoutEnd(text), line: mark === '-' ? first : first + index })
    }
    let next = 0
    for (const { beforeStart, beforeEnd, afterStart, afterEnd } of diff.runs) {
      put(' ', newer.slice(next, afterStart), next + 1)
      put('-', older.slice(beforeStart, beforeEnd), afterStart + 1)
      put('+', newer.slice(afterStart, afterEnd), afterStart + 1)
      next = afterEnd
    }
    put(' ', newer.slice(next), next + 1)
    return marked
  }
}

/** The modules that came after one chapter and not after the other: none when going backwards. */
export function modulesBetween<Module extends { bornIn: number }>(
  modules: readonly Module[],
  from: ComparedChapter,
  to: ComparedChapter,
): Module[] {
  return modules.filter(({ bornIn }) => from.number < bornIn && bornIn <= to.number)
}

/** A package.json without the lines that describe its chapter, and say nothing of what changed. */
export function withoutDescription(text: string): string {
  return text
    .replace(/^ {2}"(description|homepage|version)": .*\n/gm, '')
    .replace(/^ {2}"cluster": \{\n[\s\S]*?^ {2}\},?\n/m, '')
}

/** A file that differs, without its lines. */
export function changeOf(diff: FileDiff, part: Part): FileChange {
  const { added, removed } = sizeOf(diff)
  const change = {
    part,
    status: diff.status,
    file: nameOf(diff),
    addedLines: added,
    removedLines: removed,
    ...(diff.backFrom !== undefined && { backFrom: diff.backFrom }),
  } as const
  return diff.status === 'moved' && diff.before ? { ...change, from: diff.before.file } : change
}

/** A chapter's files with its package.json as it would be with the name of another. */
function withName(other: string, texts: Texts, name: string): Texts {
  const text = texts.get('package.json')
  return text === undefined
    ? texts
    : new Map([...texts, ['package.json', withoutDescription(text).replaceAll(name, other)]])
}

function only(names: RegExp, texts: Texts): Texts {
  return new Map([...texts].filter(([file]) => names.test(file)))
}

function without(names: RegExp, texts: Texts): Texts {
  return new Map([...texts].filter(([file]) => !names.test(file)))
}

/** A line without its line feed. */
function withoutEnd(line: string): string {
  return line.endsWith('\n') ? line.slice(0, -1) : line
}
