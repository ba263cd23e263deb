// The arms of the interpreter loop that belong to no instruction; those of instructions follow.

/** Numbers of arms, as the first 16 bits of a record hold them. */
export const Arm = {
  /** The instruction is not decoded yet. Must be 0: fresh records are zero. */
  Decode: 0,
  /** The sentinel behind the last record of a page. */
  PageEnd: 1,
  /** The budget ends here. */
  Stop: 2,
  /** No instruction of this core. */
  Undefined: 3,
  /** The instruction is a function of its own: its index in the table is the record's first operand. */
  Outlined: 4,
  /** A debugger may want to stop before this instruction. */
  Breakpoint: 5,
  FirstInstruction: 6,
} as const;
