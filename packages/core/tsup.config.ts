import { readFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Threads are started with JavaScript, where their sources have become that. */
export const threadsAsJavaScript: Plugin = {
  name: 'threads-as-javascript',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(
        /new URL\('(\.\/[\w-]+)\.ts', import\.meta\.url\)/g,
        "new URL('$1.js', import.meta.url)",
      ),
      loader: 'ts',
    }))
  },
}

/** Every source stays a module of its own, as the wildcard in "exports" promises, and finds the others as JavaScript. */
const oneModulePerSource: Plugin = {
  name: 'one-module-per-source',
  setup({ onResolve }) {
    onResolve({ filter: /^\..*\.ts$/ }, ({ kind, path }) =>
      kind === 'entry-point' ? undefined : { path: path.replace(/ts$/, 'js'), external: true },
    )
  },
}

export default defineConfig({
  entry: ['src/*.ts'],
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  splitting: false,
  skipNodeModulesBundle: true,
  sourcemap: true,
  clean: true,
  esbuildPlugins: [threadsAsJavaScript, oneModulePerSource],
})
