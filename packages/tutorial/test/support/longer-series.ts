/** A copy of the repository whose series goes on after its end, so that a chapter can be made there. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PARTS } from '../../src/chapters/parts.ts'

const PARTS_FILE = 'packages/tutorial/src/chapters/parts.ts'

/**
 * Gives the last part of a copy's series further chapters, as its author would. A series that is as long stays as it is.
 *
 * @param folder the copy
 * @param last the number of the chapter that it is to reach
 */
export function lengthenSeries(folder: string, last: number): void {
  const end = PARTS.at(-1)?.last ?? 0
  if (last <= end) return
  const file = join(folder, PARTS_FILE)
  writeFileSync(file, readFileSync(file, 'utf8').replace(`last: ${end},`, `last: ${last},`))
}
