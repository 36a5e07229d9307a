import { describe, expect, it } from "vitest";
import {
  commandsOf,
  type GuestAction,
  NoteReader,
} from "../../../../../src/conform/guest/notes.ts";

const actionsOf = (command: string): readonly GuestAction[] =>
  new NoteReader().read(`L2> ${command}`).actions;

describe("commands of a session", () => {
  it.each<[string, GuestAction[]]>([
    ["lm igb; sleep 1", [{ do: "load", driver: "igb", parameters: "" }]],
    ["lm e1000e IntMode=2", [{ do: "load", driver: "e1000e", parameters: "IntMode=2" }]],
    [
      "for x in ahci igb; do lm $x; done; sleep 2",
      [
        { do: "load", driver: "ahci", parameters: "" },
        { do: "load", driver: "igb", parameters: "" },
      ],
    ],
    ["rmmod nvme; reboot -f", [{ do: "unload", driver: "nvme", parameters: "" }, { do: "reboot" }]],
    [
      "echo 0000:02:00.0 > /sys/bus/pci/drivers/igb/unbind",
      [{ do: "unbind", driver: "igb", slot: "0000:02:00.0" }],
    ],
    [
      "ip addr add 10.0.0.1/24 dev eth0 2>/dev/null; ip link set eth0 up; ping -c 4 10.0.0.2",
      [{ do: "link", isUp: true }],
    ],
    ["ethtool -L eth0 combined 3; sleep 2", [{ do: "channels", combined: 3 }]],
    ["ethtool -t eth0 offline", [{ do: "self-test" }]],
    ["echo c > /proc/irq/26/smp_affinity; cat x", [{ do: "affinity", irq: 26, vcpus: [2, 3] }]],
    ["echo 1,00000000 > /proc/irq/26/smp_affinity", [{ do: "affinity", irq: 26, vcpus: [32] }]],
    ["echo 0,2-3 > /proc/irq/7/smp_affinity_list", [{ do: "affinity", irq: 7, vcpus: [0, 2, 3] }]],
    ["echo 0 > /sys/devices/system/cpu/cpu3/online", [{ do: "cpu", cpu: 3, isOn: false }]],
    ["cat reset_method; echo 1 > reset; sleep 1", [{ do: "reset-function", slot: null }]],
    ["echo 1 > /sys/bus/pci/devices/0000:01:00.0/remove", [{ do: "remove", slot: "0000:01:00.0" }]],
    ["echo 1 > /sys/bus/pci/rescan; sleep 2", [{ do: "rescan" }]],
    ["echo 1 > /sys/class/nvme/nvme1/reset_controller", [{ do: "reset-controller", index: 1 }]],
    ["kexec -c -l /boot/vmlinuz --reuse-cmdline", []],
    ["kexec -e", [{ do: "kexec" }]],
    ["poweroff -f", [{ do: "power-off" }]],
  ])("%s", (command, actions) => {
    expect(actionsOf(command)).toEqual(actions);
    expect(new NoteReader().read(`L2> ${command}`).isKnown).toBe(true);
  });

  it.each([
    'grep -E "nvme|eth" /proc/interrupts',
    "for c in 1 2 4 8; do taskset $c dd if=/dev/nvme0n1 of=/dev/null bs=4k 2>/dev/null; done",
    "(while :; do dd if=/dev/nvme0n1 of=/dev/null 2>/dev/null; done) & sleep 1",
    "ethtool -t eth0 online; ethtool -l eth0",
    "basename $(readlink /sys/bus/pci/devices/0000:01:00.0/driver) 2>/dev/null",
  ])("%s is noticed by no driver", (command) => {
    expect(new NoteReader().read(`L2> ${command}`)).toMatchObject({ actions: [], isKnown: true });
  });

  it.each(["cw 114 '\\x09\\x80'", "for i in 0 1; do ent $i 0; done", "setpci -s 01:00.0 4.w=7"])(
    "%s is not known",
    (command) => {
      expect(new NoteReader().read(`L2> ${command}`).isKnown).toBe(false);
    },
  );

  it("sleep is a test of the devices alone where the session has asked for that", () => {
    const reader = new NoteReader();
    const test = "L2> echo devices > /sys/power/pm_test; echo freeze > /sys/power/state";
    expect(reader.read(test).actions).toEqual([{ do: "suspend-test" }]);
    const mem = "L2> echo none > /sys/power/pm_test; echo mem > /sys/power/state";
    expect(reader.read(mem).actions).toEqual([{ do: "suspend" }]);
  });

  it("are cut at what ends a simple command, and loops are spelled out", () => {
    expect(commandsOf("a; b && c || d & e | f")).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(commandsOf("for i in 1 2; do x $i; y; done; z")).toEqual(["x 1", "y", "x 2", "y", "z"]);
  });
});

describe("other notes", () => {
  const read = (text: string) => new NoteReader().read(text);

  it("a prompt that comes back completes what was asked", () => {
    expect(read("L2< @@RC 0")).toMatchObject({ completes: true, begins: false });
    expect(read("L2 shell ready (boot), guest uptime 4.06")).toMatchObject({ completes: true });
  });

  it("the machine's owner plugs, unplugs, ends and resets", () => {
    expect(read('QMP device_del {"id": "n64"}').actions).toEqual([{ do: "unplug", id: "n64" }]);
    expect(read('QMP device_add {"driver": "vfio-pci", "id": "n64b"}').actions).toEqual([
      { do: "plug", id: "n64b" },
    ]);
    expect(
      read("L1> echo BDF > /sys/bus/pci/drivers/vfio-pci/unbind (in the background)").actions,
    ).toEqual([{ do: "unplug", id: null }]);
    expect(read("QMP system_reset")).toMatchObject({ begins: true, cuts: true });
    expect(read("L1 kill -KILL qemu")).toMatchObject({ begins: true, cuts: true });
    expect(read("QMP stop")).toMatchObject({ begins: false, cuts: false });
  });

  it("remarks are nothing", () => {
    expect(read("--- function mask set, then cleared")).toMatchObject({ begins: false });
  });
});
