import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { filesBack } from '../src/chapters/back.ts'
import { allChapters, type Chapter, findChapter } from '../src/chapters/chapters.ts'
import { stillToChange } from '../src/harness/still-to-change.ts'
import { PracticeFolder } from '../src/practice/folder.ts'
import { missingChanges } from '../src/practice/missing-changes.ts'
import { readReadme } from '../src/texts/readme.ts'
import { textOfFile } from '../src/workspace/files.ts'

/** A practice folder as it is made, without one on the disk. */
class NewFolder extends PracticeFolder {
  override read(file: string): string | undefined {
    const home = filesBack(this.before, this.chapter).get(file) ?? this.before
    return textOfFile(join(home.folder, file))
  }
}

const names = allChapters()
  .slice(1)
  .map(({ name }) => name)

/** What the hints of a chapter say, one after the other, for somebody who has done nothing yet. */
function said(chapter: Chapter): { file: string; text: string }[] {
  const hints = missingChanges(new NewFolder(chapter)).map(({ file, explanation }) => ({
    file,
    text: explanation.join('\n'),
  }))
  return hints.filter(({ text }, index) => text !== hints[index - 1]?.text)
}

test.for(names)('hints follow the README: %s', (name) => {
  const chapter = findChapter(name)
  const { blocks, mentions } = readReadme(`chapters/${chapter.name}/README.md`)
  const lines = said(chapter).map(
    ({ text }) =>
      blocks.find(({ paragraphs }) => paragraphs.join('\n') === text)?.line ??
      mentions.find(({ sentence }) => sentence === text)?.line,
  )
  expect(lines.length).toBeGreaterThan(0)
  expect(lines).not.toContain(undefined)
  expect(lines).toEqual(lines.toSorted((a = 0, b = 0) => a - b))
})

test('a hint has all paragraphs of its piece; import lines belong to the first that needs one', () => {
  const master = said(findChapter('5')).find(({ file }) => file === 'src/master.ts')
  expect(master?.text).toMatch(/^receive makes messages .*\nWhen the loop ends by itself/)
  // Of the import lines, asTyped is used in the last piece only.
  expect(said(findChapter('8'))[0]?.text).toMatch(/^It takes a task's name/)
})

test('what is still to change: programs that are those of the chapter before, or missing', () => {
  const practice = mkdtempSync(join(tmpdir(), 'practice-'))
  onTestFinished(() => rmSync(practice, { recursive: true }))
  const [before, chapter] = [findChapter('3').folder, findChapter('4').folder]
  const own = join(practice, '04-config')
  cpSync(join(before, 'src'), join(own, 'src'), { recursive: true })
  expect(stillToChange(own)).toEqual(['src/config.ts', 'src/master.ts', 'src/slave.ts'])
  for (const file of ['src/config.ts', 'src/slave.ts']) cpSync(join(chapter, file), join(own, file))
  expect(stillToChange(own)).toEqual(['src/master.ts'])
  cpSync(join(chapter, 'src/master.ts'), join(own, 'src/master.ts'))
  expect(stillToChange(own)).toEqual([])
})
