import { describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import type { CreateHost, HostReport } from "../../src/run/contract.ts";
import type { HostPort } from "../../src/shm/border.ts";
import type { Plant } from "./bed.ts";
import { EPISODE_SLOTS, runEpisode } from "./border-fuzz.ts";

const SEED = 20_261_122;
const HONEST = 0;
const HOSTILE = 1;
/** A canary has to sing long before an episode is over. */
const CANARY_SLOTS = 10_000;

const canary = (plant: Plant, slots = CANARY_SLOTS, weigh = false) => {
  return () => runEpisode(SEED, 0, { slots, plant, weigh });
};

/** `port` of one guest, with some of it replaced. */
function tamper(guest: number, change: (port: HostPort) => Partial<HostPort>): Plant {
  return { port: (port, index) => (index === guest ? { ...port, ...change(port) } : port) };
}

/** A host whose report is not what it counted. */
function forged(change: (report: HostReport) => HostReport): Plant {
  const create: CreateHost = (...args) => {
    const host = createHost(...args);
    const report = host.report.bind(host);
    host.report = () => change(report());
    return host;
  };
  return { createHost: create };
}

/** A double that answers `take` with something else in every hundredth call. */
function everyHundredth<T>(proper: () => T, wrong: () => T): () => T {
  let calls = 0;
  return () => (++calls % 100 === 0 ? wrong() : proper());
}

describe("whatever a guest writes into its memory", () => {
  it.each([0, 1, 2])("the host accounts for it and serves its neighbour (%i)", (episode) => {
    const result = runEpisode(SEED, episode, { weigh: episode === 0 });
    expect(result.slots).toBeGreaterThanOrEqual(EPISODE_SLOTS);
    expect(result.answers).toBeGreaterThan(EPISODE_SLOTS / 4);
    expect(result.honestCalls).toBeGreaterThan(2000);
    expect(result.honestInterrupts).toBeGreaterThan(500);
    expect(Object.keys(result.hostile).length).toBeGreaterThan(12);
  });

  it("is the same again with the same seed", () => {
    const run = () => runEpisode(SEED, 7, { slots: 3000 });
    expect(run()).toEqual(run());
  });
});

describe("the fuzzer finds a planted bug:", () => {
  it("a poll set that hands on bits past its end", () => {
    const plant = tamper(HOSTILE, ({ hostPoll }) => ({
      hostPoll: Object.assign(Object.create(hostPoll), {
        sources: hostPoll.sources,
        drain: (out: Int32Array) => {
          out[0] = 0x7ffffff0;
          return Math.max(hostPoll.drain(out), 1);
        },
      }),
    }));
    expect(canary(plant)).toThrow(/replay: npm run fuzz -- --seed 20261122 --episode 0/);
  });

  it("a ring whose slots are read beyond what was published", () => {
    const plant = tamper(HOSTILE, ({ requests }) => {
      const { available } = requests;
      requests.available = everyHundredth(
        () => available.call(requests),
        () => available.call(requests) + 1,
      );
      return {};
    });
    expect(canary(plant)).toThrow(/vanished|times|not taken|no end/);
  });

  it("a message that is dropped and not counted", () => {
    const plant = forged((report) => ({
      ...report,
      guests: report.guests.map((guest) => {
        const { "bad-id": _, ...hostile } = guest.hostile;
        return { ...guest, hostile };
      }),
    }));
    expect(canary(plant)).toThrow(/neither answered nor counted|vanished/);
  });

  it("an interrupt of the neighbour that never arrives", () => {
    const plant = tamper(HONEST, ({ interrupts }) => {
      const post = interrupts.post.bind(interrupts);
      let posts = 0;
      interrupts.post = (request) => (++posts % 50 === 0 ? true : post(request));
      return {};
    });
    expect(canary(plant)).toThrow(/0 requests/);
  });

  it("an eventfd of the neighbour that is signalled twice", () => {
    const plant = tamper(HONEST, ({ eventfds }) => {
      const signal = eventfds.signal.bind(eventfds);
      let signals = 0;
      eventfds.signal = (slot) => {
        if (++signals % 50 === 0) signal(slot);
        return signal(slot);
      };
      return {};
    });
    expect(canary(plant)).toThrow(/made its eventfd count 2/);
  });

  it("memory that is kept for every batch of slots", () => {
    const kept: number[][] = [];
    const plant = tamper(HOSTILE, ({ requests }) => {
      const release = requests.release.bind(requests);
      requests.release = () => {
        for (let copy = 0; copy < 8; copy++) kept.push(Array.from(requests.words));
        release();
      };
      return {};
    });
    expect(canary(plant, 60_000, true)).toThrow(/memory grew/);
  });
});
