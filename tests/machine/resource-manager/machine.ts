// A machine with the Resource Manager and the primary VM as a client of it: makes, runs and ends
// VMs, for tests of what they may ask for.

import assert from "node:assert/strict";
import type { ErrorCode } from "../../../src/machine/abi/errors.ts";
import type { HypercallName } from "../../../src/machine/abi/hypercalls.ts";
import { MEM_LEND, MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_RESET, VM_START, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { cells64, devicetree, type DevicetreeNode, node } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import type { ResourceManagerOptions } from "../../../src/machine/resource-manager/resource-manager.ts";
import { Client, PRIMARY_LINK } from "./client.ts";
import { System } from "./system.ts";

/** A VM's memory as tests lend it, and where its devicetree lies in it: bytes. */
export const MEMORY = 0x20_0000;
export const DT_OFFSET = 0x10_0000;
export const DT_SIZE = 0x4000;
/** Where the memory lies in the VM, and in the primary. */
export const BASE = 0x8000_0000;
export const HOST_BASE = 0x4600_0000;
/** Where a guest keeps packets. */
const GUEST_BUFFER = BASE + 0x1_0000;

/** A guest's devicetree with these vdevices, as nodes. */
export function guestRoot(name: string, vdevices: DevicetreeNode[], cpus = 1): DevicetreeNode {
  const cpu = (index: number) => node(`cpu@${index}`, { device_type: "cpu", "enable-method": "psci", reg: index, "cpu-idle-states": true });
  return node("", { "#address-cells": 2, "#size-cells": 2, "interrupt-parent": 1 }, [
    node("memory", { device_type: "memory", reg: cells64(BASE, MEMORY) }),
    node("chosen"),
    node("cpus", { "#address-cells": 1, "#size-cells": 0 }, Array.from({ length: cpus }, (_, index) => cpu(index))),
    node("psci", { compatible: "arm,psci-1.0", method: "hvc" }),
    node("interrupt-controller@3fff0000", {
      compatible: "arm,gic-v3",
      "#interrupt-cells": 3,
      "interrupt-controller": true,
      phandle: 1,
      reg: cells64(0x3fff_0000, 0x1_0000, 0x3fe0_0000, 0x2_0000 * cpus),
    }),
    node("gunyah-vm-config", { "image-name": name }, [
      node("memory", { "base-address": cells64(BASE) }),
      node("interrupts", { config: 1 }),
      node("vcpus", { affinity: "proxy" }),
      node("vdevices", {}, vdevices),
    ]),
  ]);
}

/** The same as a blob. */
export function guestTree(name: string, vdevices: DevicetreeNode[], cpus = 1): Uint8Array {
  return writeDevicetree(devicetree(guestRoot(name, vdevices, cpus)));
}

/**
 * vdevices: the link to the Resource Manager, a doorbell that the owner rings, a pair of queues.
 */
export const rmRpc = (more: Record<string, number | true> = {}): DevicetreeNode =>
  node("rm-rpc", { "vdevice-type": "rm-rpc", generate: "/hypervisor/rm-rpc", ...more });
export const bell = (label: number): DevicetreeNode =>
  node("bell", { "vdevice-type": "doorbell", "peer-default": true, "qcom,label": label });
export const pair = (label: number, more: Record<string, string | true>): DevicetreeNode =>
  node("pair", { "vdevice-type": "message-queue-pair", generate: "/hypervisor/pair", "qcom,label": label, ...more });

/** A system with the primary as a client. */
export class Machine {
  readonly system: System;
  readonly primary: Client;

  /** @param rules of the Resource Manager */
  constructor(rules?: ResourceManagerOptions) {
    this.system = new System(0x800_0000, 4, rules);
    this.primary = new Client(this.system, (step) => this.system.act(step), PRIMARY_LINK);
  }

  /** A VM with an `rm-rpc` vdevice as a client. */
  guest(vmid: number): Client {
    return new Client(this.system, (step) => step(this.system.guest(vmid)), { buffer: GUEST_BUFFER, tx: 0n, rx: 1n });
  }

  /**
   * Runs a step in which the `nth` hypercall of this name that the Resource Manager makes (from 1)
   * answers `code` and does nothing.
   */
  failing<T>(name: HypercallName, code: ErrorCode, step: () => T, nth = 1): T {
    let left = nth;
    this.system.fail = (called) => called === name && --left === 0 ? code : undefined;
    try {
      return step();
    } finally {
      this.system.fail = () => undefined;
    }
  }

  /** Makes a VM of memory at `pa` up to VM_CONFIG_IMAGE. */
  configured(tree: Uint8Array, auth_type = 0, pa = HOST_BASE): { vmid: number; handle: number } {
    const { vmid } = this.primary.get(VM_ALLOCATE, { vmid: 0 });
    this.system.act((vcpu) => assert.ok(vcpu.write(pa + DT_OFFSET, tree)));
    const sgl = [{ address: BigInt(pa), size: BigInt(MEMORY) }];
    const acl = [{ vmid, rights: 7 }];
    const { handle } = this.primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl, sgl, attributes: [] });
    const image = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
    this.primary.get(VM_CONFIG_IMAGE, { vmid, auth_type, handle, ...image });
    return { vmid, handle };
  }

  /** Makes a VM of memory at `pa` up to the state READY. */
  ready(tree: Uint8Array, pa?: number): { vmid: number; handle: number } {
    const made = this.configured(tree, 0, pa);
    this.primary.get(VM_INIT, { vmid: made.vmid });
    return made;
  }

  start(tree: Uint8Array, pa?: number): { vmid: number; handle: number } {
    const made = this.ready(tree, pa);
    this.primary.get(VM_START, { vmid: made.vmid });
    return made;
  }

  /** Ends a VM and takes everything back. */
  end({ vmid, handle }: { vmid: number; handle: number }): void {
    this.primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
    this.reset(vmid);
    this.primary.get(MEM_RECLAIM, { handle, flags: 0 });
    this.primary.get(VM_DEALLOCATE, { vmid });
  }

  reset(vmid: number): void {
    this.primary.get(VM_RESET, { vmid });
    for (let patience = 0; patience < 100; patience++) {
      if (this.primary.get(VM_GET_STATE, { vmid }).vm_state === VmState.Reset) return;
      this.system.wait(100_000);
    }
    assert.fail("the reset ends");
  }

  /** State that must be as before when all VMs are gone. */
  usage(): unknown {
    const { state } = this.system.rm;
    return {
      heap: this.system.hypervisor.rootPartition.heapUsed,
      virqs: [...state.virqs.used].sort(),
      primaryVirqs: [...state.vms[1].virqs.used].sort(),
      pages: state.heapPages.size,
      vms: state.vms.length,
      parcels: state.parcels.length,
    };
  }
}
