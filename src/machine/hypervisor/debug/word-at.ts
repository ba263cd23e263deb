// An instruction of a guest as its vCPU would fetch it, read without effects.

import type { DebugCore, Regime } from "../../../cpu/core/interface.ts";
import type { Ram } from "../../hardware/ram.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

const SIZE = 4;

/** The instruction word at a virtual address; undefined if no RAM is mapped there. */
export function wordAt(
  core: Pick<DebugCore, "questions">,
  ram: Pick<Ram, "contains" | "bytes">,
  { registers }: Pick<Vcpu, "registers">,
  address: bigint,
  regime?: Regime,
): number | undefined {
  const translation = core.questions.inspect(registers, address, "read", regime);
  if (!translation.ok || !ram.contains(translation.pa, SIZE)) return undefined;
  const bytes = ram.bytes(translation.pa, SIZE);
  return new DataView(bytes.buffer, bytes.byteOffset, SIZE).getUint32(0, true);
}
