/** Where a lab's programs run: a copy of their chapter, so that nothing that they write stays behind. */
import { mkdtempSync } from 'node:fs'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { CHAPTERS_FOLDER, type Chapter, readChapter } from '../chapters/chapters.ts'
import { belongsTo } from '../chapters/copied.ts'

/** What of a chapter its programs do without. */
const NOT_COPIED = /^(test|scenarios)(\/|$)/

export interface LabFolder {
  /** Its absolute path. */
  path: string
  /** The chapter, as the copy has it. */
  chapter: Chapter
  /** What a node keeps over its end, as on a machine of its own. */
  stateOf(lane: string): string
  /** By how many seconds its clock is wrong: the file that says so. */
  clockOf(lane: string): string
}

/** Makes one. Who makes it removes its `path`. */
export async function makeFolder(original: Chapter, onMade: (path: string) => void): Promise<LabFolder> {
  const path = mkdtempSync(join(tmpdir(), `lab-${original.name}-`))
  onMade(path)
  const folder = join(path, 'chapter')
  const isOfChapter = belongsTo(original.folder)
  await cp(original.folder, folder, {
    recursive: true,
    filter: (path) => !NOT_COPIED.test(relative(original.folder, path)) && isOfChapter(path),
  })
  const installed = join(CHAPTERS_FOLDER, original.name, 'node_modules') // a copy of the reader's may have none
  await symlink(installed, join(folder, 'node_modules'))
  for (const sub of ['state', 'clock']) await mkdir(join(path, sub))
  return {
    path,
    chapter: readChapter(folder),
    stateOf: (lane) => join(path, 'state', lane.replaceAll(' ', '-')),
    clockOf: (lane) => join(path, 'clock', lane.replaceAll(' ', '-')),
  }
}
