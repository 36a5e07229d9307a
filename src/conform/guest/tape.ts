/** One device's recorded writes of a segment, read ahead for choices that the guest was free in. */
import {
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
} from "../../uapi/pci-regs.ts";
import type { FunctionImage } from "./image.ts";
import { exclusion, type RecordedWrite, type TableWrite } from "./writes.ts";

/** Address words of a table entry, and its vector control. */
const ADDRESS_LO = 0;
const ADDRESS_HI = 4;
const DATA = 8;
const CONTROL = 12;
/** A message to the local APIC `destination`. */
const DESTINATION_SHIFT = 12;
const SHUTDOWN_VECTOR = 0xef;
const REMAPPABLE = 1 << 4;
const INDEX_LOW_SHIFT = 5;
const INDEX_LOW = 0x7fff;
const INDEX_HIGH = 1 << 2;
const INDEX_HIGH_BIT = 1 << 15;

/** What a write of an entry's mask bit is the beginning of. */
export type MaskPurpose = "move" | "busy" | "free" | "other";

interface Message {
  readonly address: number;
  readonly data: number;
}

export class Tape {
  readonly image: FunctionImage;
  /** Writes that are not compared, by why. */
  readonly excluded = new Map<string, RecordedWrite[]>();
  readonly #writes: RecordedWrite[] = [];
  #at = 0;

  constructor(image: FunctionImage, writes: readonly RecordedWrite[]) {
    this.image = image;
    for (const write of writes) {
      const why = exclusion(write, image.caps);
      if (why === null) this.#writes.push(write);
      else {
        const list = this.excluded.get(why);
        if (list === undefined) this.excluded.set(why, [write]);
        else list.push(write);
      }
    }
  }

  /** What the guest wrote next; null at the end. */
  peek(ahead = 0): RecordedWrite | null {
    return this.#writes[this.#at + ahead] ?? null;
  }

  get left(): readonly RecordedWrite[] {
    return this.#writes.slice(this.#at);
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** The coming writes of one entry. */
  #ofEntry(vector: number): TableWrite[] {
    return this.left.filter(
      (write) => write.kind === "table" && write.vector === vector,
    ) as (TableWrite & { line: number })[];
  }

  /** Whether a mask bit written next is for a move, one that has to wait, or the end of the irq. */
  maskPurpose(vector: number): MaskPurpose {
    const [mask, next] = this.#ofEntry(vector);
    if (mask?.field !== CONTROL || mask.value !== PCI_MSIX_ENTRY_CTRL_MASKBIT) return "other";
    if (next === undefined) return "other";
    if (next.field === CONTROL) return next.value === 0 ? "busy" : "other";
    return next.value === 0 ? "free" : "move";
  }

  /** The last message of `vector` before its mask bit changes again; null if there is none. */
  message(vector: number): Message | null {
    const { msi } = this.image.caps;
    const next = this.peek();
    if (vector === 0 && msi !== null && next?.kind === "config" && next.offset >= msi.offset) {
      if (next.offset < msi.offset + msi.bytes) return this.#msiMessage(msi.offset);
    }
    let address = 0;
    let message: Message | null = null;
    for (const { field, value } of this.#ofEntry(vector)) {
      if (field === ADDRESS_LO) address = value;
      if (field === ADDRESS_HI) continue;
      if (field === DATA && address !== 0) message = { address, data: value };
      if (field === CONTROL && message !== null) break;
    }
    return message;
  }

  /** Messages in the MSI capability one after the other: the last of them. */
  #msiMessage(cap: number): Message | null {
    let address = 0;
    let message: Message | null = null;
    for (const write of this.left) {
      if (write.kind !== "config" || write.offset < cap) break;
      const at = write.offset - cap;
      if (at === PCI_MSI_ADDRESS_LO) address = write.value;
      const isData = write.size === 2 && (at === PCI_MSI_DATA_32 || at === PCI_MSI_DATA_64);
      if (isData && address !== 0) message = { address, data: write.value };
    }
    return message;
  }

  /** vCPU and vector of the coming message, as vcpu << 8 | vector. */
  slot(vector: number): number | null {
    const message = this.message(vector);
    if (message === null || (message.address & REMAPPABLE) !== 0) return null;
    if ((message.data & 0xff) === SHUTDOWN_VECTOR) return null;
    return (((message.address >>> DESTINATION_SHIFT) & 0xff) << 8) | (message.data & 0xff);
  }

  /** Entry of the remapping table that the coming message names. */
  entry(vector: number): number | null {
    const message = this.message(vector);
    if (message === null || (message.address & REMAPPABLE) === 0) return null;
    const low = (message.address >>> INDEX_LOW_SHIFT) & INDEX_LOW;
    const high = (message.address & INDEX_HIGH) === 0 ? 0 : INDEX_HIGH_BIT;
    return low | high;
  }

  /** True if the message of an MSI that is on comes next. */
  isMsiUpdate(): boolean {
    const { msi } = this.image.caps;
    const next = this.peek();
    if (msi === null || next?.kind !== "config") return false;
    if (next.offset !== msi.offset + PCI_MSI_FLAGS) return false;
    return (next.value & PCI_MSI_FLAGS_ENABLE) !== 0;
  }
}
