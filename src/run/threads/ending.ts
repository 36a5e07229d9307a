/** The end of a run: the load stops, all come to rest, what is left is counted and closed. */
import { setTimeout as delay } from "node:timers/promises";
import { guestFatesOf } from "../../shm/border.ts";
import type { Clock } from "../../time/clock.ts";
import type { GuestReport, HostReport, PoolReport } from "../contract.ts";
import type { GuestOutcome } from "../outcome.ts";
import type { Warning } from "../result.ts";
import type { LoopReport } from "./api.ts";
import type { Crew, ThreadGuest } from "./crew.ts";
import { inTurns } from "./in-turns.ts";
import type { StopRequest } from "./stop-request.ts";

/** Longest time that work under way when the load stops may take, and for each guest more. */
const REST_MS = 3_000;
const REST_GUEST_MS = 200;
/** The same, if the user has asked for an end. */
const HURRY_MS = 500;
const PAUSE_MS_MAX = 20;

/** What the workers had to tell. */
export interface Ending {
  readonly host: HostReport;
  readonly poolAfter: PoolReport | null;
  readonly guests: readonly GuestOutcome[];
  readonly loops: readonly NamedLoop[];
  readonly warnings: readonly Warning[];
}

/** A worker's loop: `host`, or the guest's name. */
export interface NamedLoop extends LoopReport {
  readonly actor: string;
}

interface EndingOptions {
  readonly crew: Crew;
  readonly clock: Clock;
  readonly stop: StopRequest;
  /** True once the user is waiting for the end. */
  readonly hurry: () => boolean;
}

/** Somebody who may have work under way. */
type IsBusy = () => Promise<boolean>;

/**
 * Ends a run whose loops are running. Guests stop before the host does, and nobody is settled
 * before the host is at rest: from then on no interrupt can change hands, and each is counted once
 * even if the guests were stopped in the middle of something. Throws what breaks the run meanwhile.
 */
export async function endRun({ crew, clock, stop, hurry }: EndingOptions): Promise<Ending> {
  const { host } = crew;
  const warnings: Warning[] = [];
  const restMs = REST_MS + REST_GUEST_MS * crew.guests.length;
  const rest = async (everybody: readonly IsBusy[], mayHurry: boolean): Promise<void> => {
    const startNs = clock.now();
    const over = (): boolean => {
      const ms = (clock.now() - startNs) / 1e6;
      return ms > restMs || stop.failure !== null || (mayHurry && hurry() && ms > HURRY_MS);
    };
    const rested = await allAtRest(everybody, over);
    if (stop.failure !== null) throw stop.failure;
    if (!rested && !hurry()) warnings.push(overloaded(restMs));
  };
  const hostBusy: IsBusy = () => host.call((api) => api.busy());

  await host.call((api) => api.quiesce());
  await eachAlive(crew, (guest) => crew.ask(guest, (api) => api.quiesce()));
  await rest([hostBusy, ...crew.alive().map((guest) => guestBusy(crew, guest))], true);
  await eachAlive(crew, async (guest) => {
    await crew.ask(guest, (api) => api.stop());
    await guest.loop;
  });
  await rest([hostBusy], false);
  await eachAlive(crew, (guest) => crew.ask(guest, (api) => api.settle()));
  const loops: NamedLoop[] = [];
  const guests = await collectGuests(crew, loops);
  await host.call((api) => api.settle());
  const { report, loop } = await host.call((api) => api.collect());
  loops.push({ ...loop, actor: "host" });

  const open = crew.guests.filter(({ dead }) => dead === null);
  await Promise.all(open.map(({ index }) => host.call((api) => api.exit(index, "end of run"))));
  await rest([hostBusy], false);
  const after = await host.call((api) => api.collect());
  await host.call((api) => api.stop());
  await crew.hostLoop;
  return { host: report, poolAfter: after.report.pool, guests, loops, warnings };
}

/** What can be had of a run whose loops never began (nothing was opened), or that broke. */
export async function salvage(crew: Crew, broken: boolean): Promise<Ending> {
  const loops: NamedLoop[] = [];
  const guests = await collectGuests(crew, loops);
  const { report, loop } = await crew.host.call((api) => api.collect());
  loops.push({ ...loop, actor: "host" });
  return { host: report, poolAfter: broken ? null : report.pool, guests, loops, warnings: [] };
}

async function eachAlive(crew: Crew, ask: (guest: ThreadGuest) => Promise<unknown>): Promise<void> {
  await Promise.all(crew.alive().map(ask));
}

/** Waits until nobody has anything under way; false if that is not so before it is `over`. */
async function allAtRest(everybody: readonly IsBusy[], over: () => boolean): Promise<boolean> {
  for (;;) {
    const answers = await Promise.all(everybody.map((isBusy) => isBusy()));
    if (!answers.includes(true)) return true;
    // One after the other: asking all of them again and again would keep them from their work.
    for (const isBusy of everybody.filter((_, i) => answers[i])) {
      let pauseMs = 1;
      do {
        if (over()) return false;
        await delay(pauseMs);
        pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
      } while (await isBusy());
    }
  }
}

function guestBusy(crew: Crew, guest: ThreadGuest): IsBusy {
  return async () => guest.dead === null && (await crew.ask(guest, (api) => api.busy())) === true;
}

function overloaded(ms: number): Warning {
  return {
    text: `work was still under way ${ms} ms after the load stopped`,
    advice: "the machine is overloaded: fewer guests, a lower rate, or a longer duration",
  };
}

/** Every guest's report, if there is a worker that can give it; its counts outlive it. */
async function collectGuests(crew: Crew, loops: NamedLoop[]): Promise<GuestOutcome[]> {
  const reports = new Map<ThreadGuest, GuestReport>();
  await inTurns(crew.guests, async (guest) => {
    if (!guest.ready || guest.worker.dead !== null) return;
    const answer = await crew.ask(guest, (api) => api.collect());
    if (answer === null) return;
    loops.push({ ...answer.loop, actor: guest.plan.spec.name });
    reports.set(guest, answer.report);
  });
  return crew.borders.map(({ memory, shape }, index) => {
    const guest = crew.guests[index];
    const report = guest === undefined ? null : (reports.get(guest) ?? null);
    const fates = Array.from(guestFatesOf(memory, shape));
    return { report, dead: guest?.dead ?? null, fates };
  });
}
