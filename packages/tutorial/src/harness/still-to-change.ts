/** Which programs of a reader's practice folder are still those of the chapter before, or missing. */
import { basename, join } from 'node:path'
import { allChapters } from '../chapters/chapters.ts'
import { textOfFile } from '../workspace/files.ts'
import { repositoryFiles } from '../workspace/repository.ts'

/**
 * The sources that differ from one chapter to the next, and that a practice folder has as the one before has them, or not
 * at all.
 *
 * @param folder its absolute path; it has the name of its chapter
 */
export function stillToChange(folder: string): string[] {
  const chapters = allChapters()
  const index = chapters.findIndex(({ name }) => name === basename(folder))
  const [before, chapter] = [chapters[index - 1], chapters[index]]
  if (!before || !chapter) return []
  return repositoryFiles(chapter.folder)
    .filter((file) => file.startsWith('src/'))
    .filter((file) => {
      const [old, goal, own] = [before.folder, chapter.folder, folder].map((path) =>
        textOfFile(join(path, file)),
      )
      return old !== goal && (own === undefined || own === old)
    })
}
