// Devices of crosvm's platform that the primary VM has by choice, driven by a bare-metal guest. The
// drivers of Linux: kernel-drivers_test.ts.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { BatteryRegister } from "../../src/machine/devices/goldfish-battery.ts";
import { PciCommand, PciRegister } from "../../src/machine/devices/pci.ts";
import { PL030_ID, Pl030Register } from "../../src/machine/devices/pl030.ts";
import { PvpanicEvent } from "../../src/machine/devices/pvpanic.ts";
import { StallRegister } from "../../src/machine/devices/stall-detector.ts";
import { QEMU_ECAM, QEMU_PCI_MEMORY } from "../../src/machine/host/boards/qemu-virt/map.ts";
import { BATTERY_BASE, GICR_BASE, PL030_BASE, STALL_BASE, STALL_INTID } from "../../src/machine/hardware/memory-map.ts";
import { PLATFORM_DEVICES } from "../../src/model/plans/plan.ts";
import { buildAccesses, enableSteps, type Step } from "./accesses/accesses.ts";
import { checkSaves, finish, primaryPlan, valuesOf } from "./accesses/primary.ts";

const PROGRAM = await buildAccesses();
const SECOND = 1e9, MS = 1e6, NONE = 1023;
/** The frame of a redistributor with its private interrupts. */
const SGI_FRAME = GICR_BASE + 0x1_0000;

const load = (at: number, size = 4): Step => ({ do: "load", at, size });
const store = (at: number, value: number, size = 4): Step => ({ do: "store", at, size, value });

Deno.test("a primary VM has the clock, the battery and pvpanic of crosvm's platform, whose report is an event", () => {
  const config = (register: number) => QEMU_ECAM.base + (1 << 15) + register, bar = QEMU_PCI_MEMORY.base;
  const start = 1_800_000_000;
  const plan = primaryPlan(PROGRAM, [
    load(PL030_BASE + Pl030Register.DR),
    { do: "wait", ns: 2 * SECOND },
    load(PL030_BASE + Pl030Register.DR),
    load(PL030_BASE + Pl030Register.ID),
    load(BATTERY_BASE + BatteryRegister.CAPACITY),
    store(BATTERY_BASE + BatteryRegister.INT_ENABLE, 5),
    load(BATTERY_BASE + BatteryRegister.INT_ENABLE),
    load(config(PciRegister.VENDOR)),
    store(config(PciRegister.BAR0), bar),
    store(config(PciRegister.COMMAND), PciCommand.MEMORY, 2),
    load(bar, 1),
    store(bar, PvpanicEvent.CRASH_LOADED, 1),
    store(bar, PvpanicEvent.PANICKED, 1),
    // The registers end there.
    load(PL030_BASE + 0x20),
  ], { bus: "pci", clock: start, platformDevices: PLATFORM_DEVICES });
  const whole = assemble(plan);
  assert.deepEqual(valuesOf(finish(whole)), [start, start + 2, PL030_ID, 50, 5, 0x0011_1b36, 3, 0]);
  const reports = whole.events.drain().events.filter(({ kind }) => kind === "dev");
  assert.deepEqual(reports.map(({ vcpu, text }) => [vcpu, text]), [[
    "dev:host/pvpanic",
    "pvpanic reports that the guest's kernel has panicked",
  ]]);
  checkSaves(() => assemble(plan), plan, whole);
});

Deno.test("the stall detector of a primary VM counts a vCPU's own time, interrupts it, and ends the run", () => {
  const at = (register: number) => STALL_BASE + register;
  const irq: Step = { do: "irq" }, restart = store(at(StallRegister.LOAD), 50);
  const plan = primaryPlan(PROGRAM, [
    ...enableSteps({ gicd: SGI_FRAME }, [STALL_INTID], [STALL_INTID]),
    store(at(StallRegister.FREQ), 1000),
    restart,
    store(at(StallRegister.STATUS), 1),
    // Sleep is not the vCPU's own time.
    ...[{ do: "wait", ns: SECOND } as const, irq],
    ...[{ do: "spin", ns: 40 * MS } as const, irq, restart],
    ...[{ do: "spin", ns: 40 * MS } as const, irq],
    ...[{ do: "spin", ns: 20 * MS } as const, irq, irq, restart],
    ...[{ do: "spin", ns: 60 * MS } as const, irq],
    { do: "flush" },
    { do: "spin", ns: 100 * MS },
    load(at(StallRegister.LOAD)),
  ], { platformDevices: ["stall-detector"] });
  const whole = assemble(plan);
  assert.deepEqual(valuesOf(finish(whole)), [NONE, NONE, NONE, STALL_INTID, NONE, STALL_INTID]);
  assert.match(whole.ended()!.message, /^vCPU 0 of the primary VM ran twice its time without restarting its stall detector$/);
  checkSaves(() => assemble(plan), plan, whole);
});

Deno.test("without the choice nothing answers there", () => {
  const system = assemble(primaryPlan(PROGRAM, [load(PL030_BASE)]));
  system.machine.run(100 * MS);
  assert.match(system.events.drain().events.map(({ text }) => text).join(), /pa:0xc000000/);
});
