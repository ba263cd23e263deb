// The calls that a VMM makes as a process of the host. Each step is done, or the VMM gives up with
// what was refused.

import { errnoName } from "../abi/ioctl/errno.ts";
import type { Request } from "../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../abi/ioctl/struct.ts";
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import type { VmmData, VmmVcpu } from "./vmm-data.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";

/** A write that increments an eventfd's counter. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
/** Bytes of RUN's structure in which every driver says why RUN left. */
const EXIT_SIZE = 64;

export class Refused extends UserError {}

/** The calls of one process. All that may be refused throw `Refused`. */
export class Steps {
  readonly #exit = new Uint8Array(EXIT_SIZE);
  readonly #exitView = new DataView(this.#exit.buffer);

  constructor(readonly kernel: HostKernel, readonly data: VmmData) {}

  get pid(): number {
    return this.data.pid;
  }

  must(what: string, result: number): number {
    if (result < 0) throw new Refused(`${what}: ${errnoName(result)}`);
    return result;
  }

  open(path: string): number {
    return this.must(`open ${path}`, this.kernel.open(this.pid, path));
  }

  eventfd(): number {
    return this.must("eventfd", this.kernel.eventfd(this.pid, 0));
  }

  /** Adds 1 to an eventfd. */
  signal(fd: number): void {
    this.kernel.write(this.pid, fd, ONE);
  }

  /** An ioctl that may wait. */
  begin(fd: number, { code }: Request, argument = 0n): IoctlResult {
    return this.kernel.ioctl(this.pid, fd, code, argument);
  }

  /** The same with a structure. */
  structured<F extends StructFields>(fd: number, request: Request, struct: Struct<F>, values: Partial<StructValues<F>>): IoctlResult {
    return this.begin(fd, request, BigInt(this.place(struct.encode(values), 0)));
  }

  /** An ioctl that waits in no generation. */
  ioctl(what: string, fd: number, request: Request, argument: bigint): number {
    return this.#ended(what, this.begin(fd, request, argument));
  }

  /** The same with a structure. */
  call<F extends StructFields>(what: string, fd: number, request: Request, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    return this.#ended(what, this.structured(fd, request, struct, values));
  }

  #ended(what: string, { result }: IoctlResult): number {
    if (result === undefined) throw new Refused(`${what} waits`);
    return this.must(what, result);
  }

  /** Bytes in the page for structures: their user address. */
  place(bytes: Uint8Array, offset: number): number {
    this.data.scratch ||= this.mapPage();
    this.store(this.data.scratch + offset, bytes);
    return this.data.scratch + offset;
  }

  /** A private page of the process. */
  mapPage(): number {
    return this.must("mmap", this.kernel.mapAnonymous(this.pid, PAGE_SIZE, { read: true, write: true }));
  }

  /** Memory for the VM, in one piece. */
  mapMemory(size: number): number {
    const options = { read: true, write: true, contiguous: true };
    return this.must("mmap of the VM's memory", this.kernel.mapAnonymous(this.pid, size, options));
  }

  store(address: number, bytes: Uint8Array): void {
    const result = this.kernel.store(this.pid, address, bytes);
    if (!result.ok) throw new Refused(`memory at 0x${address.toString(16)}: signal ${result.signal}`);
  }

  /** The beginning of the structure that RUN has filled; valid until the next exit. */
  filled(vcpu: VmmVcpu): DataView {
    const signal = this.kernel.loadInto(this.pid, vcpu.page, this.#exit);
    if (signal !== undefined) throw new Refused("the structure of RUN cannot be read");
    return this.#exitView;
  }
}
