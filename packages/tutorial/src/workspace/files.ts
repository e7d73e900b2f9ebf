/** Files as they stand in a folder now: which there are, and their texts. */
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ReaderError } from './reader-error.ts'

/**
 * The regular files below a folder, counted from it, sorted; none where there is no such folder. Left out are
 * sockets and whatever else is no file, links that lead to none, folders behind a link, and those that are somebody
 * else's work: `node_modules`, and repositories of their own.
 *
 * @param isIgnored called with each file and, with a slash at its end, with each folder
 * @throws ReaderError when a folder cannot be listed: nothing true could be said of what is in it
 */
export function filesIn(folder: string, isIgnored: (path: string) => boolean = () => false): string[] {
  const files: string[] = []
  const walk = (below: string) => {
    for (const entry of entriesOf(join(folder, below))) {
      const path = below + entry.name
      if (entry.isDirectory()) {
        if (isOfOthers(join(folder, path)) || isIgnored(`${path}/`)) continue
        walk(`${path}/`)
      } else if (isFile(entry, join(folder, path)) && !isIgnored(path)) files.push(path)
    }
  }
  walk('')
  return files.sort()
}

/** The texts of files, by their names, and a line for each that cannot be read. */
export interface ReadFiles {
  texts: Map<string, string>
  unreadable: string[]
}

/** Reads files of a folder, counted from it. One that is gone meanwhile is none; one that cannot be read gets a line. */
export function readFiles(folder: string, files: readonly string[]): ReadFiles {
  const texts = new Map<string, string>()
  const unreadable: string[] = []
  for (const file of files) {
    const path = join(folder, file)
    try {
      texts.set(file, readFileSync(path, 'utf8'))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT')
        unreadable.push(`${path} is left out, because it cannot be read (${code ?? message}).`)
    }
  }
  return { texts, unreadable }
}

/** The text of a file; nothing when there is none, or what is there is no file. */
export function textOfFile(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (isAbsence(error)) return []
    throw new ReaderError(`The folder ${folder} cannot be listed (${(error as NodeJS.ErrnoException).code}).`)
  }
}

/** True for the error that says that something is not there: no such file, or a file where a folder is looked for. */
function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function isOfOthers(folder: string): boolean {
  return folder.endsWith('/node_modules') || folder.endsWith('/.git') || existsSync(join(folder, '.git'))
}

function isFile(entry: Dirent, path: string): boolean {
  if (!entry.isSymbolicLink()) return entry.isFile()
  try {
    return statSync(path).isFile()
  } catch {
    return false // it leads nowhere, as an editor's lock does, or in a circle
  }
}
