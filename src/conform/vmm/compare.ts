/** Compares a VMM's calls with the recorded ones: what is missing, too many, or different. */
import type { FdName, VmmCall } from "./calls.ts";

/** A recorded call and the model's for it; one of them is null where the other is alone. */
export interface Pair {
  readonly expected: VmmCall | null;
  readonly got: VmmCall | null;
}

export interface FieldDifference {
  readonly field: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** How far the two lists may be apart after a difference before they meet again. */
const WINDOW = 40;
/** So many calls in a row have to be the same for that. */
const AGREE = 2;

function sameKind(a: VmmCall | undefined, b: VmmCall | undefined): boolean {
  return a !== undefined && b !== undefined && a.op === b.op && a.what === b.what;
}

/** Puts the calls of one device beside each other. */
export function align(expected: readonly VmmCall[], got: readonly VmmCall[]): Pair[] {
  const pairs: Pair[] = [];
  let e = 0;
  let g = 0;
  while (e < expected.length || g < got.length) {
    if (sameKind(expected[e], got[g])) {
      pairs.push({ expected: expected[e++]!, got: got[g++]! });
      continue;
    }
    let [skipExpected, skipGot] = meet(expected, e, got, g);
    // One of the same sort in another's place is that one, made wrongly.
    while (skipExpected > 0 && skipGot > 0 && expected[e]!.op === got[g]!.op) {
      pairs.push({ expected: expected[e++]!, got: got[g++]! });
      skipExpected--;
      skipGot--;
    }
    for (let i = 0; i < skipExpected; i++) pairs.push({ expected: expected[e++]!, got: null });
    for (let i = 0; i < skipGot; i++) pairs.push({ expected: null, got: got[g++]! });
  }
  return pairs;
}

/** The fewest calls to leave out so that both lists go on with the same ones. */
function meet(
  expected: readonly VmmCall[],
  e: number,
  got: readonly VmmCall[],
  g: number,
): [number, number] {
  for (let left = 1; left <= WINDOW; left++) {
    for (let a = 0; a <= left; a++) {
      if (agree(expected, e + a, got, g + left - a)) return [a, left - a];
    }
  }
  return [expected.length - e, got.length - g];
}

function agree(
  expected: readonly VmmCall[],
  e: number,
  got: readonly VmmCall[],
  g: number,
): boolean {
  if (e > expected.length || g > got.length) return false;
  for (let i = 0; i < AGREE; i++) {
    if (e + i === expected.length && g + i === got.length) return true;
    if (!sameKind(expected[e + i], got[g + i])) return false;
  }
  return true;
}

/** The eventfds of both sides: each has one name there and one here. */
export class EventfdNames {
  readonly #ours = new Map<FdName, FdName>();
  readonly #theirs = new Map<FdName, FdName>();

  /** The recorded name of one of ours; its own for one that no recorded call has had yet. */
  renamed(ours: FdName): FdName {
    return this.#theirs.get(ours) ?? (ours === -1 ? -1 : `new ${ours}`);
  }

  /** True if both are the same eventfd, as far as anybody knows. */
  same(theirs: FdName, ours: FdName): boolean {
    if (theirs === -1 || ours === -1) return theirs === ours;
    const isKnown = this.#ours.has(theirs) || this.#theirs.has(ours);
    if (isKnown) return this.#ours.get(theirs) === ours;
    this.#ours.set(theirs, ours);
    this.#theirs.set(ours, theirs);
    return true;
  }
}

/** What differs between a recorded call and the model's. */
export function callDifferences(
  expected: VmmCall,
  got: VmmCall,
  names: EventfdNames,
): FieldDifference[] {
  const found: FieldDifference[] = [];
  const check = (field: string, theirs: unknown, ours: unknown): void => {
    if (JSON.stringify(theirs) !== JSON.stringify(ours)) {
      found.push({ field, expected: theirs, got: ours });
    }
  };
  if (expected.what !== got.what) {
    const ours = callText(got, (fd) => names.renamed(fd));
    return [{ field: "call", expected: callText(expected), got: ours }];
  }
  const isSame = expected.fds.map((fd, i) => names.same(fd, got.fds[i] ?? -1));
  if (expected.fds.length !== got.fds.length || isSame.includes(false)) {
    const ours = got.fds.map((fd) => names.renamed(fd));
    found.push({ field: "fds", expected: expected.fds, got: ours });
  }
  check("ret", expected.ret, got.ret);
  check("msi_irqs", expected.msiIrqs, got.msiIrqs);
  check("info", expected.info, got.info);
  check("gsi", expected.gsi, got.gsi);
  check("routes", expected.routes, got.routes);
  return found;
}

/** A call as one line of text; eventfds by the names of `names`. */
export function callText(call: VmmCall, name: (fd: FdName) => FdName = (fd) => fd): string {
  const fds = call.fds.length === 0 ? "" : ` [${call.fds.map(name).join(" ")}]`;
  const gsi = call.gsi === undefined ? "" : ` gsi ${call.gsi}`;
  const { routes } = call;
  const set = routes === undefined ? "" : ` nr ${routes.nr} set ${routes.set.join(", ") || "-"}`;
  const gone = routes === undefined || routes.gone.length === 0 ? "" : ` gone ${routes.gone}`;
  return `${call.op}${call.what === "" ? "" : ` ${call.what}`}${fds}${gsi}${set}${gone}`;
}
