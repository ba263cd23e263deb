// The configuration that a kernel was built with, if it keeps it (CONFIG_IKCONFIG): compressed by
// gzip between two marks in its read-only data (kernel/configs.c in its sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { BadMemory } from "../kernel/memory.ts";
import { placesOf } from "../kernel/kernel-image.ts";
import type { Reading } from "../kernel/reading.ts";

type ConfigRow = RowOf<LinuxTables["linux.config"]>;

const OF = "configuration";
const encoder = new TextEncoder(), START = encoder.encode("IKCFG_ST"), END = encoder.encode("IKCFG_ED");
/** Bytes of a configuration: those of kernels have some hundred KiB. */
const TEXT_MAX = 4 << 20;
const LINE = /^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$/;

/** Its options in its order; none if the kernel does not keep it. */
export function readConfig(reading: Reading): ConfigRow[] {
  const text = reading.tried(OF, () => configOf(reading));
  return (text ?? "").split("\n").flatMap((line): ConfigRow[] => {
    const [, name, value, unset] = LINE.exec(line) ?? [], option = name ?? unset;
    if (option === undefined) return [];
    return [{ id: formatId({ kind: "config", vm: reading.vm, name: option }), vm: vmId(reading.vm), name: option, value: value ?? "n" }];
  });
}

function configOf(reading: Reading): string | undefined {
  const { base, bytes } = reading.kernel.imageOf(reading.memory), [mark] = placesOf(bytes, START);
  if (mark === undefined) return undefined;
  const start = mark + START.length, [end] = placesOf(bytes.subarray(start), END);
  if (end === undefined) throw new BadMemory("invalid", "it has no end", base + BigInt(mark));
  try {
    return new TextDecoder().decode(node.zlib.gunzipSync(bytes.subarray(start, start + end), { maxOutputLength: TEXT_MAX }));
  } catch (error) {
    // Errors of zlib have no type.
    if (!(error instanceof Error)) throw error;
    throw new BadMemory("invalid", "it is not compressed by gzip", base + BigInt(start));
  }
}
