// The first instruction of a region as a separate function, for when the region cannot run: too
// little is left of the budget, or the instruction needs the slow path. It is called as an outlined
// instruction is (interpreter/outlined.ts).

import { COUNTER_SHIFT, countsInstructions, emitMove, impliedTarget } from "../../decoded/execution-counters.ts";
import { OperandLayout } from "../../decoded/operands.ts";
import { emitBranchTarget } from "../../interpreter/branch-targets.ts";
import { emitChecks } from "../../interpreter/checks.ts";
import { pushAtomicsTlb, type Surroundings } from "../../interpreter/surroundings.ts";
import { CPU, Pending } from "../../state/cpu-state.ts";
import type { Callees } from "../../wasm/library.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { ConstantEmitter } from "./constant-emitter.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import { numberOf } from "../code/static-values.ts";

/**
 * Appends the function to `f`, whose parameter is the address of the decoded instruction.
 * @param index its number in its page
 */
export function emitHead(
  f: FunctionBuilder,
  library: Callees,
  index: number,
  { encoding, semantics, word, basedOnStack }: RegionInstruction,
): void {
  const ip = 0, implied = countsInstructions(library) ? impliedTarget(word, index) : undefined;
  const redirect = () => f.memory("i64.store", CPU.PC).i32(0).i32(Pending.Branch).memory("i32.store", CPU.PENDING).op("return");
  const at: Surroundings = {
    f,
    library,
    layout: new OperandLayout("head"),
    ip,
    decodedOffset: 0,
    local: (type) => f.local(type),
    tlb: () => void f.i32(0).memory("i32.load", CPU.TLB),
    atomicsTlb: () => pushAtomicsTlb(f, at.tlb),
    // The loop stored IP and END before the call.
    beforeCall: () => {},
    fault: () => void f.op("return"),
    branch: (offset) => {
      // The loop counts the arrival.
      if (implied !== undefined) emitMove(f, "turnBack", () => void f.get(ip).i32(COUNTER_SHIFT).op("i32.shr_u"), implied - index);
      f.i32(0).i32(0).memory("i64.load", CPU.PC_DELTA).get(ip).i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
      f.i64(numberOf(offset, word)).op("i64.add");
      redirect();
    },
    branchTo: (address, type) => {
      f.i32(0);
      emitBranchTarget(at, address, type);
      redirect();
    },
  };
  emitChecks(semantics, encoding, at, basedOnStack);
  new ConstantEmitter(semantics, at, word).emit();
}
