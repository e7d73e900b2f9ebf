import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: 'test/built-fixtures.ts',
    // Some tests start processes, and a busy machine takes its time with them. Longer than a test waits for anything, up to
    // 30 s: so that what is told is what did not come, and not that the test took too long.
    testTimeout: 60_000,
  },
})
