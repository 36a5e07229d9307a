/** A VM process of a sequence: knows what it has open, and what its calls may return. */

import { MessageReceiver, MessageSender } from "../../src/wire/channel.ts";
import type { Request, Response } from "../../src/wire/messages.ts";
import type { BedGuest, FuzzBed } from "./bed.ts";
import { expectThat } from "./bed.ts";
import type { FdChoice } from "./ioctl-steps.ts";

export type Body = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

export interface OpenFile {
  readonly fd: number;
  readonly kind: "vfio" | "eventfd" | "kvm" | "file";
  /** Device by name, eventfd by slot. */
  readonly name: string;
  readonly slot: number;
}

/** What a call may return, and what to do when it has. */
export interface Call {
  readonly body: Body;
  /** Null if it may return that; otherwise what is wrong. */
  judge(response: Response): string | null;
}

/** Events a call may take: a reset takes 100 ms in which others signal on and on. */
const ACTIVATIONS_MAX = 1_000_000;
/** A descriptor that no process of a sequence ever has. */
const CLOSED_FD = 60_000;

export class IoctlGuest {
  readonly bed: FuzzBed;
  readonly guest: BedGuest;
  readonly index: number;
  readonly files: OpenFile[] = [];
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  readonly #calls = new Map<number, Call>();
  #nextId = 1;
  alive = true;

  constructor(bed: FuzzBed, guest: BedGuest) {
    this.bed = bed;
    this.guest = guest;
    this.index = bed.guests.indexOf(guest);
    this.#sender = new MessageSender(guest.port.requests);
    this.#receiver = new MessageReceiver(guest.port.responses, (reason) =>
      expectThat(false, () => `the host answered with ${reason}`),
    );
  }

  /** Calls that have not returned. */
  get underWay(): number {
    return this.#calls.size;
  }

  of(kind: OpenFile["kind"]): OpenFile[] {
    return this.files.filter((file) => file.kind === kind);
  }

  /** The descriptor of `device`, or one that is not open. */
  fdOf(device: string): number {
    return this.files.find(({ name }) => name === device)?.fd ?? CLOSED_FD;
  }

  /** The descriptor that a choice stands for. */
  choose(choice: FdChoice): number {
    if (choice === "none") return -1;
    if (choice === "closed") return CLOSED_FD;
    const of = this.of(choice === "file" ? "vfio" : "eventfd");
    const at = choice === "file" ? 0 : choice % Math.max(1, of.length);
    return of[at]?.fd ?? CLOSED_FD;
  }

  /** Starts a call. */
  post(call: Call): void {
    const id = this.#nextId++;
    this.#calls.set(id, call);
    this.#sender.send({ ...call.body, id });
    this.bed.poll();
    this.hear();
  }

  /** Lets all calls return. */
  wait(): void {
    const done = (): boolean => {
      this.hear();
      return this.#calls.size === 0 || !this.alive;
    };
    this.bed.runUntil(
      done,
      ACTIVATIONS_MAX,
      () => `${[...this.#calls.values()].map(({ body }) => body.op)}`,
    );
  }

  /** Takes what has been answered. */
  hear(): void {
    if (this.#sender.backlog > 0) this.#sender.pump();
    this.#receiver.receive((message) => this.#answer(message as Response));
  }

  /** The process is gone, whatever it had under way. */
  kill(): void {
    this.alive = false;
    this.#calls.clear();
    this.files.length = 0;
    this.bed.host.exit(this.index, "killed");
  }

  #answer(response: Response): void {
    const call = this.#calls.get(response.id);
    // A dead process has forgotten what it asked.
    if (call === undefined) {
      expectThat(!this.alive, () => `answer ${response.id} to nothing`);
      return;
    }
    this.#calls.delete(response.id);
    const wrong = call.judge(response);
    expectThat(wrong === null, () => `${call.body.op} returned ${response.ret}: ${wrong}`);
  }
}
