// Fields of the registers of GICv3's virtual CPU interface. Arm IHI 0069H 12.2 (ICC, ICV) and 12.4
// (ICH). Priorities have 5 bits here, all of which preempt.

/** ICH_HCR_EL2. */
export const IchHcr = {
  En: 1 << 0,
  /** Maintenance interrupts: underflow, an EOI without a list register, nothing pending; groups. */
  UIE: 1 << 1,
  LRENPIE: 1 << 2,
  NPIE: 1 << 3,
  VGrp0EIE: 1 << 4,
  VGrp0DIE: 1 << 5,
  VGrp1EIE: 1 << 6,
  VGrp1DIE: 1 << 7,
  /** Traps of EL1's accesses: common registers, those of group 0, of group 1, ICC_DIR_EL1. */
  TC: 1 << 10,
  TALL0: 1 << 11,
  TALL1: 1 << 12,
  TDIR: 1 << 14,
  EOIcountShift: 27,
  EOIcount: 0x1f << 27,
  /** The bits that exist, unsigned: TSEI and those of GICv4 do not. */
  Bits: 0xf800_5cff,
} as const;

/** ICH_VMCR_EL2. */
export const IchVmcr = {
  VENG0: 1 << 0,
  VENG1: 1 << 1,
  /** Always one, as there are system registers alone. */
  VFIQEn: 1 << 3,
  VCBPR: 1 << 4,
  VEOIM: 1 << 9,
  VBPR1Shift: 18,
  VBPR0Shift: 21,
  VBPRMask: 7,
  VPMRShift: 24,
} as const;

/** ICH_LR<n>_EL2. */
export const IchLr = {
  Pending: 1n << 62n,
  Active: 1n << 63n,
  State: 3n << 62n,
  /** It stands for the physical interrupt pINTID. */
  HW: 1n << 61n,
  GroupShift: 60,
  PriorityShift: 48,
  PhysicalShift: 32,
  PhysicalMask: 0x1fff,
  /** Without HW: its end is a maintenance interrupt. */
  EOI: 1n << 41n,
  VirtualMask: 0xff_ffff,
  /** State, HW, Group, Priority, pINTID, vINTID. */
  Bits: 0xf0f8_1fff_00ff_ffffn,
} as const;

/** An interrupt in a list register. */
interface ListedIrq {
  readonly intid: number;
  readonly pending: boolean;
  readonly active: boolean;
  readonly group: 0 | 1;
  /** Whether the guest has enabled its group. */
  readonly enabled: boolean;
  readonly priority: number;
  /** The physical interrupt that its end deactivates. */
  readonly physical: number | undefined;
}

/** The interrupt in a list register; undefined if that is free. @param vmcr ICH_VMCR_EL2 */
export function listedIrq(value: bigint, vmcr = 0n): ListedIrq | undefined {
  if (!(value & IchLr.State)) return undefined;
  const number = (shift: number, mask: number) => Number(value >> BigInt(shift) & BigInt(mask));
  const group = number(IchLr.GroupShift, 1) ? 1 : 0;
  return {
    intid: number(0, IchLr.VirtualMask),
    pending: (value & IchLr.Pending) !== 0n,
    active: (value & IchLr.Active) !== 0n,
    group,
    enabled: (Number(vmcr) & (group ? IchVmcr.VENG1 : IchVmcr.VENG0)) !== 0,
    priority: number(IchLr.PriorityShift, 0xff),
    physical: value & IchLr.HW ? number(IchLr.PhysicalShift, IchLr.PhysicalMask) : undefined,
  };
}

/** ICH_MISR_EL2: why the maintenance interrupt is asserted. */
export const IchMisr = { EOI: 1, U: 2, LRENP: 4, NP: 8, VGrp0E: 16, VGrp0D: 32, VGrp1E: 64, VGrp1D: 128 } as const;

/** log2 of the distance between priorities. */
export const PRIORITY_SHIFT = 3;
/** Implemented bits of a priority. */
export const PRIORITY_BITS = 0xf8;
/** ICV_RPR_EL1 while nothing is active. */
export const IDLE_PRIORITY = 0xff;
/** The least binary points of group 0 and group 1: all 5 bits preempt. */
export const LEAST_BINARY_POINTS = [2, 3] as const;

/** ICH_VMCR_EL2 at reset. */
export const RESET_VMCR = BigInt(
  IchVmcr.VFIQEn | LEAST_BINARY_POINTS[0] << IchVmcr.VBPR0Shift | LEAST_BINARY_POINTS[1] << IchVmcr.VBPR1Shift,
);

/** INTIDs from here to 1023 are special; 1023 stands for none. */
export const FIRST_SPECIAL = 1020, SPURIOUS = 1023;
/** LPIs begin here. */
export const FIRST_LPI = 8192;

/** ICV_CTLR_EL1: A3V, IDbits of 24, PRIbits of 5; with CBPR and EOImode. */
export const IcvCtlr = { Fixed: 1 << 15 | 1 << 11 | 4 << 8, CBPR: 1, EOImode: 2 } as const;

/** ICH_VTR_EL2 with a number of list registers: TDS, no GICv4, A3V, IDbits of 24, 5 bits. */
export const ichVtr = (listRegisters: number): bigint =>
  BigInt(listRegisters - 1) | 1n << 19n | 1n << 20n | 1n << 21n | 1n << 23n | 4n << 26n | 4n << 29n;
