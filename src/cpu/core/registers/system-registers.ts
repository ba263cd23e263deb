// System registers that the core holds: their access rights, and the side effects of writes. Arm
// ARM D13.2, C5.2 (PSTATE fields); docs/architecture/core.md, "The contract with EL2"
// (what goes to EL2 instead); docs/design/core.md §I8.
//
// The table below is the only list of them. A register that is not in it is UNDEFINED at EL0 and
// traps to EL2 at EL1.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import {
  Mdscr,
  Pstate,
  Sctlr,
  SCTLR_BT_SHIFTS,
  SCTLR_DSSBS_SHIFT,
  SCTLR_EPAN_SHIFT,
  SCTLR_MSCEN_SHIFT,
} from "../architecture/exceptions.ts";
import { CACHES, ccsidr, CLIDR_EL1, CTR_EL0, DCZID_DZP_SHIFT, DCZID_EL0, wideCcsidr } from "../architecture/features.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { noteControls, updateAsid } from "../exceptions/tlb-spaces.ts";
import { fpcrMask, FPSR_MASK } from "../fp/formats.ts";
import { tlbFunction } from "../memory/tlb.ts";
import { hasEl2, regimeBank, spaceOf } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { pendingInterrupts, trapsZero } from "./el2-controls.ts";
import { updatePointers } from "./pointer-authentication.ts";
import { performanceRegisters, withEvent } from "./performance-registers.ts";
import {
  constantRegister,
  type El0Control,
  type Encoding,
  masked,
  plain,
  type Privilege,
  readOnly,
  type SystemRegister,
} from "./system-register.ts";
import { SELF_SYNCHRONIZED_COUNTERS, TIMER_REGISTERS } from "./timer-registers.ts";

export const pstate = (c: Code) => c.load("i32.load", CPU.PSTATE);
/** SCTLR of the regime of EL0. */
const sctlr = (c: Code, library: Library) => regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1);
export const sctlrAllows = (mask: number): El0Control => ({ allowed: (c, library) => sctlr(c, library).and(mask) });
const unlessSctlr = (mask: number): El0Control => ({ allowed: (c, library) => sctlr(c, library).and(mask).not() });

/**
 * State of a level whose change makes cached translations wrong: `flushOn` are the bits that do.
 */
export const translating = (
  name: string,
  encoding: Encoding,
  address: number,
  flushOn: bigint,
  stored: (value: Value) => Value,
  el: 1 | 2 = 1,
): SystemRegister => ({
  ...readOnly(name, encoding, address, el),
  write: {
    privilege: el,
    emit: (c, library, value) => {
      const changed = c.let(c.load("i64.load", address).xor(stored(value)).and(flushOn));
      c.store("i64.store", address, stored(value));
      const follow = () => {
        if (flushOn) c.if(changed.nonZero(), () => c.run(tlbFunction(library, "tlbFlushSpace"), spaceOf(c, library, el)));
        updateAsid(c, library, el);
      };
      if (!hasEl2(library) || el === 2) return follow();
      // A write by EL2 counts when EL1 is entered.
      c.if(c.load("i32.load", CPU.REGIME_BANK).not(), () => {
        follow();
        noteControls(c);
      });
    },
  },
});

/** A field of PSTATE that reads in place. */
const pstateField = (name: string, encoding: Encoding, mask: number, writable = true, privilege: Privilege = 1): SystemRegister => ({
  name,
  encoding: systemRegisterNumber(...encoding),
  read: { privilege, emit: (c) => pstate(c).and(mask).wide() },
  ...(writable
    ? { write: { privilege, emit: (c: Code, library: Library, value: Local) => setPstateField(c, library, mask, value.wrap()) } }
    : {}),
});

export function setPstateField(c: Code, library: Library, mask: number, value: Value): void {
  c.run(exceptionFunction(library, "setPstate"), pstate(c).and(~mask).or(value.and(mask)));
  // PAN changes the TLB set, which the interpreter holds in a local.
  if (mask === Pstate.PAN) c.run(exceptionFunction(library, "resumeAfter"));
}

/** Ends an access with the exception of `raise` where `refused` holds. */
function refuse(c: Code, library: Library, refused: Value, raise: "raiseUndefined" | "raiseFpTrap"): void {
  c.if(refused, () => {
    c.run(callee(library, raise));
    c.return(...c.f.results.map(() => constant("i64", 0)));
  });
}

/** SP_EL0 is UNDEFINED while it is the stack pointer in use. */
const refuseSp0 = (c: Code, library: Library) => refuse(c, library, pstate(c).and(Pstate.SP).not(), "raiseUndefined");

/** FPCR and FPSR: 32 bits, trapped as FP instructions are. */
const fpRegister = (name: string, encoding: Encoding, address: number, mask: number): SystemRegister => {
  const refuseTrapped = (c: Code, library: Library) => refuse(c, library, c.load("i32.load", CPU.FP_TRAP), "raiseFpTrap");
  return {
    name,
    encoding: systemRegisterNumber(...encoding),
    read: {
      privilege: 0,
      emit: (c, library) => {
        refuseTrapped(c, library);
        return c.load("i64.load32_u", address);
      },
    },
    write: {
      privilege: 0,
      emit: (c, library, value) => {
        refuseTrapped(c, library);
        c.store("i32.store", address, value.wrap().and(mask));
      },
    },
  };
};

const SCTLR_RES1 = 0x3050_0800n;
const SCTLR_WRITABLE = 0x048d_d3bfn | BigInt(Sctlr.SPAN);
/** Bits of SCTLR_EL1 that a feature adds. */
const SCTLR_BITS: readonly (readonly [feature: FeatureName, bits: bigint])[] = [
  ["FEAT_SSBS", 1n << BigInt(SCTLR_DSSBS_SHIFT)],
  ["FEAT_LSE2", BigInt(Sctlr.nAA)],
  ["FEAT_IESB", 1n << 21n],
  ["FEAT_CSV2_2", BigInt(Sctlr.TSCXT)],
  ["FEAT_SPECRES", BigInt(Sctlr.EnRCTX)],
  ["FEAT_MOPS", 1n << BigInt(SCTLR_MSCEN_SHIFT)],
  ["FEAT_PAN3", 1n << BigInt(SCTLR_EPAN_SHIFT)],
  ["FEAT_BTI", SCTLR_BT_SHIFTS.reduce((bits, shift) => bits | 1n << BigInt(shift), 0n)],
  ["FEAT_PAuth", BigInt((Sctlr.EnIA | Sctlr.EnIB | Sctlr.EnDA | Sctlr.EnDB) >>> 0)],
];

const sctlrWritable = (features: ReadonlySet<FeatureName>) =>
  SCTLR_BITS.reduce((bits, [feature, more]) => features.has(feature) ? bits | more : bits, SCTLR_WRITABLE);
export const SCTLR_FLUSH = BigInt(Sctlr.M | Sctlr.A | Sctlr.WXN) | 1n << BigInt(SCTLR_EPAN_SHIFT);
const CPACR_FPEN = 0x30_0000n;
const ALL_BITS = (1n << 64n) - 1n;
const LOW_32 = 0xffff_ffffn;
const same = (value: Value) => value;

/** The bits of SCTLR_EL1, and of SCTLR_EL2, that a CPU has. */
export function sctlrBits(features: ReadonlySet<FeatureName>): (value: Value) => Value {
  const writable = sctlrWritable(features), ones = SCTLR_RES1 & ~writable;
  return (value) => value.and(writable).or(ones);
}

/** SCTLR_EL1 of a CPU. */
function sctlrEl1(features: ReadonlySet<FeatureName>): SystemRegister {
  const register = translating("SCTLR_EL1", [3, 0, 1, 0, 0], CPU.SCTLR_EL1, SCTLR_FLUSH, sctlrBits(features));
  return {
    ...register,
    write: {
      privilege: 1,
      emit: (c, library, value) => {
        // EL2 sets HCR_EL2.TVM with DC, and refuses to turn stage 1 on; it passes every other write
        // on.
        refuse(c, library, c.load("i32.load", CPU.DEFAULT_CACHEABLE).and(value.wrap().and(Sctlr.M)), "raiseUndefined");
        register.write!.emit(c, library, value);
      },
    },
  };
}

/** TCR of a level, which says where codes lie in pointers. */
export function tcrWithPointers(register: SystemRegister, features: ReadonlySet<FeatureName>, el: 1 | 2): SystemRegister {
  if (!features.has("FEAT_PAuth")) return register;
  return {
    ...register,
    write: {
      privilege: el,
      emit: (c, library, value) => {
        register.write!.emit(c, library, value);
        c.run(updatePointers(library, el));
      },
    },
  };
}

/** The halves of the keys of pointer authentication, in the order of their encodings. */
const PAC_KEYS = (["APIA", "APIB", "APDA", "APDB", "APGA"] as const).flatMap((key, index) =>
  (["Lo", "Hi"] as const).map((half, high) => {
    const name = `${key}Key${half}_EL1` as const, number = 2 * index + high;
    return plain(name, [3, 0, 2, 1 + (number >> 2), number & 3], CPU[name]);
  })
);

/**
 * A random number (FEAT_RNG), and NZCV of success: SplitMix64, whose state EL2 has set, so that
 * runs repeat. RNDRRS takes no new seed.
 */
function randomNumber(name: string, op2: number): SystemRegister {
  const emit = (c: Code) => {
    const state = c.let(c.load("i64.load", CPU.RNDR).add(BigInt.asIntN(64, 0x9e37_79b9_7f4a_7c15n)));
    c.store("i64.store", CPU.RNDR, state);
    const mixed = (value: Value, shift: number, factor: bigint) => {
      const local = c.let(value);
      return local.xor(local.shrU(shift)).mul(BigInt.asIntN(64, factor));
    };
    const last = c.let(mixed(mixed(state, 30, 0xbf58_476d_1ce4_e5b9n), 27, 0x94d0_49bb_1331_11ebn));
    for (const flag of [CPU.N, CPU.V]) c.store("i64.store", flag, constant("i64", 0));
    c.store("i64.store", CPU.Z, constant("i64", 1));
    c.store("i32.store", CPU.C, constant("i32", 0));
    return last.xor(last.shrU(31));
  };
  return { name, encoding: systemRegisterNumber(3, 3, 2, 4, op2), read: { privilege: 0, emit } };
}

/** The registers that features add. */
const EXTENSIONS: readonly (readonly [feature: FeatureName, register: SystemRegister])[] = [
  ["FEAT_SSBS2", pstateField("SSBS", [3, 3, 4, 2, 6], Pstate.SSBS, true, 0)],
  ["FEAT_UAO", pstateField("UAO", [3, 0, 4, 2, 4], Pstate.UAO)],
  ["FEAT_DIT", pstateField("DIT", [3, 3, 4, 2, 5], Pstate.DIT, true, 0)],
  ["FEAT_RAS", plain("DISR_EL1", [3, 0, 12, 1, 1], CPU.DISR_EL1)],
  ["FEAT_CSV2_2", plain("SCXTNUM_EL1", [3, 0, 13, 0, 7], CPU.SCXTNUM_EL1)],
  ["FEAT_CSV2_2", plain("SCXTNUM_EL0", [3, 3, 13, 0, 7], CPU.SCXTNUM_EL0, unlessSctlr(Sctlr.TSCXT))],
  ["FEAT_RNG", randomNumber("RNDR", 0)],
  ["FEAT_RNG", randomNumber("RNDRRS", 1)],
  ...PAC_KEYS.map((key) => ["FEAT_PAuth", key] as const),
  ...SELF_SYNCHRONIZED_COUNTERS.map((view) => ["FEAT_ECV", view] as const),
];

/** The geometry of the cache that CSSELR_EL1 selects, in the format of the CPU. */
function cacheSize(features: ReadonlySet<FeatureName>): SystemRegister {
  const caches = CACHES.map(features.has("FEAT_CCIDX") ? wideCcsidr : ccsidr);
  const emit = (c: Code) => {
    const selected = c.load("i64.load", CPU.CSSELR_EL1);
    return caches.reduce((value, cache, index) => selected.eq(index).select(constant("i64", cache), value), constant("i64", 0));
  };
  return { name: "CCSIDR_EL1", encoding: systemRegisterNumber(3, 1, 0, 0, 0), read: { privilege: 1, emit } };
}

/** The registers that the core of a CPU holds. */
export const systemRegisters = (features: ReadonlySet<FeatureName>): readonly SystemRegister[] => [
  ...TIMER_REGISTERS,
  ...features.has("FEAT_PMUv3") ? [...SYSTEM_REGISTERS.map(withEvent), ...performanceRegisters(features)] : SYSTEM_REGISTERS,
  cacheSize(features),
  sctlrEl1(features),
  tcrWithPointers(translating("TCR_EL1", [3, 0, 2, 0, 2], CPU.TCR_EL1, ALL_BITS, same), features, 1),
  fpRegister("FPCR", [3, 3, 4, 4, 0], CPU.FPCR, fpcrMask(features)),
  ...EXTENSIONS.flatMap(([feature, register]) => features.has(feature) ? [register] : []),
];

/**
 * The communication channel of an external debugger, which no machine has: nothing comes from it,
 * and what is written has no reader.
 */
function debugChannel(name: string, crm: number, isWritten: boolean): SystemRegister {
  const privilege: El0Control = { allowed: (c) => c.load("i32.load", CPU.MDSCR_EL1).and(Mdscr.TDCC).not() };
  const register = constantRegister(name, [2, 3, 0, crm, 0], 0n, privilege);
  return isWritten ? { ...register, write: { privilege, emit: () => {} } } : register;
}

/** A register that EL2 chooses for EL1. */
const identity = (name: string, encoding: Encoding, address: number, ofEl1: number): SystemRegister => ({
  ...readOnly(name, encoding, address),
  read: {
    privilege: 1,
    emit: (c, library) => {
      const own = c.load("i64.load", address);
      return hasEl2(library) ? pstate(c).and(Pstate.EL2).select(own, c.load("i64.load", ofEl1)) : own;
    },
  },
});

/** DCZID_EL0: DZP says that DC ZVA is refused where it is read. */
const zeroIdentity: SystemRegister = {
  ...constantRegister("DCZID_EL0", [3, 3, 0, 0, 7], DCZID_EL0, 0),
  read: {
    privilege: 0,
    emit: (c, library) => {
      const sctlr = regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1), level = pstate(c).and(Pstate.ElMask);
      const refused = level.not().and(sctlr.and(Sctlr.DZE).not());
      const trapped = hasEl2(library) ? trapsZero(c) : undefined;
      return (trapped ? refused.or(trapped) : refused).wide().shl(DCZID_DZP_SHIFT).or(DCZID_EL0);
    },
  },
};

/** The registers that every core holds in one form. */
const SYSTEM_REGISTERS: readonly SystemRegister[] = [
  identity("MIDR_EL1", [3, 0, 0, 0, 0], CPU.MIDR_EL1, CPU.VPIDR_EL2),
  identity("MPIDR_EL1", [3, 0, 0, 0, 5], CPU.MPIDR_EL1, CPU.VMPIDR_EL2),
  constantRegister("REVIDR_EL1", [3, 0, 0, 0, 6], 0n),
  constantRegister("CLIDR_EL1", [3, 1, 0, 0, 1], CLIDR_EL1),
  constantRegister("AIDR_EL1", [3, 1, 0, 0, 7], 0n),
  debugChannel("MDCCSR_EL0", 1, false),
  debugChannel("DBGDTR_EL0", 4, true),
  debugChannel("DBGDTRRX_EL0", 5, true),
  masked("CSSELR_EL1", [3, 2, 0, 0, 0], CPU.CSSELR_EL1, 0xfn),
  constantRegister("CTR_EL0", [3, 3, 0, 0, 1], CTR_EL0, sctlrAllows(Sctlr.UCT)),
  zeroIdentity,

  {
    ...readOnly("CPACR_EL1", [3, 0, 1, 0, 2], CPU.CPACR_EL1),
    write: {
      privilege: 1,
      emit: (c, library, value) => {
        c.store("i64.store", CPU.CPACR_EL1, value.and(CPACR_FPEN));
        c.run(callee(library, "updateRegime"));
      },
    },
  },
  translating("TTBR0_EL1", [3, 0, 2, 0, 0], CPU.TTBR0_EL1, 0n, same),
  translating("TTBR1_EL1", [3, 0, 2, 0, 1], CPU.TTBR1_EL1, 0n, same),
  translating("MAIR_EL1", [3, 0, 10, 2, 0], CPU.MAIR_EL1, ALL_BITS, same),
  plain("AMAIR_EL1", [3, 0, 10, 3, 0], CPU.AMAIR_EL1),
  plain("CONTEXTIDR_EL1", [3, 0, 13, 0, 1], CPU.CONTEXTIDR_EL1),

  plain("SPSR_EL1", [3, 0, 4, 0, 0], CPU.SPSR_EL1),
  plain("ELR_EL1", [3, 0, 4, 0, 1], CPU.ELR_EL1),
  {
    name: "SP_EL0",
    encoding: systemRegisterNumber(3, 0, 4, 1, 0),
    read: {
      privilege: 1,
      emit: (c, library) => {
        refuseSp0(c, library);
        return c.load("i64.load", CPU.SP_EL0);
      },
    },
    write: {
      privilege: 1,
      emit: (c, library, value) => {
        refuseSp0(c, library);
        c.store("i64.store", CPU.SP_EL0, value);
      },
    },
  },
  pstateField("SPSel", [3, 0, 4, 2, 0], Pstate.SP),
  pstateField("CurrentEL", [3, 0, 4, 2, 2], Pstate.ElMask, false),
  pstateField("PAN", [3, 0, 4, 2, 3], Pstate.PAN),
  {
    name: "NZCV",
    encoding: systemRegisterNumber(3, 3, 4, 2, 0),
    read: { privilege: 0, emit: (c, library) => c.call(exceptionFunction(library, "readFlags")).wide() },
    write: { privilege: 0, emit: (c, library, value) => c.run(exceptionFunction(library, "writeFlags"), value.wrap()) },
  },
  {
    name: "DAIF",
    encoding: systemRegisterNumber(3, 3, 4, 2, 1),
    read: { privilege: sctlrAllows(Sctlr.UMA), emit: (c) => pstate(c).and(Pstate.Daif).wide() },
    write: { privilege: sctlrAllows(Sctlr.UMA), emit: (c, library, value) => c.run(exceptionFunction(library, "setDaif"), value.wrap()) },
  },
  fpRegister("FPSR", [3, 3, 4, 4, 1], CPU.FPSR, FPSR_MASK),

  plain("AFSR0_EL1", [3, 0, 5, 1, 0], CPU.AFSR0_EL1),
  plain("AFSR1_EL1", [3, 0, 5, 1, 1], CPU.AFSR1_EL1),
  masked("ESR_EL1", [3, 0, 5, 2, 0], CPU.ESR_EL1, LOW_32),
  plain("FAR_EL1", [3, 0, 6, 0, 0], CPU.FAR_EL1),
  plain("PAR_EL1", [3, 0, 7, 4, 0], CPU.PAR_EL1),
  masked("VBAR_EL1", [3, 0, 12, 0, 0], CPU.VBAR_EL1, ALL_BITS ^ 0x7ffn),
  {
    name: "ISR_EL1",
    encoding: systemRegisterNumber(3, 0, 12, 1, 0),
    read: {
      privilege: 1,
      emit: (c, library) => {
        if (hasEl2(library)) return pendingInterrupts(c).wide();
        return c.load("i32.load", CPU.IRQ).mul(Pstate.I).or(c.load("i32.load", CPU.FIQ).mul(Pstate.F)).wide();
      },
    },
  },

  plain("TPIDR_EL1", [3, 0, 13, 0, 4], CPU.TPIDR_EL1),
  plain("TPIDR_EL0", [3, 3, 13, 0, 2], CPU.TPIDR_EL0, 0),
  plain("TPIDRRO_EL0", [3, 3, 13, 0, 3], CPU.TPIDRRO_EL0, 0, 1),
];
