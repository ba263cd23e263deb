// Accesses to system registers as EL2 controls them: which register an encoding means with
// HCR_EL2.E2H, and which accesses of EL1 and EL0 trap. Arm ARM D13.2.46 (HCR_EL2), D13.2.32
// (CPTR_EL2), D13.3.19 (MDCR_EL2), D13.8.2 (CNTHCTL_EL2), D5.6 (VHE). docs/design/el2.md §3.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { fineTrapOfMove, isKey, type RegisterMove } from "../architecture/fine-grained-traps.ts";
import { Cnthctl, Cptr, Hcr, Mdcr } from "../architecture/hypervisor-control.ts";
import { hcr, isFinelyTrapped, isHost, withVirtualLines } from "../exceptions/el2-entry.ts";
import { CPU } from "../state/cpu-state.ts";
import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { isUnknownTrapped } from "./fine-grained-registers.ts";

const load = (c: Code, address: number) => c.load("i64.load", address);
const has = (c: Code, bit: bigint) => hcr(c).and(bit).nonZero();
const level = (c: Code) => c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask);

type LowFields = readonly [crn: number, crm: number, op2: number];

/** CRn, CRm and op2 of the registers of EL1 whose encoding means one of EL2 for a host. */
const OF_HOST: readonly LowFields[] = [
  ...[[1, 0, 0], [2, 0, 0], [2, 0, 1], [2, 0, 2], [4, 0, 0], [4, 0, 1], [5, 1, 0], [5, 1, 1], [5, 2, 0], [6, 0, 0]] as const,
  ...[[10, 2, 0], [10, 3, 0], [12, 0, 0], [13, 0, 1], [14, 1, 0]] as const,
];
/** The same of the timers, whose op1 is 3. */
const TIMERS_OF_HOST = [2, 3].flatMap((crm) => [0, 1, 2].map((op2) => [14, crm, op2] as const));

/** Not the encoding of a register. */
const NONE = 0;

/** An encoding that means another register at EL2 with E2H; and the alias that is it there. */
interface Redirection {
  readonly encoding: number;
  readonly ofEl2: number;
  readonly alias: number;
}

const redirection = (op1: number, fields: LowFields): Redirection => ({
  encoding: systemRegisterNumber(3, op1, ...fields),
  ofEl2: systemRegisterNumber(3, 4, ...fields),
  alias: systemRegisterNumber(3, 5, ...fields),
});

const REDIRECTIONS: readonly Redirection[] = [
  ...OF_HOST.map((fields) => redirection(0, fields)),
  ...TIMERS_OF_HOST.map((fields) => redirection(3, fields)),
  // CPACR_EL1 is CPTR_EL2.
  { encoding: systemRegisterNumber(3, 0, 1, 0, 2), ofEl2: systemRegisterNumber(3, 4, 1, 1, 2), alias: systemRegisterNumber(3, 5, 1, 0, 2) },
];

/** Changes an encoding to that of the register that it means. */
export function redirect(c: Code, encoding: Local): void {
  const change = (from: number, to: number) => c.if(encoding.eq(from), () => c.set(found, to));
  const found = c.let(encoding);
  c.if(level(c).eq(Pstate.EL2).and(has(c, Hcr.E2H)), () => {
    for (const { encoding: own, ofEl2, alias } of REDIRECTIONS) {
      change(own, ofEl2);
      change(alias, own);
    }
  });
  // EL0 has the timers of EL2 by the names of EL1's alone, and if it is a host's.
  c.if(level(c).not(), () => {
    for (const fields of TIMERS_OF_HOST) change(systemRegisterNumber(3, 4, ...fields), NONE);
    c.if(isHost(c), () => {
      for (const fields of TIMERS_OF_HOST) change(systemRegisterNumber(3, 3, ...fields), systemRegisterNumber(3, 4, ...fields));
    });
  });
  c.set(encoding, found);
}

/**
 * Whether an encoding that the core does not hold belongs to a level above the current one, or is
 * an alias that there is not: op1 of 4 and 5 is EL2's, 6 and 7 EL3's. EL0 has been refused.
 */
export function isAbove(c: Code, encoding: Value): Value {
  const op1 = c.let(encoding.shrU(11).and(7));
  return op1.gtU(4).or(op1.eq(4).and(level(c).eq(Pstate.EL1)));
}

const REGIONS = "LORSA LOREA LORN LORC LORID".split(" ").map((name) => `${name}_EL1`);
const STAGE_1 = "SCTLR TTBR0 TTBR1 TCR ESR FAR AFSR0 AFSR1 MAIR AMAIR CONTEXTIDR".split(" ").map((name) => `${name}_EL1`);

/** Bits of HCR_EL2, the accesses that they trap, and the registers. */
const TRAPS: readonly (readonly [bit: keyof typeof Hcr, direction: RegisterMove, names: readonly string[]])[] = [
  ["TVM", "write", STAGE_1],
  ["TRVM", "read", STAGE_1],
  ["TID1", "read", ["REVIDR_EL1", "AIDR_EL1"]],
  ["TID2", "read", ["CTR_EL0", "CCSIDR_EL1", "CLIDR_EL1", "CSSELR_EL1"]],
  ["TID2", "write", ["CSSELR_EL1"]],
  ["TLOR", "read", REGIONS],
  ["TLOR", "write", REGIONS],
];

/** The bits of HCR_EL2 that trap an access to a register which the core holds. */
export const trapBits = (name: string, direction: RegisterMove): readonly (keyof typeof Hcr)[] =>
  TRAPS.filter(([, of, names]) => of === direction && names.includes(name)).map(([bit]) => bit);

/** Registers of the debug communications channel, which EL0 has. */
const CHANNEL: readonly string[] = ["MDCCSR_EL0", "DBGDTR_EL0", "DBGDTRRX_EL0"];

/** The bits that trap the channel alone. */
const channelBits = (features: ReadonlySet<FeatureName>) => features.has("FEAT_FGT") ? Mdcr.TDCC : 0n;

/** Whether EL2 traps an access of EL1 or EL0 to a register; undefined: it never does. */
export function trapOf(c: Code, name: string, direction: RegisterMove, features: ReadonlySet<FeatureName>): Value | undefined {
  // Where debug exceptions go to EL2, MDCR_EL2.TDA counts as set.
  if (CHANNEL.includes(name)) {
    const traps = load(c, CPU.MDCR_EL2).and(channelBits(features) | Mdcr.TDA | Mdcr.TDE).nonZero().or(has(c, Hcr.TGE));
    return level(c).ne(Pstate.EL2).and(traps);
  }
  const bits = trapBits(name, direction).map((bit) => has(c, Hcr[bit]));
  if (name === "CPACR_EL1") bits.push(load(c, CPU.CPTR_EL2).and(Cptr.TCPAC).nonZero());
  if (name === "CNTPCT_EL0") bits.push(forbidsTimer(c, Cnthctl.EL1PCTEN));
  if (name.startsWith("CNTP_")) bits.push(forbidsTimer(c, Cnthctl.EL1PCEN));
  if (isKey(name)) bits.push(has(c, Hcr.APK).not());
  const finely = isFinelyTrapped(c, fineTrapOfMove(name, direction), features);
  if (finely) bits.push(finely);
  return bits.length ? isGuest(c).and(bits.reduce((any, bit) => any.or(bit))) : undefined;
}

/** Whether code is of EL1, or of an EL0 that is not a host's. */
export const isGuest = (c: Code): Value => level(c).ne(Pstate.EL2).and(level(c).nonZero().or(isHost(c).not()));

/** Whether EL2 traps DC ZVA. */
export const trapsZero = (c: Code): Value => isGuest(c).and(has(c, Hcr.TDZ));

/** CNTHCTL_EL2 does not enable what a bit is for. */
function forbidsTimer(c: Code, bit: number): Value {
  const shift = has(c, Hcr.E2H).select(constant("i32", Cnthctl.HostShift), 0);
  return c.load("i32.load", CPU.CNTHCTL_EL2).shrU(shift).and(bit).not();
}

/** Counters and timers that EL0 may use: CNTKCTL_EL1, for a host's EL0 CNTHCTL_EL2. */
export const timersOfEl0 = (c: Code): Value => isHost(c).select(c.load("i32.load", CPU.CNTHCTL_EL2), c.load("i32.load", CPU.CNTKCTL_EL1));

/** Bits of an encoding. */
const FIELD = {
  op1: systemRegisterNumber(0, 7, 0, 0, 0),
  crn: systemRegisterNumber(0, 0, 15, 0, 0),
  crm: systemRegisterNumber(0, 0, 0, 15, 0),
  op2: systemRegisterNumber(0, 0, 0, 0, 7),
};
const OP0 = systemRegisterNumber(3, 0, 0, 0, 0);

/** OSDTRRX_EL1, MDCCINT_EL1, OSDTRTX_EL1. */
export const CHANNEL_OF_EL1: readonly number[] = [
  systemRegisterNumber(2, 0, 0, 0, 2),
  systemRegisterNumber(2, 0, 0, 2, 0),
  systemRegisterNumber(2, 0, 0, 3, 2),
];

/** Whether EL2 traps an access of EL1 to a register that the core does not hold. */
export function trapsUnknown(c: Code, encoding: Value, direction: RegisterMove, features: ReadonlySet<FeatureName>): Value {
  const is = (mask: number, value: number) => encoding.and(mask).eq(value);
  const isDebug = c.let(encoding.and(OP0).eq(systemRegisterNumber(2, 0, 0, 0, 0)));
  const mdcr = (bit: bigint) => load(c, CPU.MDCR_EL2).and(bit).nonZero();
  const isOsLock = c.let(is(FIELD.crn, systemRegisterNumber(0, 0, 1, 0, 0)).and(encoding.and(FIELD.crm | FIELD.op2).nonZero()));
  const isRom = c.let(is(FIELD.crn, systemRegisterNumber(0, 0, 1, 0, 0)).and(isOsLock.not()));
  const debug = isOsLock.select(mdcr(Mdcr.TDOSA | Mdcr.TDE), isRom.select(mdcr(Mdcr.TDRA | Mdcr.TDE), mdcr(Mdcr.TDA | Mdcr.TDE)));
  const identification = is(OP0 | FIELD.op1 | FIELD.crn, systemRegisterNumber(3, 0, 0, 0, 0)).and(encoding.and(FIELD.crm).nonZero());
  const implementation = is(OP0 | systemRegisterNumber(0, 0, 11, 0, 0), systemRegisterNumber(3, 0, 11, 0, 0));
  const actlr = is(OP0 | FIELD.op1 | FIELD.crn | FIELD.crm | FIELD.op2, systemRegisterNumber(3, 0, 1, 0, 1));
  const monitors = is(OP0 | FIELD.crn, systemRegisterNumber(3, 0, 9, 0, 0));
  const errors = [3, 4, 5].map((crm) => is(OP0 | FIELD.op1 | FIELD.crn | FIELD.crm, systemRegisterNumber(3, 0, 5, crm, 0))).reduce((
    any,
    one,
  ) => any.or(one));
  const groups = [[identification, Hcr.TID3], [implementation, Hcr.TIDCP], [actlr, Hcr.TACR]] as const;
  const others = [...groups, [errors, Hcr.TERR]] as const;
  const trapped = others.map(([group, bit]) => group.and(has(c, bit))).reduce((any, one) => any.or(one)).or(monitors.and(mdcr(Mdcr.TPM)));
  let any = isDebug.select(debug, trapped);
  if (features.has("FEAT_FGT")) {
    const ofChannel = CHANNEL_OF_EL1.map((one) => encoding.eq(one)).reduce((all, one) => all.or(one));
    any = any.or(isUnknownTrapped(c, encoding, direction, features)).or(ofChannel.and(mdcr(Mdcr.TDCC)));
  }
  return level(c).eq(Pstate.EL1).and(any);
}

/** ISR_EL1: EL1 sees virtual interrupts where physical ones are routed to EL2. */
export function pendingInterrupts(c: Code): Value {
  const ofEl1 = c.let(level(c).eq(Pstate.EL1));
  const bit = (line: number, routed: bigint, pending: bigint, mask: number) => {
    const physical = c.load("i32.load", line);
    return ofEl1.and(has(c, routed)).select(withVirtualLines(c).and(pending).nonZero(), physical).mul(mask);
  };
  const virtualError = ofEl1.and(hcr(c).and(Hcr.AMO | Hcr.VSE).eq(Hcr.AMO | Hcr.VSE)).mul(Pstate.A);
  return bit(CPU.IRQ, Hcr.IMO, Hcr.VI, Pstate.I).or(bit(CPU.FIQ, Hcr.FMO, Hcr.VF, Pstate.F)).or(virtualError);
}
