// The guests that EL2 enters, as they are noted.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Hcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import { parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { NOTED_GUESTS } from "../../../../src/cpu/core/interface.ts";
import { Machine } from "../program.ts";

const CPU = withEl2(parseCpu("v8.2,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS"));
const VTCR = 0x8000_0060n, TABLES = 0x9000_0000n, CNP = 1n;
const vttbr = (vmid: number, tables = TABLES) => BigInt(vmid) << 48n | tables;

/** Enters EL1, where the fetch of its first instruction is an abort that EL2 takes. */
function enter(machine: Machine, tables: bigint, vmpidr: bigint, hcr: bigint = Hcr.VM): void {
  const { vcpu } = machine;
  vcpu.setRegister("VTTBR_EL2", tables);
  vcpu.setRegister("VMPIDR_EL2", vmpidr);
  vcpu.setRegister("VTCR_EL2", VTCR);
  vcpu.setRegister("HCR_EL2", Hcr.RW | hcr);
  vcpu.pstate = Pstate.EL1h;
  machine.run(1, 0x4000_0000);
}

const noted = ({ vcpu: { guests: { latest, entries } } }: Machine) => ({
  latest: entries[latest]?.vttbr,
  entries: entries.map(({ vttbr, vmpidr, vtcr }) => [vttbr, vmpidr, vtcr]),
});

Deno.test("each vCPU of each VMID that EL2 enters is noted once, with its latest tables; others are not", () => {
  const machine = new Machine({ cpu: CPU });
  enter(machine, vttbr(9), 0n, 0n);
  assert.deepEqual(noted(machine).entries, []);
  enter(machine, vttbr(1), 0x8000_0000n);
  enter(machine, vttbr(1) | CNP, 0x8000_0001n);
  enter(machine, vttbr(2), 0x8000_0000n);
  enter(machine, vttbr(1), 0x8000_0000n);
  const one = [[vttbr(1), 0x8000_0000n, VTCR], [vttbr(1), 0x8000_0001n, VTCR], [vttbr(2), 0x8000_0000n, VTCR]];
  assert.deepEqual(noted(machine), { latest: vttbr(1), entries: one });
  // The VMID is another VM's.
  enter(machine, vttbr(2, 0x9100_0000n), 0x8000_0000n);
  assert.deepEqual(noted(machine), {
    latest: vttbr(2, 0x9100_0000n),
    entries: [...one.slice(0, 2), [vttbr(2, 0x9100_0000n), 0x8000_0000n, VTCR]],
  });
});

Deno.test("with more guests than are noted, a new one replaces that after the latest", () => {
  const machine = new Machine({ cpu: CPU });
  for (let vmid = 1; vmid <= NOTED_GUESTS; vmid++) enter(machine, vttbr(vmid), 0n);
  enter(machine, vttbr(3), 0n);
  enter(machine, vttbr(100), 0n);
  const { latest, entries } = noted(machine);
  assert.equal(entries.length, NOTED_GUESTS);
  assert.equal(latest, vttbr(100));
  assert.deepEqual(entries.slice(2, 5).map(([tables]) => tables), [vttbr(3), vttbr(100), vttbr(5)]);
});
