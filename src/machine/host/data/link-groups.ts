// VMs that share objects start together: the Resource Manager makes a link's second end when the
// second VM is made, and announces it to a VM in the devicetree that it completes at VM_START
// (docs/spec/resource-manager.md §7.3, `peer`).

import type { NativeHostPlan } from "./plan.ts";

/**
 * The VMs of a plan in groups that links connect, each in the order of the plan. A VM without links
 * is its own group.
 */
export function linkGroups({ vms, buffers = [] }: Pick<NativeHostPlan, "vms" | "buffers">): readonly (readonly string[])[] {
  const group = new Map(vms.map(({ name }) => [name, name]));
  const join = (a: string, b: string) => {
    const [from, to] = [group.get(a), group.get(b)];
    if (from === undefined || to === undefined) return;
    for (const [name, of] of group) if (of === from) group.set(name, to);
  };
  for (const { name, links } of vms) for (const link of links) if (link.kind !== "shared-memory") join(name, link.peer);
  for (const { access } of buffers) for (const { vm } of access) join(access[0].vm, vm);
  return [...Map.groupBy(group, ([, of]) => of).values()].map((members) => members.map(([name]) => name));
}
