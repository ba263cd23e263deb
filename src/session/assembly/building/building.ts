// A machine that is being built: what its parts need of the plan and of each other.

import type { NativeGuestFactory } from "../../../machine/abi/native-guest.ts";
import type { WasmCore } from "../../../cpu/core/boot.ts";
import { cpuOfPlan } from "../../../cpu/isa/cpus/cpus.ts";
import { writeDevicetree } from "../../../machine/devicetree/writer.ts";
import type { PrimaryImages, RandomGenerator } from "../../../machine/hypervisor/boot.ts";
import type { MemoryMap } from "../../../machine/hardware/memory-map.ts";
import type { GuestSystem } from "../system/guest-system.ts";
import { isAtEl2, PlanError, type SessionPlan } from "../../../model/plans/plan.ts";
import type { OutsideDoor } from "../../outside/outside.ts";
import type { WrittenDisk } from "../../outside/written-disk.ts";
import { primaryDevicetree, type PrimaryDevicetreeOptions } from "../../../machine/platform/primary-devicetree.ts";
import { DEVICETREE_WINDOW } from "../layout/primary-image.ts";
import { DeviceMaker, type DeviceSession } from "../devices/virtio-devices.ts";
import { HOST } from "../../../model/queries/ids.ts";

/** The parts of a machine that is being built. */
export interface Building {
  readonly plan: SessionPlan;
  readonly map: MemoryMap;
  readonly system: GuestSystem;
  readonly core: WasmCore;
  /** The draws of the session. */
  readonly random: RandomGenerator;
  /** The host's program instead of what the plan asks for. */
  readonly own: NativeGuestFactory | undefined;
  /** Disks of the present, for a machine of its past. */
  readonly present?: readonly WrittenDisk[] | undefined;
}

/** Makes the devices of a system's VMs. `outside` is how what comes from outside reaches them. */
export function deviceMaker({ plan: { seed }, system, present }: Building, outside: OutsideDoor): DeviceMaker {
  const session = {
    now: () => system.machine.time,
    output: (console, bytes) => system.consoles.transmitAll(console, bytes),
    input: (console, type) => system.consoles.add(console, { type }),
    generator(generator) {
      system.generators.push(generator);
      return generator;
    },
    overlay: (disk) => system.overlays.push(disk),
    written: (disk) => system.disks.push(disk),
    past: (disk) => {
      system.pastDisks.push(disk);
      system.overlays.push(disk);
    },
    problem: (device, message) => system.events.deviceProblem(device, message),
  } satisfies DeviceSession;
  return new DeviceMaker(seed ^ 0x0de5_1ce5, outside, session, present);
}

export function writeTree({ machine, devicetrees }: GuestSystem, { devicetree }: PrimaryImages, tree: Uint8Array): void {
  if (tree.length > DEVICETREE_WINDOW) {
    throw new PlanError(`the devicetree has ${tree.length} bytes, but there is room for ${DEVICETREE_WINDOW}`);
  }
  machine.ram.write(devicetree, tree);
  devicetrees.set(HOST, devicetree);
}

export function generatedTree(
  { plan, random }: Building,
  memory: number,
  platform: Omit<PrimaryDevicetreeOptions, "cpus" | "memory" | "rngSeed"> = {},
): Uint8Array {
  const rngSeed = new Uint8Array(32);
  const words = new DataView(rngSeed.buffer);
  for (let i = 0; i < rngSeed.length; i += 4) words.setUint32(i, random.next());
  const hasPmu = cpuOfPlan(plan.cpu).features.has("FEAT_PMUv3"), atEl2 = isAtEl2(plan);
  return writeDevicetree(primaryDevicetree({ cpus: plan.cpus, memory, rngSeed, msi: plan.behaviour?.msi, hasPmu, atEl2, ...platform }));
}
