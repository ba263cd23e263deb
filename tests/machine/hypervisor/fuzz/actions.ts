// Actions of a hostile vCPU: calls with arguments that mostly mean something, and exits of every
// other kind. An action is plain data, so that a run can be replayed and shrunk.

import type { HypercallName, HypercallSignature } from "../../../../src/machine/abi/hypercalls.ts";
import { HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import type { ObjectType } from "../../../../src/machine/abi/rights.ts";
import { Access, ExtentType, mapAttributes, memextentAttributes, MemoryType, VcpuOption } from "../../../../src/machine/abi/words.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import type { Cspace } from "../../../../src/machine/hypervisor/capabilities/cspace.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { DEVICE_END, GICD_BASE, GICR_BASE, GICR_STRIDE, PL011_BASE, RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import type { Random } from "../../../support/random.ts";
import { dataAbort, hvc, type ScriptedState, smc, type Step, sysreg, wfe, wfi } from "../scripted.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";

/** Kinds of actions. */
const PLAIN = ["wfi", "wfe", "timer", "yield", "compute"] as const;
export type ActionKind = "hvc" | "smc" | "access" | "register" | typeof PLAIN[number];

/**
 * One action: an exit, with X0..X7 as they are then (X1 is the data register of loads and stores).
 */
export interface Action {
  readonly kind: ActionKind;
  readonly x: readonly bigint[];
  /** Immediate of HVC; or IPA and log2 of the size of an access; or the encoding of a register. */
  readonly at: readonly number[];
}

const NAMES = Object.keys(HYPERCALLS) as HypercallName[];
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const SMCCC_BASE = 0xc600_8000n;
const PSCI_BASE = 0x8400_0000n;
const WIDE = 0x4000_0000n;

/** IPAs of what every hostile VM has mapped, and of devices. */
export const Ipa = { Ram: RAM_BASE, Virtio: 0x5000_0000, Vmmio: 0x6000_0000, Frames: GICD_BASE } as const;

const EDGES = [
  0n,
  1n,
  2n,
  0xfffn,
  0x1000n,
  0x1001n,
  0xffffn,
  1n << 31n,
  0x8000_0001n,
  0xffff_ffffn,
  1n << 32n,
  1n << 36n,
  (1n << 36n) - 0x1000n,
  1n << 48n,
  1n << 63n,
  ALL_ONES - 0xfffn,
  ALL_ONES,
];

/** Where extents are mapped, again and again. */
const MAPPED = [Ipa.Ram, Ipa.Virtio, 0x7000_0000, 0x7010_0000, 0x7100_0000];

/** Types that an argument of this name takes. */
function typeOf(argument: string): ObjectType | undefined {
  const types: readonly [part: string, type: ObjectType][] = [
    ["partition", "partition"],
    ["virtio", "virtio_mmio"],
    ["cspace", "cspace"],
    ["addrspace", "addrspace"],
    ["memextent", "memextent"],
    ["info_area", "memextent"],
    ["vpm_group", "vpm_group"],
    ["doorbell", "doorbell"],
    ["msgqueue", "msgqueue"],
    ["hwirq", "hwirq"],
    ["thread", "thread"],
    ["vcpu", "thread"],
    ["vdevice", "vic"],
    ["vic", "vic"],
  ];
  return types.find(([part]) => argument.includes(part))?.[1];
}

/** Which capability argument a name without a type means, by its call. */
function typeOfCap(name: HypercallName, argument: string): ObjectType | undefined {
  if (argument === "cap" && name.startsWith("vcpu_")) return "thread";
  if (name === "memextent_donate") return "memextent";
  return typeOf(argument);
}

/** The next action of a vCPU whose capabilities are in `cspace`. */
export function randomAction(random: Random, cspace: Cspace): Action {
  const kind = random.below(100);
  if (kind < 82) return randomCall(random, cspace);
  if (kind < 90) return randomAccess(random);
  if (kind < 94) return randomRegister(random);
  if (kind < 97) return randomPsci(random);
  return { kind: random.pick(PLAIN), x: [BigInt(random.below(4)), BigInt(random.below(1000))], at: [] };
}

/** A load or store somewhere in the pages of virtual devices, mostly at words. */
export function randomAccess(random: Random): Action {
  const bases = [
    GICD_BASE,
    GICR_BASE,
    GICR_BASE + GICR_STRIDE,
    GICR_BASE + 0x1_0000,
    Ipa.Virtio,
    Ipa.Vmmio,
    PL011_BASE,
    Ipa.Ram,
    DEVICE_END,
  ];
  const size = random.pick([0, 1, 2, 2, 2, 2, 3]);
  const page = random.below(4) === 0 ? random.below(0x2_0000) : random.below(0x1000);
  const offset = random.below(8) === 0 ? page : page & ~((1 << size) - 1);
  const at = [random.pick(bases) + offset, size, random.below(2), random.below(16) === 0 ? random.below(0x100_0000) : 0];
  return { kind: "access", x: [0n, randomValue(random)], at };
}

/** The exit of an action, with the registers set for it. */
export function toStep(action: Action, registers: ScriptedState): Step {
  action.x.forEach((value, index) => registers.setX(index, value));
  const { at } = action;
  switch (action.kind) {
    case "hvc":
      return hvc(at[0]);
    case "smc":
      return smc(at[0]);
    case "access":
      return dataAbort(at[2] !== 0, at[0], at[1], at[3]);
    case "register":
      return sysreg(at[0] !== 0, at[1], at[2], at[3], at[4], at[5]);
    case "wfi":
      return wfi;
    case "wfe":
      return wfe;
    case "timer":
      registers.setRegister("CNTV_CTL_EL0", action.x[0]);
      registers.setRegister("CNTV_CVAL_EL0", action.x[1] * 100n);
      return { reason: ExitReason.Timer };
    case "yield":
      return { reason: ExitReason.Yield };
    case "compute":
      return { compute: 1 + Number(action.x[1]) };
  }
}

function randomCall(random: Random, cspace: Cspace): Action {
  const unassigned = random.below(200) === 0;
  const name = random.pick(NAMES);
  const { number, arguments: kinds }: HypercallSignature = HYPERCALLS[name];
  const args = (random.below(2) ? undefined : aimAtMapping(random, cspace, name)) ?? Object.entries(kinds).map(([argument, kind]) => {
    if (kind === "cap") return randomCap(random, cspace, typeOfCap(name, argument));
    if (kind === "res0") return random.below(40) === 0 ? randomValue(random) : 0n;
    if (kind === "res1") return random.below(40) === 0 ? randomValue(random) : ALL_ONES;
    return randomArgument(random, name, argument);
  });
  if (random.below(6) > 0) return { kind: "hvc", x: args, at: [unassigned ? 0x6000 + random.below(0x80) : 0x6000 + number] };
  return { kind: random.pick(["hvc", "smc"] as const), x: [SMCCC_BASE + BigInt(number), ...args], at: [0] };
}

/**
 * Arguments of a call on a mapping that there is: at random they would hardly ever name one.
 * Undefined for other calls.
 */
function aimAtMapping(random: Random, cspace: Cspace, name: HypercallName): bigint[] | undefined {
  if (name !== "addrspace_unmap" && name !== "addrspace_update_access" && name !== "addrspace_lookup") return undefined;
  const caps = [...cspace.capabilities()].map(([id, { object }]) => [BigInt(id), object] as const);
  const mappings = caps.flatMap(([extent, object]) =>
    object instanceof Memextent
      ? [...object.mappings.within(0, object.extentSize)].map(({ addressSpace, range }) => ({ extent, object, addressSpace, range }))
      : []
  );
  if (mappings.length === 0) return undefined;
  const { extent, object, addressSpace, range } = random.pick(mappings);
  const space = caps.find(([, other]) => other === addressSpace)?.[0];
  if (space === undefined) return undefined;
  const vbase = BigInt(range.ipa), size = BigInt(range.size);
  if (name === "addrspace_lookup") return [space, extent, vbase, size, 0n];
  const access = name === "addrspace_update_access" ? [BigInt(mapAttributes(random.pick([7, 6, 4]), random.pick([7, 6, 4]), 0))] : [];
  const partial = object.kind === ExtentType.Sparse ? 1n : 0n;
  return [space, extent, vbase, ...access, partial, BigInt(range.offset), size];
}

function randomCap(random: Random, cspace: Cspace, type: ObjectType | undefined): bigint {
  const choice = random.below(20);
  if (choice === 0) return randomValue(random);
  const all = [...cspace.capabilities()];
  const fitting = choice < 3 || !type ? all : all.filter(([, { object }]) => object?.type === type);
  const pool = fitting.length > 0 ? fitting : all;
  // Half of the time one of the first: calls on two objects would hardly ever meet the same pair
  // again.
  return pool.length > 0 ? BigInt(random.pick(random.below(2) ? pool.slice(0, 3) : pool)[0]) : 0n;
}

function randomValue(random: Random): bigint {
  const choice = random.below(8);
  if (choice < 4) return BigInt(random.below(70));
  return choice < 7 ? random.pick(EDGES) : random.wide();
}

const pages = (random: Random, base: number, count: number) => BigInt(base + random.below(count) * PAGE_SIZE);

/** A value that suits an argument four times in five. */
function randomArgument(random: Random, name: HypercallName, argument: string): bigint {
  if (random.below(5) === 0) return notFatal(name, randomValue(random));
  switch (argument) {
    case "vbase":
      if (random.below(3)) return BigInt(random.pick(MAPPED));
      return pages(random, random.pick([RAM_BASE, 0x7000_0000, GICD_BASE]), 64);
    case "sel":
      return random.pick([0n, 1n, 2n, 3n, 0x10n, 0x11n, 0x12n]);
    case "device_type":
      return 18n;
    case "ipa":
    case "entry_point":
      return pages(random, random.pick([RAM_BASE, 0x7000_0000, Ipa.Virtio, Ipa.Vmmio, GICD_BASE]), 64);
    case "phys_base":
      return pages(random, RAM_BASE, 0x4000);
    case "data":
    case "buffer":
      return BigInt(Ipa.Ram + random.below(0x1_0000));
    case "offset":
      return pages(random, 0, 32);
    case "size":
    case "buf_size":
      return name.startsWith("msgqueue") || name.startsWith("virtio_input") ? BigInt(random.below(300)) : pages(random, PAGE_SIZE, 32);
    case "map_attrs":
    case "access_attrs":
      return BigInt(mapAttributes(random.pick([7, 6, 5, 4]), random.pick([7, 6, 5, 4]), random.pick(Object.values(MemoryType))));
    case "map_flags":
      return random.pick([0n, 1n, 0x8000_0000n, 0x8000_0001n]);
    case "attributes":
      return BigInt(
        memextentAttributes(random.pick([Access.RWX, Access.RW, Access.R]), random.below(3), random.pick(Object.values(ExtentType))),
      );
    case "flags":
    case "options":
      if (name === "virtio_mmio_configure") return random.pick([0n, 0x40n]);
      if (name === "virtio_input_configure") return 0n;
      return random.pick([0n, 1n, 2n, 3n, 0x8000_0000n, 0x8000_0001n, 0x8000_0002n, 255n]);
    case "virq":
      return BigInt(32 + random.below(12));
    case "vmid":
      return BigInt(1 + random.below(20));
    case "create_info":
      return BigInt(random.below(8)) | BigInt(random.below(256)) << 16n;
    case "max_caps":
      return BigInt(1 + random.below(100));
    case "max_vcpus":
      return BigInt(1 + random.below(3));
    case "max_virqs":
      return BigInt(random.below(64));
    case "max_msis":
      return 0n;
    case "timeslice":
      return random.pick([100_000n, 1_000_000n, 5_000_000n]);
    case "priority":
      return BigInt(30 + random.below(5));
    case "affinity":
      return random.pick([0n, 1n, 0xffffn]);
    case "vcpu_options":
      return notFatal(name, random.pick([0n, VcpuOption.VcpuRunScheduled, VcpuOption.Pinned]));
    case "rights_mask":
      return random.pick([0xffff_ffffn, 1n, 3n, BigInt(random.word())]);
    case "not_full_holdoff":
    case "not_empty_holdoff":
      return 0xffff_ffffn;
    case "register_set":
      return BigInt(random.below(4));
    default:
      return BigInt(random.below(8));
  }
}

/**
 * Without what makes the whole system depend on a vCPU, or take it for the primary VM's: its end
 * would be the machine's.
 */
function notFatal(name: HypercallName, value: bigint): bigint {
  return name === "vcpu_configure" ? value & ~(VcpuOption.Critical | VcpuOption.HlosVm) : value;
}

function randomRegister(random: Random): Action {
  const [op0, op1, crn, crm, op2] = random.pick([
    [3, 0, 12, 12, random.below(8)],
    [3, 0, 12, 8 + random.below(4), random.below(8)],
    [3, 0, 4, 6, 0],
    [3, 0, 0, random.below(8), random.below(8)],
    [2, 0, 0, random.below(16), random.below(8)],
    [random.below(4), random.below(8), random.below(16), random.below(16), random.below(8)],
  ]);
  return {
    kind: "register",
    x: [0n, random.below(3) ? randomValue(random) : random.wide()],
    at: [random.below(2), op0, op1, crn, crm, op2],
  };
}

function randomPsci(random: Random): Action {
  const id = PSCI_BASE + BigInt(random.below(0x20)) + (random.below(2) ? WIDE : 0n) + (random.below(20) ? 0n : 0x50n);
  return { kind: random.pick(["hvc", "smc"] as const), x: [id, randomValue(random), BigInt(RAM_BASE), randomValue(random)], at: [0] };
}
