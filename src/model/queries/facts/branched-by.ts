// The setter of PC where nothing can be executed, in words, and the pointer to fix.

/**
 * The setter of PC: the call before the address in X30, with its address and symbol; a return, as
 * X30 is the address; an exception return; the power-on of the vCPU, or its resume after
 * CPU_SUSPEND; or a branch, to the only register that has the address.
 */
export type BranchedBy =
  | { readonly how: "call"; readonly at: string; readonly symbol: string | null; readonly register: string }
  | { readonly how: "return" | "exception-return" | "resume" }
  /** `first`: the vCPU that the VM starts with. */
  | { readonly how: "power-on"; readonly first: boolean }
  | { readonly how: "branch"; readonly register: string };

/** A setter of PC, as it led to a place. */
export function leadText(by: BranchedBy): string {
  switch (by.how) {
    case "call":
      return `the call at ${by.at}${by.symbol === null ? "" : ` <${by.symbol}>`} by ${by.register}`;
    case "return":
      return "a return to X30";
    case "exception-return":
      return "an exception return (ERET)";
    case "resume":
      return "the resume after CPU_SUSPEND (X2 of the call)";
    case "power-on":
      return by.first ? "the start of the vCPU" : "CPU_ON";
    case "branch":
      return `a branch to ${by.register}`;
  }
}

export const wentText = (by: BranchedBy | null, address: string) =>
  by === null ? `the program branched to ${address}` : `${leadText(by)} led to ${address}`;

/** The pointer to fix, where it is not the address alone that is known. */
export function branchWayOut(by: BranchedBy | null, address: string): string {
  const isNull = address === "0x0";
  switch (by?.how) {
    case "call":
      return isNull ? `find the function pointer that is null: ${by.register} at ${by.at}` : `fix the pointer: ${by.register} at ${by.at}`;
    case "return":
      return "save X30 before a call, and restore it before RET";
    case "exception-return":
      return "write the address of code to ELR_EL1 before ERET";
    case "resume":
      return "give CPU_SUSPEND in X2 the physical address of code, or ask for a state without power-down (bit 16 of X1)";
    case "power-on":
      return by.first ? "have the image begin with code, or name its entry" : "give CPU_ON the address of code";
    case "branch":
      return `fix the pointer in ${by.register}`;
  }
  return isNull ? "find the pointer that is null" : "fix the pointer that it branched to";
}
