/**
 * The programs that tests start, as JavaScript: built once a run, they start in a fifth of the time that their
 * sources take with tsx. What they import of this package is in them, as it is now.
 */
import { join } from 'node:path'
import { build } from 'tsup'

/** Below this package's folder, so that a built program finds the same package.json and libraries as its source. */
export const BUILT_FIXTURES = join(import.meta.dirname, '../node_modules/.cache/fixtures')

export default async function setup(): Promise<void> {
  await build({
    entry: [join(import.meta.dirname, 'fixtures/*.ts').replaceAll('\\', '/')],
    outDir: BUILT_FIXTURES,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    splitting: false,
    skipNodeModulesBundle: true,
    clean: true,
    config: false,
    silent: true,
  })
}
