/** The cheap look of a thread that spins sees what the look before a sleep sees. */
import { describe, expect, it } from "vitest";
import { createBorder, guestPort, hostPort, ringDoorbell } from "../../../../src/shm/border.ts";
import { Attention } from "../../../../src/shm/waker.ts";

const NOBODY = () => ({ wake: () => {} });

function border() {
  const ring = { slots: 2, slotBytes: 64 };
  const shape = { eventfds: 40, doorbells: 1, vcpus: 5, rows: 1, fateDoubles: 0, ring };
  const memory = createBorder(shape);
  return { host: hostPort(memory, shape, NOBODY), guest: guestPort(memory, shape, NOBODY) };
}

interface Looks {
  glance(): boolean;
  pending(): boolean;
}

const both = (source: Looks): boolean[] => [source.glance(), source.pending()];

describe("a glance finds", () => {
  it("posted interrupts, also of a vCPU that had none before", () => {
    const { host, guest } = border();
    expect(both(guest.posted)).toEqual([false, false]);
    host.posted.use(4, 0x41);
    expect(guest.posted.glance()).toBe(true);
    host.posted.post(4, 0x41);
    expect(both(guest.posted)).toEqual([true, true]);
    guest.posted.take(new Int32Array(5 * 256));
    expect(both(guest.posted)).toEqual([false, false]);
  });

  it("queued requests", () => {
    const { host, guest } = border();
    expect(both(guest.interrupts)).toEqual([false, false]);
    host.interrupts.post(0x41);
    expect(both(guest.interrupts)).toEqual([true, true]);
    expect([guest.interrupts.takeSingle(), ...both(guest.interrupts)]).toEqual([
      0x41,
      false,
      false,
    ]);
  });

  it("request bits of every vCPU", () => {
    const { host, guest } = border();
    host.apic.set(4, 0x41);
    expect(both(guest.apic)).toEqual([true, true]);
    guest.apic.take(new Int32Array(5 * 256));
    expect(both(guest.apic)).toEqual([false, false]);
  });

  it("eventfds and doorbells", () => {
    const { host, guest } = border();
    ringDoorbell(guest, 0, 1);
    guest.guestPoll.mark(39);
    expect([both(host.hostPoll), both(guest.guestPoll)]).toEqual([
      [true, true],
      [true, true],
    ]);
    guest.guestPoll.drain(new Int32Array(64));
    expect(both(guest.guestPoll)).toEqual([false, false]);
  });

  it("messages", () => {
    const { host, guest } = border();
    expect(both(host.requests)).toEqual([false, false]);
    guest.requests.reserve();
    guest.requests.commit();
    guest.requests.publish();
    expect(both(host.requests)).toEqual([true, true]);
  });

  it("main's attention", () => {
    const attention = new Attention({ words: new Int32Array(new SharedArrayBuffer(4)), index: 0 });
    expect([attention.glance(), attention.raised()]).toEqual([false, false]);
    attention.raise();
    expect([attention.glance(), attention.raised()]).toEqual([true, true]);
  });
});
