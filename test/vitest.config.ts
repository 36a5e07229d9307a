/** Vitest set-up: every test in one place, and TypeScript for the worker threads tests start. */
import { defineConfig } from "vitest/config";

/** Tests that need a process of their own: they start threads, or look at the heap. */
const ALONE = ["test/threads/**/*.test.ts", "test/unit/host/delivery-heap.test.ts"];

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    // Vitest does not transform worker threads; the preload registers tsx's loader in each of them.
    execArgv: ["--import", new URL("./tsx-loader.mjs", import.meta.url).href],
    projects: [
      {
        extends: true,
        // Loading the modules anew for each of two hundred files took longer than the tests.
        test: { name: "shared", include: ["test/**/*.test.ts"], exclude: ALONE, isolate: false },
      },
      { extends: true, test: { name: "alone", include: ALONE } },
    ],
  },
});
