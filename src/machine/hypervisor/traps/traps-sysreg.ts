// System registers that trap to EL2: identification, the GIC's CPU interface, ACTLR and debug
// (docs/spec/hypervisor.md §6.7, docs/spec/observed.md §3). Others are UNDEFINED for the guest.

import { iccKey } from "../gic/gic-registers.ts";
import { idRegister, isOffered } from "./id-registers.ts";
import { traceRegister } from "./traps-trace.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** The ISS of a trapped MSR or MRS (Arm ARM, ESR_EL2 for EC 0x18). */
class TrappedAccess {
  readonly op0: number;
  readonly op1: number;
  readonly crn: number;
  readonly crm: number;
  readonly op2: number;
  readonly isRead: boolean;

  constructor(esr: number) {
    this.op0 = esr >>> 20 & 3;
    this.op2 = esr >>> 17 & 7;
    this.op1 = esr >>> 14 & 7;
    this.crn = esr >>> 10 & 15;
    this.crm = esr >>> 1 & 15;
    this.isRead = (esr & 1) !== 0;
  }

  is(op0: number, op1: number, crn: number, crm: number, op2: number): boolean {
    return this.op0 === op0 && this.op1 === op1 && this.crn === crn && this.crm === crm && this.op2 === op2;
  }
}

/** Makes the access; false if it is undefined. */
export function handleSystemRegister(vcpu: Vcpu, esr: number): boolean {
  const { core } = vcpu.services;
  const access = new TrappedAccess(esr);
  if (access.isRead) {
    const value = read(vcpu, access);
    traceRegister(vcpu, access, true, value);
    if (value === undefined) return false;
    core.completeRead(vcpu.registers, esr, value);
    return true;
  }
  const value = core.storeValue(vcpu.registers, esr);
  const written = write(vcpu, access, value);
  traceRegister(vcpu, access, false, written ? value : undefined);
  if (!written) return false;
  core.skip(vcpu.registers);
  return true;
}

/** Whether a trapped access reads the feature ID space (op0 3, op1 0, 1 or 3, CRn 0, CRm 0..7). */
export function isIdentificationRead(esr: number): boolean {
  const { op0, op1, crn, crm, isRead } = new TrappedAccess(esr);
  return isRead && op0 === 3 && crn === 0 && crm <= 7 && (op1 === 0 || op1 === 1 || op1 === 3);
}

function read(vcpu: Vcpu, access: TrappedAccess): bigint | undefined {
  if (access.op0 === 2) return readDebug(vcpu, access);
  if (isIdentification(access)) {
    return idRegister(access.crm, access.op2, vcpu);
  }
  if (isErridr(access)) return isOffered("FEAT_RAS", vcpu) ? NO_RECORDS : undefined;
  if (isActlr(access)) return 0n;
  if (isSreOfEl2(access)) return ICC_SRE_EL2;
  if (isIcc(access)) {
    const value = vcpu.gic.readRegister(iccKey(access.crn, access.crm, access.op2));
    return value === undefined ? undefined : BigInt(value);
  }
  return undefined;
}

function write(vcpu: Vcpu, access: TrappedAccess, value: bigint): boolean {
  if (access.op0 === 2) return writeDebug(vcpu, access, value);
  if (isActlr(access) || isSreOfEl2(access)) return true;
  return isIcc(access) && vcpu.gic.writeRegister(iccKey(access.crn, access.crm, access.op2), value);
}

function isIdentification({ op0, op1, crn, crm }: TrappedAccess): boolean {
  return op0 === 3 && op1 === 0 && crn === 0 && crm >= 1 && crm <= 7;
}

/** The number of error records. */
function isErridr(access: TrappedAccess): boolean {
  return access.is(3, 0, 5, 3, 0);
}

const NO_RECORDS = 0n;

function isActlr(access: TrappedAccess): boolean {
  return access.is(3, 0, 1, 0, 1);
}

/** ICC_SRE_EL2: there are system registers alone, and EL1 has them, too. */
function isSreOfEl2(access: TrappedAccess): boolean {
  return access.is(3, 4, 12, 9, 5);
}

const ICC_SRE_EL2 = 0xfn;

function isIcc({ op0, op1, crn, crm }: TrappedAccess): boolean {
  return op0 === 3 && op1 === 0 && (crn === 4 && crm === 6 || crn === 12 && crm >= 8);
}

/**
 * Debug registers that are there read as zero and ignore writes, but for MDSCR and the comparators,
 * which the core obeys.
 */
function readDebug(vcpu: Vcpu, access: TrappedAccess): bigint | undefined {
  if (isMdscr(access)) return vcpu.registers.getRegister("MDSCR_EL1");
  const comparators = comparatorsOf(vcpu, access);
  if (comparators) return comparators[access.crm];
  return isPlainDebug(access) || isOslsr(access) ? 0n : undefined;
}

function writeDebug(vcpu: Vcpu, access: TrappedAccess, value: bigint): boolean {
  const comparators = comparatorsOf(vcpu, access);
  if (isMdscr(access)) vcpu.registers.setRegister("MDSCR_EL1", value);
  else if (comparators) {
    comparators[access.crm] = value;
    vcpu.registers.debug.version++;
  } else return isPlainDebug(access) || isOslar(access);
  return true;
}

function isMdscr(access: TrappedAccess): boolean {
  return access.is(2, 0, 0, 2, 2);
}

/**
 * The OS lock is never locked; its access register is write-only, its status register read-only.
 */
function isOslar(access: TrappedAccess): boolean {
  return access.is(2, 0, 1, 0, 4);
}

function isOslsr(access: TrappedAccess): boolean {
  return access.is(2, 0, 1, 1, 4);
}

/** CRm and op2 of OSDTRRX, MDCCINT, OSDTRTX, OSECCR: the communication channel, as EL1 has it. */
const CHANNEL: readonly (readonly [crm: number, op2: number])[] = [[0, 2], [2, 0], [3, 2], [6, 2]];

/** The communication channel, MDRAR and the double lock. */
function isPlainDebug(access: TrappedAccess): boolean {
  return CHANNEL.some(([crm, op2]) => access.is(2, 0, 0, crm, op2)) || access.is(2, 0, 1, 0, 0) || access.is(2, 0, 1, 3, 4);
}

/**
 * The registers DBGBVR, DBGBCR, DBGWVR or DBGWCR (op2 4..7), numbered by CRm; undefined without
 * such a comparator.
 */
function comparatorsOf(vcpu: Vcpu, { op1, crn, crm, op2 }: TrappedAccess): bigint[] | undefined {
  if (op1 !== 0 || crn !== 0 || op2 < 4) return undefined;
  const { bvr, bcr, wvr, wcr } = vcpu.registers.debug;
  const registers = [bvr, bcr, wvr, wcr][op2 - 4];
  return crm < registers.length ? registers : undefined;
}
