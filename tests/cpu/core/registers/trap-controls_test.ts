// The names of the controls that send an access to EL2, against what the core does with each.

import assert from "node:assert/strict";
import { ExceptionClass, exceptionClass, Pstate, syndrome, Vector } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Cptr, Hcr, Mdcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import { IchHcr } from "../../../../src/cpu/core/architecture/virtual-gic.ts";
import { trapControls } from "../../../../src/cpu/core/registers/trap-controls.ts";
import type { RegisterName } from "../../../../src/cpu/core/registers/vcpu-state.ts";
import { parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { systemRegisterNamed } from "../../../../src/cpu/isa/names/system-register-names.ts";
import { Machine, RAM_BASE } from "../program.ts";

const CPU = withEl2(parseCpu("v8.2,+FEAT_FGT,+FEAT_PAuth,+FEAT_PACIMP,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS"));
const CODE = RAM_BASE + 0x1000, EL2_VECTORS = RAM_BASE + 0x2000;

/** Registers of each group that some control traps, and of none. */
const REGISTERS = [
  ..."sctlr_el1 ttbr0_el1 tcr_el1 esr_el1 far_el1 mair_el1 contextidr_el1 cpacr_el1 actlr_el1 vbar_el1 tpidr_el1 elr_el1".split(" "),
  ..."midr_el1 revidr_el1 aidr_el1 id_aa64pfr0_el1 id_aa64mmfr0_el1 ctr_el0 clidr_el1 csselr_el1 cntpct_el0 cntp_ctl_el0".split(" "),
  ..."cntv_ctl_el0 cntvct_el0 pmcr_el0 pmccntr_el0 pmintenset_el1 mdrar_el1 oslsr_el1 oslar_el1 mdccsr_el0 erridr_el1".split(" "),
  ..."icc_pmr_el1 icc_iar0_el1 icc_iar1_el1 icc_eoir1_el1 icc_dir_el1 icc_rpr_el1 icc_ctlr_el1 icc_sgi1r_el1 icc_igrpen0_el1".split(" "),
  ..."icc_igrpen1_el1 icc_bpr0_el1 icc_bpr1_el1 icc_ap0r0_el1 icc_ap1r0_el1 icc_hppir0_el1 icc_hppir1_el1 icc_sre_el1".split(" "),
  ..."apiakeylo_el1 apdbkeyhi_el1 apgakeylo_el1".split(" "),
];
/** DC ISW, DC CIVAC, IC IALLU, DC ZVA, TLBI VMALLE1, by op0:op1:CRn:CRm:op2. */
const INSTRUCTIONS = [[0, 7, 6, 2], [3, 7, 14, 1], [0, 7, 5, 0], [3, 7, 4, 1], [0, 8, 7, 0]]
  .map(([op1, crn, crm, op2]) => 1 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2);

const HOST_TIMERS = 3n << 10n, GUEST_TIMERS = 3n;
/** Controls as a hypervisor has them: the timers and keys are EL1's, and nothing traps. */
const NOTHING: Readonly<Partial<Record<RegisterName, bigint>>> = {
  HCR_EL2: Hcr.RW | Hcr.APK | Hcr.API,
  MDCR_EL2: 0n,
  CPTR_EL2: Cptr.Res1 & ~Cptr.TFP,
  CNTHCTL_EL2: GUEST_TIMERS,
  ICH_HCR_EL2: 0n,
};
const HCR_TRAPS = (Object.keys(Hcr) as (keyof typeof Hcr)[]).filter((name) => /^T(?!GE)/.test(name));
const CASES: readonly Readonly<Partial<Record<RegisterName, bigint>>>[] = [
  {},
  { HCR_EL2: Hcr.RW | Hcr.E2H, CNTHCTL_EL2: HOST_TIMERS },
  { HCR_EL2: Hcr.RW | Hcr.E2H, CNTHCTL_EL2: GUEST_TIMERS },
  ...HCR_TRAPS.map((name) => ({ HCR_EL2: Hcr.RW | Hcr[name] })),
  ...Object.values(Mdcr).map((bit) => ({ MDCR_EL2: bit })),
  { CPTR_EL2: Cptr.Res1 & ~Cptr.TFP | Cptr.TCPAC },
  ...[0n, 1n, 2n].map((bits) => ({ CNTHCTL_EL2: bits })),
  { HCR_EL2: Hcr.RW | Hcr.IMO },
  ...(["TC", "TALL0", "TALL1", "TDIR"] as const).map((name) => ({
    HCR_EL2: Hcr.RW | Hcr.IMO | Hcr.FMO,
    ICH_HCR_EL2: BigInt(IchHcr.En | IchHcr[name]),
  })),
];

/** ESR_EL2 of a trapped access. Arm ARM D13.2.37. */
function syndromeOf(encoding: number, direction: "read" | "write"): number {
  const field = (from: number, to: number, bits: number) => (encoding >> from & (1 << bits) - 1) << to;
  const access = field(14, 20, 2) | field(11, 14, 3) | field(7, 10, 4) | field(3, 1, 4) | field(0, 17, 3);
  return syndrome(ExceptionClass.SystemRegister, access | (direction === "read" ? 1 : 0));
}

/** The class of the exception with which an instruction of EL1 enters EL2, if it does. */
function entered(machine: Machine, word: number, controls: typeof CASES[number]): number | undefined {
  const { vcpu } = machine;
  for (const [name, value] of Object.entries({ ...NOTHING, ...controls })) vcpu.setRegister(name as RegisterName, value);
  vcpu.setRegister("ESR_EL2", 0n);
  vcpu.pstate = Pstate.EL1h | Pstate.Daif;
  vcpu.pc = BigInt(CODE);
  vcpu.setX(0, BigInt(RAM_BASE));
  machine.load(CODE, [["", word]]);
  machine.core.memoryWritten(CODE, 4);
  machine.run(1);
  if (vcpu.pc !== BigInt(EL2_VECTORS + Vector.LowerAarch64)) return undefined;
  return exceptionClass(Number(vcpu.getRegister("ESR_EL2")));
}

Deno.test("an access that EL2 traps names the controls that are on for it, and one that it does not trap names none", () => {
  const machine = new Machine({ cpu: CPU }), { vcpu } = machine, named = new Set<string>();
  vcpu.setRegister("VBAR_EL2", BigInt(EL2_VECTORS));
  const moves = REGISTERS.flatMap((name) => (["read", "write"] as const).map((direction) => ({ name, direction })));
  const accesses = [
    ...moves.map(({ name, direction }) => ({ name, direction, encoding: systemRegisterNamed(name) })),
    ...INSTRUCTIONS.map((encoding) => ({ name: `sys ${encoding.toString(16)}`, direction: "write" as const, encoding })),
  ];
  for (const controls of CASES) {
    for (const { name, encoding, direction } of accesses) {
      const word = (direction === "read" ? 0xd520_0000 : 0xd500_0000) | (encoding & 0xffff) << 5;
      const traps = entered(machine, word, controls) === ExceptionClass.SystemRegister;
      const names = trapControls(vcpu, syndromeOf(encoding, direction));
      const shown = Object.entries(controls).map(([name, value]) => `${name} 0x${value.toString(16)}`).join(", ");
      if (traps) { for (const one of names) named.add(one); }
      // There may be no such access, as a write of a read-only register.
      if (traps) assert.notDeepEqual(names, [], `${direction} of ${name} with ${shown}`);
      else if (names.length) assert.equal(isAccess(machine, word), false, `${direction} of ${name} with ${shown}: ${names}`);
    }
  }
  const bits = "APK TVM TRVM TID1 TID2 TID3 TACR TSW TPCP TPU TTLB TDZ IMO".split(" ").map((name) => `HCR_EL2.${name}`);
  const others = ["MDCR_EL2.TDA", "MDCR_EL2.TDE", "MDCR_EL2.TDOSA", "MDCR_EL2.TDRA", "MDCR_EL2.TDCC", "MDCR_EL2.TPM", "CPTR_EL2.TCPAC"];
  const wanted = [...bits, ...others, "CNTHCTL_EL2.EL1PCTEN", "CNTHCTL_EL2.EL1PCEN", "ICH_HCR_EL2.TC", "ICH_HCR_EL2.TALL0"];
  for (const one of [...wanted, "ICH_HCR_EL2.TALL1", "ICH_HCR_EL2.TDIR"]) assert.ok(named.has(one), one);
});

/** Whether an instruction is an access that EL1 may make where nothing traps. */
function isAccess(machine: Machine, word: number): boolean {
  const { vcpu } = machine;
  vcpu.setRegister("ESR_EL1", 0n);
  entered(machine, word, {});
  return exceptionClass(Number(vcpu.getRegister("ESR_EL1"))) !== ExceptionClass.Unknown || vcpu.getRegister("ESR_EL1") === 0n;
}

Deno.test("controls of floating point and of instructions are named as CPTR_EL2 and HCR_EL2 have them", () => {
  const { vcpu } = new Machine({ cpu: CPU });
  const named = (hcr: bigint, cptr: bigint) => {
    vcpu.setRegister("HCR_EL2", hcr);
    vcpu.setRegister("CPTR_EL2", cptr);
    return trapControls(vcpu, syndrome(ExceptionClass.FpAccess, 0));
  };
  assert.deepEqual(named(0n, Cptr.TFP), ["CPTR_EL2.TFP"]);
  assert.deepEqual(named(0n, 0n), []);
  assert.deepEqual(named(Hcr.E2H, 0n), ["CPTR_EL2.FPEN"]);
  assert.deepEqual(named(Hcr.E2H, Cptr.FPEN), []);
  const ofKey = (hcr: bigint) => (vcpu.setRegister("HCR_EL2", hcr), trapControls(vcpu, syndrome(ExceptionClass.PointerUse, 0)));
  assert.deepEqual([Hcr.APK, Hcr.APK | Hcr.API].map(ofKey), [["HCR_EL2.API"], []]);
  vcpu.setRegister("HCR_EL2", Hcr.TWI | Hcr.TSC);
  assert.deepEqual(trapControls(vcpu, syndrome(ExceptionClass.Smc, 0)), ["HCR_EL2.TSC"]);
  assert.deepEqual([0, 1].map((instruction) => trapControls(vcpu, syndrome(ExceptionClass.Wfx, instruction))), [["HCR_EL2.TWI"], []]);
});
