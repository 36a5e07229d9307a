/** What a recording's session did, as far as a guest's kernel and drivers notice. */

/** Something that happens to the guest, or that somebody does in it. */
export type GuestAction =
  | { readonly do: "load" | "unload"; readonly driver: string; readonly parameters: string }
  | { readonly do: "bind" | "unbind"; readonly driver: string; readonly slot: string }
  | { readonly do: "link"; readonly isUp: boolean }
  | { readonly do: "channels"; readonly combined: number }
  | { readonly do: "self-test" }
  | { readonly do: "affinity"; readonly irq: number | null; readonly vcpus: readonly number[] }
  | { readonly do: "cpu"; readonly cpu: number; readonly isOn: boolean }
  | { readonly do: "reset-function" | "remove"; readonly slot: string | null }
  | { readonly do: "reset-controller"; readonly index: number }
  | { readonly do: "rescan" | "reboot" | "power-off" | "kexec" | "suspend" }
  /** The machine asks for it, and the guest may or may not follow. */
  | { readonly do: "power-button" | "wake-up" }
  /** Suspend with `pm_test`: the devices come back at once. */
  | { readonly do: "suspend-test" }
  | { readonly do: "unplug" | "plug"; readonly id: string | null };

/** A note as an input. */
export interface Note {
  readonly actions: readonly GuestAction[];
  /** Everything in it is known; what the guest writes after another one cannot be foretold. */
  readonly isKnown: boolean;
  /** It asks something of the guest, so that what follows belongs to it. */
  readonly begins: boolean;
  /** What was asked before is done. */
  readonly completes: boolean;
  /** The VM's end, or a pause of it, in which the guest may be anywhere. */
  readonly cuts: boolean;
}

const NOTHING: Note = { actions: [], isKnown: true, begins: false, completes: false, cuts: false };

/** Commands that no device and no driver notices but by interrupts. */
const HARMLESS =
  /^(?:grep|cat|ls|true|sleep|ping|basename|dd|taskset|lspci|dmesg|head|sort|sed|wc|uname)\b|^:$/;
const READ_ONLY_ETHTOOL = /^ethtool (-[ilSkgc]|\w+$|-t \S+ online)/;

type Rule = readonly [RegExp, (groups: readonly string[]) => GuestAction[]];

const one = (action: GuestAction): GuestAction[] => [action];

/** One rule a kind of command; `\S` stands for names that the session chose. */
const RULES: readonly Rule[] = [
  [
    /^(?:lm|modprobe|insmod) (?!-)(\S+) ?(.*)$/,
    ([driver = "", parameters = ""]) => one({ do: "load", driver, parameters }),
  ],
  [
    /^(?:rmmod|modprobe -r) (\S+)/,
    ([driver = ""]) => one({ do: "unload", driver, parameters: "" }),
  ],
  [
    /^echo (\S+) > \/sys\/bus\/pci\/drivers\/([^/]+)\/(bind|unbind)/,
    ([slot = "", driver = "", what]) =>
      one({ do: what === "bind" ? "bind" : "unbind", driver, slot }),
  ],
  [/^ip link set (?:dev )?\S+ (up|down)/, ([to]) => one({ do: "link", isUp: to === "up" })],
  [
    /^ethtool -L \S+ combined (\d+)/,
    ([combined]) => one({ do: "channels", combined: Number(combined) }),
  ],
  [/^ethtool -t \S+ offline/, () => one({ do: "self-test" })],
  [
    /^echo ([0-9a-f,]+) > \/proc\/irq\/(\d+|\$\w+)\/smp_affinity$/,
    ([mask = "", irq = ""]) =>
      one({ do: "affinity", irq: irq.startsWith("$") ? null : Number(irq), vcpus: bits(mask) }),
  ],
  [
    /^echo ([\d,-]+) > \/proc\/irq\/(\d+)\/smp_affinity_list$/,
    ([list = "", irq]) => one({ do: "affinity", irq: Number(irq), vcpus: listed(list) }),
  ],
  [
    /^echo ([01]) > \/sys\/devices\/system\/cpu\/cpu(\d+)\/online/,
    ([on, cpu]) => one({ do: "cpu", cpu: Number(cpu), isOn: on === "1" }),
  ],
  [
    /^echo 1 > \/sys\/class\/nvme\/nvme(\d+)\/reset_controller/,
    ([index]) => one({ do: "reset-controller", index: Number(index) }),
  ],
  [
    /^echo 1 > (?:\/sys\/bus\/pci\/devices\/([^/]+)\/)?(reset|remove)$/,
    ([slot, what]) =>
      one({ do: what === "reset" ? "reset-function" : "remove", slot: slot ?? null }),
  ],
  [/^echo 1 > \/sys\/bus\/pci\/rescan/, () => one({ do: "rescan" })],
  [/^echo 1 > enable$/, () => []],
  [/^reboot\b/, () => one({ do: "reboot" })],
  [/^(?:poweroff|halt)\b/, () => one({ do: "power-off" })],
  [/^kexec (?:\S+ )*-e\b/, () => one({ do: "kexec" })],
  [/^kexec\b/, () => []],
  [/^ip (addr|route|neigh)\b/, () => []],
];

/** Bits of a mask of CPUs, as sysfs has it: hexadecimal, words divided by commas. */
function bits(mask: string): number[] {
  const value = BigInt(`0x${mask.replaceAll(",", "")}`);
  const found: number[] = [];
  for (let cpu = 0; value >> BigInt(cpu) !== 0n; cpu++) {
    if (((value >> BigInt(cpu)) & 1n) === 1n) found.push(cpu);
  }
  return found;
}

/** CPUs of a list: `0,2-3`. */
function listed(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

export class NoteReader {
  /** What /sys/power/pm_test was set to. */
  #pmTest = "none";

  read(text: string): Note {
    if (text.startsWith("L2> ")) return this.#command(text.slice(4));
    if (/^L2(<| shell ready)/.test(text)) return { ...NOTHING, completes: true };
    if (text.startsWith("QMP ")) return qmp(text.slice(4));
    if (/^L1 kill\b/.test(text)) return { ...NOTHING, begins: true, cuts: true };
    if (/^L1> echo \S+ > \/sys\/bus\/pci\/drivers\/vfio-pci\/unbind/.test(text)) {
      return { ...NOTHING, begins: true, actions: one({ do: "unplug", id: null }) };
    }
    return NOTHING;
  }

  /** A line of shell: each command that is known adds what it does. */
  #command(line: string): Note {
    const actions: GuestAction[] = [];
    let isKnown = true;
    for (const command of commandsOf(line)) {
      const found = this.#power(command) ?? matched(command);
      if (found !== null) actions.push(...found);
      else if (!HARMLESS.test(command) && !READ_ONLY_ETHTOOL.test(command)) isKnown = false;
    }
    return { actions, isKnown, begins: true, completes: false, cuts: false };
  }

  /** Sleep states depend on what was written before. */
  #power(command: string): GuestAction[] | null {
    const found = /^echo (\w+) > \/sys\/power\/(state|pm_test|mem_sleep)$/.exec(command);
    if (found === null) return null;
    if (found[2] === "pm_test") this.#pmTest = found[1]!;
    if (found[2] !== "state") return [];
    return one({ do: this.#pmTest === "none" ? "suspend" : "suspend-test" });
  }
}

function matched(command: string): GuestAction[] | null {
  for (const [pattern, actions] of RULES) {
    const found = pattern.exec(command);
    if (found !== null) return actions(found.slice(1));
  }
  return null;
}

/**
 * The simple commands of a line, loops over words spelled out, without redirections of output that
 * nobody looks at, substitutions, and what only prints.
 */
export function commandsOf(line: string): string[] {
  const loop = /\bfor (\w+) in ([^;]+); ?do (.*?); ?done/.exec(line);
  if (loop !== null) {
    const [whole, name = "", words = "", body = ""] = loop;
    const spelled = words
      .trim()
      .split(/\s+/)
      .map((word) => body.replaceAll(`$${name}`, word));
    return commandsOf(line.replace(whole, () => spelled.join("; ")));
  }
  return line
    .replace(/\$\([^()]*\)/g, "SUBSTITUTED")
    .replace(/["'][^"']*["']/g, "QUOTED")
    .replace(/2>&1|[012]?>>? ?\/dev\/null/g, "")
    .split(/;|&&|\|\||&|\|/)
    .map((command) =>
      command.replace(/^[\s(]*(?:while |do |then |done\b)*/, "").replace(/[\s)]+$/, ""),
    )
    .filter(
      (command) => command !== "" && !/^(\w+=\S*|echo (@@|QUOTED|\w+ SUB).*|done)$/.test(command),
    );
}

function qmp(text: string): Note {
  const [command = "", ...rest] = text.split(" ");
  const id = /"id": ?"([^"]+)"/.exec(rest.join(" "))?.[1] ?? null;
  switch (command) {
    case "device_del":
      return { ...NOTHING, begins: true, actions: one({ do: "unplug", id }) };
    case "device_add":
      return { ...NOTHING, begins: true, actions: one({ do: "plug", id }) };
    case "system_powerdown":
      return { ...NOTHING, begins: true, actions: one({ do: "power-button" }) };
    case "system_wakeup":
      return { ...NOTHING, begins: true, cuts: true, actions: one({ do: "wake-up" }) };
    case "event":
    case "stop":
    case "cont":
      return NOTHING;
    default:
      // system_reset, quit: told by what the machine then does.
      return { ...NOTHING, begins: true, cuts: true };
  }
}
