// The platform's hook on memory that is lent, shared, donated and reclaimed, as the Linux series
// has it (its patches 18 to 20). A firmware beside the hypervisor keeps, for every page, the set of
// VMs that the page is assigned to. Memory changes hands only when that firmware moves it from one
// set to another. This firmware behaves like qcom_scm_assign_mem on Qualcomm's platforms: it knows
// ids up to 0x3f, and all VMs above share one id that the Resource Manager manages. A parcel is
// made or reclaimed whole, or the request is refused.

import { asPa } from "../../abi/numbers.ts";
import { INJECTED, INJECTED_SECTION, injectedValues } from "../../abi/faults.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import { Access } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { Refusal } from "../calls/refusals.ts";
import type { AssignedRange, AssignedVm, PhysicalRange } from "../state/state.ts";
import { firstIndex } from "../../../kit/support/values/in-order.ts";

/** One order to the firmware. */
interface AssignOrder {
  /** Physical ranges, bytes. */
  readonly ranges: readonly PhysicalRange[];
  readonly from: readonly AssignedVm[];
  readonly to: readonly AssignedVm[];
}

/** The greatest id that the firmware knows, and the one under which it keeps all others. */
const MANAGED_MAX = 0x3f;
const RM_MANAGED = 0x3a;

/** The assignment of memory without an entry. */
const INITIAL: readonly AssignedVm[] = [{ vmid: Vmid.Hlos, rights: Access.RWX }];

/** A set as the firmware knows it: each id once, with the rights of all VMs that share the id. */
function firmwareSet(vms: readonly AssignedVm[]): AssignedVm[] {
  const rights = new Map<number, number>();
  for (const { vmid, rights: more } of vms) {
    const id = vmid > MANAGED_MAX ? RM_MANAGED : vmid;
    rights.set(id, (rights.get(id) ?? 0) | more);
  }
  return [...rights].map(([vmid, all]) => ({ vmid, rights: all })).sort((a, b) => a.vmid - b.vmid);
}

function sameSet(a: readonly AssignedVm[], b: readonly AssignedVm[]): boolean {
  return a.length === b.length && a.every(({ vmid, rights }, index) => vmid === b[index].vmid && rights === b[index].rights);
}

/** The set as text: `3:rwx 0x3a:rw`. */
export function setText(vms: readonly AssignedVm[]): string {
  const letters = (rights: number) => `${rights & Access.R ? "r" : ""}${rights & Access.W ? "w" : ""}${rights & Access.X ? "x" : ""}`;
  return vms.map(({ vmid, rights }) => `${vmid > 9 ? `0x${vmid.toString(16)}` : vmid}:${letters(rights)}`).join(" ");
}

/**
 * Has the firmware move memory from one set of VMs to another: all ranges or none.
 * @throws Refusal with DENIED if it does not: the memory is not what the order says, or a
 * failure was injected.
 */
export function assignMemory(context: Context, order: AssignOrder): void {
  const { trace, vcpu: { faults } } = context.calls;
  const [from, to] = [firmwareSet(order.from), firmwareSet(order.to)];
  const fields = (range: PhysicalRange) => ({ pa: range.base, size: range.size, from: setText(from), to: setText(to) });
  const hit = faults.armed.assign ? faults.hit("assign", { from: setText(from), to: setText(to) }) : undefined;
  if (hit) {
    const values = { ...fields(order.ranges[0]), ...injectedValues(hit) };
    throw new Refusal(RmError.DENIED, `the platform's firmware refuses: ${INJECTED}`, values, { foreign: INJECTED_SECTION });
  }
  for (const range of order.ranges) {
    const other = setsIn(context.state.assigned, range).find((set) => !sameSet(set, from));
    if (other === undefined) continue;
    throw new Refusal(RmError.DENIED, "the platform's firmware has the memory assigned to others", {
      ...fields(range),
      has: setText(other),
    });
  }
  for (const range of order.ranges) {
    replace(context.state.assigned, range, to);
    if (trace.isWanted("mem")) trace.event("mem", "assign", fields(range));
  }
}

/**
 * Puts memory back into a set after something else failed, if the firmware had moved it already.
 */
export function resetAssignment(context: Context, { ranges, from, to }: AssignOrder): void {
  const [current, wanted] = [firmwareSet(from), firmwareSet(to)];
  for (const range of ranges) {
    if (setsIn(context.state.assigned, range).every((set) => sameSet(set, current))) replace(context.state.assigned, range, wanted);
  }
}

/** The sets that parts of a range are assigned to. */
function setsIn(table: readonly AssignedRange[], { base, size }: PhysicalRange): (readonly AssignedVm[])[] {
  const sets: (readonly AssignedVm[])[] = [];
  let at: number = base;
  for (let index = firstEndingAbove(table, base); index < table.length && table[index].base < base + size; index++) {
    if (table[index].base > at) sets.push(INITIAL);
    sets.push(table[index].vms);
    at = table[index].base + table[index].size;
  }
  if (at < base + size) sets.push(INITIAL);
  return sets;
}

function replace(table: AssignedRange[], { base, size }: PhysicalRange, vms: readonly AssignedVm[]): void {
  const end = base + size;
  const at = firstEndingAbove(table, base);
  let after = at;
  while (after < table.length && table[after].base < end) after++;
  const before = table.slice(at, after).flatMap((old) => [
    { base: old.base, size: Math.min(old.base + old.size, base) - old.base, vms: old.vms },
    { base: asPa(Math.max(old.base, end)), size: old.base + old.size - Math.max(old.base, end), vms: old.vms },
  ]).filter((rest) => rest.size > 0);
  const own = sameSet(vms, INITIAL) ? [] : [{ base, size, vms }];
  const above = table.splice(at).slice(after - at);
  for (const range of [...before, ...own].sort((a, b) => a.base - b.base)) table.push(range);
  for (const range of above) table.push(range);
}

function firstEndingAbove(table: readonly AssignedRange[], address: number): number {
  return firstIndex(table.length, (index) => table[index].base + table[index].size > address);
}
