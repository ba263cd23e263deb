// The values that end a loop which reads memory or a register.

/** Names of the bits of registers that drivers poll, by the register's name. */
const REGISTER_BITS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  // PL011 (Arm DDI 0183, 3.3.3).
  FR: { 0: "CTS", 3: "BUSY", 4: "RXFE", 5: "TXFF", 6: "RXFF", 7: "TXFE" },
  RIS: { 4: "RXRIS", 5: "TXRIS", 6: "RTRIS" },
  // 16550.
  LSR: { 0: "DR", 5: "THRE", 6: "TEMT" },
  // Virtio 1.2, 2.1 and 4.2.2.
  Status: { 0: "ACKNOWLEDGE", 1: "DRIVER", 2: "DRIVER_OK", 3: "FEATURES_OK", 6: "DEVICE_NEEDS_RESET", 7: "FAILED" },
  InterruptStatus: { 0: "used buffer", 1: "configuration change" },
  // Arm ARM D19.
  ISR_EL1: { 6: "F", 7: "I" },
  CNTV_CTL_EL0: { 0: "ENABLE", 1: "IMASK", 2: "ISTATUS" },
  CNTP_CTL_EL0: { 0: "ENABLE", 1: "IMASK", 2: "ISTATUS" },
};

/** The values of a word that end a loop, in hexadecimal; of one of its bits. */
export type LoopEnd =
  | { readonly is: "equal" | "not-equal"; readonly to: string }
  | { readonly is: "bit"; readonly bit: number; readonly value: 0 | 1 }
  /** One of these bits is 1; all are 0. */
  | { readonly is: "any-bit" | "no-bit"; readonly of: string };

/** @param register whose bits have names */
export function endText(until: LoopEnd, register = ""): string {
  if (until.is === "bit") {
    const name = REGISTER_BITS[register]?.[until.bit];
    return `until its bit ${until.bit}${name === undefined ? "" : ` (${name})`} is ${until.value}`;
  }
  if ("to" in until) return `until it is ${until.is === "equal" ? "" : "not "}${until.to}`;
  return `until ${until.is === "any-bit" ? "one" : "none"} of its bits ${until.of} is 1`;
}
