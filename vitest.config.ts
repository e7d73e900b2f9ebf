import { dirname, join } from 'node:path'
import { defineConfig } from 'vitest/config'

// .ci/run counts the tests from this file.
const report = process.env['TEST_REPORT']

// In a reader's practice folder its own tests run, and no others. From elsewhere they do not: they may well fail.
const isPractice = dirname(process.cwd()) === join(import.meta.dirname, 'practice')

export default defineConfig({
  test: {
    projects: isPractice ? [process.cwd()] : ['packages/*', 'chapters/*'],
    // Tests mostly wait for the processes they start, so more of them than there are cores can go on at once.
    maxWorkers: 4,
    ...(report && { reporters: ['default', ['json', { outputFile: report }]] }),
  },
})
