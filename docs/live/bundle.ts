/**
 * Makes what the page needs to run chapters' programs: the worker that a node runs in, with the core, its libraries and
 * the stand-ins for Node's modules; and for each chapter its programs as they are, which the page turns into JavaScript.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Chapter } from '@rpi-cluster/tutorial/chapters/chapters'
import { build, type ImportKind, type Plugin } from 'esbuild'
import type { LiveChapter } from './chapter.ts'

const HERE = dirname(fileURLToPath(import.meta.url))

/** Where npm has what a stand-in would be a copy of. */
const KEPT: Record<string, string> = {
  path: 'path-browserify',
  stream: 'readable-stream',
  string_decoder: 'string_decoder/',
}

/** What a reader may import besides, who changes a program. */
const FOR_READERS = [
  'net',
  'timers/promises',
  'fs',
  'fs/promises',
  'os',
  'path',
  'events',
  'crypto',
  'util',
  'buffer',
  'process',
]

/** What the page needs of a chapter that runs there; nothing of one that cannot. */
export function liveChapter(chapter: Chapter): LiveChapter | undefined {
  const { name, folder, programs, config, live } = chapter
  if (live !== true) return undefined
  const paths = new Set<string>()
  for (const { name } of programs) addWithImports(folder, join('src', `${name}.ts`), paths)
  if (config !== undefined) paths.add(config)
  return {
    name,
    ...(config !== undefined && { config }),
    programs: programs.map(({ name, ready, many, copies, connectsTo, args }) => ({
      name,
      ready,
      ...(many !== undefined && { many }),
      copies,
      ...(connectsTo !== undefined && { connectsTo }),
      args,
    })),
    files: Object.fromEntries([...paths].map((path) => [path, readFileSync(join(folder, path), 'utf8')])),
  }
}

/** The worker's program for these chapters, as one file. */
export async function liveWorker(chapters: readonly Chapter[]): Promise<string> {
  const imports = importsOfAll(chapters)
  const { outputFiles } = await build({
    entryPoints: [join(HERE, 'worker.ts')],
    bundle: true,
    write: false,
    minify: true,
    keepNames: false,
    format: 'iife',
    platform: 'neutral',
    // Not the files that packages have for browsers: the programs believe that they are in Node.
    mainFields: ['module', 'main'],
    conditions: ['node', 'import', 'module', 'default'],
    target: 'es2023',
    legalComments: 'none',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [standIns(imports)],
  })
  return outputFiles[0]?.text ?? ''
}

/** Node's modules, by what stands in for them, and the list of what a program may import. */
function standIns(imports: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'stand-ins',
    setup({ onResolve, onLoad, resolve }) {
      /** A package that a chapter has, as it has it. */
      const ownOf = (path: string, kind: ImportKind) => {
        const resolveDir = imports.get(path)
        return resolveDir === undefined ? undefined : resolve(path, { kind, resolveDir, pluginData: 'kept' })
      }
      onResolve({ filter: /^virtual:live-modules$/ }, ({ path }) => ({ path, namespace: 'live' }))
      onLoad({ filter: /.*/, namespace: 'live' }, () => ({
        contents: registry([...imports.keys()].sort()),
        resolveDir: HERE,
      }))
      onResolve(
        { filter: /^(node:)?[a-z_]+(\/promises)?$|^process\/$/ },
        ({ path, kind, importer, pluginData }) => {
          if (pluginData === 'kept') return undefined
          const name = path === 'process/' ? 'early' : path.replace(/^node:/, '')
          // What is required is the class itself, which a module of ours cannot be.
          const kept = name === 'events' && kind === 'require-call' ? 'events/events.js' : KEPT[name]
          if (kept !== undefined)
            return resolve(kept, { kind, importer, resolveDir: HERE, pluginData: 'kept' })
          const file = join(HERE, 'node', `${name.replace('/', '-')}.ts`)
          if (existsSync(file)) return { path: file, sideEffects: name === 'early' }
          // What a library asks for and no program here uses: pino's threads, for one.
          if (path.startsWith('node:') || UNUSED.has(name)) return { path: name, namespace: 'unused' }
          return ownOf(path, kind)
        },
      )
      onResolve({ filter: /^[@a-z]/, namespace: 'live' }, ({ path, kind }) => ownOf(path, kind))
      onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }))
    },
  }
}

const UNUSED = new Set([
  'assert',
  'async_hooks',
  'diagnostics_channel',
  'http',
  'module',
  'url',
  'v8',
  'vm',
  'zlib',
  'dns',
  'tls',
  'https',
])

/** What programs import, and the folder of a chapter that does. */
function importsOfAll(chapters: readonly Chapter[]): Map<string, string> {
  const imports = new Map(FOR_READERS.map((name) => [`node:${name}`, HERE]))
  for (const chapter of chapters)
    for (const [path, text] of Object.entries(liveChapter(chapter)?.files ?? {}))
      for (const specifier of path.endsWith('.ts') ? importsOf(text) : [])
        if (!isLocal(specifier) && !imports.has(specifier)) imports.set(specifier, chapter.folder)
  return imports
}

function registry(imports: readonly string[]): string {
  const lines = imports.map((specifier, index) => `import * as m${index} from ${JSON.stringify(specifier)}`)
  // As it tells apart what was a module from what was not.
  const entries = imports.map(
    (specifier, index) => `${JSON.stringify(specifier)}: { __esModule: true, ...m${index} }`,
  )
  return `${lines.join('\n')}\nexport const modules = {\n${entries.join(',\n')}\n}\n`
}

function addWithImports(folder: string, path: string, paths: Set<string>): void {
  if (paths.has(path)) return
  paths.add(path)
  for (const specifier of importsOf(readFileSync(join(folder, path), 'utf8')))
    if (isLocal(specifier))
      addWithImports(folder, relative(folder, join(folder, dirname(path), specifier)), paths)
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export|\}) ?.*?(?:from )?'([^']+)'$/gm)].map(
    ([, specifier = '']) => specifier,
  )
}

function isLocal(specifier: string): boolean {
  return specifier.startsWith('.')
}
