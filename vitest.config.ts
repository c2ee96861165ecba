import { defineConfig } from 'vitest/config'
import vue from '@vitejs/plugin-vue'

export default defineConfig({
  plugins: [vue()],
  test: {
    // What is waited for is judged by whether it comes, not by how soon: a busy machine is slow.
    expect: { poll: { timeout: 20_000 } },
    // One worker a core; the levels that need the machine for themselves run one file at a time.
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/rules/**/*.test.ts', 'test/unit/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/simulation/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 600_000, hookTimeout: 900_000, fileParallelism: false } },
    ],
  },
})
