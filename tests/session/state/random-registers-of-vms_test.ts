// Random words that guests of secondary VMs store to every register of every device of each board,
// by virtio-mmio of a VMM and of the hypervisor, by PCI with messages to an ITS and to a GICv2m
// frame, to GICs and flash: the machine can be saved, its copy is the same, and a session goes back
// to states in between. EL2_LONG=1 has more seeds.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { ECAM_SHIFT } from "../../../src/machine/devices/pci.ts";
import { VIRTIO_BAR_SIZE } from "../../../src/machine/devices/virtio-pci-registers.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import {
  CROSVM_BATTERY,
  CROSVM_CAM,
  CROSVM_GICD,
  CROSVM_PCI_MEMORY,
  CROSVM_RTC,
  CROSVM_SERIAL_SIZE,
  CROSVM_SERIALS,
  CROSVM_STALL,
  crosvmBar,
  crosvmCpufreq,
  crosvmGicr,
} from "../../../src/machine/host/boards/crosvm/map.ts";
import {
  virtioBase,
  VM_GICD_BASE,
  VM_GICD_SIZE,
  VM_GICR_BASE,
  VM_GICR_SIZE,
  VM_PL011_BASE,
  VM_PL011_SIZE,
  VM_VIRTIO_STRIDE,
} from "../../../src/machine/host/boards/el2/map.ts";
import {
  QEMU_ECAM,
  QEMU_FLASH_BASES,
  QEMU_FW_CFG,
  QEMU_GICD,
  QEMU_ITS,
  QEMU_PCI_MEMORY,
  QEMU_PCI_PORTS,
  QEMU_RTC,
  QEMU_SLOTS,
  QEMU_UART,
  QEMU_V2M,
  qemuGicr,
} from "../../../src/machine/host/boards/qemu-virt/map.ts";
import { BANK_MIN } from "../../../src/machine/host/boards/flash-size.ts";
import { alone, type SessionPlan } from "../../../src/model/plans/plan.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import type { DevicePlan } from "../../../src/machine/virtio/plan.ts";
import { asFirmware, buildAccesses, type GuestPlatform, type Step, withSteps } from "../../guests/accesses/accesses.ts";
import { rows } from "../inspection/system.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { allDevices, checkState, goesBack, randomStore, run, running } from "./random-stores.ts";
import { assertPlanned } from "../../support/planned.ts";
import { LONG } from "../../support/long.ts";

const SEEDS = LONG ? 50 : 1;
/** Stores of each guest. */
const STORES = 1500;
/** Instructions between two states that are saved, or kept. */
const INTERVAL = 60_000;
const SEED = 0xb0a2d;

interface Range {
  readonly base: number;
  readonly size: number;
  /** Stores without which nothing answers there. */
  readonly enable?: readonly Step[];
}

/** VMs by name: the keys that make the board, and the ranges of its devices. */
interface Board {
  readonly keys: string;
  readonly ranges: readonly Range[];
  readonly platform: GuestPlatform;
  /** The guest starts in flash. */
  readonly isFirmware?: boolean;
}

const slots = (devices: readonly DevicePlan[]): Range[] => devices.map((_, index) => ({ base: virtioBase(index), size: VM_VIRTIO_STRIDE }));

/** Registers of a function of PCI. */
const COMMAND = 0x4, BAR = 0x10, MEMORY_AND_MASTER = 0x6, CONFIGURATION_SIZE = 0x100;

/** Configuration space and registers of each device's function, which follow the host bridge. */
function functions(devices: readonly DevicePlan[], configuration: (slot: number) => number, bar: (index: number) => number): Range[] {
  return [
    { base: configuration(0), size: CONFIGURATION_SIZE },
    ...devices.flatMap((_, index) => {
      const base = configuration(index + 1);
      const enable: Step[] = [
        { do: "store", at: base + BAR, size: 4, value: bar(index) },
        { do: "store", at: base + BAR + 4, size: 4, value: 0 },
        { do: "store", at: base + COMMAND, size: 2, value: MEMORY_AND_MASTER },
      ];
      return [{ base, size: CONFIGURATION_SIZE }, { base: bar(index), size: VIRTIO_BAR_SIZE, enable }];
    }),
  ];
}

const ofQemu = (devices: readonly DevicePlan[]) =>
  functions(devices, (slot) => QEMU_ECAM.base + (slot << ECAM_SHIFT + 3), (index) => QEMU_PCI_MEMORY.base + index * VIRTIO_BAR_SIZE);
const ofCrosvm = (devices: readonly DevicePlan[]) => functions(devices, (slot) => CROSVM_CAM.base + (slot << 11), crosvmBar);

const EL2: Range[] = [
  { base: VM_GICD_BASE, size: VM_GICD_SIZE },
  { base: VM_GICR_BASE, size: VM_GICR_SIZE },
];
const QEMU: Range[] = [
  ...[QEMU_GICD, qemuGicr(1), QEMU_UART, QEMU_RTC, QEMU_FW_CFG, QEMU_ECAM, QEMU_PCI_MEMORY, QEMU_PCI_PORTS],
  { base: QEMU_SLOTS.base, size: QEMU_SLOTS.stride * QEMU_SLOTS.count },
];
const CROSVM: Range[] = [
  ...CROSVM_SERIALS.map(({ base }) => ({ base, size: CROSVM_SERIAL_SIZE })),
  ...[CROSVM_RTC, CROSVM_STALL, CROSVM_BATTERY, CROSVM_CAM, CROSVM_PCI_MEMORY, crosvmCpufreq(1), CROSVM_GICD, crosvmGicr(1)],
];

const EL2_PLATFORM = { uart: VM_PL011_BASE, gicd: VM_GICD_BASE, gicr: VM_GICR_BASE };
const QEMU_PLATFORM = { uart: QEMU_UART.base, gicd: QEMU_GICD.base, gicr: qemuGicr(1).base };

const boards = (devices: readonly DevicePlan[]): Readonly<Record<string, Board>> => ({
  mmio: { keys: "", ranges: [...EL2, { base: VM_PL011_BASE, size: VM_PL011_SIZE }, ...slots(devices)], platform: EL2_PLATFORM },
  geniezone: {
    keys: 'hypervisor = "geniezone"',
    ranges: [...EL2, { base: VM_PL011_BASE, size: VM_PL011_SIZE }, ...slots(devices)],
    platform: EL2_PLATFORM,
  },
  own: { keys: 'schedule = "own"', ranges: [...EL2, ...slots(devices)], platform: EL2_PLATFORM },
  crosvm: {
    keys: 'platform = "crosvm"\ncpu_frequencies = [600000, 1800000]',
    ranges: [...CROSVM, ...ofCrosvm(devices)],
    platform: { uart: CROSVM_SERIALS[0].base, gicd: CROSVM_GICD.base, gicr: crosvmGicr(1).base },
  },
  its: { keys: 'platform = "qemu-virt"\nmsi = "its"', ranges: [...QEMU, ...ofQemu(devices), QEMU_ITS], platform: QEMU_PLATFORM },
  v2m: {
    keys: 'platform = "qemu-virt"\nmsi = "gicv2m"\nhypervisor = "geniezone"',
    ranges: [...QEMU, ...ofQemu(devices), QEMU_V2M],
    platform: QEMU_PLATFORM,
  },
  flash: {
    keys: 'platform = "qemu-virt"',
    ranges: [...QEMU, ...ofQemu(devices), QEMU_V2M, ...QEMU_FLASH_BASES.map((base) => ({ base, size: BANK_MIN }))],
    platform: QEMU_PLATFORM,
    isFirmware: true,
  },
});

const PROGRAM = await buildAccesses();

function stepsIn(ranges: readonly Range[], random: Random): Step[] {
  const stores = Array.from({ length: STORES }, (_, index): Step[] => {
    const { base, size, enable = [] } = ranges[index % ranges.length], { offset, size: bytes, value } = randomStore(random, size);
    const store = { do: "store", at: base + offset, size: bytes, value } as const;
    return random.below(2) ? [store] : [...enable, store];
  });
  return [{ do: "skip" }, ...stores.flat()];
}

/** A machine with a VM of each board, whose guests store random words. */
async function planOf(folder: string, random: Random): Promise<SessionPlan> {
  const devices = await allDevices(folder);
  const vms = await Promise.all(
    Object.entries(boards(devices)).map(async ([name, { keys, ranges, platform, isFirmware }], index) => {
      const guest = withSteps(PROGRAM, platform, stepsIn(ranges, random));
      const file = isFirmware ? asFirmware(guest) : guest;
      await Deno.writeFile(`${folder}/${name}.bin`, file);
      const list = devices.map((device) => inline(device.kind === "vsock" ? { ...device, cid: device.cid + index } : device));
      const key = isFirmware ? "bios" : "image";
      return `[vm.${name}]\n${key} = "${name}.bin"\nmemory = "8MiB"\n${keys}\ndevices = [${list.join(", ")}]\n`;
    }),
  );
  const machine = '[machine]\nmemory = "128MiB"\ncheck = true\n[host]\nmemory = "64MiB"\ngzvm = true\n';
  const result = await planText(`el2 = 1\n${machine}${vms.join("")}`, undefined, folder);
  assertPlanned(result);
  const { cpus, memory, seed, what, behaviour } = result.run;
  return { cpus, memory, seed, turbo: true, what, behaviour };
}

/** A device as a table of a configuration. */
function inline(device: DevicePlan): string {
  const keys = Object.entries(device).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0));
  return `{ ${keys.map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join(", ")} }`;
}

Deno.test("random words that guests store to every device of each board make states that are saved and loaded", () =>
  inFolder(async (folder) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const plan = await planOf(folder, new Random(SEED + seed)), system = assemble(plan);
      let saves = 0;
      for (let place = INTERVAL; running(system); place += INTERVAL, saves++) {
        system.stopAt(place);
        while (running(system) && system.instructions() < place) run(system, 1);
        if (running(system)) checkState(system, plan, `seed ${seed}, ${place} instructions`);
      }
      // No store ended a VM before its guest was done: each switched itself off.
      assert.equal(system.ended()?.message, "every VM has ended");
      const ends = rows(system, "vm.ls", { filter: "via!=native" }).map(({ id, exit }) => `${id} ${exit}`);
      assert.deepEqual(ends, Object.keys(boards([])).map((name) => `vm:${name} system-off`));
      assert.ok(saves > 7, `${saves}`);
      system.outside.close();
    }
  }));

Deno.test("a session whose guests store random words to devices of each board goes back to each state that was kept", () =>
  inFolder(async (folder) => {
    const plan = await planOf(folder, new Random(SEED)), past = alone(plan), system = assemble(plan);
    goesBack(system, (state) => state ? loaded(past, state) : assemble(past), INTERVAL);
    system.outside.close();
  }));
