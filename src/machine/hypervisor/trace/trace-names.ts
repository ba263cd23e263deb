// Ids of objects as they are displayed everywhere (docs/design/workstation.md §2): `vcpu:debian/0`,
// `cap:host/0x3`, `mq:7`, `irq:rt/27`.

import type { RamWriter } from "../../abi/ram-writer.ts";
import type { ObjectType } from "../../abi/rights.ts";
import { capId, dbId, ipaId, irqId, mqId, objId, vcpuId, vcpuName } from "../../abi/ids.ts";

/** The fields that names are built from: of any object, of a vCPU, of a VIC. */
export interface Named {
  readonly type: ObjectType;
  readonly serial: number;
}
export interface NamedVcpu extends Named {
  readonly index: number;
  readonly addressSpace: { readonly vmid: number } | undefined;
  /** `vic` is undefined before it is attached to one: its index is not known before. */
  readonly attachments: { readonly vic: object | undefined };
}
interface NamedVic extends Named {
  readonly maxVcpus: number;
  vcpu(index: number): NamedVcpu | undefined;
}

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
    const { addressSpace, attachments: { vic } } = vcpu;
    return addressSpace && vic ? vcpuName(this.vm(addressSpace.vmid), vcpu.index) : objId(vcpu.serial);
  }

  /** `mq:7`, `db:3`, `vcpu:debian/0`, `obj:41`. */
  object(object: Named): string {
    if (isVcpu(object) && object.addressSpace && object.attachments.vic) return vcpuId(this.vcpu(object));
    const { type, serial } = object;
    return type === "msgqueue" ? mqId(serial) : type === "doorbell" ? dbId(serial) : objId(serial);
  }

  /** The writer of RAM for a vCPU. Its name is looked up only when somebody asks. */
  writer(code: "call" | "program", vcpu: NamedVcpu): RamWriter {
    const name = () => this.object(vcpu);
    return {
      code,
      get vcpu() {
        return name();
      },
    };
  }

  /** `cap:host/0x3`: a capability id in the cspace of `vcpu`. */
  cap(vcpu: NamedVcpu, id: bigint): string {
    return capId(this.#vmOf(vcpu), id);
  }

  /** `ipa:debian/0xa050`. */
  ipa(vcpu: NamedVcpu, ipa: number): string {
    return ipaId(this.#vmOf(vcpu), ipa);
  }

  /** `irq:rt/27`. */
  irq(vic: NamedVic, intid: number): string {
    return irqId(this.vmOfVic(vic), intid);
  }

  /** The VM of a VIC is the one of its vCPUs. */
  vmOfVic(vic: NamedVic): string {
    for (let index = 0; index < vic.maxVcpus; index++) {
      const vmid = vic.vcpu(index)?.addressSpace?.vmid;
      if (vmid !== undefined) return this.vm(vmid);
    }
    return objId(vic.serial);
  }

  /** The VM of a vCPU, or the vCPU where it has none. */
  #vmOf({ addressSpace, serial }: NamedVcpu): string {
    return addressSpace ? this.vm(addressSpace.vmid) : objId(serial);
  }
}

function isVcpu(object: Named): object is NamedVcpu {
  return object.type === "thread";
}
