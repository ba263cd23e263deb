// TLBI and AT in cores with EL2: those of EL2 itself, and the regime that those of EL1 are for when
// EL2 executes them. Arm ARM C5.4, C5.5.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { fineTrapOfSys, type SysFields } from "../architecture/fine-grained-traps.ts";
import { Hcr } from "../architecture/hypervisor-control.ts";
import { hcr, isFinelyTrapped, isHost } from "../exceptions/el2-entry.ts";
import { AccessKind } from "../memory/translation.ts";
import { Tlbi, tlbiOf, TlbiScope } from "../memory/tlb.ts";
import { regimeTcr } from "../memory/regimes.ts";
import { EL1_OFFSET } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { Access } from "../state/functions.ts";
import { type Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { isGuest } from "./el2-controls.ts";

const RANGE = "FEAT_TLBIRANGE";
/** CRm, the CPUs that an operation reaches, and the feature that has it. */
type Scope = readonly [crm: number, cpus: number, feature?: FeatureName];
type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never;

/** CRn of TLBI; the second is FEAT_XS's. */
const TLBI_CRNS: readonly number[] = [8, 9];

/** Runs `body`, an AT of EL1, with the translation regime of EL1; for a host that is EL2's. */
export function inRegimeOfEl1(c: Code, body: () => void): void {
  const before = c.let(c.load("i32.load", CPU.REGIME_BANK));
  c.store("i32.store", CPU.REGIME_BANK, isHost(c).select(before, EL1_OFFSET));
  body();
  c.store("i32.store", CPU.REGIME_BANK, before);
}

export const DC_ZVA: SysFields = [3, 7, 4, 1];

/** IC and DC that HCR_EL2 traps: by set and way, to coherency, to unification; DC ZVA. */
const TRAPPED_MAINTENANCE: readonly (readonly [bit: bigint, operations: readonly SysFields[]])[] = [
  [Hcr.TSW, [[0, 7, 6, 2], [0, 7, 10, 2], [0, 7, 14, 2]]],
  [Hcr.TPCP, [[0, 7, 6, 1], [3, 7, 10, 1], [3, 7, 12, 1], [3, 7, 13, 1], [3, 7, 14, 1]]],
  [Hcr.TPU, [[0, 7, 1, 0], [0, 7, 5, 0], [3, 7, 5, 1], [3, 7, 11, 1]]],
  [Hcr.TDZ, [DC_ZVA]],
];

/** Whether EL2 traps a SYS instruction of a level below it; undefined: it never does. */
export function trapsInstruction(c: Code, fields: SysFields, features: ReadonlySet<FeatureName>): Value | undefined {
  const bit = trapOfInstruction(fields), finely = isFinelyTrapped(c, fineTrapOfSys(fields), features);
  const set = bit === undefined ? undefined : hcr(c).and(bit).nonZero();
  const any = set && finely ? set.or(finely) : set ?? finely;
  return any && isGuest(c).and(any);
}

/** The bit of HCR_EL2 that traps IC, DC or TLBI, if there is one. */
export function trapOfInstruction(fields: SysFields): bigint | undefined {
  if (fields[0] === 0 && TLBI_CRNS.includes(fields[1])) return Hcr.TTLB;
  return TRAPPED_MAINTENANCE.find(([, operations]) => operations.some((one) => one.join() === fields.join()))?.[0];
}

/** The target of a TLBI: the level whose translations go, their kind, and the CPUs. */
interface Invalidation {
  readonly el: 1 | 2;
  readonly kind: number;
  readonly scope: number | Value;
}

/** A TLBI of EL1's regime, which for a host is EL2's; that of EL1 reaches all CPUs with FB. */
export function invalidateRegime(c: Code, library: Library, kind: number, operand: Value, broadcast: 0 | 1): void {
  const isEl2 = c.load("i32.load", CPU.REGIME_BANK).nonZero(), isForced = isEl2.not().and(hcr(c).and(Hcr.FB).nonZero());
  const scope = broadcast ? TlbiScope.AllCpus : isForced.select(constant("i32", TlbiScope.AllCpus), 0);
  c.if(isHost(c).and(isEl2), () => invalidateOf(c, library, { el: 2, kind, scope }, operand), () => {
    invalidateOf(c, library, { el: 1, kind, scope }, operand);
  });
}

function invalidateOf(c: Code, library: Library, { el, kind, scope }: Invalidation, operand: Value): void {
  const tcr = el === 2 ? c.call(regimeTcr(library)) : c.load("i64.load", CPU.TCR_EL1);
  c.run(tlbiOf(library), kind, operand, el, scope, tcr);
}

/** Scopes of TLBI by CRm: this CPU, Inner Shareable, Outer Shareable (FEAT_TLBIOS). */
const SCOPES: readonly Scope[] = [[7, 0], [3, TlbiScope.AllCpus], [1, TlbiScope.AllCpus, "FEAT_TLBIOS"]];
/** The same of ranges. */
const RANGE_SCOPES: readonly Scope[] = [[6, 0, RANGE], [2, TlbiScope.AllCpus, RANGE], [5, TlbiScope.AllCpus, RANGE]];
/** The operations of EL2 by op2: the level whose translations go, and which of them. */
const OPERATIONS: readonly (readonly [op2: number, el: 1 | 2, kind: number, vms?: number])[] = [
  // ALLE2, VAE2, ALLE1, VALE2, VMALLS12E1.
  [0, 2, Tlbi.All],
  [1, 2, Tlbi.Page],
  [4, 1, Tlbi.All, TlbiScope.AllVms],
  [5, 2, Tlbi.Page],
  [6, 1, Tlbi.All],
];
/**
 * IPAS2E1 and IPAS2LE1 by CRm and op2, in the order of `SCOPES`, and the forms of ranges after
 * them: an entry does not tell its IPA.
 */
const BY_IPA: readonly (readonly [crm: number, op2: number, ...scope: Tail<Scope>])[] = [
  ...[1, 5].flatMap((op2) => [[4, op2, 0], [0, op2, TlbiScope.AllCpus], [4, op2 - 1, TlbiScope.AllCpus, "FEAT_TLBIOS"]] as const),
  ...[2, 6].flatMap((op2) => [[4, op2, 0, RANGE], [0, op2, TlbiScope.AllCpus, RANGE], [4, op2 + 1, TlbiScope.AllCpus, RANGE]] as const),
];

/** TLBI that only EL2 has, of a CPU. */
export function tlbiOfEl2(
  features: ReadonlySet<FeatureName>,
): (readonly [fields: SysFields, invalidate: (c: Code, library: Library, operand: Value) => void])[] {
  const form = (crm: number, op2: number, target: Invalidation) => ({ crm, op2, target });
  const has = (feature: FeatureName | undefined) => feature === undefined || features.has(feature);
  const forms = [
    ...SCOPES.flatMap(([crm, cpus, feature]) =>
      has(feature) ? OPERATIONS.map(([op2, el, kind, vms = 0]) => form(crm, op2, { el, kind, scope: cpus | vms })) : []
    ),
    ...RANGE_SCOPES.flatMap(([crm, scope, feature]) =>
      has(feature) ? [1, 5].map((op2) => form(crm, op2, { el: 2, kind: Tlbi.Range, scope })) : []
    ),
    ...BY_IPA.flatMap(([crm, op2, scope, feature]) => has(feature) ? [form(crm, op2, { el: 1, kind: Tlbi.All, scope })] : []),
  ];
  return TLBI_CRNS.slice(0, features.has("FEAT_XS") ? 2 : 1).flatMap((crn) =>
    forms.map(({ crm, op2, target }) =>
      [[4, crn, crm, op2], (c: Code, library: Library, operand: Value) => invalidateOf(c, library, target, operand)] as const
    )
  );
}

/** AT S12E1R, S12E1W, S12E0R and S12E0W: both stages. */
export const AT_OF_BOTH: readonly (readonly [fields: SysFields, access: number])[] = [4, 5, 6, 7].map((op2) =>
  [
    [4, 7, 8, op2],
    AccessKind.Maintenance | AccessKind.IgnorePan | (op2 & 1 ? AccessKind.Write : 0) | (op2 & 2 ? Access.Unprivileged : 0) | 1,
  ] as const
);

/** AT S1E2R and S1E2W. */
export const AT_OF_EL2: readonly (readonly [fields: SysFields, access: number])[] = [
  [[4, 7, 8, 0], AccessKind.Maintenance | AccessKind.IgnorePan | 1],
  [[4, 7, 8, 1], AccessKind.Maintenance | AccessKind.IgnorePan | AccessKind.Write | 1],
];
