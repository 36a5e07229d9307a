/** The version of this package, from its own package.json wherever it is installed. */
import { createRequire } from "node:module";

/** Resolves by the package's own name, so that it holds in sources, dist and node_modules. */
export const VERSION = (
  createRequire(import.meta.url)("vfio-cosim/package.json") as { version: string }
).version;
