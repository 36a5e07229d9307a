import { expect, test } from "vitest";
import { VmProcess } from "../../../guest/vm-process.ts";
import { Bench } from "./kernel/bench.ts";

const MS = 1e6;

test("a VMM that fails an assertion ends its process, under the assertion's name", () => {
  const bench = new Bench({ timeline: [{ at: 0, do: "boot" }] });
  const guest = new VmProcess(bench.env, bench.plan, bench.guest, bench.vm);
  guest.start();
  bench.advance(MS);
  expect(guest.alive()).toBe(true);
  bench.vm.onAbort!("msix_unset_vector_notifiers: Assertion failed.");
  expect(guest.alive()).toBe(false);
  expect(guest.busy()).toBe(false);
  expect(guest.poll()).toBe(0);
  expect(guest.report().state).toBe("aborted: msix_unset_vector_notifiers: Assertion failed.");
});
