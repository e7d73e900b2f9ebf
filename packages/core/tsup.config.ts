import { readFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

const THREAD = /new URL\('(\.\/[\w-]+)\.ts', import\.meta\.url\)/g

/**
 * Every source stays a module of its own, as the wildcard in "exports" promises, and finds the others as JavaScript: those
 * that it imports, and those that it starts as threads.
 */
const oneModulePerSource: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'one-module-per-source',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(THREAD, "new URL('$1.js', import.meta.url)"),
      loader: 'ts',
    }))
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
  esbuildPlugins: [oneModulePerSource],
})
