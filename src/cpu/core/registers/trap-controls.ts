// Which controls of EL2 send an access of EL1 or EL0 to it, by the registers as they are: what
// el2-controls.ts, el2-instructions.ts and icv-registers.ts emit, as names. Arm ARM D13.2.32
// (CPTR_EL2), D13.2.46 (HCR_EL2), D13.3.19 (MDCR_EL2), D13.8.2 (CNTHCTL_EL2); Arm IHI 0069H 12.4.1
// (ICH_HCR_EL2).

import { systemRegisterNumber, systemRegisterText } from "../../isa/names/system-register-names.ts";
import { ExceptionClass, exceptionClass, Pstate } from "../architecture/exceptions.ts";
import {
  type FineTrap,
  fineTrapNamed,
  fineTrapOfMove,
  fineTrapOfSys,
  isKey,
  type RegisterMove,
} from "../architecture/fine-grained-traps.ts";
import { Cnthctl, Cptr, Hcr, Mdcr } from "../architecture/hypervisor-control.ts";
import { IchHcr } from "../architecture/virtual-gic.ts";
import { CHANNEL_OF_EL1, trapBits } from "./el2-controls.ts";
import { trapOfInstruction } from "./el2-instructions.ts";
import type { RegisterName, VcpuState } from "./vcpu-state.ts";

/** An access: op0:op1:CRn:CRm:op2, and the direction. */
interface TrappedAccess {
  readonly encoding: number;
  readonly direction: RegisterMove;
}

type ControlRegisters = Pick<VcpuState, "getRegister">;
/** A register of controls, one of them, its bits, and whether it traps while they are clear. */
type TrapControl = readonly [register: RegisterName, name: string, bits: bigint, whileClear?: true];

const ofHcr = (name: keyof typeof Hcr): TrapControl => ["HCR_EL2", name, Hcr[name]];
/** One that permits what it is for. */
const permission = (name: keyof typeof Hcr): TrapControl => ["HCR_EL2", name, Hcr[name], true];
const ofMdcr = (name: keyof typeof Mdcr): TrapControl => ["MDCR_EL2", name, Mdcr[name]];
const ofInterface = (name: "TC" | "TALL0" | "TALL1" | "TDIR"): TrapControl => ["ICH_HCR_EL2", name, BigInt(IchHcr[name])];

/** The controls that are on, as the manual writes them: `HCR_EL2.TVM`. */
const namesOf = (registers: ControlRegisters, controls: readonly TrapControl[]): string[] =>
  controls.filter(([register, , bits, whileClear = false]) => (registers.getRegister(register) & bits) === 0n === whileClear)
    .map(([register, name]) => `${register}.${name}`);

/**
 * Those that send the exception of a syndrome to EL2: a system register's or a SYS instruction's,
 * SMC, WFI, WFE, ERET, SVC, floating point. None for other classes.
 */
export function trapControls(registers: ControlRegisters, esr: number): string[] {
  switch (exceptionClass(esr)) {
    case ExceptionClass.SystemRegister:
      return namesOf(registers, accessControls(registers, { encoding: trappedEncoding(esr), direction: esr & 1 ? "read" : "write" }));
    case ExceptionClass.Smc:
      return namesOf(registers, [ofHcr("TSC")]);
    case ExceptionClass.Wfx:
      return namesOf(registers, [ofHcr(esr & 1 ? "TWE" : "TWI")]);
    case ExceptionClass.ExceptionReturn:
      return namesOf(registers, fineControl(fineTrapNamed("ERET")));
    case ExceptionClass.Svc: {
      const isOfEl0 = (registers.getRegister("SPSR_EL2") & BigInt(Pstate.ElMask)) === 0n;
      return namesOf(registers, fineControl(fineTrapNamed(isOfEl0 ? "SVC_EL0" : "SVC_EL1")));
    }
    case ExceptionClass.PointerUse:
      return namesOf(registers, [permission("API")]);
    case ExceptionClass.FpAccess:
      return floatingPointControls(registers);
    default:
      return [];
  }
}

/** op0:op1:CRn:CRm:op2 of a trapped MSR, MRS or SYS, by the syndrome's fields. Arm ARM D13.2.37. */
export function trappedEncoding(esr: number): number {
  const part = (lowest: number, bits: number) => esr >> lowest & (1 << bits) - 1;
  return systemRegisterNumber(part(20, 2), part(14, 3), part(10, 4), part(1, 4), part(17, 3));
}

/** Those that trap floating point. */
function floatingPointControls(registers: ControlRegisters): string[] {
  const isHost = (registers.getRegister("HCR_EL2") & Hcr.E2H) !== 0n;
  if (!isHost) return namesOf(registers, [["CPTR_EL2", "TFP", Cptr.TFP]]);
  return (registers.getRegister("CPTR_EL2") & Cptr.FPEN) === Cptr.FPEN ? [] : ["CPTR_EL2.FPEN"];
}

/** A fine-grained trap, if there is one for it. */
const fineControl = (trap: FineTrap | undefined): TrapControl[] => trap ? [[trap.register, trap.name, trap.mask]] : [];

function accessControls(registers: ControlRegisters, access: TrappedAccess): TrapControl[] {
  const { encoding, direction } = access, sys = [encoding >> 11 & 7, encoding >> 7 & 15, encoding >> 3 & 15, encoding & 7] as const;
  if (encoding >> 14 === 1) {
    const trap = trapOfInstruction(sys), bits = Object.entries(Hcr).filter(([, bit]) => bit === trap);
    return [...bits.map(([name, bit]): TrapControl => ["HCR_EL2", name, bit]), ...fineControl(fineTrapOfSys(sys))];
  }
  const name = systemRegisterText(encoding).toUpperCase();
  return [...coarseControls(registers, access, name), ...fineControl(fineTrapOfMove(name, direction))];
}

/** Those of a register without fine-grained traps. */
function coarseControls(registers: ControlRegisters, { encoding, direction }: TrappedAccess, name: string): TrapControl[] {
  const [op0, op1, crn, crm] = [encoding >> 14, encoding >> 11 & 7, encoding >> 7 & 15, encoding >> 3 & 15];
  if (op0 === 2) return [...debugControls(encoding), ofMdcr("TDE")];
  const held = trapBits(name, direction).map(ofHcr);
  if (held.length) return held;
  if (isKey(name)) return [permission("APK")];
  if (name === "CPACR_EL1") return [["CPTR_EL2", "TCPAC", Cptr.TCPAC]];
  const timer = (bit: "EL1PCTEN" | "EL1PCEN"): TrapControl[] => {
    const shift = registers.getRegister("HCR_EL2") & Hcr.E2H ? Cnthctl.HostShift : 0;
    return [["CNTHCTL_EL2", bit, BigInt(Cnthctl[bit] << shift), true]];
  };
  if (name === "CNTPCT_EL0") return timer("EL1PCTEN");
  if (name.startsWith("CNTP_")) return timer("EL1PCEN");
  if (name.startsWith("ICC_")) return interfaceControls(name);
  if (crn === 0 && op1 === 0 && crm > 0) return [ofHcr("TID3")];
  if (crn === 11 || crn === 15) return [ofHcr("TIDCP")];
  if (name === "ACTLR_EL1") return [ofHcr("TACR")];
  if (name.startsWith("ERX") || name.startsWith("ERR")) return [ofHcr("TERR")];
  return crn === 9 ? [ofMdcr("TPM")] : [];
}

function debugControls(encoding: number): TrapControl[] {
  const op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15;
  if (crn === 1) return [ofMdcr(encoding & 0x7f ? "TDOSA" : "TDRA")];
  const isChannel = crn === 0 && op1 === 3 || CHANNEL_OF_EL1.includes(encoding);
  return [ofMdcr("TDA"), ...isChannel ? [ofMdcr("TDCC")] : []];
}

/** Of the GIC's CPU interface. Registers that send interrupts go to EL2 where interrupts do. */
function interfaceControls(name: string): TrapControl[] {
  // ICC_SRE_EL2 controls that one.
  if (name === "ICC_SRE_EL1") return [];
  if (/SGI\d+R/.test(name)) return [ofInterface("TC"), ofHcr("IMO"), ofHcr("FMO")];
  const common = name === "ICC_DIR_EL1" ? [ofInterface("TC"), ofInterface("TDIR")] : [ofInterface("TC")];
  const group = /[A-Z](0|1)(?:R\d)?_EL1$|AP(0|1)R\d_EL1$/.exec(name), number = group?.[1] ?? group?.[2];
  return number === undefined ? common : [ofInterface(number === "0" ? "TALL0" : "TALL1")];
}
