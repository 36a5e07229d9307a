import { expect, it } from "vitest";
import { MessageReceiver, MessageSender } from "../../../../src/wire/channel.ts";
import { FuzzBed } from "../../../fuzz/bed.ts";
import { HOST, NVME } from "../vfio/machine.ts";

const READS = 400;
/** The nvme's BAR. */
const BYTES = 0x4000;
const BACKLOG_BYTES_MAX = 1 << 20;
const CALLS_MAX = 256;

it("a process that does not read its answers is heard no more once they are a mebibyte", () => {
  const bed = new FuzzBed(HOST, [NVME]);
  const { port } = bed.attach("deaf", [NVME]);
  const sender = new MessageSender(port.requests);
  sender.send({ id: 0, op: "open", path: "/dev/vfio/n8" });
  bed.poll();
  bed.sleep(1e9);
  for (let id = 1; id <= READS; id++) {
    sender.send({ id, op: "pread", fd: 3, offset: 0, count: BYTES });
  }
  for (let ms = 0; ms < 20; ms++) {
    sender.pump();
    bed.poll();
    bed.sleep(1e6);
  }
  const heardMax = CALLS_MAX + BACKLOG_BYTES_MAX / BYTES + 2;
  expect(READS - sender.backlog).toBeLessThanOrEqual(heardMax + port.shape.ring.slots);
  // As soon as it reads, all are answered.
  let answers = 0;
  const receiver = new MessageReceiver(port.responses, () => expect.unreachable());
  const done = (): boolean => {
    sender.pump();
    bed.poll();
    receiver.receive(() => answers++);
    return answers === READS + 1;
  };
  bed.runUntil(done, 10_000_000, () => `${answers} answers`);
});
