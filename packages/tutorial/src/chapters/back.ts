/**
 * Which files of a chapter are back: the chapter before has none of that name, and an earlier one has. The first chapter
 * of a part may begin leaner than the one before it, and what was left out comes again when a lesson needs it.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFiles } from '../workspace/repository.ts'
import { allChapters, type Chapter } from './chapters.ts'
import { renamedFiles } from './former-names.ts'

/** A file as it was before, by its path in the folder of the chapter that had it last. */
export interface VersionBefore {
  chapter: Chapter
  file: string
}

/**
 * The files in `src` that are back, each with the latest earlier chapter that has it. Only neighbours have any: of two
 * chapters further apart a reader asks what lies between them.
 *
 * @param chapters all of them; others do no harm
 */
export function filesBack(
  before: Chapter,
  after: Chapter,
  chapters: readonly Chapter[] = allChapters(),
): Map<string, Chapter> {
  const areNeighbours =
    before.number < after.number &&
    !chapters.some(({ number }) => before.number < number && number < after.number)
  const earlier = chapters
    .filter(({ number }) => number < before.number)
    .toSorted((a, b) => b.number - a.number)
  if (!areNeighbours || earlier.length === 0) return new Map()
  const renamed = renamedFiles(before, after, [])
  const has = ({ folder }: Chapter, file: string) => existsSync(join(folder, file))
  const come = repositoryFiles(after.folder).filter(
    (file) => file.startsWith('src/') && !renamed.has(file) && !has(before, file),
  )
  return new Map(
    come.flatMap((file): [string, Chapter][] => {
      const index = earlier.findIndex((chapter) => has(chapter, file))
      const home = earlier[index]
      if (!home) return []
      // What went on under another name is still there: this is another file, with its old name.
      const wentOn = [...renamedFiles(home, earlier[index - 1] ?? before, []).values()].includes(file)
      return wentOn ? [] : [[file, home]]
    }),
  )
}

/**
 * What a file of a chapter was before: in the chapter before, where it may have another name, or in the latest earlier one
 * that has it. Nothing when it is new.
 *
 * @param file counted from the chapter's folder
 * @param before the chapter before
 * @param chapters all of them; others do no harm
 */
export function versionBefore(
  file: string,
  chapter: Chapter,
  before: Chapter,
  chapters: readonly Chapter[] = allChapters(),
): VersionBefore | undefined {
  const then = renamedFiles(before, chapter, []).get(file) ?? file
  if (existsSync(join(before.folder, then))) return { chapter: before, file: then }
  const home = filesBack(before, chapter, chapters).get(file)
  return home && { chapter: home, file }
}
