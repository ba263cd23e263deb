// A guest that does one thing at a time, as told by loads from 0x6000, and tells the outcome by a
// store to 0x7000, and its VMM on the real core, hypervisor and Resource Manager: it repeats the
// checks of gunyah-test-vmm on a driver (docs/spec/vm-manager.md §14.2). Checks of features that
// el2 lacks are in docs/differences.md.
//
// | Group of gunyah-test-vmm                               | Tests                                |
// | ------------------------------------------------------ | ------------------------------------ |
// | start, read at 0x6000, 100 repeats                     | start_test.ts                        |
// | vCPU counts; a vCPU added after START, powered off     | vcpus_test.ts                        |
// | duplicate vCPU id, remove twice                        | vcpus_test.ts, functions_test.ts     |
// | ioeventfds                                             | functions_test.ts                    |
// | boot registers                                         | start_test.ts                        |
// | unmap with wrong address, flags, offset; trims         | memory_test.ts                       |
// | same file range twice, or in a second VM               | memory_test.ts                       |
// | the host touches lent memory before and after START    | memory_test.ts                       |
// | holes in shared memory, relinquished pages (2 groups) | none: vm-manager line 28, 29         |
// | fault injection per RPC                                | faults_test.ts                       |

import assert from "node:assert/strict";
import { Errno } from "../../../../src/machine/abi/ioctl/errno.ts";
import {
  BOOT_CONTEXT,
  CREATE_MEM_ARGS,
  ExitReason,
  FN_IOEVENTFD_ARG,
  FunctionType,
  GH,
  IoeventfdFlags,
  MAP_MEM_ARGS,
  MapFlagsV17,
  RUN_MMIO,
  RUN_PAGE,
  RUN_PAGE_FAULT,
} from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { assemble } from "../../../cpu/core/program.ts";
import { guestTree } from "../../resource-manager/machine.ts";
import { Client } from "../client.ts";
import { HostStack } from "../host-stack.ts";

/** Where the VM's memory begins, its size in bytes, and where its devicetree lies. */
export const BASE = 0x8000_0000, SIZE = 0x20_0000, DEVICETREE = BASE + 0x10_0000, DEVICETREE_SIZE = 0x4000;
/**
 * Addresses that leave RUN: the order to the cell, and its result with ESR and FAR of the last
 * fault.
 */
const COMMAND = 0x6000, RESULT = 0x7000;
const VECTORS = 0x800, CURRENT_EL_SPX_SYNC = 0x200;
const { Read, Write, Exec, Lend, Share, AccessMask } = MapFlagsV17;
export const RWX = Read | Write | Exec;
const PSCI = { CPU_OFF: 0x8400_0002n, CPU_ON: 0xc400_0003n } as const;

/** Commands of the cell; each has up to three operands. */
const Command = { Nothing: 0n, Read: 1n, Write: 2n, Call: 3n, Loopback: 4n } as const;

const CELL = assemble([
  ["movz x20, #0x6000", 0xd28c0014],
  ["movz x21, #0x7000", 0xd28e0015],
  ["adr x9", 0x10003fc9],
  ["msr vbar_el1, x9", 0xd518c009],
  ["isb", 0xd5033fdf],
  // A command and its operands.
  ["ldr x1, [x20]", 0xf9400281],
  ["ldr x2, [x20, #8]", 0xf9400682],
  ["ldr x3, [x20, #16]", 0xf9400a83],
  ["ldr x4, [x20, #24]", 0xf9400e84],
  ["cbz x1", 0xb4000121],
  ["sub x5, x1, #0x1", 0xd1000425],
  ["cbz x5", 0xb4000125],
  ["sub x5, x1, #0x2", 0xd1000825],
  ["cbz x5", 0xb4000125],
  ["sub x5, x1, #0x3", 0xd1000c25],
  ["cbz x5", 0xb4000145],
  ["orr x0, xzr, x2", 0xaa0203e0],
  ["b", 0x1400000d],
  ["movz x0, #0x0", 0xd2800000],
  ["b", 0x1400000b],
  // Read.
  ["ldr x0, [x2]", 0xf9400040],
  ["b", 0x14000009],
  // Write.
  ["str x3, [x2]", 0xf9000043],
  ["movz x0, #0x0", 0xd2800000],
  ["b", 0x14000006],
  // Call.
  ["orr x0, xzr, x2", 0xaa0203e0],
  ["orr x1, xzr, x3", 0xaa0303e1],
  ["orr x2, xzr, x4", 0xaa0403e2],
  ["movz x3, #0x0", 0xd2800003],
  ["hvc #0x0", 0xd4000002],
  // The result, and the next command.
  ["str x0, [x21]", 0xf90002a0],
  ["b", 0x17ffffe6],
]);

/** A fault tells ESR and FAR, and what faulted is skipped. */
const FAULT = assemble([
  ["mrs x6, esr_el1", 0xd5385206],
  ["str x6, [x21, #8]", 0xf90006a6],
  ["mrs x6, far_el1", 0xd5386006],
  ["str x6, [x21, #16]", 0xf9000aa6],
  ["mrs x6, elr_el1", 0xd5384026],
  ["add x6, x6, #0x4", 0x910010c6],
  ["msr elr_el1, x6", 0xd5184026],
  ["eret", 0xd69f03e0],
]);

const bytesOf = (words: readonly number[]) => new Uint8Array(new Uint32Array(words).buffer);

/** An exit that does not belong to a command: an access elsewhere. */
export interface OtherExit {
  readonly address: bigint;
  readonly write: boolean;
  readonly data: bigint;
}

/** A page that the guest missed and did not get: what the driver's own try came to. */
export interface PageFaultExit {
  readonly address: bigint;
  readonly attempt: number;
}

/** Result of a command. */
export interface Outcome {
  readonly result: bigint | undefined;
  /** FAR of faults meanwhile. */
  readonly faults: readonly bigint[];
  /** The exit at which it stopped, instead of a result. */
  readonly exit: OtherExit | PageFaultExit | undefined;
}

/** A vCPU with its run page. */
export interface CellVcpu {
  readonly fd: number;
  readonly page: number;
}

/** A guest memfd that is bound. */
export interface CellMemory {
  readonly fd: number;
  readonly address: number;
  readonly size: number;
}

/** Options of a cell. */
export interface CellOptions {
  readonly vcpus?: number;
  readonly cpus?: number;
  /** MAP_MEM's access of its memory: default, lend or share. */
  readonly access?: number;
  /** Rights of its memory. */
  readonly rights?: number;
  readonly stack?: HostStack;
}

/** A VM of v17 with the cell in its memory, and its VMM. */
export class HoldingCell {
  readonly vmm: Client;
  readonly vm: number;
  readonly device: number;
  readonly vcpus: CellVcpu[] = [];
  readonly memory: CellMemory;
  readonly stack: HostStack;

  constructor({ vcpus = 1, cpus = 2, access = 0, rights = RWX, stack }: CellOptions = {}) {
    this.stack = stack ?? new HostStack({ device: "v17", cpus });
    this.vmm = new Client(this.stack);
    this.device = this.vmm.open();
    this.vm = this.vmm.ioctl(this.device, GH.CREATE_VM);
    this.memory = this.createMemory(BASE, SIZE);
    this.load(this.memory, [
      [0, bytesOf(CELL)],
      [VECTORS + CURRENT_EL_SPX_SYNC, bytesOf(FAULT)],
      [DEVICETREE - BASE, guestTree("cell", [], vcpus)],
    ]);
    assert.equal(this.map(this.memory, { access, rights }), 0);
    assert.equal(this.vmm.setDevicetree(this.vm, DEVICETREE, DEVICETREE_SIZE), 0);
    for (let id = 0; id < vcpus; id++) this.addVcpu(id);
    assert.equal(this.setRegister(0x100, BigInt(BASE)), 0);
  }

  addVcpu(id: number): CellVcpu {
    const fd = this.vmm.vcpu(this.vm, id);
    assert.ok(fd > 0, `${fd}`);
    const vcpu = { fd, page: this.vmm.runPage(fd) };
    this.vcpus.push(vcpu);
    return vcpu;
  }

  setRegister(reg: number, value: bigint): number {
    return this.vmm.call(this.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg, value });
  }

  start(): number {
    return this.vmm.ioctl(this.vm, GH.START);
  }

  // ---- memory ----

  createMemory(address: number, size: number): CellMemory {
    const fd = this.vmm.call(this.device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: BigInt(size) });
    assert.ok(fd > 0);
    return { fd, address, size };
  }

  map(
    memory: CellMemory,
    options: { access?: number; rights?: number; offset?: number; size?: number; flags?: number; address?: number } = {},
  ): number {
    const { access = 0, rights = RWX, offset = 0, size = memory.size - offset, flags = 0, address = memory.address } = options;
    assert.ok((access & ~AccessMask) === 0);
    return this.vmm.call(this.vm, GH.MAP_MEM, MAP_MEM_ARGS, {
      ...{
        guest_addr: BigInt(address),
        flags: access | rights | flags,
        guest_mem_fd: memory.fd,
        offset: BigInt(offset),
        size: BigInt(size),
      },
    });
  }

  /** Maps a guest memfd into the VMM, does something with it, and takes the mapping away. */
  mapped<T>({ fd, size }: CellMemory, act: (at: number) => T): T {
    const at = this.vmm.kernel((kernel, pid) => kernel.mapFile(pid, fd, size, { read: true, write: true, private: false, offset: 0 }));
    try {
      return act(at);
    } finally {
      this.vmm.kernel((kernel, pid) => kernel.munmap(pid, at));
    }
  }

  load(memory: CellMemory, contents: readonly (readonly [offset: number, bytes: Uint8Array])[]): void {
    this.mapped(memory, (at) => contents.forEach(([offset, bytes]) => assert.ok(this.vmm.write(at + offset, bytes).ok)));
  }

  /** Eight bytes as the host sees them; the signal where it may not. */
  hostRead(memory: CellMemory, offset = 0): bigint | { readonly signal: number } {
    return this.mapped(memory, (at) => {
      const result = this.vmm.kernel((kernel, pid) => kernel.load(pid, at + offset, 8));
      return result.ok ? new DataView(result.value.buffer, result.value.byteOffset).getBigUint64(0, true) : { signal: result.signal };
    });
  }

  hostWrite(memory: CellMemory, value: bigint, offset = 0): boolean {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    return this.mapped(memory, (at) => this.vmm.write(at + offset, bytes).ok);
  }

  // ---- commands ----

  nothing(on = 0): bigint {
    return this.#result(this.command([Command.Nothing], on));
  }

  loopback(value: bigint, on = 0): bigint {
    return this.#result(this.command([Command.Loopback, value], on));
  }

  read(address: number | bigint, on = 0): bigint {
    return this.#result(this.command([Command.Read, BigInt(address)], on));
  }

  write(address: number | bigint, value: bigint, on = 0): bigint {
    return this.#result(this.command([Command.Write, BigInt(address), value], on));
  }

  /** A read that may fault, or leave to the VMM. */
  tryRead(address: number | bigint, on = 0): Outcome {
    return this.command([Command.Read, BigInt(address)], on);
  }

  /** A write that may fault, or leave to the VMM. */
  tryWrite(address: number | bigint, value: bigint, on = 0): Outcome {
    return this.command([Command.Write, BigInt(address), value], on);
  }

  powerOn(cpu: number): bigint {
    return this.#result(this.command([Command.Call, PSCI.CPU_ON, BigInt(cpu), BigInt(BASE)], 0));
  }

  /** CPU_OFF: RUN then sleeps; gives its task. */
  powerOff(on = 0): number {
    const { fd } = this.vcpus[on];
    this.#feed([Command.Call, PSCI.CPU_OFF], on);
    return this.vmm.begin(fd, GH.RUN).task;
  }

  addIoeventfd(addr: bigint, datamatch?: bigint): { result: number; counter: () => bigint | number } {
    const fd = this.vmm.kernel((kernel, pid) => kernel.eventfd(pid, 0));
    const flags = datamatch === undefined ? 0 : IoeventfdFlags.Datamatch;
    const result = this.vmm.add(this.vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { fd, addr, len: 8, flags, datamatch: datamatch ?? 0n });
    const counter = () => {
      const read = this.vmm.kernel((kernel, pid) => kernel.read(pid, fd, 8));
      return typeof read === "number" ? -Errno.EAGAIN - read : new DataView(read.buffer).getBigUint64(0, true);
    };
    return { result, counter };
  }

  /** Gives a vCPU an order, and runs it until it reports the result. */
  command(words: readonly bigint[], on: number): Outcome {
    const first = this.#feed(words, on);
    return first === undefined ? this.outcome(on) : { result: undefined, faults: [], exit: first };
  }

  /** Runs a vCPU until it tells what came of what it was told. */
  outcome(on: number): Outcome {
    const faults: bigint[] = [];
    for (;;) {
      const exit = this.#run(on);
      if ("attempt" in exit) return { result: undefined, faults, exit };
      const { address, write, data } = exit;
      if (!write || address < RESULT || address > RESULT + 16) return { result: undefined, faults, exit: { address, write, data } };
      if (address === BigInt(RESULT)) return { result: data, faults, exit: undefined };
      if (address === BigInt(RESULT + 16)) faults.push(data);
    }
  }

  /** Answers the cell's four loads; an exit in their place. */
  #feed(words: readonly bigint[], on: number): OtherExit | PageFaultExit | undefined {
    for (let index = 0; index < 4; index++) {
      const exit = this.#run(on);
      if ("attempt" in exit || exit.write || exit.address !== BigInt(COMMAND + 8 * index)) return exit;
      const answer = new Uint8Array(8);
      new DataView(answer.buffer).setBigUint64(0, BigInt.asUintN(64, words[index] ?? 0n), true);
      this.vmm.write(this.vcpus[on].page + RUN_MMIO.at.data.offset, answer);
    }
  }

  /** RUN up to an exit. */
  #run(on: number): OtherExit | PageFaultExit {
    const { fd, page } = this.vcpus[on];
    assert.equal(this.vmm.ioctl(fd, GH.RUN), 0, this.stack.lastRule()?.rule);
    const bytes = this.vmm.read(page, RUN_MMIO.size);
    const { exit_reason: reason } = RUN_PAGE.decode(bytes);
    if (reason === ExitReason.PageFault) {
      const { phys_addr: address, attempt } = RUN_PAGE_FAULT.decode(bytes);
      return { address, attempt };
    }
    assert.equal(reason, ExitReason.Mmio);
    const { phys_addr: address, is_write, data } = RUN_MMIO.decode(bytes);
    return { address, write: is_write !== 0, data: new DataView(Uint8Array.from(data).buffer).getBigUint64(0, true) };
  }

  #result({ result, faults, exit }: Outcome): bigint {
    assert.ok(result !== undefined && faults.length === 0, `a result, not ${Deno.inspect({ faults, exit })}`);
    return result;
  }
}

export { Lend, Share };
