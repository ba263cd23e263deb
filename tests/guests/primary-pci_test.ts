// The primary VM's devices on a PCI bus, with each kind of interrupts, and its console on a 16550A:
// a bare-metal guest in CI, Debian's kernel, and with EL2_LONG its disk.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { QEMU_ECAM, QEMU_PCI_MEMORY, qemuDeviceId, qemuPciSpi } from "../../src/machine/host/boards/qemu-virt/map.ts";
import { FIRST_SPI } from "../../src/machine/devicetree/gic.ts";
import { Gits } from "../../src/machine/hypervisor/gic/its/its-registers.ts";
import { UartEnable, UartRegister, UartStatus } from "../../src/machine/devices/uart-16550.ts";
import { Gicv2mRegister } from "../../src/machine/devices/gicv2m.ts";
import { GICR_BASE, GITS_BASE, PL011_BASE, PL011_INTID, RAM_BASE, V2M_BASE, V2M_INTID } from "../../src/machine/hardware/memory-map.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { PROMPT } from "../support/console.ts";
import { Guest } from "./guest.ts";
import { type DevicePlan, PRIMARY_CONSOLE, type PrimaryUart, type SessionPlan } from "../../src/model/plans/plan.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { buildAccesses, enableSteps, type Step } from "./accesses/accesses.ts";
import { checkSaves, finish, PRIMARY_PLATFORM, primaryPlan, valuesOf } from "./accesses/primary.ts";
import { deviceSteps, itsSteps, requestSteps } from "./accesses/messages.ts";
import { LONG } from "../support/long.ts";

const MS = 1e6, REQUESTS = 3;
const QUEUE = RAM_BASE + 16 * MiB, TABLES = RAM_BASE + 17 * MiB;
const NONE = 1023;
const PROGRAM = await buildAccesses();

/** The second function: the first one's pin is another. */
const place = (slot: number) => ({
  ecam: QEMU_ECAM.base,
  slot: slot + 1,
  bar: QEMU_PCI_MEMORY.base + slot * MiB,
  queue: QUEUE + slot * 0x10_000,
});

/** The message of a function, and the interrupt that it raises. */
const KINDS = {
  none: () => ({ message: undefined, intid: (slot: number) => FIRST_SPI + qemuPciSpi(slot) }),
  gicv2m: () => ({
    message: (slot: number) => ({ address: V2M_BASE + Gicv2mRegister.SETSPI_NS, data: V2M_INTID + slot }),
    intid: (slot: number) => V2M_INTID + slot,
  }),
  its: () => ({ message: (slot: number) => ({ address: GITS_BASE + Gits.TRANSLATER, data: slot }), intid: (slot: number) => 8192 + slot }),
} as const;

type Kind = keyof typeof KINDS;
const SLOT = 1;

/** Each request is followed by two acknowledgments, and the count of used buffers. */
function steps(kind: Kind): Step[] {
  const { message, intid } = KINDS[kind]();
  const isIts = kind === "its", at = place(SLOT);
  const requests = Array.from({ length: REQUESTS }, (_, index): Step[] => [
    ...requestSteps(at, index + 1),
    { do: "spin", ns: MS },
    { do: "irq" },
    // The ISR status: reading it lowers the pin.
    { do: "load", at: at.bar + 0x1000, size: 1 },
    { do: "irq" },
    { do: "load", at: at.queue + 0x2002, size: 2 },
  ]);
  return [
    ...isIts
      ? itsSteps({ its: GITS_BASE, gicr: GICR_BASE, tables: TABLES, device: qemuDeviceId(SLOT) })
      : enableSteps(PRIMARY_PLATFORM, [intid(SLOT)], kind === "gicv2m" ? [intid(SLOT)] : []),
    ...deviceSteps(at, message?.(SLOT)),
    ...requests.flat(),
  ];
}

function planOf(kind: Kind, list: readonly Step[], uart?: PrimaryUart): SessionPlan {
  return primaryPlan(PROGRAM, list, { bus: "pci", uart, devices: [{ kind: "rng" }, { kind: "rng" }] }, { msi: kind });
}

for (const kind of ["none", "gicv2m", "its"] as const) {
  Deno.test(`a function of the primary's PCI bus interrupts it with msi = ${kind}, also after a save and a load`, () => {
    const plan = planOf(kind, steps(kind));
    const whole = assemble(plan);
    const values = valuesOf(finish(whole));
    const isr = kind === "none" ? 1 : 0, intid = KINDS[kind]().intid(SLOT);
    assert.deepEqual(values, Array.from({ length: REQUESTS }, (_, index) => [intid, isr, NONE, index + 1]).flat());
    checkSaves(() => assemble(plan), plan, whole);
  });
}

Deno.test("a function's messages go to RAM and to the frame for messages, and to no other device", () => {
  const target = QUEUE + 0x5_0000, word = 0x58;
  for (const [address, taken] of [[target, true], [PL011_BASE, false], [QEMU_PCI_MEMORY.base + SLOT * MiB + 0x3000, false]] as const) {
    const at = place(SLOT);
    const list: Step[] = [
      ...deviceSteps(at, { address, data: word }),
      ...requestSteps(at, 1),
      { do: "spin", ns: MS },
      { do: "load", at: target, size: 4 },
      { do: "load", at: at.queue + 0x2002, size: 2 },
    ];
    const system = assemble(planOf("gicv2m", list)), text = finish(system);
    assert.deepEqual(valuesOf(text), [taken ? word : 0, 1]);
    assert.ok(!text.includes("X"), "nothing is printed");
    const problems = system.events.drain().events.filter(({ text }) => /a message at 0x[0-9a-f]+, where nothing takes it/.test(text));
    assert.equal(problems.length > 0, !taken, `${address.toString(16)}`);
  }
});

Deno.test("without messages the primary's functions have no MSI-X, and the last capability of others is MSI-X", () => {
  const config = (slot: number, register: number) => QEMU_ECAM.base + (slot << 15) + register;
  const list: Step[] = [[0, 0], [1, 0], [2, 0], [3, 0], [1, 0x84], [1, 0x98]].map(([slot, at]) => ({
    do: "load",
    at: config(slot, at),
    size: 4,
  }));
  // Where no BAR is, everything reads as ones; so do ports.
  list.push({ do: "load", at: QEMU_PCI_MEMORY.base, size: 4 }, { do: "load", at: 0x3eff_0000, size: 1 });
  const seen = (kind: Kind) => valuesOf(finish(assemble(planOf(kind, list))));
  const [bridge, first, second, absent, next, msix, hole, port] = seen("gicv2m");
  assert.deepEqual([bridge, first, second, absent], [0x0008_1b36, 0x1044_1af4, 0x1044_1af4, 0xffff_ffff]);
  assert.deepEqual([next >> 8 & 0xff, msix & 0xff, hole, port], [0x98, 0x11, 0xffff_ffff, 0xff]);
  assert.deepEqual(seen("none")[4] >> 8 & 0xff, 0);
});

Deno.test("input reaches a 16550A of the primary VM once it listens, with a level interrupt, also after a save and a load", () => {
  const at = (register: number) => PL011_BASE + register;
  const load = (register: number): Step => ({ do: "load", at: at(register), size: 1 });
  const plan = planOf("none", [
    ...enableSteps(PRIMARY_PLATFORM, [PL011_INTID], []),
    { do: "spin", ns: MS },
    load(UartRegister.LSR),
    { do: "irq" },
    { do: "store", at: at(UartRegister.IER), size: 1, value: UartEnable.RDI },
    load(UartRegister.IIR),
    { do: "irq" },
    load(UartRegister.RBR),
    { do: "irq" },
    load(UartRegister.RBR),
    { do: "irq" },
    load(UartRegister.IIR),
  ], "16550a");
  const ready = UartStatus.THRE | UartStatus.TEMT;
  const expected = [ready, NONE, 0xc4, PL011_INTID, 0x6f, PL011_INTID, 0x6b, NONE, 0xc1];
  const typed = () => {
    const system = assemble(plan);
    assert.ok(system.consoles.type(PRIMARY_CONSOLE, new TextEncoder().encode("ok")));
    return system;
  };
  const whole = typed();
  assert.deepEqual(valuesOf(finish(whole)), expected);
  checkSaves(typed, plan, whole);
});

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 30;

/**
 * Debian's kernel as the primary VM: 8250, pci-host-generic and virtio-pci bind and work.
 * @param interrupts a line of /proc/interrupts for the disk's queue
 */
async function checkDrivers(guest: Guest, interrupts: RegExp): Promise<void> {
  await guest.expect(PROMPT, BOOT);
  const command = (line: string, pattern: RegExp) => guest.command(line, pattern, COMMAND);
  guest.type("dmesg | grep -e ttyS -e 0000:00");
  const found = [
    / 9000000\.serial: ttyS0 at MMIO 0x9000000 .* is a 16550A$/m,
    / pci-host-generic 3f000000\.pcie: PCI host bridge to bus 0000:00$/m,
    / pci 0000:00:00\.0: \[1b36:0008\] type 00 class 0x060000/m,
    / pci 0000:00:01\.0: \[1af4:1042\] type 00 class 0x010000/m,
    / pci 0000:00:02\.0: \[1af4:1044\] type 00 class 0x00ff00/m,
  ];
  // The kernel may report the port last.
  await guest.expect(PROMPT, COMMAND);
  for (const line of found) assert.match(guest.text, line);
  await command("[ -e /sys/bus/pci/drivers/virtio-pci ] || /lib/virtio; ls /sys/bus/pci/drivers/virtio-pci | grep -c 0000:00", /^2$/m);
  await command("dd if=/dev/vda bs=4 count=1 2>/dev/null; echo", /^aaaa$/m);
  await command("head -c 64 /dev/hwrng | wc -c", /^64$/m);
  await command("cat /proc/interrupts", interrupts);
  await command("echo typed-$((40 + 2))", /^typed-42$/m);
  guest.type("poweroff -f");
  assert.equal(await guest.guests.end(BOOT), "SYSTEM_OFF");
}

/** A disk of 1 MiB for as long as `work` lasts. */
async function withDisk(work: (devices: readonly DevicePlan[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-primary-pci-" });
  try {
    const image = `${folder}/disk.img`;
    await Deno.writeFile(image, new Uint8Array(1 << 20).fill(0x61));
    await work([{ kind: "block", image, mode: "ro" }, { kind: "rng" }]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Interrupts of the disk's queue, as Linux lists them. */
const LISTED: Readonly<Record<Kind, RegExp>> = {
  none: /^ *\d+: +[1-9]\d* +GICv3 +\d+ Level +virtio0/m,
  gicv2m: /^ *\d+: +[1-9]\d* +MSI .*virtio0-req\.0$/m,
  its: /^ *\d+: +[1-9]\d* +ITS-.*virtio0-req\.0$/m,
};

for (const msi of LONG ? ["none", "gicv2m", "its"] as const : ["none"] as const) {
  Deno.test(`8250, pci-host-generic and virtio-pci of Debian's kernel bind and work in the primary VM with msi = ${msi}`, async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    const [image, initrd] = await Promise.all(["Image", "initrd-virtio"].map((file) => Deno.readFile(`${folder}/${file}`)));
    await withDisk((devices) =>
      checkDrivers(new Guest(image, initrd, devices, undefined, { bus: "pci", uart: "16550a", msi }), LISTED[msi])
    );
  });
}
