// Machines that have every kind of object and device which a snapshot can hold, for tests that
// damage snapshots: GenieZone VMs below a primary VM, an ITS with LPIs, and the devices of each
// platform.

import assert from "node:assert/strict";
import { functionId, type GzvmCallName, packTuple } from "../../../src/machine/abi/geniezone/calls.ts";
import { GZVM_CONSTITUENT, GZVM_REGION } from "../../../src/machine/abi/geniezone/messages.ts";
import { GZVM_CREATE_DEVICE, GzvmCap } from "../../../src/machine/abi/ioctl/geniezone.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import { smccc } from "../../../src/machine/hypervisor/firmware/smccc.ts";
import { ItsFrame } from "../../../src/machine/hypervisor/gic/its-frame.ts";
import { Baser, COMMAND_SIZE, Gits, LPI_FIRST } from "../../../src/machine/hypervisor/gic/its/its-registers.ts";
import { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { words } from "../../machine/hypervisor/gic/its/rig.ts";
import { bootPlan, demoPlan, runTo } from "./systems.ts";
import { withTable } from "../../support/plan-tables.ts";
import { assertPlanned } from "../../support/planned.ts";

const PAGE = 0x1000;
const PRIMARY_IMAGE_END = RAM_BASE + 0x20_0000;
/** Places in the primary VM's RAM. */
const MESSAGE = PRIMARY_IMAGE_END, SHARED = MESSAGE + PAGE, GIVEN = RAM_BASE + 0x28_0000;
const QUEUE = RAM_BASE + 0x30_0000, DEVICES = QUEUE + 0x1_0000, COLLECTIONS = QUEUE + 0x2_0000, ITT = QUEUE + 0x3_0000;
const PROPERTIES = QUEUE + 0x4_0000, PENDING = QUEUE + 0x6_0000;
/** Where a guest of GenieZone has its memory. */
const GUEST = 0x8000_0000, GUEST_PAGES = 16;
/** A shared interrupt of a guest. */
const SHARED_LINE = 3;

/** The primary VM: a call by HVC, again and again, as soon as its X0 and X1 are in memory. */
const CALLER = [
  0x10000804, // adr x4, 0x100
  0xa9400480, // ldp x0, x1, [x4]
  0xb4ffffe0, // cbz x0, 4
  0xd4000002, // hvc #0
  0x17fffffd, // b 4
];

/** A primary VM of 8 MiB with GenieZone's calls and an ITS. */
export async function hypervisorsPlan(): Promise<SessionPlan> {
  const plan = await bootPlan();
  const image = new Uint8Array(PAGE);
  const header = new DataView(image.buffer);
  header.setUint32(0, 0x1400_0010, true);
  header.setBigUint64(16, BigInt(PAGE), true);
  header.setUint32(56, 0x644d_5241, true);
  image.set(new Uint8Array(Uint32Array.from(CALLER).buffer), 64);
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined } as const;
  return withTable({ ...plan, what, behaviour: { geniezone: true, msi: "its" } });
}

/** That machine with two GenieZone VMs, one of which runs, and LPIs in every state. */
export function hypervisorsSystem(plan: SessionPlan): GuestSystem {
  const system = assemble(plan);
  runTo(system, 1000);
  const { hypervisor } = system;
  const primary = [...hypervisor.objects].find((object): object is Vcpu => object instanceof Vcpu && object.settings.isPrimary)!;
  messages(system, primary);
  guests(system, primary);
  return system;
}

/** An ITS whose tables are in RAM, with LPIs that are pending, acknowledged, disabled and moved. */
function messages({ hypervisor: { machine: { ram } } }: GuestSystem, primary: Vcpu): void {
  const { gic } = primary.attachments.vic!;
  const frame = new ItsFrame(gic.its!);
  const gits = (offset: number, value: bigint, size = 8) => assert.ok(frame.write(offset, size, value));
  ram.write(PROPERTIES, new Uint8Array(0x2000).fill(0xa1));
  ram.write(PROPERTIES + 3, Uint8Array.of(0));
  const [{ lpis }] = gic.cpus;
  lpis!.setPropbaser(BigInt(PROPERTIES) | 13n);
  lpis!.setPendbaser(BigInt(PENDING) | 1n << 62n);
  lpis!.enable(true);
  gits(Gits.BASER, Baser.Valid | BigInt(DEVICES));
  gits(Gits.BASER + 8, Baser.Valid | BigInt(COLLECTIONS));
  gits(Gits.CBASER, Baser.Valid | BigInt(QUEUE));
  gits(Gits.CTLR, 1n, 4);
  const commands = [
    words("MAPD", { device: 0, bits: 4, itt: ITT }),
    words("MAPC", { collection: 0, cpu: 0 }),
    ...[0, 1, 2, 3, 4].map((event) => words("MAPTI", { event, intid: LPI_FIRST + event })),
    ...[1, 3, 4].map((event) => words("INT", { event })),
    words("DISCARD", { event: 4 }),
  ];
  commands.forEach((command, index) => ram.write(QUEUE + index * COMMAND_SIZE, new Uint8Array(BigUint64Array.from(command).buffer)));
  gits(Gits.CWRITER, BigInt(commands.length * COMMAND_SIZE));
  assert.deepEqual([...lpis!.pending.keys()], [LPI_FIRST + 1, LPI_FIRST + 3]);
  lpis!.acknowledge(LPI_FIRST + 1);
}

/**
 * A protected VM with interrupts and shared memory, and one whose guest has two vCPUs; the primary
 * VM is inside RUN of the first of them.
 */
function guests({ hypervisor: { machine } }: GuestSystem, primary: Vcpu): void {
  const { ram } = machine;
  const must = (name: GzvmCallName, ...args: (number | bigint)[]): readonly bigint[] => {
    const x = [BigInt(functionId(name)), ...args.map(BigInt)];
    while (x.length < 8) x.push(0n);
    const reply = smccc(primary, x, "hvc");
    assert.ok(Array.isArray(reply) && reply[0] === 0n, `${name}: ${primary.services.trace.reasons.last?.rule}`);
    return reply.slice(1);
  };
  const made = [0, 1].map((index) => {
    const [vm] = must("CREATE_VM", 0).map(Number);
    must("MEMREGION_PURPOSE", vm, GUEST, GUEST_PAGES * PAGE, 1);
    must("MEMREGION_PURPOSE", vm, GUEST + GUEST_PAGES * PAGE, PAGE, 4);
    ram.write(MESSAGE, GZVM_REGION.encode({ slot: 0, constituents: 1, total_pages: BigInt(GUEST_PAGES), address: BigInt(GUEST) }));
    const given = GIVEN + index * GUEST_PAGES * PAGE;
    ram.write(given, new Uint8Array(Uint32Array.of(0x1400_0000).buffer));
    ram.write(MESSAGE + GZVM_REGION.size, GZVM_CONSTITUENT.encode({ address: BigInt(given), pages: GUEST_PAGES, reserved: 0 }));
    must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE);
    if (index === 0) must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
    for (let vcpu = 0; vcpu < 2; vcpu++) must("CREATE_VCPU", packTuple(vm, vcpu), SHARED + (index * 2 + vcpu) * 2 * PAGE);
    for (const [type, address, size] of [[0, 0x3fff_0000, 0x1_0000], [1, 0x3e00_0000, 0x4_0000]]) {
      ram.write(MESSAGE, GZVM_CREATE_DEVICE.encode({ dev_type: type, dev_addr: BigInt(address), dev_reg_size: BigInt(size) }));
      must("CREATE_DEVICE", vm, MESSAGE);
    }
    return vm;
  });
  const [, running] = made;
  must("IRQ_LINE", packTuple(running, 0), SHARED_LINE, 1);
  const call = BigUint64Array.of(BigInt(functionId("RUN")), BigInt(packTuple(running, 0)));
  ram.write(Number(primary.registers.getX(4)), new Uint8Array(call.buffer));
  machine.run(machine.time + 50_000, 64);
  assert.ok(primary.services.geniezone);
}

const DEVICES_OF = '{ kind = "rng" }, { kind = "console" }, { kind = "balloon" }';

/** VMs of each platform and hypervisor under the native host. */
export async function platformsPlan(): Promise<SessionPlan> {
  const folder = new URL("../../../assets/guests", import.meta.url).pathname;
  const vm = (name: string, keys: string, devices: string) =>
    `[vm.${name}]\nimage = "hello.bin"\nmemory = "8MiB"\n${keys}\ndevices = [${devices}]\n`;
  const text = [
    'el2 = 1\n[machine]\nmemory = "128MiB"\n[host]\nmemory = "64MiB"\ngzvm = true\n',
    vm("crosvm", 'platform = "crosvm"\ncpu_frequencies = [600000, 1800000]', DEVICES_OF),
    vm("its", 'platform = "qemu-virt"\nmsi = "its"', DEVICES_OF),
    vm("v2m", 'platform = "qemu-virt"\nmsi = "gicv2m"\nhypervisor = "geniezone"', DEVICES_OF),
    vm("gz", 'hypervisor = "geniezone"', `{ kind = "pl011" }, ${DEVICES_OF}, { kind = "net", backend = "pair:lan" }`),
    vm("own", 'schedule = "own"', `{ kind = "rng" }, { kind = "console" }, { kind = "net", backend = "pair:lan" }`),
  ].join("\n");
  const result = await planText(text, undefined, folder);
  assertPlanned(result);
  const { cpus, memory, seed, what, behaviour, table } = result.run;
  return { cpus, memory, seed, turbo: true, what, behaviour, table };
}

/** The machine of a plan after some instructions of its guests. */
function systemAfter(plan: SessionPlan, instructions = 300_000): GuestSystem {
  const system = assemble(plan);
  runTo(system, instructions);
  return system;
}

/** A machine whose snapshot is damaged. */
interface SavedMachine {
  readonly plan: () => Promise<SessionPlan>;
  readonly system: (plan: SessionPlan) => GuestSystem;
}

/** Machines that together have everything. */
export const SAVED_MACHINES: Readonly<Record<string, SavedMachine>> = {
  "the demo": { plan: () => demoPlan(), system: systemAfter },
  "a machine of 8 MiB": { plan: () => bootPlan(), system: systemAfter },
  "a machine with GenieZone VMs and an ITS": { plan: hypervisorsPlan, system: hypervisorsSystem },
  "a machine with VMs of each platform": { plan: platformsPlan, system: systemAfter },
};
