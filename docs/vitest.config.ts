import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// .ci/run counts the tests from this file.
const report = process.env['TEST_REPORT']
// It has a test that fails run again.
const retry = Number(process.env['TEST_RETRY'] ?? 0)

/** The built site in a real browser. No part of `pnpm test`, which does without one. */
export default defineConfig({
  test: {
    include: ['test/*.browser.test.ts'],
    globalSetup: 'test/support/built-sites.ts',
    // A busy machine takes its time with a browser.
    hookTimeout: 180_000,
    testTimeout: 180_000,
    // A browser keeps a core busy: more of them than that only wait for each other.
    maxWorkers: 2,
    retry,
    ...(report && {
      reporters: [
        'default',
        ['json', { outputFile: report }],
        [join(import.meta.dirname, '../.ci/unhandled-errors.js'), { outputFile: report }],
      ],
    }),
  },
})
