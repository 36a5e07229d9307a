/** System calls of a VM process over real border memory. */
import { describe, expect, it } from "vitest";
import { Syscalls } from "../../../guest/syscalls.ts";
import { InvariantError } from "../../../src/base/errors.ts";
import { createBorder, guestPort, hostPort } from "../../../src/shm/border.ts";
import type { Process } from "../../../src/time/process.ts";
import { Scheduler } from "../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../src/time/virtual-clock.ts";
import { MessageReceiver, MessageSender } from "../../../src/wire/channel.ts";
import type { Request, Response } from "../../../src/wire/messages.ts";

const SHAPE = {
  eventfds: 4,
  doorbells: 1,
  vcpus: 1,
  rows: 1,
  fateDoubles: 32,
  ring: { slots: 4, slotBytes: 64 },
};

function border() {
  const memory = createBorder(SHAPE);
  let wakes = 0;
  const guest = guestPort(memory, SHAPE, () => ({ wake: () => wakes++ }));
  const host = hostPort(memory, SHAPE, () => ({ wake: () => {} }));
  const sys = new Syscalls(guest);
  const scheduler = new Scheduler(new VirtualClock());
  const sender = new MessageSender(host.responses);
  const receiver = new MessageReceiver(host.requests, (reason) => expect.fail(reason));
  const requests: Request[] = [];
  return {
    sys,
    requests,
    wakes: () => wakes,
    spawn: (name: string, process: Process<unknown>) => scheduler.spawn(name, process),
    run: () => {
      while (scheduler.runNext());
    },
    receive: () => receiver.receive((message) => requests.push(message as Request)),
    answer: (response: Response) => sender.send(response),
    pump: () => sender.pump(),
  };
}

describe("a system call", () => {
  it("wakes the host and ends with its own answer, in whatever order answers come", () => {
    const { sys, requests, spawn, run, receive, answer, wakes } = border();
    const results: string[] = [];
    spawn(
      "a",
      (function* () {
        results.push(`a ${yield* sys.open("/dev/kvm")}`);
      })(),
    );
    spawn(
      "b",
      (function* () {
        results.push(`b ${yield* sys.close(7)}`);
      })(),
    );
    run();
    expect(wakes()).toBe(2);
    receive();
    expect(requests.map(({ op }) => op)).toEqual(["open", "close"]);
    expect(sys.unanswered).toBe(2);
    answer({ id: requests[1]!.id, ret: -9 });
    answer({ id: requests[0]!.id, ret: 3 });
    expect(sys.poll()).toBe(2);
    run();
    expect(results).toEqual(["b -9", "a 3"]);
    expect(sys.unanswered).toBe(0);
  });

  it("larger than the ring waits for room and loses nothing", () => {
    const { sys, requests, spawn, run, receive, answer, pump } = border();
    const arg = Uint8Array.from({ length: 2000 }, (_, i) => i & 0xff);
    let got: { ret: number; data: Uint8Array } | null = null;
    spawn(
      "ioctl",
      (function* () {
        got = yield* sys.ioctl(5, 0x3b6e, arg);
      })(),
    );
    run();
    for (let i = 0; i < 40; i++) {
      receive();
      sys.poll();
    }
    const [request] = requests;
    expect(request).toMatchObject({ op: "ioctl", fd: 5, cmd: 0x3b6e });
    expect(request!.op === "ioctl" && [...request!.arg]).toEqual([...arg]);
    answer({ id: request!.id, ret: 0, data: arg });
    for (let i = 0; i < 40; i++) {
      sys.poll();
      pump();
    }
    run();
    expect(got).toEqual({ ret: 0, data: arg });
  });

  it("that nobody waits for is answered all the same", () => {
    const { sys, requests, receive, answer } = border();
    sys.postVmexit(3, { reason: "eoi", vcpu: 0, vector: 0x30 });
    receive();
    expect(requests).toMatchObject([{ op: "vmexit", fd: 3, exit: { reason: "eoi" } }]);
    expect(sys.unanswered).toBe(1);
    answer({ id: requests[0]!.id, ret: 0 });
    sys.poll();
    expect(sys.unanswered).toBe(0);
  });

  it("eventfd2 gives the descriptor and the slot, or the error alone", () => {
    const { sys, requests, spawn, run, receive, answer } = border();
    const results: unknown[] = [];
    for (const name of ["a", "b"]) {
      spawn(
        name,
        (function* () {
          results.push(yield* sys.eventfd(0, 0));
        })(),
      );
    }
    run();
    receive();
    answer({ id: requests[0]!.id, ret: 9, slot: 2 });
    answer({ id: requests[1]!.id, ret: -24 });
    sys.poll();
    run();
    expect(results).toEqual([
      { fd: 9, slot: 2 },
      { fd: -24, slot: -1 },
    ]);
  });
});

describe("a host that answers what was not asked", () => {
  it("breaks an invariant", () => {
    const { sys, answer } = border();
    answer({ id: 99, ret: 0 });
    expect(() => sys.poll()).toThrow(InvariantError);
  });
});
