import assert from "node:assert/strict";
import { type FrameState, locate } from "../../../../src/kit/formats/dwarf/expressions.ts";

const FRAME: FrameState = {
  register: (number) => number === 9 ? undefined : BigInt(number) * 0x100n,
  memory: (address, size) => address === 0n ? undefined : BigInt.asUintN(8 * size, address + 1n),
  cfa: 0x8000n,
  frameBase: Uint8Array.of(0x50 + 29),
  addressAt: (index) => 0x1000n + BigInt(index),
  moved: 0n,
};
/** DW_OP_stack_value. */
const VALUE = 0x9f;

const value = (...operations: number[]) => {
  const found = locate(Uint8Array.from([...operations, VALUE]), FRAME);
  return found?.kind === "value" ? found.value : found;
};

Deno.test("operations of DWARF expressions have the results of DWARF 5 section 2.5", () => {
  assert.equal(value(0x08, 0xff), 255n, "const1u");
  assert.equal(value(0x09, 0xff), 2n ** 64n - 1n, "const1s");
  assert.equal(value(0x0b, 0xfe, 0xff), 2n ** 64n - 2n, "const2s");
  assert.equal(value(0x11, 0x7f), 2n ** 64n - 1n, "consts");
  assert.equal(value(0x33, 0x31, 0x1c), 2n, "3 - 1: the upper value is subtracted");
  assert.equal(value(0x11, 0x78, 0x32, 0x1b), 2n ** 64n - 4n, "-8 / 2 is signed");
  assert.equal(value(0x11, 0x7f, 0x31, 0x26), 2n ** 64n - 1n, "-1 >> 1, arithmetic");
  assert.equal(value(0x11, 0x7f, 0x31, 0x25), 2n ** 63n - 1n, "-1 >> 1, logical");
  assert.equal(value(0x31, 0x08, 64, 0x24), 0n, "1 << 64");
  assert.equal(value(0x11, 0x7f, 0x31, 0x2d), 1n, "-1 < 1");
  assert.equal(value(0x11, 0x7b, 0x19), 5n, "abs -5");
  assert.equal(value(0x31, 0x32, 0x33, 0x17, 0x1c), 2n ** 64n - 1n, "rot: 1 2 3 becomes 3 1 2");
  assert.equal(value(0x31, 0x32, 0x14), 1n, "over");
  assert.equal(value(0x31, 0x23, 0x80, 0x01), 129n, "plus_uconst");
  assert.equal(value(0x31, 0x28, 1, 0, 0x37, 0x38), 8n, "bra skips a literal");
  assert.equal(value(0x72, 0x04), 0x204n, "breg2 4");
  assert.equal(value(0x9c, 0x94, 2), 0x8001n, "deref_size 2 at the CFA");
  assert.equal(value(0x91, 0x10), 29n * 0x100n + 16n, "fbreg 16");
  assert.equal(value(0xa1, 0x02), 0x1002n, "addrx 2");
});

Deno.test("a DWARF expression has a place, a register, bytes or pieces; a lost part is undefined", () => {
  assert.deepEqual(locate(Uint8Array.of(0x9c), FRAME), { kind: "memory", address: 0x8000n });
  assert.deepEqual(locate(Uint8Array.of(0x53), FRAME), { kind: "register", register: 3 });
  assert.deepEqual(locate(Uint8Array.of(0x9e, 2, 7, 8), FRAME), { kind: "bytes", bytes: Uint8Array.of(7, 8) });
  assert.deepEqual(locate(Uint8Array.of(0x50, 0x93, 4, 0x79, 0, 0x93, 4), FRAME), {
    kind: "pieces",
    pieces: [{ size: 4, location: { kind: "register", register: 0 } }, { size: 4, location: undefined }],
  });
  assert.equal(value(0x79, 0), undefined, "a register that was overwritten");
  assert.equal(value(0x30, 0x06), undefined, "memory that cannot be read");
  assert.equal(value(0xe0), undefined, "a vendor's operation");
});

Deno.test("a damaged DWARF expression is an error: an empty stack, a division by zero, no end, a branch out of itself", () => {
  for (
    const [operations, error] of [
      [[0x22], /empty stack/],
      [[0x31, 0x30, 0x1b], /divides by zero/],
      [[0x2f, 0xfd, 0xff], /does not end/],
      [[0x2f, 0x10, 0x00], /out of itself/],
      [[0x31, 0x94, 3], /reads 3 bytes/],
      [[0x15, 0x05], /below the stack/],
    ] as const
  ) {
    assert.throws(() => locate(Uint8Array.from(operations), FRAME), error);
  }
});
