// The forms of /hypervisor in the primary VM's devicetree, by which its drivers find the Resource
// Manager. Two follow the binding of the Linux series; the open platform's Resource Manager writes
// the third (docs/spec/vm-manager.md §13, docs/spec/resource-manager.md §7.5).

/**
 * `platform` as recorded; `binding` of series version 7 and later; `binding-v6` of the versions
 * before, whose names have version numbers.
 */
export const HYPERVISOR_NODES = ["platform", "binding", "binding-v6"] as const;
export type HypervisorNode = typeof HYPERVISOR_NODES[number];
