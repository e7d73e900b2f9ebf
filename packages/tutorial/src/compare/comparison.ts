/** Two chapters side by side, as they stand in the repository now. */
import { filesBack } from '../chapters/back.ts'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { renamedFiles } from '../chapters/former-names.ts'
import { type CoreModule, coreModules } from '../chapters/growth.ts'
import { readFiles } from '../workspace/files.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'
import { type Back, Compared, modulesBetween, type Part } from './compared.ts'
import { type UnifiedOptions, unifiedDiff } from './unified-diff.ts'

export { ALL_PARTS, type FileChange, type Hunk, type Part } from './compared.ts'

/** Files that say, or show, what stands in package.json and README rather than what changed. */
const LEFT_OUT =
  /(^|\/)(README\.md|CHANGELOG\.md|pnpm-lock\.yaml|picture\.yaml)$|^[^/]+\.(?:svg|schema\.json)$/

/** Two chapters of the repository, compared. */
export class Comparison extends Compared<Chapter> {
  /** The modules that the core gained in between, oldest first. Empty when going backwards. */
  readonly newModules: readonly CoreModule[]
  /** The modules that the core does not have yet in the second chapter. Empty when going forwards. */
  readonly lostModules: readonly CoreModule[]
  /** Which files had another name in the first chapter: what it was, by what it is. */
  readonly renamed: ReadonlyMap<string, string>
  /** A line for each file that is left out because it cannot be read. */
  readonly unreadable: readonly string[]

  /**
   * @param options `all`: compare READMEs, and the lines of package.json that only name the chapter, too; `chapters`: all
   *   that there are
   */
  constructor(
    before: Chapter,
    after: Chapter,
    { all = false, chapters = allChapters() }: { all?: boolean; chapters?: readonly Chapter[] } = {},
  ) {
    const modules = coreModules(ROOT)
    const newModules = modulesBetween(modules, before, after)
    const [older, newer] = [
      readFiles(before.folder, comparedFiles(before, all)),
      readFiles(after.folder, comparedFiles(after, all)),
    ]
    const core = readFiles(
      ROOT,
      newModules.map(({ name }) => `packages/core/src/${name}.ts`),
    )
    const renamed = renamedFiles(before, after, chapters)
    const homes = [...filesBack(before, after, chapters)].map(([file, home]) => ({
      file,
      home,
      ...readFiles(home.folder, [file]),
    }))
    const back = homes.flatMap(({ file, home, texts }): [string, Back][] => {
      const text = texts.get(file)
      return text === undefined ? [] : [[file, { from: home.name, text }]]
    })
    super({ chapter: before, texts: older.texts }, { chapter: after, texts: newer.texts }, core.texts, {
      all,
      renamed,
      back: new Map(back),
    })
    this.renamed = renamed
    this.newModules = newModules
    this.lostModules = modulesBetween(modules, after, before)
    this.unreadable = [older, newer, core, ...homes].flatMap(({ unreadable }) => unreadable)
  }

  /** One part as a text that looks like git's. */
  unified(part: Part, options: Omit<UnifiedOptions, 'names'> = {}): string {
    return unifiedDiff(this.diffs(part), { names: [this.before.name, this.after.name], ...options })
  }
}

/** The files of a chapter that are compared, counted from its folder. */
export function comparedFiles({ folder }: Chapter, all = false): string[] {
  return repositoryFiles(folder).filter((file) => all || !LEFT_OUT.test(file))
}
