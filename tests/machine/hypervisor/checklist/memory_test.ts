// Checklist of the specification (docs/spec/hypervisor.md §10), lines 106 to 132: address spaces
// and memory extents.

import assert from "node:assert/strict";
import { HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { Access, DonateType, ExtentType, memextentAttributes, ModifyFlags, ModifyOperation } from "../../../../src/machine/abi/words.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { FREE_IPA, mapped, RECIPES } from "../errors/recipes.ts";
import { type Args, RW_NORMAL, RWX_BASIC } from "../errors/world.ts";
import { Rig } from "./rig.ts";

const PAGE = 4096n;
const PARTIAL = 1n;

/** A caller that maps extents in its own address space. */
class MemoryRig extends Rig {
  /** The answer of a mapping at FREE_IPA. */
  tryMap(args: Args): string {
    return this.error("addrspace_map", { addrspace: this.space, vbase: FREE_IPA, map_attrs: RW_NORMAL, ...args });
  }

  /** Physical address that an IPA of the caller's maps to. */
  at(ipa: bigint): number | undefined {
    return this.get<AddressSpace>(this.space).stage2.lookup(Number(ipa))?.pa;
  }

  donate(kind: number, from: Memextent | bigint, to: Memextent | bigint, offset: bigint, size: bigint): string {
    const cap = (one: Memextent | bigint) => typeof one === "bigint" ? one : this.cap(one);
    return this.error("memextent_donate", { options: BigInt(kind), from: cap(from), to: cap(to), offset, size });
  }
}

Deno.test("H106: VMIDs are 1 to 255", () => {
  const w = new Rig();
  const configure = (vmid: bigint) => w.error("addrspace_configure", { addrspace: w.fresh("addrspace"), vmid });
  assert.deepEqual([configure(0n), configure(256n), configure(1n), configure(255n)], ["ARGUMENT_INVALID", "ARGUMENT_INVALID", "OK", "OK"]);
});

Deno.test("H107: a VMID is one active address space's", () => {
  const w = new Rig();
  const activate = () => {
    const cap = w.fresh("addrspace");
    w.ok("addrspace_configure", { addrspace: cap, vmid: 77n });
    return w.error("object_activate", { cap });
  };
  assert.deepEqual([activate(), activate()], ["OK", "BUSY"]);
});

Deno.test("H108: mappings begin at a page", () => {
  const w = new MemoryRig();
  assert.equal(w.tryMap({ memextent: w.active("memextent"), vbase: FREE_IPA + 8n }), "ARGUMENT_ALIGNMENT");
});

Deno.test("H109: reserved bits of map_flags come before the lookup of capabilities", () => {
  const w = new MemoryRig();
  assert.equal(w.tryMap({ memextent: 0x4000n, map_flags: 8n }), "ARGUMENT_INVALID");
  assert.equal(w.tryMap({ memextent: 0x4000n }), "CSPACE_CAP_NULL");
});

Deno.test("H110: a mapping allows no more than its extent", () => {
  const w = new MemoryRig();
  const memextent = w.cap(w.extent(w.take(4096), 4096, ExtentType.Basic, Access.R));
  assert.equal(w.tryMap({ memextent }), "ARGUMENT_INVALID");
  assert.equal(w.tryMap({ memextent, map_attrs: 0xf_0044n }), "OK");
});

Deno.test("H111: memory types 4, 8 and 12 are none", () => {
  const w = new MemoryRig();
  const memextent = w.active("memextent");
  for (const type of [4n, 8n, 12n]) assert.equal(w.tryMap({ memextent, map_attrs: type << 16n | 0x66n }), "ARGUMENT_INVALID");
});

Deno.test("H112: a BASIC extent is mapped four times at most", () => {
  const w = new MemoryRig();
  const memextent = w.active("memextent");
  const answers = [0n, 1n, 2n, 3n, 4n].map((slot) => w.tryMap({ memextent, vbase: FREE_IPA + slot * 0x10_0000n }));
  assert.deepEqual(answers, ["OK", "OK", "OK", "OK", "MEMEXTENT_MAPPINGS_FULL"]);
});

Deno.test("H113: a BASIC extent is mapped whole", () => {
  const w = new MemoryRig();
  assert.equal(w.tryMap({ memextent: w.active("memextent"), map_flags: PARTIAL, size: PAGE }), "MEMEXTENT_TYPE");
});

Deno.test("H114: what is not mapped cannot be unmapped", () => {
  const w = new Rig();
  assert.equal(w.error("addrspace_unmap", { addrspace: w.space, memextent: w.active("memextent"), vbase: FREE_IPA }), "ADDR_INVALID");
});

Deno.test("H115: a mapping replaces the earlier one", () => {
  const w = new MemoryRig();
  const [first, second] = [w.active("memextent"), w.active("memextent")];
  w.tryMap({ memextent: first });
  assert.equal(w.tryMap({ memextent: second }), "OK");
  assert.equal(w.at(FREE_IPA), w.get<Memextent>(second).base);
});

Deno.test("H116: unmapping leaves pages that map to something else by now", () => {
  const w = new MemoryRig();
  const [first, second] = [w.active("memextent"), w.active("memextent")];
  w.tryMap({ memextent: first });
  w.tryMap({ memextent: second, vbase: FREE_IPA + PAGE });
  assert.equal(w.error("addrspace_unmap", { addrspace: w.space, memextent: first, vbase: FREE_IPA }), "OK");
  assert.deepEqual([w.at(FREE_IPA), w.at(FREE_IPA + PAGE)], [undefined, w.get<Memextent>(second).base]);
});

Deno.test("H117: addrspace_lookup gives offset, contiguous size and attributes", () => {
  const w = new MemoryRig();
  const memextent = mapped(w);
  const look = (vbase: bigint, size: bigint) => w.ok("addrspace_lookup", { addrspace: w.space, memextent, vbase, size }).slice(0, 3);
  assert.deepEqual(look(FREE_IPA, 0x1_0000n), [0n, 0x1_0000n, RW_NORMAL]);
  assert.deepEqual(look(FREE_IPA + PAGE, 0x10_0000n), [PAGE, 0xf000n, RW_NORMAL], "up to the end of the mapping");
});

Deno.test("H118: addrspace_lookup of somebody else's memory gives MEMDB_NOT_OWNER", () => {
  const w = new Rig();
  mapped(w);
  const args = { addrspace: w.space, memextent: w.active("memextent"), vbase: FREE_IPA, size: PAGE };
  assert.equal(w.error("addrspace_lookup", args), "MEMDB_NOT_OWNER");
});

const vmmio = (w: Rig, vbase: bigint, size: bigint, op = 0n) =>
  w.error("addrspace_configure_vmmio", { addrspace: w.space, vbase, size, op });

Deno.test("H119: VMMIO ranges have a size, do not overlap, and are at most 128", () => {
  const w = new Rig();
  assert.equal(vmmio(w, 0n, 0n), "ARGUMENT_SIZE");
  for (let range = 0n; range < 128n; range++) assert.equal(vmmio(w, 0x1000_0000n + range * PAGE, PAGE), "OK");
  assert.equal(vmmio(w, 0x2000_0000n, PAGE), "NORESOURCES");
  assert.equal(vmmio(w, 0x1000_0000n, PAGE, 1n), "OK");
  assert.equal(vmmio(w, 0x1000_1800n, PAGE), "BUSY");
});

Deno.test("H120: VMMIO ranges are added and removed, nothing else", () => {
  assert.equal(vmmio(new Rig(), 0n, PAGE, 4n), "UNIMPLEMENTED");
});

Deno.test("H121: a vdevice needs a free range, a free frame and an active vCPU", () => {
  const w = new Rig();
  const attach = (index: bigint, vbase: bigint) =>
    w.error("addrspace_attach_vdevice", { addrspace: w.space, vdevice: w.vic, index, vbase, size: 0x2_0000n, flags: 0n });
  assert.equal(attach(1n, 0x1000_0000n), "OK");
  assert.equal(attach(0n, 0x1001_0000n), "BUSY", "the range");
  assert.equal(attach(1n, 0x2000_0000n), "BUSY", "the frame");
  assert.equal(attach(4n, 0x2000_0000n), "IDLE", "no such vCPU is active");
});

Deno.test("H122: extents have a size and are whole pages", () => {
  const w = new Rig();
  const configure = (phys_base: bigint, size: bigint) =>
    w.error("memextent_configure", { memextent: w.fresh("memextent"), phys_base, size, attributes: BigInt(RWX_BASIC) });
  assert.equal(configure(0x4000_0000n, 0n), "ARGUMENT_INVALID");
  assert.equal(configure(0x4000_0008n, PAGE), "ARGUMENT_ALIGNMENT");
  assert.equal(configure(0x4000_0000n, 8n), "ARGUMENT_ALIGNMENT");
});

Deno.test("H123: extents with append, without access, with access 3 or CACHED are refused", () => {
  const w = new Rig();
  for (const attributes of [0x8000_0007n, 0n, 3n, 0x307n]) {
    const args = { memextent: w.fresh("memextent"), phys_base: 0x4000_0000n, size: PAGE, attributes };
    assert.equal(w.error("memextent_configure", args), "ARGUMENT_INVALID", attributes.toString(16));
  }
});

Deno.test("H124: a page is one BASIC extent's", () => {
  const w = new Rig();
  const base = BigInt(w.take(4096));
  const activate = () => {
    const cap = w.fresh("memextent");
    w.ok("memextent_configure", { memextent: cap, phys_base: base, size: PAGE, attributes: BigInt(RWX_BASIC) });
    return w.error("object_activate", { cap });
  };
  assert.deepEqual([activate(), activate()], ["OK", "MEMDB_NOT_OWNER"]);
});

Deno.test("H125: a child allows no more than its parent and lies inside it", () => {
  const w = new Rig();
  const parent_memextent = w.cap(w.extent(w.take(4096), 4096, ExtentType.Basic, Access.RW));
  const derive = (offset: bigint, access: number) =>
    w.error("memextent_configure_derive", {
      memextent: w.fresh("memextent"),
      parent_memextent,
      offset,
      size: PAGE,
      attributes: BigInt(memextentAttributes(access, 0, ExtentType.Basic)),
    });
  assert.deepEqual([derive(0n, Access.RWX), derive(PAGE, Access.RW), derive(0n, Access.RW)], ["ARGUMENT_INVALID", "ADDR_INVALID", "OK"]);
});

Deno.test("H126: a BASIC child takes its pages and its parent's mappings, with less access", () => {
  const w = new MemoryRig();
  const parent = w.get<Memextent>(mapped(w));
  const child = w.object("memextent");
  child.configureDerive(parent, PAGE, PAGE, memextentAttributes(Access.R, 0, ExtentType.Basic));
  w.ok("object_activate", { cap: w.cap(child) });
  assert.deepEqual([...child.ownedRuns()], [{ pa: parent.base + 4096, size: 4096 }]);
  assert.ok(![...parent.ownedRuns()].some(({ pa, size }) => pa <= child.base && child.base < pa + size), "the parent's no more");
  const { stage2 } = w.get<AddressSpace>(w.space);
  assert.deepEqual([stage2.lookup(Number(FREE_IPA))!.flags & 3, stage2.lookup(Number(FREE_IPA + PAGE))!.flags & 3], [3, 1]);
});

Deno.test("H127: with a child's last capability its pages and mappings are the parent's again", () => {
  const w = new MemoryRig();
  const parent = w.get<Memextent>(mapped(w));
  const entries = () => [...w.get<AddressSpace>(w.space).stage2.entries()];
  const before = entries();
  const child = w.cap(w.child(parent, ExtentType.Basic, 4096, 4096));
  w.ok("memextent_modify", { memextent: child, flags: BigInt(ModifyOperation.UnmapAll) });
  assert.equal(w.at(FREE_IPA + PAGE), undefined);
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: child });
  assert.deepEqual(entries(), before);
  assert.deepEqual([...parent.ownedRuns()], [{ pa: parent.base, size: parent.extentSize }]);
});

Deno.test("H128: memextent_donate is call 0x61, and its options come first", () => {
  assert.equal(HYPERCALLS.memextent_donate.number, 0x61);
  const w = new Rig();
  const { options, from, to, offset, size } = RECIPES.memextent_donate(w);
  assert.equal(w.hvc(0x6061, options, from, to, offset, size, 0n)[0], 0n);
});

Deno.test("H129: pages come to SPARSE children only, and from who owns them", () => {
  const w = new MemoryRig();
  const parent = w.sparse();
  const child = w.child(parent, ExtentType.Sparse);
  const basic = w.child(parent, ExtentType.Basic, 0, 4096);
  assert.equal(w.donate(DonateType.ToChild, parent, basic, 0n, PAGE), "MEMEXTENT_TYPE");
  assert.equal(w.donate(DonateType.ToChild, parent, child, 0n, 2n * PAGE), "MEMDB_NOT_OWNER");
});

Deno.test("H130: donated pages appear where the receiver is mapped and vanish where the giver is", () => {
  const w = new MemoryRig();
  const parent = w.sparse();
  const child = w.child(parent, ExtentType.Sparse);
  w.map(parent, FREE_IPA);
  w.map(child, FREE_IPA + 0x10_0000n);
  assert.equal(w.donate(DonateType.ToChild, parent, child, 0n, PAGE), "OK");
  assert.deepEqual([w.at(FREE_IPA), w.at(FREE_IPA + 0x10_0000n)], [undefined, parent.base]);
  assert.equal(w.donate(DonateType.ToParent, child, parent, 0n, PAGE), "OK");
  assert.deepEqual([w.at(FREE_IPA), w.at(FREE_IPA + 0x10_0000n)], [parent.base, undefined]);
});

Deno.test("H131: ZERO_RANGE needs NO_SYNC, SYNC_ALL its absence", () => {
  const w = new Rig();
  const modify = (operation: number, noSync: boolean) =>
    w.error("memextent_modify", {
      memextent: w.active("memextent"),
      flags: BigInt((operation | (noSync ? ModifyFlags.NoSync : 0)) >>> 0),
      offset: 0n,
      size: PAGE,
    });
  const { ZeroRange, SyncAll } = ModifyOperation;
  assert.deepEqual([modify(ZeroRange, false), modify(ZeroRange, true)], ["ARGUMENT_INVALID", "OK"]);
  assert.deepEqual([modify(SyncAll, true), modify(SyncAll, false)], ["ARGUMENT_INVALID", "OK"]);
});

Deno.test("H132: ZERO_RANGE zeroes the pages that the extent owns, and no others", () => {
  const w = new Rig();
  const parent = w.get<Memextent>(w.active("memextent"));
  w.child(parent, ExtentType.Basic, 4096, 4096);
  const { ram } = w.hypervisor.machine;
  ram.write(parent.base, new Uint8Array(3 * 4096).fill(9));
  const flags = BigInt((ModifyOperation.ZeroRange | ModifyFlags.NoSync) >>> 0);
  w.ok("memextent_modify", { memextent: w.cap(parent), flags, offset: 0n, size: 3n * PAGE });
  assert.deepEqual([0, 4096, 8192].map((offset) => ram.bytes(parent.base + offset, 1)[0]), [0, 9, 0]);
});
