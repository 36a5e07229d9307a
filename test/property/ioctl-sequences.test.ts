import { afterEach, describe, expect, it, vi } from "vitest";
import { DeviceMeter } from "../../host/device/meter.ts";
import { V2mFrame } from "../../host/irq/gic-v2m.ts";
import { LpiRanges } from "../../host/irq/lpi-ranges.ts";
import { SystemIrqPool } from "../../host/irq/system-irq-pool.ts";
import { VectorMatrix } from "../../host/irq/vector-matrix.ts";
import { IrTable } from "../../host/irq/vtd.ts";
import { EventfdCtx } from "../../host/process/eventfd-ctx.ts";
import { FdTable } from "../../host/process/fd-table.ts";
import { OpenVfioDevice } from "../../host/vfio/open-device.ts";
import { describeFinding, fuzzSequences, type SequenceFinding } from "../fuzz/ioctl-fuzz.ts";

const SEED = 20_261_122;
/** Lives in which a planted bug has to show. */
const CANARY_LIVES = 400;

afterEach(() => vi.restoreAllMocks());

it("no sequence of system calls, of two guests, breaks the host's books", () => {
  const finding = fuzzSequences(SEED, 120);
  expect(finding === null ? "" : describeFinding(finding)).toBe("");
});

it("replays a finding by its path, and the same life comes out", () => {
  const planted = vi.spyOn(FdTable.prototype, "eventfdGet").mockReturnValue(-1);
  const first = fuzzSequences(SEED, CANARY_LIVES)!;
  const path = first.replay.split(" ").at(-1)!;
  expect(fuzzSequences(SEED, 1, path)!.life).toEqual(first.life);
  planted.mockRestore();
  expect(fuzzSequences(SEED, 1, path)).toBeNull();
});

describe("the fuzzer finds a planted bug:", () => {
  /** Found, and so short that a person sees why. */
  function found(message: RegExp): SequenceFinding {
    const finding = fuzzSequences(SEED, CANARY_LIVES);
    expect(finding?.message).toMatch(message);
    expect(finding!.life.steps.length).toBeLessThanOrEqual(6);
    return finding!;
  }

  it("an errno that the kernel cannot return there", () => {
    vi.spyOn(FdTable.prototype, "eventfdGet").mockReturnValue(-1);
    found(/EPERM/);
  });

  it("a remapping entry that is not given back", () => {
    const { release } = IrTable.prototype;
    let calls = 0;
    vi.spyOn(IrTable.prototype, "release").mockImplementation(function (this: IrTable, ...args) {
      if (++calls % 7 !== 0) release.apply(this, args);
    });
    found(/entries used/);
  });

  it("an LPI that is not given back", () => {
    const { release } = LpiRanges.prototype;
    vi.spyOn(LpiRanges.prototype, "release").mockImplementation(function (this: LpiRanges, ...at) {
      release.call(this, at[0] + 1, at[1] - 1);
    });
    found(/the pool was|LPIs/);
  });

  it("an SPI that is not given back", () => {
    const { release } = V2mFrame.prototype;
    let calls = 0;
    vi.spyOn(V2mFrame.prototype, "release").mockImplementation(function (this: V2mFrame, ...args) {
      if (++calls % 7 !== 0) release.apply(this, args);
    });
    found(/SPIs used/);
  });

  it("a vector reservation too many", () => {
    const { unreserve } = VectorMatrix.prototype;
    let calls = 0;
    vi.spyOn(VectorMatrix.prototype, "unreserve").mockImplementation(function (this: VectorMatrix) {
      unreserve.call(this);
      if (++calls % 5 === 0) this.reserve();
    });
    found(/reserved/);
  });

  it("irqs that stay when MSI is disabled", () => {
    vi.spyOn(SystemIrqPool.prototype, "pciFreeIrqVectors").mockImplementation(function* () {});
    found(/is closed: msi/);
  });

  it("a device whose close forgets to disable its interrupts", () => {
    vi.spyOn(OpenVfioDevice.prototype, "disableAll").mockImplementation(function* () {});
    found(/closed|handler/);
  });

  it("a reference to an eventfd that nobody drops", () => {
    const { put } = EventfdCtx.prototype;
    let calls = 0;
    vi.spyOn(EventfdCtx.prototype, "put").mockImplementation(function (this: EventfdCtx) {
      if (++calls % 9 !== 0) put.call(this);
    });
    found(/eventfds are left/);
  });

  it("an interrupt with two fates", () => {
    const { dropped } = DeviceMeter.prototype;
    vi.spyOn(DeviceMeter.prototype, "dropped").mockImplementation(function (
      this: DeviceMeter,
      row,
      fate,
    ) {
      dropped.call(this, row, fate);
      dropped.call(this, row, fate);
    });
    found(/raised/);
  });
});
