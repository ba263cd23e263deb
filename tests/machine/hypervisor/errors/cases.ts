// The refusals that the calls' own rules give (docs/spec/hypervisor.md §4, §5). Lookups of
// capabilities and reserved arguments are elsewhere.

import type { HypercallName } from "../../../../src/machine/abi/hypercalls.ts";
import { PartitionRight } from "../../../../src/machine/abi/rights.ts";
import {
  Access,
  ExtentType,
  mapAttributes,
  memextentAttributes,
  MemoryType,
  ModifyFlags,
  ModifyOperation,
  msgqueueCreateInfo,
  VcpuOption,
} from "../../../../src/machine/abi/words.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Cspace } from "../../../../src/machine/hypervisor/capabilities/cspace.ts";
import type { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { Msgqueue } from "../../../../src/machine/hypervisor/ipc/msgqueue.ts";
import { Partition } from "../../../../src/machine/hypervisor/memory/partition.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import type { VirtioMmio } from "../../../../src/machine/hypervisor/virtio/virtio-mmio.ts";
import type { Case } from "./case.ts";
import { bind, FREE_IPA, FREE_VIRQ, inputDevice, page } from "./recipes.ts";
import type { Args, World } from "./world.ts";

const PAGE = 4096n;
const PARTIAL = 1n;
const WRAPPING = 0xffff_ffff_ffff_f000n;

type Change = Case["change"];
type More = Partial<Omit<Case, "error" | "rule" | "change">>;

const one = (error: Case["error"], rule: string, change: Change | Args, more: More = {}): Case => ({
  error,
  rule,
  change: typeof change === "function" ? change : () => change,
  ...more,
});

// The common part of many calls.

const poor = (bytes: number) => (w: World) => ({ src_partition: w.poor(bytes) });

/** A cspace that has no free slot. */
function full(w: World): bigint {
  const id = w.active("cspace");
  const cspace = w.get<Cspace>(id);
  while (typeof cspace.insertCopy(w.cspace, w.self, 1) === "bigint");
  return id;
}

/** A cspace in a partition whose heap has room for no table of slots. */
function starved(w: World): bigint {
  const id = w.poor(2048);
  const cspace = w.get<Partition>(id).create(w.cspace.constructor as typeof Cspace);
  if (typeof cspace === "number") throw new Error("the partition is too poor");
  cspace.configure(8);
  cspace.activate();
  return w.cap(cspace);
}

const CREATE: Case[] = [
  one("NOMEM", "the partition's heap is exhausted", poor(16)),
  one("NOMEM", "the partition's heap is exhausted", (w) => ({ cspace: starved(w) }), { object: "cspace" }),
  one("CSPACE_FULL", "every slot is in use", (w) => ({ cspace: full(w) }), { object: "cspace" }),
];

/** Cases of binding a source to a vIRQ of the caller's VIC. */
const bindCases = (argument: string, source: (w: World, id: bigint) => Parameters<typeof bind>[1]): Case[] => [
  one("VIRQ_BOUND", "the source is bound already", (w, args) => bind(w, source(w, args[argument])), { object: "vic" }),
  one("BUSY", "another source has this vIRQ", (w) => bind(w, w.get<Doorbell>(w.active("doorbell")).virq, Number(FREE_VIRQ)), {
    object: "vic",
  }),
  ...[0n, 31n, 96n, 1020n, 0xffff_ffffn].map((virq) =>
    one("ARGUMENT_INVALID", "not a shared vIRQ of this VIC", { virq }, { object: "vic", what: `vIRQ ${virq}` })
  ),
];

/**
 * Cases of a buffer that the call names by `argument`, 16 bytes long; `access` is what the guest's
 * mapping allows too little of.
 */
const bufferCases = (argument: string, access: number): Case[] => {
  const more = { section: "hypervisor 1.3" };
  return [
    one("ADDR_OVERFLOW", "the buffer wraps", { [argument]: 0xffff_ffff_ffff_fffcn }, more),
    one("ADDR_INVALID", "stage 2 does not map the buffer", { [argument]: 0x9000_0000n }, more),
    one("DENIED", "stage 2 does not allow the access", (w) => {
      const extent = w.get<Memextent>(w.active("memextent"));
      extent.map(w.get<AddressSpace>(w.space), FREE_IPA, 0, extent.extentSize, mapAttributes(access, access, MemoryType.NormalWB));
      return { [argument]: FREE_IPA };
    }, more),
    one("ARGUMENT_INVALID", "the guest's own tables do not map the buffer", (w) => {
      w.hypervisor.core.translate = () => ({ ok: false, stage: 1, fsc: 4, ipa: 0 });
    }, more),
  ];
};

/** Moves the caller to an address space without an info area. */
function leaveInfoArea(w: World): void {
  w.get<AddressSpace>(w.active("addrspace")).attachThread(w.caller);
}

/** Activations that fail; `cap` is the object. */
const ACTIVATION: Case[] = ([
  one("OBJECT_STATE", "an object is activated once", (w) => ({ cap: w.active("doorbell") })),
  one("OBJECT_CONFIG", "a cspace needs max_caps", (w) => ({ cap: w.fresh("cspace") }), { fails: "cap" }),
  one("OBJECT_CONFIG", "an extent needs a range", (w) => ({ cap: w.fresh("memextent") }), { fails: "cap" }),
  one("OBJECT_CONFIG", "a vCPU needs a cspace", (w) => ({ cap: w.fresh("thread") }), { fails: "cap" }),
  one("OBJECT_CONFIG", "a queue is configured before it is activated", (w) => ({ cap: w.fresh("msgqueue") }), { fails: "cap" }),
  one("OBJECT_CONFIG", "a device is configured before it is activated", (w) => ({ cap: w.fresh("virtio_mmio") }), { fails: "cap" }),
  one("OBJECT_CONFIG", "a vCPU needs an address space", (w) => {
    const vcpu = w.object("thread");
    vcpu.attachments.attachCspace(w.cspace);
    return { cap: w.cap(vcpu) };
  }, { fails: "cap" }),
  ...([
    ["the CPU of its affinity does not exist", 0n, 7],
    ["a pinned vCPU needs an affinity", VcpuOption.Pinned, 0xffff],
    ["SVE is for the primary VM only", VcpuOption.SveAllowed, 0],
  ] as const).map(([rule, options, affinity]) =>
    one("OBJECT_CONFIG", rule, (w) => {
      const vcpu = w.object("thread");
      w.equip(vcpu, { options, affinity });
      return { cap: w.cap(vcpu) };
    }, { fails: "cap" })
  ),
  one("OBJECT_CONFIG", "critical vCPUs belong to a privileged partition", (w) => {
    const vcpu = w.get<Partition>(w.poor(0x10_0000)).create(w.caller.constructor as typeof Vcpu) as Vcpu;
    w.equip(vcpu, { options: VcpuOption.Critical });
    return { cap: w.cap(vcpu) };
  }, { fails: "cap" }),
  one("OBJECT_CONFIG", "another vCPU of the primary VM has this CPU", (w) => {
    w.vcpu(VcpuOption.HlosVm, 1);
    const vcpu = w.object("thread");
    w.equip(vcpu, { options: VcpuOption.HlosVm, affinity: 1 });
    return { cap: w.cap(vcpu) };
  }, { fails: "cap" }),
  one("ARGUMENT_INVALID", "a vCPU needs a VIC", (w) => {
    const vcpu = w.object("thread");
    w.equip(vcpu, { without: "vic" });
    return { cap: w.cap(vcpu) };
  }, { fails: "cap" }),
  one("BUSY", "another vCPU has this index", (w) => {
    const vcpu = w.object("thread");
    w.equip(vcpu);
    vcpu.attachments.attachVic(vcpu.attachments.vic!, 0);
    return { cap: w.cap(vcpu) };
  }, { fails: "cap", object: "any" }),
  one("DENIED", "another vCPU has this index", (w) => {
    const vcpu = w.object("thread");
    w.equip(vcpu);
    vcpu.attachments.attachVpmGroup(vcpu.attachments.vpmGroup!, 0);
    return { cap: w.cap(vcpu) };
  }, { fails: "cap", object: "any" }),
  one("BUSY", "the VMID is taken (0 always is)", (w) => ({ cap: w.fresh("addrspace") }), { fails: "cap" }),
  one("BUSY", "the VMID is taken (0 always is)", (w) => {
    const space = w.object("addrspace");
    space.configure(w.get<AddressSpace>(w.space).vmid);
    return { cap: w.cap(space) };
  }, { fails: "cap" }),
  one("BUSY", "the parent is in use by the hypervisor", (w) => {
    const parent = w.get<Memextent>(page(w));
    parent.attach();
    const child = w.object("memextent");
    child.configureDerive(parent, 0n, PAGE, memextentAttributes(Access.RW, 0, ExtentType.Basic));
    return { cap: w.cap(child) };
  }, { fails: "cap" }),
  one("BUSY", "the page is another device's", (w) => {
    const extent = w.get<Memextent>(page(w));
    for (const state of ["first", "second"]) {
      const device = w.object("virtio_mmio");
      device.configure(extent, 1, 0n, 0);
      if (state === "second") return { cap: w.cap(device) };
      device.activate();
    }
  }, { fails: "cap" }),
  one("DENIED", "the page is readable and writable RAM of the device's partition", (w) => {
    const extent = w.extent(w.take(4096), 4096, ExtentType.Basic, Access.R);
    const device = w.object("virtio_mmio");
    device.configure(extent, 1, 0n, 0);
    return { cap: w.cap(device) };
  }, { fails: "cap" }),
  one("DENIED", "the parent is mapped in a part of the range only", (w) => {
    const parent = w.sparse();
    w.map(parent, FREE_IPA, 0, 4096);
    const child = w.object("memextent");
    child.configureDerive(parent, 0n, 2n * PAGE, memextentAttributes(Access.RW, 0, ExtentType.Basic));
    return { cap: w.cap(child) };
  }, { fails: "cap" }),
  one("MEMDB_NOT_OWNER", "a page of the range is not the origin's", (w) => {
    const extent = w.object("memextent");
    extent.configure(BigInt(RAM_BASE), PAGE, memextentAttributes(Access.RW, 0, ExtentType.Basic));
    return { cap: w.cap(extent) };
  }, { fails: "cap" }),
  one("MEMDB_NOT_OWNER", "a page of the range is not the origin's", (w) => {
    const parent = w.sparse();
    w.child(parent, ExtentType.Basic, 0, 4096);
    const child = w.object("memextent");
    child.configureDerive(parent, 0n, 2n * PAGE, memextentAttributes(Access.RW, 0, ExtentType.Basic));
    return { cap: w.cap(child) };
  }, { fails: "cap" }),
  ...(["vic", "addrspace", "thread"] as const).map((type) =>
    one("NOMEM", "the partition's heap is exhausted", (w) => {
      const object = w.poorly(type);
      if (object instanceof Vcpu) w.equip(object);
      if (object instanceof AddressSpace) object.configure(99);
      return { cap: w.cap(object) };
    }, { fails: "cap" })
  ),
  one("NOMEM", "the partition's heap is exhausted", (w) => {
    const queue = w.get<Partition>(w.poor(1024)).create(Msgqueue) as Msgqueue;
    queue.configure(8, 240);
    return { cap: w.cap(queue) };
  }, { fails: "cap", object: "any" }),
] as Case[]).map((each) => ({ object: "cap", section: each.error === "OBJECT_STATE" ? undefined : "hypervisor 3.6", ...each }));

const flagsOfMap: Case[] = [
  one("ARGUMENT_INVALID", "reserved bits of map_flags are zero", { map_flags: 8n }, { object: "none" }),
  one("ARGUMENT_INVALID", "map_flags have PRIVATE or VMMIO, not both", { map_flags: 6n }, { object: "none" }),
  one("ARGUMENT_ALIGNMENT", "mappings are whole pages", { vbase: FREE_IPA + 1n }),
  one("ARGUMENT_ALIGNMENT", "mappings are whole pages", { map_flags: PARTIAL, offset: 8n, size: PAGE }),
  one("ARGUMENT_SIZE", "a part has a size and lies inside its extent", { map_flags: PARTIAL, offset: 0n, size: 0n }),
  one("ARGUMENT_SIZE", "a part has a size and lies inside its extent", { map_flags: PARTIAL, offset: PAGE, size: 0x1_0000n }),
  one("ARGUMENT_SIZE", "a part has a size and lies inside its extent", { map_flags: PARTIAL, offset: WRAPPING, size: 2n * PAGE }),
  one("MEMEXTENT_TYPE", "a BASIC extent is mapped whole", { map_flags: PARTIAL, offset: 0n, size: PAGE }),
];

const NOT_MAPPED = one("ADDR_INVALID", "the extent has no such mapping", { vbase: 0x9000_0000n }, { object: "memextent" });

/** Cases of the calls' own rules. */
export const CASES: Readonly<Partial<Record<HypercallName, readonly Case[]>>> = {
  partition_create_partition: [one("UNIMPLEMENTED", "partitions are not created dynamically", {}, { object: "none" })],
  partition_create_cspace: CREATE,
  partition_create_addrspace: CREATE,
  partition_create_memextent: CREATE,
  partition_create_thread: CREATE,
  partition_create_doorbell: CREATE,
  partition_create_msgqueue: CREATE,
  partition_create_vic: CREATE,
  partition_create_vpm_group: CREATE,
  partition_create_virtio_mmio: CREATE,
  object_activate: ACTIVATION,
  object_activate_from: ACTIVATION,
  object_reset: [one("UNIMPLEMENTED", "no build implements this call", {}, { object: "none" })],
  object_reset_from: [one("UNIMPLEMENTED", "no build implements this call", {}, { object: "none" })],

  doorbell_bind_virq: bindCases("doorbell", (w, id) => w.get<Doorbell>(id).virq),
  doorbell_receive: [one("ARGUMENT_INVALID", "clear_flags names at least one flag", { clear_flags: 0n })],

  msgqueue_bind_send_virq: bindCases("msgqueue", (w, id) => w.get<Msgqueue>(id).sendVirq),
  msgqueue_bind_receive_virq: bindCases("msgqueue", (w, id) => w.get<Msgqueue>(id).receiveVirq),
  msgqueue_send: [
    one("MSGQUEUE_FULL", "the queue is full", (w, { msgqueue }) => {
      for (let count = 0; count < 2; count++) w.get<Msgqueue>(msgqueue).append(new Uint8Array(1), false);
    }),
    one("ARGUMENT_SIZE", "the message is too big", { size: 65n }),
    ...bufferCases("data", Access.X),
  ],
  msgqueue_receive: [
    one("MSGQUEUE_EMPTY", "the queue is empty", (w, { msgqueue }) => w.get<Msgqueue>(msgqueue).remove()),
    ...bufferCases("buffer", Access.R),
  ],
  msgqueue_configure_send: [
    one("UNIMPLEMENTED", "there is no hold-off", { not_full_holdoff: 0n }),
    one("ARGUMENT_INVALID", "thresholds of senders are below the depth", { not_full_thres: 2n }),
    one("ARGUMENT_INVALID", "thresholds of senders are below the depth", { not_full_thres: 0xffff_fffen }),
  ],
  msgqueue_configure_receive: [
    one("UNIMPLEMENTED", "there is no hold-off", { not_empty_holdoff: 1n }),
    one("ARGUMENT_INVALID", "thresholds of receivers are 1 to the depth", { not_empty_thres: 0n }),
    one("ARGUMENT_INVALID", "thresholds of receivers are 1 to the depth", { not_empty_thres: 3n }),
  ],
  msgqueue_configure: [[0, 240], [256, 240], [8, 0], [8, 1024]].map(([depth, size]) =>
    one("ARGUMENT_INVALID", "1 to 255 messages of 1 to 1023 bytes", { create_info: msgqueueCreateInfo(depth, size) })
  ),

  cspace_copy_cap_from: [
    one("CSPACE_FULL", "every slot is in use", (w) => ({ dest_cspace: full(w) }), { object: "dest_cspace" }),
    one("NOMEM", "the partition's heap is exhausted", (w) => ({ dest_cspace: starved(w) }), { object: "dest_cspace" }),
    one("CSPACE_INSUFFICIENT_RIGHTS", "a copy needs at least one right that its parent has", { rights_mask: 0n }),
  ],
  cspace_revoke_cap_from: [one("UNIMPLEMENTED", "no build implements this call", {}, { object: "none" })],
  cspace_configure: [one("ARGUMENT_INVALID", "max_caps is more than a cspace can hold", { max_caps: 62n * 230n + 1n })],
  cspace_revoke_caps_from: [
    one("CSPACE_INSUFFICIENT_RIGHTS", "only a master capability revokes copies", (w, { master_cap }) => ({
      master_cap: w.copy(master_cap, 0xffff_ffff),
    })),
  ],

  hwirq_bind_virq: [
    one("VIRQ_BOUND", "the source is bound already", (w, { hwirq, vic }) => void w.ok("hwirq_bind_virq", { hwirq, vic, virq: 42n }), {
      object: "vic",
    }),
    one("BUSY", "another source has this vIRQ", (w) => bind(w, w.get<Doorbell>(w.active("doorbell")).virq, Number(FREE_VIRQ)), {
      object: "vic",
    }),
    one("ARGUMENT_INVALID", "not a shared vIRQ of this VIC", { virq: 31n }, { object: "vic" }),
    one("ARGUMENT_INVALID", "a PPI is forwarded to a PPI", (w) => ({ hwirq: w.hwirq(20), vic: w.active("vic"), virq: 40n })),
    one("DENIED", "PPIs go to pinned vCPUs only", (w) => ({ hwirq: w.hwirq(20), virq: 20n })),
    one("DENIED", "the PPI is forwarded already", (w) => {
      const args = { hwirq: w.hwirq(20), vic: w.active("vic"), virq: 20n };
      w.ok("hwirq_bind_virq", args);
      return args;
    }),
  ],
  hwirq_unbind_virq: [one("VIRQ_NOT_BOUND", "the interrupt is not forwarded", (w) => ({ hwirq: w.hwirq(51) }))],
  vic_configure: ([
    ["unknown options", { vic_options: 4n }],
    ["1 to 8 vCPUs", { max_vcpus: 0n }],
    ["1 to 8 vCPUs", { max_vcpus: 9n }],
    ["at most 988 shared vIRQs", { max_virqs: 989n }],
    ["there are no message-signaled interrupts", { max_msis: 1n }],
  ] as const).map(([rule, args]) => one("ARGUMENT_INVALID", rule, args as Args)),
  vic_attach_vcpu: [one("ARGUMENT_INVALID", "the VIC has no such index", { index: 4n })],
  vic_bind_msi_source: [
    one("CSPACE_WRONG_OBJECT_TYPE", "there is no source of message-signaled interrupts", {}),
    one("CSPACE_WRONG_OBJECT_TYPE", "there is no source of message-signaled interrupts", (w) => ({ msi_source: w.active("msgqueue") }), {
      behaviour: { msi: "its" },
    }),
    one("DENIED", "the VIC has no message-signaled interrupts", {}, { behaviour: { msi: "its" } }),
    one("VIRQ_BOUND", "the source is bound already", (w, { msi_source }) => {
      const vic = w.fresh("vic");
      w.ok("vic_configure", { vic, max_vcpus: 1n, max_virqs: 32n, vic_options: 1n, max_msis: 8192n });
      w.ok("object_activate", { cap: vic });
      w.ok("vic_bind_msi_source", { vic, msi_source });
      return { vic };
    }, { behaviour: { vmMsis: true } }),
  ],
  vgic_set_mpidr_mapping: [
    one("ARGUMENT_INVALID", "shifts are below 32", { aff3_shift: 32n }),
    one("ARGUMENT_INVALID", "the fields of the index overlap", { aff1_shift: 1n }),
    one("ARGUMENT_INVALID", "the index is not 2^k - 1 values without a gap", { aff1_shift: 3n }),
    one("ARGUMENT_INVALID", "the index is not 2^k - 1 values without a gap", { mask: 0xffffn, aff1_shift: 8n }),
  ],

  addrspace_attach_thread: [
    one("NOMEM", "as many threads are attached as there can be CPUs", (w, { addrspace }) => {
      const space = w.get<AddressSpace>(addrspace);
      while (space.threads < 8) space.attachThread(w.object("thread"));
    }),
  ],
  addrspace_map: [
    ...flagsOfMap,
    one("ARGUMENT_INVALID", "reserved bits of the attributes are zero", { map_attrs: 0xf_0088n }, { object: "none" }),
    one("ARGUMENT_INVALID", "a memory type that the extent admits", { map_attrs: 0x4_0066n }),
    one("ARGUMENT_INVALID", "a mapping allows no more than its extent", (w) => ({
      memextent: w.cap(w.extent(w.take(4096), 4096, ExtentType.Basic, Access.R)),
    })),
    one("ADDR_INVALID", "PRIVATE and VMMIO mappings lie in a range of addrspace_configure_vmmio", { map_flags: 2n }),
    one("ADDR_OVERFLOW", "the range wraps", { vbase: WRAPPING }, { object: "memextent" }),
    one("ADDR_OVERFLOW", "the range leaves the address space", { vbase: 0xf_ffff_f000n }, { object: "memextent" }),
    one("ADDR_INVALID", "the range lies outside the address space", { vbase: 0x10_0000_0000n }, { object: "memextent" }),
    one("ADDR_INVALID", "the range leaves 48 bits", (w) => ({ memextent: w.cap(w.sparse()), vbase: 0xffff_ffff_f000n }), {
      object: "memextent",
    }),
    one("MEMEXTENT_MAPPINGS_FULL", "every mapping slot of the extent is in use", (w, { memextent }) => {
      for (let slot = 1n; slot <= 4n; slot++) w.map(w.get<Memextent>(memextent), FREE_IPA + slot * 0x10_0000n);
    }, { object: "memextent" }),
    one("NOMEM", "no memory for page tables is left", (w) => void w.hypervisor.pageTables.promise(w.hypervisor.pageTables.left, 1), {
      object: "addrspace",
    }),
    one("NOMEM", "the partition's heap is exhausted", (w) => {
      const { rootPartition } = w.hypervisor;
      rootPartition.allocate(rootPartition.heapSize - rootPartition.heapUsed);
    }, { object: "addrspace" }),
  ],
  addrspace_unmap: [...flagsOfMap, NOT_MAPPED],
  addrspace_update_access: [
    ...flagsOfMap,
    NOT_MAPPED,
    one("ARGUMENT_INVALID", "reserved bits of the attributes are zero", { access_attrs: 0x1_0000n }, { object: "none" }),
    one("ARGUMENT_INVALID", "a mapping allows no more than its extent", (w) => {
      const extent = w.extent(w.take(4096), 4096, ExtentType.Basic, Access.R);
      return { memextent: w.cap(extent), access_attrs: 0x66n };
    }),
  ],
  addrspace_configure: [0n, 256n].map((vmid) => one("ARGUMENT_INVALID", "VMIDs are 1 to 255", { vmid })),
  addrspace_attach_vdma: [one("CSPACE_WRONG_OBJECT_TYPE", "no device of this build has a vDMA port", {})],
  addrspace_lookup: [
    one("ARGUMENT_SIZE", "a range has a size", { size: 0n }),
    one("ADDR_OVERFLOW", "the range wraps", { vbase: WRAPPING, size: 2n * PAGE }),
    one("ARGUMENT_ALIGNMENT", "ranges are whole pages", { size: 8n }),
    one("ADDR_INVALID", "the first page is not mapped", { vbase: 0x9000_0000n }),
    one("MEMDB_NOT_OWNER", "the extent owns the mapped pages", (w) => ({ memextent: w.active("memextent") })),
  ],
  addrspace_configure_info_area: [
    one("ARGUMENT_INVALID", "an info area is one page", (w) => ({ info_area_me: w.active("memextent") })),
    one("ADDR_INVALID", "an info area lies at a page of the address space", { ipa: 0x3000_0008n }),
    one("ADDR_INVALID", "an info area lies at a page of the address space", { ipa: 1n << 36n }),
    one("ARGUMENT_INVALID", "an info area is a BASIC extent, readable and writable, of any memory type", (w) => ({
      info_area_me: w.cap(w.extent(w.take(4096), 4096, ExtentType.Basic, Access.R)),
    })),
  ],
  addrspace_configure_vmmio: [
    one("UNIMPLEMENTED", "ranges are added or removed", { op: 4n }),
    one("ARGUMENT_SIZE", "a range has a size", { size: 0n }),
    one("ARGUMENT_SIZE", "the range leaves the address space", { vbase: 1n << 36n }),
    one("ADDR_OVERFLOW", "the range wraps", { vbase: WRAPPING, size: 2n * PAGE }),
    one("BUSY", "the range overlaps another", (w, { addrspace, vbase }) => {
      w.get<AddressSpace>(addrspace).configureVmmio(vbase + 16n, 16n, 0);
    }),
    one("BUSY", "no range is exactly this one", { op: 1n }),
    one("NORESOURCES", "too many ranges", (w, { addrspace }) => {
      for (let range = 0n; range < 128n; range++) w.get<AddressSpace>(addrspace).configureVmmio(0x2000_0000n + range * PAGE, PAGE, 0);
    }),
    one("OBJECT_STATE", "the address space failed to activate", (w) => {
      const id = w.fresh("addrspace");
      w.get<AddressSpace>(id).activate();
      return { addrspace: id };
    }),
  ],
  addrspace_attach_vdevice: [
    one("ARGUMENT_INVALID", "a device has a size and lies in the address space", { size: 0n }),
    one("ARGUMENT_INVALID", "a device has a size and lies in the address space", { vbase: (1n << 36n) - PAGE, size: 2n * PAGE }),
    one("ARGUMENT_INVALID", "no such frame", { index: 5n }, { object: "vdevice" }),
    one("ARGUMENT_INVALID", "unknown flags", { flags: 4n }, { object: "vdevice" }),
    one("ARGUMENT_INVALID", "unknown flags", { index: 0n, flags: 1n }, { object: "vdevice" }),
    one("IDLE", "no active vCPU has this index", { index: 4n }, { object: "vdevice" }),
    one("BUSY", "another device is at this address", (w, args) => void w.ok("addrspace_attach_vdevice", { ...args, index: 0n, flags: 0n })),
    one("BUSY", "the frame is attached already", (w, args) => {
      w.ok("addrspace_attach_vdevice", { ...args, vbase: 0x2000_0000n });
    }, { object: "vdevice" }),
  ],

  addrspace_modify_pages: [
    one("ARGUMENT_INVALID", "reserved bits of the flags are zero", { flags: 0x10n }, { object: "none" }),
    one("ADDR_OVERFLOW", "the range wraps", { vbase: WRAPPING, size: 2n * PAGE }),
    one("ARGUMENT_ALIGNMENT", "ranges are whole pages", { size: 8n }),
    one("ADDR_INVALID", "the range leaves the address space", { vbase: 1n << 36n }),
    one("ADDR_INVALID", "every page is a private one that the guest may write", { vbase: 0x9000_0000n }),
    one("ADDR_INVALID", "every page is a private one that the guest may write", { vbase: FREE_IPA + 0x8_0000n }),
  ],
  addrspace_find_info_area: [
    one("ADDR_INVALID", "the caller's address space has no info area", (w) => leaveInfoArea(w), { object: "none" }),
  ],
  addrspace_info_area_add_entry: [
    ...[1n, 4n].map((owner) =>
      one("ARGUMENT_INVALID", "entries are the root VM's, a Resource Manager's or a developer's", { type: owner << 16n })
    ),
    one("ARGUMENT_SIZE", "an entry has a size", { data_info: 8n << 32n }),
    ...[0n, 3n, 8192n].map((alignment) =>
      one("ARGUMENT_ALIGNMENT", "an alignment is a power of 2, one page at most", { data_info: 16n | alignment << 32n })
    ),
    one("IDLE", "the address space has no info area", (w) => ({ addrspace: w.active("addrspace") })),
    one("NOMEM", "the info area is full", { data_info: 4080n | 8n << 32n }),
    ...bufferCases("data", Access.None),
  ],
  addrspace_info_area_get_entry: [
    one("ARGUMENT_INVALID", "no entry has this type", { type: 2n << 16n }, { object: "none" }),
    one("ARGUMENT_SIZE", "the entry is larger than the buffer", { buf_size: 15n }, { object: "none" }),
    ...bufferCases("buffer", Access.R).map((each) => ({ ...each, object: "none" })),
  ],
  power_system_suspend: [one("CSPACE_WRONG_OBJECT_TYPE", "this build has no power objects", {}, { object: "none" })],
  vpm_group_bind_power: [one("CSPACE_WRONG_OBJECT_TYPE", "this build has no power objects", {})],
  partition_donate: [
    one("ARGUMENT_INVALID", "donate to a partition, or to or from a heap", { flags: 3n }, { object: "none" }),
    one("ARGUMENT_INVALID", "memory is taken from a heap without attributes", { flags: 2n, arg2: 1n }),
    one("ARGUMENT_INVALID", "the heap was given exactly this range", { flags: 2n }),
    one("ARGUMENT_INVALID", "a heap is RAM", { base: 0n }),
    one("ARGUMENT_SIZE", "a range has a size", { size: 0n }),
    one("ADDR_OVERFLOW", "the range wraps", { base: WRAPPING, size: 2n * PAGE }),
    one("ARGUMENT_ALIGNMENT", "ranges are whole pages", { size: 8n }),
    one("MEMDB_NOT_OWNER", "a partition donates pages that it owns", (w) => {
      return { base: BigInt(w.get<Memextent>(w.active("memextent")).base) };
    }),
    one("NORESOURCES", "a heap takes no more ranges", (w, args) => {
      for (let range = 0; range < 64; range++) w.ok("partition_donate", { ...args, base: BigInt(w.take(4096)) });
    }),
    one("BUSY", "objects use the heap", (w, args) => {
      const { rootPartition } = w.hypervisor;
      w.ok("partition_donate", args);
      rootPartition.allocate(rootPartition.heapSize - rootPartition.heapUsed);
      return { flags: 2n };
    }),
  ],

  memextent_modify: [
    one("ARGUMENT_INVALID", "an operation with the synchronization that it needs", { flags: BigInt(ModifyOperation.ZeroRange) }, {
      object: "none",
    }),
    one("ARGUMENT_INVALID", "an operation with the synchronization that it needs", { flags: 4n }, { object: "none" }),
    one("ARGUMENT_INVALID", "the range leaves the extent", { ...zero(0x1_0000n, PAGE) }),
    one("ARGUMENT_SIZE", "a range has a size and does not wrap", zero(0n, 0n)),
    one("ARGUMENT_SIZE", "a range has a size and does not wrap", zero(WRAPPING, 2n * PAGE)),
    one("ARGUMENT_ALIGNMENT", "ranges are whole pages", zero(8n, PAGE)),
    one("DENIED", "contents are changed of writable memory only", (w) => ({
      ...zero(0n, PAGE),
      memextent: w.cap(w.extent(w.take(4096), 4096, ExtentType.Basic, Access.R)),
    })),
  ],
  memextent_configure: [
    one("ARGUMENT_INVALID", "a range has a size and does not wrap", { size: 0n }),
    one("ARGUMENT_INVALID", "a range has a size and does not wrap", { phys_base: WRAPPING, size: 2n * PAGE }),
    ...[0x8000_0007n, 0n, 3n, 0x307n, 0x2_0007n, 0xfn].map((attributes) =>
      one("ARGUMENT_INVALID", "attributes that this build has", { attributes })
    ),
    one("ARGUMENT_ALIGNMENT", "extents are whole pages", { phys_base: 8n }),
  ],
  memextent_configure_derive: [
    one("ARGUMENT_INVALID", "a range has a size and does not wrap", { size: 0n }),
    one("ARGUMENT_INVALID", "attributes that this build has", { attributes: 0n }),
    one("ARGUMENT_INVALID", "a derived extent allows no more than its parent", (w) => ({
      parent_memextent: w.cap(w.extent(w.take(8192), 8192, ExtentType.Basic, Access.R)),
    })),
    one("ADDR_INVALID", "the range leaves the parent", { offset: 0x1_0000n }),
    one("ARGUMENT_ALIGNMENT", "extents are whole pages", { offset: 8n }),
  ],
  memextent_donate: [
    one("ARGUMENT_INVALID", "options are a kind of donation and NO_SYNC", { options: 5n }, { object: "none" }),
    one("ARGUMENT_INVALID", "protected memory goes between extents", (w) => ({ options: 3n, from: w.partition })),
    one("BUSY", "the pages are still mapped", (w, { from, to }) => {
      const [parent, child] = [from, to].map((id) => w.get<Memextent>(id));
      w.map(child, FREE_IPA, 0, 4096);
      return { options: 4n, from: w.cap(child), to: w.cap(parent) };
    }),
    one("ARGUMENT_INVALID", "giver and receiver are related as the options say", (w) => ({ from: w.cap(w.sparse()) })),
    one("ARGUMENT_INVALID", "both extents are SPARSE", (w) => {
      const parent = w.get<Memextent>(w.active("memextent"));
      return { from: w.cap(parent), to: w.cap(w.child(parent, ExtentType.Sparse)) };
    }),
    one("ARGUMENT_INVALID", "the range lies inside both extents", { offset: 0x1_0000n }),
    one("CSPACE_INSUFFICIENT_RIGHTS", "the capability lacks a right", (w) => ({ from: w.copy(w.partition, PartitionRight.ObjectCreate) }), {
      section: "hypervisor 3.3",
      object: "any",
    }),
    one("ARGUMENT_ALIGNMENT", "ranges are whole pages", { size: 8n }),
    one("ARGUMENT_SIZE", "a range has a size and does not wrap", { size: 0n }),
    one("MEMEXTENT_TYPE", "pages come and go in SPARSE extents only", (w, { from }) => ({
      to: w.cap(w.child(w.get<Memextent>(from), ExtentType.Basic)),
    })),
    one("MEMDB_NOT_OWNER", "the giver owns every page", (w, { from }) => void w.child(w.get<Memextent>(from), ExtentType.Basic, 0, 4096)),
  ],

  vcpu_configure: [one("ARGUMENT_INVALID", "unknown options", { vcpu_options: 1n << 7n }, { object: "none" })],
  vcpu_poweron: [
    one("ARGUMENT_INVALID", "unknown flags", { flags: 4n }),
    one("BUSY", "the vCPU is powered on", (w, { cap }) => w.get<Vcpu>(cap).powerOn(0n, 0n)),
    one("FAILURE", "the vCPU was killed", (w, { cap }) => w.get<Vcpu>(cap).kill()),
  ],
  vcpu_poweroff: [
    one("ARGUMENT_INVALID", "unknown flags", { flags: 2n }),
    one("ARGUMENT_INVALID", "a vCPU powers off itself only", (w) => ({ cap: w.cap(w.vcpu()) })),
    one("DENIED", "the flag says whether it is the last vCPU online", { flags: 1n }),
  ],
  vcpu_set_affinity: [
    one("ARGUMENT_INVALID", "there is no such CPU", { affinity: 2n }),
    one("DENIED", "a pinned vCPU stays", (w) => ({ cap: w.cap(w.vcpu(VcpuOption.Pinned)) })),
    one("CSPACE_INSUFFICIENT_RIGHTS", "the capability lacks a right", (w, { cap }) => ({ affinity: 0xffffn, cap: w.copy(cap, 2) }), {
      section: "hypervisor 3.3",
      object: "any",
    }),
  ],
  vcpu_set_priority: [
    one("DENIED", "priorities of vCPUs are 0 to 62", { priority: 63n }),
    one("OBJECT_STATE", "the vCPU is no longer configurable", (w) => ({ cap: w.cap(w.vcpu()) })),
  ],
  vcpu_set_timeslice: [
    one("ARGUMENT_INVALID", "timeslices are 100 us to 100 ms", { timeslice: 99_999n }),
    one("ARGUMENT_INVALID", "timeslices are 100 us to 100 ms", { timeslice: 100_000_001n }),
    one("OBJECT_STATE", "the vCPU is no longer configurable", (w) => ({ cap: w.cap(w.vcpu()) })),
  ],
  vcpu_bind_virq: [
    ...bindCases("vcpu", (w, id) => w.get<Vcpu>(id).wakeupVirq),
    one("ARGUMENT_INVALID", "a vCPU has a halt and a wakeup vIRQ", { virq_type: 2n }),
    one("BUSY", "the vCPU is running", (w, { vcpu }) => w.get<Vcpu>(vcpu).powerOn(0n, 0n)),
  ],
  vcpu_unbind_virq: [one("ARGUMENT_INVALID", "a vCPU has a halt and a wakeup vIRQ", { virq_type: 2n })],
  vcpu_register_write: [
    one("ARGUMENT_INVALID", "no such register, or a misaligned value", { index: 31n }),
    one("ARGUMENT_INVALID", "no such register, or a misaligned value", { register_set: 1n, index: 0n, value: 2n }),
    one("ARGUMENT_INVALID", "no such register, or a misaligned value", { register_set: 2n, index: 0n, value: 8n }),
    one("BUSY", "the vCPU is powered on", (w, { vcpu }) => w.get<Vcpu>(vcpu).powerOn(0n, 0n)),
    one("OBJECT_STATE", "the vCPU was killed", (w, { vcpu }) => w.get<Vcpu>(vcpu).kill()),
  ],
  vcpu_run: [
    one("BUSY", "the vCPU is not proxy-scheduled, or is already running", (w) => ({ cap: w.cap(w.vcpu()) })),
    one("DENIED", "a pinned vCPU stays", (w) => {
      const vcpu = w.vcpu(VcpuOption.Pinned | VcpuOption.VcpuRunScheduled, 1);
      vcpu.powerOn(w.buffer, 0n);
      return { cap: w.cap(vcpu) };
    }),
  ],
  vcpu_run_check: [
    one("BUSY", "the vCPU can run, or waits for something passing", (w, { cap }) => w.get<Vcpu>(cap).powerOn(0n, 0n)),
  ],
  scheduler_yield: [2n, 3n, 0x8000_0000n].map((control) =>
    one("ARGUMENT_INVALID", "a yield, or a yield to a thread", { control }, { object: "none" })
  ),

  vpm_group_configure: [one("UNIMPLEMENTED", "unknown flags", { flags: 2n }, { object: "none" })],
  vpm_group_attach_vcpu: [one("ARGUMENT_INVALID", "indices are below 8", { index: 8n })],
  vpm_group_bind_virq: bindCases("vpm_group", (w, id) => w.get<{ virq: Doorbell["virq"] } & Doorbell>(id).virq),
  prng_get_entropy: [
    one("ARGUMENT_SIZE", "1 to 16 bytes in one call", { num_bytes: 0n }, { object: "none" }),
    one("ARGUMENT_SIZE", "1 to 16 bytes in one call", { num_bytes: 17n }, { object: "none" }),
    one("ARGUMENT_ALIGNMENT", "whole words only", { num_bytes: 5n }, { object: "none" }),
    one("BUSY", "at most 4 calls in 33 ms on a vCPU", (w, args) => {
      for (let call = 0; call < 4; call++) w.ok("prng_get_entropy", args);
    }, { object: "none" }),
  ],

  virtio_mmio_configure: [
    one("ARGUMENT_INVALID", "the page is a BASIC extent of 4096 bytes", (w) => ({ memextent: w.active("memextent") })),
    one("ARGUMENT_INVALID", "at most 16 queues", { vqs_num: 17n }),
    one("ARGUMENT_INVALID", "input devices are the only type that is known", { flags: 1n << 6n, device_type: 2n }),
  ],
  virtio_mmio_backend_bind_virq: bindCases("virtio_mmio", (w, id) => w.get<VirtioMmio>(id).backendVirq),
  virtio_mmio_frontend_bind_virq: bindCases("virtio_mmio", (w, id) => w.get<VirtioMmio>(id).frontendVirq),
  virtio_mmio_backend_assert_virq: [
    one("DENIED", "a reset is under way", (w, { virtio_mmio }) => {
      const device = w.get<VirtioMmio>(virtio_mmio);
      device.write(0x070, 4, 1);
      device.write(0x070, 4, 0);
    }),
  ],
  virtio_mmio_backend_set_dev_features: [
    one("ARGUMENT_INVALID", "there are two banks of features", { sel: 2n }),
    one("DENIED", "VERSION_1 and ACCESS_PLATFORM are offered, NOTIFICATION_DATA is not", { dev_feat: 1n }),
    one("DENIED", "VERSION_1 and ACCESS_PLATFORM are offered, NOTIFICATION_DATA is not", { dev_feat: 0x43n }),
  ],
  virtio_mmio_backend_set_queue_num_max: [one("ARGUMENT_INVALID", "the device has no such queue", { sel: 2n })],
  virtio_mmio_backend_get_drv_features: [one("ARGUMENT_INVALID", "there are two banks of features", { sel: 2n })],
  virtio_mmio_backend_get_queue_info: [one("ARGUMENT_INVALID", "the device has no such queue", { sel: 2n })],
  virtio_input_configure: [
    one("OBJECT_CONFIG", "not an input device", (w) => ({ virtio_mmio_cap: w.active("virtio_mmio") })),
    one("ARGUMENT_INVALID", "at most 32 event types and 64 axes", { num_evtypes: 33n }),
    one("ARGUMENT_INVALID", "at most 32 event types and 64 axes", { num_absaxes: 65n }),
    one("BUSY", "event types and axes are configured once", (w, args) => void w.ok("virtio_input_configure", args)),
  ],
  virtio_input_set_data: [
    one("CSPACE_WRONG_OBJECT_TYPE", "not an input device", (w) => ({ virtio_mmio_cap: w.active("virtio_mmio") })),
    one("ARGUMENT_INVALID", "no such selection", { sel: 4n }),
    one("ARGUMENT_INVALID", "no such selection", { subsel: 1n }),
    one("ARGUMENT_INVALID", "no such selection", (w) => ({ virtio_mmio_cap: inputDevice(w), sel: 0x11n, subsel: 0n })),
    one("ARGUMENT_INVALID", "no such selection", (w) => ({ virtio_mmio_cap: inputDevice(w), sel: 0x12n, subsel: 0n })),
    one("ARGUMENT_SIZE", "the entry is empty or too big", { size: 0n }),
    one("ARGUMENT_SIZE", "the entry is empty or too big", { size: 129n }),
    one("NORESOURCES", "as many entries are set as were configured", (w) => {
      const device = inputDevice(w);
      w.ok("virtio_input_configure", { virtio_mmio_cap: device, num_evtypes: 1n });
      w.ok("virtio_input_set_data", { virtio_mmio_cap: device, sel: 0x11n, subsel: 0n, size: 8n, data: w.buffer });
      return { virtio_mmio_cap: device, sel: 0x11n, subsel: 1n };
    }),
    ...bufferCases("data", Access.X),
  ],
};

/** ZERO_RANGE of a part of an extent. */
function zero(offset: bigint, size: bigint): Args {
  return { flags: BigInt((ModifyOperation.ZeroRange | ModifyFlags.NoSync) >>> 0), offset, size };
}
