/** Vitest set-up for mutation runs: the fast tests of the host, in one thread, up to a failure. */
import { relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { byDistance } from "./order.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

class NearestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const byName = new Map(files.map((file) => [relative(ROOT, file.moduleId), file]));
    const names = byDistance([...byName.keys()], process.env.MUTATED_FILE ?? "");
    return names.map((name) => byName.get(name)!);
  }
}

export default defineConfig({
  test: {
    root: ROOT,
    include: [
      "test/unit/host/{irq,vfio,kvm,process}/**/*.test.ts",
      "test/unit/host/*.test.ts",
      "test/property/{irq,irq-pool,vector-matrix,amd-vi,its,lpi-ranges}.test.ts",
      "test/mutation/{lives,recordings}.ts",
    ],
    sequence: { sequencer: NearestFirst },
    pool: "threads",
    maxWorkers: 1,
    isolate: false,
    bail: 1,
    testTimeout: 30_000,
  },
});
