// gunyah-test-vmm's groups: what host and guest see of lent and shared memory, and bindings.

import assert from "node:assert/strict";
import { Errno } from "../../../../src/machine/abi/ioctl/errno.ts";
import { MapFlagsV17 } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { type CellMemory, HoldingCell, Lend, Share } from "./holding-cell.ts";

const { Read, Write, Unmap } = MapFlagsV17;
const RW = Read | Write;
/**
 * Addresses of additional memory. gunyah-test-vmm shares it at the addresses of devices:
 * docs/differences.md.
 */
const LENT = 0xa000_0000, SHARED = 0xb000_0000;
const PAGE = 0x1000;
const MAGIC = 0xdead_f00dn;
const SIGBUS = { signal: 7 };

/** A cell with at least one additional page. */
function withMemory(access: number, pages = 1): { cell: HoldingCell; memory: CellMemory } {
  const cell = new HoldingCell();
  const memory = cell.createMemory(access === Share ? SHARED : LENT, pages * PAGE);
  assert.equal(cell.map(memory, { access, rights: RW }), 0);
  return { cell, memory };
}

Deno.test("the guest reads what the host has written before START; of lent memory the host then sees nothing", () => {
  for (const access of [Lend, Share]) {
    const { cell, memory } = withMemory(access);
    assert.ok(cell.hostWrite(memory, 0xf00dn));
    assert.equal(cell.hostRead(memory), 0xf00dn);
    assert.equal(cell.start(), 0, cell.stack.lastRule()?.rule);
    assert.equal(cell.read(memory.address), 0xf00dn);
    assert.deepEqual(cell.hostRead(memory), access === Lend ? SIGBUS : 0xf00dn);
  }
});

Deno.test("the host reads what the guest writes into shared memory, and nothing of lent memory", () => {
  for (const access of [Lend, Share]) {
    const { cell, memory } = withMemory(access);
    assert.equal(cell.start(), 0);
    assert.equal(cell.write(memory.address, MAGIC), 0n);
    assert.deepEqual(cell.hostRead(memory), access === Lend ? SIGBUS : MAGIC);
    assert.equal(cell.read(memory.address), MAGIC);
  }
});

Deno.test("shared memory is coherent both ways", () => {
  const { cell, memory } = withMemory(Share);
  assert.equal(cell.start(), 0);
  for (const value of [0xf00d_deadn, 0xa5a5_a5a5n]) {
    assert.equal(cell.write(memory.address, value), 0n);
    assert.deepEqual([cell.hostRead(memory), cell.read(memory.address)], [value, value]);
    assert.ok(cell.hostWrite(memory, value + 1n));
    assert.deepEqual([cell.hostRead(memory), cell.read(memory.address)], [value + 1n, value + 1n]);
  }
});

Deno.test("stores at any offset of several pages arrive where they should", () => {
  const pages = 10, stride = 0x600, count = Math.floor(pages * PAGE / stride);
  const { cell, memory } = withMemory(Share, pages);
  assert.equal(cell.start(), 0);
  for (let index = 0; index < count; index++) assert.equal(cell.write(memory.address + index * stride, BigInt(index)), 0n);
  for (let index = 0; index < count; index++) assert.equal(cell.hostRead(memory, index * stride), BigInt(index));
});

Deno.test("lent memory that the host has mapped is not given to the guest that misses it", () => {
  const { cell, memory } = withMemory(Lend);
  assert.ok(cell.hostWrite(memory, MAGIC));
  assert.equal(cell.start(), 0);
  const { exit } = cell.mapped(memory, () => cell.tryRead(memory.address));
  assert.deepEqual(exit, { address: BigInt(memory.address), attempt: -Errno.EPERM });
  assert.equal(cell.outcome(0).result, MAGIC, "without the mapping the next RUN repeats the access, which succeeds");
});

Deno.test("an unmap with another address, other flags or another offset finds nothing, and trims either end", () => {
  const { cell, memory } = withMemory(Lend, 8);
  const unmap = (from: number, size: number, changes: { rights?: number; offset?: number; access?: number } = {}) =>
    cell.map(memory, {
      ...{ access: Lend, rights: RW, flags: Unmap, address: memory.address + from, offset: from, size },
      ...changes,
    });
  cell.vmm.refused(unmap(0x10_0000, PAGE), "ENOENT");
  cell.vmm.refused(unmap(0, PAGE, { rights: Read }), "ENOENT");
  cell.vmm.refused(unmap(0, PAGE, { access: Share }), "ENOENT");
  cell.vmm.refused(unmap(0, PAGE, { offset: PAGE }), "ENOENT");
  assert.deepEqual([unmap(0, PAGE), unmap(7 * PAGE, PAGE)], [0, 0]);
  assert.equal(cell.start(), 0);
  assert.equal(cell.write(memory.address + PAGE, MAGIC), 0n);
  for (const outside of [0, 7 * PAGE]) {
    assert.deepEqual(cell.hostRead(memory, outside), 0n, "what was trimmed is the host's");
  }
  assert.deepEqual(cell.hostRead(memory, PAGE), SIGBUS);
});

Deno.test("a part of a guest memfd is bound once, in this VM or another", () => {
  const { cell, memory } = withMemory(Lend, 2);
  cell.vmm.refused(cell.map(memory, { access: Lend, rights: RW, address: LENT + 0x10_0000 }), "EEXIST", /bound once/);
  const other = new HoldingCell({ stack: cell.stack });
  const descriptors = cell.vmm.kernel((kernel, pid) => kernel.fileOf(pid, memory.fd)!);
  const fd = other.vmm.kernel((kernel, pid) => {
    kernel.holdFile(descriptors);
    kernel.state.processes[pid].descriptors[500] = { file: descriptors.id, closeOnExec: false };
    return 500;
  });
  other.vmm.refused(other.map({ ...memory, fd }, { access: Lend, rights: RW }), "EEXIST", /bound once/);
});
