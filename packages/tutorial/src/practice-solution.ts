/** `pnpm practice NN --solution FILE`: a file of the chapter in place of the reader's, which is kept. */
import { constants, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join, normalize, parse } from 'node:path'
import { distance } from 'fastest-levenshtein'
import type { PracticeFolder } from './practice-folder.ts'
import { ReaderError } from './reader-error.ts'
import { trackedFiles } from './repository.ts'

/**
 * Takes a file over from the chapter. What the reader has under that name is moved beside it. Returns the exit code.
 *
 * @param wanted the file, counted from the chapter's folder
 * @throws ReaderError when the chapter has no such file: it lists what there is, nearest first
 */
export function solution({ chapter, path, name }: PracticeFolder, wanted: string): number {
  const files = trackedFiles(chapter.folder)
  const file = normalize(wanted)
  if (!files.includes(file)) {
    const nearestFirst = files.toSorted((a, b) => distance(wanted, a) - distance(wanted, b))
    throw new ReaderError(
      [`${chapter.name} has no file ${wanted}. It has:`, ...nearestFirst.map((other) => `  ${other}`)].join(
        '\n',
      ),
    )
  }
  const [from, to] = [join(chapter.folder, file), join(path, file)]
  if (existsSync(to)) {
    if (readFileSync(from).equals(readFileSync(to))) {
      console.log(`${name}/${file} is the same as the chapter's already.`)
      return 0
    }
    const backup = backupName(file, new Date())
    renameSync(to, join(path, backup))
    console.log(`Your ${file} is kept as ${name}/${backup}.`)
  }
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to, constants.COPYFILE_EXCL)
  console.log(`${name}/${file} is now the chapter's.`)
  return 0
}

/** `src/master.2026-11-23T09-15-00-123.ts.bak`: dated, and nothing that would be run or tested. */
function backupName(file: string, now: Date): string {
  const { dir, name, ext } = parse(file)
  const date = now.toISOString().replace(/[:.]/g, '-').replace('Z', '')
  return join(dir, `${name}.${date}${ext}.bak`)
}
