import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Most tests start processes, and a busy machine takes its time with them.
    testTimeout: 60_000,
  },
})
