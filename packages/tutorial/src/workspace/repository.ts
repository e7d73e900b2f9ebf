/**
 * Where this repository is, and which files belong to it. git is not asked: the answer is the same in a clone, in an
 * unpacked archive, and below another repository, whatever a reader has told git.
 */
import { join, relative } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { filesIn, textOfFile } from './files.ts'

/** The repository's absolute path. */
export const ROOT = join(import.meta.dirname, '../../../..')

/**
 * The files under a folder of the repository, as they stand now, counted from that folder: all but those that a
 * .gitignore of the repository names. What a reader has git ignore elsewhere does not count.
 *
 * @throws ReaderError when a folder cannot be listed
 */
export function repositoryFiles(folder: string): string[] {
  const rules = new Map<string, Ignore | undefined>()
  const rulesOf = (path: string) => {
    if (!rules.has(path)) {
      const text = textOfFile(join(ROOT, path, '.gitignore'))
      rules.set(path, text === undefined ? undefined : ignore().add(text))
    }
    return rules.get(path)
  }
  const prefix = relative(ROOT, folder)
  if (prefix.startsWith('..')) return filesIn(folder) // a copy elsewhere: no .gitignore of ours is for it
  return filesIn(folder, (file) => {
    const path = prefix === '' ? file : `${prefix}/${file}`
    // The innermost .gitignore that says something of a path decides.
    const folders = path.split('/').slice(0, path.endsWith('/') ? -2 : -1)
    for (let depth = folders.length; depth >= 0; depth -= 1) {
      const from = folders.slice(0, depth).join('/')
      const said = rulesOf(from)?.test(from === '' ? path : path.slice(from.length + 1))
      if (said?.ignored || said?.unignored) return said.ignored
    }
    return false
  })
}
