// SMCCC: what HVC #0 and SMC #0 reach (docs/spec/hypervisor.md §1.5, §6.6; docs/spec/observed.md
// §4). For a CPU that executes EL2 itself it is the firmware at EL3, which SMC #0 alone reaches
// (docs/design/el2.md §8).

import { GZVM_OWNER } from "../../abi/geniezone/calls.ts";
import { Fid, HypFunction, Owner, ownerOf, PvTime, SMCCC_ARCH_FEATURES, SMCCC_VERSION } from "../../abi/smccc.ts";
import type { TraceFields } from "../../abi/trace.ts";
import { API_INFO } from "../../abi/words.ts";
import { DEFERRED } from "../capabilities/hypercall-definition.ts";
import type { SmcccReply } from "./smccc-reply.ts";
import { isPsci, psci, psciAnswer, psciName } from "./psci.ts";
import { drawsBits, isTrng, trng, trngName } from "./trng.ts";
import { refusesWatchdogCall, watchdogCall } from "./watchdog-calls.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** The instruction that makes a call. */
export type Conduit = "hvc" | "smc";

const isFast = (id: number) => (id & Fid.Fast) !== 0 && (id & Fid.Reserved) === 0;

const VERSION = 0x1_0003n;
const UID = [0xcd8f_d5c1n, 0xdb5f_53a4n, 0x36ce_6592n, 0x145f_3d67n];

/** Vendor functions with bits 15:14 = 0b10 are hypercalls, numbered by the rest. */
const HYPERCALL_CLASS = 0x8000;
const HYPERCALL_CLASS_MASK = 0xc000;

/** Results for an unknown function, and for a known one that is not implemented. */
const UNKNOWN: SmcccReply = [0xffff_ffff_ffff_ffffn];
const NOT_THERE: SmcccReply = [0xffff_ffff_ffff_ffffn];
/**
 * SOC_ID, workarounds 1, 2 and 3, PV_TIME_FEATURES and PV_TIME_ST: guests ask for them by calling
 * them, and the specification says that they are not there.
 */
const KNOWN_ABSENT: ReadonlySet<number> = new Set([0x8000_0002, 0x8000_8000, 0x8000_7fff, 0x8000_3fff, PvTime.Features, PvTime.StolenTime]);
const NOT_SUPPORTED_32 = 0xffff_ffffn;

/** Owners whose calls firmware at EL3 serves; those of a hypervisor are EL2's own matter. */
const OWNERS_AT_EL3: ReadonlySet<number> = new Set([Owner.Arch, Owner.StandardSecure]);

/** The owner that serves a call of a vCPU; undefined if there is none. */
function serverOf({ registers }: Vcpu, id: number): number | undefined {
  const owner = ownerOf(id);
  return registers.hasEl2 && !OWNERS_AT_EL3.has(owner) ? undefined : owner;
}

/** PSCI's function numbers in the standard owner's range. */
const PSCI_END = 0x20;

/**
 * Makes the call that `x` (X0..X7, unsigned 64 bits) describes for `vcpu`.
 * Unknown functions answer -1 in X0 and change nothing else.
 */
export function smccc(vcpu: Vcpu, x: readonly bigint[], conduit: Conduit): SmcccReply {
  const id = Number(x[0] & 0xffff_ffffn);
  if (vcpu.trace.isWanted("trap") && !isOperation(vcpu, id, x)) traceCall(vcpu, conduit, { function: x[0] & 0xffff_ffffn });
  const reply = perform(vcpu, x, conduit);
  if (reply === UNKNOWN && !KNOWN_ABSENT.has(id)) vcpu.services.uncovered(vcpu, `SMCCC function 0x${id.toString(16)}`);
  return reply;
}

/** The event of a call that is neither a hypercall nor one of PSCI. */
export function traceCall({ trace }: Vcpu, conduit: Conduit, fields: TraceFields): void {
  if (trace.isWanted("trap")) trace.event("trap", conduit.toUpperCase(), fields);
}

/** Whether a call is a hypercall or one of PSCI, which are operations of the trace. */
function isOperation(vcpu: Vcpu, id: number, x: readonly bigint[]): boolean {
  if (!isFast(id)) return false;
  const { geniezone, hypercalls } = vcpu.services, fn = id & 0xffff, wide = (id & Fid.Smc64) !== 0;
  switch (serverOf(vcpu, id)) {
    case Owner.StandardSecure:
      return fn < PSCI_END && isPsci(vcpu, fn, wide);
    case Owner.VendorHyp:
      if ((fn & HYPERCALL_CLASS_MASK) === HYPERCALL_CLASS) return wide && hypercalls.has(fn & ~HYPERCALL_CLASS_MASK);
      return !wide && refusesWatchdogCall(vcpu, fn, x);
    case GZVM_OWNER:
      return geniezone?.serves(vcpu, id) ?? false;
    default:
      return false;
  }
}

function perform(vcpu: Vcpu, x: readonly bigint[], conduit: Conduit): SmcccReply {
  const id = Number(x[0] & 0xffff_ffffn);
  if (!isFast(id)) return UNKNOWN;
  const wide = (id & Fid.Smc64) !== 0;
  const fn = id & 0xffff;
  const { geniezone } = vcpu.services;
  switch (serverOf(vcpu, id)) {
    case Owner.Arch:
      if (id === SMCCC_VERSION) return [VERSION];
      if (id === SMCCC_ARCH_FEATURES) return [archFeatures(vcpu, Number(x[1] & 0xffff_ffffn))];
      return UNKNOWN;
    case Owner.StandardSecure:
      if (fn < PSCI_END) return psci(vcpu, fn, wide, x) ?? NOT_THERE;
      return isTrng(fn) ? trng(vcpu, fn, wide, x[1]) : UNKNOWN;
    case Owner.StandardHyp:
      if (wide) return pvTime(vcpu, id, Number(x[1] & 0xffff_ffffn)) ?? UNKNOWN;
      if (fn === HypFunction.CallUid) return UID;
      return fn === HypFunction.Revision ? [1n, 0n] : UNKNOWN;
    case Owner.VendorHyp:
      return geniezone?.leaveCall(vcpu, id, x) ?? vendorHyp(vcpu, fn, wide, x, conduit);
    case GZVM_OWNER:
      return geniezone?.call(vcpu, id, x) ?? UNKNOWN;
    default:
      return UNKNOWN;
  }
}

/**
 * The answer to a call that changes nothing but registers; undefined for all others.
 * @param x X0 to X7
 */
export function unchangingAnswer(vcpu: Vcpu, x: readonly bigint[], conduit: Conduit): readonly bigint[] | undefined {
  if (mayChange(vcpu, x, conduit)) return undefined;
  const id = Number(x[0] & 0xffff_ffffn), fn = id & 0xffff, wide = (id & Fid.Smc64) !== 0;
  if (isFast(id) && ownerOf(id) === Owner.StandardSecure && isPsci(vcpu, fn, wide)) return psciAnswer(vcpu, fn, wide, x);
  const reply = perform(vcpu, x, conduit);
  return reply === DEFERRED ? undefined : reply;
}

/** The name of a function of the standard secure service: PSCI and the TRNG. */
export function functionName(id: number): string | undefined {
  const fn = id & 0xffff;
  if (ownerOf(id) !== Owner.StandardSecure) return undefined;
  return fn < PSCI_END ? psciName(fn) : isTrng(fn) ? trngName(fn) : undefined;
}

/** Whether a call may change something, or have another answer the next time, by its number. */
function mayChange(vcpu: Vcpu, x: readonly bigint[], conduit: Conduit): boolean {
  const id = Number(x[0] & 0xffff_ffffn), fn = id & 0xffff, wide = (id & Fid.Smc64) !== 0;
  const { geniezone, hypercalls } = vcpu.services;
  if (!isFast(id)) return false;
  switch (serverOf(vcpu, id)) {
    case Owner.StandardSecure:
      return isTrng(fn) && drawsBits(fn, wide, x[1]);
    case Owner.VendorHyp:
      if (geniezone) return true;
      if ((fn & HYPERCALL_CLASS_MASK) === HYPERCALL_CLASS) return wide && hypercalls.has(fn & ~HYPERCALL_CLASS_MASK);
      return !wide && conduit === "smc" && vcpu.attachments.vpmGroup?.watchdog !== undefined;
    case GZVM_OWNER:
      return geniezone?.serves(vcpu, id) ?? false;
    default:
      return false;
  }
}

function archFeatures(vcpu: Vcpu, id: number): bigint {
  const isThere = id === SMCCC_VERSION || id === SMCCC_ARCH_FEATURES || id === PvTime.Features && recordOf(vcpu) !== undefined;
  return isThere ? 0n : NOT_SUPPORTED_32;
}

/** The IPA of the vCPU's record of stolen time. */
function recordOf({ stolenTime, addressSpace, registers }: Vcpu): number | undefined {
  if (registers.hasEl2) return undefined;
  const area = addressSpace?.infoArea, record = stolenTime?.record;
  return area === undefined || record === undefined ? undefined : area.ipa + record;
}

/** The calls of PV time; undefined for other ones, and for a vCPU without a record. */
function pvTime(vcpu: Vcpu, id: number, asked: number): SmcccReply | undefined {
  const record = recordOf(vcpu);
  if (record === undefined) return undefined;
  if (id === PvTime.StolenTime) return [BigInt(record)];
  if (id !== PvTime.Features) return undefined;
  return asked === PvTime.Features || asked === PvTime.StolenTime ? [0n] : NOT_THERE;
}

function vendorHyp(vcpu: Vcpu, fn: number, wide: boolean, x: readonly bigint[], conduit: Conduit): SmcccReply {
  if ((fn & HYPERCALL_CLASS_MASK) === HYPERCALL_CLASS) {
    if (!wide) return UNKNOWN;
    const reply = vcpu.services.hypercalls.dispatch(vcpu, fn & ~HYPERCALL_CLASS_MASK, x.slice(1));
    if (reply === DEFERRED) return DEFERRED;
    return reply ? reply.values.slice(0, reply.count) : UNKNOWN;
  }
  if (wide) return UNKNOWN;
  if (fn === HypFunction.CallUid) return UID;
  if (fn === HypFunction.CallCount) return NOT_THERE;
  if (fn === HypFunction.Revision) return [API_INFO];
  return conduit === "smc" ? watchdogCall(vcpu, fn, x) ?? UNKNOWN : UNKNOWN;
}
