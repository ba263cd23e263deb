// GenieZone's EL2 on Gunyah: what each of its hypercalls does with the VM manager and the Resource
// Manager (docs/spec/geniezone.md §2, §5, §10). The driver above knows calls and errors only.

import { ErrorCode } from "../../abi/errors.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { RegisterSet } from "../../abi/words.ts";
import { writeDevicetree } from "../../devicetree/writer.ts";
import type { VmManager } from "../gunyah/vm-manager.ts";
import type { HostVm } from "../gunyah/state.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { CoreRegister, functionId, GZVM_SPIS, GZVM_VERSION, GzvmDevice, GzvmError, SlotPurpose } from "../../abi/geniezone/calls.ts";
import { gzvmConfigTree } from "./config-tree.ts";
import { type GzvmArguments, gzvmRegisters, type ServedCall } from "./hypercalls.ts";
import type { GzvmState, GzvmVm, Slot } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Result of a call: an error of EL2, and the registers after it. */
export interface GzvmResult {
  readonly error: number;
  readonly values: readonly number[];
}

/** Gunyah's Resource Manager gives VMs memory from here up. */
const FIRST_RAM_ADDRESS = 0x4000_0000n;
/** Bytes of the configuration's devicetree, and room for what the Resource Manager adds. */
const CONFIG_SIZE = 0x1_0000;
const CONFIG_ALIGN = 0x20_0000n;
/** The addresses where crosvm puts the frames, for VMMs that make no devices. */
const DISTRIBUTOR = 0x3fff_0000, REDISTRIBUTOR_SIZE = 0x2_0000;

const ok = (...values: number[]): GzvmResult => ({ error: GzvmError.None, values });
const failed = (error: number): GzvmResult => ({ error, values: [] });

/** The functions that serve the calls. Calls without a VM ignore that argument. */
type Served = { readonly [N in ServedCall]: (args: GzvmArguments<N>, vm: GzvmVm) => GzvmResult };

/** EL2. */
export class GzvmEl2 {
  readonly #kernel: HostKernel;
  readonly #manager: VmManager;
  readonly #state: GzvmState;
  readonly #firmware: Uint8Array | undefined;

  /** @param firmware that protected VMs boot first, if there is one */
  constructor(kernel: HostKernel, manager: VmManager, state: GzvmState, firmware: Uint8Array | undefined) {
    this.#kernel = kernel;
    this.#manager = manager;
    this.#state = state;
    this.#firmware = firmware;
  }

  /** Bytes of the firmware of protected VMs; 0 without firmware. */
  get firmwareSize(): number {
    return this.#firmware?.length ?? 0;
  }

  /** Serves a call of the driver. `vm` is undefined for calls that concern none. */
  call<N extends ServedCall>(name: N, vm: GzvmVm | undefined, args: GzvmArguments<N>): GzvmResult {
    this.#state.calls[name] = (this.#state.calls[name] ?? 0) + 1;
    const serve: Served[N] = this.#served[name];
    const result = serve(args, vm!);
    const { trace } = this.#kernel.cpu;
    if (trace.isWanted("hvc")) {
      trace.event("hvc", `GZVM ${name}`, { id: functionId(name), args: gzvmRegisters(name, args), error: result.error });
    }
    return result;
  }

  readonly #served: Served = {
    PROBE: () => ok(...GZVM_VERSION.map(Number)),
    CREATE_VM: () => this.#freeId(),
    // Firmware is loaded into protected VMs only; whether this VM is one is not known yet.
    MEMREGION_PURPOSE: ({ purpose }) => Number(purpose) <= SlotPurpose.Defined ? ok() : failed(GzvmError.InvalidArguments),
    SET_MEMREGION: ({ address }) => BigInt(address) >= FIRST_RAM_ADDRESS ? ok() : failed(GzvmError.InvalidArguments),
    CREATE_DEVICE: ({ type }) => Number(type) <= GzvmDevice.Redistributor ? ok() : failed(GzvmError.InvalidArguments),
    IRQ_LINE: ({ irq, level }, vm) => this.#irqLine(vm, Number(irq), Number(level)),
    SET_ONE_REG: ({ register, value }, vm) => this.#setRegister(vm, Number(register), BigInt(value)),
    CREATE_VCPU: () => ok(),
    DESTROY_VCPU: () => ok(),
    DESTROY_VM: () => ok(),
    SET_DTB_CONFIG: () => ok(),
    INFORM_EXIT: () => ok(),
    RUN: () => ok(),
    // Paging on demand is not granted: the driver then maps everything at once.
    ENABLE_CAP: () => failed(GzvmError.NotSupported),
    GET_STATISTICS: (_args, vm) => ok(...this.#statistics(vm)),
  };

  #freeId(): GzvmResult {
    const used = new Set(Object.values(this.#state.vms).map(({ el2Id }) => el2Id));
    for (let id = 1; id < 0x1_0000; id++) if (!used.has(id)) return ok(id);
    return failed(GzvmError.NoMemory);
  }

  /** Bytes of private and of shared memory. */
  #statistics(vm: GzvmVm): [number, number] {
    const given = this.#manager.state.vms[vm.gunyahVm]?.given ?? [];
    const bytes = (shared: boolean) => given.reduce((sum, each) => each.shared === shared ? sum + each.count * PAGE_SIZE : sum, 0);
    return [bytes(false), bytes(true)];
  }

  /** Shared interrupts are doorbells; private ones are the vCPUs' own. */
  #irqLine(vm: GzvmVm, spi: number, level: number): GzvmResult {
    if (spi >= GZVM_SPIS) return failed(GzvmError.InvalidArguments);
    const bell = this.#manager.resources(vm.gunyahVm).find(({ type, label }) => type === ResourceType.DoorbellSource && label === spi);
    if (bell === undefined) return vm.started ? failed(GzvmError.Fault) : ok();
    const { calls } = this.#kernel;
    const { error } = level === 0
      ? calls.doorbell_receive({ doorbell: bell.cap, clear_flags: 1n })
      : calls.doorbell_send({ doorbell: bell.cap, new_flags: 1n });
    return error === ErrorCode.OK ? ok() : failed(GzvmError.Fault);
  }

  #setRegister(vm: GzvmVm, index: number, value: bigint): GzvmResult {
    if (vm.started) return failed(GzvmError.NotSupported);
    if (index % 2 !== 0 || index > CoreRegister.SpEl1) return failed(GzvmError.InvalidArguments);
    vm.registers[index] = value;
    return ok();
  }

  /**
   * The first RUN: makes and starts Gunyah's VM from the ioctls' arguments. False without memory
   * for its configuration.
   */
  start(vm: GzvmVm, space: number): boolean {
    const gunyahVm = this.#manager.state.vms[vm.gunyahVm];
    const object = this.#kernel.memory.createContiguous(CONFIG_SIZE / PAGE_SIZE);
    if (object === undefined) return false;
    const end = vm.slots.reduce(
      (last, { guestAddress, size }) => guestAddress + size > last ? guestAddress + size : last,
      FIRST_RAM_ADDRESS,
    );
    const base = Number((end + CONFIG_ALIGN - 1n) / CONFIG_ALIGN * CONFIG_ALIGN);
    vm.config = { object: object.id, base };
    const bytes = new Uint8Array(CONFIG_SIZE);
    bytes.set(writeDevicetree(this.#configTree(vm, base)));
    if (!this.#kernel.cpu.write(object.runs[0].ipa, bytes)) return false;
    this.#loadFirmware(vm, space);
    gunyahVm.bindings = [
      ...vm.slots.map(({ flags, guestAddress, size, userAddress }) => ({
        guestAddress,
        size,
        flags: 7,
        lent: vm.protected && (flags & SlotPurpose.StaticSwiotlb) === 0,
        executable: true,
        source: { kind: "user" as const, address: userAddress },
      })),
      {
        guestAddress: BigInt(base),
        size: BigInt(CONFIG_SIZE),
        flags: 0x70,
        lent: true,
        executable: true,
        source: { kind: "memfd" as const, object: object.id, offset: 0 },
      },
    ];
    gunyahVm.devicetree = { address: BigInt(base), size: BigInt(CONFIG_SIZE) };
    gunyahVm.bootContext = this.#bootContext(vm);
    this.#manager.start(gunyahVm, undefined);
    return true;
  }

  #configTree(vm: GzvmVm, base: number) {
    const vcpus = Math.max(1, ...Object.keys(vm.vcpus).map((index) => Number(index) + 1));
    const distributor = vm.devices[GzvmDevice.Distributor] ?? DISTRIBUTOR;
    return gzvmConfigTree({
      name: `gzvm-${vm.el2Id}`,
      vcpus,
      base,
      distributor,
      memory: vm.slots.map(({ guestAddress, size }) => ({ base: Number(guestAddress), size: Number(size) })),
      redistributor: vm.devices[GzvmDevice.Redistributor] ?? distributor - REDISTRIBUTOR_SIZE * vcpus,
    });
  }

  /** Puts the firmware where the VMM wants it; the VM enters there. */
  #loadFirmware({ firmwareAddress, slots, ...vm }: GzvmVm, space: number): void {
    const owner = this.#kernel.memory.space(space);
    if (!vm.protected || firmwareAddress === undefined || this.#firmware === undefined || owner === undefined) return;
    const slot = slots.find(({ guestAddress, size }) => firmwareAddress >= guestAddress && firmwareAddress < guestAddress + size);
    if (slot === undefined) return;
    this.#kernel.memory.copyOut(owner, slot.userAddress + firmwareAddress - slot.guestAddress, this.#firmware);
  }

  #bootContext(vm: GzvmVm): HostVm["bootContext"] {
    const context: HostVm["bootContext"] = [];
    for (const [key, value] of Object.entries(vm.registers)) {
      const index = Number(key);
      if (index < CoreRegister.Sp) context.push({ set: RegisterSet.X, index: index / 2, value });
      else if (index === CoreRegister.SpEl1) context.push({ set: RegisterSet.SpEl, index: 1, value });
      else if (index === CoreRegister.Sp) context.push({ set: RegisterSet.SpEl, index: 0, value });
    }
    const firmware = vm.protected ? vm.firmwareAddress : undefined;
    context.push({ set: RegisterSet.PC, index: 0, value: firmware ?? vm.registers[CoreRegister.Pc] ?? lowest(vm.slots) });
    return context;
  }
}

function lowest(slots: readonly Slot[]): bigint {
  return slots.reduce((least, { guestAddress }) => guestAddress < least ? guestAddress : least, 1n << 48n);
}
