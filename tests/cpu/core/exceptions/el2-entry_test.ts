// EL2 in a core: where interrupts go, by the table of the Arm manual, and what a debugger sees of a
// vCPU there. tests/differential/el2_test.ts compares synchronous exceptions with QEMU's.

import assert from "node:assert/strict";
import { AbortSyndrome, ExceptionClass, FaultStatus, Pstate, syndrome } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Hcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import { parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Machine } from "../program.ts";
import { Rig } from "../rig.ts";

const CPU = withEl2(parseCpu("v8.2,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS"));
const EL1_VECTORS = 0x1_0000n, EL2_VECTORS = 0x2_0000n;
const IRQ = 0x80n, FIQ = 0x100n;

function rig(pstate: number, hcr: bigint): Rig {
  const rig = new Rig(CPU);
  rig.set("VBAR_EL1", EL1_VECTORS);
  rig.set("VBAR_EL2", EL2_VECTORS);
  rig.set("HCR_EL2", hcr | Hcr.RW);
  rig.pstate(pstate);
  return rig;
}

/** Where an interrupt goes: an exception level, or nowhere. */
type Target = 1 | 2 | undefined;

/**
 * Arm ARM D1.13.4, the tables of routing and masking: E2H, TGE, IMO or FMO, then the target for
 * EL0, EL1 and EL2, and whether EL0 and EL1 can mask it (`-`: no EL1 with TGE).
 */
const ROUTES:
  readonly (readonly [hcr: bigint, el0: Target, el1: Target | "-", el2: Target, masked: readonly [el0: boolean, el1: boolean]])[] = [
    [0n, 1, 1, undefined, [true, true]],
    [Hcr.IMO | Hcr.FMO, 2, 2, 2, [false, false]],
    [Hcr.TGE, 2, "-", 2, [false, false]],
    [Hcr.TGE | Hcr.IMO | Hcr.FMO, 2, "-", 2, [false, false]],
    [Hcr.E2H, 1, 1, undefined, [true, true]],
    [Hcr.E2H | Hcr.IMO | Hcr.FMO, 2, 2, 2, [false, false]],
    [Hcr.E2H | Hcr.TGE, 2, "-", 2, [true, false]],
    [Hcr.E2H | Hcr.TGE | Hcr.IMO | Hcr.FMO, 2, "-", 2, [true, false]],
  ];

Deno.test("physical interrupts go where HCR_EL2 says, and are masked as their target requires", () => {
  const taken = (pstate: number, hcr: bigint, line: "IRQ" | "FIQ") => {
    const cpu = rig(pstate, hcr), vector = line === "IRQ" ? IRQ : FIQ;
    cpu.setWord(line, 1);
    const { pc } = cpu.call("checkInterrupts");
    if (pc === undefined) return undefined;
    const base = pc - vector, el = cpu.getWord("PSTATE") >> 2 & 3;
    assert.equal(base & ~0x7ffn, el === 2 ? EL2_VECTORS : EL1_VECTORS, "the vectors are those of the level");
    return el;
  };
  for (const [hcr, el0, el1, el2, [masksEl0, masksEl1]] of ROUTES) {
    for (const line of ["IRQ", "FIQ"] as const) {
      const at = (name: string) => `${line} at ${name} with HCR_EL2 0x${hcr.toString(16)}`;
      assert.equal(taken(Pstate.EL0t, hcr, line), el0, at("EL0"));
      assert.equal(taken(Pstate.EL0t | Pstate.Daif, hcr, line), masksEl0 ? undefined : el0, at("EL0, masked"));
      assert.equal(taken(Pstate.EL2h, hcr, line), el2, at("EL2"));
      assert.equal(taken(Pstate.EL2h | Pstate.Daif, hcr, line), undefined, at("EL2, masked"));
      if (el1 === "-") continue;
      assert.equal(taken(Pstate.EL1h, hcr, line), el1, at("EL1"));
      assert.equal(taken(Pstate.EL1h | Pstate.Daif, hcr, line), masksEl1 ? undefined : el1, at("EL1, masked"));
    }
  }
});

Deno.test("a write of HCR_EL2 that routes a pending interrupt to EL2 lets it in", () => {
  const cpu = rig(Pstate.EL2h, 0n);
  cpu.setWord("IRQ", 1);
  assert.equal(cpu.call("checkInterrupts").pc, undefined);
  const hcrEl2 = 3 << 14 | 4 << 11 | 1 << 7 | 1 << 3;
  assert.equal(cpu.call("writeSystemRegister", hcrEl2, Hcr.IMO).pc, EL2_VECTORS + 0x200n + IRQ);
});

Deno.test("a vCPU with EL2 starts there, and each level has its stack pointer from outside as well", () => {
  const { vcpu } = new Machine({ cpu: CPU });
  assert.equal(vcpu.pstate & Pstate.Mode, Pstate.EL2h);
  vcpu.setRegister("SP_EL0", 0x10n);
  vcpu.setRegister("SP_EL1", 0x11n);
  vcpu.setRegister("SP_EL2", 0x12n);
  for (const mode of [Pstate.EL1h, Pstate.EL2t, Pstate.EL2h, Pstate.EL0t, Pstate.EL1t, Pstate.EL2h]) {
    vcpu.pstate = mode;
    assert.deepEqual((["SP_EL0", "SP_EL1", "SP_EL2"] as const).map((name) => vcpu.getRegister(name)), [0x10n, 0x11n, 0x12n]);
  }
});

/** Classes of aborts in syndromes. */
const { DataAbort, DataAbortLower, InstructionAbort, InstructionAbortLower } = ExceptionClass;

Deno.test("HCR_EL2.TEA routes external aborts of EL1 and EL0 to EL2, and no others", () => {
  /** The bank that an exception from outside enters, and its syndrome there. */
  const taken = (pstate: number, hcr: bigint, esr: number) => {
    const { core, vcpu } = new Machine({ cpu: CPU });
    vcpu.setRegister("HCR_EL2", hcr | Hcr.RW);
    vcpu.pstate = pstate;
    vcpu.pc = 0x4000_1234n;
    core.takeException(vcpu, esr, 0x1234_5678n);
    const el = vcpu.pstate >> 2 & 3, bank = el === 2 ? 2 : 1;
    assert.equal(vcpu.getRegister(`FAR_EL${bank}`), 0x1234_5678n);
    assert.equal(vcpu.getRegister(`ELR_EL${bank}`), 0x4000_1234n);
    return { el, esr: Number(vcpu.getRegister(`ESR_EL${bank}`)) };
  };
  const external = (kind: number, flags = 0) => syndrome(kind, FaultStatus.External | flags);
  for (const [same, lower] of [[DataAbort, DataAbortLower], [InstructionAbort, InstructionAbortLower]]) {
    assert.deepEqual(taken(Pstate.EL1h, 0n, external(same)), { el: 1, esr: external(same) });
    assert.deepEqual(taken(Pstate.EL1h, Hcr.TEA, external(same, AbortSyndrome.WnR)), { el: 2, esr: external(lower, AbortSyndrome.WnR) });
    assert.deepEqual(taken(Pstate.EL0t, 0n, external(lower)), { el: 1, esr: external(lower) });
    assert.deepEqual(taken(Pstate.EL0t, Hcr.TEA, external(lower)), { el: 2, esr: external(lower) });
    assert.deepEqual(taken(Pstate.EL2h, Hcr.TEA, external(same)), { el: 2, esr: external(same) });
    const onWalk = (kind: number) => syndrome(kind, FaultStatus.ExternalOnWalk | 2);
    assert.deepEqual(taken(Pstate.EL1h, Hcr.TEA, onWalk(same)), { el: 2, esr: onWalk(lower) });
  }
  const others = [syndrome(DataAbort, FaultStatus.Alignment), syndrome(ExceptionClass.Svc, FaultStatus.External)];
  for (const other of others) assert.deepEqual(taken(Pstate.EL1h, Hcr.TEA, other), { el: 1, esr: other });
});

Deno.test("an external abort on a walk of stage 2 is EL2's, without the syndrome of the instruction", () => {
  const machine = new Machine({ cpu: CPU }), { vcpu } = machine;
  // Tables outside of memory: 32 bits of addresses, from level 1.
  vcpu.setRegister("VTTBR_EL2", 0x9000_0000n);
  vcpu.setRegister("VTCR_EL2", 0x8000_0060n);
  vcpu.setRegister("HCR_EL2", Hcr.RW | Hcr.VM);
  vcpu.setRegister("VBAR_EL2", EL2_VECTORS);
  vcpu.pstate = Pstate.EL1h;
  machine.run(1, 0x4000_0000);
  assert.equal(vcpu.getRegister("ESR_EL2"), BigInt(syndrome(InstructionAbortLower, FaultStatus.ExternalOnWalk | 1)));
  assert.equal(vcpu.getRegister("ELR_EL2"), 0x4000_0000n);
});
