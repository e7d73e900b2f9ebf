/** Which programs of a reader's practice folder are still those of the chapter before, or missing. */
import { basename, join } from 'node:path'
import { versionBefore } from '../chapters/back.ts'
import { allChapters } from '../chapters/chapters.ts'
import { renamedFiles } from '../chapters/former-names.ts'
import { textOfFile } from '../workspace/files.ts'
import { repositoryFiles } from '../workspace/repository.ts'

/**
 * The sources that differ from one chapter to the next, and that a practice folder has as the one before has them, or not
 * at all.
 *
 * @param folder its absolute path; it has the name of its chapter
 * @param chapters that one and the one before it among them
 */
export function stillToChange(folder: string, chapters = allChapters()): string[] {
  const index = chapters.findIndex(({ name }) => name === basename(folder))
  const [before, chapter] = [chapters[index - 1], chapters[index]]
  if (!before || !chapter) return []
  const renamed = renamedFiles(before, chapter, [])
  return repositoryFiles(chapter.folder)
    .filter((file) => file.startsWith('src/'))
    .filter((file) => {
      const older = versionBefore(file, chapter, before, chapters)
      const old = older && textOfFile(join(older.chapter.folder, older.file))
      const [goal, own] = [chapter.folder, folder].map((path) => textOfFile(join(path, file)))
      return own === undefined ? old !== goal || renamed.has(file) : old !== goal && own === old
    })
}
