import fc from "fast-check";
import { expect, it } from "vitest";
import { AmdIrqRemapping } from "../../host/irq/amd-vi.ts";
import type { EntryKind, Requester } from "../../host/irq/remapping.ts";
import { Shortages } from "../../host/irq/shortage.ts";
import { ENOSPC } from "../../src/base/errno.ts";

const SILENT = { emit: () => {} };
const ENTRIES = 64;

/** Each device's table as plain booleans; every start is tried. */
class NaiveTables {
  readonly used = new Map<string, boolean[]>();

  alloc(requester: string, count: number, aligned: boolean): number {
    const used = this.table(requester);
    let align = 1;
    while (aligned && align < count) align *= 2;
    for (let start = 0; start + count <= ENTRIES; start += align) {
      if (used.slice(start, start + count).some((bit) => bit)) continue;
      used.fill(true, start, start + count);
      return start;
    }
    return -ENOSPC;
  }

  release(requester: string, index: number, count: number): void {
    this.table(requester).fill(false, index, index + count);
  }

  table(requester: string): boolean[] {
    const table = this.used.get(requester) ?? Array<boolean>(ENTRIES).fill(false);
    this.used.set(requester, table);
    return table;
  }
}

/** Two devices of their own, two behind one bridge. */
const DEVICES: readonly Requester[] = [
  { name: "a", requester: "a" },
  { name: "b", requester: "b" },
  { name: "v1", requester: "bridge" },
  { name: "v2", requester: "bridge" },
].map((device) => ({ ...device, armed: () => 0 }));

const COMMAND = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      device: fc.nat(DEVICES.length - 1),
      msi: fc.constantFrom(1, 2, 3, 4, 5, 8, 9, 15, 16, 32),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ device: fc.nat(DEVICES.length - 1), msix: fc.constant(1) }),
  },
  { weight: 2, arbitrary: fc.record({ give: fc.nat() }) },
);

interface Held {
  readonly device: Requester;
  readonly index: number;
  readonly count: number;
  readonly kind: EntryKind;
}

it("each AMD-Vi table places every block where a naive search of that table places it", () => {
  const property = fc.property(fc.array(COMMAND, { maxLength: 120 }), (commands) => {
    const amd = new AmdIrqRemapping(ENTRIES, 0, SILENT, new Shortages(SILENT));
    const naive = new NaiveTables();
    const held: Held[] = [];
    for (const command of commands) {
      if ("give" in command) {
        if (held.length === 0) continue;
        const [block] = held.splice(command.give % held.length, 1) as [Held];
        amd.release(block.index, block.count, block.device, block.kind);
        naive.release(block.device.requester, block.index, block.count);
        continue;
      }
      const device = DEVICES[command.device]!;
      const kind = "msi" in command ? "msi" : "msix";
      const count = "msi" in command ? command.msi : command.msix;
      const index = amd.alloc(count, device, kind);
      expect(index).toBe(naive.alloc(device.requester, count, kind === "msi"));
      if (index >= 0) held.push({ device, index, count, kind });
    }
    const inUse = held.reduce((sum, { count }) => sum + count, 0);
    expect(amd.used).toBe(inUse);
    for (const { name, used, free } of amd.inspect().slice(1)) {
      const table = naive.table(name);
      expect(used).toBe(table.filter((bit) => bit).length);
      for (const { first, last } of free) {
        expect(table.slice(first, last + 1).every((bit) => !bit)).toBe(true);
        expect([table[first - 1] ?? true, table[last + 1] ?? true]).toEqual([true, true]);
      }
    }
  });
  fc.assert(property, { numRuns: 300 });
});
