// Agent expressions of gdb: values, and expressions that have none.

import assert from "node:assert/strict";
import { agentValue } from "../../../../src/machine/hypervisor/debug/agent-expression.ts";
import { Random } from "../../../support/random.ts";

const READS = {
  register: (number: number) => number < 34 ? BigInt(number) << 32n : undefined,
  memory: (address: bigint, size: number) =>
    address < 0x100n ? Uint8Array.from({ length: size }, (_, at) => Number(address) + at) : undefined,
};
const value = (hex: string) => agentValue(Uint8Array.fromHex(hex.replaceAll(" ", "")), READS);

Deno.test("expressions have the values that gdb's manual gives them", () => {
  const cases: readonly (readonly [code: string, wanted: bigint | undefined])[] = [
    ["22 05 22 03 02 27", 8n],
    ["22 03 22 05 03 27", 0xffff_ffff_ffff_fffen],
    ["22 03 22 05 03 22 02 05 27", 0xffff_ffff_ffff_ffffn], // -2 / 2
    ["22 03 22 05 03 22 02 06 27", 0x7fff_ffff_ffff_ffffn],
    ["22 07 22 00 05 27", undefined],
    ["22 ff 16 08 27", 0xffff_ffff_ffff_ffffn],
    ["23 12 ff 2a 08 27", 0xffn],
    ["22 ff 16 08 22 01 14 27", 1n],
    ["22 ff 16 08 22 01 15 27", 0n],
    ["22 ff 16 08 22 c0 0a 27", 0xffff_ffff_ffff_ffffn],
    ["22 01 22 40 09 27", 0n],
    ["22 10 1a 27", 0x1716_1514_1312_1110n],
    ["22 10 18 27", 0x1110n],
    ["23 ff 00 17 27", undefined],
    ["26 00 03 27", 3n << 32n],
    ["26 00 22 27", undefined],
    // A branch, over a constant or not.
    ["22 00 20 00 07 22 09 22 01 27", 1n],
    ["22 01 20 00 07 22 09 27", undefined],
    ["22 05 20 00 08 22 09 27 22 06 27", 6n],
    ["22 01 22 02 2b 27", 1n],
    ["22 01 22 02 22 03 33 27", 2n], // 3 1 2
    ["22 01 22 02 22 03 33 29 27", 1n],
    ["22 07 22 08 32 01 27", 7n],
    ["22 07 28 04 27", 49n],
    ["22 00 0e 27", 1n],
    ["22 00 12 27", 0xffff_ffff_ffff_ffffn],
    ["24 12 34 56 78 27", 0x1234_5678n],
    ["25 12 34 56 78 9a bc de f0 27", 0x1234_5678_9abc_def0n],
    ["", undefined],
    ["27", undefined],
    ["22", undefined],
    ["0c 27", undefined],
    ["21 00 00", undefined],
    ["22 01 21 00 00", undefined],
  ];
  for (const [code, wanted] of cases) assert.equal(value(code), wanted, code);
});

Deno.test("any bytes are an expression with a value, or without one", () => {
  const random = new Random(7);
  for (let round = 0; round < 20_000; round++) agentValue(random.bytes(random.below(24)), READS);
});
