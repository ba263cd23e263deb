// The hypervisor for rooms above that make, feed, save or load one. They import nothing of this
// folder but its faces: this file, inspect.ts, interface.ts and options.ts.

export { ObjectArchive } from "./archive/archive.ts";
export type { UsesMemory } from "./capabilities/capability-uses.ts";
export { Cspace } from "./capabilities/cspace.ts";
export type { HypervisorObject } from "./capabilities/object.ts";
export { createHypervisor } from "./create-hypervisor.ts";
export { DebugControl } from "./debug/debug-control.ts";
export { Gits } from "./gic/its/its-registers.ts";
export { archiveHypervisor, checkAnew, violationOf } from "./hypervisor-archive.ts";
export type { Hypervisor } from "./hypervisor.ts";
export type { FlashBank, FlashPlan } from "./memory/flash.ts";
export { RandomGenerator } from "./random/random-generator.ts";
export { DEFAULT_PRIMARY_IMAGES, type PrimaryImages } from "./root-vm.ts";
export { SemihostedVm } from "./services/semihosted-vm.ts";
export type { VcpuEnd } from "./scheduling/vcpu-services.ts";
export { Vcpu } from "./scheduling/vcpu.ts";
export type { FaultsState } from "./services/faults.ts";
export type { Operation } from "./trace/operation.ts";
export { RING_CAPACITY, type TraceMemory } from "./trace/trace-hub.ts";
