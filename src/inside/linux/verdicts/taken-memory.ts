// Memory of a VM that its kernel's command line takes from its programs: beyond a limit, in huge
// pages, for another kernel. The kernel logs what it has reserved.

import type { TakenMemory } from "../../../model/queries/facts/linux-finding.ts";
import { parseSize } from "../../../kit/support/text/units.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import type { Reading } from "../kernel/reading.ts";
import { kernelLog } from "../structures/log.ts";

/** An option that takes less than one part of so many of the memory is not the cause. */
const PARTS = 8;

/** Lines of the log: their bytes. */
const RESERVED: Readonly<Record<string, readonly [line: RegExp, bytes: (match: RegExpExecArray) => number]>> = {
  hugepages: [/^HugeTLB: registered ([\d.]+) ([KMG])iB page size, pre-allocated (\d+) pages/, ([, size, unit, pages]) => (
    Number(size) * Number(pages) * 1024 ** (1 + "KMG".indexOf(unit))
  )],
  crashkernel: [/^crashkernel reserved: 0x[\da-f]+ - 0x[\da-f]+ \((\d+) MB\)/, ([, size]) => Number(size) * MiB],
};

/** Bytes of a VM's memory, without pages that a device has for it. */
function memoryOf({ memory }: Reading): number {
  let sum = 0;
  for (const { size } of memory.physical.ranges()) if (size >= MiB) sum += size;
  return sum;
}

function bytesOf(reading: Reading, option: string): number {
  const [name, value = ""] = option.split("=");
  if (name === "mem") return memoryOf(reading) - (parseSize(value.toUpperCase()) ?? Infinity);
  const [line, bytes] = RESERVED[name] ?? [];
  if (!line) return 0;
  return kernelLog(reading).reduce((sum, { text }) => {
    const match = line.exec(text);
    return match ? sum + bytes(match) : sum;
  }, 0);
}

/** The option that takes the most; null if none takes a large part. */
export function takenMemory(reading: Reading): TakenMemory | null {
  const of = memoryOf(reading),
    taken = (reading.commandLine() ?? "").split(/\s+/).filter((option) => /^(?:mem|hugepages|crashkernel)=/.test(option))
      .map((option) => ({ option, size: bytesOf(reading, option), of })).filter(({ size }) => PARTS * size >= of);
  return taken.sort((one, other) => other.size - one.size)[0] ?? null;
}
