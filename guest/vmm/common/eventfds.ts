/** The eventfds a VMM process has open. */
import type { Process } from "../../../src/time/process.ts";
import type { MainLoop, Notifier } from "./main-loop.ts";

export class Eventfds {
  readonly #loop: MainLoop;
  readonly #open = new Set<Notifier>();

  constructor(loop: MainLoop) {
    this.#loop = loop;
  }

  /** eventfd2(2): null where there is none to be had. `row`: as MainLoop.newNotifier has it. */
  *create(row: number): Process<Notifier | null> {
    const notifier = yield* this.#loop.newNotifier(row);
    if (notifier !== null) this.#open.add(notifier);
    return notifier;
  }

  *close(notifier: Notifier): Process {
    this.#open.delete(notifier);
    yield* this.#loop.closeNotifier(notifier);
  }

  /** The process ends, in the order in which they were opened. */
  *closeAll(): Process {
    for (const notifier of [...this.#open]) yield* this.close(notifier);
  }
}
