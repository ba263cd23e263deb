// Properties of an instruction that follow from its semantics, before any code is made.

import type { Builder, Node, Statement } from "../../isa/notation/builder.ts";

/** The number of SP where a base register is named. */
export const STACK_POINTER = 31;

/** The statements of a list, those inside of others included. */
export function statementsOf(list: readonly Statement[]): Statement[] {
  return list.flatMap((s) => s.kind === "if" ? [s, ...statementsOf(s.then), ...statementsOf(s.otherwise)] : [s]);
}

/** The direct branch among the statements of an instruction. */
export function directBranch($: Builder): Statement & { kind: "branch" } | undefined {
  return statementsOf($.statements).find((s) => s.kind === "branch");
}

/** True when the instruction uses the vector registers or the floating-point control registers. */
export function usesFloatingPoint($: Builder): boolean {
  const inNode = (node: Node): boolean => {
    if (node.kind === "vector" || node.kind === "state" && (node.name === "FPCR" || node.name === "FPSR")) return true;
    return "operands" in node && node.operands.some(inNode);
  };
  return statementsOf($.statements).some((s) => {
    if (s.kind === "setVector" || s.kind === "setState" && (s.name === "FPCR" || s.name === "FPSR")) return true;
    return "value" in s && inNode(s.value);
  });
}

/** The number of the base register, in the bank of SP, of an instruction that accesses memory. */
export function baseRegister($: Builder): Node | undefined {
  const statements = statementsOf($.statements);
  if (!statements.some((s) => s.kind.startsWith("load") || s.kind.startsWith("store") || s.kind === "ramAddress")) return undefined;
  for (const s of statements) {
    if (s.kind === "let" && s.value.kind === "register" && s.value.bank === "sp") return s.value.index;
  }
  return undefined;
}

/** The field that names the base register of an access, where that may be SP. */
export function baseField($: Builder): string | undefined {
  const base = baseRegister($);
  return base?.kind === "field" ? base.name : undefined;
}

/** Whether SP is the base of an access. Where it may be, a separate variant knows that it is. */
export function hasStackPointerBase($: Builder): boolean {
  const base = baseRegister($);
  return base?.kind === "constant" && base.value === STACK_POINTER;
}
