import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Some tests start processes, and a busy machine takes its time with them.
    testTimeout: 30_000,
  },
})
