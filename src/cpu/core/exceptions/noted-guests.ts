// The guests that a vCPU's EL2 enters, as evidence that no instruction reads: readers outside of it
// find the VMs of a hypervisor by the values that VTTBR_EL2 and VMPIDR_EL2 had below it.
// Arm ARM D13.2.150 (VTTBR_EL2), D13.2.149 (VMPIDR_EL2).

import { CPU, NOTED_GUESTS, NotedGuest } from "../state/cpu-state.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** VTTBR_EL2.VMID; CnP says nothing about the guest. */
const VMID_SHIFT = 48, CNP = 1n;
const END = NOTED_GUESTS * NotedGuest.Size;

const vttbr = (c: Code) => c.load("i64.load", CPU.VTTBR_EL2).and(~CNP);
const vmpidr = (c: Code) => c.load("i64.load", CPU.VMPIDR_EL2);
const noted = (c: Code, offset: Value, field: number) => c.load("i64.load", offset, CPU.NOTED_GUESTS + field);

/** Notes the guest that EL2 enters, unless that is the one before. */
export function noteGuest(c: Code, library: Library): void {
  const latest = c.let(c.load("i32.load", CPU.NOTED_GUEST));
  const isSame = noted(c, latest, NotedGuest.Vttbr).eq(vttbr(c)).and(noted(c, latest, NotedGuest.Vmpidr).eq(vmpidr(c)));
  c.if(isSame.not(), () => c.run(library.get("noteGuest", [], [])));
}

/** `noteGuest`: a vCPU of a VMID is one entry, and a new one takes the place that follows. */
export function defineNotedGuests(library: Library): void {
  const c = new Code(library.define("noteGuest", [], []));
  const at = c.let(constant("i32", 0)), now = c.let(vttbr(c)), vcpu = c.let(vmpidr(c));
  const isOther = (tables: Value) =>
    tables.nonZero().and(tables.shrU(VMID_SHIFT).ne(now.shrU(VMID_SHIFT)).or(noted(c, at, NotedGuest.Vmpidr).ne(vcpu)));
  c.while(() => at.ltU(END).and(isOther(noted(c, at, NotedGuest.Vttbr))), () => c.set(at, at.add(NotedGuest.Size)));
  c.if(at.ltU(END).not(), () => {
    const after = c.let(c.load("i32.load", CPU.NOTED_GUEST).add(NotedGuest.Size));
    c.set(at, after.ltU(END).select(after, constant("i32", 0)));
  });
  c.store("i64.store", at, now, CPU.NOTED_GUESTS + NotedGuest.Vttbr);
  c.store("i64.store", at, vcpu, CPU.NOTED_GUESTS + NotedGuest.Vmpidr);
  c.store("i64.store", at, c.load("i64.load", CPU.VTCR_EL2), CPU.NOTED_GUESTS + NotedGuest.Vtcr);
  c.store("i32.store", CPU.NOTED_GUEST, at);
}
