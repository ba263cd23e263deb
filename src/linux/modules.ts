// Modules of a kernel, as rows, and the names of addresses in them.

import { formatId, vmId } from "../queries/ids.ts";
import type { LinuxTables } from "../queries/linux-tables.ts";
import type { RowOf } from "../queries/table.ts";
import { hex } from "../support/number-text.ts";
import type { Reading } from "./reading.ts";
import type { Struct } from "./types.ts";

type ModuleRow = RowOf<LinuxTables["linux.modules"]>;

const OF = "modules";
/** `module.state`. */
const STATES = ["live", "coming", "going", "unformed"] as const;
const UNFORMED = 3;
/** A module that nobody uses has this count of users. */
const USERS_BASE = 1;
/** Symbols of a module; a name's characters. */
const SYMBOLS_MAX = 65_536, NAME_MAX = 256;
/** ELF's symbol (System V ABI): name, section, value; functions have type 2. */
const SYMBOL_SIZE = 24n;

interface ModulePart {
  readonly start: bigint;
  readonly size: number;
}

/** The modules, the latest first. */
function modulesOf(reading: Reading): Generator<Struct> {
  return reading.list(OF, reading.address("modules"), "module", "list");
}

/** Memory of a module, its code first. */
function partsOf(module: Struct): ModulePart[] {
  const parts = module.has("mem")
    ? Array.from({ length: module.lengthOf("mem") }, (_, index) => `mem[${index}]`)
    : ["core_layout", "init_layout"];
  return parts.map((part) => ({ start: module.big(`${part}.base`), size: module.number(`${part}.size`) }));
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
    size: parts.reduce((sum, { size }) => sum + size, 0),
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
    return [...uses].flatMap((use) => use.at("source", "module")?.text("name") ?? []);
  }) ?? [];
}

/** `function+0x10 [module]`, for an address in a module. */
export function nameInModules(reading: Reading, address: bigint): string | undefined {
  return reading.tried(OF, () => {
    for (const module of modulesOf(reading)) {
      const part = partsOf(module).find(({ start, size }) => address >= start && address < start + BigInt(size));
      if (!part) continue;
      const found = reading.tried(OF, () => symbolIn(reading, module, part, address));
      const [name, start] = found ?? ["", part.start];
      return `${name}+0x${(address - start).toString(16)} [${module.text("name")}]`;
    }
    return undefined;
  });
}

/** The symbol with the highest address in a part of a module up to an address. */
function symbolIn(reading: Reading, module: Struct, part: ModulePart, address: bigint): [string, bigint] | undefined {
  const table = module.at("kallsyms", "mod_kallsyms");
  if (!table) return undefined;
  const symbols = table.pointer("symtab"), names = table.pointer("strtab"), count = Math.min(table.number("num_symtab"), SYMBOLS_MAX);
  let best: [bigint, bigint] | undefined;
  for (let index = 0n; index < BigInt(count); index++) {
    const at = symbols + index * SYMBOL_SIZE, value = reading.memory.u64(at + 8n);
    if (value < part.start || value > address || best && value <= best[1]) continue;
    const name = names + BigInt(reading.memory.u32(at));
    // Marks of the assembler, such as $x, are not names.
    const first = reading.memory.u8(name);
    if (first !== 0 && first !== MARK) best = [name, value];
  }
  return best && [reading.memory.text(best[0], NAME_MAX), best[1]];
}

const MARK = "$".charCodeAt(0);
