// Buffers that a guest names by virtual address: copied page by page through its own translation
// (docs/spec/hypervisor.md §1.3).

import { ErrorCode } from "../../abi/errors.ts";
import type { RamWriter } from "../../abi/ram-writer.ts";
import type { Translation } from "../../../cpu/core/interface.ts";
import type { Machine } from "../../hardware/machine.ts";
import type { Services } from "../services/services.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The owner of the buffers that are copied: a vCPU. */
interface UserMemory {
  readonly services: Services & { readonly machine: Machine };
  readonly resultWriter: RamWriter;
  /** A virtual address by the tables of both stages, as EL1. */
  translate(va: bigint, access: "read" | "write"): Translation;
}

/** The first address beyond the 64 bits of one. */
const ADDRESS_END = 1n << 64n;
/** Permission faults are 0b0011xx, xx being the level. */
const isPermissionFault = (fsc: number) => (fsc & 0x3c) === 0x0c;

/**
 * Calls `copy` with the physical address of each piece of [va, va + size) within one page. A copy
 * may be partly done when a page fails.
 */
function forEachPage(
  vcpu: UserMemory,
  va: bigint,
  size: number,
  access: "read" | "write",
  copy: (pa: number, done: number, length: number) => void,
): ErrorCode {
  const { services } = vcpu;
  const refuse = <E extends ErrorCode>(error: E, rule: string) =>
    services.trace.refuse(error, rule, { va, size, access }, "hypervisor 1.3");
  let offset = Number(BigInt.asUintN(PAGE_SHIFT, va));
  if (size === 0) return refuse(ErrorCode.ARGUMENT_SIZE, "a buffer has a size");
  if (va > ADDRESS_END - BigInt(size)) return refuse(ErrorCode.ADDR_OVERFLOW, "the buffer wraps");
  for (let done = 0; done < size;) {
    const at = done === 0 ? va : va + BigInt(done);
    const length = Math.min(size - done, PAGE_SIZE - offset);
    const found = vcpu.translate(at, access);
    if (!found.ok) {
      if (found.stage === 1) return refuse(ErrorCode.ARGUMENT_INVALID, "the guest's own tables do not map the buffer");
      return isPermissionFault(found.fsc)
        ? refuse(ErrorCode.DENIED, "stage 2 does not allow the access")
        : refuse(ErrorCode.ADDR_INVALID, "stage 2 does not map the buffer");
    }
    if (!services.machine.ram.contains(found.pa, length)) return refuse(ErrorCode.ADDR_INVALID, "the buffer is not RAM");
    copy(found.pa, done, length);
    done += length;
    offset = 0;
  }
  return ErrorCode.OK;
}

/** A copy of a guest's buffer. */
export function readUser(vcpu: UserMemory, va: bigint, size: number): Uint8Array | ErrorCode {
  const bytes = new Uint8Array(size);
  const { ram } = vcpu.services.machine;
  const error = forEachPage(vcpu, va, size, "read", (pa, done, length) => bytes.set(ram.bytes(pa, length), done));
  return error === ErrorCode.OK ? bytes : error;
}

/** Writes `bytes`, the result of a call, to a guest's buffer. */
export function writeUser(vcpu: UserMemory, va: bigint, bytes: Uint8Array): ErrorCode {
  const { services: { machine: { ram } }, resultWriter } = vcpu;
  const write = (pa: number, done: number, length: number) => ram.write(pa, bytes.subarray(done, done + length), resultWriter);
  return forEachPage(vcpu, va, bytes.length, "write", write);
}
