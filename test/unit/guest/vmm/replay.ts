/** Plays a recording of real QEMU into the model and brings both logs into one form. */
import type { Process } from "../../../../src/time/process.ts";
import { createRig, type Rig, type RigOptions } from "./rig.ts";

/** One line of a recording; fields as its README says. */
export interface RecordedLine {
  readonly op: string;
  readonly dev?: string;
  readonly [field: string]: unknown;
}

const FIELDS: Readonly<Record<string, number>> = { addr_lo: 0, addr_hi: 4, data: 8, ctrl: 12 };

export interface Replayed {
  readonly recorded: readonly string[];
  readonly modelled: readonly string[];
}

export function parseRecording(text: string): RecordedLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RecordedLine);
}

/** What a recording says of its device and of the kernel under it. */
function deviceOf(lines: readonly RecordedLine[]): RigOptions {
  const args = (event: string): string =>
    String(lines.find(({ op, ev }) => op === "q" && ev === event)?.args ?? "");
  const early = /CAP @(0x\w+), BAR (\d), offset (0x\w+), entries (\d+)/.exec(
    args("vfio_msix_early_setup"),
  );
  const msi = /CAP @(0x\w+)/.exec(args("vfio_msi_setup"));
  const info = lines.find(({ op, index }) => op === "get_irq_info" && index === "MSIX");
  const err = lines.find(({ op, index }) => op === "get_irq_info" && index === "ERR");
  return {
    msixVectors: early === null ? 0 : Number(early[4]),
    msixCap: Number(early?.[1] ?? 0x70),
    tableBar: Number(early?.[2] ?? 0),
    tableOffset: Number(early?.[3] ?? 0x2000),
    msiVectors: msi === null ? 0 : 1,
    msiCap: Number(msi?.[1] ?? 0x50),
    noresize: (Number(info?.iflags ?? 0) & 8) !== 0,
    pmReset: lines.some(({ op, ev }) => op === "q" && ev === "vfio_pci_hot_reset"),
    express: err === undefined || err.ret === 0,
  };
}

class Replay {
  readonly #rig: Rig;
  readonly #bar: number;
  readonly #table: number;
  #started = false;
  #resetting = false;

  constructor(rig: Rig, options: RigOptions) {
    this.#rig = rig;
    this.#bar = options.tableBar ?? 0;
    this.#table = options.tableOffset ?? 0;
  }

  play(line: RecordedLine): void {
    const { op } = line;
    if (op === "reset") this.#resetting = false;
    if (op === "q") this.#event(String(line.ev), String(line.args ?? ""));
    if (op === "g_cfgw" && !this.#resetting) this.#config(line);
    if (op === "g_tblw") this.#tableWrite(line);
    if (op === "set_irqs" && line.index === "REQ" && String(line.fds) === "-1") {
      this.#run(this.#rig.vm.eject(this.#rig.fn));
    }
  }

  #run(process: Process): void {
    this.#rig.run(process);
  }

  #event(name: string, args: string): void {
    const { vm, fn, host } = this.#rig;
    const hot = name === "vfio_pci_hot_reset" && args === "multi";
    if (hot || (name === "vfio_pci_reset" && !this.#resetting)) {
      // The first one belongs to power-on.
      this.#resetting = true;
      this.#run(this.#started ? vm.systemReset() : vm.realize());
      this.#started = true;
    } else if (name === "vfio_intx_update") {
      this.#run(vm.routeIntx(fn, Number(args.split("->")[1])));
    } else if (name === "vfio_intx_interrupt") {
      host.signal("INTX", 0);
      this.#rig.settle();
    } else if (name === "vfio_intx_eoi") {
      this.#run(vm.mmioWrite(fn, this.#bar, 0x1000, 4, 0));
    }
  }

  #config(line: RecordedLine): void {
    const { vm, fn } = this.#rig;
    this.#run(vm.configWrite(fn, Number(line.off), Number(line.len), Number(line.val)));
  }

  #tableWrite(line: RecordedLine): void {
    const { vm, fn } = this.#rig;
    const at = this.#table + 16 * Number(line.vector) + FIELDS[String(line.field)]!;
    this.#run(vm.mmioWrite(fn, this.#bar, at, Number(line.size ?? 4), Number(line.val)));
  }
}

/** Replays `lines`, all of one device, up to its end. */
export function replay(lines: readonly RecordedLine[], options: RigOptions): Replayed {
  const found = { ...deviceOf(lines), ...options };
  const rig = createRig(found);
  const player = new Replay(rig, found);
  for (const line of lines) player.play(line);
  rig.settle();
  const kept = /^(INTX|MSI|MSIX|ERR|REQ) |^reset|^irqfd|^routing|^close e/;
  return {
    recorded: renamed(lines.map(recordedLine).filter((line) => line !== null)),
    modelled: renamed(rig.host.log.filter((line) => kept.test(line))),
  };
}

function recordedLine(line: RecordedLine): string | null {
  switch (line.op) {
    case "set_irqs": {
      const { index, start, count, flags, fds } = line;
      const names = fds === undefined ? "" : ` [${(fds as unknown[]).map(String).join(" ")}]`;
      return `${index} ${start} ${count} ${flags}${names}`;
    }
    case "kvm_irqfd": {
      const resample = line.resample === undefined ? "" : ` resample ${line.resample}`;
      return `irqfd ${line.act} ${line.fd} gsi ${line.gsi}${resample}`;
    }
    case "kvm_routing": {
      const set = (line.set as [number, string, string][]).map((route) => route.join(":"));
      return `routing ${set.sort().join(",")} gone ${(line.gone as number[]).join(",")}`;
    }
    case "eventfd_close":
      return `close ${line.fd}`;
    case "reset":
      return "reset";
    default:
      return null;
  }
}

/** Eventfds get names by first appearance, so that both logs call the same one the same. */
function renamed(lines: readonly string[]): string[] {
  const names = new Map<string, string>();
  return lines.map((line) =>
    line.replace(/\be\d+\b/g, (name) => {
      if (!names.has(name)) names.set(name, `f${names.size}`);
      return names.get(name)!;
    }),
  );
}
