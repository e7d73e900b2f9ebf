/** Programs as JavaScript, by tsup: a readable file each, and beside them what they share. */
import { mkdirSync, readdirSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { build } from 'tsup'
import type { Chapter } from '../chapters/chapters.ts'
import { ReaderError } from '../workspace/reader-error.ts'
import { ROOT } from '../workspace/repository.ts'
import { compactLibraries } from './libraries.ts'
import { type Data, Places } from './places.ts'

/** What esbuild calls a file of what programs share. */
const SHARED = 'shared-[hash]'

export interface BuildOptions {
  /** Where to write them. */
  folder: string
  /** Which versions of Node they are for, as package.json says it: `>=20.19`. */
  node: string
}

/**
 * Makes `NAME.js` of `src/NAME.ts` for each program of a chapter, and of each worker that one of them starts. What only
 * one of them imports is in its file. What several import is in a file `shared-HASH.js`: one for each set of programs that
 * share something, so that none loads what it does not import.
 *
 * @returns the data that the programs read from beside their sources
 * @throws ReaderError when one cannot be compiled, or needs native code
 */
export async function buildPrograms(
  chapter: Chapter,
  programs: readonly string[],
  { folder, node }: BuildOptions,
): Promise<Data[]> {
  mkdirSync(folder, { recursive: true })
  const places = new Places(chapter.folder)
  for (const program of programs) places.addScript(join(chapter.folder, 'src', `${program}.ts`))
  for (;;) {
    // Which workers there are shows when the programs that start them are read.
    const entry = places.takeScripts()
    if (Object.keys(entry).length === 0) break
    await build({
      entry,
      outDir: folder,
      format: 'esm',
      platform: 'node',
      target: `node${/\d+(\.\d+)*/.exec(node)?.[0]}`,
      tsconfig: join(ROOT, 'tsconfig.json'),
      config: false,
      silent: true,
      splitting: true,
      noExternal: [/./],
      removeNodeProtocol: false,
      outExtension: () => ({ js: '.js' }),
      esbuildPlugins: [places.plugin(), compactLibraries((path) => places.addData(path))],
      plugins: [
        {
          name: 'head',
          renderChunk: (code, { path }) => ({ code: headOf(code, path, chapter) + withShortPaths(code) }),
        },
      ],
      esbuildOptions(options) {
        options.absWorkingDir = ROOT
        // By its content: what another version of the bundle shares is another file.
        options.chunkNames = SHARED
        options.logLevel = 'silent' // what is wrong is in the error
      },
    }).catch((error) => {
      throw compilerError(error)
    })
  }
  const native = readdirSync(folder).filter((file) => file.endsWith('.node'))
  if (native.length > 0) {
    throw new ReaderError(
      `${chapter.name} needs native code (${native.join(', ')}), which runs on one kind of processor only. A bundle is JavaScript: look for a library without it.`,
    )
  }
  return places.data
}

/** What stands above the modules of a file: what it is, and what a library asks for that is no module itself. */
function headOf(code: string, path: string, { name }: Chapter): string {
  const asked = {
    require: ['__require', 'requireFor(import.meta.url)'],
    __dirname: ['__dirname', 'import.meta.dirname'],
    __filename: ['__filename', 'import.meta.filename'],
  }
  const given = Object.entries(asked)
    .filter(([own, [used]]) => code.match(`\\b${used}\\b`) && !code.match(`(const|let|var) ${own}\\b`))
    .map(([own, [, value]]) => `const ${own} = ${value}\n`)
  const what = basename(path).startsWith('shared-')
    ? 'what several of its programs import'
    : 'a program, with what no other one imports. The program itself comes last'
  return [
    `// Made by "pnpm bundle ${name}": ${what}.\n`,
    ...(given[0]?.startsWith('const require')
      ? ["import { createRequire as requireFor } from 'node:module'\n"]
      : []),
    ...given,
    '\n',
  ].join('')
}

/** Names the modules of libraries as npm would, and not by where pnpm has put them: of that a bundle would have 30 kB. */
function withShortPaths(code: string): string {
  return (
    code
      .replace(/\bnode_modules\/\.pnpm\/[^/\s"]+\/node_modules\//g, 'node_modules/')
      // What stands again in the line after next.
      .replace(/^\/\/ (node_modules\/\S+)\n(?=var \w+ = __commonJS\(\{\n +"\1")/gm, '')
  )
}

/** What esbuild found wrong, a line for each. Any other error is none of the reader's. */
function compilerError(error: unknown): unknown {
  if (!(error instanceof Error) || !('errors' in error)) return error
  const { errors } = error as BuildFailure
  return new ReaderError(
    errors
      .map(({ text, location }) =>
        location
          ? `${relative(process.cwd(), join(ROOT, location.file))}:${location.line}:${location.column + 1}: ${text}`
          : text,
      )
      .join('\n'),
  )
}

/** What esbuild throws. */
interface BuildFailure extends Error {
  errors: { text: string; location: { file: string; line: number; column: number } | null }[]
}
