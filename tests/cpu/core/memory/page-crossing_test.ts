// Accesses of several neighbors over the end of a page whose successor lies elsewhere in RAM:
// every byte is of its own page, in both tiers.

import assert from "node:assert/strict";
import { type CoreOptions, WasmCore } from "../../../../src/cpu/core/core.ts";
import { ExitReason, Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../../../src/cpu/core/state/layout.ts";
import { assemble, type Line } from "../program.ts";

const RAM_BASE = 0x4000_0000;
const RAM_SIZE = 0x10_0000;
const CODE = RAM_BASE + 0x1000;
/** Two neighbors, as the guest sees them, and where they are. */
const FIRST = 0x5000_0000, SECOND = FIRST + 0x1000;
const FIRST_RAM = RAM_BASE + 0x8000, SECOND_RAM = RAM_BASE + 0x3_0000;
const RIGHTS = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1;
const TIERS: readonly (readonly [string, CoreOptions])[] = [
  ["interp", {}],
  ["jit", { tier: "jit", hotness: { samples: 1, landings: 2, slice: 20 } }],
];

/**
 * Loads that begin this many bytes before the page's end, into X or V registers from number 1 on;
 * bytes of each.
 */
const LOADS: readonly [Line, before: number, bank: "X" | "V", count: number, size: number][] = [
  [["ldp x1, x2, [x20]", 0xa9400a81], 8, "X", 2, 8],
  [["ldp w1, w2, [x20]", 0x29400a81], 4, "X", 2, 4],
  [["ldpsw x1, x2, [x20]", 0x69400a81], 4, "X", 2, 4],
  [["ldp q1, q2, [x20]", 0xad400a81], 16, "V", 2, 16],
  [["ldp d1, d2, [x20]", 0x6d400a81], 8, "V", 2, 8],
  [["ld1 {v1.16b-v4.16b}, [x20]", 0x4c402281], 32, "V", 4, 16],
  [["ldr x1, [x20]", 0xf9400281], 5, "X", 1, 8],
  [["ldr q1, [x20]", 0x3dc00281], 9, "V", 1, 16],
];
/** Stores, and the bytes of all registers. */
const STORES: readonly [Line, before: number, size: number][] = [
  [["stp x1, x2, [x20]", 0xa9000a81], 8, 16],
  [["stp w1, w2, [x20]", 0x29000a81], 4, 8],
  [["stp q1, q2, [x20]", 0xad000a81], 16, 32],
  [["st1 {v1.16b-v4.16b}, [x20]", 0x4c002281], 32, 64],
  [["str x1, [x20]", 0xf9000281], 3, 8],
];

function machine(line: Line, options: CoreOptions) {
  const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const ram = new Uint8Array(memory.buffer, CORE_SIZE, RAM_SIZE);
  // Byte i of the first page is i, of the second i + 100.
  for (let i = 0; i < 0x1000; i++) {
    ram[FIRST_RAM - RAM_BASE + i] = i;
    ram[SECOND_RAM - RAM_BASE + i] = i + 100;
    ram[FIRST_RAM - RAM_BASE + 0x1000 + i] = 0xee; // whoever reads this took the wrong page
  }
  const core = new WasmCore(memory, { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, options);
  const stage2 = core.stage2Pool.create();
  assert.ok(stage2);
  stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, RIGHTS);
  stage2.map(FIRST, FIRST_RAM, 0x1000, RIGHTS);
  stage2.map(SECOND, SECOND_RAM, 0x1000, RIGHTS);
  const vcpu = core.createVcpu();
  vcpu.stage2 = stage2.id;
  vcpu.defaultCacheable = true;
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  // Both pages are in the TLB, then the access is made often enough to be translated.
  const program: Line[] = [["ldrb w9, [x21]", 0x394002a9], ["strb w9, [x21]", 0x390002a9], line, ["b ", 0x17fffffd]];
  new Uint32Array(memory.buffer, CORE_SIZE + CODE - RAM_BASE, program.length).set(assemble(program));
  vcpu.pc = BigInt(CODE);
  const run = (address: number, count: number) => {
    vcpu.setX(20, BigInt(address));
    for (let i = 0; i < count; i++) {
      vcpu.setX(21, BigInt(i % 2 ? FIRST : SECOND));
      assert.equal(core.run(vcpu, 0, 4, 0).reason, ExitReason.Budget);
    }
  };
  return { vcpu, ram, run };
}

/** The guest's byte at an address. */
const byteAt = (address: number) => (address < SECOND ? address - FIRST : address - SECOND + 100) & 0xff;

for (const [tier, options] of TIERS) {
  Deno.test(`loads over the end of a page take each byte from its page, in tier ${tier}`, () => {
    for (const [line, before, bank, count, size] of LOADS) {
      const { vcpu, run } = machine(line, options);
      run(FIRST + 0x100, 30);
      const start = SECOND - before;
      run(start, 4);
      const bytes: number[] = [];
      for (let index = 1; index <= count; index++) {
        const [low, high] = bank === "V" ? vcpu.getV(index) : [vcpu.getX(index), 0n];
        for (let i = 0; i < size; i++) bytes.push(Number((i < 8 ? low >> BigInt(8 * i) : high >> BigInt(8 * (i - 8))) & 0xffn));
      }
      assert.deepEqual(bytes, bytes.map((_, i) => byteAt(start + i)), line[0]);
    }
  });

  Deno.test(`stores over the end of a page put each byte into its page, in tier ${tier}`, () => {
    for (const [line, before, size] of STORES) {
      const { vcpu, ram, run } = machine(line, options);
      for (const index of [1, 2]) vcpu.setX(index, 0xa5a5_a5a5_a5a5_a5a5n);
      for (const index of [1, 2, 3, 4]) vcpu.setV(index, 0xa5a5_a5a5_a5a5_a5a5n, 0xa5a5_a5a5_a5a5_a5a5n);
      run(FIRST + 0x100, 30);
      run(SECOND - before, 4);
      const first = ram.subarray(FIRST_RAM - RAM_BASE + 0x1000 - before, FIRST_RAM - RAM_BASE + 0x1000);
      const behind = ram.subarray(FIRST_RAM - RAM_BASE + 0x1000, FIRST_RAM - RAM_BASE + 0x1040);
      const second = ram.subarray(SECOND_RAM - RAM_BASE, SECOND_RAM - RAM_BASE + size - before);
      assert.ok(first.every((byte) => byte === 0xa5), `${line[0]}: the first page`);
      assert.ok(second.every((byte) => byte === 0xa5), `${line[0]}: the second page`);
      assert.ok(behind.every((byte) => byte === 0xee), `${line[0]}: what lies behind the first page`);
    }
  });
}
