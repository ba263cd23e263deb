// Registers that only some CPUs have, in snapshots and digests: keys of pointer authentication, and
// the state of random numbers, which the machine's seed gives each vCPU.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { loadSystem, saveSystem } from "../../../src/session/state/system-state.ts";
import { demoPlan, hashesOf, runTo } from "./systems.ts";

/** The registers by name of every vCPU that executes code. */
const registersOf = ({ hypervisor }: ReturnType<typeof assemble>) =>
  [...hypervisor.scheduler.vcpus].filter(({ native }) => !native).map(({ registers }) => registers);

Deno.test("keys and random numbers are saved, in the digest, and a continued run has the same", async () => {
  const plan = await demoPlan({ cpu: planCpu("max") }), first = assemble(plan);
  runTo(first, 300_000);
  const before = hashesOf(first);
  const [vcpu] = registersOf(first);
  vcpu.setRegister("APDBKeyHi_EL1", 0x1234_5678_9abc_def0n);
  assert.notEqual(hashesOf(first), before);
  const state = saveSystem(first), second = assemble(plan);
  loadSystem(second, state, false);
  assert.equal(hashesOf(second), hashesOf(first));
  assert.equal(registersOf(second)[0].getRegister("APDBKeyHi_EL1"), 0x1234_5678_9abc_def0n);
  for (const system of [first, second]) runTo(system, 400_000);
  assert.equal(hashesOf(second), hashesOf(first));
});

Deno.test("the seed gives each vCPU other random numbers, and the same in every run", async () => {
  const states = async (seed: number) => {
    const system = assemble(await demoPlan({ cpu: planCpu("max"), seed }));
    runTo(system, 300_000);
    return registersOf(system).map((registers) => registers.getRegister("RNDR"));
  };
  const [one, again, other] = [await states(5), await states(5), await states(6)];
  assert.ok(one.length > 1);
  assert.equal(new Set(one).size, one.length);
  assert.deepEqual(one, again);
  assert.ok(one.every((state) => !other.includes(state)));
});

Deno.test("a machine without these features has none of the registers", async () => {
  const system = assemble(await demoPlan());
  runTo(system, 300_000);
  for (const { names } of registersOf(system)) assert.deepEqual(names.filter((name) => /^AP[IDG]|^RNDR|^DISR/.test(name)), []);
});
