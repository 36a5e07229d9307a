/** Queue pairs of an NVMe controller: submissions in service, completions posted and seen. */
import type { TimedEvent } from "../../src/time/event-heap.ts";
import type { DeviceEnv } from "./types.ts";

/** The controller: told when a service of `queue` ends. */
export interface NvmeQueueOwner {
  serviceEnded(queue: number): void;
}

/**
 * Each queue serves one batch at a time: all that was submitted when the service began. So a guest
 * that rings as often as it likes costs one event a queue at most.
 */
export class NvmeQueues {
  readonly count: number;
  readonly #owner: NvmeQueueOwner;
  readonly #serviceNs: number;
  /** Last submission tail seen, the tail in service, and the last one completed, by queue. */
  readonly #submitted: Uint32Array;
  readonly #serving: Uint32Array;
  readonly #completed: Uint32Array;
  /** Completions posted, and whether INTx has to stand for some of them. */
  readonly #posted: Uint32Array;
  readonly #unacknowledged: Uint8Array;
  #unacknowledgedQueues = 0;
  #env: DeviceEnv | null = null;
  /** The service under way; what ends it is one closure a queue, made once. */
  readonly #service: (TimedEvent | null)[];
  readonly #endService: (() => void)[];

  constructor(count: number, serviceNs: number, owner: NvmeQueueOwner) {
    this.count = count;
    this.#owner = owner;
    this.#serviceNs = serviceNs;
    this.#submitted = new Uint32Array(count);
    this.#serving = new Uint32Array(count);
    this.#completed = new Uint32Array(count);
    this.#posted = new Uint32Array(count);
    this.#unacknowledged = new Uint8Array(count);
    this.#service = new Array(count).fill(null);
    this.#endService = this.#service.map((_, queue) => () => this.#end(queue));
  }

  /** True while INTx has to stand for completions of some queue. */
  get anyUnacknowledged(): boolean {
    return this.#unacknowledgedQueues > 0;
  }

  /** Last submission tail completed; 0 for a queue that does not exist. */
  completed(queue: number): number {
    return this.#completed[queue] ?? 0;
  }

  /** Completions posted so far. */
  posted(queue: number): number {
    return this.#posted[queue] ?? 0;
  }

  /** The submission tail moved to `tail`. Without `env` the commands complete at once. */
  submit(queue: number, tail: number, env: DeviceEnv | null): void {
    this.#submitted[queue] = tail;
    if (this.#service[queue] === null) this.#begin(queue, env);
  }

  /** A completion is posted. Hot path. */
  post(queue: number): void {
    this.#posted[queue]!++;
  }

  /** True while INTx stands for something posted to the queue: its completion head matters. */
  isUnacknowledged(queue: number): boolean {
    return this.#unacknowledged[queue] === 1;
  }

  /** INTx stands for what is posted to the queue until it is acknowledged. */
  awaitAcknowledge(queue: number): void {
    if (this.#unacknowledged[queue] === 1) return;
    this.#unacknowledged[queue] = 1;
    this.#unacknowledgedQueues++;
  }

  /** The completion head moved: true if that was the last queue INTx stood for. */
  acknowledge(queue: number): boolean {
    if (this.#unacknowledged[queue] === 0) return false;
    this.#unacknowledged[queue] = 0;
    this.#unacknowledgedQueues--;
    return this.#unacknowledgedQueues === 0;
  }

  /** Deletes a queue: its service is cancelled, its counters start at 0. As `acknowledge`. */
  clear(queue: number): boolean {
    const service = this.#service[queue];
    if (service) service.cancelled = true;
    this.#service[queue] = null;
    this.#submitted[queue] = 0;
    this.#completed[queue] = 0;
    this.#posted[queue] = 0;
    return this.acknowledge(queue);
  }

  #begin(queue: number, env: DeviceEnv | null): void {
    if (this.#submitted[queue] === this.#completed[queue]) return;
    this.#serving[queue] = this.#submitted[queue]!;
    if (env === null) {
      this.#end(queue);
      return;
    }
    this.#env = env;
    const at = env.clock.now() + this.#serviceNs;
    this.#service[queue] = env.scheduler.at(at, this.#endService[queue]!);
  }

  #end(queue: number): void {
    this.#service[queue] = null;
    this.#completed[queue] = this.#serving[queue]!;
    this.#owner.serviceEnded(queue);
    if (this.#service[queue] === null) this.#begin(queue, this.#env);
  }
}
