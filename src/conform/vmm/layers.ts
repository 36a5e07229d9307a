/** A recording in three layers side by side: the guest, its VMM, and the kernel with its pool. */
import type { Divergence } from "../compare.ts";
import { beginsReset, type PoolUse, type VmmCall } from "./calls.ts";
import { callText, type EventfdNames } from "./compare.ts";
import type { VmmConformance, VmmStep } from "./conform.ts";
import { numberOf, type RecordedLine } from "./recording.ts";

const LINE_WIDTH = 6;
const TIME_WIDTH = 9;
const GUEST_WIDTH = 34;
const VMM_WIDTH = 46;
const NS_PER_S = 1e9;
/** Configuration space registers that everybody knows by name. */
const REGISTERS: Readonly<Record<number, string>> = {
  4: "command",
  16: "BAR 0",
  20: "BAR 1",
  24: "BAR 2",
  28: "BAR 3",
  32: "BAR 4",
  36: "BAR 5",
  48: "expansion ROM",
  60: "interrupt line",
};

interface Row {
  readonly line: number;
  readonly text: readonly string[];
}

/** Writes of the same word to one entry after the other, with nothing between, are one row. */
function runs(lines: readonly RecordedLine[]): RecordedLine[][] {
  const found: RecordedLine[][] = [];
  for (const line of lines) {
    const last = found.at(-1)?.at(-1);
    const goesOn =
      line.op === "g_tblw" &&
      last?.op === "g_tblw" &&
      line.i === last.i + 1 &&
      line.dev === last.dev &&
      line.field === last.field &&
      line.val === last.val &&
      numberOf(line.vector) === numberOf(last.vector) + 1;
    if (goesOn) found.at(-1)!.push(line);
    else found.push([line]);
  }
  return found;
}

/** What guest or host did, in words. */
function inputText(line: RecordedLine): string {
  switch (line.op) {
    case "g_cfgw":
      return configText(line);
    case "g_tblw":
      return `entry ${line.vector} ${line.field} = ${line.val}`;
    case "get_device_fd":
      return "device is plugged in";
    case "set_irqs":
      return "device is ejected";
    case "evread":
      return "(host wants the device back)";
    case "kvm_routing":
      return "IOAPIC is written";
    default:
      return beginsReset(line) === null ? eventText(line) : "(system reset)";
  }
}

function configText(line: RecordedLine): string {
  const control = line.msix_ctrl as { enable: number; fmask: number } | undefined;
  if (control !== undefined) {
    const words = [control.enable === 1 ? "on" : "off", control.fmask === 1 ? "masked" : ""];
    return `MSI-X control = ${line.val} ${words.join(" ").trim()}`;
  }
  const register = REGISTERS[numberOf(line.off)] ?? `config ${line.off}`;
  return `${register} = ${line.val}`;
}

function eventText({ ev, args }: RecordedLine): string {
  if (ev === "vfio_intx_update") return `INTx: ${String(args)}`;
  return ev === "vfio_intx_interrupt" ? "(device asserts INTx)" : "INTx: end of interrupt";
}

/** What all devices of the host have. */
function poolText(pool: PoolUse): string {
  return `pool: irqs ${pool.irqs}, IRTEs ${pool.irtes}, vectors ${pool.vectors}`;
}

/** The kernel's answer, and what it changed: irqs of the device, and what the pool lends. */
function answerText({ ret, msiIrqs, pool }: VmmCall, before: string): string {
  const isSame = msiIrqs === undefined || msiIrqs[0] === msiIrqs[1];
  const held = isSame ? `${ret}` : `${ret}  msi_irqs ${msiIrqs[0]} -> ${msiIrqs[1]}`;
  return pool === undefined || poolText(pool) === before ? held : `${held}  ${poolText(pool)}`;
}

function divergenceText({ field, expected, got }: Divergence): string[] {
  const plain = (value: unknown): string =>
    value === undefined ? "nothing" : typeof value === "string" ? value : JSON.stringify(value);
  return [
    `!! ${field}: recorded ${plain(expected)}`,
    `!! ${" ".repeat(field.length)}  here     ${plain(got)}`,
  ];
}

/** `before` is what the pool lent when the call was made. */
function stepRow(
  step: VmmStep,
  before: string,
  names: EventfdNames,
  time: (line: number) => string,
): Row {
  const { expected, got, divergences } = step;
  const call = (expected ?? got)!;
  const device = call.dev === null ? "" : `${call.dev} `;
  const mark = expected === null ? "too many: " : got === null ? "missing: " : "";
  const name = expected === null ? (fd: string | -1) => names.renamed(fd) : undefined;
  const text = `${mark}${device}${callText(call, name)}`;
  const answer = answerText(got ?? call, before);
  const start = `${head(call.line, time)}${" ".repeat(GUEST_WIDTH)}`;
  const first =
    text.length < VMM_WIDTH
      ? [`${start}${text.padEnd(VMM_WIDTH)}${answer}`]
      : [`${start}${text}`, `${start}${" ".repeat(VMM_WIDTH)}${answer}`];
  return { line: call.line, text: [...first, ...divergences.flatMap(divergenceText)] };
}

function head(line: number, time: (line: number) => string): string {
  return `${String(line).padStart(LINE_WIDTH)} ${time(line).padStart(TIME_WIDTH)}  `;
}

function inputRow(run: readonly RecordedLine[], time: (line: number) => string): Row {
  const line = run[0]!;
  const device = line.dev === undefined ? "" : `${line.dev} `;
  const what =
    run.length === 1
      ? inputText(line)
      : `entries ${line.vector}..${run.at(-1)!.vector} ${line.field} = ${line.val}`;
  return { line: line.i, text: [`${head(line.i, time)}${device}${what}`] };
}

/** Notes of the session stand between, as what somebody did. */
function noteRow(line: RecordedLine, time: (line: number) => string): Row {
  return { line: line.i, text: [`${head(line.i, time)}-- ${String(line.text).slice(0, 100)}`] };
}

/** The whole recording, a line of text each. */
export function layersText(conformance: VmmConformance): string {
  const { lines, inputs, steps, names, aborted } = conformance;
  const started = lines[0]?.t ?? 0;
  const times = new Map(lines.map(({ i, t }) => [i, ((t - started) / NS_PER_S).toFixed(4)]));
  const time = (line: number): string => times.get(line) ?? "";
  const rows: Row[] = [];
  for (const line of lines) if (line.op === "note") rows.push(noteRow(line, time));
  for (const run of runs(lines.filter((line) => inputs.has(line)))) rows.push(inputRow(run, time));
  const lineOf = ({ expected, got }: VmmStep): number => (expected ?? got)!.line;
  let pool = "";
  for (const step of [...steps].sort((a, b) => lineOf(a) - lineOf(b))) {
    rows.push(stepRow(step, pool, names, time));
    if (step.got?.pool !== undefined) pool = poolText(step.got.pool);
  }
  rows.sort((a, b) => a.line - b.line);
  const title = `${"line".padStart(LINE_WIDTH)} ${"s".padStart(TIME_WIDTH)}  ${"guest".padEnd(
    GUEST_WIDTH,
  )}${"VMM asks".padEnd(VMM_WIDTH)}kernel answers`;
  const end = aborted === null ? [] : [`the VMM aborted: ${aborted}`];
  return `${[title, ...rows.flatMap(({ text }) => text), ...end].join("\n")}\n`;
}
