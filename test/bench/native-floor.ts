/** The same hand-overs in C (floor.c), compiled and run where there is a C compiler. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Medians of one run of floor.c, ns. */
export interface NativeFigures {
  readonly spinOneWayNs: number;
  readonly futexOneWayNs: number;
  readonly eventfdOneWayNs: number;
  /** One uncontended write(2) and read(2) of an eventfd. */
  readonly eventfdPairNs: number;
}

export interface NativeFloor {
  measure(rounds: number): NativeFigures;
  close(): void;
}

/** Looks beside the sources and, when compiled to build/, in the tree the build was made from. */
function findSource(): string | null {
  const places = ["./floor.c", "../../../test/bench/floor.c"];
  const paths = places.map((place) => new URL(place, import.meta.url).pathname);
  return paths.find((path) => existsSync(path)) ?? null;
}

/** Compiles the floor into a temporary folder; null, with a reason on stderr, if that fails. */
export function compileNativeFloor(): NativeFloor | null {
  const source = findSource();
  const folder = mkdtempSync(join(tmpdir(), "vfio-cosim-bench-"));
  const program = join(folder, "floor");
  const args = ["-O2", "-pthread", source ?? "floor.c", "-o", program];
  const compiled = spawnSync("gcc", args, { encoding: "utf8" });
  if (compiled.status !== 0) {
    const reason = (compiled.error?.message ?? compiled.stderr).trim();
    process.stderr.write(`no floor in C (install gcc to have one): ${reason}\n`);
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
  return {
    measure: (rounds) => parseFloor(spawnSync(program, [`${rounds}`], { encoding: "utf8" }).stdout),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** One JSON line a mode. */
function parseFloor(text: string): NativeFigures {
  const lines = text.trim().split("\n");
  const byMode = new Map(
    lines.map((line) => JSON.parse(line) as FloorLine).map((line) => [line.mode, line]),
  );
  const oneWay = (mode: string): number => (byMode.get(mode)?.roundTripNs?.p50 ?? Number.NaN) / 2;
  return {
    spinOneWayNs: oneWay("spin"),
    futexOneWayNs: oneWay("futex"),
    eventfdOneWayNs: oneWay("eventfd"),
    eventfdPairNs: byMode.get("eventfd write+read")?.ns ?? Number.NaN,
  };
}

interface FloorLine {
  readonly mode: string;
  readonly roundTripNs?: { readonly p50: number };
  readonly ns?: number;
}
