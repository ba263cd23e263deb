// Semihosting of A64: how a bare-metal program asks its debugger for a console, files and its end,
// by HLT #0xF000 (Arm, Semihosting for AArch32 and AArch64, and its extensions).

/** HLT #0xF000. */
export const SEMIHOSTING_WORD = 0xd45e_0000;

/**
 * The operations by number (W0). `fields`: how many doublewords the block has that X1 points to; 0:
 * X1 is not a block. `served`: el2 does it.
 */
const OPERATIONS = {
  0x01: { name: "SYS_OPEN", fields: 3, served: true },
  0x02: { name: "SYS_CLOSE", fields: 1, served: true },
  0x03: { name: "SYS_WRITEC", fields: 0, served: true },
  0x04: { name: "SYS_WRITE0", fields: 0, served: true },
  0x05: { name: "SYS_WRITE", fields: 3, served: true },
  0x06: { name: "SYS_READ", fields: 3, served: true },
  0x07: { name: "SYS_READC", fields: 0, served: true },
  0x08: { name: "SYS_ISERROR", fields: 1, served: true },
  0x09: { name: "SYS_ISTTY", fields: 1, served: true },
  0x0a: { name: "SYS_SEEK", fields: 2, served: true },
  0x0c: { name: "SYS_FLEN", fields: 1, served: true },
  0x0d: { name: "SYS_TMPNAM", fields: 3, served: false },
  0x0e: { name: "SYS_REMOVE", fields: 2, served: false },
  0x0f: { name: "SYS_RENAME", fields: 4, served: false },
  0x10: { name: "SYS_CLOCK", fields: 0, served: true },
  0x11: { name: "SYS_TIME", fields: 0, served: false },
  0x12: { name: "SYS_SYSTEM", fields: 2, served: false },
  0x13: { name: "SYS_ERRNO", fields: 0, served: true },
  0x15: { name: "SYS_GET_CMDLINE", fields: 2, served: true },
  0x16: { name: "SYS_HEAPINFO", fields: 1, served: true },
  0x18: { name: "SYS_EXIT", fields: 2, served: true },
  0x20: { name: "SYS_EXIT_EXTENDED", fields: 2, served: true },
  0x30: { name: "SYS_ELAPSED", fields: 0, served: true },
  0x31: { name: "SYS_TICKFREQ", fields: 0, served: true },
} as const;

/** An entry of the table. */
export type SemihostingOperation = typeof OPERATIONS[keyof typeof OPERATIONS];
/** Names of the operations that are served. */
export type ServedOperation = Extract<SemihostingOperation, { served: true }>["name"];

const BY_NUMBER: ReadonlyMap<number, SemihostingOperation> = new Map(
  Object.entries(OPERATIONS).map(([number, operation]) => [Number(number), operation]),
);

/** The operation of W0, if the specification has it. */
export function semihostingOperation(w0: number): SemihostingOperation | undefined {
  return BY_NUMBER.get(w0);
}

/** The name of a call by its W0, if an instruction is one. */
export function semihostingAt(instruction: number): ((w0: number) => string) | undefined {
  return instruction === SEMIHOSTING_WORD ? semihostingName : undefined;
}

/** The name of a call with this W0. */
export function semihostingName(w0: number): string {
  return semihostingOperation(w0)?.name ?? `semihosting operation 0x${w0.toString(16)}`;
}

/** A program ended as it wished, with the subcode as its status. */
const APPLICATION_EXIT = 0x20026n;
/** Other reasons of SYS_EXIT, after `ADP_Stopped_`. */
const STOPPED: ReadonlyMap<bigint, string> = new Map([
  [0x20000n, "BranchThroughZero"],
  [0x20001n, "UndefinedInstr"],
  [0x20002n, "SoftwareInterrupt"],
  [0x20003n, "PrefetchAbort"],
  [0x20004n, "DataAbort"],
  [0x20005n, "AddressException"],
  [0x20006n, "IRQ"],
  [0x20007n, "FIQ"],
  [0x20020n, "BreakPoint"],
  [0x20021n, "WatchPoint"],
  [0x20022n, "StepComplete"],
  [0x20023n, "RunTimeErrorUnknown"],
  [0x20024n, "InternalError"],
  [0x20025n, "UserInterruption"],
  [0x20027n, "StackOverflow"],
  [0x20028n, "DivisionByZero"],
  [0x20029n, "OSSpecific"],
]);

/** How a program ended itself. */
export interface SemihostingExit {
  /** Its exit status; 1 for an end of another kind. */
  readonly code: number;
  readonly text: string;
}

/** The end that SYS_EXIT or SYS_EXIT_EXTENDED asks for. */
export function semihostingExit(operation: string, reason: bigint, subcode: bigint): SemihostingExit {
  const code = reason === APPLICATION_EXIT ? Number(BigInt.asIntN(32, subcode)) : 1, name = STOPPED.get(reason);
  const why = reason === APPLICATION_EXIT ? "" : `, ${name === undefined ? `reason 0x${reason.toString(16)}` : `ADP_Stopped_${name}`}`;
  return { code, text: `the guest ended itself with code ${code} (semihosting ${operation}${why})` };
}

/** Bit of feature byte 0: SYS_EXIT_EXTENDED; `:tt` opened for appending is stderr. */
const EXIT_EXTENDED = 1, STDOUT_STDERR = 2;
/** Content of `:semihosting-features`: "SHFB", then feature byte 0. */
export const FEATURES: readonly number[] = [0x53, 0x48, 0x46, 0x42, EXIT_EXTENDED | STDOUT_STDERR];

/** Paths of the console and of the features. */
export const CONSOLE_PATH = ":tt", FEATURES_PATH = ":semihosting-features";
