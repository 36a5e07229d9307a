/** VT-d's whole table: 65,536 entries, full to the last. */
import { suite } from "../support/library.ts";

suite("full-table", [
  {
    cause: "with a VMM that asks for what the guest unmasks",
    set: ["guests.vm.vmm=qemu"],
    fails: ["pool.irtesPeak == 65536", "allocationFailures == 1", "guests.vm254.lost > 0"],
  },
]);
