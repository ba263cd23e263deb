// The stack of a task that does not run: saved registers in its `thread`, and frame records of two
// words, the caller's x29 and the return address (AAPCS64 section 6.4.6), which arm64 kernels and
// most programs keep.

import { FrameRegister } from "../../../kit/formats/dwarf/frames.ts";
import { plainAddress } from "../../symbols/unwind.ts";
import type { VirtualMemory } from "../kernel/memory.ts";
import type { KernelRegisters, Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const FRAMES_MAX = 128;
/** Bytes of a kernel's stack with pages of 4 KiB; of 64 KiB with larger ones. */
const STACK_BITS = 14;
/** Bytes of a frame record. */
export const RECORD = 16;

/** Lowest address of a task's kernel stack, and the one after its last. */
export function stackOf(reading: Reading, task: Struct): { start: bigint; end: bigint } {
  const start = task.pointer("stack"), { granule } = reading.kernel.tables;
  return { start, end: start + (1n << BigInt(Math.max(STACK_BITS, granule))) };
}

/** The registers of a task's program, at the top of its kernel stack. */
export function programRegisters(reading: Reading, task: Struct): Struct {
  return reading.struct("pt_regs", stackOf(reading, task).end - BigInt(reading.sizeOf("pt_regs")));
}

/** The PC in the kernel and its return addresses. */
export function* kernelFrames(reading: Reading, task: Struct): Generator<bigint> {
  const { start, end } = stackOf(reading, task);
  yield task.big("thread.cpu_context.pc");
  const isInStack = (record: bigint) => record >= start && record + BigInt(RECORD) <= end && record % 8n === 0n;
  yield* returnAddresses(reading.memory, task.big("thread.cpu_context.fp"), FRAMES_MAX, isInStack);
}

/** The return addresses of a CPU in the kernel; its function may have no frame record yet. */
export function* cpuFrames({ memory }: Reading, cpu: KernelRegisters): Generator<bigint> {
  yield plainAddress(cpu.getX(FrameRegister.X30), memory.tables.bits);
  yield* returnAddresses(memory, cpu.getX(FrameRegister.X29), FRAMES_MAX, (record) => record % 8n === 0n && memory.has(record, RECORD));
}

/**
 * The return addresses in frame records, the innermost first. Records ascend in a stack, so they
 * end.
 * @param isRecord whether a record can be at an address
 */
export function* returnAddresses(
  memory: VirtualMemory,
  first: bigint,
  most: number,
  isRecord: (address: bigint) => boolean,
): Generator<bigint> {
  for (let record = first, count = 0; count < most && isRecord(record); count++) {
    const next = memory.u64(record), address = memory.u64(record + 8n);
    if (address === 0n) return;
    yield plainAddress(address, memory.tables.bits);
    if (next <= record) return;
    record = next;
  }
}
