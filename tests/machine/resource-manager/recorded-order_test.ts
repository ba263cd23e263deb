// The hypercalls of the Resource Manager in the life of a VM against the recorded order
// (docs/spec/observed.md §8) and, where that is short, the digest's (docs/spec/resource-manager.md
// §4.4, §8). Numbers are the recorded machine's: its capabilities from 0x411 on were fresh.
// Differences from the recording are listed in docs/differences.md.

import assert from "node:assert/strict";
import { MEM_LEND, MEM_RECLAIM, MEM_SHARE } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_RESET, VM_START, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { Client, PRIMARY_LINK } from "./client.ts";
import { bell, DT_OFFSET, DT_SIZE, guestTree, HOST_BASE, MEMORY, pair, rmRpc } from "./machine.ts";
import { System } from "./system.ts";

/** By request: the calls, with arguments in hexadecimal and without trailing zeros. */
const RECORDED: Readonly<Record<string, string>> = {
  MEM_LEND: `
partition_create_memextent 1
memextent_configure_derive 411 339 0 100000000000 10007
object_activate 411
addrspace_lookup 403 401 46000000 200000
memextent_donate 80000002 401 411 46000000 200000
`,
  MEM_SHARE: `
partition_create_memextent 1
memextent_configure_derive 412 339 0 100000000000 10007
object_activate 412
addrspace_lookup 403 401 47000000 1000
addrspace_map 403 412 47000000 f0066 80000001 47000000 1000
memextent_donate 80000002 401 412 47000000 1000
`,
  VM_CONFIG_IMAGE: `
partition_create_cspace 1
cspace_configure 413 400
object_activate 413
partition_create_memextent 1
memextent_configure_derive 414 339 0 100000000000 10007
object_activate 414
partition_create_memextent 1
memextent_configure_derive 415 337 0 40000000 10106
object_activate 415
memextent_modify 415 80000000
`,
  VM_INIT: `
addrspace_map 335 411 40000000 f0066 80000001 46100000 4000
addrspace_unmap 335 411 40000000 80000001 46100000 4000
partition_create_addrspace 1
addrspace_configure 416 80
partition_create_memextent 1
memextent_configure_derive 417 336 73000 1000 6
object_activate 417
addrspace_configure_info_area 416 417 40000000
addrspace_configure_vmmio 416 0 40000000
object_activate 416
addrspace_map 416 417 40000000 f0044 80000000
partition_create_vic 1
vic_configure 418 8 3dc 3
vgic_set_mpidr_mapping 418 7fff 0 8 10 18
object_activate 418
partition_create_vpm_group 1
vpm_group_configure 419 1
object_activate 419
partition_create_thread 1
vcpu_set_affinity 41a ffff ffffffffffffffff
vcpu_set_priority 41a
vcpu_set_timeslice 41a 186a0
cspace_attach_thread 413 41a
addrspace_attach_thread 416 41a
vpm_group_attach_vcpu 419 41a
vic_attach_vcpu 418 41a
vcpu_configure 41a 200
partition_create_thread 1
vcpu_set_affinity 41b ffff ffffffffffffffff
vcpu_set_priority 41b
vcpu_set_timeslice 41b 186a0
cspace_attach_thread 413 41b
addrspace_attach_thread 416 41b
vpm_group_attach_vcpu 419 41b 1
vic_attach_vcpu 418 41b 1
vcpu_configure 41b 200
object_activate 41a
vcpu_bind_virq 41a 3 2b
cspace_copy_cap_from 0 41a 33d 12
vcpu_bind_virq 41a 40d 3c2 1
object_activate 41b
vcpu_bind_virq 41b 3 2c
cspace_copy_cap_from 0 41b 33d 12
vcpu_bind_virq 41b 40d 3c3 1
partition_create_msgqueue 1
msgqueue_configure 41c f00008
object_activate 41c
partition_create_msgqueue 1
msgqueue_configure 41d f00008
object_activate 41d
cspace_copy_cap_from 0 41c 413 1
cspace_copy_cap_from 0 41d 413 2
msgqueue_bind_receive_virq 41c 3 2e
msgqueue_bind_send_virq 41d 3 2d
msgqueue_bind_send_virq 41c 418 3c0
msgqueue_bind_receive_virq 41d 418 3c1
partition_create_doorbell 1
object_activate 41e
cspace_copy_cap_from 0 41e 33d 1
cspace_copy_cap_from 0 41e 413 2
doorbell_bind_virq 41e 418 3c2
partition_create_msgqueue 1
msgqueue_configure 41f f00008
object_activate 41f
partition_create_msgqueue 1
msgqueue_configure 420 f00008
object_activate 420
cspace_copy_cap_from 0 41f 413 1
msgqueue_bind_send_virq 41f 418 3c3
cspace_copy_cap_from 0 420 413 2
msgqueue_bind_receive_virq 420 418 3c4
cspace_copy_cap_from 0 420 33d 1
msgqueue_bind_send_virq 420 40d 3c4
cspace_copy_cap_from 0 41f 33d 2
msgqueue_bind_receive_virq 41f 40d 3c5
addrspace_attach_vdevice 416 418 0 3fff0000 10000
addrspace_attach_vdevice 416 418 1 3fe00000 20000 1
addrspace_attach_vdevice 416 418 2 3fe20000 20000 3
`,
  VM_START: `
addrspace_map 416 411 80000000 f0077 80000001 46000000 200000
addrspace_map 416 412 40001000 f0066 80000001 47000000 1000
addrspace_map 335 411 40000000 f0066 80000001 46100000 4000
prng_get_entropy 8
addrspace_unmap 335 411 40000000 80000001 46100000 4000
memextent_modify 411 80000003 46000000 200000
vcpu_poweron 41a 80000000 80100000
`,
  VM_STOP: `
vcpu_kill 41a
vcpu_kill 41b
vcpu_run 41a
vcpu_run 41b
`,
  VM_RESET: `
cspace_delete_cap_from 413
msgqueue_unbind_send_virq 41c
cspace_delete_cap_from 0 41c
cspace_delete_cap_from 413 1
msgqueue_unbind_receive_virq 41d
cspace_delete_cap_from 0 41d
cspace_delete_cap_from 33d 5
cspace_delete_cap_from 413 2
doorbell_unbind_virq 41e
cspace_delete_cap_from 0 41e
cspace_delete_cap_from 413 3
msgqueue_unbind_send_virq 41f
cspace_delete_cap_from 33d 7
msgqueue_unbind_receive_virq 41f
cspace_delete_cap_from 0 41f
cspace_delete_cap_from 413 4
msgqueue_unbind_receive_virq 420
cspace_delete_cap_from 33d 6
msgqueue_unbind_send_virq 420
cspace_delete_cap_from 0 420
addrspace_unmap 416 412 40001000 80000001 47000000 1000
addrspace_unmap 416 411 80000000 80000001 46000000 200000
cspace_delete_cap_from 0 416
cspace_delete_cap_from 0 417
cspace_delete_cap_from 0 414
cspace_delete_cap_from 0 415
cspace_delete_cap_from 0 418
cspace_revoke_caps_from 0 419
cspace_delete_cap_from 0 419
vcpu_unbind_virq 41a 1
vcpu_unbind_virq 41a
cspace_delete_cap_from 33d 3
cspace_delete_cap_from 0 41a
vcpu_unbind_virq 41b 1
vcpu_unbind_virq 41b
cspace_delete_cap_from 33d 4
cspace_delete_cap_from 0 41b
cspace_delete_cap_from 0 413
`,
  MEM_RECLAIM: `
memextent_donate 80000002 411 401 46000000 200000
cspace_delete_cap_from 0 411
`,
};

/** Calls that carry messages. */
const TRANSPORT: readonly string[] = ["msgqueue_send", "msgqueue_receive"];

Deno.test("a VM is made, started, stopped and reset by the recorded hypercalls in the recorded order", () => {
  const system = new System();
  const primary = new Client(system, (step) => system.act(step), PRIMARY_LINK);
  let calls: string[] = [];
  system.fail = (name, args) => {
    const given = [...args];
    while (given.at(-1) === 0n) given.pop();
    if (!TRANSPORT.includes(name)) calls.push([name, ...given.map((value) => value.toString(16))].join(" "));
    return undefined;
  };
  const check = <T>(name: string, step: () => T): T => {
    calls = [];
    const result = step();
    system.wait(2_000_000);
    assert.equal(calls.join("\n"), (RECORDED[name] ?? "").trim(), name);
    return result;
  };
  const lend = { mem_type: 0, flags: 0, attributes: [] };
  const tree = guestTree("recorded", [rmRpc(), bell(1), pair(2, { "peer-default": true })], 2);
  system.act((vcpu) => assert.ok(vcpu.write(HOST_BASE + DT_OFFSET, tree)));
  const { vmid } = check("VM_ALLOCATE", () => primary.get(VM_ALLOCATE, { vmid: 0 }));
  const image = { sgl: [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }], acl: [{ vmid, rights: 7 }], label: 0 };
  const { handle } = check("MEM_LEND", () => primary.get(MEM_LEND, { ...lend, ...image }));
  const buffer = { sgl: [{ address: 0x4700_0000n, size: 0x1000n }], acl: [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }], label: 9 };
  const shared = check("MEM_SHARE", () => primary.get(MEM_SHARE, { ...lend, ...buffer }));
  const places = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
  check("VM_CONFIG_IMAGE", () => primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...places }));
  check("VM_INIT", () => primary.get(VM_INIT, { vmid }));
  check("VM_START", () => primary.get(VM_START, { vmid }));
  check("VM_STOP", () => primary.get(VM_STOP, { vmid, flags: 1, reason: 0 }));
  check("VM_RESET", () => primary.get(VM_RESET, { vmid }));
  check("VM_GET_STATE", () => primary.get(VM_GET_STATE, { vmid }));
  check("MEM_RECLAIM", () => primary.get(MEM_RECLAIM, { handle, flags: 0 }));
  primary.get(MEM_RECLAIM, { handle: shared.handle, flags: 0 });
  check("VM_DEALLOCATE", () => primary.get(VM_DEALLOCATE, { vmid }));
});
