// Tests that instructions make before they do anything else.

import type { Builder } from "../../isa/notation/builder.ts";
import type { InstructionForm } from "../../isa/table.ts";
import { SP_ALIGNMENT } from "../architecture/exceptions.ts";
import { CPU, Slot, xAddress } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import type { Surroundings } from "./surroundings.ts";
import { hasStackPointerBase, usesFloatingPoint } from "./meaning.ts";

/** The FP trap, the alignment of SP. */
export function emitChecks($: Builder, encoding: InstructionForm, at: Surroundings, basedOnStack = hasStackPointerBase($)): void {
  const { f, library } = at;
  const check = (name: "raiseFpTrap" | "raiseSpAlignment") =>
    f.ifLikely(false, () => {
      at.beforeCall(false);
      f.call(callee(library, name));
      // Whether a misaligned SP faults is for SCTLR_EL1 to say.
      if (name === "raiseFpTrap") at.fault();
      else f.i32(0).memory("i32.load", CPU.PENDING).if(() => at.fault());
    });
  if (encoding.instruction.fp || usesFloatingPoint($)) {
    f.i32(0).memory("i32.load", CPU.FP_TRAP);
    check("raiseFpTrap");
  }
  if (basedOnStack) {
    f.i32(0).memory("i32.load", xAddress(Slot.SP)).i32(SP_ALIGNMENT - 1).op("i32.and");
    check("raiseSpAlignment");
  }
}
