/** Thread shell of the host worker: nothing but wiring, so that all else is tested in-thread. */

import { hostWorkerApi } from "../src/run/threads/host-thread.ts";
import { serveControl } from "../src/run/threads/serve.ts";
import { createHost } from "./host.ts";

serveControl(hostWorkerApi(createHost));
