// A kernel's symbols where its part of KVM executes at EL2.

import assert from "node:assert/strict";
import { movedTable, movedToEl2 } from "../../../src/inside/symbols/moved-symbols.ts";
import { SymbolTable } from "../../../src/inside/symbols/symbol-table.ts";

const KERNEL = 0xffff_8000_8100_0000n, EL2 = 0x4080_0000n, MOVED = BigInt.asUintN(64, EL2 - KERNEL);
const SYMBOLS = { __kvm_hyp_host_vector: 0x1000, __kvm_hyp_vector: 0x2000, host_exit: 0x3010, el1_sync: 0x4020, el1_irq: 0x4040 };
const kernel = new SymbolTable(
  Object.entries(SYMBOLS).map(([name, at]) => ({
    name: `__kvm_nvhe_${name}`,
    type: "t",
    address: KERNEL + BigInt(at),
  })),
  "kallsyms",
);

/** Vectors at an offset of the kernel that branch to others. */
function vectors(at: number, targets: readonly number[]): DataView {
  const words = new DataView(new ArrayBuffer(0x800));
  for (const [index, target] of targets.entries()) {
    words.setUint32(0x80 * index + 4, 0x1400_0000 | (target - at - 0x80 * index - 4 >> 2) & 0x3ff_ffff, true);
  }
  return words;
}

Deno.test("a kernel's symbols move to EL2 by the vectors there: those of its guests, or of the host", () => {
  const moved = (at: number, targets: readonly number[]) => movedToEl2(kernel, EL2 + BigInt(at), () => vectors(at, targets));
  assert.equal(moved(SYMBOLS.__kvm_hyp_host_vector, [SYMBOLS.host_exit, SYMBOLS.host_exit]), MOVED);
  assert.equal(moved(SYMBOLS.__kvm_hyp_vector, [SYMBOLS.el1_sync, SYMBOLS.el1_irq]), MOVED);
  const table = movedTable(kernel, MOVED);
  assert.equal(table.nameOf(EL2 + 0x4024n), "__kvm_nvhe_el1_sync+0x4");
  assert.equal(table.resolve("__kvm_nvhe_host_exit"), EL2 + 0x3010n);
  assert.equal(table.next(EL2 + 0x4020n), EL2 + 0x4040n);
});

Deno.test("vectors of another program move nothing: they branch elsewhere, nowhere, or cannot be read", () => {
  const at = SYMBOLS.__kvm_hyp_vector, vbar = EL2 + BigInt(at);
  assert.equal(movedToEl2(kernel, vbar, () => vectors(at, [SYMBOLS.el1_sync, SYMBOLS.el1_irq + 4])), undefined);
  assert.equal(movedToEl2(kernel, vbar, () => vectors(at, [])), undefined);
  assert.equal(movedToEl2(kernel, vbar, () => undefined), undefined);
  const other = new SymbolTable([{ name: "vectors", type: "T", address: KERNEL }], "kallsyms");
  assert.equal(movedToEl2(other, vbar, () => vectors(at, [SYMBOLS.el1_sync])), undefined);
});
