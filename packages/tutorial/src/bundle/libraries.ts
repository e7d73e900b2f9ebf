/**
 * What of the libraries goes into a bundle, and how. Most go whole, but for what esbuild sees that nobody uses; of these
 * two that would be much of the bundle, and it is seen here. What goes in is compact, since a reader of a bundle looks
 * for the program and the core: these stay as they are written.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Options } from 'tsup'

export type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Leaves out most of systeminformation, and the transports of pino, and makes compact what is left of the libraries. */
export const onlyWhatIsUsed: Plugin = {
  name: 'only-what-is-used',
  setup(build) {
    build.onResolve(
      { filter: /^systeminformation$/ },
      async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (pluginData === HERE) return undefined
        const main = await build.resolve(path, { importer, resolveDir, kind, pluginData: HERE })
        if (main.errors.length > 0) return main
        const part = partOf(main.path, namesImported(readFileSync(importer, 'utf8'), path))
        return { path: part ?? main.path }
      },
    )

    // A transport runs in a worker thread whose file pino looks for beside its own.
    build.onLoad({ filter: /[\\/]pino[\\/]lib[\\/]transport\.js$/ }, () => ({
      contents: `module.exports = () => {
  throw new Error('A transport of pino runs files of its own, which a bundle has not: give pino a stream.')
}`,
    }))

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

/** Marks a question of this plugin's own. */
const HERE = Symbol('only-what-is-used')

/**
 * The one file of a library that has all the functions with these names: its main file only collects them, as
 * `const cpu = require('./cpu')` and `exports.cpuFlags = cpu.cpuFlags`, and a bundle of it would be 740 kB.
 *
 * @returns nothing when there are several, or the main file does more than that for one of them
 */
function partOf(main: string, names: readonly string[] | undefined): string | undefined {
  const text = readFileSync(main, 'utf8')
  const files = names?.map((name) => {
    const from = new RegExp(`^exports\\.${name} = (\\w+)\\.${name};`, 'm').exec(text)?.[1]
    return from && new RegExp(`^const ${from} = require\\('(\\./[\\w-]+)'\\);`, 'm').exec(text)?.[1]
  })
  const [file, ...others] = new Set(files)
  return file && others.length === 0 ? join(dirname(main), `${file}.js`) : undefined
}

/** The names that a source imports from a library; nothing when it may be any. */
function namesImported(source: string, library: string): string[] | undefined {
  const mentions = source.split(`'${library}'`).length - 1
  const imports = [
    ...source.matchAll(new RegExp(`\\{([^{}]*)\\} = await import\\('${library}'\\)`, 'g')),
    ...source.matchAll(new RegExp(`^import \\{([^{}]*)\\} from '${library}'`, 'gm')),
  ]
  if (imports.length === 0 || imports.length !== mentions) return undefined
  return imports.flatMap(([, names = '']) =>
    names
      .split(',')
      .map((name) => name.split(/:| as /)[0]?.trim() ?? '')
      .filter(Boolean),
  )
}
