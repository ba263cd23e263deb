// Which rights each call needs, copied from the specification's tables (docs/spec/hypervisor.md
// §3.2, §4) as numbers, so that a right that is wrong in the definitions cannot be right in the
// tests that follow from them.

import assert from "node:assert/strict";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { lookupsOf } from "./lookups.ts";
import { NEVER } from "./recipes.ts";

const ACTIVATE = 0x8000_0000;

/**
 * A capability argument: its type, the rights as a mask, the object's state. In order of lookup.
 */
type Need = readonly [argument: string, type: string, rights: number, state: "active" | "init" | "any"];

const creation: readonly Need[] = [["src_partition", "partition", 0x1, "active"], ["cspace", "cspace", 0x1, "active"]];
const needs = (argument: string, type: string, rights: number): readonly Need[] => [[argument, type, rights, "active"]];
const init = (argument: string, type: string): readonly Need[] => [[argument, type, ACTIVATE, "init"]];
const bind = (argument: string, type: string, rights: number): readonly Need[] => [
  [argument, type, rights, "active"],
  ["vic", "vic", 0x1, "active"],
];
const doorbell = (rights: number) => needs("doorbell", "doorbell", rights);
const msgqueue = (rights: number) => needs("msgqueue", "msgqueue", rights);
const mapping: readonly Need[] = [["addrspace", "addrspace", 0x2, "active"], ["memextent", "memextent", 0x1, "active"]];
const device = (rights: number) => needs("virtio_mmio", "virtio_mmio", rights);
const input = needs("virtio_mmio_cap", "virtio_mmio", 0x8);
const any = (argument: string): Need => [argument, "any", 0, "any"];

const NEEDS: Readonly<Partial<Record<HypercallName, readonly Need[]>>> = {
  hypervisor_identify: [],
  object_activate: [["cap", "any", ACTIVATE, "any"]],
  object_activate_from: [["cspace", "cspace", 0x1, "active"], ["cap", "any", ACTIVATE, "any"]],
  doorbell_bind_virq: bind("doorbell", "doorbell", 0x4),
  doorbell_unbind_virq: doorbell(0x4),
  doorbell_send: doorbell(0x1),
  doorbell_receive: doorbell(0x2),
  doorbell_reset: doorbell(0x2),
  doorbell_mask: doorbell(0x2),
  msgqueue_bind_send_virq: bind("msgqueue", "msgqueue", 0x4),
  msgqueue_bind_receive_virq: bind("msgqueue", "msgqueue", 0x8),
  msgqueue_unbind_send_virq: msgqueue(0x4),
  msgqueue_unbind_receive_virq: msgqueue(0x8),
  msgqueue_send: msgqueue(0x1),
  msgqueue_receive: msgqueue(0x2),
  msgqueue_flush: msgqueue(0x2),
  msgqueue_configure_send: msgqueue(0x1),
  msgqueue_configure_receive: msgqueue(0x2),
  msgqueue_configure: init("msgqueue", "msgqueue"),
  cspace_delete_cap_from: [["cspace", "cspace", 0x2, "active"], any("cap")],
  cspace_copy_cap_from: [["src_cspace", "cspace", 0x4, "active"], ["dest_cspace", "cspace", 0x1, "active"], any("src_cap")],
  cspace_configure: init("cspace", "cspace"),
  cspace_attach_thread: [["thread", "thread", ACTIVATE, "init"], ["cspace", "cspace", 0x8, "active"]],
  cspace_revoke_caps_from: [["src_cspace", "cspace", 0x10, "active"], any("master_cap")],
  hwirq_bind_virq: bind("hwirq", "hwirq", 0x2),
  hwirq_unbind_virq: needs("hwirq", "hwirq", 0x2),
  vic_configure: init("vic", "vic"),
  vic_attach_vcpu: [["vic", "vic", 0x2, "active"], ["vcpu", "thread", ACTIVATE, "init"]],
  vic_bind_msi_source: [["vic", "vic", 0x1, "active"], any("msi_source")],
  vgic_set_mpidr_mapping: init("vic", "vic"),
  addrspace_attach_thread: [["thread", "thread", ACTIVATE, "init"], ["addrspace", "addrspace", 0x1, "active"]],
  addrspace_map: mapping,
  addrspace_unmap: mapping,
  addrspace_update_access: mapping,
  addrspace_configure: init("addrspace", "addrspace"),
  addrspace_attach_vdma: [["addrspace", "addrspace", 0x1, "active"], any("dma_device")],
  addrspace_lookup: [["addrspace", "addrspace", 0x4, "active"], ["memextent", "memextent", 0x8, "active"]],
  addrspace_configure_info_area: [["addrspace", "addrspace", ACTIVATE, "init"], ["info_area_me", "memextent", 0x4, "active"]],
  addrspace_configure_vmmio: [["addrspace", "addrspace", 0x8, "any"]],
  addrspace_attach_vdevice: [["addrspace", "addrspace", 0x2, "active"], ["vdevice", "vic", 0x4, "active"]],
  memextent_modify: needs("memextent", "memextent", 0x1),
  memextent_configure: init("memextent", "memextent"),
  memextent_configure_derive: [["parent_memextent", "memextent", 0x2, "active"], ["memextent", "memextent", ACTIVATE, "init"]],
  memextent_donate: [["from", "memextent", 0x10, "active"], ["to", "memextent", 0x10, "active"]],
  vcpu_configure: init("cap", "thread"),
  vcpu_poweron: needs("cap", "thread", 0x1),
  vcpu_poweroff: needs("cap", "thread", 0x1),
  vcpu_kill: needs("cap", "thread", 0x80),
  vcpu_set_affinity: [["cap", "thread", 0x2, "any"]],
  vcpu_set_priority: [["cap", "thread", 0x4, "any"]],
  vcpu_set_timeslice: [["cap", "thread", 0x8, "any"]],
  vcpu_bind_virq: bind("vcpu", "thread", 0x20),
  vcpu_unbind_virq: needs("vcpu", "thread", 0x20),
  vcpu_register_write: [["vcpu", "thread", 0x100, "any"]],
  vcpu_run: needs("cap", "thread", 0x2 | 0x10),
  vcpu_run_check: needs("cap", "thread", 0x20 | 0x40),
  scheduler_yield: needs("arg1", "thread", 0x10),
  vpm_group_configure: init("vpm_group", "vpm_group"),
  vpm_group_attach_vcpu: [["vpm_group", "vpm_group", 0x1, "active"], ["vcpu", "thread", ACTIVATE, "init"]],
  vpm_group_bind_virq: bind("vpm_group", "vpm_group", 0x2),
  vpm_group_unbind_virq: needs("vpm_group", "vpm_group", 0x2),
  vpm_group_get_state: needs("vpm_group", "vpm_group", 0x4),
  trace_update_class_flags: [],
  prng_get_entropy: [],
  virtio_mmio_configure: [["memextent", "memextent", 0x4, "active"], ["virtio_mmio", "virtio_mmio", ACTIVATE, "init"]],
  virtio_mmio_backend_bind_virq: bind("virtio_mmio", "virtio_mmio", 0x1),
  virtio_mmio_backend_unbind_virq: device(0x1),
  virtio_mmio_frontend_bind_virq: bind("virtio_mmio", "virtio_mmio", 0x2),
  virtio_mmio_frontend_unbind_virq: device(0x2),
  virtio_mmio_backend_assert_virq: device(0x4),
  virtio_mmio_backend_set_dev_features: device(0x8),
  virtio_mmio_backend_set_queue_num_max: device(0x8),
  virtio_mmio_backend_get_drv_features: device(0x8),
  virtio_mmio_backend_get_queue_info: device(0x8),
  virtio_mmio_backend_get_notification: device(0x8),
  virtio_mmio_backend_acknowledge_reset: device(0x8),
  virtio_mmio_backend_update_status: device(0x8),
  virtio_input_configure: input,
  virtio_input_set_data: input,
  addrspace_modify_pages: needs("addrspace", "addrspace", 0x20),
  addrspace_find_info_area: [],
  addrspace_info_area_add_entry: needs("addrspace", "addrspace", 0x40),
  addrspace_info_area_get_entry: [],
  vpm_group_wakeup: needs("vpm_group", "vpm_group", 0x8),
  power_system_suspend: [any("system_power")],
  vpm_group_bind_power: [["vpm_group", "vpm_group", 0x10, "active"], any("power")],
  partition_donate: needs("partition", "partition", 0x2),
};

for (const name of Object.keys(HYPERCALLS) as HypercallName[]) {
  const needed = NEEDS[name] ?? (name.startsWith("partition_create_") ? creation : []);
  // A call that no build implements looks nothing up.
  if (NEVER.has(name) && !NEEDS[name]) continue;
  Deno.test(`${name} needs the capabilities and rights that its specification lists`, () => {
    assert.ok(NEEDS[name] ?? needed === creation, "the call is listed");
    const asked = lookupsOf(name).map(([argument, { type, rights, state }]): Need => [argument, type, rights, state]);
    assert.deepEqual(asked, needed);
  });
}
