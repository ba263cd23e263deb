// The configuration that a kernel was built with, if it keeps it (CONFIG_IKCONFIG): compressed by
// gzip between two marks in its read-only data (kernel/configs.c in its sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { BadMemory } from "../kernel/memory.ts";
import { placesOf } from "../kernel/kernel-image.ts";
import type { Reading } from "../kernel/reading.ts";

type ConfigRow = RowOf<LinuxTables["linux.config"]>;

const OF = "configuration";
const encoder = new TextEncoder(), START = encoder.encode("IKCFG_ST"), END = encoder.encode("IKCFG_ED");
/** Bytes of a configuration, compressed and not, and its lines: a kernel has some hundred KiB. */
const COMPRESSED_MAX = MiB, TEXT_MAX = 2 * MiB, LINES_MAX = 65_536;
/** Steps for a byte that is decompressed, and for a line. */
const STEPS_PER_BYTE = 1 / 32, STEPS_PER_LINE = 4;
const LINE = /^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$/;

/** Its options in its order; none if the kernel does not keep it. */
export function readConfig(reading: Reading): ConfigRow[] {
  return reading.rows(OF, () => linesOf(reading), (line) => {
    reading.spend(STEPS_PER_LINE);
    const [, name, value, unset] = LINE.exec(line) ?? [], option = name ?? unset;
    if (option === undefined) return undefined;
    return { id: formatId({ kind: "config", vm: reading.vm, name: option }), vm: vmId(reading.vm), name: option, value: value ?? "n" };
  });
}

function linesOf(reading: Reading): string[] {
  const text = configOf(reading);
  if (text === undefined) {
    reading.gap({ code: "no-config" });
    return [];
  }
  const lines = text.split("\n", LINES_MAX + 1);
  if (lines.length > LINES_MAX) reading.gap({ code: "many", of: OF, limit: LINES_MAX });
  return lines.slice(0, LINES_MAX);
}

/** The first place of some bytes in others; undefined without one. */
const placeOf = (reading: Reading, bytes: Uint8Array, wanted: Uint8Array) =>
  placesOf(bytes, wanted, reading.memory.work).find((place) => place !== undefined);

function configOf(reading: Reading): string | undefined {
  const { base, bytes } = reading.kernel.imageOf(reading.memory), mark = placeOf(reading, bytes, START);
  if (mark === undefined) return undefined;
  const start = mark + START.length, end = placeOf(reading, bytes.subarray(start, start + COMPRESSED_MAX), END);
  if (end === undefined) throw new BadMemory("invalid", "it has no end", base + BigInt(mark));
  reading.spend(TEXT_MAX * STEPS_PER_BYTE);
  try {
    return new TextDecoder().decode(node.zlib.gunzipSync(bytes.subarray(start, start + end), { maxOutputLength: TEXT_MAX }));
  } catch (error) {
    // Errors of zlib have no type.
    if (!(error instanceof Error)) throw error;
    throw new BadMemory("invalid", "it is not compressed by gzip", base + BigInt(start));
  }
}
