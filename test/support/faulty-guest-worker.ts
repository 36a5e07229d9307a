/** A guest worker whose guests, by their names, do what a guest worker must never do. */
import { createGuest } from "../../guest/guest.ts";
import { assert } from "../../src/base/assert.ts";
import type { CreateGuest, GuestMachine } from "../../src/run/contract.ts";
import { guestWorkerApi } from "../../src/run/threads/guest-thread.ts";
import { serveControl } from "../../src/run/threads/serve.ts";

/** Polls before a fault of the running guest: some of its boot has happened by then. */
const POLLS = 300;

function fail(): never {
  assert(false, "a test's broken invariant");
}

const createFaulty: CreateGuest = (env, plan, port) => {
  const [fault, when] = plan.spec.name.split(" in ");
  const machine = createGuest(env, plan, port);
  if (when === undefined) return machine;
  const act = (): void => {
    if (fault === "throws") fail();
    if (fault === "errs") (undefined as unknown as GuestMachine).start();
    if (fault === "exits") process.exit(7);
    if (fault === "throws late") setTimeout(fail, 0);
  };
  if (when === "setUp") act();
  let polls = 0;
  return new Proxy(machine, {
    get(target, property) {
      const method = Reflect.get(target, property) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (property === when && (when !== "poll" || ++polls === POLLS)) act();
        return method.apply(target, args);
      };
    },
  });
};

serveControl(guestWorkerApi(createFaulty));
