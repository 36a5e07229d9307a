/** What a run that `run.breakOn` ended has to show: the interrupt, and host and guest before it. */
import { formatNs } from "../base/units.ts";
import { rowName } from "../measure/rows.ts";
import { MOMENTS, NOT_HANDLED, type Wake } from "../measure/stages.ts";
import type { WatchedSample, WatchReport } from "../measure/watch.ts";
import type { Scenario } from "../scenario/types.ts";
import type { TraceEvent } from "../trace/trace.ts";
import type { RunOutcome } from "./outcome.ts";
import { planGuests } from "./plan.ts";
import type { BreakResult, TraceLine } from "./result.ts";

/** Events of the trace that are kept. */
const TRACE_LINES = 200;

const [RAISED, HANDLER, SIGNALLED, WOKEN, INJECTED, ISR] = [0, 1, 2, 3, 4, 5];

/** A moment of a delivery as a trace event: who saw it, and what the kernels call it. */
const MOMENT_EVENTS = [
  { actor: "host", event: "device_raise" },
  { actor: "host", event: "irq_handler_entry" },
  { actor: "host", event: "eventfd_signal" },
  { actor: "guest", event: "vcpu_wakeup" },
  { actor: "guest", event: "kvm_inj_virq" },
  { actor: "guest", event: "irq_handler_entry" },
] as const;

/** `broke` of the result, or nothing. */
export function breakResult(scenario: Scenario, outcome: RunOutcome): { broke?: BreakResult } {
  const plans = planGuests(scenario);
  const hits = outcome.guests.flatMap(({ report }, index) => {
    const watch = report?.watch;
    return watch === undefined || watch.hit === null ? [] : [{ index, watch, hit: watch.hit }];
  });
  if (hits.length === 0) return {};
  // Several guests may have been hit before the run ended: the first counts.
  const { index, watch, hit } = hits.reduce((a, b) => (isrOf(b.hit) < isrOf(a.hit) ? b : a));
  const { spec, rows } = plans[index]!;
  const names = (row: number): string => rowName(rows, row);
  const latencyNs = isrOf(hit) - hit.moments[RAISED]!;
  const trace = [
    ...deliveries(outcome, watch, spec.name, names),
    ...recorded(outcome.host.trace),
    ...recorded(outcome.guests[index]!.report?.trace ?? []),
    ...sleeps(outcome, ["host", spec.name]),
  ]
    .filter(({ at }) => at <= isrOf(hit))
    .sort((a, b) => a.at - b.at)
    .slice(-TRACE_LINES)
    .map((line) => ({ ...line, at: line.at - outcome.startNs }));
  const broke = {
    limitNs: watch.limitNs,
    guest: spec.name,
    source: names(hit.row),
    sequence: hit.sequence,
    latencyNs,
    wake: wakeOf(outcome, hit),
    raisedAt: hit.moments[RAISED]! - outcome.startNs,
    stages: stagesOf(hit.moments, scenario.run.stages === "full"),
    trace,
  } as const;
  return { broke };
}

/** Null where there are no threads to wait. */
function wakeOf({ engine }: RunOutcome, { parked }: WatchedSample): Wake | null {
  return engine === "virtual" ? null : parked ? "parked" : "spinning";
}

function isrOf({ moments }: WatchedSample): number {
  return moments[ISR]!;
}

function stagesOf(moments: readonly number[], full: boolean): BreakResult["stages"] {
  const span = (stage: string, from: number, to: number) => {
    return { stage, ns: moments[to]! - moments[from]! };
  };
  if (!full) return [span("total", RAISED, ISR)];
  const first =
    moments[HANDLER] === NOT_HANDLED
      ? [span("raised->posted", RAISED, SIGNALLED), span("posted->woken", SIGNALLED, WOKEN)]
      : [
          span("raised->handler", RAISED, HANDLER),
          span("handler->signalled", HANDLER, SIGNALLED),
          span("signalled->woken", SIGNALLED, WOKEN),
        ];
  return [...first, span("woken->injected", WOKEN, INJECTED), span("injected->isr", INJECTED, ISR)];
}

/** The samples' moments; those that nobody stamped repeat the one before, and are left out. */
function deliveries(
  outcome: RunOutcome,
  { before, hit }: WatchReport,
  guest: string,
  names: (row: number) => string,
): TraceLine[] {
  return [...before, ...(hit === null ? [] : [hit])].flatMap((sample) => {
    const { row, sequence, moments } = sample;
    const posted = moments[HANDLER] === NOT_HANDLED;
    return MOMENTS.flatMap((_, i): TraceLine[] => {
      const at = moments[i]!;
      const ends = i === RAISED || i === ISR;
      if (at === NOT_HANDLED || (!ends && at === moments[i - 1])) return [];
      const { actor, event } = MOMENT_EVENTS[i]!;
      const took = `took ${formatNs(isrOf(sample) - moments[RAISED]!)}`;
      const wake = wakeOf(outcome, sample);
      const detail = `${names(row)} #${sequence}`;
      return [
        {
          at,
          actor: actor === "host" ? "host" : guest,
          event: posted && i === SIGNALLED ? "pi_post" : event,
          detail: i === ISR ? [detail, took, ...(wake === null ? [] : [wake])].join(", ") : detail,
        },
      ];
    });
  });
}

function recorded(events: readonly TraceEvent[]): TraceLine[] {
  return events.map(({ at, actor, point, args }) => {
    const detail = Object.entries(args).map(([key, value]) => `${key} ${value}`);
    return { at, actor, event: point, detail: detail.join(", ") };
  });
}

/** A line at the end of each wait that put the worker to sleep. */
function sleeps({ workers }: RunOutcome, actors: readonly string[]): TraceLine[] {
  return actors.flatMap((actor) => {
    const times = workers?.sleeps[actor] ?? [];
    const lines: TraceLine[] = [];
    for (let i = 0; i < times.length; i += 2) {
      const at = times[i + 1]!;
      lines.push({ at, actor, event: "wakeup", detail: `waited ${formatNs(at - times[i]!)}` });
    }
    return lines;
  });
}
