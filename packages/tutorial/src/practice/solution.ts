/** `pnpm practice NN --solution FILE`: a file of the chapter in place of the reader's, which is set aside. */
import { constants, copyFileSync, lstatSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join, normalize, parse } from 'node:path'
import { distance } from 'fastest-levenshtein'
import { Comparison } from '../compare/comparison.ts'
import { textOfFile } from '../workspace/files.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { repositoryFiles } from '../workspace/repository.ts'
import type { PracticeFolder } from './folder.ts'

/**
 * Takes a file over from the chapter. What the reader has under that name, and under the name that it had in the
 * chapter before, is set aside: otherwise both would be there, and `start` would run both. Returns the exit code.
 *
 * @param wanted the file, counted from the chapter's folder
 * @throws ReaderError when the chapter has no such file: it lists what there is, nearest first
 */
export function solution({ chapter, before, path, name }: PracticeFolder, wanted: string): number {
  const files = repositoryFiles(chapter.folder)
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
  const isSame = textOfFile(from) === textOfFile(to)
  const oldName = new Comparison(before, chapter).files(['own']).find((other) => other.file === file)?.from
  for (const own of [...(isSame ? [] : [file]), ...(oldName === undefined ? [] : [oldName])]) {
    if (!lstatSync(join(path, own), { throwIfNoEntry: false })) continue
    const backup = backupName(own, new Date())
    renameSync(join(path, own), join(path, backup))
    console.log(
      `Your ${own}${own === file ? '' : `, which is ${file} in ${chapter.name},`} is kept as ${name}/${backup}.`,
    )
  }
  if (isSame) {
    console.log(`${name}/${file} is the same as the chapter's already.`)
    return 0
  }
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to, constants.COPYFILE_EXCL)
  console.log(`${name}/${file} is now the chapter's.`)
  return 0
}

/** `src/main.2026-11-23T09-15-00-123.ts.bak`: dated, and nothing that would be run or tested. */
function backupName(file: string, now: Date): string {
  const { dir, name, ext } = parse(file)
  const date = now.toISOString().replace(/[:.]/g, '-').replace('Z', '')
  return join(dir, `${name}.${date}${ext}.bak`)
}
