// A bare-metal primary VM that runs a GenieZone VM by GenieZone's calls, and a Gunyah VM beside it
// (programs/geniezone.c). Debian gets its pages in other ways with EL2_LONG=1.

import assert from "node:assert/strict";
import { buildGuest } from "../../scripts/guests.ts";
import { RmError } from "../../src/machine/abi/rpc/errors.ts";
import { encodeRequest, type RpcRequest } from "../../src/machine/abi/rpc/message.ts";
import type { Fields, Values } from "../../src/machine/abi/rpc/layout.ts";
import { encodePackets, PacketType } from "../../src/machine/abi/rpc/packet.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_START } from "../../src/machine/abi/rpc/messages/lifecycle.ts";
import { MEM_SHARE, MemType } from "../../src/machine/abi/rpc/messages/memory.ts";
import { VM_GET_HYP_RESOURCES } from "../../src/machine/abi/rpc/messages/resources.ts";
import { AuthType, Vmid } from "../../src/machine/abi/rpc/messages/vm.ts";
import { GZVM_CALLS, type GzvmCallName, GzvmError, packTuple } from "../../src/machine/abi/geniezone/calls.ts";
import { GZVM_CONSTITUENT, GZVM_REGION } from "../../src/machine/abi/geniezone/messages.ts";
import { GZVM_CREATE_DEVICE, GZVM_EXIT_BASE, GzvmCap, GzvmExit } from "../../src/machine/abi/ioctl/geniezone.ts";
import { assemble, assembleEmpty } from "../../src/session/assembly/assemble.ts";
import type { RowOf } from "../../src/model/queries/table.ts";
import type { VMS } from "../../src/model/queries/tables.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { hashesOf } from "../session/snapshots/systems.ts";
import { asVmid } from "../../src/machine/abi/numbers.ts";
import { Access } from "../../src/machine/abi/words.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import type { VmPlan } from "../../src/machine/host/data/plan.ts";
import { once } from "../../src/kit/support/values/once.ts";
import { vmContents } from "../../src/machine/host/vm-contents.ts";
import { boardOf } from "../../src/machine/host/boards.ts";
import { DEVICETREE_SIZE } from "../../src/machine/host/boards/el2/map.ts";
import { nativeHostOf } from "../machine/host/plans.ts";
import { Guests } from "./guest.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { assertPlanned } from "../support/planned.ts";
import { LONG } from "../support/long.ts";

const ASSETS = new URL("../../assets/guests", import.meta.url).pathname;
/** Where the primary VM keeps its VMs' memory. */
const GENIEZONE = 0x6000_0000, GUNYAH = 0x5f00_0000;
/** The VMID that the Resource Manager gives first. */
const FIRST_VMID = asVmid(0x80);

/** The requests that make and start a VM whose memory is at GUNYAH. */
function requestsFor(plan: VmPlan): Uint8Array[] {
  const vmid = FIRST_VMID;
  const packets: Uint8Array[] = [];
  const add = <Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>) => {
    packets.push(...encodePackets({ type: PacketType.Request, sequence: 0, id: message.id, payload: encodeRequest(message, value) }));
  };
  const acl = [vmid, Vmid.Hlos].map((vmid) => ({ vmid, rights: Access.RWX }));
  const sgl = [{ address: BigInt(GUNYAH), size: BigInt(plan.memory) }];
  const image = {
    image_offset: 0n,
    image_size: 0n,
    dt_offset: BigInt(boardOf(plan).layout(plan).devicetree),
    dt_size: BigInt(DEVICETREE_SIZE),
  };
  add(VM_ALLOCATE, { vmid: 0 });
  add(MEM_SHARE, { mem_type: MemType.Normal, flags: 0, label: 0, acl, sgl, attributes: [] });
  add(VM_CONFIG_IMAGE, { vmid, auth_type: AuthType.None, handle: 0, ...image });
  add(VM_INIT, { vmid });
  add(VM_GET_HYP_RESOURCES, { vmid });
  add(VM_START, { vmid });
  return packets;
}

/** A call with its arguments, and the results in X0, X1 and X2 if they are expected. */
type Call = readonly [name: GzvmCallName, args: readonly (number | bigint)[], error: number, ...values: (number | bigint)[]];
/** Bytes at an address. */
interface Placed {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The primary VM's initial ramdisk: struct bundle of the program. */
function bundleOf(geniezone: VmPlan, gunyah: VmPlan | undefined, calls: readonly Call[], more: readonly Placed[]): Uint8Array {
  const placed = (plan: VmPlan, base: number) => vmContents(plan).map(({ offset, bytes }) => ({ address: base + offset, bytes }));
  const blobs = [...placed(geniezone, GENIEZONE), ...gunyah ? placed(gunyah, GUNYAH) : [], ...more];
  const packets = gunyah ? requestsFor(gunyah).map((bytes) => ({ address: 0, bytes })) : [];
  const { gicd, gicr } = boardOf(geniezone).gic(geniezone.vcpus);
  const { base, memory, image } = geniezone;
  const head = [
    ...[
      blobs.length,
      packets.length,
      calls.length,
      0,
      GENIEZONE,
      memory,
      base,
      base + image.entry,
      base + boardOf(geniezone).layout(geniezone).devicetree,
    ],
    ...[gicd.base, gicr.base, Number(gunyah !== undefined)],
  ];
  const all = [...blobs, ...packets];
  let at = 8 * (head.length + 3 * all.length);
  const entries = all.flatMap(({ address, bytes }) => {
    const offset = at;
    at = Math.ceil((at + bytes.length) / 8) * 8;
    return [address, offset, bytes.length];
  });
  const CALLS_OFFSET = 3, ARGUMENTS = 5;
  head[CALLS_OFFSET] = at;
  const words = calls.flatMap((
    [name, args],
  ) => [GZVM_CALLS[name].number, ...Array.from({ length: ARGUMENTS }, (_, index) => args[index] ?? 0)]);
  const result = new Uint8Array(at + 8 * words.length);
  new BigUint64Array(result.buffer, at, words.length).set(words.map((word) => BigInt.asUintN(64, BigInt(word))));
  new BigUint64Array(result.buffer, 0, head.length + entries.length).set([...head, ...entries].map(BigInt));
  for (const [index, { bytes }] of all.entries()) result.set(bytes, entries[3 * index + 1]);
  return result;
}

/** Choices of the program, and its calls. */
interface Choices {
  readonly smc?: boolean;
  readonly lazy?: boolean;
  readonly blocks?: boolean;
  readonly protected?: boolean;
  readonly calls?: readonly Call[];
  readonly blobs?: readonly Placed[];
}

/** The program, an image. */
const program = once(async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-geniezone-" });
  try {
    const source = new URL("programs/geniezone.c", import.meta.url).pathname, image = `${folder}/primary.bin`;
    await buildGuest(source, `${folder}/primary.elf`, image);
    return await Deno.readFile(image);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The plan of a machine whose primary VM is the program, with these VMs. */
async function planWith(vms: string, choices: Choices = {}): Promise<SessionPlan> {
  const planned = await planText(`el2 = 1\n[machine]\nmemory = "2GiB"\n[host]\ngzvm = true\n${vms}`, undefined, ASSETS);
  assertPlanned(planned);
  const { vms: plans } = nativeHostOf(planned.run);
  const { calls = [], blobs = [], ...flags } = choices;
  const folder = await Deno.makeTempDir({ prefix: "el2-geniezone-" });
  try {
    await Deno.writeFile(`${folder}/primary.bin`, await program());
    const [geniezone, gunyah] = ["geniezone", "gunyah"].map((one) => plans.find(({ hypervisor }) => hypervisor === one));
    await Deno.writeFile(`${folder}/bundle`, bundleOf(geniezone!, gunyah, calls, blobs));
    const machine = '[machine]\ncpus = 1\nmemory = "1GiB"\ngeniezone = true\n';
    const cmdline = Object.entries(flags).map(([flag, value]) => `${flag}=${Number(value)}`).join(" ");
    const host = `[host]\nkind = "image"\nkernel = "primary.bin"\ninitrd = "bundle"\ncmdline = "${cmdline}"\n`;
    const result = await planText(`el2 = 1\n${machine}${host}`, undefined, folder);
    assertPlanned(result);
    return { ...result.run, turbo: true };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const primaryWith = async (vms: string, choices?: Choices) => new Guests(assemble(await planWith(vms, choices)));

const HELLO = (name: string, hypervisor: string) =>
  `[vm.${name}]\nhypervisor = "${hypervisor}"\nimage = "hello.bin"\nmemory = "4MiB"\ncmdline = "ticks=3 ms=2"\n`;

/** Places for messages, shared pages, and pages for a VM. */
const MESSAGES = 0x5e00_0000, SHARED = 0x5e01_0000, PAGES = 0x5e10_0000;
const GUEST = 0x8000_0000, PAGE = 0x1000;

/** Every call, those that are refused among them, in the order of a VM's life. */
function everyCall(): { calls: Call[]; blobs: Placed[] } {
  const { InvalidArguments, NotImplemented, Fault } = GzvmError;
  const region = GZVM_REGION.encode({ slot: 0, constituents: 1, total_pages: 4n, address: BigInt(GUEST) });
  const part = GZVM_CONSTITUENT.encode({ address: BigInt(PAGES), pages: 4 });
  const device = GZVM_CREATE_DEVICE.encode({ dev_type: 0, dev_addr: 0x3fff_0000n, dev_reg_size: 0x1_0000n });
  const frames = new Uint8Array(BigUint64Array.of(BigInt(PAGES / PAGE + 9), BigInt(PAGES / PAGE + 8)).buffer);
  const blobs = [region, part, device, frames].map((bytes, index) => ({
    address: MESSAGES + [0, region.length, PAGE, 2 * PAGE][index],
    bytes,
  }));
  const vm = 1, vcpu = packTuple(vm, 0), x3 = 0x6030_0000_0010_0006n, pc = 0x6030_0000_0010_0040n;
  const frame = PAGES / PAGE, guest = GUEST / PAGE;
  const calls: Call[] = [
    ["PROBE", [16, 0], 0, 16, 0],
    ["GET_REGS", [], NotImplemented],
    ["SET_REGS", [], NotImplemented],
    ["CREATE_VM", [0], 0, vm],
    ["ENABLE_CAP", [0, GzvmCap.QueryHypBatchPages], 0, 512],
    ["ENABLE_CAP", [0, GzvmCap.QueryHypDestroyBatchPages], 0, 512],
    ["ENABLE_CAP", [vm, GzvmCap.EnableDemandPaging], 0],
    ["ENABLE_CAP", [vm, GzvmCap.EnableIdle], 0],
    ["ENABLE_CAP", [vm, GzvmCap.BlockBasedDemandPaging, 0x20_0000, MESSAGES + 2 * PAGE], 0],
    ["ENABLE_CAP", [vm, GzvmCap.ProtectedVm, 1], 0, 0],
    ["ENABLE_CAP", [vm, 0x1234], InvalidArguments],
    ["MEMREGION_PURPOSE", [vm, GUEST, 0x40_0000, 1], 0],
    ["MEMREGION_PURPOSE", [vm, GUEST, 0x40_0000, 8], InvalidArguments],
    ["SET_MEMREGION", [vm, 2 * PAGE, MESSAGES], 0],
    ["SET_MEMREGION", [vm, 2 * PAGE, MESSAGES], Fault],
    ["SET_MEMREGION", [vm, 3 * PAGE, MESSAGES], InvalidArguments],
    ["MAP_GUEST", [vm, 0, frame + 4, guest + 4, 2], 0],
    ["MAP_GUEST", [vm, 0, frame + 4, guest + 6, 2], Fault],
    ["MAP_GUEST_BLOCK", [vm, 0, guest + 6, 2], 0],
    ["MAP_GUEST_BLOCK", [vm, 10, guest + 8, 2], InvalidArguments],
    ["GET_STATISTICS", [vm], 0, 0, 8 * PAGE],
    ["CREATE_DEVICE", [vm, MESSAGES + PAGE], 0],
    ["CREATE_DEVICE", [vm, MESSAGES + PAGE], InvalidArguments],
    ["CREATE_DEVICE", [vm, 0], Fault],
    ["CREATE_VCPU", [vcpu, SHARED], 0],
    ["CREATE_VCPU", [packTuple(vm, 8), SHARED], InvalidArguments],
    ["SET_DTB_CONFIG", [vm, GUEST, PAGE], 0],
    ["SET_DTB_CONFIG", [vm, 0, PAGE], InvalidArguments],
    ["SET_ONE_REG", [vcpu, x3, 0x77], 0],
    ["GET_ONE_REG", [vcpu, x3], 0, 0x77],
    ["SET_ONE_REG", [vcpu, pc, GUEST + 0x10_0000], 0],
    ["IRQ_LINE", [vcpu, 1, 1], 0],
    ["IRQ_LINE", [vcpu, 32, 1], InvalidArguments],
    ["INFORM_EXIT", [vm], 0],
    ["RUN", [vcpu], 0, GZVM_EXIT_BASE + GzvmExit.Exception],
    ["DESTROY_VCPU", [vcpu], 0],
    ["RUN", [vcpu], InvalidArguments],
    ["DESTROY_VM", [vm], 0],
    ["DESTROY_VM", [vm], InvalidArguments],
  ];
  assert.deepEqual(new Set(calls.map(([name]) => name)), new Set(Object.keys(GZVM_CALLS)));
  return { calls, blobs };
}

for (const smc of LONG ? [false, true] : [false]) {
  Deno.test(`a bare-metal primary makes every call of GenieZone by ${smc ? "SMC" : "HVC"}, with the documented results`, async () => {
    const { calls, blobs } = everyCall();
    const guests = await primaryWith(HELLO("gz", "geniezone"), { smc, calls, blobs });
    const console = guests.console("host");
    assert.equal(await guests.end(2), "SYSTEM_OFF", console.text);
    const lines = [...console.text.matchAll(/^call (\d+): (0x\S+) (0x\S+) (0x\S+)$/gm)].map(([, ...words]) => words.map(BigInt));
    assert.equal(lines.length, calls.length, console.text);
    for (const [index, [name, args, error, ...values]] of calls.entries()) {
      const [number, code, ...results] = lines[index];
      assert.deepEqual([Number(number), Number(BigInt.asIntN(64, code))], [GZVM_CALLS[name].number, error], `${name} ${args}`);
      assert.deepEqual(results.slice(0, values.length), values.map(BigInt), `${name} ${args}`);
    }
    assert.match(console.text, /tick 3\n[^]*both have ended/, "and the VM after it");
  });
}

for (const smc of LONG ? [false, true] : [true]) {
  Deno.test(`a bare-metal primary runs a GenieZone VM by ${smc ? "SMC" : "HVC"} and a Gunyah VM beside it`, async () => {
    const guests = await primaryWith(HELLO("gz", "geniezone") + HELLO("gunyah", "gunyah"), { smc });
    const console = guests.console("host");
    await console.expect(new RegExp(`^GenieZone 16 by ${smc ? "SMC" : "HVC"}$`, "m"), 2);
    assert.equal(await guests.end(2), "SYSTEM_OFF", console.text);
    const lines = console.text.split("\n");
    const ours = ["hello from EL1", "tick 1", "tick 2", "tick 3"];
    for (const line of ours) assert.ok(lines.includes(line) && lines.includes(`gunyah: ${line}`), `${line}:\n${console.text}`);
    assert.ok(lines.includes("GenieZone VM: system event 1"), console.text);
    assert.ok(lines.some((line) => /^GenieZone VM: 0 private, 4194304 shared; \d+ MMIO, \d+ idle$/.test(line)), console.text);
    assert.equal(lines.at(-2), "both have ended");
  });
}

Deno.test("a GenieZone VM gets its pages when it misses them, also if it is protected", async () => {
  const ways = [[false, false], [true, true], [true, false], [false, true]];
  for (const [isProtected, blocks] of ways.slice(0, LONG ? undefined : 2)) {
    const guests = await primaryWith(HELLO("gz", "geniezone").replace("4MiB", "8MiB"), { lazy: !blocks, blocks, protected: isProtected });
    const { text } = guests.console("host");
    assert.equal(await guests.end(2), "SYSTEM_OFF", text);
    const console = guests.console("host");
    const [, hidden, shared] = /^GenieZone VM: (\d+) private, (\d+) shared;/m.exec(console.text)!.map(Number);
    assert.ok(console.text.includes("tick 3"), console.text);
    const given = isProtected ? hidden : shared;
    assert.ok(blocks ? given === 4 * MiB : given > 0 && given < 64 << 10, `only the pages that it touched, or their blocks: ${given}`);
    assert.equal(hidden + shared, given);
  }
});

Deno.test("a machine with a GenieZone VM that is saved and loaded continues as the one that was not interrupted", async () => {
  const plan = await planWith(HELLO("gz", "geniezone") + HELLO("gunyah", "gunyah"), { lazy: true });
  const guests = new Guests(assemble(plan));
  await guests.console("host").expect(/^tick 1$/m, 2);
  const copy = assembleEmpty(plan);
  copy.load(guests.system.save(), false);
  assert.equal(hashesOf(copy), hashesOf(guests.system));
  const loaded = new Guests(copy);
  const console = loaded.console("host");
  for (const one of [guests, loaded]) assert.equal(await one.end(2), "SYSTEM_OFF");
  assert.match(console.text, /tick 3\n[^]*both have ended/);
  assert.equal(hashesOf(copy), hashesOf(guests.system));
});

Deno.test("a page that a GenieZone VM has cannot be shared with a Gunyah VM; the Resource Manager refuses", async () => {
  const region = GZVM_REGION.encode({ slot: 0, constituents: 1, total_pages: 1n, address: BigInt(GUEST) });
  const part = GZVM_CONSTITUENT.encode({ address: BigInt(GUNYAH + 3 * PAGE), pages: 1 });
  const blobs = [{ address: MESSAGES, bytes: region }, { address: MESSAGES + region.length, bytes: part }];
  const calls: Call[] = [["CREATE_VM", [0], 0, 1], ["SET_MEMREGION", [1, 2 * PAGE, MESSAGES], 0]];
  const guests = await primaryWith(HELLO("gz", "geniezone") + HELLO("gunyah", "gunyah"), { calls, blobs });
  const console = guests.console("host");
  assert.equal(await guests.end(2), "SYSTEM_RESET", console.text);
  assert.match(console.text, new RegExp(`^request 0x${MEM_SHARE.id.toString(16)}: error ${RmError.MEM_INVALID}$`, "m"), console.text);
});

Deno.test("the list of VMs has GenieZone's below a primary that is an image", async () => {
  const guests = await primaryWith(HELLO("gz", "geniezone") + HELLO("gunyah", "gunyah"));
  await guests.console("host").expect(/^tick 1$/m, 2);
  const { rows } = guests.system.inspector.answer({ table: "vm.ls", args: {} }) as unknown as { rows: RowOf<typeof VMS>[] };
  const seen = rows.map(({ id, vmid, via, owner, memory, schedule }) => [id, vmid, via, owner, memory, schedule]);
  assert.deepEqual(seen.at(-2), ["vm:gzvm-1", "0xc0", "geniezone", "vm:host", 4 << 20, "proxy"]);
  assert.deepEqual(seen.find(([, vmid]) => vmid === "0x80")!.slice(2), ["gunyah", "vm:host", 4 << 20, "proxy"]);
});

/** How a GenieZone VM gets its pages: the driver of 6.1 gives a protected one blocks, too. */
const WAYS: readonly (readonly [by: string, choices: Choices])[] = [
  ["by the calls of the driver of 6.1", { blocks: true }],
  ...LONG
    ? [
      ["protected, by the calls of the driver of 6.1", { blocks: true, protected: true }],
      ["with all of its pages from the start", {}],
    ] as const
    : [],
];

for (const [by, choices] of WAYS) {
  Deno.test(`Debian runs to its end in a GenieZone VM of a bare-metal primary, beside a Gunyah VM, ${by}`, async () => {
    await catalogEntry("debian");
    const debian = '[vm.gz]\nhypervisor = "geniezone"\nkernel = "catalog:debian/Image"\ninitrd = "catalog:debian/initrd"\n' +
      `cmdline = "console=ttyAMA0 ${NO_SELF_TESTS}"\nmemory = "320MiB"\n`;
    const guests = await primaryWith(debian + HELLO("gunyah", "gunyah").replace("ticks=3 ms=2", "ms=1000"), choices);
    const console = guests.console("host");
    await console.expect(/gunyah: hello from EL1/, 1);
    await console.expect(/EL2-READY/, 10);
    await console.expect(/\/root # /, 10);
    await console.expect(/gunyah: tick \d/, 2);
    // The interrupt of typed characters is IRQ_LINE's.
    console.type("grep pl011 /proc/interrupts; echo typed-$?");
    await console.expect(/ [1-9]\d* +GICv3 +33 Level +uart-pl011[^]*typed-0\n/, 10);
    console.type("poweroff -f");
    await console.expect(/GenieZone VM: system event 1\n/, 10);
    await console.expect(/GenieZone VM: \d+ private, \d+ shared;.*\n/, 1);
    const [, hidden, shared] = /^GenieZone VM: (\d+) private, (\d+) shared;/m.exec(console.text)!.map(Number);
    const [given, none] = choices.protected ? [hidden, shared] : [shared, hidden], memory = 320 * MiB;
    assert.equal(none, 0);
    if (!choices.blocks) return assert.equal(given, memory);
    assert.ok(given % (2 * MiB) === 0 && given > 0 && given < memory, `${given} bytes, the blocks that it touched`);
  });
}
