// Looking at bytes of RAM: the machine stops at each instruction that accesses them, and steps over
// it.

import type { MemoryWatch } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import { vcpuId } from "../../../model/queries/ids.ts";
import type { System } from "../../assembly/system/system.ts";
import { instructionOf, type Looking, type Noted, type PastAccess, type PastInstruction } from "./looking.ts";

export function lookAtMemory(system: System, watch: MemoryWatch, noted: Noted): Looking {
  const { machine, core } = system;
  const { pa, length, kind, more = [] } = watch;
  const bytes = (start = pa) => machine.ram.bytes(start, length).slice();
  const here = () => ({ at: system.instructions(), time: machine.time });
  const first = bytes(), accesses: PastAccess[] = [];
  const control = system.debugger.give(EVERY_VM, false);
  core.stops.watchMemory(watch);
  const placeOf = ({ registers }: Vcpu) => {
    const found = core.questions.inspect(registers, registers.pc);
    return found.ok && more.includes(found.pa) ? found.pa : pa;
  };
  let start = pa,
    begun: (Pick<PastAccess, "at" | "time"> & { readonly instruction: PastInstruction; readonly before: Uint8Array }) | undefined;
  const stopped = ({ cause, vcpu }: DebugStop) => {
    if (cause === "watchpoint" || cause === "breakpoint") {
      const instruction = instructionOf(system, vcpu, vcpuId(control.services.names.vcpu(vcpu)));
      start = kind === "execute" ? placeOf(vcpu) : pa;
      begun = { ...here(), instruction, before: bytes(start) };
      control.goOn(vcpu);
      return false;
    }
    control.goOn(undefined);
    if (cause !== "step" || !begun) return false;
    const access = { ...begun, after: bytes(start) };
    begun = undefined;
    if (kind === "write" && sameBytes(access.before, access.after) && mayNotWrite(access.instruction.word)) return false;
    accesses.push(access);
    return noted(access);
  };
  if (kind === "write" || kind === "access") {
    machine.ram.watch(pa, length, (by, at, size, written) => {
      const before = bytes(), after = before.slice();
      for (let index = Math.max(pa, at); index < Math.min(pa + length, at + size); index++) {
        after[index - pa] = written === "zero" ? 0 : written[index - at];
      }
      accesses.push({ ...here(), at: Math.max(0, system.instructions() - 1), by: { ...by }, before, after });
    });
  }
  return { stopped, end: () => ({ accesses, first }) };
}

/** Exclusive stores and compare-and-swap, which may leave memory as it is. Arm ARM C4.1.94. */
const EXCLUSIVE_GROUP = { mask: 0x3f00_0000, value: 0x0800_0000 };
/** Those of the group that always store: STLR and STLLR. */
const RELEASING_STORE = { mask: 0x00e0_0000, value: 0x0080_0000 };

export function mayNotWrite(word: number): boolean {
  return (word & EXCLUSIVE_GROUP.mask) === EXCLUSIVE_GROUP.value && (word & RELEASING_STORE.mask) !== RELEASING_STORE.value;
}
