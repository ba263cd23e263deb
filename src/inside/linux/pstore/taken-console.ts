// The console's text of the boot before, where the driver ramoops has it once it runs: it copies
// the text out of its zone, and clears that for this boot (fs/pstore/ram_core.c in the kernel's
// sources).

import { moduleTypes } from "../kernel/module-types.ts";
import type { Reading } from "../kernel/reading.ts";
import { Struct } from "../kernel/types.ts";
import { consoleRecord, type PstoreRecord, type RamoopsRegion, REGION_MAX } from "./ramoops.ts";

/** The driver's only instance, and its type. */
const INSTANCE = "oops_cxt", TYPE = "ramoops_context";

/** Undefined without the driver, for another region, and where it has found no text. */
export function takenConsole(reading: Reading, { base, size }: RamoopsRegion): PstoreRecord | undefined {
  const zone = instanceOf(reading)?.at("cprz", "persistent_ram_zone"),
    address = zone?.number("paddr") ?? 0,
    text = zone?.pointer("old_log");
  if (!zone || !text || address < base || address >= base + size) return undefined;
  return consoleRecord(reading.memory.bytes(text, Math.min(zone.number("old_log_size"), REGION_MAX)), address, reading.memory.work);
}

/** The driver in the kernel itself, or else in a module with its own types. */
function instanceOf(reading: Reading): Struct | undefined {
  const { kernel, memory } = reading, address = kernel.find(memory, INSTANCE);
  if (address !== undefined) return reading.hasType(TYPE) ? reading.struct(TYPE, address) : undefined;
  for (const { table } of kernel.modules.in(memory)) {
    const found = table.find(INSTANCE);
    if (!found) continue;
    for (const { btf } of moduleTypes(reading, TYPE)) return new Struct(memory, btf, TYPE, found.address);
  }
  return undefined;
}
