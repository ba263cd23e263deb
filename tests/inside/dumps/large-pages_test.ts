// A dump of a kernel that is mapped by pages of 64 KiB, which no Debian has: the memory of one with
// pages of 4 KiB that QEMU has run, whose tables are written anew, without scattered small pages.
// EL2_LONG.

import assert from "node:assert/strict";
import { field } from "../../../src/kit/support/values/bits.ts";
import { KiB, MiB } from "../../../src/kit/support/values/sizes.ts";
import { leavesOf, outputOf, type Tables } from "../../../src/kit/formats/page-tables.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import { longTest } from "../../support/long.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { dumpOf, opened, RAM } from "./foreign.ts";
import { dumpsOf, Qemu } from "./qemu.ts";

/** Bits of an offset in a page, and of the index of a table. */
const PAGE_BITS = 16, INDEX_BITS = 13, SIZE = 64 * KiB, SMALL = 4 * KiB;
/** The first table has entries for 48 bits of addresses. */
const ROOT_ENTRIES = 64;
/** The lowest address of 48 bits in the upper half; what all of memory is mapped at is below it. */
const LOWEST = (1n << 64n) - (1n << 48n);
const LOG = { table: "linux.log", args: { vm: "vm:dump" } } as const;
/** A descriptor's type and address; the contiguous bit says that its neighbors are as it is. */
const TABLE = 3n, PAGE = 3n, ADDRESS = 0x0000_ffff_ffff_f000n, CONTIGUOUS = 1n << 52n;

/** Tables with pages of 64 KiB, written from a place on. */
class LargeTables {
  readonly bytes = new Uint8Array(4 * MiB);
  readonly #view = new DataView(this.bytes.buffer);
  #used = SIZE;

  /** @param at its first table, which is the last one's place here */
  constructor(readonly at: number) {}

  map(address: bigint, descriptor: bigint): void {
    let table = 0;
    for (let shift = PAGE_BITS + 2 * INDEX_BITS; shift > PAGE_BITS; shift -= INDEX_BITS) {
      const entry = table + 8 * field(address, shift, shift === PAGE_BITS + 2 * INDEX_BITS ? 6 : INDEX_BITS);
      if (this.#view.getBigUint64(entry, true) === 0n) {
        assert.ok(this.#used + SIZE <= this.bytes.length, "there is room for a table");
        this.#view.setBigUint64(entry, BigInt(this.at + this.#used) | TABLE, true);
        this.#used += SIZE;
      }
      table = Number(this.#view.getBigUint64(entry, true) & ADDRESS) - this.at;
    }
    this.#view.setBigUint64(table + 8 * field(address, PAGE_BITS, INDEX_BITS), descriptor, true);
  }
}

/** The first pages of 64 KiB that small ones map one after another, with what the first maps. */
function largePages(tables: Tables, raw: Uint8Array): Map<bigint, bigint> {
  const view = new DataView(raw.buffer, raw.byteOffset), isRam = (at: number) => at >= RAM && at + 8 <= RAM + raw.length;
  const parts = new Map<bigint, { readonly descriptor: bigint; size: number }>();
  for (const { address, leaf } of leavesOf(tables, (at) => isRam(at) ? view.getBigUint64(at - RAM, true) : undefined)) {
    for (let inside = 0; inside < 2 ** leaf.shift; inside += leaf.shift > PAGE_BITS ? SIZE : SMALL) {
      const at = address + BigInt(inside), page = at - at % BigInt(SIZE), output = outputOf(leaf, at) - Number(at - page);
      if (!isRam(output) || output % SIZE) continue;
      const descriptor = (leaf.value ?? 0n) & ~ADDRESS & ~CONTIGUOUS & ~3n | BigInt(output) | PAGE, before = parts.get(page);
      const size = leaf.shift > PAGE_BITS ? SIZE : SMALL;
      if (!before) parts.set(page, { descriptor, size });
      else if ((before.descriptor & ADDRESS) === (descriptor & ADDRESS)) before.size += size;
    }
  }
  return new Map([...parts].flatMap(([page, { descriptor, size }]) => size === SIZE ? [[page, descriptor]] : []));
}

longTest("a kernel that is mapped by pages of 64 KiB is found in raw memory, and its log is there", () =>
  inFolder(async (folder) => {
    const { folder: guest } = await catalogEntry("debian-sid");
    await using qemu = await Qemu.started(`${guest}/Image`, `${guest}/initrd`, folder);
    await qemu.until(/EL2-READY[^]*# /);
    const raw = await Deno.readFile((await dumpsOf(qemu, folder)).raw), small = opened(dumpOf(raw, RAM)), { system } = small;
    const log = ({ rows }: Answer) => rows.map(({ text }) => text), whole = log(small.answer(LOG));
    const root = Number(system.registers("TTBR1_EL1")), large = new LargeTables(RAM + raw.length + MiB);
    for (const [address, descriptor] of largePages(system.tables ?? assert.fail(), raw)) {
      if (address >= LOWEST) large.map(address, descriptor);
    }
    raw.fill(0, root - RAM, root - RAM + SMALL);
    raw.set(large.bytes.subarray(0, 8 * ROOT_ENTRIES), root - RAM);
    const inspector = opened(dumpOf(raw, RAM), dumpOf(large.bytes, large.at));
    assert.deepEqual([inspector.system.tables?.granule, inspector.system.tables?.bits], [PAGE_BITS, 48]);
    assert.ok(whole.length > 100);
    assert.deepEqual(log(inspector.answer(LOG)), whole);
  }));
