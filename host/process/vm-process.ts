/** One VM process as the host kernel sees it: its requests, its doorbells, its end. */
import { EINVAL } from "../../src/base/errno.ts";
import { type HostPort, readDoorbell } from "../../src/shm/border.ts";
import { type Process, until, WaitQueue } from "../../src/time/process.ts";
import { MessageReceiver, MessageSender } from "../../src/wire/channel.ts";
import type { Request, Response } from "../../src/wire/messages.ts";
import { parseRequest } from "../../src/wire/validate.ts";
import { type CallResult, type ProcessWorld, SystemCalls } from "./system-calls.ts";

/** System calls one process may have under way: more threads than any VMM has. */
const CALLS_MAX = 256;
/** Responses that may wait for a guest which does not take them, before it is heard no more. */
const BACKLOG_MAX = 512;
/** The same in bytes: a read may have 256 KiB of them. */
const BACKLOG_BYTES_MAX = 1 << 20;
/** How soon a full response ring is looked at again. */
const BACKLOG_RETRY_NS = 20_000;

/** Rings doorbell `index` of the process's devices. */
export type RingDoorbell = (index: number, value: number) => void;

export class VmProcess {
  readonly name: string;
  /** The kernel on behalf of this process: its calls start in the order they were made. */
  readonly #actor: string;
  readonly #world: ProcessWorld;
  readonly #port: HostPort;
  readonly #calls: SystemCalls;
  readonly #receiver: MessageReceiver;
  readonly #sender: MessageSender;
  readonly #doorbell: RingDoorbell;
  readonly #deliver = (message: unknown): void => this.#request(message);
  readonly #ready: Int32Array;
  readonly #idle: WaitQueue;
  /** Requests that made no sense, by reason. */
  readonly hostile: Record<string, number> = {};
  #underWay = 0;
  /** Calls that were under way when it ended. */
  callsCutShort = 0;
  #state: "running" | "exiting" | "gone" = "running";

  constructor(name: string, world: ProcessWorld, doorbell: RingDoorbell) {
    this.name = name;
    this.#actor = `kernel/${name}`;
    this.#world = world;
    this.#port = world.port;
    this.#doorbell = doorbell;
    this.#calls = new SystemCalls(world);
    this.#receiver = new MessageReceiver(world.port.requests, (reason) => this.#blame(reason));
    this.#sender = new MessageSender(world.port.responses);
    this.#idle = new WaitQueue(`${name}.idle`);
    this.#ready = new Int32Array(Math.max(32, Math.min(world.port.hostPoll.sources, 1024)));
  }

  get alive(): boolean {
    return this.#state === "running";
  }

  /** True while calls, or the process's exit, have not ended. */
  get busy(): boolean {
    return this.#underWay > 0 || this.#state === "exiting";
  }

  /** Takes requests and ready sources; returns how many there were. */
  poll(): number {
    if (this.#state === "gone") return 0;
    let did = this.#receive();
    if (this.#sender.backlog > 0 && this.#sender.pump()) {
      this.#port.wakeGuest.wake();
      did++;
    }
    return did + this.#pollSources();
  }

  /** Something waits here that nobody wakes the host for: answers, or requests beyond a limit. */
  get stuck(): boolean {
    if (this.#state === "gone") return false;
    return this.#sender.backlog > 0 || this.#underWay >= CALLS_MAX;
  }

  /** When the response ring has to be looked at again (ns), or Infinity. */
  nextAt(): number {
    if (this.#state === "gone" || this.#sender.backlog === 0) return Number.POSITIVE_INFINITY;
    return this.#world.env.clock.now() + BACKLOG_RETRY_NS;
  }

  /** Counts what waits in the VM's irqchip at the end of the run. */
  settle(): void {
    this.#calls.settle();
  }

  /**
   * do_exit: no further request is heard, calls under way end, everything open is closed. `then`
   * runs when nothing is left.
   */
  exit(then: () => void): void {
    if (this.#state !== "running") return;
    this.#state = "exiting";
    this.callsCutShort = this.#underWay;
    this.#world.env.scheduler.spawn(`${this.name}.exit`, this.#exit(then), this.#actor);
  }

  *#exit(then: () => void): Process {
    yield* until(this.#idle, () => this.#underWay === 0);
    yield* this.#calls.closeAll();
    this.#state = "gone";
    then();
  }

  #receive(): number {
    if (this.#state !== "running") return 0;
    const room = CALLS_MAX - this.#underWay;
    if (room <= 0 || this.#sender.backlog > BACKLOG_MAX) return 0;
    if (this.#sender.backlogBytes > BACKLOG_BYTES_MAX) return 0;
    return this.#receiver.receive(this.#deliver, room);
  }

  #request(message: unknown): void {
    const request = parseRequest(message);
    if (request.op === "bad") {
      this.#blame(`bad-${request.field}`);
      if (request.id !== null) this.#respond({ id: request.id, ret: -EINVAL });
      return;
    }
    this.#underWay++;
    this.#world.env.scheduler.spawn(
      `${this.name}.${request.op}`,
      this.#serve(request),
      this.#actor,
      true,
    );
  }

  *#serve(request: Request): Process {
    let result: CallResult;
    try {
      result = yield* this.#calls.call(request);
    } finally {
      this.#underWay--;
    }
    this.#respond({ id: request.id, ...result });
    this.#world.callEnded();
    this.#idle.wakeAll();
    // Requests may wait in the ring since the limit was reached.
    if (this.#underWay === CALLS_MAX - 1) this.#receive();
  }

  #respond(response: Response): void {
    if (this.#sender.send(response)) this.#port.wakeGuest.wake();
  }

  #pollSources(): number {
    const { hostPoll, shape } = this.#port;
    const taken = hostPoll.drain(this.#ready);
    for (let i = 0; i < taken; i++) {
      const source = this.#ready[i]!;
      if (source < shape.eventfds) this.#calls.eventfds.written(source);
      else {
        const index = source - shape.eventfds;
        this.#doorbell(index, readDoorbell(this.#port, index));
      }
    }
    return taken;
  }

  #blame(reason: string): void {
    this.hostile[reason] = (this.hostile[reason] ?? 0) + 1;
    this.#world.env.tracer.emit("hostile_request", { process: this.name, reason });
  }
}
