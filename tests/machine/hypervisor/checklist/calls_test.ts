// Checklist of the specification (docs/spec/hypervisor.md §10), lines 1 to 24: identification and
// the convention of calls.

import assert from "node:assert/strict";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { RECIPES } from "../errors/recipes.ts";
import { ALL_ONES, Rig } from "./rig.ts";

const IDENTIFY = HYPERCALLS.hypervisor_identify.number;
const WORDS = [0x5100_0000_0000_8001n, 0x1000_0effn, 0n, 0n];
const UID = [0xcd8f_d5c1n, 0xdb5f_53a4n, 0x36ce_6592n, 0x145f_3d67n];
/** X0..X30, all different. */
const DISTINCT = Array.from({ length: 31 }, (_, index) => 0x1111n * BigInt(index + 1));

Deno.test("H1: identify says API version 1, 64 bits, little endian", () => {
  const [info] = new Rig().hvc(0x6000 + IDENTIFY);
  assert.deepEqual([info & 0x3fffn, info >> 15n & 1n, info >> 14n & 1n], [1n, 1n, 0n]);
});

Deno.test("H2: identify tells the features and the scheduler", () => {
  const flags = new Rig().hvc(0x6000)[1];
  for (const bit of [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 9n, 10n, 11n]) assert.equal(flags >> bit & 1n, 1n, `bit ${bit}`);
  assert.equal(flags >> 28n & 0xfn, 1n);
});

Deno.test("H3: identify's X2 and X3 are zero", () => {
  assert.deepEqual(new Rig().hvc(0x6000, ...DISTINCT).slice(2, 4), [0n, 0n]);
});

Deno.test("H4: an unassigned number answers -1 and clears X1 to X7", () => {
  assert.deepEqual(new Rig().hvc(0x6008, ...DISTINCT).slice(0, 8), [ALL_ONES, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
});

Deno.test("H5: a number beyond the range answers -1", () => {
  assert.equal(new Rig().hvc(0x6069)[0], ALL_ONES);
});

Deno.test("H6: HVC #1 answers -1 and changes nothing else", () => {
  assert.deepEqual(new Rig().hvc(1, ...DISTINCT), [ALL_ONES, ...DISTINCT.slice(1)]);
});

Deno.test("H7: SMC #1 answers -1 and continues after itself", () => {
  const w = new Rig();
  const { pc } = w.registers;
  assert.equal(w.smc(1)[0], ALL_ONES);
  assert.equal(w.registers.pc, pc + 4n);
});

Deno.test("H8: HVC #0 with the call's function id answers as the native call", () => {
  assert.deepEqual(new Rig().hvc(0, 0xc600_8000n).slice(0, 4), WORDS);
});

Deno.test("H9: SMC #0 does as HVC #0", () => {
  assert.deepEqual(new Rig().smc(0, 0xc600_8000n).slice(0, 4), WORDS);
});

Deno.test("H10: an unknown call through SMCCC answers -1", () => {
  assert.equal(new Rig().hvc(0, 0xc600_bfffn)[0], ALL_ONES);
});

Deno.test("H11: a hypercall of the 32-bit convention answers -1", () => {
  assert.equal(new Rig().hvc(0, 0x8600_8000n)[0], ALL_ONES);
});

Deno.test("H12: the vendor's UID", () => {
  assert.deepEqual(new Rig().hvc(0, 0x8600_ff01n).slice(0, 4), UID);
});

Deno.test("H13: the vendor's revision is hyp_api_info", () => {
  assert.equal(new Rig().hvc(0, 0x8600_ff03n)[0], WORDS[0]);
});

Deno.test("H14: there is no call count", () => {
  assert.equal(new Rig().hvc(0, 0x8600_ff00n)[0], ALL_ONES);
});

Deno.test("H15: SMCCC 1.3", () => {
  assert.equal(new Rig().hvc(0, 0x8000_0000n)[0], 0x1_0003n);
});

Deno.test("H16: SMCCC_ARCH_FEATURES knows SMCCC_VERSION and no workaround", () => {
  const w = new Rig();
  assert.equal(w.hvc(0, 0x8000_0001n, 0x8000_0000n)[0], 0n);
  assert.equal(w.hvc(0, 0x8000_0001n, 0x8000_8000n)[0], 0xffff_ffffn);
});

Deno.test("H17: a function id with bit 17 set answers -1", () => {
  assert.equal(new Rig().hvc(0, 0x8002_0000n)[0], ALL_ONES);
});

Deno.test("H18: every hypercall leaves X18 to X30, the stack pointers and the vector registers alone", () => {
  for (const name of Object.keys(HYPERCALLS) as HypercallName[]) {
    const w = new Rig();
    const args = RECIPES[name](w);
    const { registers } = w;
    for (let index = 18; index <= 30; index++) registers.setX(index, DISTINCT[index]);
    registers.setRegister("SP_EL0", 0x10n);
    registers.setRegister("SP_EL1", 0x20n);
    registers.setV = () => assert.fail(`${name} writes a vector register`);
    const x = Object.entries(HYPERCALLS[name].arguments).map(([argument, kind]) => args[argument] ?? (kind === "res1" ? ALL_ONES : 0n));
    const after = w.hvc(0x6000 + HYPERCALLS[name].number, ...x);
    assert.deepEqual(after.slice(18), DISTINCT.slice(18), name);
    assert.deepEqual([registers.getRegister("SP_EL0"), registers.getRegister("SP_EL1")], [0x10n, 0x20n], name);
  }
});

Deno.test("H19: results that a native call does not define are zero", () => {
  const w = new Rig();
  const results = w.hvc(0x6000 + HYPERCALLS.doorbell_send.number, w.active("doorbell"), 1n, 0n, ...DISTINCT.slice(3, 8));
  assert.deepEqual(results.slice(0, 8), [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
});

Deno.test("H20: a reserved argument that is not zero comes before the lookup of capabilities", () => {
  const w = new Rig();
  assert.equal(w.error("doorbell_send", { doorbell: 0x4000n, reserved: 1n }), "ARGUMENT_INVALID");
  assert.equal(w.error("doorbell_send", { doorbell: 0x4000n }), "CSPACE_CAP_NULL");
});

Deno.test("H21: reserved arguments are not checked through SMCCC", () => {
  const w = new Rig();
  assert.equal(w.hvc(0, 0xc600_8000n + BigInt(HYPERCALLS.doorbell_send.number), w.active("doorbell"), 1n, 1n)[0], 0n);
});

Deno.test("H22: msgqueue_configure_send wants ones in its fourth argument", () => {
  const w = new Rig();
  const args = RECIPES.msgqueue_configure_send(w);
  assert.equal(w.error("msgqueue_configure_send", { ...args, reserved: 0n }), "ARGUMENT_INVALID");
  assert.equal(w.error("msgqueue_configure_send", args), "OK");
});

Deno.test("H23: vcpu_set_affinity wants ones in its third argument", () => {
  const w = new Rig();
  const args = RECIPES.vcpu_set_affinity(w);
  assert.equal(w.error("vcpu_set_affinity", { ...args, reserved: 0n }), "ARGUMENT_INVALID");
  assert.equal(w.error("vcpu_set_affinity", args), "OK");
});

Deno.test("H24: of a virq argument 32 bits count", () => {
  const w = new Rig();
  assert.equal(w.error("doorbell_bind_virq", { doorbell: w.active("doorbell"), vic: w.vic, virq: 0xdead_beef_0000_0028n }), "OK");
});
