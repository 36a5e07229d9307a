/** Vitest set-up: every test in one place, and TypeScript for the worker threads tests start. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

/** Tests that need a process of their own: they start threads, or look at the heap. */
const ALONE = ["test/threads/**/*.test.ts", "test/unit/host/delivery-heap.test.ts"];

/** Proofs that would take `npm test` too long: `npm run test:long`. */
const LONG = "test/long/**/*.test.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = `${root}dist/src/run/worker-urls.js`;

/**
 * `npm test` has just built dist, and its worker threads start from there: half a second of CPU
 * time less for each. Vitest alone has them start from the sources, which are never stale.
 */
const builtWorkers: Plugin = {
  name: "built-workers",
  enforce: "pre",
  resolveId: (source) => (source.endsWith("/worker-urls.ts") ? built : null),
};

const isBuilt = process.env.npm_lifecycle_event === "test" && existsSync(built);

export default defineConfig({
  plugins: isBuilt ? [builtWorkers] : [],
  test: {
    root,
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    // Vitest does not transform worker threads; the preload registers tsx's loader where needed.
    execArgv: ["--import", new URL("./tsx-loader.mjs", import.meta.url).href],
    projects: [
      {
        extends: true,
        // Loading the modules anew for each of two hundred files took longer than the tests.
        test: {
          name: "shared",
          include: ["test/**/*.test.ts"],
          exclude: [...ALONE, LONG],
          isolate: false,
        },
      },
      { extends: true, test: { name: "alone", include: ALONE } },
      { extends: true, test: { name: "long", include: [LONG] } },
    ],
  },
});
