// The timers of a vCPU as their registers have them, and the one that wakes it.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { timeOfTicks } from "../../../src/machine/hardware/clock.ts";
import { A64 } from "../../app/cli/program.ts";
import { machineWith } from "../debug/debugged-vm.ts";
import { demoSystem, rows, runUntil } from "./system.ts";

const TIME = 50e6;
/** `msr CNTx_CVAL_EL0, x1`, `msr CNTx_CTL_EL0, x2` and `msr CNTP_CVAL_EL0, xzr`. */
const SET = { virtualCompare: 0xd51be341, virtualControl: 0xd51be322, physicalCompare: 0xd51be241, physicalControl: 0xd51be222 } as const;
const PHYSICAL_COMPARE_ZERO = 0xd51be25f;
/** Bits 31 to 16 of a compare value in the future. */
const LATER = 0x1000;
const COMPARE = BigInt(LATER) << 16n;
const Control = { Enable: 1, Masked: 3 } as const;

function system(words: readonly number[]): GuestSystem {
  const machine = machineWith(words, 1, false) as GuestSystem;
  runUntil(machine, TIME);
  return machine;
}

Deno.test("timers of a vCPU: control bits by name, compare value, and when they are due", () => {
  const machine = system([
    ...[A64.loadX1High(LATER), SET.virtualCompare, A64.loadW2(Control.Enable), SET.virtualControl],
    ...[PHYSICAL_COMPARE_ZERO, A64.loadW2(Control.Masked), SET.physicalControl, A64.branch(0)],
  ]);
  const due = String(Math.round(timeOfTicks(COMPARE) - machine.hypervisor.now));
  assert.deepEqual(rows(machine, "vcpu.timers", { vcpu: "host/0" }), [
    {
      id: "timer:host/0/virtual",
      name: "virtual",
      due,
      control: ["ENABLE"],
      compare: "0x0000000010000000",
      irq: "irq:host/27",
    },
    {
      id: "timer:host/0/physical",
      name: "physical",
      due: "0",
      control: ["ENABLE", "IMASK", "ISTATUS"],
      compare: "0x0000000000000000",
      irq: "irq:host/30",
    },
  ]);
});

Deno.test("a timer that is off has no time when it is due", async () => {
  const demo = await demoSystem();
  runUntil(demo, TIME);
  const [, physical] = rows(demo, "vcpu.timers", { vcpu: "ping/0" });
  assert.deepEqual([physical.due, physical.control], [null, []]);
});

Deno.test("W40: a vCPU that its physical timer wakes names the interrupt of that timer", () => {
  const machine = system([
    ...[A64.loadX1High(LATER), SET.physicalCompare, A64.loadW2(Control.Enable), SET.physicalControl, A64.wfi, A64.branch(-1)],
  ]);
  const [vcpu] = rows(machine, "vcpu.ls", { filter: "id=host/0" });
  assert.match(vcpu.wakes[0], /^timer irq:host\/30 in 4\.\ds$/);
});
