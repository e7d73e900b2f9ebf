/** `pnpm bundle NN`: a chapter as a folder that can be copied to a Pi. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Chapter } from '../chapters/chapters.ts'
import { ROOT } from '../workspace/repository.ts'
import { bundleChapter, filesOf } from './bundle-chapter.ts'
import { OutFolder } from './out-folder.ts'

/** Where bundles go when the reader names no folder: git ignores it. */
export const BUNDLES_FOLDER = join(ROOT, 'bundles')

/** A bundle in the reader's folder. */
interface MadeBundle {
  /** Its absolute path. */
  folder: string
  /** As it is shown. */
  name: string
  /** What of the folder is the bundle, counted from there, sorted. */
  files: string[]
  /** What to tell the reader: a line for each file that is theirs. */
  notices: string[]
}

/**
 * Makes the bundle of a chapter, or makes it anew, in a folder that is the reader's too.
 *
 * @param path the folder, absolute
 * @param from the folder that paths are shown from: where the reader typed
 * @throws ReaderError when there is something else in the folder, or a program cannot be compiled; then nothing
 *   there has changed
 */
export async function makeBundle(chapter: Chapter, path: string, from: string): Promise<MadeBundle> {
  const near = relative(from, path) || '.'
  const out = new OutFolder(path, near.startsWith('..') ? path : near)
  const made = mkdtempSync(join(tmpdir(), `${chapter.name}-`))
  try {
    await bundleChapter(chapter, made)
    const notices = out.replaceBy(made)
    return { folder: path, name: out.name, files: filesOf(made), notices }
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

/** {@link makeBundle}, and says what is in it. */
export async function bundle(chapter: Chapter, path: string, from: string): Promise<void> {
  const { folder, name, files, notices } = await makeBundle(chapter, path, from)
  for (const notice of notices) console.log(notice)
  const sizes = files.map((file) => statSync(join(folder, file)).size)
  const width = Math.max(...files.map((file) => file.length))
  console.log(`${name} is ${chapter.name} as plain JavaScript, ${kilobytes(sum(sizes))}:`)
  for (const [index, file] of files.entries())
    console.log(`  ${file.padEnd(width)}  ${kilobytes(sizes[index] ?? 0).padStart(7)}`)
  console.log(
    `Copy it to each Pi, and run there: ${chapter.programs.map(({ name }) => `node ${name}.js`).join(', or ')}`,
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`
}
