// The hypervisor answers every exit that a guest can provoke: it does not throw, and time
// continues.

import fc from "fast-check";
import assert from "node:assert/strict";
import { VcpuOption } from "../../../src/machine/abi/words.ts";
import { ExitReason } from "../../../src/cpu/core/interface.ts";
import { GICD_BASE, GICR_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { hvc, ScriptedMachine, ScriptedVm, smc, type Step } from "./scripted.ts";

const word = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
/**
 * Function ids, MPIDRs and capability ids are small or have few bits; random words would never hit
 * them.
 */
const argument = fc.oneof(
  word,
  fc.bigInt({ min: 0n, max: 70n }),
  fc.constantFrom(0x8400_0000n, 0xc400_0000n, 0xc600_8000n, 0x8600_ff00n).chain((base) => fc.bigInt({ min: base, max: base + 0x70n })),
);
const device = fc.tuple(fc.constantFrom(0, GICD_BASE, GICR_BASE, 0x900_0000, 0x4000_0000), fc.nat(0x4_0000)).map(([base, at]) => base + at);

/** An exit as the core could make it, with arguments in X0..X7. */
const exit: fc.Arbitrary<{ step: Step; x: bigint[] }> = fc.record({
  step: fc.oneof(
    fc.nat(0xffff).map(hvc),
    fc.integer({ min: 0x6000, max: 0x6070 }).map(hvc),
    fc.constantFrom(hvc(0), smc(0), smc(1)),
    fc.record({ esr: fc.nat(0x7fff_ffff).map((esr) => esr * 2 >>> 0), ipa: device, far: word }).map((fields) => ({
      reason: ExitReason.Trap,
      ...fields,
    })),
    fc.record({ esr: fc.nat(0x1ff_ffff).map((iss) => (0x9000_0000 | iss) >>> 0), ipa: device, far: word }).map((fields) => ({
      reason: ExitReason.Trap,
      ...fields,
    })),
    fc.record({ esr: fc.nat(0x1ff_ffff).map((iss) => (0x6000_0000 | iss) >>> 0) }).map((fields) => ({
      reason: ExitReason.Trap,
      ...fields,
    })),
    fc.record({ esr: fc.nat(0x1ff_ffff).map((iss) => (0x9000_0000 | iss) >>> 0), pa: device }).map((fields) => ({
      reason: ExitReason.Bus,
      ...fields,
    })),
    fc.constantFrom<Step>({ reason: ExitReason.Timer }, { reason: ExitReason.Yield }, { compute: 30 }),
  ),
  x: fc.array(argument, { minLength: 8, maxLength: 8 }),
});

Deno.test("no sequence of exits makes the hypervisor throw or stop time", () => {
  fc.assert(
    fc.property(fc.array(fc.array(exit, { maxLength: 40 }), { minLength: 3, maxLength: 3 }), (lives) => {
      const machine = new ScriptedMachine(2);
      const script = (exits: { step: Step; x: bigint[] }[]) =>
        function* (registers: { setX(index: number, value: bigint): void; setRegister(name: "CNTV_CTL_EL0", value: bigint): void }) {
          for (const { step, x } of exits) {
            x.forEach((value, index) => registers.setX(index, value));
            registers.setRegister("CNTV_CTL_EL0", x[0] & 3n);
            yield step;
          }
        };
      const primary = new ScriptedVm(machine, 3, [script(lives[0]), script(lives[1])], { options: VcpuOption.HlosVm, group: "aggregated" });
      const guest = new ScriptedVm(machine, 0x80, [script(lives[2])], { options: VcpuOption.VcpuRunScheduled, affinity: () => 0xffff });
      // Small ids name everything that there is: vCPUs, VICs, cspaces, address spaces, the
      // partition.
      for (const vm of [primary, guest]) {
        for (
          const object of [
            ...primary.vcpus,
            ...guest.vcpus,
            primary.vic,
            primary.cspace,
            primary.addressSpace,
            machine.hypervisor.rootPartition,
          ]
        ) {
          vm.grant(object);
        }
      }
      primary.start(0);
      primary.start(1);
      guest.start();
      const before = machine.machine.time;
      const result = machine.run(100_000);
      if (result.kind !== "stopped") assert.equal(machine.machine.time, before + 100_000);
    }),
    { numRuns: 60 },
  );
});
