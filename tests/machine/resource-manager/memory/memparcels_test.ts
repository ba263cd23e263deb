// Memory parcels beyond the checklist: many regions, contiguous mappings, zeroing, look-up, and
// addresses that a VM reserves (docs/spec/resource-manager.md §3.1 to §3.6, §3.11).

import assert from "node:assert/strict";
import {
  ACCEPT_INCOMPLETE,
  AcceptFlags,
  CreateFlags,
  MEM_ACCEPT,
  MEM_APPEND,
  MEM_LEND,
  MEM_QCOM_LOOKUP_SGL,
  MEM_RECLAIM,
  MEM_RELEASE,
  MEM_SHARE,
  ReturnFlags,
} from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_START, VM_STOP } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { ANYWHERE, IPA_RESERVE, IpaReserveType } from "../../../../src/machine/abi/rpc/messages/platform.ts";
import type { Values } from "../../../../src/machine/abi/rpc/layout.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import type { ResourceManagerOptions } from "../../../../src/machine/resource-manager/resource-manager.ts";
import { devicetree, findNode, setProperties } from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import type { Client } from "../client.ts";
import { guestRoot, guestTree, Machine, rmRpc } from "../machine.ts";

const PA = 0x4700_0000;
const PAGE = 0x1000;
const range = (address: number, size = PAGE) => ({ address: BigInt(address), size: BigInt(size) });
/** Every other page: regions that do not touch. */
const scattered = (count: number, first = 0) => Array.from({ length: count }, (_, index) => range(PA + 2 * (first + index) * PAGE));

class Parties {
  readonly machine: Machine;
  readonly primary: Client;
  readonly vmid: number;
  readonly guest: Client;

  constructor(rules?: ResourceManagerOptions, tree = guestTree("borrower", [rmRpc()])) {
    this.machine = new Machine(rules);
    this.primary = this.machine.primary;
    this.vmid = this.machine.start(tree).vmid;
    this.guest = this.machine.guest(this.vmid);
  }

  create(sgl: { address: bigint; size: bigint }[], flags = 0, rights = 7) {
    return { mem_type: 0, flags, label: 0, acl: [{ vmid: this.vmid, rights }], sgl, attributes: [] };
  }

  lend(sgl = [range(PA)], flags = 0): number {
    return this.primary.get(MEM_LEND, this.create(sgl, flags)).handle;
  }

  accept(handle: number, flags: number, entries: { address: bigint; size: bigint }[] = []) {
    const none = { acl: [], attributes: [], label: 0 };
    return this.guest.ask(MEM_ACCEPT, { handle, mem_type: 0, trans_type: 1, flags, ...none, sgl: { entries, annotation: 0 } });
  }

  write(address: number, ...bytes: number[]): void {
    assert.ok(this.machine.system.act((vcpu) => vcpu.write(address, Uint8Array.from(bytes))));
  }

  read(address: number): number | undefined {
    return this.machine.system.act((vcpu) => vcpu.read(address, 1))?.[0];
  }

  guestRead(address: number): number | undefined {
    return this.machine.system.guest(this.vmid).read(address, 1)?.[0];
  }
}

Deno.test("size-max is the span in which a VM of a phone accepts memory, and limits private memory alone elsewhere", () => {
  const root = guestRoot("borrower", [rmRpc()]);
  setProperties(findNode(root, "/gunyah-vm-config/memory")!, { "size-max": 0x1000_0000 });
  const tree = writeDevicetree(devicetree(root));
  const last = 0x9000_0000 - PAGE;
  for (const [rules, beyond] of [[{ sizeMax: "span" }, "MEM_INVALID"], [undefined, "OK"]] as const) {
    const parties = new Parties(rules, tree);
    const handle = parties.lend();
    assert.equal(parties.accept(handle, AcceptFlags.Done, [range(0x9000_0000)]).error, beyond);
    if (rules === undefined) continue;
    assert.equal(parties.accept(handle, AcceptFlags.Done, [range(0x7fff_f000)]).error, beyond);
    assert.equal(parties.accept(handle, AcceptFlags.Done, [range(last)]).error, "OK", "a hole of its RAM");
    checkInvariants(parties.machine.system.hypervisor);
  }
});

Deno.test("a parcel of more than 512 regions is appended to, accepted in parts and mapped with the last of them", () => {
  const parties = new Parties();
  parties.write(PA + 2 * 599 * PAGE, 99);
  const handle = parties.lend(scattered(300), CreateFlags.Append);
  parties.primary.get(MEM_APPEND, { handle, flags: 1, sgl: scattered(300, 300) });
  assert.equal(parties.accept(handle, AcceptFlags.Done).error, "ARGUMENT_INVALID", "addresses are missing");
  const first = parties.accept(handle, 0).value!.sgl;
  assert.deepEqual([first.entries.length, first.annotation], [512, ACCEPT_INCOMPLETE]);
  assert.equal(parties.guestRead(Number(first.entries[0].address)), undefined, "nothing is mapped yet");
  assert.equal(parties.primary.ask(MEM_RECLAIM, { handle, flags: 0 }).error, "MEM_INUSE");
  const second = parties.accept(handle, AcceptFlags.Done).value!.sgl;
  assert.deepEqual([second.entries.length, second.annotation], [88, 0]);
  assert.equal(parties.guestRead(Number(second.entries[87].address)), 99);
  checkInvariants(parties.machine.system.hypervisor);
  parties.guest.get(MEM_RELEASE, { handle, flags: 0 });
  parties.primary.get(MEM_RECLAIM, { handle, flags: 0 });
  assert.equal(parties.read(PA + 2 * 599 * PAGE), 99);
  checkInvariants(parties.machine.system.hypervisor);
});

Deno.test("a VM that starts gets parcels of up to 512 regions; a reset releases the last one that it got first", () => {
  const machine = new Machine();
  const { primary } = machine;
  const { vmid, handle: image } = machine.ready(guestTree("fragments", [rmRpc()]));
  const lend = (sgl: { address: bigint; size: bigint }[], flags = 0) =>
    primary.get(MEM_LEND, { mem_type: 0, flags, label: 2, acl: [{ vmid, rights: 7 }], sgl, attributes: [] }).handle;
  const small = lend(scattered(300), CreateFlags.Append), large = lend(scattered(512, 512), CreateFlags.Append);
  primary.get(MEM_APPEND, { handle: small, flags: 1, sgl: scattered(212, 300) });
  primary.get(MEM_APPEND, { handle: large, flags: 1, sgl: scattered(1, 1024) });
  const one = lend([range(PA - PAGE)]);
  primary.get(VM_START, { vmid });
  primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
  machine.reset(vmid);
  const released = primary.notifications.flatMap((text) => /^MEM_RELEASED handle=(\S+)/.exec(text)?.[1] ?? []);
  assert.deepEqual(released.map(Number), [one, small, image]);
  for (const handle of [image, small, large, one]) primary.get(MEM_RECLAIM, { handle, flags: 0 });
  checkInvariants(machine.system.hypervisor);
});

Deno.test("a parcel that was accepted in part can be given up", () => {
  const parties = new Parties();
  const handle = parties.lend(scattered(3));
  assert.equal(parties.accept(handle, 0, [range(0x9000_0000)]).error, "OK");
  parties.guest.get(MEM_RELEASE, { handle, flags: 0 });
  assert.equal(parties.accept(handle, AcceptFlags.Done, scattered(3).map((_, index) => range(0x9000_0000 + index * PAGE))).error, "OK");
  assert.equal(parties.guestRead(0x9000_2000), 0);
});

Deno.test("MAP_CONTIGUOUS puts scattered regions one after the other, at the given address", () => {
  const parties = new Parties();
  [1, 2, 3].forEach((byte, index) => parties.write(PA + 2 * index * PAGE, byte));
  const handle = parties.lend(scattered(3));
  const flags = AcceptFlags.MapContiguous | AcceptFlags.Done;
  assert.equal(parties.accept(handle, flags, [range(0x9000_0000), range(0x9000_1000)]).error, "ARGUMENT_INVALID");
  assert.equal(parties.accept(handle, flags, [range(0x9000_0000, PAGE)]).error, "ARGUMENT_INVALID", "the size is the whole parcel's");
  assert.equal(parties.accept(handle, flags & ~AcceptFlags.Done, [range(0x9000_0000, 3 * PAGE)]).error, "OK");
  assert.equal(parties.accept(handle, AcceptFlags.Done).error, "OK");
  assert.deepEqual([0, 1, 2].map((index) => parties.guestRead(0x9000_0000 + index * PAGE)), [1, 2, 3]);
});

Deno.test("SANITIZE at release, or at reclaim, lets the owner see zeros", () => {
  for (const [atRelease, atReclaim] of [[ReturnFlags.Sanitize, 0], [0, ReturnFlags.Sanitize], [0, 0]]) {
    const parties = new Parties();
    parties.write(PA, 7);
    const handle = parties.lend();
    parties.accept(handle, AcceptFlags.Done);
    parties.guest.get(MEM_RELEASE, { handle, flags: atRelease });
    parties.primary.get(MEM_RECLAIM, { handle, flags: atReclaim });
    assert.equal(parties.read(PA), atRelease | atReclaim ? 0 : 7);
  }
});

Deno.test("MEM_QCOM_LOOKUP_SGL finds a parcel by what it holds, and gives it a label if it has none", () => {
  const parties = new Parties();
  const { acl, sgl } = parties.create([range(PA), range(PA + 4 * PAGE)]);
  const handle = parties.lend(sgl);
  const look = (more: Partial<Values<typeof MEM_QCOM_LOOKUP_SGL.request.fields>> = {}) =>
    parties.primary.ask(MEM_QCOM_LOOKUP_SGL, { mem_type: 0, label: 0x55, acl, sgl, attributes: [], ...more });
  assert.deepEqual(look(), { error: "OK", value: { handle } });
  assert.equal(parties.machine.system.rm.state.parcels.find((each) => each.handle === handle)!.label, 0x55);
  const others = [
    { sgl: [...sgl].reverse() },
    { sgl: [sgl[0]] },
    { mem_type: 1 },
    { acl: [{ vmid: parties.vmid, rights: 6 }] },
    { attributes: [{ attribute: 0, vmid: parties.vmid }] },
  ];
  for (const other of others) assert.equal(look(other).error, "LOOKUP_FAILED");
  parties.accept(handle, AcceptFlags.Done);
  assert.equal(look().error, "LOOKUP_FAILED", "somebody holds it");
});

Deno.test("a shared parcel is every borrower's, with the rights of each", () => {
  const parties = new Parties();
  const other = parties.machine.start(guestTree("other", [rmRpc()]), 0x4680_0000);
  const acl = [{ vmid: parties.vmid, rights: 4 }, { vmid: other.vmid, rights: 6 }, { vmid: 3, rights: 6 }];
  const { handle } = parties.primary.get(MEM_SHARE, { ...parties.create([range(PA)]), acl });
  const none = { acl: [], attributes: [], label: 0, sgl: { entries: [range(0x9000_0000)], annotation: 0 } };
  for (const client of [parties.guest, parties.machine.guest(other.vmid)]) {
    client.get(MEM_ACCEPT, { handle, mem_type: 0, trans_type: 2, flags: AcceptFlags.Done, ...none });
  }
  const [reader, writer] = [parties.machine.system.guest(parties.vmid), parties.machine.system.guest(other.vmid)];
  assert.equal(reader.write(0x9000_0000, Uint8Array.of(1)), false);
  assert.ok(writer.write(0x9000_0000, Uint8Array.of(5)));
  assert.deepEqual([parties.read(PA), parties.guestRead(0x9000_0000)], [5, 5]);
  parties.guest.get(MEM_RELEASE, { handle, flags: 0 });
  assert.equal(parties.primary.ask(MEM_RECLAIM, { handle, flags: 0 }).error, "MEM_INUSE", "one of two still has it");
  checkInvariants(parties.machine.system.hypervisor);
});

Deno.test("what fails to be appended to a shared parcel leaves nothing behind, however often it is tried", () => {
  const { primary, vmid, machine } = new Parties();
  const rights = (vmid: number) => ({ vmid, rights: 7 });
  const shared = { mem_type: 0, flags: CreateFlags.Append, label: 0, acl: [rights(3), rights(vmid)], sgl: [range(PA)], attributes: [] };
  const { handle } = primary.get(MEM_SHARE, shared);
  const good = range(PA + 2 * PAGE);
  for (let attempt = 0; attempt < 6; attempt++) {
    assert.equal(primary.ask(MEM_APPEND, { handle, flags: 0, sgl: [good, good] }).error, "MEM_INVALID");
  }
  assert.equal(primary.ask(MEM_APPEND, { handle, flags: 1, sgl: [good] }).error, "OK");
  checkInvariants(machine.system.hypervisor);
});

Deno.test("IPA_RESERVE allocates aligned addresses that begin in the region asked for, all or none", () => {
  const { guest } = new Parties();
  const ask = (requests: { at?: [number, number]; size: number; alignment?: number }[]) =>
    guest.ask(IPA_RESERVE, {
      ...{ type: IpaReserveType.Allocate, generic_constraints: 0, platform_constraints: 0, fixed: [] },
      requested: requests.map(({ at, size, alignment = PAGE }) => ({
        ...{ region_base: at === undefined ? ANYWHERE : BigInt(at[0]), region_size: BigInt(at?.[1] ?? 0) },
        ...{ size: BigInt(size), alignment: BigInt(alignment) },
      })),
    });
  const first = ask([{ size: 2 * PAGE }, { size: PAGE, alignment: 0x20_0000 }, { at: [0x9000_0800, 2 * PAGE], size: 0x10_0000 }]);
  assert.deepEqual(first.value, { addresses: [{ address: 0x4000_1000n }, { address: 0x4020_0000n }, { address: 0x9000_1000n }] });
  assert.equal(ask([{ size: PAGE }, { at: [0x9000_1000, PAGE], size: PAGE }]).error, "DENIED", "the region is reserved");
  assert.deepEqual(ask([{ size: PAGE }]).value, { addresses: [{ address: 0x4000_3000n }] }, "what was found before that is free again");
  for (const wrong of [{ size: 0 }, { size: 100 }, { size: PAGE, alignment: 3 * PAGE }, { size: PAGE, alignment: 16 }]) {
    assert.equal(ask([wrong]).error, "DENIED");
  }
  assert.deepEqual(ask([]).value, { addresses: [] });
});

Deno.test("a VM reserves at most 1024 ranges of addresses", () => {
  const { guest } = new Parties();
  const reserve = (first: number, count: number) =>
    guest.ask(IPA_RESERVE, {
      ...{ type: IpaReserveType.Fixed, generic_constraints: 0, platform_constraints: 0, requested: [] },
      fixed: Array.from({ length: count }, (_, index) => ({ base: BigInt(0x9000_0000 + (first + index) * PAGE), size: BigInt(PAGE) })),
    }).error;
  for (let first = 0; first < 1020; first += 30) assert.equal(reserve(first, 30), "OK");
  assert.equal(reserve(1020, 5), "DENIED");
  assert.equal(reserve(1020, 4), "OK");
  assert.equal(reserve(1024, 1), "DENIED");
});
