/**
 * Two chapters side by side: what git says of the difference between their own files, between their
 * tests, and of the modules that the core gained from one to the other.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'diff2html'
import { execaSync } from 'execa'
import type { Chapter } from './chapters.ts'
import { type CoreModule, coreModules } from './growth.ts'
import { ROOT, trackedFiles } from './repository.ts'

/** What is compared: the chapter's own files, the core's modules, or the chapter's tests. */
export type Part = 'own' | 'core' | 'tests'

/** A run of changed lines, without context. */
export interface Hunk {
  /** Where it is in the newer chapter, counted from the chapter's folder: `src/slave.ts`. For a removed file, where it was. */
  file: string
  /** The first line of it in the newer file; for lines that were only removed, the line that they stood before. */
  line: number
  removed: string[]
  added: string[]
}

/** A file that differs. */
export interface FileChange {
  part: Part
  status: 'added' | 'removed' | 'moved' | 'changed'
  /** Counted from the chapter's folder; from the repository's for the core. */
  file: string
  /** Where a moved file was. */
  from?: string
  addedLines: number
  removedLines: number
}

/** Files that say what stands in package.json and README rather than what changed. */
const LEFT_OUT = /(^|\/)(README\.md|CHANGELOG\.md|pnpm-lock\.yaml)$/

/** How alike two files must be to count as one that moved. Low, because these programs are short and change much. */
const MOVED = '--find-renames=10%'

/** Two chapters, copied to a folder of their own for git to compare. Call `dispose` when done. */
export class Comparison {
  readonly before: Chapter
  readonly after: Chapter
  /** The modules that the core gained in between, oldest first. Empty when going backwards. */
  readonly newModules: readonly CoreModule[]
  /** The modules that the core does not have yet in the second chapter. Empty when going forwards. */
  readonly lostModules: readonly CoreModule[]
  readonly #folder = mkdtempSync(join(tmpdir(), 'compare-'))

  /** @param all compare READMEs, and the lines of package.json that only name the chapter, too */
  constructor(before: Chapter, after: Chapter, { all = false } = {}) {
    this.before = before
    this.after = after
    const between = (from: Chapter, to: Chapter) =>
      coreModules(ROOT).filter(({ bornIn }) => from.number < bornIn && bornIn <= to.number)
    this.newModules = between(before, after)
    this.lostModules = between(after, before)
    this.#copy(before, all)
    this.#copy(after, all)
    for (const { name } of this.newModules) {
      this.#write(
        `core/${after.name}/packages/core/src/${name}.ts`,
        readFileSync(join(ROOT, 'packages/core/src', `${name}.ts`), 'utf8'),
      )
    }
    mkdirSync(join(this.#folder, 'core', before.name), { recursive: true })
    mkdirSync(join(this.#folder, 'core', after.name), { recursive: true })
  }

  /**
   * Runs `git diff` on one part, and returns what it prints.
   *
   * @param color in the reader's colours
   * @param externalTools let the diff tool that the reader has set up for git do it, if there is one
   */
  git(part: Part, options: readonly string[] = [], { color = false, externalTools = false } = {}): string {
    const { stdout, stderr, exitCode } = execaSync(
      'git',
      [
        'diff',
        '--no-index',
        MOVED,
        color ? '--color=always' : '--no-color',
        externalTools ? '--ext-diff' : '--no-ext-diff',
        '--src-prefix=',
        '--dst-prefix=',
        ...options,
        '--',
        this.before.name,
        this.after.name,
      ],
      { cwd: join(this.#folder, part), reject: false, stripFinalNewline: false, env: { GIT_PAGER: 'cat' } },
    )
    if (exitCode !== 0 && exitCode !== 1) throw new Error(`git diff failed: ${stderr}`)
    return stdout
  }

  /** Every file that differs, part by part: the chapter's own, the core's, the tests. */
  files(): FileChange[] {
    return (['own', 'core', 'tests'] as const).flatMap((part) =>
      parse(this.git(part)).map((diff): FileChange => {
        const file = this.#relative(diff.isDeleted ? diff.oldName : diff.newName)
        const status = diff.isNew ? 'added' : diff.isDeleted ? 'removed' : diff.isRename ? 'moved' : 'changed'
        const change = {
          part,
          status,
          file,
          addedLines: diff.addedLines,
          removedLines: diff.deletedLines,
        } as const
        return status === 'moved' ? { ...change, from: this.#relative(diff.oldName) } : change
      }),
    )
  }

  /** Every run of changed lines in one part. */
  hunks(part: Part): Hunk[] {
    return parse(this.git(part, ['-U0'])).flatMap((diff) =>
      diff.blocks.map(({ newStartLine, lines }) => {
        const code = (wanted: 'delete' | 'insert') =>
          lines.filter(({ type }) => type === wanted).map(({ content }) => content.slice(1))
        const added = code('insert')
        return {
          file: this.#relative(diff.isDeleted ? diff.oldName : diff.newName),
          // Where nothing was added, git gives the line above.
          line: added.length > 0 ? newStartLine : newStartLine + 1,
          removed: code('delete'),
          added,
        }
      }),
    )
  }

  /** Deletes the copies. */
  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** `03-sockets/src/slave.ts` to `src/slave.ts`. */
  #relative(path: string): string {
    return path.split('/').slice(1).join('/')
  }

  #copy(chapter: Chapter, all: boolean): void {
    for (const part of ['own', 'tests'])
      mkdirSync(join(this.#folder, part, chapter.name), { recursive: true })
    for (const file of trackedFiles(chapter.folder)) {
      if (!all && LEFT_OUT.test(file)) continue
      const text = readFileSync(join(chapter.folder, file), 'utf8')
      const part: Part = file.startsWith('test/') ? 'tests' : 'own'
      this.#write(
        `${part}/${chapter.name}/${file}`,
        !all && file === 'package.json' ? withNameOf(this.after, text, chapter) : text,
      )
    }
  }

  #write(path: string, text: string): void {
    mkdirSync(dirname(join(this.#folder, path)), { recursive: true })
    writeFileSync(join(this.#folder, path), text)
  }
}

/** A chapter's package.json as it would be with the name of another, and without the lines that only describe it. */
function withNameOf(other: Chapter, text: string, { name }: Chapter): string {
  return text.replaceAll(name, other.name).replace(/^ {2}"(description|homepage|version)": .*\n/gm, '')
}
