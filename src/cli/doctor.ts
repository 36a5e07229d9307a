/** `vfio-cosim doctor`: what this machine can measure well, and what to do about the rest. */
import { accessSync, constants } from "node:fs";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { formatNs } from "../base/units.ts";
import { wrap } from "../report/table.ts";
import type { FloorResult } from "../run/result.ts";
import { scenarioFromData } from "../scenario/loader.ts";
import { measureClockStep } from "../time/clock-step.ts";
import { WallClock } from "../time/wall-clock.ts";
import { EXIT_FAILED, EXIT_OK, type Io } from "./io.ts";
import type { AddCommand } from "./program.ts";

export interface Finding {
  readonly what: string;
  readonly found: string;
  /** `bad`: it will not work; `so-so`: it will, but figures suffer. */
  readonly verdict: "good" | "so-so" | "bad";
  /** What to do, "" if nothing. */
  readonly advice: string;
}

const NODE_MIN: readonly [number, number] = [20, 19];
/** A worker's heap and stack; the shared memory of a guest is far less. */
const BYTES_PER_GUEST = 40 * 2 ** 20;
const GIB = 2 ** 30;

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const good = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  const advice = good ? "" : `install Node ${NODE_MIN.join(".")} or later`;
  return { what: "Node", found: version, verdict: good ? "good" : "bad", advice };
}

export function coresFinding(usable: number, present: number): Finding {
  const found = usable === present ? `${usable}` : `${usable} of ${present} usable`;
  const what = "CPUs";
  if (usable >= 4) {
    const advice = `spin up to ${usable - 2} guests; more of them should park (--wait park)`;
    return { what, found, verdict: "good", advice };
  }
  const advice =
    usable >= 2
      ? "one guest can spin; with more use --wait park, or --engine virtual for exact figures"
      : "use --engine virtual: threads that share one core measure the scheduler";
  return { what, found, verdict: "so-so", advice };
}

function sharedMemoryFinding(): Finding {
  const there = "SharedArrayBuffer" in globalThis && "Atomics" in globalThis;
  return {
    what: "shared memory",
    found: there ? "SharedArrayBuffer and Atomics.wait" : "missing",
    verdict: there ? "good" : "bad",
    advice: there ? "" : "use a stock Node: the threads engine cannot do without",
  };
}

/** Smallest step of the clock, and what reading it costs. */
export function clockFinding(now: () => number): Finding {
  const { step, cost } = measureClockStep(now);
  const good = step < 1_000 && cost < 500;
  return {
    what: "clock",
    found: `steps of ${formatNs(Math.round(step))}, a reading takes ${formatNs(Math.round(cost))}`,
    verdict: good ? "good" : "so-so",
    advice: good ? "" : "check that the kernel's clocksource is tsc; or set run.stages: ends",
  };
}

export function memoryFinding(free: number, total: number): Finding {
  const guests = Math.floor(free / BYTES_PER_GUEST);
  const found = `${(free / GIB).toFixed(1)} of ${(total / GIB).toFixed(1)} GiB free`;
  const good = guests >= 64;
  const advice = good ? "" : `enough for about ${guests} guests on threads`;
  return { what: "memory", found, verdict: good ? "good" : "so-so", advice };
}

function tasksetFinding(path: string, cores: number): Finding {
  const there = path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, "taskset"), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return {
    what: "taskset",
    found: there ? "present" : "not in PATH",
    verdict: there ? "good" : "so-so",
    advice: there
      ? `for steadier figures: vfio-cosim latency --cpus 0-${Math.min(cores, 4) - 1}`
      : "install util-linux to pin a run to cores of your choice",
  };
}

export function floorFinding(floor: FloorResult | null): Finding {
  const what = "hand-over";
  if (floor === null || floor.spinOneWayNs === null || floor.parkOneWayNs === null) {
    const advice = "free some cores and try again; results will have no ratio to the floor";
    return { what, found: "could not be measured", verdict: "so-so", advice };
  }
  const spin = formatNs(floor.spinOneWayNs);
  const found = `one way: spin ${spin}, park ${formatNs(floor.parkOneWayNs)}`;
  if (floor.spinOneWayNs < 5_000) return { what, found, verdict: "good", advice: "" };
  const advice = "spinning threads wait for a core: close other programs, or use --wait park";
  return { what, found, verdict: "so-so", advice };
}

/** The floor that every threads run measures first, from a run that is over at once. */
async function measureFloor(): Promise<FloorResult | null> {
  const scenario = scenarioFromData({
    name: "doctor",
    devices: [{ name: "edu0", model: "edu" }],
    guests: [{ name: "g", device: "edu0" }],
    duration: "50ms",
  });
  const { runScenario } = await import("../run/run.ts");
  const { latency } = await runScenario(scenario, { engine: "threads" });
  return latency.floor;
}

export const doctorCommand: AddCommand = (program, io, done) => {
  program
    .command("doctor")
    .description("look at this machine: what it can measure well, and what to do about the rest")
    .action(async () => {
      const clock = new WallClock();
      const findings = [
        nodeFinding(process.version),
        coresFinding(availableParallelism(), cpus().length),
        sharedMemoryFinding(),
        clockFinding(() => clock.now()),
        memoryFinding(freemem(), totalmem()),
        tasksetFinding(process.env.PATH ?? "", cpus().length),
      ];
      for (const finding of findings) print(finding, io);
      if (findings.some(({ verdict }) => verdict === "bad")) {
        done(EXIT_FAILED);
        return;
      }
      print(floorFinding(await measureFloor()), io);
      done(EXIT_OK);
    });
};

function print({ what, found, verdict, advice }: Finding, io: Io): void {
  io.out(`${verdict.padEnd(6)} ${what.padEnd(14)} ${found}\n`);
  for (const line of advice === "" ? [] : wrap(`-> ${advice}`, 74))
    io.out(`${" ".repeat(22)}${line}\n`);
}
