import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Clusters of processes start in hooks and tests, and a busy machine takes its time with them.
    hookTimeout: 60_000,
    testTimeout: 60_000,
  },
})
