// Looking at a register of a vCPU: the machine stops before each instruction that may write it, or
// single-steps the vCPU where no such instructions are known.

import { HYPERVISOR_WRITES } from "../../../machine/abi/ram-writer.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import { vcpuId } from "../../../model/queries/ids.ts";
import type { System } from "../../assembly/system/system.ts";
import { instructionOf, INTERRUPT, type Looking, type Noted, type PastAccess, type Watched } from "./looking.ts";
import { VECTOR_BASE, VectorStops } from "./vector-stops.ts";

export function lookAtRegister(
  system: System,
  { vcpu: id, read, writes }: Extract<Watched, { kind: "register" }>,
  noted: Noted,
): Looking {
  const { core } = system;
  const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
  const is = (vcpu: Vcpu) => vcpuId(names.vcpu(vcpu)) === id;
  const there = () => control.vcpus().find(is);
  const known = there(), first = known ? read(known) : 0n;
  const accesses: PastAccess[] = [];
  let value = first, begun = 0, pc: bigint | undefined, ends = false;
  const compare = (vcpu: Vcpu, at: number, by?: PastAccess["by"]) => {
    const after = read(vcpu);
    if (after === value) return;
    // Without steps, the last instruction before a change between two writes is not known.
    const isKnown = !by || by === INTERRUPT || !writes || writes.isOperand && at - begun <= 1;
    const instruction = pc === undefined || !isKnown ? undefined : instructionOf(system, vcpu, id, pc);
    const access = { at, time: system.machine.time, instruction, by, before: value, after };
    accesses.push(access);
    value = after;
    if (writes) ends = noted(access);
  };
  const vectors = writes?.byExceptions ? new VectorStops(control) : undefined;
  const before = (vcpu: Vcpu) => {
    const at = system.instructions(), taken = vectors?.taken(vcpu);
    // The instruction before an interrupt may have unmasked it.
    if (taken) pc = taken.pc;
    compare(vcpu, taken ? Math.max(0, at - 1) : at, taken ? taken.isInterrupt ? INTERRUPT : undefined : HYPERVISOR_WRITES);
    begun = at;
    ({ pc } = vcpu.registers);
    vectors?.place(vcpu);
  };
  if (writes) core.stops.watchRegisters(vectors ? [...writes.names, VECTOR_BASE] : writes.names);
  const stopped = ({ cause, vcpu }: DebugStop) => {
    if (cause === "step") control.goOn(undefined);
    else {
      if (is(vcpu)) before(vcpu);
      control.goOn(vcpu);
    }
    return ends;
  };
  control.follow({
    is,
    steps: !writes,
    before,
    after(vcpu) {
      compare(vcpu, begun);
      vectors?.place(vcpu);
      if (writes) control.goOn(undefined);
    },
  });
  return {
    ...writes && { stopped },
    end() {
      const vcpu = there();
      if (vcpu) compare(vcpu, system.instructions(), HYPERVISOR_WRITES);
      return { accesses, first };
    },
  };
}
