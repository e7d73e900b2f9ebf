/**
 * How libraries go into a bundle: whole, but for what nobody uses, and compact, since a reader of a bundle looks for the
 * program and the core. These stay as they are written.
 */
import { readFileSync } from 'node:fs'
import type { Options } from 'tsup'

export type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Leaves out the transports of pino, and makes compact what is left of the libraries. */
export const compactLibraries: Plugin = {
  name: 'compact-libraries',
  setup(build) {
    // A transport runs in a worker thread whose file pino looks for beside its own. pino-pretty could be one.
    build.onLoad(
      { filter: /[\\/](pino[\\/]lib[\\/]transport|pino-abstract-transport[\\/]index|pump[\\/]index)\.js$/ },
      () => ({
        contents: `module.exports = () => {
  throw new Error('A transport of pino runs files of its own, which a bundle has not: give pino a stream.')
}`,
      }),
    )

    build.onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, async ({ path }) => {
      const { code } = await build.esbuild.transform(readFileSync(path, 'utf8'), {
        loader: 'js',
        minify: true,
        legalComments: 'inline', // licences ask to be kept
      })
      return { contents: code }
    })
  },
}
