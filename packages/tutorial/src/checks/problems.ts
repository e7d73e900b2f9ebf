/** Everything that keeps the texts and the chapters from being true and whole, as `tutorial texts` tells it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unexplainedChanges } from '../compare/explanations.ts'
import { unwrittenPlaces } from '../texts/unwritten.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import { chapterProblems } from './chapter-checks.ts'
import { TEXT_WITH_TABLE, tableProblems, withTable } from './chapter-table.ts'
import { schemaProblems, syncSchemas } from './json-schemas.ts'
import { allPictures, pictureProblems, syncImages, syncPicture } from './picture-checks.ts'
import { syncTimes } from './reading-times.ts'
import { allTexts, problemsOf, syncBlocks } from './text-checks.ts'

/** All problems, a line each, beginning with the file. */
export function allProblems(): string[] {
  return [
    ...chapterProblems(),
    ...unwrittenPlaces(),
    ...tableProblems(readFileSync(join(ROOT, TEXT_WITH_TABLE), 'utf8')),
    ...allTexts().flatMap(problemsOf),
    ...allPictures().flatMap(pictureProblems),
    ...schemaProblems(),
    ...unexplainedChanges(),
  ]
}

/**
 * Mends what can be mended without running a program, and returns the texts, pictures and JSON Schemas that changed.
 *
 * @throws ReaderError when a chapter has no JSON Schema to give, or a picture cannot be drawn; all that can be mended is mended then
 */
export function syncTexts(): string[] {
  // Texts may show them.
  const schemas = syncSchemas()
  const texts = allTexts().filter((file) =>
    [syncBlocks(file), syncImages(file), syncTimes(file)].some(Boolean),
  )
  // The table has the times.
  if (syncTable()) texts.push(TEXT_WITH_TABLE)
  return [...schemas, ...new Set(texts), ...syncPictures()]
}

function syncPictures(): string[] {
  const problems: string[] = []
  const changed = allPictures().flatMap((file) => {
    try {
      return syncPicture(file)
    } catch (error) {
      if (!(error instanceof ReaderError)) throw error
      problems.push(error.message)
      return []
    }
  })
  if (problems.length > 0) throw new ReaderError(problems.join('\n'))
  return changed
}

function syncTable(): boolean {
  const file = join(ROOT, TEXT_WITH_TABLE)
  const text = readFileSync(file, 'utf8')
  const synced = withTable(text)
  if (synced !== text) writeFileSync(file, synced)
  return synced !== text
}
