/** A host worker that, by its scenario's name, does what a host worker must never do. */
import { createHost } from "../../host/host.ts";
import { assert } from "../../src/base/assert.ts";
import { UsageError } from "../../src/base/errors.ts";
import type { CreateHost, HostMachine } from "../../src/run/contract.ts";
import type { HostWorkerApi } from "../../src/run/threads/api.ts";
import { hostWorkerApi } from "../../src/run/threads/host-thread.ts";
import { serveControl } from "../../src/run/threads/serve.ts";

const POLLS = 300;
let scenarioName = "";

const createFaulty: CreateHost = (env, host, devices) => {
  const [fault, when] = scenarioName.split(" in ");
  const machine: HostMachine = createHost(env, host, devices);
  const act = (): void => {
    if (fault === "throws") assert(false, "a test's broken invariant");
    if (fault === "refuses") throw new UsageError("a test's refusal", { hint: "try another" });
    if (fault === "exits") process.exit(7);
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

const api: HostWorkerApi = hostWorkerApi(createFaulty);
serveControl({
  ...api,
  async setUp(setUp: Parameters<HostWorkerApi["setUp"]>[0]) {
    scenarioName = setUp.scenario.name;
    await api.setUp(setUp);
  },
});
