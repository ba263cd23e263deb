// A generation's sequence as a scripted Linux makes it, on the real hypervisor and Resource
// Manager: each call is answered OK, and nothing of the VM is left (docs/spec/vm-manager.md §7,
// §11).

import assert from "node:assert/strict";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import type { PersonaName } from "../../../../src/machine/abi/ioctl/personas.ts";
import {
  VM_CONFIG_IMAGE,
  VM_INIT,
  VM_SET_ADDRESS_LAYOUT,
  VM_SET_BOOT_CONTEXT,
  VM_SET_DEMAND_PAGING,
} from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { MEM_APPEND, MEM_LEND, MEM_RECLAIM, MEM_SHARE } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { ResourceType, VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import {
  StopFlags,
  VM_ALLOCATE,
  VM_DEALLOCATE,
  VM_EXITED,
  VM_RESET,
  VM_START,
  VM_STOP,
} from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_VMID, VM_STATUS } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { ExitType, Vmid, VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { Access, DonateType, mapAttributes, MapFlags, MemoryType, VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { BASE, DT_OFFSET, DT_SIZE, guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "../../resource-manager/machine.ts";
import { LinuxClient } from "./linux-client.ts";

const PAGE = 0x1000n;
const PRIVATE = BigInt(MapFlags.Partial | MapFlags.Private);
const RWX = BigInt(mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB));
/**
 * Host pages of a guest in one piece, and their order: as from an allocator, no two are adjacent.
 */
const FRAGMENTS = 600;

/** A Linux's state of its VM. */
class LinuxVm {
  vmid = 0;
  handle = 0;
  resources: readonly { readonly type: number; readonly label: number; readonly cap: bigint }[] = [];

  constructor(readonly linux: LinuxClient, readonly paged: boolean) {}

  #cap(type: number, label = 0): bigint {
    return this.resources.find((each) => each.type === type && each.label === label)!.cap;
  }

  /**
   * The hypercalls by which a page in front of the devicetree is given, or taken back with those of
   * the devicetree, which are the VM's own since VM_START.
   */
  page(give: boolean): void {
    const space = this.#cap(ResourceType.AddressSpace);
    const [guest, , host] = [0, 1, 2].map((label) => this.#cap(ResourceType.MemoryExtent, label));
    const donate = (kind: number, from: bigint, to: bigint, at: number, size: bigint) =>
      ["memextent_donate", BigInt(kind), from, to, BigInt(HOST_BASE + at), size] as const;
    const map = ["addrspace_map", space, guest, BigInt(BASE), RWX, PRIVATE, BigInt(HOST_BASE), PAGE] as const;
    const take = (at: number, size: bigint) =>
      [
        ["addrspace_unmap", space, guest, BigInt(BASE + at), PRIVATE, BigInt(HOST_BASE + at), size] as const,
        donate(DonateType.FromProtected, guest, host, at, size),
      ] as const;
    const given = [donate(DonateType.ToProtected, host, guest, 0, PAGE), map] as const;
    for (const [name, ...args] of give ? given : [...take(0, PAGE), ...take(DT_OFFSET, BigInt(DT_SIZE))]) {
      assert.equal(this.linux.system.act((vcpu) => vcpu.hvc(Hypercall[name], ...args)[0]), 0n, name);
    }
  }

  /** A request by its name. */
  request(name: string): void {
    const { linux, vmid } = this;
    const dt = { address: BigInt(HOST_BASE + DT_OFFSET), size: BigInt(DT_SIZE) };
    const memory = { address: BigInt(HOST_BASE), size: BigInt(MEMORY) };
    const parcel = { mem_type: 0, flags: 0, label: 0, sgl: [this.paged ? dt : memory], attributes: [] };
    switch (name) {
      case "VM_ALLOCATE":
        return void (this.vmid = linux.get(VM_ALLOCATE, { vmid: 0 }).vmid);
      case "VM_GET_VMID":
        return assert.equal(linux.get(VM_GET_VMID, {}).vmid, Vmid.Hlos);
      case "MEM_LEND":
        return void (this.handle = linux.get(MEM_LEND, { ...parcel, acl: [{ vmid, rights: Access.RWX }] }).handle);
      case "MEM_SHARE": {
        const acl = [{ vmid, rights: Access.RWX }, { vmid: Vmid.Hlos, rights: Access.RWX }];
        return void (this.handle = linux.get(MEM_SHARE, { ...parcel, acl }).handle);
      }
      case "VM_CONFIG_IMAGE":
        return void linux.get(VM_CONFIG_IMAGE, {
          ...{ vmid, auth_type: 0, handle: this.handle, image_offset: 0n, image_size: 0n, dt_size: BigInt(DT_SIZE) },
          dt_offset: this.paged ? 0n : BigInt(DT_OFFSET),
        });
      case "VM_SET_DEMAND_PAGING":
        return void linux.get(VM_SET_DEMAND_PAGING, { vmid, ranges: [{ base: BigInt(BASE), size: BigInt(MEMORY) }] });
      case "VM_SET_ADDRESS_LAYOUT":
        return void linux.get(VM_SET_ADDRESS_LAYOUT, { vmid, range_id: 0, base: BigInt(BASE + DT_OFFSET), size: BigInt(DT_SIZE) });
      case "VM_INIT":
        return void linux.get(VM_INIT, { vmid });
      case "VM_SET_BOOT_CONTEXT":
        return void linux.get(VM_SET_BOOT_CONTEXT, { vmid, register_set: 1, register_index: 0, value: BigInt(BASE) });
      case "VM_GET_HYP_RESOURCES":
        return void (this.resources = linux.get(VM_GET_HYP_RESOURCES, { vmid }).resources);
      case "VM_START":
        return void linux.get(VM_START, { vmid });
      case "VM_STOP": {
        linux.get(VM_STOP, { vmid, flags: StopFlags.Force, reason: 3 });
        const exited = VM_EXITED.layout.decode(linux.notified(VM_EXITED.id, (payload) => payload[0] === vmid));
        return assert.ok(exited.ok && exited.value.exit_type === ExitType.VmStopForced);
      }
      case "VM_RESET":
        linux.get(VM_RESET, { vmid });
        return void linux.notified(VM_STATUS.id, (payload) => payload[0] === vmid && payload[4] === VmState.Reset);
      case "MEM_RECLAIM":
        return void linux.get(MEM_RECLAIM, { handle: this.handle, flags: 0 });
      case "VM_DEALLOCATE":
        return void linux.get(VM_DEALLOCATE, { vmid });
      default:
        assert.fail(`${name} is no request of these sequences`);
    }
  }

  /** vcpu_run of its vCPU: error and state. */
  run(): readonly bigint[] {
    return this.linux.system.vcpuRun(this.#cap(ResourceType.Vcpu)).slice(0, 2);
  }
}

/** A machine with a devicetree where a driver puts it, and Linux's side of it. */
function setUp(): { machine: Machine; linux: LinuxClient } {
  const machine = new Machine();
  const tree = guestTree("linux", [rmRpc()]);
  machine.system.act((vcpu) => assert.ok(vcpu.write(HOST_BASE + DT_OFFSET, tree)));
  return { machine, linux: new LinuxClient(machine.system) };
}

/**
 * @param names requests in their order; lower-case names are hypercalls, of which pages are given
 * and taken in one go
 */
export function linuxTest(device: PersonaName, names: { readonly start: readonly string[]; readonly stop: readonly string[] }): void {
  const paged = names.start.includes("VM_SET_DEMAND_PAGING");
  Deno.test(`${device}: a Linux that makes the calls is answered OK by the Resource Manager, and leaves nothing`, () => {
    const { machine, linux } = setUp();
    const before = machine.usage();
    const { uid, version, features } = linux.probe();
    assert.deepEqual(uid, [0xcd8f_d5c1n, 0xdb5f_53a4n, 0x36ce_6592n, 0x145f_3d67n]);
    assert.deepEqual([version, features & 0x66n], [1n, 0x66n], "doorbells, message queues, vCPUs to run, memory extents");
    const made = new LinuxVm(linux, paged);
    for (const name of names.start) {
      if (name === "memextent_donate") made.page(true);
      else if (/^[A-Z]/.test(name)) made.request(name);
      if (name === "VM_GET_HYP_RESOURCES") assert.deepEqual(made.run(), [0n, BigInt(VcpuRunState.PoweredOff)]);
    }
    for (const name of names.stop) {
      if (name === "addrspace_unmap") made.page(false);
      else if (/^[A-Z]/.test(name)) made.request(name);
    }
    assert.deepEqual(machine.usage(), before);
    checkInvariants(machine.system.hypervisor);
  });
}

/**
 * A memory list that fills the queue: the mailbox waits for the vIRQ, and APPEND carries the rest.
 */
export function mailboxTest(): void {
  Deno.test("a message longer than the queue is sent one packet at a time, each after the end of the one before", () => {
    const { machine, linux } = setUp();
    const before = machine.usage();
    const { vmid } = linux.get(VM_ALLOCATE, { vmid: 0 });
    const page = (index: number) => ({ address: BigInt(HOST_BASE) + 2n * PAGE * BigInt(index), size: PAGE });
    const sgl = Array.from({ length: FRAGMENTS }, (_, index) => page(index));
    const acl = [{ vmid, rights: Access.RWX }];
    const { handle } = linux.get(MEM_LEND, { mem_type: 0, flags: 2, label: 7, acl, sgl: sgl.slice(0, 512), attributes: [] });
    linux.get(MEM_APPEND, { handle, flags: 1, sgl: sgl.slice(512) });
    assert.ok(linux.waits > 0, "the queue was full, and its vIRQ ended a message");
    linux.get(MEM_RECLAIM, { handle, flags: 0 });
    linux.get(VM_DEALLOCATE, { vmid });
    assert.deepEqual(machine.usage(), before);
  });
}
