/** comlink over worker_threads: the control plane between the main thread and its workers. */
import type { Endpoint } from "comlink";

/** What Worker, MessagePort and parentPort of node:worker_threads have in common. */
export interface NodePort {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  on(event: "message", listener: (data: unknown) => void): unknown;
  off(event: "message", listener: (data: unknown) => void): unknown;
  start?(): void;
}

type Listener = { handleEvent(event: object): void } | ((event: object) => void);

/**
 * A comlink endpoint on `port` (comlink's own adapter ships without types Node's resolution finds).
 * comlink adds a listener for each call under way and removes it with the answer; a thread parked
 * in Atomics.wait answers nothing until it is woken.
 */
export function nodeEndpoint(port: NodePort): Endpoint {
  const wrapped = new WeakMap<object, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfer?: readonly unknown[]) =>
      port.postMessage(message, transfer),
    addEventListener: (_type: string, listener: Listener) => {
      const forward = (data: unknown): void =>
        "handleEvent" in listener ? listener.handleEvent({ data }) : listener({ data });
      wrapped.set(listener, forward);
      port.on("message", forward);
    },
    removeEventListener: (_type: string, listener: Listener) => {
      const forward = wrapped.get(listener);
      if (forward !== undefined) port.off("message", forward);
    },
    start: () => port.start?.(),
  };
}
