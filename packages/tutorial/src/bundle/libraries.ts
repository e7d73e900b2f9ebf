/**
 * How libraries go into a bundle: whole, but for what nobody uses, and compact, since a reader of a bundle looks for the
 * program and the core. These stay as they are written. A library that is compiled to WebAssembly reads a file beside its
 * own, which runs on every processor, too: it comes along.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Options } from 'tsup'

export type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/**
 * Leaves out what pino and pino-pretty have for other ways to write, and makes compact what is left of the libraries.
 *
 * @param placeOf gives a file that a library reads a place in the bundle's own folder
 */
export const compactLibraries = (placeOf: (path: string) => string): Plugin => ({
  name: 'compact-libraries',
  setup(build) {
    // A transport runs in a worker thread whose file pino looks for beside its own.
    build.onLoad({ filter: /[\\/]pino[\\/]lib[\\/]transport\.js$/ }, () => ({ contents: LEFT_OUT }))

    // pino-pretty is a stream, too, and a transport. Who wants no more of it than that it formats lines gets no more.
    build.onResolve({ filter: /^pino-pretty$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === HERE || !FORMATS_ONLY.test(readFileSync(from.importer, 'utf8'))) return undefined
      const main = await build.resolve(path, { ...from, pluginData: HERE })
      return { ...main, suffix: '?formats-only', pluginData: FORMATS_ONLY }
    })
    build.onResolve({ filter: /^(pump|pino-abstract-transport)$/ }, ({ path, pluginData }) =>
      pluginData === FORMATS_ONLY ? { path, namespace: 'left-out' } : undefined,
    )
    build.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: LEFT_OUT }))

    build.onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, async ({ path, pluginData }) => {
      const text = readFileSync(path, 'utf8').replace(WEBASSEMBLY, (whole, name: string) => {
        const file = join(dirname(path), name)
        return existsSync(file) ? JSON.stringify(placeOf(file)) : whole
      })
      const { code } = await build.esbuild.transform(text, {
        loader: 'js',
        minify: true,
        legalComments: 'inline', // licences ask to be kept
      })
      return { contents: code, pluginData }
    })
  },
})

/** What a library's source calls such a file. */
const WEBASSEMBLY = /["']([\w.-]+\.wasm)["']/g

/** Marks a question of this plugin's own. */
const HERE = Symbol('compact-libraries')

/** What a source says that imports nothing else of pino-pretty. */
const FORMATS_ONLY = /^import \{ prettyFactory \} from 'pino-pretty'$/m

const LEFT_OUT = `module.exports = () => {
  throw new Error('A transport of pino runs files of its own, which a bundle has not: give pino a stream.')
}`
