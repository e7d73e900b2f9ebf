/**
 * A reader's practice folder: `practice/05-json` begins with chapter 04's programs, those that are back from an earlier
 * chapter, and chapter 05's tests. It is outside the workspace, and git ignores it; its dependencies are links to those of the chapters.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { filesBack } from '../chapters/back.ts'
import { allChapters, type Chapter } from '../chapters/chapters.ts'
import { formerNames } from '../chapters/former-names.ts'
import { isReadersFile, readersFiles } from '../chapters/readers-files.ts'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'

/** The folder that holds them all. */
const PRACTICE_FOLDER = join(ROOT, 'practice')

/** What is remembered between two commands. */
export interface Memory {
  /** How much of a change was shown as hints, by its key: what it is for, how it is done, its lines. */
  hints: Record<string, 'explained' | 'prepared' | 'shown'>
  /** The state of the files when the folder was made. */
  made?: string
  /** What the last check found, and for which state of the files. */
  check?: { files: string; kept: number; promises: number }
}

/** What a folder has of its chapter from the start: who is there, the tests, and what programs read beside them, as a stylesheet. */
function isGiven(file: string): boolean {
  return file === 'package.json' || /^test\/|^src\/.*(?<!\.ts)$/.test(file)
}

/** The practice folder of a chapter, whether it is there yet or not. */
export class PracticeFolder {
  readonly chapter: Chapter
  /** The chapter that it starts from. */
  readonly before: Chapter
  /** Its absolute path. */
  readonly path: string
  /** As it is shown: `practice/05-json`. */
  readonly name: string

  /** @throws ReaderError for the first chapter, which has none before it to start from */
  constructor(chapter: Chapter) {
    const before = allChapters().findLast(({ number }) => number < chapter.number)
    if (!before) {
      throw new ReaderError(
        `${chapter.name} is the first chapter: there is none before it to start from. Read it and run it (pnpm --filter ${chapter.name} start), then say pnpm practice ${chapter.number + 1}.`,
      )
    }
    this.chapter = chapter
    this.before = before
    this.path = join(PRACTICE_FOLDER, chapter.name)
    this.name = relative(ROOT, this.path)
  }

  /** Those that are there, in the order of their chapters. */
  static all(): PracticeFolder[] {
    return allChapters()
      .slice(1)
      .map((chapter) => new PracticeFolder(chapter))
      .filter((folder) => folder.exists)
  }

  /** @throws ReaderError when something else has its name */
  get exists(): boolean {
    for (const path of [PRACTICE_FOLDER, this.path]) {
      const found = statSync(path, { throwIfNoEntry: false })
      if (!found) return false
      if (!found.isDirectory()) {
        throw new ReaderError(
          `${relative(ROOT, path)} is a file, and a practice folder needs its name. Move it away.`,
        )
      }
    }
    return true
  }

  /** Makes it, under another name first, so that what has this name is always whole, and never replaced. */
  async make(): Promise<void> {
    const unfinished = join(PRACTICE_FOLDER, `.unfinished-${process.pid}`)
    try {
      mkdirSync(unfinished, { recursive: true })
      this.#shareSettings()
      this.#copy(this.before, (file) => isReadersFile(file), unfinished)
      for (const [name, home] of filesBack(this.before, this.chapter))
        this.#copy(home, (file) => file === name && isReadersFile(file), unfinished)
      this.#copy(this.chapter, isGiven, unfinished)
      addProgramScripts(join(unfinished, 'package.json'), this.chapter, this.before)
      const { goalPage } = await import('./goal.ts')
      writeFileSync(join(unfinished, 'README.md'), goalPage(this.chapter, this.before))
      renameSync(unfinished, this.path)
      this.linkDependencies()
      this.memory = { hints: {}, made: this.fingerprint() }
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true })
      throw new ReaderError(`Cannot make ${this.name}: ${error instanceof Error ? error.message : error}`)
    }
  }

  /**
   * Links the packages of both chapters: the programs begin with what the one before uses, and end
   * with what this one does. Links that are there stay, unless they lead nowhere.
   */
  linkDependencies(): void {
    const folder = join(this.path, 'node_modules')
    for (const chapter of [this.chapter, this.before]) {
      const packages = join(chapter.folder, 'node_modules')
      for (const name of packagesIn(packages)) {
        const link = join(folder, name)
        if (existsSync(link)) continue
        mkdirSync(dirname(link), { recursive: true })
        rmSync(link, { force: true })
        symlinkSync(relative(dirname(link), join(packages, name)), link)
      }
    }
  }

  /** The text of one of the reader's files, counted from the folder; nothing when it is not there. */
  read(file: string): string | undefined {
    return textOfFile(join(this.path, file))
  }

  /** Stands for the state of the reader's files: the same text as long as they are the same. */
  fingerprint(): string {
    const hash = createHash('sha256')
    for (const file of [...readersFiles(this.path), 'package.json'])
      hash.update(`${file}\n${this.read(file)}`)
    return hash.digest('hex')
  }

  get memory(): Memory {
    try {
      return { hints: {}, ...JSON.parse(readFileSync(this.#memoryFile, 'utf8')) }
    } catch {
      return { hints: {} } // none yet, or not readable: a hint more or less is no harm
    }
  }

  set memory(memory: Memory) {
    try {
      writeFileSync(this.#memoryFile, `${JSON.stringify(memory, undefined, 2)}\n`)
    } catch (error) {
      console.error(`What was shown cannot be remembered: ${error instanceof Error ? error.message : error}`)
    }
  }

  /** When something was last remembered of it, in ms since 1970; 0 when nothing is. */
  get lastUsed(): number {
    return statSync(this.#memoryFile, { throwIfNoEntry: false })?.mtimeMs ?? 0
  }

  get #memoryFile(): string {
    return join(this.path, '.practice.json')
  }

  #copy(chapter: Chapter, isWanted: (file: string) => boolean, target: string): void {
    for (const file of repositoryFiles(chapter.folder).filter(isWanted)) {
      mkdirSync(dirname(join(target, file)), { recursive: true })
      cpSync(join(chapter.folder, file), join(target, file))
    }
  }

  /** What all practice folders share. */
  #shareSettings(): void {
    writeFileSync(
      join(PRACTICE_FOLDER, 'pnpm-workspace.yaml'),
      '# A workspace apart from the chapters\': everything is linked from theirs, and nothing is to be installed here.\npackages:\n  - "*"\nverifyDepsBeforeRun: false\n',
    )
    writeFileSync(
      join(PRACTICE_FOLDER, 'tsconfig.json'),
      `${JSON.stringify({ extends: '../tsconfig.json', include: ['*/src', '*/test'] }, undefined, 2)}\n`,
    )
  }
}

/** `tsx`, `@rpi-cluster/core` and so on, and `.bin` for their commands. */
function packagesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(folder, name)).map((own) => `${name}/${own}`) : [name],
  )
}

/** The programs of the chapter before can be started too, until the reader has moved on from them. */
function addProgramScripts(file: string, chapter: Chapter, before: Chapter): void {
  const renamed = new Map([...formerNames(before, chapter, [])].map(([now, then]) => [then, now]))
  const { scripts, cluster } = JSON.parse(readFileSync(join(before.folder, 'package.json'), 'utf8'))
  const pkg = JSON.parse(readFileSync(file, 'utf8'))
  const { programs } = pkg.cluster
  for (const { name } of before.programs) {
    const old = cluster.programs[name]
    pkg.scripts[name] ??= scripts[name]
    programs[name] ??= old
    // What has another name in the end says what it said before until the reader has come to that.
    const own = programs[renamed.get(name) ?? name]
    const both = (now: unknown = [], then: unknown = []) => [...new Set([now, then].flat())]
    const [ready, listens] = [both(own.ready, old.ready), both(own.listens, old.listens)]
    if (ready.length > 1) own.ready = ready
    if (listens.length > 0) own.listens = listens
  }
  writeFileSync(file, `${JSON.stringify(pkg, undefined, 2)}\n`)
}
