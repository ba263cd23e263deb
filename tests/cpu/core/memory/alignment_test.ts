// Requirements of Device memory and SCTLR_EL1.A on structures and on DC ZVA, in both tiers. QEMU,
// which tests/differential/exceptions_test.ts compares with, has SCTLR_EL1.A but no rule of Device
// memory. Arm ARM B2.5 (alignment), C5.3 (DC ZVA), C7.2 (LD1 to LD4, ST1 to ST4).

import assert from "node:assert/strict";
import type { CoreOptions } from "../../../../src/cpu/core/core.ts";
import { Sctlr } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x1_0000;
/** The same bytes twice: as Normal memory, and as the Device memory that stage 2 makes of them. */
const DATA = RAM_BASE + 0x8040, DEVICE = 0x5000_0040;
const ALIGNMENT_FAULT = { load: 0x9600_0021n, store: 0x9600_0061n };
/** Once: a hit in the TLB is certain. Often enough to be translated: the same in a region. */
const TIERS: readonly (readonly [string, CoreOptions, warm: number])[] = [
  ["interp", {}, 3],
  ["jit", { tier: "jit", hotness: { samples: 1, landings: 2, slice: 20 } }, 40],
];

/** Accesses of structures, and the bytes of an element. */
const STRUCTURES: readonly [Line, bytes: number, kind: "load" | "store"][] = [
  [["ld1 {v0.16b}, [x20]", 0x4c407280], 1, "load"],
  [["ld1 {v0.8b, v1.8b}, [x20]", 0x0c40a280], 1, "load"],
  [["ld1 {v0.8h}, [x20]", 0x4c407680], 2, "load"],
  [["ld1 {v0.4s-v2.4s}, [x20]", 0x4c406a80], 4, "load"],
  [["ld1 {v0.1d}, [x20]", 0x0c407e80], 8, "load"],
  [["ld4 {v0.16b-v3.16b}, [x20]", 0x4c400280], 1, "load"],
  [["ld4 {v0.2d-v3.2d}, [x20]", 0x4c400e80], 8, "load"],
  [["st1 {v0.16b}, [x20]", 0x4c007280], 1, "store"],
  [["st1 {v0.4s, v1.4s}, [x20]", 0x4c00aa80], 4, "store"],
  [["st2 {v0.8h, v1.8h}, [x20]", 0x4c008680], 2, "store"],
  [["ldr q0, [x20]", 0x3dc00280], 16, "load"],
];

const ZVA: Line = ["sys #3, C7, C4, #1, x20", 0xd50b7434];

/** Runs `line` on Normal memory until it is in a region; then once at each address. */
function machine(line: Line, strict: boolean, options: CoreOptions, warm: number) {
  const machine = new Machine(options), { vcpu } = machine;
  const stage2 = machine.core.stage2Pool.tables(vcpu.stage2);
  assert.ok(stage2);
  stage2.map(DEVICE & -PAGE_SIZE, DATA & -PAGE_SIZE, PAGE_SIZE, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device);
  // The store puts the page into the TLB, so that the access is tried inline first.
  machine.load(CODE, [["strb w9, [x21]", 0x390002a9], line, ["b ", 0x17fffffe]]);
  machine.load(VECTORS + 0x200, [["b ", 0x14000000]]);
  vcpu.defaultCacheable = true;
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("SCTLR_EL1", vcpu.getRegister("SCTLR_EL1") | (strict ? BigInt(Sctlr.A) : 0n));
  const run = (address: number, instructions: number) => {
    vcpu.setX(20, BigInt(address));
    vcpu.setX(21, BigInt(address));
    machine.run(instructions, CODE);
  };
  run(DATA, 3 * warm);
  /** ESR and FAR of the fault at this address, if there is one. */
  const at = (address: number) => {
    run(address, 3);
    const faulted = Number(vcpu.pc) >= VECTORS;
    return faulted ? { esr: vcpu.getRegister("ESR_EL1"), far: vcpu.getRegister("FAR_EL1") } : undefined;
  };
  return { machine, at };
}

for (const [tier, options, warm] of TIERS) {
  Deno.test(`structures are aligned when their elements are, in tier ${tier}`, () => {
    for (const [line, bytes, kind] of STRUCTURES) {
      for (const [memory, strict] of [[DEVICE, false], [DATA, true], [DATA, false]] as const) {
        const { at } = machine(line, strict, options, warm);
        for (let offset = 0; offset < 16; offset++) {
          const faults = offset % bytes !== 0 && (strict || memory === DEVICE);
          const expected = faults ? { esr: ALIGNMENT_FAULT[kind], far: BigInt(memory + offset) } : undefined;
          assert.deepEqual(at(memory + offset), expected, `${line[0]} at 0x${(memory + offset).toString(16)}, SCTLR_EL1.A ${strict}`);
        }
      }
    }
  });

  Deno.test(`DC ZVA has an alignment fault on Device memory, and on no other, in tier ${tier}`, () => {
    for (const strict of [false, true]) {
      const { at, machine: { view } } = machine(ZVA, strict, options, warm);
      for (const offset of [0, 5, 64]) {
        assert.deepEqual(at(DEVICE + offset), { esr: ALIGNMENT_FAULT.store, far: BigInt(DEVICE + offset) }, `at ${offset}`);
      }
      for (let i = -64; i < 128; i++) view.setUint8(DATA - RAM_BASE + i, 0xa5);
      assert.equal(at(DATA + 5), undefined, `SCTLR_EL1.A ${strict}`);
      const zeros = Array.from({ length: 192 }, (_, i) => view.getUint8(DATA - RAM_BASE - 64 + i) === 0);
      assert.deepEqual(zeros, zeros.map((_, i) => i >= 64 && i < 128), `SCTLR_EL1.A ${strict}`);
    }
  });
}
