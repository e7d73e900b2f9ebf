import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Most tests start processes, and a busy machine takes its time with them.
    testTimeout: 180_000,
    // So it does with deleting the copies that they were started in.
    hookTimeout: 60_000,
  },
})
