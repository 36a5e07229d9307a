/** System calls of the VM process: requests through the border, each waiting for its response. */
import { assert } from "../src/base/assert.ts";
import type { GuestPort } from "../src/shm/border.ts";
import { type Process, until, WaitQueue } from "../src/time/process.ts";
import { type BadBytes, MessageReceiver, MessageSender } from "../src/wire/channel.ts";
import type { Request, RequestId, Response, VmExit } from "../src/wire/messages.ts";

/** What a system call without its id looks like; the union is kept apart variant by variant. */
type Call = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

/** A call under way. */
interface Unanswered {
  readonly queue: WaitQueue;
  response: Response | null;
}

const EMPTY = new Uint8Array(0);

/**
 * The system calls of one VM process. Several may be under way; the host answers each once, in any
 * order. The kernel is trusted: an answer that makes no sense is a broken invariant.
 */
export class Syscalls {
  readonly #port: GuestPort;
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  /** By id; null where nobody waits for the answer. */
  readonly #unanswered = new Map<RequestId, Unanswered | null>();
  readonly #deliver = (message: unknown): void => this.#answer(message as Response);
  #lastId = 0;

  constructor(port: GuestPort) {
    this.#port = port;
    this.#sender = new MessageSender(port.requests);
    this.#receiver = new MessageReceiver(port.responses, (reason: BadBytes) => {
      assert(false, `unreadable response from the host: ${reason}`);
    });
  }

  /** Calls the host has not answered yet. */
  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Moves queued requests, takes responses; returns how much there was to do. */
  poll(): number {
    let work = 0;
    if (this.#sender.backlog > 0 && this.#sender.pump()) {
      this.#port.wakeHost.wake();
      work++;
    }
    return work + this.#receiver.receive(this.#deliver);
  }

  /** open(2): a file descriptor or a negative errno. */
  *open(path: string): Process<number> {
    return (yield* this.#call({ op: "open", path })).ret;
  }

  /** close(2). */
  *close(fd: number): Process<number> {
    return (yield* this.#call({ op: "close", fd })).ret;
  }

  /** eventfd2(2): descriptor (or negative errno) and the slot of its counter in shared memory. */
  *eventfd(initval: number, flags: number): Process<{ fd: number; slot: number }> {
    const { ret, slot } = yield* this.#call({ op: "eventfd2", initval, flags });
    assert(ret < 0 || slot !== undefined, "eventfd2 without a slot");
    return { fd: ret, slot: slot ?? -1 };
  }

  /** ioctl(2): result, and what the kernel wrote back over the argument. */
  *ioctl(fd: number, cmd: number, arg: Uint8Array): Process<{ ret: number; data: Uint8Array }> {
    const { ret, data } = yield* this.#call({ op: "ioctl", fd, cmd, arg });
    return { ret, data: data ?? EMPTY };
  }

  /** pread(2) on a vfio device; `ret` counts the bytes in `data`. */
  *pread(fd: number, offset: number, count: number): Process<{ ret: number; data: Uint8Array }> {
    const { ret, data } = yield* this.#call({ op: "pread", fd, offset, count });
    return { ret, data: data ?? EMPTY };
  }

  /** pwrite(2) on a vfio device: bytes written. */
  *pwrite(fd: number, offset: number, data: Uint8Array): Process<number> {
    return (yield* this.#call({ op: "pwrite", fd, offset, data })).ret;
  }

  /** A VM exit that the kernel's irqchip handles. */
  *vmexit(fd: number, exit: VmExit): Process<number> {
    return (yield* this.#call({ op: "vmexit", fd, exit })).ret;
  }

  /** As `vmexit`, for a vCPU that does not wait for it to end. */
  postVmexit(fd: number, exit: VmExit): void {
    this.#send({ op: "vmexit", fd, exit }, null);
  }

  *#call(call: Call): Process<Response> {
    const waiting: Unanswered = { queue: new WaitQueue(call.op), response: null };
    this.#send(call, waiting);
    yield* until(waiting.queue, () => waiting.response !== null);
    return waiting.response!;
  }

  #send(call: Call, waiting: Unanswered | null): void {
    const id = ++this.#lastId;
    this.#unanswered.set(id, waiting);
    if (this.#sender.send({ id, ...call })) this.#port.wakeHost.wake();
  }

  #answer(response: Response): void {
    const waiting = this.#unanswered.get(response.id);
    assert(waiting !== undefined, () => `response to no request: id ${response.id}`);
    this.#unanswered.delete(response.id);
    if (waiting === null) return;
    waiting.response = response;
    waiting.queue.wakeAll();
  }
}
