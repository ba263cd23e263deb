// SP as a base register must be a multiple of 16 where SCTLR_EL1.SA and SA0 say so (Arm ARM
// D1.8.2); QEMU does not check it.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const VECTORS = RAM_BASE + 0x2000;
const STACK = BigInt(RAM_BASE + 0x10_0000);
const SP_ALIGNMENT_FAULT = 0x9a00_0000n;

const ACCESSES: Line[] = [
  ["ldr x1, [sp]", 0xf94003e1],
  ["str x1, [sp]", 0xf90003e1],
  ["ldrb w1, [sp]", 0x394003e1],
  ["ldur x1, [sp, #8]", 0xf84083e1],
  ["ldr x1, [sp, x2]", 0xf8626be1],
  ["ldp x1, x2, [sp]", 0xa9400be1],
  ["stp x1, x2, [sp, #-16]!", 0xa9bf0be1],
  ["ldr x1, [sp], #7", 0xf84077e1],
  ["ldxr x1, [sp]", 0xc85f7fe1],
  ["ldadd x1, x2, [sp]", 0xf82103e2],
  ["cas x1, x2, [sp]", 0xc8a17fe2],
];

/** Executes one instruction with this stack pointer; ESR_EL1 if it took an exception. */
function execute(machine: Machine, line: Line, sp: bigint, pstate: number, sctlr: bigint): bigint | undefined {
  machine.load(CODE, [line]);
  const { vcpu } = machine;
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("SCTLR_EL1", sctlr);
  vcpu.setX(2, 0n);
  vcpu.setX(3, STACK);
  vcpu.pstate = pstate;
  vcpu.setRegister(pstate & Pstate.SP ? "SP_EL1" : "SP_EL0", sp);
  machine.run(1, CODE);
  if (vcpu.pc === BigInt(CODE + 4)) return undefined;
  assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(CODE));
  return vcpu.getRegister("ESR_EL1");
}

Deno.test("a misaligned SP faults at EL1 under SA and at EL0 under SA0, whatever the access", () => {
  const machine = new Machine();
  for (const line of ACCESSES) {
    for (const [pstate, bit] of [[Pstate.EL1h, 8n], [Pstate.EL1t, 8n], [Pstate.EL0t, 16n]] as const) {
      assert.equal(execute(machine, line, STACK + 8n, pstate, bit), SP_ALIGNMENT_FAULT, line[0]);
      assert.equal(execute(machine, line, STACK + 8n, pstate, 0x18n ^ bit), undefined, line[0]);
      assert.equal(execute(machine, line, STACK, pstate, 0x18n), undefined, line[0]);
    }
  }
});

Deno.test("arithmetic on a misaligned SP and accesses through other registers do not care", () => {
  const machine = new Machine();
  assert.equal(execute(machine, ["add x1, sp, #0", 0x910003e1], STACK + 8n, Pstate.EL1h, 0x18n), undefined);
  assert.equal(execute(machine, ["ldr x1, [x3]", 0xf9400061], STACK + 8n, Pstate.EL1h, 0x18n), undefined);
});
