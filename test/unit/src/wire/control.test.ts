import { MessageChannel } from "node:worker_threads";
import { expose, releaseProxy, wrap } from "comlink";
import { describe, expect, it } from "vitest";
import { nodeEndpoint } from "../../../../src/wire/control.ts";

describe("a node endpoint", () => {
  it("carries comlink calls, results and errors over a message port", async () => {
    const { port1, port2 } = new MessageChannel();
    const api = {
      add: (a: number, b: number) => a + b,
      fail: () => {
        throw new Error("no such guest");
      },
    };
    expose(api, nodeEndpoint(port1));
    const remote = wrap<typeof api>(nodeEndpoint(port2));
    expect(await Promise.all([remote.add(1, 2), remote.add(3, 4)])).toEqual([3, 7]);
    await expect(remote.fail()).rejects.toThrow("no such guest");
    remote[releaseProxy]();
    port1.close();
  });

  it("leaves no listener behind once an answer has come", async () => {
    const { port1, port2 } = new MessageChannel();
    expose({ ping: () => "pong" }, nodeEndpoint(port1));
    const remote = wrap<{ ping(): string }>(nodeEndpoint(port2));
    const idle = port2.listenerCount("message");
    for (let i = 0; i < 20; i++) expect(await remote.ping()).toBe("pong");
    expect(port2.listenerCount("message")).toBeLessThanOrEqual(idle + 1);
    port1.close();
    port2.close();
  });
});
