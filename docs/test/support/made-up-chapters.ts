/**
 * A copy of the repository that has chapters which are not written yet: copies of those that are, with modules of the
 * core, recordings and words of their own. What the site costs with all chapters, and with more, can be seen today.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { allChapters, type Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { PARTS } from '@rpi-cluster/tutorial/chapters/parts'
import { ROOT, repositoryFiles } from '@rpi-cluster/tutorial/workspace/repository'
import { execa } from 'execa'

/** Modules of the core of which each made-up chapter brings a copy, and the one with a page of its own. */
const MODULES = ['connection', 'frames', 'config', 'messages']
const WITH_PAGE = 'messages'

/** Where the parts of the series stand, counted from the repository. */
const PARTS_FILE = 'packages/tutorial/src/chapters/parts.ts'

/**
 * Writes the copy, and installs what the site needs there. It has the chapters that are written.
 *
 * @param folder where to: an absolute path, empty
 */
export async function copyRepository(folder: string): Promise<void> {
  for (const file of repositoryFiles(ROOT)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(ROOT, file), join(folder, file), { verbatimSymlinks: true })
  }
  for (const room of ['.', 'docs']) {
    const args = ['-y', 'pnpm@12', 'install', '--frozen-lockfile', '--prefer-offline']
    await execa('npx', args, { cwd: join(folder, room) })
  }
}

/**
 * Makes up further chapters of a copy. Those after the series' end belong to its last part there.
 *
 * @param folder the copy
 * @param first the number of the first that it does not have
 * @param last the number of the last that it is to have
 */
export function addChapters(folder: string, first: number, last: number): void {
  const end = PARTS.at(-1)?.last ?? 0
  const parts = readFileSync(join(ROOT, PARTS_FILE), 'utf8')
  writeFileSync(join(folder, PARTS_FILE), parts.replace(`last: ${end},`, `last: ${Math.max(end, last)},`))
  // The newest two, in turn, so that neighbours differ and any two are as much as any other two.
  const models = allChapters().slice(-2)
  for (let number = first; number <= last; number += 1)
    makeUp(folder, number, models[number % models.length] as Chapter)
}

function makeUp(folder: string, number: number, model: Chapter): void {
  const name = `${number}-made-up`
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  for (const file of repositoryFiles(model.folder)) {
    const text = readFileSync(join(model.folder, file), 'utf8').replaceAll(model.name, name)
    const own =
      file === 'README.md' ? withOwnWords(text.replace(/^# .*/, `# ${number}: Made up`), number) : text
    write(join('chapters', name, file), own)
  }
  symlinkSync(join('..', model.name, 'node_modules'), join(folder, 'chapters', name, 'node_modules'))
  for (const module of MODULES) {
    const text = readFileSync(join(ROOT, `packages/core/src/${module}.ts`), 'utf8')
    const since = text.replace(/@since 0\.\d+\.0/, `@since 0.${number}.0`)
    write(`packages/core/src/${module}-${number}.ts`, since)
  }
  const page = readFileSync(join(ROOT, `docs/core/${WITH_PAGE}.md`), 'utf8')
  write(
    `docs/core/${WITH_PAGE}-${number}.md`,
    withOwnWords(page.replaceAll(`/${WITH_PAGE}.ts`, `/${WITH_PAGE}-${number}.ts`), number),
  )
  for (const file of readdirSync(join(ROOT, 'docs/recordings'))) {
    if (!file.startsWith(model.name)) continue
    const text = readFileSync(join(ROOT, 'docs/recordings', file), 'utf8')
    write(join('docs/recordings', file.replace(model.name, name)), text.replaceAll(model.name, name))
  }
}

/** Prose in which every sixth longer word is one that no other chapter has: a search index of copies would hardly grow. */
function withOwnWords(text: string, number: number): string {
  const ending = String.fromCharCode(97 + (number % 26)).repeat(2)
  let count = 0
  let isCode = false
  return text
    .split('\n')
    .map((line) => {
      if (line.startsWith('```')) isCode = !isCode
      if (isCode || /[\]<#`]/.test(line)) return line
      return line.replace(/\b[a-z]{6,}\b/g, (word) => (count++ % 6 === 0 ? word + ending : word))
    })
    .join('\n')
}
