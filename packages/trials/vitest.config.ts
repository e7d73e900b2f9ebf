import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // By its log a test sees that no message is lost, and a log leaves out most of a flood of them.
    env: { LOG_EVERY_LINE: '1' },
    // Clusters of processes start in hooks and tests, and a busy machine takes its time with them.
    hookTimeout: 120_000,
    testTimeout: 120_000,
  },
})
