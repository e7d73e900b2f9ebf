/**
 * The programs that tests start, as JavaScript: built once a run, they start in a fifth of the time that their
 * sources take with tsx. What they import of this package is in them, as it is now. The stores are there, too, with their
 * threads, and what processes for tasks run, for the tests themselves: on Node 20 those of TypeScript take ten times as long
 * to start.
 */
import { readdirSync } from 'node:fs'
import { join, parse } from 'node:path'
import { build } from 'tsup'
import { threadsAsJavaScript } from '../tsup.config.ts'

/** Below this package's folder, so that a built program finds the same package.json and libraries as its source. */
export const BUILT_FIXTURES = join(import.meta.dirname, '../node_modules/.cache/fixtures')

const FIXTURES = join(import.meta.dirname, 'fixtures')

export default async function setup(): Promise<void> {
  await build({
    entry: Object.fromEntries([
      ...readdirSync(FIXTURES)
        .filter((file) => file.endsWith('.ts'))
        .map((file) => [parse(file).name, join(FIXTURES, file)]),
      ...[
        'store',
        'store-worker',
        'task-child',
        'task-store',
        'task-store-worker',
        'replica-store',
        'replica-store-worker',
      ].map((name) => [name, join(import.meta.dirname, `../src/${name}.ts`)]),
    ]),
    outDir: BUILT_FIXTURES,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    splitting: false,
    skipNodeModulesBundle: true,
    clean: true,
    esbuildPlugins: [threadsAsJavaScript],
    config: false,
    silent: true,
  })
}
