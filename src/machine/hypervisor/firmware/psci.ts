// PSCI 1.1 (Arm DEN 0022) for the vCPUs of a VPM group (docs/spec/hypervisor.md §5.6, §6.5;
// docs/spec/observed.md §4).

import { Fid, PSCI_FUNCTIONS } from "../../abi/smccc.ts";
import { DEFERRED } from "../capabilities/hypercall-definition.ts";
import type { SmcccReply } from "./smccc-reply.ts";
import { affinityOfMpidr } from "../gic/affinity.ts";
import { DEEPEST_POWER_STATE, POWER_STATE_POWERDOWN, type SystemReset } from "../scheduling/vcpu-life.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { VpmGroup } from "../scheduling/vpm-group.ts";

/** Function numbers (bits 15:0 of the ids). */
const Psci = {
  Version: 0x00,
  CpuSuspend: 0x01,
  CpuOff: 0x02,
  CpuOn: 0x03,
  AffinityInfo: 0x04,
  MigrateInfoType: 0x06,
  SystemOff: 0x08,
  SystemReset: 0x09,
  Features: 0x0a,
  CpuDefaultSuspend: 0x0c,
  SetSuspendMode: 0x0f,
  SystemReset2: 0x12,
} as const;

const VERSION = 0x1_0001n;
const SMCCC_VERSION_ID = 0x8000_0000;
/** Ids of PSCI with bit 30, the 64-bit convention, cleared. */
const PSCI_ID = 0x8400_0000;

/** Return codes, signed. */
const Status = {
  Success: 0n,
  NotSupported: -1n,
  InvalidParameters: -2n,
  Denied: -3n,
  AlreadyOn: -4n,
  InternalFailure: -6n,
} as const;

/** AFFINITY_INFO. */
const Affinity = { On: 0n, Off: 1n } as const;

/** MIGRATE_INFO_TYPE: there is no Trusted OS that would have to migrate. */
const NO_TRUSTED_OS = 2n;

/** CPU_SUSPEND's feature flag: the extended StateID format. */
const FEATURE_EXTENDED_STATE_ID = 2n;

/** Whether a function exists in the 32-bit and in the 64-bit convention, and at EL3 alone. */
interface Existence {
  readonly narrow: boolean;
  readonly wide: boolean;
  readonly onlyEl3?: boolean;
}

/** Functions that exist. */
const IMPLEMENTED = new Map<number, Existence>([
  [Psci.Version, { narrow: true, wide: false }],
  [Psci.CpuSuspend, { narrow: true, wide: true }],
  [Psci.CpuOff, { narrow: true, wide: false }],
  [Psci.CpuOn, { narrow: true, wide: true }],
  [Psci.AffinityInfo, { narrow: true, wide: true }],
  [Psci.MigrateInfoType, { narrow: true, wide: false, onlyEl3: true }],
  [Psci.SystemOff, { narrow: true, wide: false }],
  [Psci.SystemReset, { narrow: true, wide: false }],
  [Psci.Features, { narrow: true, wide: false }],
  [Psci.CpuDefaultSuspend, { narrow: true, wide: true }],
  [Psci.SetSuspendMode, { narrow: true, wide: false }],
  [Psci.SystemReset2, { narrow: true, wide: true }],
]);

/** Whether a function exists for this vCPU. */
export function isPsci(vcpu: Vcpu, fn: number, wide: boolean): boolean {
  return isImplemented(vcpu, fn, wide) && (vcpu.attachments.vpmGroup !== undefined || fn === Psci.Features);
}

/**
 * Answers function `fn`.
 * @param wide whether the id is of the 64-bit convention; otherwise arguments and results are 32
 * bits
 * @param x X0..X7
 * @returns undefined if the function does not exist for this vCPU
 */
export function psci(vcpu: Vcpu, fn: number, wide: boolean, x: readonly bigint[]): SmcccReply | undefined {
  if (!isPsci(vcpu, fn, wide)) return undefined;
  const group = vcpu.attachments.vpmGroup, args = argumentsOf(wide, x);
  const status = vcpu.trace.isWanted("psci") ? performTraced(vcpu, group, fn, wide, args) : perform(vcpu, group, fn, wide, args);
  return status === DEFERRED ? DEFERRED : replyOf(status, wide, args);
}

function replyOf(status: bigint, wide: boolean, args: readonly bigint[]): readonly bigint[] {
  // Calls of the 32-bit convention write back X1..X3 cut to 32 bits.
  return wide ? [BigInt.asUintN(64, status)] : [BigInt.asUintN(32, status), ...args];
}

/** As `psci`, without a trace, for functions that change nothing; undefined for all others. */
export function psciAnswer(vcpu: Vcpu, fn: number, wide: boolean, x: readonly bigint[]): readonly bigint[] | undefined {
  const group = vcpu.attachments.vpmGroup;
  if (!isImplemented(vcpu, fn, wide) || !group) return undefined;
  const args = argumentsOf(wide, x);
  const status = fn === Psci.CpuOn ? toStart(vcpu, group, args[0]) : UNCHANGING.has(fn) ? perform(vcpu, group, fn, wide, args) : undefined;
  return typeof status === "bigint" ? replyOf(status, wide, args) : undefined;
}

/** Functions that change nothing. */
const UNCHANGING: ReadonlySet<number> = new Set<number>([Psci.Version, Psci.Features, Psci.AffinityInfo, Psci.MigrateInfoType]);

function argumentsOf(wide: boolean, x: readonly bigint[]): bigint[] {
  return wide ? x.slice(1, 4) : x.slice(1, 4).map((value) => value & 0xffff_ffffn);
}

function isImplemented({ registers: { hasEl2 } }: Vcpu, fn: number, wide: boolean): boolean {
  const function_ = IMPLEMENTED.get(fn);
  return function_ !== undefined && (wide ? function_.wide : function_.narrow) && (hasEl2 || !function_.onlyEl3);
}

/** As `perform`, as an operation of the trace. */
function performTraced(...call: Parameters<typeof perform>): ReturnType<typeof perform> {
  const [vcpu, , fn, , args] = call;
  const name = nameOf(Psci, fn);
  const id = vcpu.trace.begin("psci", name, { args });
  const status = perform(...call);
  const result = status === DEFERRED ? undefined : Number(status);
  const known = result === undefined ? "no return" : result > 0 ? `0x${result.toString(16)}` : nameOf(Status, status);
  vcpu.trace.end(id, { code: result ?? 0, name: known, refused: false });
  return status;
}

/** The name of a function by its number: CPU_ON. */
export const psciName = (fn: number): string => fn === Psci.Version ? "PSCI_VERSION" : PSCI_FUNCTIONS[fn] ?? String(fn);

/** The key of a value, as the specification writes it: CPU_ON. */
function nameOf(values: Readonly<Record<string, unknown>>, value: unknown): string {
  const key = Object.keys(values).find((key) => values[key] === value);
  return key ? key.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase() : String(value);
}

function perform(vcpu: Vcpu, group: VpmGroup | undefined, fn: number, wide: boolean, args: readonly bigint[]): bigint | typeof DEFERRED {
  if (fn === Psci.Features) return features(vcpu, Number(args[0] & 0xffff_ffffn));
  if (!group) return Status.NotSupported;
  switch (fn) {
    case Psci.Version:
      return VERSION;
    case Psci.CpuSuspend:
      return suspend(vcpu, Number(args[0] & 0xffff_ffffn), args[1], args[2]);
    case Psci.CpuDefaultSuspend:
      return suspend(vcpu, DEEPEST_POWER_STATE, args[0], args[1]);
    case Psci.CpuOff:
      if (group.aggregates && group.isLastOnline(vcpu)) return Status.Denied;
      vcpu.powerOff();
      return DEFERRED;
    case Psci.CpuOn:
      return cpuOn(vcpu, group, args);
    case Psci.AffinityInfo:
      return affinityInfo(group, args[0], Number(args[1] & 0xffff_ffffn));
    case Psci.MigrateInfoType:
      return NO_TRUSTED_OS;
    case Psci.SystemOff:
      powerOffSystem(vcpu);
      return DEFERRED;
    case Psci.SystemReset:
      return systemReset(vcpu, { kind: "reset", wide: false, type: 0, cookie: 0n });
    case Psci.SystemReset2:
      return systemReset(vcpu, { kind: "reset2", wide, type: Number(args[0] & 0xffff_ffffn), cookie: args[1] });
    case Psci.SetSuspendMode:
      return args[0] === 0n ? Status.Success : Status.InvalidParameters;
    default:
      throw new Error(`PSCI function ${fn} is listed as implemented and has no code`);
  }
}

function features(vcpu: Vcpu, id: number): bigint {
  if (id === SMCCC_VERSION_ID) return Status.Success;
  const fn = id & 0xffff, inGroup = vcpu.attachments.vpmGroup !== undefined;
  const known = inGroup && (id & ~Fid.Smc64) >>> 0 === PSCI_ID + fn && isImplemented(vcpu, fn, (id & Fid.Smc64) !== 0);
  if (!known) return Status.NotSupported;
  return fn === Psci.CpuSuspend ? FEATURE_EXTENDED_STATE_ID : Status.Success;
}

/**
 * Sleeps until an interrupt; a vCPU that loses its registers comes back at `entry` with X0 =
 * `context`.
 */
function suspend(vcpu: Vcpu, powerState: number, entry: bigint, context: bigint): bigint {
  if (!vcpu.gic.hasInterrupt) vcpu.suspend(powerState, powerState & POWER_STATE_POWERDOWN ? { entry, context } : undefined);
  return Status.Success;
}

function cpuOn(vcpu: Vcpu, group: VpmGroup, [mpidr, entry, context]: readonly bigint[]): bigint {
  const target = toStart(vcpu, group, mpidr);
  if (typeof target === "bigint") {
    group.noteStart(mpidr, { vcpu: vcpu.index, pc: vcpu.registers.pc, status: nameOf(Status, target) });
    return target;
  }
  group.noteStart(mpidr, undefined);
  target.powerOn(entry, context);
  return Status.Success;
}

/** The vCPU that CPU_ON of this MPIDR starts, or its error: of EL3 for a CPU that is not there. */
function toStart({ registers: { hasEl2 } }: Vcpu, group: VpmGroup, mpidr: bigint): Vcpu | bigint {
  const target = find(group, mpidr);
  if (target === "invalid" || !target && hasEl2) return Status.InvalidParameters;
  if (!target || target.life.isDead) return Status.InternalFailure;
  return target.life.isPoweredOff ? target : Status.AlreadyOn;
}

function affinityInfo(group: VpmGroup, mpidr: bigint, level: number): bigint {
  const target = find(group, mpidr);
  if (level !== 0 || target === "invalid" || !target) return Status.InvalidParameters;
  return target.life.isPoweredOff ? Affinity.Off : Affinity.On;
}

/**
 * The vCPU with this MPIDR; undefined if it could exist and does not. Bits of the MPIDR outside
 * its affinity are ignored.
 */
function find(group: VpmGroup, mpidr: bigint): Vcpu | undefined | "invalid" {
  const index = group.vcpus[0]?.attachments.vic?.gic.indexOf(affinityOfMpidr(mpidr));
  return index === undefined ? "invalid" : group.vcpus.find((vcpu) => vcpu.index === index);
}

/** Ends the system of a vCPU, as SYSTEM_OFF does. */
export function powerOffSystem(vcpu: Vcpu): void {
  if (vcpu.settings.isCritical) endMachine(vcpu, "system-off");
  else endSystem(vcpu);
}

function systemReset(vcpu: Vcpu, reset: SystemReset): typeof DEFERRED {
  if (vcpu.settings.isCritical) endMachine(vcpu, "system-reset");
  else {
    vcpu.life.askForReset(reset);
    endSystem(vcpu);
  }
  return DEFERRED;
}

/** The machine ends with its primary VM. */
function endMachine(vcpu: Vcpu, kind: "system-off" | "system-reset"): void {
  vcpu.services.onVcpuEnd?.(vcpu, kind);
  vcpu.services.end({ kind, vcpu: vcpu.name });
}

/** The others are killed; the caller is powered off by force, which its halt vIRQ reports. */
function endSystem(vcpu: Vcpu): void {
  for (const other of vcpu.attachments.vpmGroup?.vcpus ?? []) if (other !== vcpu) other.kill();
  vcpu.halt();
}
