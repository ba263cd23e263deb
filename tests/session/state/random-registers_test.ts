// Random words in every register of every device that the primary VM reaches, in configuration
// spaces too: the machine can be saved, its copy is the same, and so is the copy's state.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { AddressSpace } from "../../../src/machine/hypervisor/memory/addrspace.ts";
import { QEMU_ECAM, QEMU_PCI_MEMORY } from "../../../src/machine/host/boards/qemu-virt/map.ts";
import { BATTERY_BASE, PL031_BASE, RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { alone, type BootPlan, PLATFORM_DEVICES, type SessionPlan } from "../../../src/model/plans/plan.ts";
import { MiB, PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { buildAccesses, type Step } from "../../guests/accesses/accesses.ts";
import { primaryPlan } from "../../guests/accesses/primary.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { allDevices, checkState, goesBack, randomStore, run, running } from "./random-stores.ts";
import { LONG } from "../../support/long.ts";

const ROUNDS = LONG ? 400 : 2;
/** States that are saved in each of them. */
const PARTS = 8;
/** Stores before a state is saved. */
const STORES = 200;

/** A range of registers and the way in which a guest's store reaches it. */
interface Registers {
  readonly name: string;
  readonly size: number;
  write(offset: number, size: number, value: bigint): void;
}

/** All ranges below RAM that are not memory. */
function registersOf(system: GuestSystem): Registers[] {
  const { machine: { bus }, hypervisor } = system, found = new Map<string, Registers>();
  for (let pa = 0; pa < RAM_BASE; pa += PAGE_SIZE) {
    for (const at of [pa, pa + 0x200, pa + 0x400, pa + 0x600, pa + 0x800, pa + 0xa00, pa + 0xc00, pa + 0xe00]) {
      const entry = bus.at(at);
      if (entry) found.set(entry.name, { ...entry, write: (offset, size, value) => entry.device.write(offset, size, value) });
    }
  }
  const [vcpu] = hypervisor.scheduler.vcpus;
  for (const space of hypervisor.objects) {
    if (!(space instanceof AddressSpace)) continue;
    for (const { ipa, size, device } of space.devices) {
      found.set(`${ipa.toString(16)}`, {
        name: ipa.toString(16),
        size,
        write: (offset, bytes, value) => void device.write(vcpu, offset, bytes, value),
      });
    }
  }
  return [...found.values()];
}

/** A store somewhere in these ranges. */
function store(ranges: readonly Registers[], random: Random): void {
  const range = random.pick(ranges), { offset, size, value } = randomStore(random, range.size);
  range.write(offset, size, value);
}

const PROGRAM = await buildAccesses();
const FIRMWARE = { code: PROGRAM, vars: undefined };
const PLATFORMS: Record<string, [Partial<BootPlan>, SessionPlan["behaviour"]]> = {
  "virtio-mmio, PL011 and crosvm's devices": [{
    clock: 1_800_000_000,
    platformDevices: PLATFORM_DEVICES.filter((kind) => kind !== "pvpanic"),
  }, {}],
  "PCI, a 16550A and an ITS": [{ bus: "pci", uart: "16550a", platformDevices: PLATFORM_DEVICES, clock: 1 }, { msi: "its" }],
  "PCI, a GICv2m frame and flash": [{ bus: "pci", firmware: FIRMWARE, image: undefined }, { msi: "gicv2m" }],
};

for (const [name, [boot, behaviour]] of Object.entries(PLATFORMS)) {
  Deno.test(`random words in every register of a platform with ${name} make states that are saved and loaded`, () =>
    inFolder(async (folder) => {
      const plan = {
        ...primaryPlan(PROGRAM, [{ do: "wait", ns: 1e9 }], { ...boot, devices: await allDevices(folder) }, behaviour),
        memory: 80 * MiB,
      };
      const random = new Random(0x5a5e);
      for (let round = 0; round < ROUNDS; round++) {
        const system = assemble(plan);
        // The primary VM exists.
        run(system, 20);
        const ranges = registersOf(system), large = ranges.filter(({ size }) => size > MiB);
        assert.ok(ranges.length > 10);
        for (let part = 0; part < PARTS && running(system); part++) {
          for (let count = 0; count < STORES; count++) store(large.length && random.below(4) === 0 ? large : ranges, random);
          if (running(system)) checkState(system, plan, `round ${round}, part ${part}`);
          run(system, random.below(4));
        }
        system.outside.close();
      }
    }));
}

Deno.test("a guest that stores random words to its devices is gone back in, from each state that was kept", () =>
  inFolder(async (folder) => {
    const random = new Random(0xbac), boot = { ...PLATFORMS["PCI, a 16550A and an ITS"][0], devices: await allDevices(folder) };
    // The console and the GIC are the guest's own.
    const places = [QEMU_ECAM, QEMU_PCI_MEMORY, { base: PL031_BASE, size: 0x20 }, { base: BATTERY_BASE, size: 0x40 }];
    const steps = Array.from({ length: 600 }, (_, index): Step => {
      if (index % 50 === 49) return { do: "wait", ns: 1e6 };
      const { base, size } = random.pick(places), { offset, size: bytes, value } = randomStore(random, size);
      return { do: "store", at: base + offset, size: bytes, value };
    });
    const plan = primaryPlan(PROGRAM, steps, boot, { msi: "its" }), system = assemble(plan);
    const past = alone(plan);
    goesBack(system, (state) => state ? loaded(past, state) : assemble(past));
    system.outside.close();
  }));
