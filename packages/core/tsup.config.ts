import { defineConfig, type Options } from 'tsup'

/** Every source stays a module of its own, as the wildcard in "exports" promises, and finds the others as JavaScript. */
const oneModulePerSource: NonNullable<Options['esbuildPlugins']>[number] = {
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
  esbuildPlugins: [oneModulePerSource],
})
