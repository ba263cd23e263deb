// A process of the host as tests write VMMs: devices, requests with their structures, memory, and
// refusals with their reasons.

import assert from "node:assert/strict";
import type { HostServices } from "../../../src/machine/host/primary/host-guest.ts";
import { Errno, type ErrnoName, errnoName } from "../../../src/machine/abi/ioctl/errno.ts";
import {
  CREATE_MEM_ARGS,
  FN_DESC,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_V6,
  MAP_MEM_ARGS,
  USER_MEM_REGION,
  VM_RANGE,
} from "../../../src/machine/abi/ioctl/gunyah.ts";
import type { Request } from "../../../src/machine/abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../../../src/machine/abi/ioctl/struct.ts";
import type { Visitor } from "./host-stack.ts";

const FOLDER = new URL("../../conformance/ioctl/guests/", import.meta.url).pathname;
/** Where VMs begin, and their devicetree. */
export const BASE = 0x8000_0000, VM_SIZE = 0x20_0000, DTB = 0x8010_0000, DTB_SIZE = 0x4000;

/** Values of a memory region that are not the usual ones. */
type RegionChanges = Partial<
  StructValues<{ label: "u32"; flags: "u32"; guest_phys_addr: "u64"; memory_size: "u64"; userspace_addr: "u64" }>
>;

/** A process. */
export class Client {
  readonly pid: number;
  #scratch = 0;

  constructor(readonly host: Visitor, pid?: number) {
    this.pid = pid ?? host.visit(({ kernel }) => kernel.spawn());
  }

  kernel<T>(act: (kernel: HostServices["kernel"], pid: number) => T): T {
    return this.host.visit(({ kernel }) => act(kernel, this.pid));
  }

  open(path = "/dev/gunyah"): number {
    return this.kernel((kernel, pid) => kernel.open(pid, path));
  }

  close(fd: number): number {
    return this.kernel((kernel, pid) => kernel.close(pid, fd));
  }

  exit(): void {
    this.kernel((kernel, pid) => kernel.exit(pid));
  }

  /** Bytes in memory of the process; their address. */
  place(bytes: Uint8Array): number {
    return this.kernel((kernel, pid) => {
      this.#scratch ||= kernel.mapAnonymous(pid, 0x4000, { read: true, write: true });
      // Calls may nest a structure in another: each gets its own place, in turn.
      this.#at = (this.#at + 512) % 0x4000;
      kernel.store(pid, this.#scratch + this.#at, bytes);
      return this.#scratch + this.#at;
    });
  }
  #at = 0;

  /** Anonymous memory. */
  memory(size: number, contiguous = false): number {
    return this.kernel((kernel, pid) => kernel.mapAnonymous(pid, size, { read: true, write: true, contiguous }));
  }

  write(address: number, bytes: Uint8Array | readonly number[]): { ok: boolean; signal?: number } {
    return this.kernel((kernel, pid) => kernel.store(pid, address, Uint8Array.from(bytes)));
  }

  read(address: number, length: number): Uint8Array {
    const result = this.kernel((kernel, pid) => kernel.load(pid, address, length));
    assert.ok(result.ok, "the memory is readable");
    return result.value;
  }

  /** Begins an ioctl. */
  begin(fd: number, code: number | Request, argument: number | bigint = 0): { task: number; result: number | undefined } {
    const number = typeof code === "number" ? code : code.code;
    return this.kernel((kernel, pid) => kernel.ioctl(pid, fd, number, BigInt.asUintN(64, BigInt(argument))));
  }

  /** An ioctl that has to end. */
  ioctl(fd: number, code: number | Request, argument: number | bigint = 0): number {
    const { task, result } = this.begin(fd, code, argument);
    const end = result ?? this.host.await(task, 1e9);
    assert.ok(end !== undefined, "the ioctl ends");
    return end;
  }

  /** An ioctl with a structure. */
  call<F extends StructFields>(fd: number, request: Request, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    return this.ioctl(fd, request, this.place(struct.encode(values)));
  }

  /** Checks a refusal: its errno, and that its reason says this. */
  refused(result: number, errno: ErrnoName, reason?: RegExp): void {
    assert.equal(result < 0 ? errnoName(result) : `${result}`, errno);
    assert.equal(result, -Errno[errno]);
    if (reason === undefined || this.host.lastRule === undefined) return;
    assert.match(this.host.lastRule()?.rule ?? "no rule", reason);
  }

  // ---- /dev/gunyah ----

  createVm(): number {
    const device = this.open();
    const vm = this.ioctl(device, GH.CREATE_VM);
    assert.ok(vm >= 0, errnoName(vm));
    return vm;
  }

  region(vm: number, changes: RegionChanges = {}, request: Request = GH.SET_USER_MEM_REGION): number {
    const values = { label: 0, flags: 7, guest_phys_addr: BigInt(BASE), memory_size: 0x1000n, userspace_addr: 0n, ...changes };
    return this.call(vm, request, USER_MEM_REGION, values);
  }

  lend(vm: number, changes: RegionChanges = {}): number {
    return this.region(vm, changes, GH_ANDROID.LEND_USER_MEM);
  }

  setDevicetree(vm: number, address: number | bigint, size: number | bigint, request: Request = GH.SET_DTB_CONFIG): number {
    return this.call(vm, request, VM_RANGE, { guest_phys_addr: BigInt(address), size: BigInt(size) });
  }

  add<F extends StructFields>(vm: number, type: number, struct: Struct<F>, values: Partial<StructValues<F>>, size = struct.size): number {
    const arg = BigInt(this.place(struct.encode(values)));
    return this.call(vm, GH.ADD_FUNCTION, FN_DESC, { type, arg_size: size, arg });
  }

  remove<F extends StructFields>(vm: number, type: number, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    const arg = BigInt(this.place(struct.encode(values)));
    return this.call(vm, GH.REMOVE_FUNCTION, FN_DESC, { type, arg_size: struct.size, arg });
  }

  vcpu(vm: number, id = 0): number {
    return this.add(vm, FunctionType.Vcpu, FN_VCPU_ARG, { id });
  }

  runPage(vcpu: number): number {
    return this.kernel((kernel, pid) => kernel.mapFile(pid, vcpu, 0x1000, { read: true, write: true, private: false, offset: 0 }));
  }

  /** A VM of 2 MiB with a devicetree, not started. */
  loadedVm(options: { dtb?: string; lend?: boolean; label?: number; code?: readonly number[] } = {}): { vm: number; memory: number } {
    const { dtb = "vm1.dtb", lend = false, label = 1, code = [] } = options;
    const vm = this.createVm();
    const memory = this.memory(VM_SIZE, true);
    this.write(memory, code);
    this.write(memory + DTB - BASE, Deno.readFileSync(FOLDER + dtb));
    const region = { label, memory_size: BigInt(VM_SIZE), userspace_addr: BigInt(memory) };
    assert.equal(lend ? this.lend(vm, region) : this.region(vm, region), 0);
    assert.equal(this.setDevicetree(vm, DTB, DTB_SIZE), 0);
    return { vm, memory };
  }

  /** The same in a guest memfd, as v17 has it. Lent memory is not mapped; `map` maps it. */
  guestMemoryVm({ flags = 0x70 } = {}): { vm: number; fd: number; map: () => number } {
    const device = this.open();
    const vm = this.ioctl(device, GH.CREATE_VM);
    const fd = this.call(device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: BigInt(VM_SIZE) });
    const map = () =>
      this.kernel((kernel, pid) => kernel.mapFile(pid, fd, VM_SIZE, { read: true, write: true, private: false, offset: 0 }));
    const memory = map();
    this.write(memory + DTB - BASE, Deno.readFileSync(FOLDER + "vm1.dtb"));
    this.kernel((kernel, pid) => kernel.munmap(pid, memory));
    const binding = { guest_addr: BigInt(BASE), flags, guest_mem_fd: fd, offset: 0n, size: BigInt(VM_SIZE) };
    assert.equal(this.call(vm, GH.MAP_MEM, MAP_MEM_ARGS, binding), 0);
    assert.equal(this.setDevicetree(vm, DTB, DTB_SIZE), 0);
    return { vm, fd, map };
  }

  /** The same for a host of version 6. */
  loadedVmV6(): { vm: number; memory: number } {
    const vm = this.ioctl(this.open(), GH_V6.CREATE_VM);
    const memory = this.memory(VM_SIZE, true);
    this.write(memory + DTB - BASE, Deno.readFileSync(FOLDER + "vm1.dtb"));
    const region = { label: 1, memory_size: BigInt(VM_SIZE), userspace_addr: BigInt(memory) };
    assert.equal(this.region(vm, region, GH_V6.SET_USER_MEM_REGION), 0);
    assert.equal(this.setDevicetree(vm, DTB, DTB_SIZE, GH_V6.SET_DTB_CONFIG), 0);
    return { vm, memory };
  }
}
