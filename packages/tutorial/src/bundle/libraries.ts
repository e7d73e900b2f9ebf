/**
 * How libraries go into a bundle: whole, but for what nobody uses, and compact, since a reader of a bundle looks for the
 * program and the core. These stay as they are written.
 */
import { readFileSync } from 'node:fs'
import type { Options } from 'tsup'

export type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Leaves out what pino and pino-pretty have for other ways to write, and makes compact what is left of the libraries. */
export const compactLibraries: Plugin = {
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
      const { code } = await build.esbuild.transform(readFileSync(path, 'utf8'), {
        loader: 'js',
        minify: true,
        legalComments: 'inline', // licences ask to be kept
      })
      return { contents: code, pluginData }
    })
  },
}

/** Marks a question of this plugin's own. */
const HERE = Symbol('compact-libraries')

/** What a source says that imports nothing else of pino-pretty. */
const FORMATS_ONLY = /^import \{ prettyFactory \} from 'pino-pretty'$/m

const LEFT_OUT = `module.exports = () => {
  throw new Error('A transport of pino runs files of its own, which a bundle has not: give pino a stream.')
}`
