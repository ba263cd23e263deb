// Modules of a kernel, as rows.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { partAt } from "../../symbols/symbol-table.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { partsOf, UNFORMED } from "../kernel/loaded-modules.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

type ModuleRow = RowOf<LinuxTables["linux.modules"]>;

const OF = "modules";
/** `module.state`. */
const STATES = ["live", "coming", "going", "unformed"] as const;
/** A module that nobody uses has this count of users. */
const USERS_BASE = 1;
/** Modules that use one. */
const USERS_MAX = 256;

/** The modules, the latest first. */
function modulesOf(reading: Reading): Generator<Struct> {
  return reading.list(OF, reading.address("modules"), "module", "list");
}

export function readModules(reading: Reading): ModuleRow[] {
  return reading.rows(OF, () => modulesOf(reading), (module) => moduleRow(reading, module));
}

/** Undefined for a module that is not formed yet. */
function moduleRow(reading: Reading, module: Struct): ModuleRow | undefined {
  const state = module.number("state"), name = module.text("name"), parts = partsOf(module);
  if (state >= UNFORMED) return undefined;
  return {
    id: formatId({ kind: "module", vm: reading.vm, name }),
    vm: vmId(reading.vm),
    name,
    state: STATES[state],
    size: parts.reduce((sum, { start, end }) => sum + Number(end - start), 0),
    used: module.has("refcnt") ? module.signed("refcnt.counter") - USERS_BASE : null,
    by: usersOf(reading, module),
    address: hex(parts[0].start, 16),
  };
}

/** Names of the modules that use one, as far as they can be read. */
function usersOf(reading: Reading, module: Struct): string[] {
  if (!module.has("source_list")) return [];
  return reading.tried(OF, () => {
    const uses = reading.list(OF, module.addressOf("source_list"), "module_use", "source_list");
    return [...uses.take(USERS_MAX)].flatMap((use) => use.at("source", "module")?.text("name") ?? []);
  }) ?? [];
}

/** `+0x10 [module]`, from the start of a module's memory, for an address without a symbol. */
export function nameInModules({ kernel, memory }: Reading, address: bigint): string | undefined {
  for (const { name, parts } of kernel.modules.in(memory)) {
    const part = partAt(parts, address);
    if (part) return `+0x${(address - part.start).toString(16)} [${name}]`;
  }
  return undefined;
}
