/**
 * Programs as plain JavaScript, for tests: what `pnpm bundle` makes of a chapter starts in a fifth of the time that
 * its sources take with tsx. It is made once for the same sources, and kept for the next run of the tests.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Chapter } from '../chapters/chapters.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'

/** Git ignores it, and so does whoever removes node_modules to begin anew. */
const CACHE = join(ROOT, 'node_modules/.cache/built-programs')

/**
 * Makes the programs of a chapter's copy, and puts them into its folder.
 *
 * @returns how Node is to run one of them, or nothing when they cannot be made: then its sources say why
 */
export async function builtProgram(chapter: Chapter, program: string): Promise<string[] | undefined> {
  const made = join(CACHE, `${chapter.name}-${hashOf(chapter)}`)
  // Several programs of a copy may start at once.
  const key = `${chapter.folder} ${made}`
  const placing = placed.get(key) ?? place(chapter, made)
  placed.set(key, placing)
  await placing
  // One that a test has brought, or that cannot be made, is run from its source.
  return existsSync(join(made, `${program}.js`)) ? [join(chapter.folder, `${program}.js`)] : undefined
}

const placed = new Map<string, Promise<void>>()

async function place(chapter: Chapter, made: string): Promise<void> {
  if (!existsSync(made) && !(await make(chapter, made))) return
  // The copy has its own data and configuration, unless a test has taken them away.
  const { files = [] } = JSON.parse(readFileSync(join(chapter.folder, 'package.json'), 'utf8'))
  const own = new Set<string>(['package.json', 'README.md', ...files])
  await cp(made, chapter.folder, {
    recursive: true,
    filter: (path) => path === made || !own.has(path.slice(made.length + 1)),
  })
}

async function make(chapter: Chapter, folder: string): Promise<boolean> {
  // A program of one test file in a hundred needs the compiler.
  const { bundleChapter } = await import('../bundle/bundle-chapter.ts')
  await mkdir(CACHE, { recursive: true })
  const unfinished = mkdtempSync(join(CACHE, `${basename(folder)}-`))
  try {
    await bundleChapter(chapter, unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    // Another test file may have been faster.
    if (!existsSync(folder) && !(error instanceof ReaderError)) throw error
  }
  return existsSync(folder)
}

/** What a program depends on: its sources, the core's, and the versions of the libraries. */
function hashOf({ folder }: Chapter): string {
  const hash = createHash('sha256')
  for (const part of [
    join(folder, 'src'),
    join(ROOT, 'packages/core/src'),
    join(ROOT, 'packages/tutorial/src/bundle'),
  ]) {
    for (const file of readdirSync(part, { recursive: true, encoding: 'utf8' }).sort()) {
      if (/\.\w+$/.test(file)) hash.update(file).update(readFileSync(join(part, file)))
    }
  }
  for (const file of [join(folder, 'package.json'), join(ROOT, 'pnpm-lock.yaml')])
    hash.update(readFileSync(file))
  return hash.digest('hex').slice(0, 16)
}
