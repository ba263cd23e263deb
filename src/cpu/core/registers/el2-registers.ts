// The system registers of EL2 that the core of a CPU with FEAT_EL2 holds, in the form of
// system-registers.ts. Arm ARM D13.2, D13.8. docs/design/el2.md §1 has what is not built: such a
// register is not here.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { Cptr, Hcr, Mdcr, Vtcr } from "../architecture/hypervisor-control.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { hcr } from "../exceptions/el2-entry.ts";
import { tlbFunction } from "../memory/tlb.ts";
import { spaceOf } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import type { Code, Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { fineTrapRegisters } from "./fine-grained-registers.ts";
import { constantRegister, type Encoding, masked, plain, type Privilege, readOnly, type SystemRegister } from "./system-register.ts";
import { updatePointers } from "./pointer-authentication.ts";
import { SCTLR_FLUSH, sctlrBits, tcrWithPointers, translating } from "./system-registers.ts";
import { TIMERS_OF_EL2, VIRTUAL_TIMER_OF_EL2 } from "./timer-registers.ts";

const ALL_BITS = (1n << 64n) - 1n;
const LOW_32 = 0xffff_ffffn;
const FIPA = 0x0fff_ffff_fff0n;
const SERROR_ISS = 0x1ff_ffffn;
const same = (value: Value) => value;

/** HCR_EL2: the bits that a CPU has. */
function hcrBits(features: ReadonlySet<FeatureName>): bigint {
  const all = Object.values(Hcr).reduce((bits, bit) => bits | bit, 0n);
  const absent = [
    ["FEAT_VHE", Hcr.E2H],
    ["FEAT_LOR", Hcr.TLOR],
    ["FEAT_RAS", Hcr.TERR | Hcr.TEA],
    ["FEAT_PAuth", Hcr.APK | Hcr.API],
  ] as const;
  return absent.reduce((bits, [feature, of]) => features.has(feature) ? bits : bits & ~of, all);
}

/** MDCR_EL2: the bits of every CPU. */
const MDCR_BITS = Mdcr.TPM | Mdcr.TPMCR | Mdcr.TDE | Mdcr.TDA | Mdcr.TDOSA | Mdcr.TDRA;

/** A register with effects beyond its bits. */
const active = (
  name: string,
  encoding: Encoding,
  address: number,
  emit: (c: Code, library: Library, value: Value) => void,
): SystemRegister => ({ ...readOnly(name, encoding, address, 2), write: { privilege: 2, emit } });

function hcrEl2(features: ReadonlySet<FeatureName>): SystemRegister {
  const bits = hcrBits(features) & ~Hcr.RW;
  return active("HCR_EL2", [3, 4, 1, 1, 0], CPU.HCR_EL2, (c, library, value) => {
    const before = c.let(hcr(c));
    c.store("i64.store", CPU.HCR_EL2, value.and(bits).or(Hcr.RW));
    // The tables of EL2 have another form.
    const changes = before.xor(hcr(c)).and(Hcr.E2H).nonZero();
    c.if(changes, () => {
      c.run(tlbFunction(library, "tlbFlushSpace"), spaceOf(c, library, 2));
      if (features.has("FEAT_PAuth")) c.run(updatePointers(library, 2));
    });
    c.run(callee(library, "updateRegime"));
    c.drop(c.call(exceptionFunction(library, "takeInterrupt"), c.call(callee(library, "currentPc")).add(4)));
  });
}

/** CPTR_EL2 has two forms. */
const cptrEl2 = active("CPTR_EL2", [3, 4, 1, 1, 2], CPU.CPTR_EL2, (c, library, value) => {
  const isHost = hcr(c).and(Hcr.E2H).nonZero();
  const ofHost = value.and(Cptr.FPEN | Cptr.HostTTA | Cptr.TCPAC);
  const others = value.and(Cptr.TFP | Cptr.TTA | Cptr.TCPAC).or(Cptr.Res1);
  c.store("i64.store", CPU.CPTR_EL2, isHost.select(ofHost, others));
  c.run(callee(library, "updateRegime"));
});

/** The registers of EL2 of a CPU. */
export function el2Registers(features: ReadonlySet<FeatureName>): readonly SystemRegister[] {
  return [
    ...EL2_REGISTERS,
    hcrEl2(features),
    masked("MDCR_EL2", [3, 4, 1, 1, 1], CPU.MDCR_EL2, features.has("FEAT_FGT") ? MDCR_BITS | Mdcr.TDCC : MDCR_BITS, 2),
    ...fineTrapRegisters(features),
    tcrWithPointers(translating("TCR_EL2", [3, 4, 2, 0, 2], CPU.TCR_EL2, ALL_BITS, same, 2), features, 2),
    translating("SCTLR_EL2", [3, 4, 1, 0, 0], CPU.SCTLR_EL2, SCTLR_FLUSH, sctlrBits(features), 2),
    ...features.has("FEAT_VHE") ? HOST_REGISTERS : [],
    ...features.has("FEAT_LOR") ? LIMITED_ORDERING : [],
    ...features.has("FEAT_RAS") ? [masked("VSESR_EL2", [3, 4, 5, 2, 3], CPU.VSESR_EL2, SERROR_ISS, 2)] : [],
  ];
}

const HOST_REGISTERS: readonly SystemRegister[] = [
  translating("TTBR1_EL2", [3, 4, 2, 0, 1], CPU.TTBR1_EL2, 0n, same, 2),
  plain("CONTEXTIDR_EL2", [3, 4, 13, 0, 1], CPU.CONTEXTIDR_EL2, 2),
  ...VIRTUAL_TIMER_OF_EL2,
];

/** Without an effect on a value that is always 0. */
const ignored = (name: string, encoding: Encoding, privilege: Privilege): SystemRegister => ({
  ...constantRegister(name, encoding, 0n, privilege),
  write: { privilege, emit: () => {} },
});

/** Of LORegions, of which there are none: LORID_EL1 counts them. Arm ARM D13.2.86. */
const LIMITED_ORDERING: readonly SystemRegister[] = [
  ignored("LORSA_EL1", [3, 0, 10, 4, 0], 1),
  ignored("LOREA_EL1", [3, 0, 10, 4, 1], 1),
  ignored("LORN_EL1", [3, 0, 10, 4, 2], 1),
  ignored("LORC_EL1", [3, 0, 10, 4, 3], 1),
  constantRegister("LORID_EL1", [3, 0, 10, 4, 7], 0n, 1),
];

const EL2_REGISTERS: readonly SystemRegister[] = [
  plain("VPIDR_EL2", [3, 4, 0, 0, 0], CPU.VPIDR_EL2, 2),
  plain("VMPIDR_EL2", [3, 4, 0, 0, 5], CPU.VMPIDR_EL2, 2),
  ignored("ACTLR_EL2", [3, 4, 1, 0, 1], 2),
  cptrEl2,
  // They trap accesses of AArch32, and what is implementation defined.
  masked("HSTR_EL2", [3, 4, 1, 1, 3], CPU.HSTR_EL2, LOW_32, 2),
  plain("HACR_EL2", [3, 4, 1, 1, 7], CPU.HACR_EL2, 2),
  translating("TTBR0_EL2", [3, 4, 2, 0, 0], CPU.TTBR0_EL2, 0n, same, 2),
  plain("VTTBR_EL2", [3, 4, 2, 1, 0], CPU.VTTBR_EL2, 2),
  active(
    "VTCR_EL2",
    [3, 4, 2, 1, 2],
    CPU.VTCR_EL2,
    (c, _, value) => c.store("i64.store", CPU.VTCR_EL2, value.and(Vtcr.Bits).or(Vtcr.Res1)),
  ),
  plain("SPSR_EL2", [3, 4, 4, 0, 0], CPU.SPSR_EL2, 2),
  plain("ELR_EL2", [3, 4, 4, 0, 1], CPU.ELR_EL2, 2),
  plain("SP_EL1", [3, 4, 4, 1, 0], CPU.SP_EL1, 2),
  plain("AFSR0_EL2", [3, 4, 5, 1, 0], CPU.AFSR0_EL2, 2),
  plain("AFSR1_EL2", [3, 4, 5, 1, 1], CPU.AFSR1_EL2, 2),
  masked("ESR_EL2", [3, 4, 5, 2, 0], CPU.ESR_EL2, LOW_32, 2),
  plain("FAR_EL2", [3, 4, 6, 0, 0], CPU.FAR_EL2, 2),
  masked("HPFAR_EL2", [3, 4, 6, 0, 4], CPU.HPFAR_EL2, FIPA, 2),
  translating("MAIR_EL2", [3, 4, 10, 2, 0], CPU.MAIR_EL2, ALL_BITS, same, 2),
  plain("AMAIR_EL2", [3, 4, 10, 3, 0], CPU.AMAIR_EL2, 2),
  masked("VBAR_EL2", [3, 4, 12, 0, 0], CPU.VBAR_EL2, ALL_BITS ^ 0x7ffn, 2),
  plain("TPIDR_EL2", [3, 4, 13, 0, 2], CPU.TPIDR_EL2, 2),
  ...TIMERS_OF_EL2,
];
