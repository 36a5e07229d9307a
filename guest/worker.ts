/** Thread shell of a guest worker: nothing but wiring, so that all else is tested in-thread. */

import { guestWorkerApi } from "../src/run/threads/guest-thread.ts";
import { serveControl } from "../src/run/threads/serve.ts";
import { createGuest } from "./guest.ts";

serveControl(guestWorkerApi(createGuest));
