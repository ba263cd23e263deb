// Tarmac lines: what is written is read again, and lines of other producers are read.

import assert from "node:assert/strict";
import { readTarmac, tarmacLine, type TarmacRecord } from "../../../src/kit/formats/tarmac.ts";

const RECORDS: readonly TarmacRecord[] = [
  { kind: "instruction", va: 0xffff_8000_0001_0000n, pa: 0x4001_0000n, word: 0xd503201f, mode: "EL1h", text: "nop" },
  { kind: "register", name: "X30", value: 0xffff_ffff_ffff_ffffn, bits: 64 },
  { kind: "register", name: "cpsr", value: 0x6000_03c5n, bits: 32 },
  { kind: "register", name: "V7", value: (1n << 127n) | 5n, bits: 128 },
  { kind: "memory", isWrite: true, size: 4, va: 0x4000n, pa: 0x4000_4000n, value: 0xfffn },
  { kind: "memory", isWrite: false, size: 16, va: 0x4000n, pa: 0x4000_4000n, value: (7n << 64n) | 9n },
  { kind: "memory", isWrite: true, size: 1, va: 0x900_0000n, pa: undefined, value: undefined },
  { kind: "exception", pc: 0x4000_0280n, number: 0x280, name: "CURRENT_SPX_IRQ" },
];

Deno.test("a line has what its record has", () => {
  for (const record of RECORDS) {
    const mode = record.kind === "instruction" ? { mode: `${record.mode}_n` } : {};
    assert.deepEqual(readTarmac(tarmacLine(record, 1234, "cpu0", 7).trimEnd()), {
      time: 1234,
      cpu: "cpu0",
      record: { ...record, ...mode },
    });
  }
  assert.equal(tarmacLine(RECORDS[0], 12.4, "cpu1", 7), "12 ns cpu1 IT (7) ffff800000010000:000040010000_NS d503201f O EL1h_n : nop\n");
  assert.equal(tarmacLine(RECORDS[5], 1, "cpu0", 7), "1 ns cpu0 MR16 0000000000004000:000040004000_NS 0000000000000007 0000000000000009\n");
});

Deno.test("lines of other producers are read, and what is none of the four records is not", () => {
  const read = (line: string) => readTarmac(line)?.record;
  assert.deepEqual(read("5 clk IT (5) 00008000 e1a00000 O EL3h_s : NOP"), {
    ...{ kind: "instruction", va: 0x8000n, pa: undefined, word: 0xe1a00000, mode: "EL3h_s", text: "NOP" },
  });
  assert.deepEqual(read("17 cs ES  (0000000000008004:d503201f) O el1h_ns :  NOP"), {
    ...{ kind: "instruction", va: 0x8004n, word: 0xd503201f, mode: "el1h_ns", text: "NOP" },
  });
  assert.deepEqual(readTarmac("R X1 00000000_00000010"), {
    ...{ time: undefined, cpu: undefined, record: { kind: "register", name: "X1", value: 16n, bits: 64 } },
  });
  assert.deepEqual(read("9 tic MW8 ffff000008081ff8:000080081ff8_NS 00000000_00000001"), {
    ...{ kind: "memory", isWrite: true, size: 8, va: 0xffff000008081ff8n, pa: 0x80081ff8n, value: 1n },
  });
  assert.deepEqual(readTarmac("9 ps cpu2 MR4X 00008000 0000000f")?.cpu, "cpu2");
  for (
    const line of [
      "",
      "Tarmac Text Rev 3t",
      "1 clk TTW DTLB LPAE 1:0 000000 : 0",
      "1 clk IT",
      "1 clk R X0",
      "1 clk MW4 zz 0",
      "R".repeat(9999),
    ]
  ) {
    assert.equal(readTarmac(line), undefined, line.slice(0, 40));
  }
});
