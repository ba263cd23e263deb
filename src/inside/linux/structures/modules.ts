// Modules of a kernel, as rows, and the names of addresses in them.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

type ModuleRow = RowOf<LinuxTables["linux.modules"]>;

const OF = "modules";
/** `module.state`. */
const STATES = ["live", "coming", "going", "unformed"] as const;
const UNFORMED = 3;
/** A module that nobody uses has this count of users. */
const USERS_BASE = 1;
/** Kinds of memory of a module, and modules that use one. */
const PARTS_MAX = 16, USERS_MAX = 256;
/** Symbols of a module; a name's characters. */
const SYMBOLS_MAX = 65_536, NAME_MAX = 256;
/** Bytes of ELF's symbol (System V ABI), which begins with its name, and where its value is. */
const SYMBOL_SIZE = 24, VALUE = 8;

interface ModulePart {
  readonly start: bigint;
  readonly size: number;
}

/** A module, and where its memory is. */
interface PlacedModule {
  readonly module: Struct;
  readonly parts: readonly ModulePart[];
}

/** The modules of an answer, which names many addresses in them. */
const PLACED = new WeakMap<Reading, readonly PlacedModule[]>();

function placedModules(reading: Reading): readonly PlacedModule[] {
  let known = PLACED.get(reading);
  if (!known) {
    known = reading.rows(OF, () => modulesOf(reading), (module) => ({ module, parts: partsOf(module) }));
    PLACED.set(reading, known);
  }
  return known;
}

/** The modules, the latest first. */
function modulesOf(reading: Reading): Generator<Struct> {
  return reading.list(OF, reading.address("modules"), "module", "list");
}

/** Memory of a module, its code first. */
function partsOf(module: Struct): ModulePart[] {
  const parts = module.has("mem")
    ? Array.from({ length: Math.min(module.lengthOf("mem"), PARTS_MAX) }, (_, index) => `mem[${index}]`)
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
    return [...uses.take(USERS_MAX)].flatMap((use) => use.at("source", "module")?.text("name") ?? []);
  }) ?? [];
}

/** `function+0x10 [module]`, for an address in a module. */
export function nameInModules(reading: Reading, address: bigint): string | undefined {
  for (const { module, parts } of placedModules(reading)) {
    reading.spend();
    const part = parts.find(({ start, size }) => address >= start && address < start + BigInt(size));
    if (!part) continue;
    return reading.tried(OF, () => {
      const [name, start] = reading.tried(OF, () => symbolIn(reading, module, part, address)) ?? ["", part.start];
      return `${name}+0x${(address - start).toString(16)} [${module.text("name")}]`;
    });
  }
  return undefined;
}

/** The symbol with the highest address in a part of a module up to an address. */
function symbolIn(reading: Reading, module: Struct, part: ModulePart, address: bigint): [string, bigint] | undefined {
  const table = module.at("kallsyms", "mod_kallsyms");
  if (!table) return undefined;
  const symbols = table.pointer("symtab"), names = table.pointer("strtab"), count = Math.min(table.number("num_symtab"), SYMBOLS_MAX);
  const { memory } = reading;
  memory.work.spend(count);
  const bytes = memory.bytes(symbols, count * SYMBOL_SIZE), view = new DataView(bytes.buffer);
  // Offsets in the part are numbers, which cost less than addresses.
  const most = Number(address - part.start), low = Number(part.start & LOW_HALF), high = Number(part.start >> 32n);
  let best: { readonly name: bigint; readonly offset: number } | undefined;
  for (let at = 0; at < bytes.length; at += SYMBOL_SIZE) {
    const offset = (view.getUint32(at + VALUE + 4, true) - high) * 2 ** 32 + view.getUint32(at + VALUE, true) - low;
    if (offset < 0 || offset > most || best && offset <= best.offset) continue;
    const name = names + BigInt(view.getUint32(at, true)), first = memory.u8(name);
    // Marks of the assembler, such as $x, are not names.
    if (first !== 0 && first !== MARK) best = { name, offset };
  }
  return best && [memory.text(best.name, NAME_MAX), part.start + BigInt(best.offset)];
}

const LOW_HALF = 0xffff_ffffn;
const MARK = "$".charCodeAt(0);
