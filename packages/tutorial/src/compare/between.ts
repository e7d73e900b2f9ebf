/**
 * What the chapters between two others say of their difference, which lines of the later one it is said of, and who
 * uses what the core gained. Nothing here knows of Node, as in compared.ts.
 */
import type { Texts } from './file-diff.ts'

/** Lines that a chapter brought, and that something is said of. */
export interface SaidOf {
  /** Counted from the repository: `chapters/05-json/src/node.ts`, or a module of the core. */
  file: string
  /** The first line in the newer file. */
  line: number
  /** The last line there; before `line` when lines were only removed. */
  last: number
  added: string[]
  /** The smallest symbol that holds them, `imports` for import lines, if there is one. */
  symbol?: string
}

/** A source, and what it imports of the core: names by the module that declares them. */
export interface Importing {
  file: string
  imports: ReadonlyMap<string, ReadonlySet<string>>
}

/**
 * Where lines that a chapter brought stand in a later one; nowhere when they have changed since.
 *
 * @param chapter the name of the chapter that brought them
 * @param after the name of the later chapter, which may be the same
 * @param own its files, by their paths in its folder
 * @param names what files of the earlier chapter are called in the later one, where that is another name
 */
export function placedIn<Said extends SaidOf>(
  after: string,
  own: Texts,
  said: Said,
  chapter: string,
  names: ReadonlyMap<string, string>,
): Said[] {
  if (chapter === after || said.file.startsWith('packages/')) return [said]
  const path = said.file.slice(`chapters/${chapter}/`.length)
  const now = names.get(path) ?? path
  const lines = own.get(now)?.split('\n')
  if (said.added.length === 0 || !lines) return []
  const index = lines.findIndex((_, index) =>
    said.added.every((text, offset) => lines[index + offset] === text),
  )
  return index < 0
    ? []
    : [{ ...said, file: `chapters/${after}/${now}`, line: index + 1, last: index + said.added.length }]
}

/** The changes without the import lines that share their explanation with code: it is shown there, where it belongs. */
export function besideTheirUse<Said extends SaidOf>(
  all: readonly Said[],
  wordsOf: (said: Said) => string | undefined,
): Said[] {
  const isImport = ({ symbol }: Said) => symbol === 'imports'
  return all.filter(
    (said) =>
      !isImport(said) ||
      !all.some((other) => !isImport(other) && other.file === said.file && wordsOf(other) === wordsOf(said)),
  )
}

/** The first of some sources that imports a name of a module. */
export function firstUserOf(module: string, name: string, sources: readonly Importing[]): string | undefined {
  return sources.find(({ imports }) => imports.get(module)?.has(name))?.file
}
