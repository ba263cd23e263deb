// Commands that ask a session: each is a line of one table, which help, completion and
// documentation follow.

import type { TableName } from "../queries/tables.ts";
import type { QueryArguments } from "../queries/query.ts";

/** A command that prints the rows of a query. */
export interface QueryCommand {
  /** `mem owner`. */
  readonly path: string;
  readonly help: string;
  readonly table: TableName;
  /** What it takes beside options; in brackets where it may be left out. */
  readonly argument?: { readonly name: string; readonly help: string; readonly optional?: true };
  /** The query that the argument makes. */
  readonly query?: (argument: string | undefined) => QueryArguments;
  /** The argument is a VM: where there are no rows, one that does not exist is an error. */
  readonly ofVm?: true;
  /**
   * What it says where there are no rows and no filter was given; else what the table says, or that
   * nothing passes.
   */
  readonly none?: string;
  /** Each row in full, not as a list. */
  readonly record?: true;
  /** Exit code 1 when there are rows (`mem check`). */
  readonly failsOnRows?: true;
  /** Exit code 1 when there are none: the object that was named does not exist. */
  readonly failsOnNone?: true;
}

const vm = (name: string) => name.replace(/^vm:/, "");
const ofVm = (name: string | undefined): QueryArguments => name === undefined ? {} : { filter: `vm=${vm(name)}` };
const VM_FILTER = { argument: { name: "vm", help: "only this VM's", optional: true }, query: ofVm, ofVm: true } as const;

/** The table. */
export const QUERY_COMMANDS: readonly QueryCommand[] = [
  { path: "vm ls", help: "list the VMs", table: "vm.ls" },
  {
    path: "vm show",
    help: "everything about a VM",
    table: "vm.ls",
    argument: { name: "vm", help: "vm:NAME or NAME" },
    query: (name) => ({ filter: `id=vm:${vm(name!)}` }),
    record: true,
    failsOnNone: true,
  },
  {
    path: "vm devices",
    help: "the devices that a VM sees",
    table: "vm.devices",
    argument: { name: "vm", help: "vm:NAME or NAME" },
    query: (name) => ({ vm: name! }),
  },
  {
    path: "vm timeline",
    help: "how a VM came to be, step by step: requests about it, and its states",
    table: "rpc.ls",
    argument: { name: "vm", help: "vm:NAME or NAME" },
    query: (name) => ({ filter: `about=${vm(name!)}` }),
    ofVm: true,
  },
  { path: "vcpu ls", help: "what each vCPU does and waits for", table: "vcpu.ls", ...VM_FILTER },
  {
    path: "vcpu show",
    help: "everything about a vCPU",
    table: "vcpu.ls",
    argument: { name: "vcpu", help: "vcpu:VM/INDEX or VM/INDEX" },
    query: (id) => ({ filter: `id=${id!}` }),
    record: true,
    failsOnNone: true,
  },
  {
    path: "vcpu regs",
    help: "registers of a vCPU",
    table: "vcpu.regs",
    argument: { name: "vcpu", help: "vcpu:VM/INDEX or VM/INDEX" },
    query: (id) => ({ vcpu: id! }),
  },
  {
    path: "vcpu stack",
    help: "call frames of a vCPU, by its frame pointers",
    table: "vcpu.stack",
    argument: { name: "vcpu", help: "vcpu:VM/INDEX or VM/INDEX" },
    query: (id) => ({ vcpu: id! }),
  },
  {
    path: "vcpu exits",
    help: "exits to the hypervisor, by vCPU",
    table: "vcpu.ls",
    ...VM_FILTER,
  },
  {
    path: "irq ls",
    help: "interrupts that are enabled, pending, active or have a source",
    table: "irq.ls",
    ...VM_FILTER,
  },
  {
    path: "irq show",
    help: "everything about an interrupt",
    table: "irq.ls",
    argument: { name: "irq", help: "irq:VM/INTID" },
    query: (id) => ({ filter: `id=${id!}` }),
    record: true,
    failsOnNone: true,
  },
  {
    path: "irq findings",
    help: "interrupts that storm or cannot come, with the reason",
    table: "irq.ls",
    query: () => ({ filter: "finding!=-" }),
    none: "no interrupt storms, and none is kept from coming",
  },
  { path: "mem map", help: "physical memory: owners and mappings", table: "mem.map", ...VM_FILTER },
  {
    path: "mem owner",
    help: "who owns a page, through which extents, and where it is mapped",
    table: "mem.owner",
    argument: { name: "address", help: "pa:ADDRESS or ipa:VM/ADDRESS" },
    query: (at) => ({ at: at! }),
    record: true,
    failsOnNone: true,
  },
  { path: "mem parcels", help: "memory parcels", table: "mem.parcels", ...VM_FILTER },
  {
    path: "mem parcel",
    help: "everything about a parcel",
    table: "mem.parcels",
    argument: { name: "parcel", help: "parcel:HANDLE" },
    query: (id) => ({ filter: `id=${id!}` }),
    record: true,
    failsOnNone: true,
  },
  {
    path: "mem blocked",
    help: "parcels that cannot be reclaimed, and who holds them",
    table: "mem.parcels",
    query: () => ({ filter: "state=blocked" }),
    none: "no parcel is blocked: no reclaim of one was refused",
  },
  { path: "mem limits", help: "what can run out", table: "mem.limits" },
  { path: "mem check", help: "the invariants of memory ownership; exit code 1 on a violation", table: "mem.check", failsOnRows: true },
  { path: "caps ls", help: "capabilities: object, rights, holders", table: "caps.ls", ...VM_FILTER },
  {
    path: "caps show",
    help: "everything about a capability",
    table: "caps.ls",
    argument: { name: "cap", help: "cap:VM/SLOT" },
    query: (id) => ({ filter: `id=${id!}` }),
    record: true,
    failsOnNone: true,
  },
  {
    path: "caps refused",
    help: "capabilities whose last use was refused",
    table: "caps.ls",
    query: () => ({ filter: "err=yes" }),
    none: "no capability's last use was refused",
  },
  {
    path: "caps graph",
    help: "objects, with the capabilities that hold each",
    table: "obj.ls",
    argument: { name: "object", help: "obj:NUMBER or another id; all where none is named", optional: true },
    query: (id) => id === undefined ? {} : { filter: `id=${id} | name=${id}` },
  },
  { path: "queue ls", help: "message queues and doorbells", table: "queue.ls", ...VM_FILTER },
  {
    path: "queue show",
    help: "everything about a queue or doorbell",
    table: "queue.ls",
    argument: { name: "queue", help: "mq:NUMBER or db:NUMBER" },
    query: (id) => ({ filter: `id=${id!}` }),
    record: true,
    failsOnNone: true,
  },
  {
    path: "queue ring",
    help: "the messages in a queue, oldest first",
    table: "queue.ring",
    argument: { name: "queue", help: "mq:NUMBER" },
    query: (id) => ({ queue: id! }),
  },
  { path: "rpc ls", help: "requests to the resource manager, and its notifications", table: "rpc.ls", ...VM_FILTER },
  {
    path: "rpc show",
    help: "a request or notification with all fields",
    table: "rpc.ls",
    argument: { name: "rpc", help: "rpc:NUMBER" },
    query: (id) => ({ filter: `id=${id!}` }),
    record: true,
    failsOnNone: true,
  },
  { path: "state hash", help: "digests of registers and memory", table: "hash" },
];
