import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config'

// .ci/run counts the tests from this file.
const report = process.env['TEST_REPORT']

// .ci/run has a test that fails run again.
const retry = Number(process.env['TEST_RETRY'] ?? 0)

// pnpm test:report says what they cost.
const isMeasured = process.env['TEST_CPU'] !== undefined
const cpuReport = join(import.meta.dirname, 'packages/tutorial/src/harness/cpu-report.ts')

// In a reader's practice folder its own tests run, and no others. From elsewhere they do not: they may well fail.
const isPractice = dirname(process.cwd()) === join(import.meta.dirname, 'practice')

type Reporters = NonNullable<NonNullable<ViteUserConfig['test']>['reporters']>
const reporters: Reporters = [
  'default',
  ...(isMeasured ? [cpuReport] : []),
  ...(report
    ? ([
        ['json', { outputFile: report }],
        [join(import.meta.dirname, '.ci/unhandled-errors.js'), { outputFile: report }],
      ] satisfies [string, object][])
    : []),
]

/** The packages in a folder. */
function packagesIn(folder: string): string[] {
  return readdirSync(join(import.meta.dirname, folder))
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(import.meta.dirname, path, 'package.json')))
}

/** A package's tests, or a chapter's. */
function project(folder: string): TestProjectInlineConfiguration {
  const root = join(import.meta.dirname, folder)
  const own = join(root, 'vitest.config.ts')
  return {
    ...(existsSync(own) && { extends: own }),
    root,
    test: {
      name: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).name,
      // Tests keep nothing between files: to load the harness and its libraries once a worker is enough. But the core's
      // own look at what a module leaves in its process.
      isolate: folder === 'packages/core',
      retry,
      ...(folder.startsWith('chapters') && { testTimeout: 120_000, hookTimeout: 120_000 }),
      ...(isMeasured && {
        setupFiles: [join(import.meta.dirname, 'packages/tutorial/src/harness/cpu-meter.ts')],
      }),
    },
  }
}

export default defineConfig({
  test: {
    projects: isPractice ? [process.cwd()] : ['packages', 'chapters'].flatMap(packagesIn).map(project),
    // Tests mostly wait for the processes they start, so more of them than there are cores can go on at once.
    maxWorkers: 4,
    reporters,
  },
})
