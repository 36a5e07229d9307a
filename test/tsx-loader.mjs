/**
 * Preload that teaches a test process, and each worker it starts, to load TypeScript; but for those
 * that were built before: the loader costs several times what they load.
 */
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const built = ["dist", "build"].map((name) =>
  fileURLToPath(new URL(`../${name}/`, import.meta.url)),
);
const entry = process.argv[1] ?? "";

if (isMainThread || !built.some((place) => entry.startsWith(place))) {
  const { register } = await import("tsx/esm/api");
  register();
}
