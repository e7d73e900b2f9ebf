/**
 * The growth rule: a chapter uses only what the core had when the chapter was written, and only what
 * the core exports; a module of the core builds only on what is as old as itself, or older.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseSync } from 'oxc-parser'
import { filesIn } from '../workspace/files.ts'

const CORE = '@rpi-cluster/core'

/** A module of the core. */
export interface CoreModule {
  /** `json-lines` */
  name: string
  /** The chapter that brought it: 5, from `@since 0.5.0`. */
  bornIn: number
}

/** The modules of the core, oldest first, as their `@since` tags tell. */
export function coreModules(root: string): CoreModule[] {
  const folder = join(root, 'packages/core/src')
  return filesIn(folder, (path) => path.includes('/'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const since = /^ \* @since 0\.(\d+)\.0$/m.exec(readFileSync(join(folder, file), 'utf8'))?.[1]
      return { name: file.slice(0, -'.ts'.length), bornIn: since === undefined ? Number.NaN : Number(since) }
    })
    .sort((a, b) => a.bornIn - b.bornIn || a.name.localeCompare(b.name))
}

/** What breaks the growth rule in a repository, a line each: empty when nothing does. */
export function growthProblems(root: string): string[] {
  const modules = coreModules(root)
  const bornIn = new Map(modules.map(({ name, bornIn }) => [name, bornIn]))
  const problems = modules
    .filter(({ bornIn }) => Number.isNaN(bornIn))
    .map(
      ({ name }) =>
        `packages/core/src/${name}.ts has no line " * @since 0.NN.0" that says which chapter brought it`,
    )

  for (const { name, bornIn: own } of modules) {
    const file = join(root, 'packages/core/src', `${name}.ts`)
    for (const { specifier, line } of importsOf(file)) {
      const other = /^\.\/([\w-]+)\.ts$/.exec(specifier)?.[1]
      const others = other === undefined ? undefined : bornIn.get(other)
      if (others !== undefined && others > own) {
        problems.push(
          `${relative(root, file)}:${line} imports ./${other}.ts, born in ${twoDigits(others)}, and is itself born in ${twoDigits(own)}`,
        )
      }
    }
  }

  const chapters = readdirSync(join(root, 'chapters')).filter((name) => /^\d\d-/.test(name))
  for (const chapter of chapters.sort()) {
    const folder = join(root, 'chapters', chapter)
    for (const file of sourcesIn(folder)) {
      for (const { specifier, line } of importsOf(file)) {
        const why = whyForbidden(specifier, file, folder, Number.parseInt(chapter, 10), bornIn)
        if (why) problems.push(`${relative(root, file)}:${line} imports ${specifier}, ${why}`)
      }
    }
  }
  return problems
}

function whyForbidden(
  specifier: string,
  file: string,
  folder: string,
  chapter: number,
  bornIn: ReadonlyMap<string, number>,
): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('/')) {
    const inside = resolve(dirname(file), specifier).startsWith(`${folder}/`)
    return inside ? undefined : 'outside its own folder'
  }
  if (specifier === '@rpi-cluster/tutorial' || specifier.startsWith('@rpi-cluster/tutorial/')) {
    return file.startsWith(join(folder, 'test')) ? undefined : 'which only tests may use'
  }
  if (specifier !== CORE && !specifier.startsWith(`${CORE}/`)) return undefined

  const born = bornIn.get(specifier.slice(CORE.length + 1))
  if (born === undefined) return "past the core's exports"
  return born > chapter ? `born in ${twoDigits(born)}` : undefined
}

/** Every module that a source file names: in imports, re-exports, and import() of a text. */
function importsOf(file: string): { specifier: string; line: number }[] {
  const text = readFileSync(file, 'utf8')
  const { module } = parseSync(file, text)
  const named = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => moduleRequest ?? []),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
      start,
      value: text.slice(start, end).replace(/^['"`]|['"`]$/g, ''),
    })),
  ]
  return named.map(({ value, start }) => ({
    specifier: value,
    line: text.slice(0, start).split('\n').length,
  }))
}

/** The sources of a chapter: its programs and its tests. */
function sourcesIn(folder: string): string[] {
  return ['src', 'test']
    .map((part) => join(folder, part))
    .flatMap((part) => filesIn(part).map((name) => join(part, name)))
    .filter((path) => /\.[cm]?[jt]s$/.test(path))
    .sort()
}

function twoDigits(chapter: number): string {
  return String(chapter).padStart(2, '0')
}
