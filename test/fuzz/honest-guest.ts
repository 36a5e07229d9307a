/** A well-behaved VM process that knows every answer in advance, and counts its interrupts. */
import type { Prng } from "../../src/base/prng.ts";
import { FATE, FateCounts } from "../../src/measure/fates.ts";
import { balanceLedger, describeViolation } from "../../src/measure/ledger.ts";
import { type IrqKind, rowOf } from "../../src/measure/rows.ts";
import type { HostGuestReport } from "../../src/run/contract.ts";
import { encodeIrqfd, encodeRouting, KVM_IRQFD, KVM_SET_GSI_ROUTING } from "../../src/uapi/kvm.ts";
import {
  encodeIrqSet,
  packFds,
  packWords,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../../src/uapi/vfio.ts";
import { MessageReceiver, MessageSender } from "../../src/wire/channel.ts";
import type { Response } from "../../src/wire/messages.ts";
import { type BedGuest, expectThat, type FuzzBed } from "./bed.ts";

const VECTORS = 8;
/** Vectors from here on are injected by KVM; those below are read by userspace. */
const FIRST_IRQFD = 4;
const FIRST_GSI = 100;
const FIRST_VECTOR = 0x40;
const CONFIG = VFIO_PCI_CONFIG_REGION_INDEX * VFIO_PCI_OFFSET_UNIT;
const ROCKER_TEST_IRQ = 0x20;
const EDU_RAISE = 0x60;
const EDU_ACK = 0x64;
const TRIGGER = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
const UNMASK = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK;
/** Events until an answer: enough for whatever a neighbour may have under way. */
const ACTIVATIONS_MAX = 5_000_000;

interface Eventfd {
  readonly fd: number;
  readonly slot: number;
}

type Body = Record<string, unknown>;

export class HonestGuest {
  readonly #bed: FuzzBed;
  readonly #guest: BedGuest;
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  readonly #fates: FateCounts;
  readonly #vectors: Eventfd[] = [];
  readonly #taken = new Int32Array(1024);
  #answer: Response | null = null;
  #nextId = 1;
  #rocker = -1;
  #edu = -1;
  #intx: Eventfd = { fd: -1, slot: -1 };
  /** Requests answered as they should be. */
  answered = 0;
  /** Interrupts its handlers have seen. */
  interrupts = 0;

  /** `guest` has a rocker and an edu, in this order. */
  constructor(bed: FuzzBed, guest: BedGuest) {
    this.#bed = bed;
    this.#guest = guest;
    const { port } = guest;
    this.#sender = new MessageSender(port.requests);
    this.#receiver = new MessageReceiver(port.responses, (reason) =>
      expectThat(false, () => `the host answered the honest guest with ${reason}`),
    );
    const rows = guest.shape.rows;
    this.#fates = new FateCounts(rows, port.guestFates);
  }

  /** Opens its devices and arms all their interrupts. */
  setUp(): void {
    const [rocker, edu] = this.#guest.plan.devices;
    this.#rocker = this.#ok({ op: "open", path: `/dev/vfio/${rocker!.name}` });
    this.#edu = this.#ok({ op: "open", path: `/dev/vfio/${edu!.name}` });
    const kvm = this.#ok({ op: "open", path: "/dev/kvm" });
    this.#write(this.#rocker, CONFIG + 4, 2, 0x6);
    for (let vector = 0; vector < VECTORS; vector++) this.#vectors.push(this.#eventfd());
    const routes = [];
    for (let vector = FIRST_IRQFD; vector < VECTORS; vector++) {
      const [gsi, data] = [FIRST_GSI + vector, FIRST_VECTOR + vector];
      routes.push({ gsi, type: "msi" as const, addressLo: 0xfee00000, addressHi: 0, data });
    }
    this.#expect({ op: "ioctl", fd: kvm, cmd: KVM_SET_GSI_ROUTING, arg: encodeRouting(routes) }, 0);
    for (let vector = FIRST_IRQFD; vector < VECTORS; vector++) {
      const fd = this.#vectors[vector]!.fd;
      const arg = encodeIrqfd({ fd, gsi: FIRST_GSI + vector, flags: 0, resamplefd: -1 });
      this.#expect({ op: "ioctl", fd: kvm, cmd: KVM_IRQFD, arg }, 0);
    }
    this.#setIrqs(
      this.#rocker,
      2,
      0,
      TRIGGER,
      this.#vectors.map(({ fd }) => fd),
    );
    this.#intx = this.#eventfd();
    this.#setIrqs(this.#edu, 0, 0, TRIGGER, [this.#intx.fd]);
  }

  /** One thing that a guest does all day, with its answer checked. */
  work(random: Prng): void {
    const vector = random.nextBelow(VECTORS);
    switch (random.nextBelow(8)) {
      case 0:
        this.#readConfig();
        break;
      case 1:
        this.#eventfdComesAndGoes(random.nextBelow(5));
        break;
      case 2:
        this.#swap(random.nextBelow(FIRST_IRQFD));
        break;
      case 3:
        this.#lineInterrupt();
        break;
      case 4:
        this.#mistakes();
        break;
      default:
        this.#message(vector);
    }
  }

  /** What is left after a run of work: every interrupt raised was delivered, once. */
  audit(report: HostGuestReport): void {
    const { plan, port } = this.#guest;
    const { violations, raised, totals } = balanceLedger([
      {
        name: plan.spec.name,
        rows: plan.rows,
        alive: report.alive,
        raised: report.raised,
        hostFates: report.fates,
        guestFates: port.guestFates,
        injected: report.injected,
      },
    ]);
    expectThat(violations.length === 0, () => violations.map(describeViolation).join("; "));
    const all = totals.delivered === raised && raised === this.interrupts;
    expectThat(all, () => `${raised} interrupts raised, fates ${JSON.stringify(totals)}`);
    const counted = JSON.stringify(report.hostile);
    expectThat(counted === "{}", () => `the honest guest was blamed for ${counted}`);
  }

  /** One call; virtual time passes until it returns. */
  #call(body: Body): Response {
    const id = this.#nextId++;
    this.#answer = null;
    this.#sender.send({ ...body, id });
    this.#bed.runUntil(
      () => this.#hear(),
      ACTIVATIONS_MAX,
      () => `the honest guest's ${body.op}`,
    );
    const answer = this.#answer as Response | null;
    expectThat(answer!.id === id, () => `answer ${answer!.id} to request ${id}`);
    this.answered++;
    return answer!;
  }

  #hear(): boolean {
    this.#receiver.receive((message) => {
      this.#answer = message as Response;
    });
    return this.#answer !== null;
  }

  #expect(body: Body, ret: number): Response {
    const answer = this.#call(body);
    expectThat(answer.ret === ret, () => `${body.op} returned ${answer.ret}, not ${ret}`);
    return answer;
  }

  #ok(body: Body): number {
    const { ret } = this.#call(body);
    expectThat(ret >= 0, () => `${body.op} failed with ${ret}`);
    return ret;
  }

  #eventfd(initval = 0): Eventfd {
    const { ret, slot } = this.#call({ op: "eventfd2", initval, flags: 0 });
    expectThat(ret >= 0 && slot !== undefined, () => `eventfd2 failed with ${ret}`);
    return { fd: ret, slot: slot! };
  }

  #write(fd: number, offset: number, size: number, value: number): void {
    const data = packWords([value]).subarray(0, size);
    this.#expect({ op: "pwrite", fd, offset, data }, size);
  }

  #setIrqs(fd: number, index: number, start: number, flags: number, fds: number[]): void {
    const data = packFds(fds);
    const count = Math.max(1, fds.length);
    const arg = encodeIrqSet({ argsz: 20 + data.length, flags, index, start, count }, data);
    this.#expect({ op: "ioctl", fd, cmd: VFIO_DEVICE_SET_IRQS, arg }, 0);
  }

  #readConfig(): void {
    const { data } = this.#expect({ op: "pread", fd: this.#rocker, offset: CONFIG, count: 4 }, 4);
    expectThat(data?.join() === "54,27,6,0", () => `rocker's identity reads ${data?.join()}`);
    const arg = packWords([16, 0, 2, 0]);
    const info = this.#expect(
      { op: "ioctl", fd: this.#rocker, cmd: VFIO_DEVICE_GET_IRQ_INFO, arg },
      0,
    );
    const vectors = info.data?.at(12);
    expectThat(vectors === VECTORS, () => `GET_IRQ_INFO says ${vectors} vectors`);
  }

  #eventfdComesAndGoes(initval: number): void {
    const { fd, slot } = this.#eventfd(initval);
    const count = this.#guest.port.eventfds.read(slot);
    expectThat(count === initval, () => `a new eventfd counts ${count}, not ${initval}`);
    this.#expect({ op: "close", fd }, 0);
  }

  /** A vector gets another eventfd, as when QEMU masks it. */
  #swap(vector: number): void {
    const fresh = this.#eventfd();
    this.#setIrqs(this.#rocker, 2, vector, TRIGGER, [fresh.fd]);
    this.#expect({ op: "close", fd: this.#vectors[vector]!.fd }, 0);
    this.#vectors[vector] = fresh;
  }

  /** Calls that the kernel refuses. */
  #mistakes(): void {
    this.#expect({ op: "close", fd: 999 }, -9);
    this.#expect({ op: "open", path: "/dev/vfio/h-nvme" }, -2);
    this.#expect({ op: "pread", fd: this.#rocker, offset: CONFIG + 4096, count: 4 }, -14);
  }

  #message(vector: number): void {
    this.#write(this.#rocker, ROCKER_TEST_IRQ, 4, vector);
    const row = this.#row(0, "msix", vector);
    if (vector < FIRST_IRQFD) this.#takeEventfd(this.#vectors[vector]!, row);
    else this.#takeRequest(FIRST_VECTOR + vector, row);
  }

  #lineInterrupt(): void {
    this.#write(this.#edu, EDU_RAISE, 4, 1);
    this.#takeEventfd(this.#intx, this.#row(1, "intx", 0));
    this.#write(this.#edu, EDU_ACK, 4, 1);
    this.#setIrqs(this.#edu, 0, 0, UNMASK, []);
  }

  #row(device: number, kind: IrqKind, vector: number): number {
    return rowOf(this.#guest.plan.rows[device]!, kind, vector);
  }

  #takeEventfd({ slot }: Eventfd, row: number): void {
    const count = this.#guest.port.eventfds.read(slot);
    expectThat(count === 1, () => `row ${row}: an interrupt made its eventfd count ${count}`);
    this.#delivered(row);
  }

  #takeRequest(vector: number, row: number): void {
    const { interrupts, apic } = this.#guest.port;
    const count = interrupts.take(this.#taken);
    const only = count === 1 ? this.#taken[0] : -1;
    expectThat(only === vector, () => `row ${row}: ${count} requests, first ${this.#taken[0]}`);
    expectThat(apic.take(this.#taken) === 0, () => `row ${row}: a request bit nobody set`);
    this.#delivered(row);
  }

  #delivered(row: number): void {
    this.#fates.count(row, FATE.delivered);
    this.interrupts++;
  }
}
