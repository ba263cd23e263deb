// The translations that a TLB space holds: of one ASID and, in cores with EL2, of one stage 2, so
// that a hypervisor which switches between its guests drops none of them. Arm ARM D5.9.1, D13.2.131
// (TCR_EL1.A1, AS); docs/design/el2.md §6.
//
// A TLB of hardware has the VMID and the ASID in its entries, and none of the other controls:
// software invalidates when it changes them. The spaces of EL1&0 are stricter: they are dropped
// when they come into use with other ones.

import { Hcr, STAGE2_ON } from "../architecture/hypervisor-control.ts";
import { bankOf, spaceOf } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { TlbSpace } from "../state/tlb-layout.ts";
import { type Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

const ASID_SHIFT = 48;
/** TCR_EL1: the ASID is in TTBR1 (A1), and has 16 bits (AS). */
const TCR_A1 = 1n << 22n;
const TCR_AS = 1n << 36n;

/** Drops the non-global translations when the ASID is another one than they were made with. */
export function updateAsid(c: Code, library: Library, el: 1 | 2): void {
  const bank = bankOf(c, el), tcr = bank.load("i64.load", CPU.TCR_EL1);
  const ttbr = tcr.and(TCR_A1).nonZero().select(bank.load("i64.load", CPU.TTBR1_EL1), bank.load("i64.load", CPU.TTBR0_EL1));
  const bits = tcr.and(TCR_AS).nonZero().select(constant("i32", 0xffff), 0xff);
  const asid = c.let(ttbr.shrU(ASID_SHIFT).wrap().and(bits));
  const space = c.let(spaceOf(c, library, el));
  c.if(asid.ne(c.load("i32.load", space, TlbSpace.Asid)), () => {
    c.store("i32.store", space, asid, TlbSpace.Asid);
    c.run(library.get("tlbFlushNonGlobal", ["i32"], []), space);
  });
}

/** Bits of HCR_EL2 on which translations of EL1&0 depend. */
const STAGE2_CONTROLS = STAGE2_ON | Hcr.PTW | Hcr.TGE | Hcr.E2H;

/** Fields of a space, and the values that belong there. */
type Controls = readonly (readonly [field: number, value: Value])[];

const stage2Controls = (c: Code): Controls => [
  [TlbSpace.Vttbr, c.load("i64.load", CPU.VTTBR_EL2)],
  [TlbSpace.Vtcr, c.load("i64.load", CPU.VTCR_EL2)],
  [TlbSpace.Hcr, c.load("i64.load", CPU.HCR_EL2).and(STAGE2_CONTROLS)],
];
const stage1Controls = (c: Code): Controls => [
  [TlbSpace.Sctlr, c.load("i64.load", CPU.SCTLR_EL1)],
  [TlbSpace.Tcr, c.load("i64.load", CPU.TCR_EL1)],
  [TlbSpace.Mair, c.load("i64.load", CPU.MAIR_EL1)],
];

const store = (c: Code, space: Value, controls: Controls) => {
  for (const [field, value] of controls) c.store("i64.store", space, value, field);
};
const differ = (c: Code, space: Value, controls: Controls) =>
  controls.map(([field, value]) => c.load("i64.load", space, field).ne(value)).reduce((any, one) => any.or(one));

const flush = (c: Code, library: Library, space: Value) => c.run(library.get("tlbFlushSpace", ["i32"], []), space);
const word = (c: Code, space: Value, field: number, value: number) => c.store("i32.store", space, constant("i32", value), field);

/** EL1 has changed its controls, for which its translations are right again. */
export function noteControls(c: Code): void {
  store(c, c.load("i32.load", CPU.TLB_SPACE_EL1), stage1Controls(c));
}

/**
 * Chooses the space of EL1&0 for the controls in force: the one in use, the other one, or the other
 * one after all in it was dropped. Only EL2 changes them: nothing is asked until EL2 was entered.
 */
export function followControls(c: Code, library: Library): void {
  c.if(c.load("i32.load", CPU.STAGE2_FOLLOWED), () => {}, () => {
    const isOther = (space: Value) => c.load("i32.load", space, TlbSpace.Level).ne(1).or(differ(c, space, stage2Controls(c)));
    const guest = c.load("i32.load", CPU.TLB_GUEST), space = c.let(c.load("i32.load", CPU.TLB_SPACE_EL1));
    c.if(isOther(space), () => {
      word(c, space, TlbSpace.Latest, 0);
      c.set(space, space.eq(guest).select(c.load("i32.load", CPU.TLB_OTHER_GUEST), guest));
      word(c, space, TlbSpace.Latest, 1);
      c.store("i32.store", CPU.TLB_SPACE_EL1, space);
      c.if(isOther(space), () => {
        flush(c, library, space);
        word(c, space, TlbSpace.Level, 1);
        store(c, space, stage2Controls(c));
        store(c, space, stage1Controls(c));
      });
    });
    c.if(differ(c, space, stage1Controls(c)), () => {
      flush(c, library, space);
      store(c, space, stage1Controls(c));
    });
    updateAsid(c, library, 1);
    c.store("i32.store", CPU.STAGE2_FOLLOWED, constant("i32", 1));
  });
}
