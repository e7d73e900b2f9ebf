/** What an author has still to write: places that `pnpm chapters --new` marks, and that no check lets through. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, repositoryFiles } from '../workspace/repository.ts'

/** Where such places may be. The tools themselves have the mark in their code, and a picture has what its text has. */
const PLACES =
  /^(chapters\/(?!.*\.svg$)|\.changeset\/.*\.md$|docs\/core\/|packages\/core\/(src\/|README\.md$))/

/** The mark. */
const MARK = /\[write: ([^\]]+)\]/g

/** The mark for a place where something is to be written. */
export function toWrite(what: string): string {
  return `[write: ${what}]`
}

/** True for a text that has such a place in it. */
export function isUnwritten(text: string): boolean {
  return text.search(MARK) >= 0
}

/** Every place that is still to be written, a line each, with its file and line. */
export function unwrittenPlaces(): string[] {
  return repositoryFiles(ROOT)
    .filter((file) => PLACES.test(file))
    .flatMap((file) =>
      readFileSync(join(ROOT, file), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          [...line.matchAll(MARK)].map(([, what]) => `${file}:${index + 1}: still to be written: ${what}`),
        ),
    )
}
