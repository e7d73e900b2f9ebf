/** Programs that cannot even begin: what a reader hears of them from a test is only that nothing came. */
import { extname } from 'node:path'
import { parseSync } from 'oxc-parser'
import { readersFiles } from '../chapters/readers-files.ts'
import type { PracticeFolder } from './folder.ts'

/** A line for each of the reader's programs that is no TypeScript, with the place where it stops being that. */
export function mistakesIn(folder: PracticeFolder): string[] {
  return readersFiles(folder.path)
    .filter((file) => extname(file) === '.ts')
    .flatMap((file) => {
      const text = folder.read(file) ?? ''
      const [mistake] = parseSync(file, text).errors
      if (!mistake) return []
      const before = text.slice(0, mistake.labels[0]?.start ?? 0).split('\n')
      const place = `${folder.name}/${file}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
      return [`${place} is no TypeScript: ${mistake.message}. What needs this program cannot work.`]
    })
}
