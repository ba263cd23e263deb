// The 1 GiB blocks that the recorded build keeps: what makes one, what stays in it, what splits it.

import assert from "node:assert/strict";
import { asIpa, asPa } from "../../../../src/machine/abi/numbers.ts";
import { Access } from "../../../../src/machine/abi/words.ts";
import { ObjectArchive } from "../../../../src/machine/hypervisor/archive/archive.ts";
import { Checker } from "../../../../src/machine/hypervisor/check/check.ts";
import { archiveHypervisor } from "../../../../src/machine/hypervisor/hypervisor-archive.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { KeptBlocks } from "../../../../src/machine/hypervisor/memory/kept-blocks.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { GiB } from "../../../../src/kit/support/values/sizes.ts";
import { createTestHypervisor, PARTIAL, RW_NORMAL, RWX_NORMAL, TestGuest } from "../fixture.ts";
import { checkInvariants } from "../invariants.ts";
import { lookup, PAGE, rootExtent, SPARSE, TO_CHILD, TO_SIBLING } from "./memory-fixture.ts";

const AT = asIpa(2 * GiB), PA = asPa(GiB);
const later = (offset: number) => [asIpa(AT + offset), asPa(PA + offset)] as const;

/** Offsets and sizes of what leaves. */
function taken(blocks: KeptBlocks, offset: number, size: number): number[][] {
  return [...blocks.takeOut(...later(offset), size)].map((part) => [part.ipa - AT, part.size]);
}

Deno.test("a gibibyte that is entered at once is a block, if its IPAs and physical addresses are aligned", () => {
  for (const [ipa, pa, size] of [[0, 0, GiB - PAGE], [PAGE, PAGE, GiB], [0, PAGE, GiB], [PAGE, 0, 2 * GiB]]) {
    const blocks = new KeptBlocks();
    assert.deepEqual(blocks.enter(asIpa(AT + ipa), asPa(PA + pa), size), []);
    assert.deepEqual(taken(blocks, PAGE, PAGE), [[PAGE, PAGE]]);
  }
  const blocks = new KeptBlocks();
  assert.deepEqual(blocks.enter(asIpa(AT - PAGE), asPa(PA - PAGE), 2 * GiB + PAGE), [AT, AT + GiB]);
  assert.deepEqual(blocks.enter(AT, PA, GiB), [], "it is one already");
});

Deno.test("what is taken out after the first page of a block stays, and the first page splits it", () => {
  const blocks = new KeptBlocks();
  blocks.enter(AT, PA, 2 * GiB);
  assert.deepEqual(taken(blocks, PAGE, PAGE), []);
  assert.deepEqual(taken(blocks, GiB - PAGE, 2 * PAGE), [[GiB, PAGE]], "the second block begins in the range");
  assert.deepEqual(taken(blocks, GiB + PAGE, PAGE), [[GiB + PAGE, PAGE]], "which has split it");
  assert.deepEqual(taken(blocks, PAGE, PAGE), []);
  assert.deepEqual([...blocks.takeOut(AT, asPa(PA + PAGE), PAGE)].length, 1);
  assert.deepEqual(taken(blocks, PAGE, PAGE), [], "a range of other pages does not split it");
  blocks.enter(...later(PAGE), PAGE);
  assert.deepEqual(taken(blocks, 2 * PAGE, PAGE), [[2 * PAGE, PAGE]], "pages that are entered do");
});

Deno.test("blocks are saved and loaded, and a file with wrong ones is refused", () => {
  const blocks = new KeptBlocks();
  blocks.enter(AT, PA, 2 * GiB);
  blocks.enter(...later(GiB), PAGE);
  const archive = new ObjectArchive();
  blocks.archive(archive, 2 ** 36);
  const loaded = new KeptBlocks();
  loaded.archive(new ObjectArchive(archive.saved), 2 ** 36);
  assert.deepEqual(loaded, blocks);
  assert.deepEqual([taken(loaded, PAGE, PAGE).length, taken(loaded, GiB + PAGE, PAGE).length], [0, 1]);
  assert.ok(loaded.explains(...later(GiB + PAGE)) && !loaded.explains(AT, asPa(PA + PAGE)));
  assert.throws(() => new KeptBlocks().archive(new ObjectArchive(archive.saved), 2 * GiB), /ipa/);
});

function hypervisorWith(quirks: Behaviour["quirks"]): Hypervisor {
  const { machine, options } = createTestHypervisor(1, GiB);
  return new Hypervisor(machine, { ...options, behaviour: { quirks } });
}

/** A host with 1 GiB, and a parcel to which it can donate. */
function hostWith(quirks: Behaviour["quirks"]) {
  const hypervisor = hypervisorWith(quirks);
  const guest = new TestGuest(hypervisor);
  const root = rootExtent(guest, GiB);
  const [memory, parcel] = [0, 1].map(() => guest.derive(root, 0, 2 ** 44, Access.RWX, SPARSE));
  const before = { tables: hypervisor.options.stage2.available, heap: hypervisor.rootPartition.heapUsed };
  const host = guest.addrspace(3);
  guest.ok("memextent_donate", TO_CHILD, root, memory, BigInt(RAM_BASE), BigInt(GiB));
  guest.ok("addrspace_map", host, memory, BigInt(RAM_BASE), RWX_NORMAL, PARTIAL, BigInt(RAM_BASE), BigInt(GiB));
  const donate = (page: number) => {
    guest.ok("memextent_donate", TO_SIBLING, memory, parcel, BigInt(RAM_BASE + page * PAGE), BigInt(PAGE));
    checkInvariants(hypervisor);
    return lookup(guest, host, BigInt(RAM_BASE + page * PAGE)) !== undefined;
  };
  return { hypervisor, guest, host, memory, parcel, donate, before };
}

Deno.test("a host keeps its access to what it donates out of a 1 GiB block with quirks as observed alone", () => {
  for (const quirks of ["fixed", "as-observed"] as const) {
    const { guest, host, memory, parcel, donate } = hostWith(quirks);
    assert.equal(donate(5), quirks === "as-observed");
    // A parcel that is mapped in the host, as a share is, splits the block.
    guest.ok("addrspace_map", host, parcel, BigInt(RAM_BASE + 6 * PAGE), RW_NORMAL, PARTIAL, BigInt(RAM_BASE + 6 * PAGE), BigInt(PAGE));
    assert.equal(donate(6), true);
    assert.equal(donate(7), false);
    assert.equal(lookup(guest, host, BigInt(RAM_BASE + 5 * PAGE)) !== undefined, quirks === "as-observed", "the split leaves it");
    guest.ok("memextent_donate", TO_SIBLING, parcel, memory, BigInt(RAM_BASE + 5 * PAGE), BigInt(PAGE));
    assert.equal(donate(5), false);
  }
});

Deno.test("the first page of a block leaves, and with it the block", () => {
  const { donate } = hostWith("as-observed");
  assert.equal(donate(0), false);
  assert.equal(donate(5), false);
});

Deno.test("the checker accepts what a block has left, and no other page that nobody has recorded", () => {
  const { hypervisor, donate } = hostWith("as-observed");
  const { stage2 } = hypervisor.addressSpaces.get(3)!;
  assert.equal(donate(5), true);
  const { pa, flags } = stage2.lookup(RAM_BASE + 5 * PAGE)!;
  assert.ok(stage2.map(RAM_BASE + 8 * PAGE, pa, PAGE, flags));
  assert.deepEqual(new Checker(hypervisor).sweep().map(({ rule }) => rule), ["a mapped page agrees with its owner's mappings"]);
});

Deno.test("pages that a block has left keep their tables, and give them back with the address space", () => {
  const { hypervisor, guest, host, memory, donate, before } = hostWith("as-observed");
  assert.equal(donate(5), true);
  guest.ok("addrspace_unmap", host, memory, BigInt(RAM_BASE + PAGE), PARTIAL, BigInt(RAM_BASE + PAGE), BigInt(GiB - PAGE));
  assert.ok(lookup(guest, host, BigInt(RAM_BASE + GiB - PAGE)), "unmapping leaves the block, too");
  guest.ok("addrspace_unmap", host, memory, BigInt(RAM_BASE), PARTIAL, BigInt(RAM_BASE), BigInt(PAGE));
  assert.equal(lookup(guest, host, BigInt(RAM_BASE)), undefined);
  assert.ok(lookup(guest, host, BigInt(RAM_BASE + PAGE)));
  checkInvariants(hypervisor);
  guest.ok("cspace_delete_cap_from", 0n, host);
  const { rootPartition: { heapUsed: heap }, options: { stage2: { available: tables } } } = hypervisor;
  assert.deepEqual({ tables, heap }, before);
  checkInvariants(hypervisor);
});

Deno.test("a saved machine has its blocks and what they have left", () => {
  const { hypervisor, donate } = hostWith("as-observed");
  assert.equal(donate(5), true);
  const archive = new ObjectArchive();
  archiveHypervisor(hypervisor, archive);
  const loaded = hypervisorWith("as-observed");
  archiveHypervisor(loaded, new ObjectArchive(archive.saved));
  checkInvariants(loaded);
  const again = new ObjectArchive();
  archiveHypervisor(loaded, again);
  assert.deepEqual(again.saved, archive.saved);
  const space = loaded.addressSpaces.get(3)!;
  space.uninstall(asIpa(RAM_BASE + 7 * PAGE), asPa(RAM_BASE + 7 * PAGE), PAGE);
  for (const page of [5, 7]) assert.ok(space.stage2.lookup(RAM_BASE + page * PAGE));
});
