/** Vitest set-up: every test in one place, and TypeScript for the worker threads tests start. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    // Vitest does not transform worker threads; the preload registers tsx's loader in each of them.
    execArgv: ["--import", new URL("./tsx-loader.mjs", import.meta.url).href],
  },
});
