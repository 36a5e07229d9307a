/**
 * Preload that teaches a test process, and each worker it starts, to load TypeScript; but for those
 * that start from dist: the loader costs several times what they load.
 */
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

if (isMainThread || !process.argv[1]?.startsWith(dist)) {
  const { register } = await import("tsx/esm/api");
  register();
}
