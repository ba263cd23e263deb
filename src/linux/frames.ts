// The stack of a task that does not run: saved registers in its `thread`, and frame records of two
// words, the caller's x29 and the return address (AAPCS64 section 6.4.6), which arm64 kernels and
// most programs keep.

import type { Reading } from "./reading.ts";
import type { Struct } from "./types.ts";

const FRAMES_MAX = 128;
/** Bytes of a kernel's stack with pages of 4 KiB; of 64 KiB with larger ones. */
const STACK_BITS = 14;
const RECORD = 16n;
const HALF = 1n << 55n;

export interface Frame {
  readonly pc: bigint;
  /** Address of its frame record. */
  readonly record: bigint;
}

/** An address without the signature of pointer authentication: its upper bits repeat bit 55. */
export function plainAddress(address: bigint, bits: number): bigint {
  const mask = (1n << BigInt(bits)) - 1n;
  return address & HALF ? BigInt.asUintN(64, address | ~mask) : address & mask;
}

/** Lowest address of a task's kernel stack, and the one after its last. */
export function stackOf(reading: Reading, task: Struct): { start: bigint; end: bigint } {
  const start = task.pointer("stack"), { granule } = reading.kernel.tables;
  return { start, end: start + (1n << BigInt(Math.max(STACK_BITS, granule))) };
}

/** The frames in the kernel, the innermost first. Records ascend in the stack, so they end. */
export function* kernelFrames(reading: Reading, task: Struct): Generator<Frame> {
  const { start, end } = stackOf(reading, task), { bits } = reading.kernel.tables;
  let record = task.big("thread.cpu_context.fp");
  yield { pc: task.big("thread.cpu_context.pc"), record };
  for (let count = 0; count < FRAMES_MAX && record >= start && record + RECORD <= end && record % 8n === 0n; count++) {
    const next = reading.memory.u64(record), pc = reading.memory.u64(record + 8n);
    if (pc === 0n) return;
    yield { pc: plainAddress(pc, bits), record };
    if (next <= record) return;
    record = next;
  }
}
