import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: 'test/built-fixtures.ts',
    // Some tests start processes, and a busy machine takes its time with them.
    testTimeout: 30_000,
  },
})
