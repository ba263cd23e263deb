// EL2's registers of GICv3's virtual CPU interface, in the form of system-registers.ts. Arm IHI
// 0069H 12.4. A write lets the interface follow.

import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { IchHcr, IchLr, IchVmcr, ichVtr, LEAST_BINARY_POINTS, PRIORITY_BITS } from "../architecture/virtual-gic.ts";
import { CPU } from "../state/cpu-state.ts";
import { type Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { constantRegister, type Encoding, readOnly, type SystemRegister } from "./system-register.ts";
import { emptyLists, endedLists, virtualInterface } from "./virtual-interface.ts";

/** The most list registers that there can be. */
const MOST_LIST_REGISTERS = 16;

/** State that the interface follows. */
const followed = (name: string, encoding: Encoding, address: number, stored: (value: Value) => Value): SystemRegister => ({
  ...readOnly(name, encoding, address, 2),
  write: {
    privilege: 2,
    emit: (c, library, value) => {
      c.store("i64.store", address, stored(value));
      c.run(virtualInterface(library, "virtualInterfaceChanged"));
    },
  },
});

/** A register that is computed where it is read. */
const computed = (name: string, encoding: Encoding, emit: (c: Code, library: Library) => Value): SystemRegister => ({
  name,
  encoding: systemRegisterNumber(...encoding),
  read: { privilege: 2, emit },
});

const FIELDS = BigInt(IchVmcr.VENG0 | IchVmcr.VENG1 | IchVmcr.VCBPR | IchVmcr.VEOIM) | BigInt(PRIORITY_BITS) << BigInt(IchVmcr.VPMRShift);

/** ICH_VMCR_EL2 as it is kept: binary points below the least become that. */
export function keptVmcr(value: Value): Value {
  return [IchVmcr.VBPR0Shift, IchVmcr.VBPR1Shift].reduce((kept, shift, group) => {
    const least = LEAST_BINARY_POINTS[group], point = value.shrU(shift).and(IchVmcr.VBPRMask);
    return kept.or(point.ltU(least).select(constant("i64", least), point).shl(shift));
  }, value.and(FIELDS).or(IchVmcr.VFIQEn));
}

/** The list registers: eight to a CRm. */
const lists = Array.from(
  { length: MOST_LIST_REGISTERS },
  (_, n) => followed(`ICH_LR${n}_EL2`, [3, 4, 12, 12 + (n >> 3), n & 7], CPU.ICH_LR0_EL2 + 8 * n, (value) => value.and(IchLr.Bits)),
);

/** The registers of a CPU with a number of list registers. */
export const ichRegisters = (listRegisters: number): readonly SystemRegister[] => [
  followed("ICH_AP0R0_EL2", [3, 4, 12, 8, 0], CPU.ICH_AP0R0_EL2, (value) => value.and(0xffff_ffffn)),
  followed("ICH_AP1R0_EL2", [3, 4, 12, 9, 0], CPU.ICH_AP1R0_EL2, (value) => value.and(0xffff_ffffn)),
  followed("ICH_HCR_EL2", [3, 4, 12, 11, 0], CPU.ICH_HCR_EL2, (value) => value.and(BigInt(IchHcr.Bits))),
  constantRegister("ICH_VTR_EL2", [3, 4, 12, 11, 1], ichVtr(listRegisters), 2),
  computed("ICH_MISR_EL2", [3, 4, 12, 11, 2], (c, library) => c.call(virtualInterface(library, "maintenanceState")).wide()),
  computed("ICH_EISR_EL2", [3, 4, 12, 11, 3], (c) => endedLists(c, listRegisters)),
  computed("ICH_ELRSR_EL2", [3, 4, 12, 11, 5], (c) => emptyLists(c, listRegisters)),
  followed("ICH_VMCR_EL2", [3, 4, 12, 11, 7], CPU.ICH_VMCR_EL2, keptVmcr),
  ...lists.slice(0, listRegisters),
];
