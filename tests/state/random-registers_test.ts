// Random words in every register of every device that the primary VM reaches, in configuration
// spaces too: the machine can be saved, its copy is the same, and so is the copy's state.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { assemble, assembleEmpty } from "../../src/assembly/assemble.ts";
import type { GuestSystem } from "../../src/assembly/system/guest-system.ts";
import { AddressSpace } from "../../src/hypervisor/memory/addrspace.ts";
import { QEMU_ECAM, QEMU_PCI_MEMORY } from "../../src/host/boards/qemu-virt/map.ts";
import { BATTERY_BASE, PL031_BASE, RAM_BASE } from "../../src/machine/memory-map.ts";
import { type BootPlan, PLATFORM_DEVICES, type SessionPlan } from "../../src/plans/plan.ts";
import { MiB, PAGE_SIZE } from "../../src/support/sizes.ts";
import type { DevicePlan } from "../../src/virtio/plan.ts";
import { SessionRun } from "../../src/engine/session-run.ts";
import { type Moment, momentOf } from "../../src/recordings/past.ts";
import { loaded } from "../../src/snapshots/begin.ts";
import { buildAccesses, type Step } from "../guests/accesses/accesses.ts";
import { primaryPlan } from "../guests/accesses/primary.ts";
import { hashesOf } from "../snapshots/systems.ts";
import { Random } from "../support/random.ts";
import { inFolder } from "../support/temporary-folder.ts";

const ROUNDS = Deno.env.get("EL2_LONG") === undefined ? 8 : 400;
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

/** A store somewhere, mostly where registers are dense, of a value that is often an edge. */
function store(ranges: readonly Registers[], random: Random): void {
  const { size, write } = random.pick(ranges);
  const bytes = random.pick([1, 2, 4, 4, 4, 8]);
  // Functions of PCI and their BARs are far from each other.
  const base = size > MiB ? random.below(12) * 0x8000 : 0;
  const offset = random.below(Math.min(size, random.pick([size, 0x20, 0x200]))) & -bytes;
  const words = [0n, 1n, 0xffn, 0xd0n, 0xe8n, 0xffffn, 0xffff_ffffn, ~0n, BigInt(random.below(2 ** 31)), BigInt(random.below(64))];
  write(base + offset < size ? base + offset : offset, bytes, BigInt.asUintN(8 * bytes, random.pick(words)));
}

const running = (system: GuestSystem) => system.ended() === undefined && system.machine.stopReason === undefined;

/** Runs a machine for some turns. */
function run(system: GuestSystem, turns: number): void {
  for (let turn = 0; turn < turns && running(system); turn++) {
    const result = system.machine.run(Infinity, 8);
    system.consoles.take();
    system.events.take();
    if (result.kind === "idle" && result.next !== Infinity) system.machine.skipTo(result.next);
  }
}

function checkState(system: GuestSystem, plan: SessionPlan, what: string): void {
  const state = system.save(), copy = assembleEmpty(plan);
  try {
    copy.load(state, false);
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  assert.equal(Buffer.compare(copy.save().fields, state.fields), 0, what);
  assert.equal(hashesOf(copy), hashesOf(system), what);
  copy.outside.close();
}

async function devices(folder: string): Promise<DevicePlan[]> {
  const image = `${folder}/disk.img`;
  await Deno.writeFile(image, new Uint8Array(MiB));
  return [
    { kind: "block", image, mode: "overlay" },
    { kind: "rng" },
    { kind: "console", ports: ["hvc", "log"] },
    { kind: "net", backend: "none" },
    { kind: "balloon" },
    { kind: "vsock", cid: 3, path: undefined },
    { kind: "input", type: "keyboard" },
    { kind: "input", type: "tablet" },
    { kind: "9p", folder, tag: "share", mode: "ro" },
  ] as DevicePlan[];
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
        ...primaryPlan(PROGRAM, [{ do: "wait", ns: 1e9 }], { ...boot, devices: await devices(folder) }, behaviour),
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
    const random = new Random(0xbac), boot = { ...PLATFORMS["PCI, a 16550A and an ITS"][0], devices: await devices(folder) };
    // The console and the GIC are the guest's own.
    const places = [QEMU_ECAM, QEMU_PCI_MEMORY, { base: PL031_BASE, size: 0x20 }, { base: BATTERY_BASE, size: 0x40 }];
    const steps = Array.from({ length: 600 }, (_, index): Step => {
      const { base, size } = random.pick(places), bytes = random.pick([1, 2, 4]);
      const at = base + (size > MiB ? random.below(12) * 0x8000 : 0) + (random.below(0x40) & -bytes);
      if (index % 50 === 49) return { do: "wait", ns: 1e6 };
      return { do: "store", at, size: bytes, value: random.pick([0, 1, 2 ** (8 * bytes) - 1, random.below(2 ** 31) % 2 ** (8 * bytes)]) };
    });
    const plan = primaryPlan(PROGRAM, steps, boot, { msi: "its" }), system = assemble(plan);
    const alone: SessionPlan = { ...plan, replay: { recording: { inputs: [], checks: [], end: undefined }, verify: false, to: undefined } };
    const history = new SessionRun(system, (state) => state ? loaded(alone, state) : assemble(alone), undefined);
    history.onProblem = (error) => {
      throw error;
    };
    const kept: { moment: Moment; hashes: string }[] = [];
    while (running(system)) {
      run(system, 1);
      if (!running(system)) break;
      history.keep(system, 0);
      kept.push({ moment: momentOf(system), hashes: hashesOf(system) });
    }
    assert.ok(kept.length > 10, `${kept.length}`);
    for (let index = 1; index < kept.length; index += Math.ceil(kept.length / 20)) {
      const { moment, hashes } = kept[index], past = history.pastAt(history.milestone(moment));
      while (!past.advance(moment, Infinity));
      assert.equal(hashesOf(past.system), hashes, `place ${index}`);
      past.system.outside.close();
    }
    system.outside.close();
  }));
