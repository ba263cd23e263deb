// TCR_EL1: the fields that stage 1, pointer authentication and debuggers share. Arm ARM D13.2.131.

/** Fields; those of TTBR1 are 16 bits above those of TTBR0, single bits from TBI on one bit. */
export const Tcr = {
  SizeMask: 0x3f,
  EpdShift: 7,
  HalfShift: 16,
  IpsShift: 32,
  Tbi0Shift: 37,
  /** The hardware manages access flags, and dirty state (FEAT_HAFDBS). */
  HA: 1n << 39n,
  HD: 1n << 40n,
  Hpd0Shift: 41,
  Tbid0Shift: 51,
  E0pd0Shift: 55,
} as const;
