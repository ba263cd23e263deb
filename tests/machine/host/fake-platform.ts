// A platform for the native host without hypervisor: memory, a scripted Resource Manager behind two
// message queues, and a record of what the host does. Answers follow docs/spec/observed.md §6
// and §8.

import assert from "node:assert/strict";
import { NO_FAULTS } from "../../../src/machine/abi/faults.ts";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { CALL_SHAPES } from "../../../src/machine/abi/hypercall-caller.ts";
import { hypercallName, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import type { HypercallResult, NativeGuest, NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { encodeError, encodeReply } from "../../../src/machine/abi/rpc/message.ts";
import { RPC_MESSAGES } from "../../../src/machine/abi/rpc/messages/all.ts";
import { MEM_LEND, MEM_SHARE } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { ResourceType, VM_GET_HYP_RESOURCES } from "../../../src/machine/abi/rpc/messages/resources.ts";
import { VM_ALLOCATE, VM_EXITED, VM_RESET, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_VMID, VM_STATUS } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { ExitType, VmState } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { encodePackets, PacketType, Reassembler } from "../../../src/machine/abi/rpc/packet.ts";
import type { BrokenRule } from "../../../src/machine/abi/trace.ts";
import { API_FLAGS_0, API_INFO } from "../../../src/machine/abi/words.ts";
import { cells, cells64, devicetree, node } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { VM_PL011_SPI } from "../../../src/machine/host/boards/el2/map.ts";
import { bellLabel } from "../../../src/machine/host/boards/labels.ts";
import { NO_TRACE } from "../../support/no-trace.ts";
import { callByList, registersWith } from "../../support/listed-call.ts";

export const RAM = 0x4000_0000;
export const ENTRY = 0x4100_0000;
const DTB = 0x40f0_0000;
const TX_CAP = 0n, RX_CAP = 1n;
export const TX_VIRQ = 960, RX_VIRQ = 961;

/**
 * Capability and vIRQ of vCPU `index` of the VM that was allocated as number `vm`; the bell's
 * capability follows.
 */
export const vcpuCap = (vm: number, index = 0) => BigInt(0x100 * (vm + 1) + index);
export const wakeup = (vm: number, index = 0) => 962 + 8 * vm + index;
export const bellCap = (vm: number) => BigInt(0x100 * (vm + 1) + 0x80);

/** A request as the Resource Manager got it. */
export interface Request {
  readonly name: string;
  readonly id: number;
  readonly payload: Uint8Array;
  readonly value: Record<string, unknown>;
}

/** The host's devicetree, as RM leaves it. */
export function hostDevicetree(size: number, cpus: number): Uint8Array {
  return writeDevicetree(devicetree(node("", { "#address-cells": 2, "#size-cells": 2 }, [
    node("memory@40000000", { device_type: "memory", reg: cells64(RAM, size) }),
    node("cpus", { "#address-cells": 1, "#size-cells": 0 }, Array.from({ length: cpus }, (_, i) => node(`cpu@${i}`, { reg: i }))),
    node("intc@8000000", { compatible: "arm,gic-v3", reg: cells64(0x800_0000, 0x1_0000, 0x80a_0000, 0x2_0000 * cpus) }),
    node("hypervisor", { "#address-cells": 2, "#size-cells": 0 }, [
      node("qcom,resource-manager-rpc@0", {
        compatible: ["gunyah-resource-manager", "qcom,resource-manager"],
        reg: cells64(TX_CAP, RX_CAP),
        interrupts: cells(0, TX_VIRQ - 32, 1, 0, RX_VIRQ - 32, 1),
      }),
    ]),
  ])));
}

/**
 * A field of a request as text, numbers in hexadecimal: of lists of memory how many entries and
 * bytes they have; zeros are left out.
 */
function describeField(name: string, field: unknown): string[] {
  if (name === "sgl") {
    const entries = field as readonly { readonly size: bigint }[];
    return [`entries=${entries.length}`, `bytes=${entries.reduce((sum, { size }) => sum + size, 0n).toString(16)}`];
  }
  if (Array.isArray(field)) {
    const items = field.map((item: Record<string, number | bigint>) => Object.values(item).map((value) => value.toString(16)).join(":"));
    return items.length === 0 ? [] : [`${name}=${items.join(",")}`];
  }
  return typeof field === "number" || typeof field === "bigint" ? (BigInt(field) === 0n ? [] : [`${name}=${field.toString(16)}`]) : [];
}

/** The platform. Each host vCPU is one `vcpu(index)`. */
export class FakePlatform {
  readonly memory: Uint8Array;
  readonly requests: Request[] = [];
  readonly calls: string[] = [];
  /** Requests and hypercalls that give and take memory, in order, as texts. */
  readonly log: string[] = [];
  /** vIRQs that the host enabled, and where they are routed by GICD_IROUTER writes. */
  readonly enabled = new Set<number>();
  readonly routes = new Map<number, number>();
  /** vcpu_run of each host vCPU that has not come back. */
  readonly inside = new Map<number, { cap: bigint; resume: bigint; action: bigint }>();
  /** INTIDs that the host made pending (GICD_ISPENDR) and that were not delivered yet. */
  readonly pending: number[] = [];
  /** Replies by name that replace the usual ones. */
  readonly answers = new Map<string, Uint8Array>();
  /** The virtual timer of each host vCPU. */
  readonly timers = new Map<number, number | undefined>();
  /** Errors for requests by name, used once each. */
  readonly refusals = new Map<string, number>();
  /** Errors for the next hypercalls that give and take memory. */
  readonly hypercallErrors: ErrorCode[] = [];
  /** Answer of doorbells. */
  doorbellError: ErrorCode = ErrorCode.OK;
  /** Vcpus that VM_GET_HYP_RESOURCES lists. */
  vcpusOf: (vm: number) => number = () => 1;
  #vms = 0;
  #handles = 0x100;
  #byVmid = new Map<number, number>();
  #toHost: Uint8Array[] = [];
  #reassembler = new Reassembler();
  #sequence = 0;
  now = 0;
  /** Rules that the host noted. */
  readonly rules: BrokenRule[] = [];
  readonly #vcpus: NativeVcpu[];

  constructor(readonly size: number, readonly cpus: number, readonly room = 8) {
    this.memory = new Uint8Array(size);
    this.memory.set(hostDevicetree(size, cpus), DTB - RAM);
    this.#vcpus = Array.from({ length: cpus }, (_, index) => this.#vcpu(index));
  }

  vcpu(index: number): NativeVcpu {
    return this.#vcpus[index];
  }

  boot(host: NativeGuest): void {
    this.begin(host);
    this.settle(host);
  }

  /** Starts the host, and delivers nothing to it. */
  begin(host: NativeGuest): void {
    host.start(this.vcpu(0), BigInt(ENTRY), BigInt(DTB));
  }

  /** Delivers the Resource Manager's messages until there are none. */
  settle(host: NativeGuest): void {
    while (this.#toHost.length > 0 || this.pending.length > 0) {
      if (this.#toHost.length > 0) host.virq(this.vcpu(0), RX_VIRQ);
      const intid = this.pending.shift();
      if (intid !== undefined) host.virq(this.vcpu(this.routes.get(intid) ?? 0), intid);
    }
  }

  /** Delivers what the Resource Manager has sent so far, and no more. */
  deliver(host: NativeGuest): void {
    if (this.#toHost.length > 0) host.virq(this.vcpu(0), RX_VIRQ);
  }

  /** vcpu_run of host vCPU `index` comes back. */
  returnRun(host: NativeGuest, index: number, state: number, data0 = 0n, data1 = 0n, data2 = 0n, error = 0n): void {
    assert.ok(this.inside.delete(index), `host vCPU ${index} is not inside vcpu_run`);
    host.runReturned(this.vcpu(index), CALL_SHAPES.vcpu_run().read(registersWith([error, BigInt(state), data0, data1, data2])));
    this.settle(host);
  }

  /** The Resource Manager says that a VM has exited. */
  exited(host: NativeGuest, vmid: number, exitType: number): void {
    this.#notify(VM_STATUS.id, VM_STATUS.layout.encode({ vmid, vm_state: VmState.Exited, os_state: 0, app_status: 0 }));
    this.#notify(VM_EXITED.id, VM_EXITED.layout.encode({ vmid, exit_type: exitType, reason_size: 4, reason: new Uint8Array(4) }));
    this.settle(host);
  }

  #vcpu(index: number): NativeVcpu {
    // deno-lint-ignore no-this-alias -- the object's getters have their own `this`
    const platform = this;
    return {
      faults: NO_FAULTS,
      index,
      trace: { ...NO_TRACE, refuse: (rule) => this.rules.push(rule) },
      get now() {
        return platform.now;
      },
      call: (number, registers) => callByList((call, ...args) => this.#hvc(call, args), number, registers),
      hvc: (number, ...args) => this.#hvc(number, args),
      smc: (id, ...args) => {
        this.calls.push(`smc 0x${id.toString(16)} ${args.join(" ")}`.trim());
        return [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
      },
      vcpuRun: (args) => {
        assert.ok(!this.inside.has(index), "vcpu_run inside vcpu_run");
        const [cap, resume, action] = CALL_SHAPES.vcpu_run().encode(args);
        this.inside.set(index, { cap, resume, action });
      },
      read: (ipa, length) => ipa >= RAM && ipa + length <= RAM + this.size ? this.memory.slice(ipa - RAM, ipa - RAM + length) : undefined,
      readInto: (ipa, into) => {
        if (ipa < RAM || ipa + into.length > RAM + this.size) return false;
        into.set(this.memory.subarray(ipa - RAM, ipa - RAM + into.length));
        return true;
      },
      write: (ipa, bytes) => {
        if (ipa < RAM || ipa + bytes.length > RAM + this.size) return false;
        this.memory.set(bytes, ipa - RAM);
        return true;
      },
      readDevice: () => 0n,
      writeDevice: (ipa, size, value) => {
        if (ipa < 0x800_6000) {
          assert.ok(size === 4 && ipa >= 0x800_0200 && ipa < 0x800_0280, "GICD_ISPENDR");
          for (let bit = 0; bit < 32; bit++) if (value >> BigInt(bit) & 1n) this.pending.push((ipa - 0x800_0200) * 8 + bit);
          return true;
        }
        assert.equal(size, 8);
        this.routes.set((ipa - 0x800_6000) / 8, Number(value));
        return true;
      },
      enableIrq: (intid, edge) => {
        assert.ok(edge);
        this.enabled.add(intid);
      },
      setTimer: (at) => this.timers.set(index, at),
    };
  }

  #hvc(number: number, args: bigint[]): HypercallResult {
    const name = hypercallName(number);
    const kinds: readonly string[] = name === undefined ? [] : Object.values(HYPERCALLS[name].arguments);
    args.forEach((arg, index) =>
      assert.ok(arg === 0n || kinds[index] !== undefined && kinds[index] !== "res0", `${name}: reserved argument`)
    );
    const result = (error: number, ...values: bigint[]) => [BigInt(error), ...values, 0n, 0n, 0n];
    switch (number) {
      case HYPERCALLS.msgqueue_send.number: {
        assert.equal(args[0], TX_CAP);
        const at = Number(args[2]) - RAM;
        this.#accept(this.memory.slice(at, at + Number(args[1])));
        return result(ErrorCode.OK, 1n);
      }
      case HYPERCALLS.msgqueue_receive.number: {
        assert.equal(args[0], RX_CAP);
        const packet = this.#toHost.shift();
        if (packet === undefined) return result(ErrorCode.MSGQUEUE_EMPTY);
        this.memory.set(packet, Number(args[1]) - RAM);
        return result(ErrorCode.OK, BigInt(packet.length), this.#toHost.length > 0 ? 1n : 0n);
      }
      case HYPERCALLS.hypervisor_identify.number:
        return [API_INFO, API_FLAGS_0, 0n, 0n];
      case HYPERCALLS.memextent_donate.number:
      case HYPERCALLS.addrspace_map.number:
      case HYPERCALLS.addrspace_unmap.number:
        this.log.push([hypercallName(number), ...args.map((arg) => arg.toString(16))].join(" "));
        return result(this.hypercallErrors.shift() ?? ErrorCode.OK);
      case HYPERCALLS.doorbell_mask.number:
        this.calls.push(`mask 0x${args[0].toString(16)} ${args[1]} ${args[2]}`);
        return result(ErrorCode.OK);
      case HYPERCALLS.doorbell_send.number:
      case HYPERCALLS.doorbell_receive.number:
        this.calls.push(`${number === HYPERCALLS.doorbell_send.number ? "send" : "receive"} 0x${args[0].toString(16)} ${args[1]}`);
        return result(this.doorbellError, 0n);
      default:
        assert.fail(`hypercall 0x${number.toString(16)}`);
    }
  }

  #accept(packet: Uint8Array): void {
    const assembled = this.#reassembler.accept(packet);
    if (!assembled.done) return assert.equal(assembled.dropped, undefined);
    const { id, sequence, payload } = assembled.message;
    const declared = RPC_MESSAGES.get(id);
    assert.ok(declared?.kind === "request", `0x${id.toString(16)}`);
    const decoded = declared.request.decode(payload);
    assert.ok(decoded.ok, declared.name);
    const value = decoded.value as Record<string, unknown>;
    this.requests.push({ name: declared.name, id, payload, value });
    this.log.push([declared.name, ...Object.entries(value).flatMap(([name, field]) => describeField(name, field))].join(" "));
    const error = this.refusals.get(declared.name);
    this.refusals.delete(declared.name);
    const answer = this.answers.get(declared.name);
    const reply = answer ?? (error === undefined ? this.#answer(id, value) : encodeError(error as RmError));
    this.#toHost.push(...encodePackets({ type: PacketType.Reply, sequence, id, payload: reply }));
    if (id === VM_STOP.id && error === undefined) {
      const exited = { vmid: value.vmid as number, exit_type: ExitType.VmStopForced, reason_size: 4, reason: new Uint8Array(4) };
      this.#notify(VM_EXITED.id, VM_EXITED.layout.encode(exited));
    }
    if (id === VM_RESET.id && error === undefined) {
      this.#notify(
        VM_STATUS.id,
        VM_STATUS.layout.encode({ vmid: value.vmid as number, vm_state: VmState.Reset, os_state: 0, app_status: 0 }),
      );
    }
  }

  /** All VMs are gone: what was noted of them goes too. */
  forget(): void {
    this.#vms = 0;
    for (const list of [this.requests, this.calls, this.rules, this.log]) list.length = 0;
  }

  /** A notification from the Resource Manager. */
  notify(host: NativeGuest, id: number, payload: Uint8Array): void {
    this.#notify(id, payload);
    this.settle(host);
  }

  #answer(id: number, value: Record<string, unknown>): Uint8Array {
    switch (id) {
      case VM_ALLOCATE.id: {
        const vmid = 0x80 + this.#vms;
        this.#byVmid.set(vmid, this.#vms++);
        return encodeReply(VM_ALLOCATE, { vmid });
      }
      case MEM_LEND.id:
        return encodeReply(MEM_LEND, { handle: 7 + this.#vms + 0x10 * this.#lentBefore(value.acl) });
      case MEM_SHARE.id:
        return encodeReply(MEM_SHARE, { handle: ++this.#handles });
      case VM_GET_VMID.id:
        return encodeReply(VM_GET_VMID, { vmid: 3 });
      case VM_GET_HYP_RESOURCES.id: {
        const vm = this.#byVmid.get(value.vmid as number)!;
        const none = { partner: 0, handle: 0, virq_handle: 0, base: 0n, size: 0n };
        const vcpus = Array.from({ length: this.vcpusOf(vm) }, (_, index) => ({
          ...none,
          type: ResourceType.Vcpu,
          label: index,
          cap: vcpuCap(vm, index),
          // Past seven VMs the numbers of interrupts repeat.
          virq: wakeup(vm % 7, index),
        }));
        const bell = { ...none, type: ResourceType.DoorbellSource, label: bellLabel(VM_PL011_SPI), cap: bellCap(vm), virq: 0 };
        const paged = this.requests.some(({ name, value: { vmid } }) => name === "VM_SET_DEMAND_PAGING" && vmid === value.vmid);
        const extents = paged
          ? [0, 1, 2, 3].map((label) => ({ ...none, type: ResourceType.MemoryExtent, label, cap: 0x900n, virq: 0 }))
          : [];
        const space = paged ? [{ ...none, type: ResourceType.AddressSpace, label: 0, cap: 0x901n, virq: 0 }] : [];
        return encodeReply(VM_GET_HYP_RESOURCES, { resources: [...vcpus, bell, ...extents, ...space] });
      }
      default:
        return encodeError(RmError.OK);
    }
  }

  /** How many parcels the VM of these rights was lent before this one. */
  #lentBefore(acl: unknown): number {
    const vmidOf = (list: unknown) => (list as readonly { readonly vmid: number }[])[0].vmid;
    return this.requests.filter(({ id, value }) => id === MEM_LEND.id && vmidOf(value.acl) === vmidOf(acl)).length - 1;
  }

  #notify(id: number, payload: Uint8Array): void {
    this.#toHost.push(...encodePackets({ type: PacketType.Notification, sequence: this.#sequence++, id, payload }));
  }
}
