/** What is copied of a chapter whose programs run in its folder, or were killed there. */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bundleChapter, filesOf } from '../src/bundle/bundle-chapter.ts'
import { findChapter, readChapter } from '../src/chapters/chapters.ts'
import { belongsTo } from '../src/chapters/copied.ts'
import { ChapterCopy } from '../src/harness/harness.ts'
import { makeFolder } from '../src/lab/folder.ts'

/** A chapter's folder in use: with sockets that are listened on, a pipe, logs and state, and data of its own. */
async function folderInUse(): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'copied-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const { name, folder: original } = findChapter('3')
  const folder = join(home, name)
  cpSync(original, folder, { recursive: true, filter: belongsTo(original) })
  symlinkSync(join(original, 'node_modules'), join(folder, 'node_modules'))
  for (const file of [
    'state/node-1.json',
    'master.log',
    'master.log.1',
    'src/state/kept.ts',
    'data/words.txt',
  ]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), '')
  }
  mkdirSync(join(folder, 'run'))
  for (const socket of ['run/master.sock', 'data/editor.sock']) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, socket), resolve))
    onTestFinished(() => void server.close())
  }
  expect(spawnSync('mkfifo', [join(folder, 'pipe')]).status).toBe(0)
  return folder
}

const LEFT_THERE = ['state', 'run', 'master.log', 'master.log.1', 'data/editor.sock', 'pipe']

function expectChapterIn(copy: string): void {
  for (const file of ['package.json', 'src/master.ts', 'src/state/kept.ts', 'data/words.txt', 'node_modules'])
    expect(existsSync(join(copy, file)), file).toBe(true)
  for (const file of LEFT_THERE) expect(existsSync(join(copy, file)), file).toBe(false)
}

test('a lab has the chapter, and nothing that its programs left there', async () => {
  const { path, chapter } = await makeFolder(readChapter(await folderInUse()), (made) =>
    onTestFinished(() => rmSync(made, { recursive: true })),
  )
  expectChapterIn(chapter.folder)
  expect(readdirSync(path).sort()).toEqual(['chapter', 'clock', 'state'])
  expect(existsSync(join(chapter.folder, 'test'))).toBe(false)
})

test("so has a test's copy, with the tests", async () => {
  const copy = await ChapterCopy.make(await folderInUse())
  onTestFinished(() => copy.remove())
  expectChapterIn(copy.folder)
  expect(existsSync(join(copy.folder, 'test'))).toBe(true)
})

test('a bundle has the data that package.json names, and no socket among it', async () => {
  const folder = await folderInUse()
  const pkg = {
    name: '03-sockets',
    engines: { node: '>=20.19' },
    files: ['src', 'data'],
    cluster: { programs: { master: { ready: 'Listening on' } } },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(pkg))
  const made = join(dirname(folder), 'bundle')
  await bundleChapter(readChapter(folder), made)
  expect(filesOf(made)).toContain('data/words.txt')
  expect(existsSync(join(made, 'data/editor.sock'))).toBe(false)
})
