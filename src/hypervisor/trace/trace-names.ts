// Ids of objects as they are displayed everywhere (docs/design/workstation.md §2): `vcpu:debian/0`,
// `cap:host/0x3`, `mq:7`, `irq:rt/27`.

import type { ObjectType } from "../../abi/rights.ts";

/** The fields that names are built from: of any object, of a vCPU, of a VIC. */
export interface Named {
  readonly type: ObjectType;
  readonly serial: number;
}
export interface NamedVcpu extends Named {
  readonly index: number;
  readonly addressSpace: { readonly vmid: number } | undefined;
  /** Undefined before it is attached to one: its index is not known before. */
  readonly vic: object | undefined;
}
export interface NamedVic extends Named {
  readonly maxVcpus: number;
  vcpu(index: number): NamedVcpu | undefined;
}

/** Prefixes of the types that have their own kind of id; others are `obj:N`. */
const PREFIXES: Partial<Record<ObjectType, string>> = { msgqueue: "mq", doorbell: "db" };

/** Names of VMs, and ids that are made with them. */
export class TraceNames {
  readonly #vms = new Map<number, string>();

  /** Names the VM with this VMID; the hypervisor itself knows numbers only. */
  set(vmid: number, name: string): void {
    this.#vms.set(vmid, name);
  }

  /** `debian`, or `vm-0x80` without a name. */
  vm(vmid: number): string {
    return this.#vms.get(vmid) ?? `vm-0x${vmid.toString(16)}`;
  }

  /** `debian/0`; `obj:41` while the vCPU has no VM or no index in it. */
  vcpu(vcpu: NamedVcpu): string {
    const { addressSpace, vic } = vcpu;
    return addressSpace && vic ? `${this.vm(addressSpace.vmid)}/${vcpu.index}` : `obj:${vcpu.serial}`;
  }

  /** `mq:7`, `db:3`, `vcpu:debian/0`, `obj:41`. */
  object(object: Named): string {
    if (isVcpu(object) && object.addressSpace && object.vic) return `vcpu:${this.vcpu(object)}`;
    return `${PREFIXES[object.type] ?? "obj"}:${object.serial}`;
  }

  /** `cap:host/0x3`: a capability id in the cspace of `vcpu`. */
  cap(vcpu: NamedVcpu, id: bigint): string {
    const { addressSpace } = vcpu;
    return `cap:${addressSpace ? this.vm(addressSpace.vmid) : `obj:${vcpu.serial}`}/0x${id.toString(16)}`;
  }

  /** `ipa:debian/0xa050`. */
  ipa(vcpu: NamedVcpu, ipa: number): string {
    const { addressSpace } = vcpu;
    return `ipa:${addressSpace ? this.vm(addressSpace.vmid) : `obj:${vcpu.serial}`}/0x${ipa.toString(16)}`;
  }

  /** `irq:rt/27`. A VIC's VM is the one of its vCPUs. */
  irq(vic: NamedVic, intid: number): string {
    for (let index = 0; index < vic.maxVcpus; index++) {
      const vmid = vic.vcpu(index)?.addressSpace?.vmid;
      if (vmid !== undefined) return `irq:${this.vm(vmid)}/${intid}`;
    }
    return `irq:obj:${vic.serial}/${intid}`;
  }
}

function isVcpu(object: Named): object is NamedVcpu {
  return object.type === "thread";
}
