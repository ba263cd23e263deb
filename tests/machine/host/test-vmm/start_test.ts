// gunyah-test-vmm's groups: START, the first read, repeats, boot registers, and where a devicetree
// may lie.

import assert from "node:assert/strict";
import { GH, MapFlagsV17, RUN_MMIO } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { BASE, DEVICETREE, DEVICETREE_SIZE, HoldingCell, RWX } from "./holding-cell.ts";
import { guestTree } from "../../resource-manager/machine.ts";

const { Read, Write } = MapFlagsV17;
/** Separate memory for a devicetree. */
const OWN = 0xa000_0000;

Deno.test("a cell starts, and its first exit is a load at 0x6000", () => {
  const cell = new HoldingCell();
  assert.equal(cell.start(), 0);
  const [{ fd, page }] = cell.vcpus;
  assert.equal(cell.vmm.ioctl(fd, GH.RUN), 0);
  const { phys_addr, len, is_write } = RUN_MMIO.decode(cell.vmm.read(page, RUN_MMIO.size));
  assert.deepEqual([phys_addr, len, is_write], [0x6000n, 8, 0]);
});

Deno.test("a cell does what it is told, a hundred times", () => {
  const cell = new HoldingCell();
  assert.equal(cell.start(), 0);
  for (let turn = 0n; turn < 100n; turn++) {
    assert.equal(cell.nothing(), 0n);
    assert.equal(cell.loopback(0x1234_5678n + turn), 0x1234_5678n + turn);
  }
  assert.equal(cell.read(BASE), 0xd28e_0015_d28c_0014n, "its own first instructions");
});

Deno.test("boot registers: X0 to X31 and one PC are taken, X32 and a second PC are not", () => {
  const cell = new HoldingCell();
  for (let index = 0; index < 32; index++) assert.equal(cell.setRegister(index, BigInt(index)), 0);
  for (const wrong of [32, 0x101]) cell.vmm.refused(cell.setRegister(wrong, 0n), "EINVAL", /X0\.\.X31/);
  cell.vmm.refused(cell.start(), "EINVAL", /no such register/);
  // There is no X31: its value is the driver's to take, and not the Resource Manager's.
  const other = new HoldingCell({ stack: cell.stack });
  for (let index = 0; index < 31; index++) assert.equal(other.setRegister(index, BigInt(index)), 0);
  assert.equal(other.start(), 0);
  assert.equal(other.nothing(), 0n, "the cell begins at the PC that was set");
});

/** A cell whose devicetree is in separate memory. */
function apart(address: number, rights: number): HoldingCell {
  const cell = new HoldingCell();
  const memory = cell.createMemory(address, DEVICETREE_SIZE);
  cell.load(memory, [[0, guestTree("cell", [])]]);
  assert.equal(cell.map(memory, { rights }), 0);
  assert.equal(cell.vmm.setDevicetree(cell.vm, address, DEVICETREE_SIZE), 0);
  return cell;
}

Deno.test("a devicetree in memory of its own starts, one where the VM has no memory makes START fail", () => {
  assert.equal(apart(OWN, RWX).start(), 0);
  assert.ok(apart(0x8_0000, Read | Write).start() < 0);
});

Deno.test("a devicetree that the host has mapped makes START fail", () => {
  const cell = new HoldingCell();
  cell.mapped(cell.memory, () => cell.vmm.refused(cell.start(), "EPERM", /munmap them before START/));
  const other = new HoldingCell();
  assert.deepEqual([other.start(), other.read(DEVICETREE) & 0xffff_ffffn], [0, 0xedfe_0dd0n]);
});

Deno.test("a VM whose memory is shared starts", () => {
  const cell = new HoldingCell({ access: MapFlagsV17.Share });
  assert.equal(cell.start(), 0, cell.stack.lastRule()?.rule);
});
