// The hypervisor for rooms above that read a running one: its objects and their invariants.

export type { Capability } from "./capabilities/capability.ts";
export type { Cspace } from "./capabilities/cspace.ts";
export type { ObjectTypes } from "./capabilities/object-types.ts";
export type { HypervisorObject } from "./capabilities/object.ts";
export { checkConservation, checkTables } from "./check/check-memory.ts";
export { checkObject, checkRegistries } from "./check/check-objects.ts";
export { describeViolation } from "./check/violation.ts";
export { DEBUG_REGISTERS } from "./debug/debug-access.ts";
export { unchangingAnswer } from "./firmware/smccc.ts";
export type { GzVm } from "./geniezone/gz-vm.ts";
export { Icc, Intid } from "./gic/gic-registers.ts";
export { Irq, type IrqBank, type LevelSource } from "./gic/irq-bank.ts";
export { LPI_FIRST } from "./gic/its/its-registers.ts";
export type { VgicCpu } from "./gic/vgic-cpu-interface.ts";
export type { Vgic } from "./gic/vgic.ts";
export { VirqSource } from "./gic/vic-source.ts";
export type { Vic } from "./gic/vic.ts";
export type { Hypervisor } from "./hypervisor.ts";
export { Doorbell } from "./ipc/doorbell.ts";
export { Msgqueue } from "./ipc/msgqueue.ts";
export type { AddressSpace } from "./memory/addrspace.ts";
export type { MemoryOwner, PageRun } from "./memory/memdb.ts";
export { Memextent } from "./memory/memextent.ts";
export { TimerControl, TimerPpi } from "./scheduling/timer.ts";
export type { Vcpu } from "./scheduling/vcpu.ts";
export type { Operation } from "./trace/operation.ts";
export type { TraceHub } from "./trace/trace-hub.ts";
