/**
 * Changes that no test can notice, because the program does the same with them; each with the
 * reason. They are not tried. An entry that matches nothing any more is an error.
 */
export interface Equivalent {
  readonly file: string;
  /** The source line, trimmed, before and after the change. */
  readonly before: string;
  readonly after: string;
  readonly why: string;
}

const UNMASK_LATER =
  "the work that reads it is queued only by an unmask handler that has just set it either way";
const TRIGGER = "a trigger is read only while INTx is on, and turning it on sets the trigger first";
const NO_LINE = "lines are numbered from 16 up, or -1 for none";
const NOT_YET = "any number but 0 says that the set-up has not succeeded yet";
const RANGES = "a capability that began there would have been found, and equals are equal";

export const EQUIVALENTS: readonly Equivalent[] = [
  {
    file: "host/vfio/intx.ts",
    before: "#unmaskLater = false;",
    after: "#unmaskLater = true;",
    why: UNMASK_LATER,
  },
  {
    file: "host/vfio/intx.ts",
    before: "this.#unmaskLater = false;",
    after: "this.#unmaskLater = true;",
    why: UNMASK_LATER,
  },
  {
    file: "host/vfio/intx.ts",
    before: "this.#unmaskLater = false;",
    after: ";",
    why: UNMASK_LATER,
  },
  { file: "host/vfio/intx.ts", before: "this.#trigger = null;", after: ";", why: TRIGGER },
  {
    file: "host/irq/system-irq-pool.ts",
    before: "if (client.line < 0) return;",
    after: "if (client.line <= 0) return;",
    why: NO_LINE,
  },
  {
    file: "host/irq/system-irq-pool.ts",
    before: "if (client.line < 0) return;",
    after: "if (client.line < 1) return;",
    why: NO_LINE,
  },
  {
    file: "host/irq/system-irq-pool.ts",
    before: "if (client.line < 0) return 0;",
    after: "if (client.line <= 0) return 0;",
    why: NO_LINE,
  },
  {
    file: "host/irq/system-irq-pool.ts",
    before: "if (client.line < 0) return 0;",
    after: "if (client.line < 1) return 0;",
    why: NO_LINE,
  },
  {
    file: "host/irq/pci-msi.ts",
    before: "let result: number = -ENOSPC;",
    after: "let result: number = -ERANGE;",
    why: NOT_YET,
  },
  {
    file: "host/irq/gic-v2m.ts",
    before: "if (spi < 0) return spi;",
    after: "if (spi <= 0) return spi;",
    why: "shared peripheral interrupts are numbered from 32 up",
  },
  {
    file: "host/irq/occupancy.ts",
    before: "if (difference !== 0) this.#rising = difference > 0;",
    after: "if (difference !== 0) this.#rising = difference >= 0;",
    why: "it is not 0 there",
  },
  {
    file: "host/vfio/retention/retention.ts",
    before: "const { watermark = 0 } = device.policy.reclaim ?? {};",
    after: "const { watermark = 1 } = device.policy.reclaim ?? {};",
    why: "a device whose policy reclaims nothing has no irq that could be reclaimed",
  },
  {
    file: "host/vfio/config-perms.ts",
    before: "(nearest, { start }) => (start > offset && start < nearest ? start : nearest),",
    after: "(nearest, { start }) => (start >= offset && start < nearest ? start : nearest),",
    why: RANGES,
  },
  {
    file: "host/vfio/config-perms.ts",
    before: "(nearest, { start }) => (start > offset && start < nearest ? start : nearest),",
    after: "(nearest, { start }) => (start > offset && start <= nearest ? start : nearest),",
    why: RANGES,
  },
];
