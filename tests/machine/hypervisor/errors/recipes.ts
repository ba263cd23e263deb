// For each hypercall, arguments with which it succeeds in a `World`.

import type { HypercallName } from "../../../../src/machine/abi/hypercalls.ts";
import {
  ModifyFlags,
  ModifyOperation,
  msgqueueCreateInfo,
  PartitionDonateType,
  VcpuOption,
  VmmioOperation,
} from "../../../../src/machine/abi/words.ts";
import type { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import type { Msgqueue } from "../../../../src/machine/hypervisor/ipc/msgqueue.ts";
import type { Vic } from "../../../../src/machine/hypervisor/gic/vic.ts";
import type { VirqSource } from "../../../../src/machine/hypervisor/gic/vic-source.ts";
import type { VirtioMmio } from "../../../../src/machine/hypervisor/virtio/virtio-mmio.ts";
import type { VpmGroup } from "../../../../src/machine/hypervisor/scheduling/vpm-group.ts";
import { type Args, RW_NORMAL, RWX_BASIC, type World } from "./world.ts";

/** A vIRQ that nothing is bound to, and one for what a recipe binds itself. */
export const FREE_VIRQ = 40n;
const BOUND_VIRQ = 41;
/** An IPA where nothing is mapped. */
export const FREE_IPA = 0x8000_0000n;
const INPUT_DEVICE = 18;
/** An entry of an info area: id 7, the root VM's. */
export const ENTRY = 2n << 16n | 7n;
const ADD_HEAP = BigInt(PartitionDonateType.AddHeap);
const DEVICE_TYPE_VALID = 1n << 6n;

/** Binds a source of the world to a vIRQ of the caller's VIC. */
export function bind(w: World, source: VirqSource, virq = BOUND_VIRQ): void {
  w.get<Vic>(w.vic).bindShared(source, virq);
}

const create = (w: World): Args => ({ src_partition: w.partition, cspace: w.self });
const cap = (type: Parameters<World["active"]>[0], argument: string = type) => (w: World): Args => ({ [argument]: w.active(type) });
const bindTo = (type: Parameters<World["active"]>[0]) => (w: World): Args => ({ [type]: w.active(type), vic: w.vic, virq: FREE_VIRQ });

/** An active object of a type with a bound source. */
function bound<O>(w: World, type: Parameters<World["active"]>[0], source: (object: O) => VirqSource): bigint {
  const id = w.active(type);
  bind(w, source(w.get(id) as O));
  return id;
}

/** A queue that holds one message. */
export function filled(w: World): bigint {
  const id = w.active("msgqueue");
  w.get<Msgqueue>(id).append(new Uint8Array(16), false);
  return id;
}

/** An extent that is mapped whole at FREE_IPA in the caller's address space. */
export function mapped(w: World): bigint {
  const id = w.active("memextent");
  w.map(w.get<Memextent>(id), FREE_IPA);
  return id;
}

/** An active input device. */
export function inputDevice(w: World): bigint {
  const id = w.fresh("virtio_mmio");
  const page = w.get<Memextent>(w.active("memextent"));
  const extent = w.cap(w.child(page, 0, 0, 4096));
  w.ok("virtio_mmio_configure", {
    virtio_mmio: id,
    memextent: extent,
    vqs_num: 2n,
    flags: DEVICE_TYPE_VALID,
    device_type: BigInt(INPUT_DEVICE),
  });
  w.ok("object_activate", { cap: id });
  return id;
}

/** An extent of one page, by capability. */
export function page(w: World): bigint {
  return w.cap(w.child(w.get<Memextent>(w.active("memextent")), 0, 0, 4096));
}

/** A vCPU of the caller's VM that is powered off. */
const off = (w: World) => w.cap(w.vcpu());

const device = cap("virtio_mmio");

/** Arguments by call. Calls that never succeed have arguments that are valid in themselves. */
export const RECIPES: Readonly<Record<HypercallName, (w: World) => Args>> = {
  hypervisor_identify: () => ({}),

  partition_create_partition: create,
  partition_create_cspace: create,
  partition_create_addrspace: create,
  partition_create_memextent: create,
  partition_create_thread: create,
  partition_create_doorbell: create,
  partition_create_msgqueue: create,
  partition_create_watchdog: create,
  partition_create_vic: create,
  partition_create_vpm_group: create,
  partition_create_virtio_mmio: create,
  object_activate: (w) => ({ cap: w.fresh("doorbell") }),
  object_activate_from: (w) => ({ cspace: w.self, cap: w.fresh("doorbell") }),
  object_reset: cap("doorbell", "cap"),
  object_reset_from: (w) => ({ cspace: w.self, cap: w.active("doorbell") }),

  doorbell_bind_virq: bindTo("doorbell"),
  doorbell_unbind_virq: (w) => ({ doorbell: bound<Doorbell>(w, "doorbell", (doorbell) => doorbell.virq) }),
  doorbell_send: (w) => ({ doorbell: w.active("doorbell"), new_flags: 5n }),
  doorbell_receive(w) {
    const doorbell = w.active("doorbell");
    w.get<Doorbell>(doorbell).send(1n);
    return { doorbell, clear_flags: 1n };
  },
  doorbell_reset(w) {
    const doorbell = w.active("doorbell");
    w.get<Doorbell>(doorbell).send(1n);
    return { doorbell };
  },
  doorbell_mask: (w) => ({ doorbell: w.active("doorbell"), enable_mask: 1n, ack_mask: 2n }),

  msgqueue_bind_send_virq: bindTo("msgqueue"),
  msgqueue_bind_receive_virq: bindTo("msgqueue"),
  msgqueue_unbind_send_virq: (w) => ({ msgqueue: bound<Msgqueue>(w, "msgqueue", (queue) => queue.sendVirq) }),
  msgqueue_unbind_receive_virq: (w) => ({ msgqueue: bound<Msgqueue>(w, "msgqueue", (queue) => queue.receiveVirq) }),
  msgqueue_send: (w) => ({ msgqueue: w.active("msgqueue"), size: 16n, data: w.buffer }),
  msgqueue_receive: (w) => ({ msgqueue: filled(w), buffer: w.buffer, buf_size: 64n }),
  msgqueue_flush: (w) => ({ msgqueue: filled(w) }),
  msgqueue_configure_send: (w) => ({ msgqueue: w.active("msgqueue"), not_full_thres: 0n, not_full_holdoff: 0xffff_ffffn }),
  msgqueue_configure_receive: (w) => ({ msgqueue: w.active("msgqueue"), not_empty_thres: 2n, not_empty_holdoff: 0xffff_ffffn }),
  msgqueue_configure: (w) => ({ msgqueue: w.fresh("msgqueue"), create_info: msgqueueCreateInfo(8, 240) }),

  cspace_delete_cap_from: (w) => ({ cspace: w.self, cap: w.active("doorbell") }),
  cspace_copy_cap_from: (w) => ({ src_cspace: w.self, src_cap: w.active("doorbell"), dest_cspace: w.self, rights_mask: 3n }),
  cspace_revoke_cap_from: (w) => ({ src_cspace: w.self, src_cap: w.active("doorbell") }),
  cspace_configure: (w) => ({ cspace: w.fresh("cspace"), max_caps: 32n }),
  cspace_attach_thread: (w) => ({ cspace: w.self, thread: w.fresh("thread") }),
  cspace_revoke_caps_from(w) {
    const master_cap = w.active("doorbell");
    w.copy(master_cap, 1);
    return { src_cspace: w.self, master_cap };
  },

  hwirq_bind_virq: (w) => ({ hwirq: w.hwirq(50), vic: w.vic, virq: FREE_VIRQ }),
  hwirq_unbind_virq(w) {
    const hwirq = w.hwirq(50);
    w.ok("hwirq_bind_virq", { hwirq, vic: w.vic, virq: FREE_VIRQ });
    return { hwirq };
  },
  vic_configure: (w) => ({ vic: w.fresh("vic"), max_vcpus: 2n, max_virqs: 100n, vic_options: 3n, max_msis: 0n }),
  vic_attach_vcpu: (w) => ({ vic: w.vic, vcpu: w.fresh("thread"), index: 3n }),
  vic_bind_msi_source: (w) => ({ vic: w.vic, msi_source: w.active("doorbell") }),
  vgic_set_mpidr_mapping: (w) => ({
    vic: w.fresh("vic"),
    mask: 0x0303n,
    aff0_shift: 0n,
    aff1_shift: 2n,
    aff2_shift: 4n,
    aff3_shift: 4n,
    mt: 0n,
  }),

  addrspace_attach_thread: (w) => ({ addrspace: w.space, thread: w.fresh("thread") }),
  addrspace_map: (w) => ({ addrspace: w.space, memextent: w.active("memextent"), vbase: FREE_IPA, map_attrs: RW_NORMAL }),
  addrspace_unmap: (w) => ({ addrspace: w.space, memextent: mapped(w), vbase: FREE_IPA }),
  addrspace_update_access: (w) => ({ addrspace: w.space, memextent: mapped(w), vbase: FREE_IPA, access_attrs: 0x44n }),
  addrspace_configure: (w) => ({ addrspace: w.fresh("addrspace"), vmid: 99n }),
  addrspace_attach_vdma: (w) => ({ addrspace: w.space, dma_device: w.active("doorbell"), index: 0n }),
  addrspace_lookup: (w) => ({ addrspace: w.space, memextent: mapped(w), vbase: FREE_IPA, size: 4096n }),
  addrspace_configure_info_area: (w) => ({ addrspace: w.fresh("addrspace"), info_area_me: page(w), ipa: 0x3000_0000n }),
  addrspace_configure_vmmio: (w) => ({ addrspace: w.space, vbase: 0x1000_0000n, size: 4096n, op: 0n }),
  addrspace_attach_vdevice: (w) => ({
    addrspace: w.space,
    vdevice: w.vic,
    index: 1n,
    vbase: 0x1000_0000n,
    size: 0x2_0000n,
    flags: 3n,
  }),

  memextent_modify: (w) => ({
    memextent: mapped(w),
    flags: BigInt(ModifyOperation.UnmapAll | ModifyFlags.NoSync),
    offset: 0n,
    size: 4096n,
  }),
  memextent_configure: (w) => ({
    memextent: w.fresh("memextent"),
    phys_base: BigInt(w.take(4096)),
    size: 4096n,
    attributes: BigInt(RWX_BASIC),
  }),
  memextent_configure_derive: (w) => ({
    memextent: w.fresh("memextent"),
    parent_memextent: w.active("memextent"),
    offset: 4096n,
    size: 4096n,
    attributes: BigInt(RWX_BASIC),
  }),
  memextent_donate(w) {
    const parent = w.sparse();
    return { options: 0n, from: w.cap(parent), to: w.cap(w.child(parent, 1)), offset: 0n, size: 4096n };
  },

  vcpu_configure: (w) => ({ cap: w.fresh("thread"), vcpu_options: VcpuOption.Pinned }),
  vcpu_poweron: (w) => ({ cap: off(w), entry_point: w.buffer, context: 7n, flags: 0n }),
  vcpu_poweroff(w) {
    w.vcpu().powerOn(w.buffer, 0n);
    return { cap: w.me, flags: 0n };
  },
  vcpu_kill: (w) => ({ cap: off(w) }),
  vcpu_set_affinity: (w) => ({ cap: off(w), affinity: 1n }),
  vcpu_set_priority: (w) => ({ cap: w.fresh("thread"), priority: 10n }),
  vcpu_set_timeslice: (w) => ({ cap: w.fresh("thread"), timeslice: 1_000_000n }),
  vcpu_bind_virq: (w) => ({ vcpu: off(w), vic: w.vic, virq: FREE_VIRQ, virq_type: 1n }),
  vcpu_unbind_virq(w) {
    const vcpu = w.vcpu();
    bind(w, vcpu.haltVirq);
    return { vcpu: w.cap(vcpu), virq_type: 0n };
  },
  vcpu_register_write: (w) => ({ vcpu: off(w), register_set: 0n, index: 3n, value: 9n }),
  vcpu_run: (w) => ({ cap: w.proxied() }),
  vcpu_run_check: (w) => ({ cap: off(w) }),
  scheduler_yield(w) {
    const vcpu = w.vcpu();
    vcpu.powerOn(w.buffer, 0n);
    return { control: 1n, arg1: w.cap(vcpu) };
  },

  vpm_group_configure: (w) => ({ vpm_group: w.fresh("vpm_group"), flags: 1n }),
  vpm_group_attach_vcpu: (w) => ({ vpm_group: w.group, vcpu: w.fresh("thread"), index: 5n }),
  vpm_group_bind_virq: bindTo("vpm_group"),
  vpm_group_unbind_virq: (w) => ({ vpm_group: bound<VpmGroup>(w, "vpm_group", (group) => group.virq) }),
  vpm_group_get_state: (w) => ({ vpm_group: w.group }),
  trace_update_class_flags: () => ({ set_flags: 0x100n, clear_flags: 2n }),
  prng_get_entropy: () => ({ num_bytes: 16n }),

  virtio_mmio_configure: (w) => ({ virtio_mmio: w.fresh("virtio_mmio"), memextent: page(w), vqs_num: 16n, flags: 0n, device_type: 0n }),
  virtio_mmio_backend_bind_virq: bindTo("virtio_mmio"),
  virtio_mmio_backend_unbind_virq: (w) => ({ virtio_mmio: bound<VirtioMmio>(w, "virtio_mmio", (one) => one.backendVirq) }),
  virtio_mmio_frontend_bind_virq: bindTo("virtio_mmio"),
  virtio_mmio_frontend_unbind_virq: (w) => ({ virtio_mmio: bound<VirtioMmio>(w, "virtio_mmio", (one) => one.frontendVirq) }),
  virtio_mmio_backend_assert_virq: (w) => ({
    virtio_mmio: bound<VirtioMmio>(w, "virtio_mmio", (one) => one.backendVirq),
    interrupt_status: 1n,
  }),
  virtio_mmio_backend_set_dev_features: (w) => ({ ...device(w), sel: 1n, dev_feat: 3n }),
  virtio_mmio_backend_set_queue_num_max: (w) => ({ ...device(w), sel: 1n, queue_num_max: 128n }),
  virtio_mmio_backend_get_drv_features: (w) => ({ ...device(w), sel: 1n }),
  virtio_mmio_backend_get_queue_info: (w) => ({ ...device(w), sel: 1n }),
  virtio_mmio_backend_get_notification(w) {
    const virtio_mmio = w.active("virtio_mmio");
    w.get<VirtioMmio>(virtio_mmio).write(0x050, 4, 1);
    return { virtio_mmio };
  },
  virtio_mmio_backend_acknowledge_reset: device,
  virtio_mmio_backend_update_status: (w) => ({ ...device(w), val: 0x40n }),
  virtio_input_configure: (w) => ({ virtio_mmio_cap: inputDevice(w), devids: 1n, prop_bits: 2n, num_evtypes: 3n, num_absaxes: 4n }),
  addrspace_modify_pages(w) {
    w.get<AddressSpace>(w.space).configureVmmio(FREE_IPA, 0x10_0000n, VmmioOperation.AddPrivate);
    mapped(w);
    return { addrspace: w.space, vbase: FREE_IPA, size: 4096n, flags: 0n };
  },
  addrspace_find_info_area: () => ({}),
  addrspace_info_area_add_entry: (w) => ({ addrspace: w.space, type: ENTRY, data: w.buffer, data_info: 16n | 8n << 32n }),
  addrspace_info_area_get_entry(w) {
    w.get<AddressSpace>(w.space).infoArea!.add(Number(ENTRY), 4080, new Uint8Array(16));
    return { type: ENTRY, buffer: w.buffer, buf_size: 16n };
  },
  vpm_group_wakeup(w) {
    const vcpu = w.vcpu();
    vcpu.powerOn(w.buffer, 0n);
    vcpu.suspend(0, undefined);
    return { vpm_group: w.group };
  },
  power_system_suspend: (w) => ({ system_power: w.active("doorbell") }),
  vpm_group_bind_power: (w) => ({ vpm_group: w.group, power: w.active("doorbell") }),
  partition_donate: (w) => ({ flags: ADD_HEAP, partition: w.partition, arg2: 0n, base: BigInt(w.take(4096)), size: 4096n }),

  virtio_input_set_data: (w) => ({ virtio_mmio_cap: inputDevice(w), sel: 1n, subsel: 0n, size: 8n, data: w.buffer }),
};

/**
 * Calls that answer and change nothing. Those on RAM only change what a dump of the hypervisor does
 * not hold.
 */
export const READ_ONLY: ReadonlySet<HypercallName> = new Set([
  "hypervisor_identify",
  "vcpu_run_check",
  "vpm_group_get_state",
  "addrspace_lookup",
  "addrspace_modify_pages",
  "addrspace_find_info_area",
  "addrspace_info_area_get_entry",
  "virtio_mmio_backend_get_drv_features",
  "virtio_mmio_backend_get_queue_info",
  "virtio_mmio_backend_acknowledge_reset",
  "virtio_mmio_backend_update_status",
]);

/** Calls that no build implements, or for whose object there is no type. */
export const NEVER: ReadonlySet<HypercallName> = new Set([
  "partition_create_partition",
  "partition_create_watchdog",
  "object_reset",
  "object_reset_from",
  "cspace_revoke_cap_from",
  "vic_bind_msi_source",
  "addrspace_attach_vdma",
  "power_system_suspend",
  "vpm_group_bind_power",
]);
