// gunyah-test-vmm's groups: ioeventfds.

import assert from "node:assert/strict";
import { FN_IOEVENTFD_ARG, FunctionType } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { HoldingCell } from "./holding-cell.ts";

const ADDRESS = 0x6_0000n;

function started(): HoldingCell {
  const cell = new HoldingCell();
  assert.equal(cell.start(), 0);
  return cell;
}

Deno.test("a store to the address of an ioeventfd signals it, and does not leave RUN", () => {
  const cell = started();
  const { result, counter } = cell.addIoeventfd(ADDRESS);
  assert.equal(result, 0);
  assert.equal(cell.write(ADDRESS, 0xdeadn), 0n);
  assert.equal(counter(), 1n);
});

Deno.test("an ioeventfd with datamatch takes that value; others leave RUN with their data", () => {
  for (const other of [0n, 0xf00dn]) {
    const cell = started();
    const { counter } = cell.addIoeventfd(ADDRESS, 0xdeadn);
    assert.equal(cell.write(ADDRESS, 0xdeadn), 0n);
    assert.equal(counter(), 1n);
    assert.deepEqual(cell.tryWrite(ADDRESS, other).exit, { address: ADDRESS, write: true, data: other });
    assert.equal(counter(), 0);
  }
});

Deno.test("ioeventfds at several addresses, and several values at one, each have their own eventfd", () => {
  const cell = started();
  const values = [0x6_0000n, 0x6_0008n, 0x6_0010n];
  const byAddress = values.map((address) => cell.addIoeventfd(address));
  const byValue = values.map((value) => cell.addIoeventfd(0x7_0000n, value));
  assert.ok([...byAddress, ...byValue].every(({ result }) => result === 0));
  values.forEach((value, index) => {
    assert.equal(cell.write(value, 0n), 0n);
    assert.equal(cell.write(0x7_0000n, value), 0n);
    assert.deepEqual(byAddress.map(({ counter }) => counter()), values.map((_, each) => each === index ? 1n : 0));
    assert.deepEqual(byValue.map(({ counter }) => counter()), values.map((_, each) => each === index ? 1n : 0));
  });
});

Deno.test("an ioeventfd is taken away once, and its address leaves RUN then", () => {
  const cell = started();
  cell.addIoeventfd(ADDRESS);
  const remove = () => cell.vmm.remove(cell.vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { addr: ADDRESS, len: 8 });
  assert.equal(remove(), 0);
  cell.vmm.refused(remove(), "ENOENT", /has to match/);
  assert.deepEqual(cell.tryWrite(ADDRESS, 5n).exit, { address: ADDRESS, write: true, data: 5n });
});
