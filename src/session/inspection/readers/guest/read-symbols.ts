// Rows of symbols, and of instructions in a guest's memory.

import { type DebugCore, isBelowEl2 } from "../../../../cpu/core/interface.ts";
import { aliasText, instructionText } from "../../../../cpu/isa/aliases.ts";
import { disassemble } from "../../../../cpu/isa/disassemble.ts";
import { type Hypervisor, type Vcpu, wordAt } from "../../../../machine/hypervisor/inspect.ts";
import { CodeFrames } from "../../../../inside/symbols/code-frames.ts";
import { guestReader, ruleAt } from "../../../../inside/symbols/unwind.ts";
import { isDataIn, nameIn, placeIn } from "../../../../inside/symbols/vm-symbols.ts";
import { loadsAt } from "../../../../inside/linux/kernel/loaded-modules.ts";
import type { BreakPlace } from "../../../../model/queries/stop-rule.ts";
import { moduleSymbol, placesNamed, placeText, type SymbolTable } from "../../../../inside/symbols/symbol-table.ts";
import { QueryError, type View } from "../inspected.ts";
import { physical } from "../objects/read-memory.ts";
import { formatId, paId, parseId, parsePlace, vcpuId, vcpuName, vmId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { CODE, FRAMES, SYMBOLS } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../../../kit/support/text/way-out.ts";

export { instructionText };

/** The symbols of a VM by address. */
export function readSymbols(view: View, id: string): RowOf<typeof SYMBOLS>[] {
  const vm = view.vmNameOf(view.findSpace(id));
  return symbolRows(vm, view.system.symbols.all(vm));
}

/** Symbols of tables. One that several have is listed once, from the first. */
export function symbolRows(vm: string, tables: readonly SymbolTable[]): RowOf<typeof SYMBOLS>[] {
  const rows = new Map<string, RowOf<typeof SYMBOLS>>();
  for (const { symbols, source } of tables) {
    for (const { name, address, type } of symbols) {
      const row = { id: formatId({ kind: "sym", vm, name, address }), address: hex(address, 16), type, name, source };
      if (!rows.has(row.id)) rows.set(row.id, row);
    }
  }
  return [...rows.values()];
}

/** Call frame information of a VM's functions. */
export function readFrames(view: View, id: string): RowOf<typeof FRAMES>[] {
  const vm = view.vmNameOf(view.findSpace(id)), { symbols } = view.system;
  const [vcpu] = symbols.vcpus(vm);
  // Without a vCPU nothing can be read: frame pointers remain.
  const read = vcpu ? guestReader(symbols.core, view.hypervisor.machine.ram, vcpu) : () => undefined;
  const frames = new CodeFrames(symbols.all(vm), read);
  const infos = symbols.infos(vm), rows: RowOf<typeof FRAMES>[] = [];
  for (const { start, size, signal, returns, instructions } of frames.all((address) => ruleAt(infos, address) !== undefined)) {
    rows.push({
      id: formatId({ kind: "frames", vm, address: start }),
      start: hex(start, 16),
      size,
      exception: signal,
      returns,
      rules: instructions.toHex(),
    });
  }
  return rows;
}

const WORD = 4n;
/** Bytes before the PC that are searched for the first mapped instruction. */
const FURTHEST = 0x1000n;
/** A VM that executes instructions, for examples. */
function exampleVm(view: View): string {
  const found = view.vcpus().find(({ native }) => !native);
  return found ? view.vmNameOf(found.addressSpace) : "VM";
}

/** Instructions of one answer. */
const MOST = 16_384;

/** A place of code, and the vCPU through whose translation it is read. */
export interface CodePlace {
  readonly vcpu: Vcpu;
  readonly address: bigint;
  /**
   * Of a source line: where its pieces of code begin, of which `address` is the first. Of a name:
   * those that several modules have.
   */
  readonly addresses?: readonly bigint[];
  readonly tables: readonly SymbolTable[];
}

/**
 * `VM:PLACE` or `VM/INDEX:PLACE`: the vCPU through whose translation is read, and the address.
 * `pc-5` is five instructions before the PC, `MODULE:SYMBOL` a symbol of a module of the kernel,
 * `FILE:LINE` the code of a source line, or of the next line with code.
 * @throws QueryError, also for a name that several modules have
 */
export function codePlace(view: View, place: string): CodePlace {
  const found = codePlaces(view, place), { modules } = found;
  if (modules.length < 2) return found;
  const { vm = "", where } = parsePlace(place) ?? {};
  const shown = modules.slice(0, MODULES_SHOWN).map((module) => `${vm}:${module}:${where}`);
  throw new QueryError(`${modules.length} modules of ${vmId(vm)} have a symbol ${where}`, `name one: ${shown.join(", ")}`);
}

/** Modules that are listed. */
const MODULES_SHOWN = 10;

/** The address that is a number, or counted from the PC: `pc-5`; undefined for a name. */
export function addressIn(where: string, pc: () => bigint): bigint | undefined {
  const before = /^pc(?:-(\d{1,4}))?$/.exec(where);
  if (before) return BigInt.asUintN(64, pc() - WORD * BigInt(before[1] ?? 0));
  return /^(0x[0-9a-f]+|\d+)$/i.test(where) ? BigInt.asUintN(64, BigInt(where)) : undefined;
}

/**
 * The same as `codePlace`, with all places of the name.
 * @throws QueryError
 */
export function codePlaces(view: View, place: string): CodePlace & { readonly modules: readonly string[] } {
  const wanted = parsePlace(place);
  if (!wanted) {
    throw new QueryError(
      `${JSON.stringify(place)} is not a place in a VM`,
      `use for example ${exampleVm(view)}:main, ${exampleVm(view)}:0x80010800 or ${exampleVm(view)}/0:pc`,
    );
  }
  const { vm, index, where } = wanted;
  const vcpus = view.system.symbols.vcpus(vm);
  if (!vcpus.length) {
    view.findSpace(vm);
    throw new QueryError(`${vmId(vm)} has no vCPU that executes instructions: el2's own code runs there`);
  }
  const vcpu = index === undefined
    ? vcpus.find(({ registers }) => !isBelowEl2(registers)) ?? vcpus[0]
    : vcpus.find((one) => one.index === index);
  if (!vcpu) throw new QueryError(`no ${vcpuId(vcpuName(vm, index ?? 0))}`, `there are ${vcpus.map((one) => view.vcpu(one)).join(", ")}`);
  const tables = view.system.symbols.all(vm);
  const at = (address: bigint) => ({ vcpu, address: BigInt.asUintN(64, address), tables, modules: [] });
  const plain = addressIn(where, () => vcpu.registers.pc);
  if (plain !== undefined) return { ...at(plain), tables: view.system.symbols.ofCode(vcpu) };
  const named = placesNamed(tables, where);
  if (named.length) {
    const addresses = named.map(({ address }) => BigInt.asUintN(64, address)), modules = named.flatMap(({ module }) => module ?? []);
    return { ...at(addresses[0]), ...addresses.length > 1 && { addresses }, modules };
  }
  const line = LINE.exec(where);
  if (line) {
    const addresses = codeOfLine(view, vm, line[1], Number(line[2]));
    return { ...at(addresses[0]), addresses };
  }
  throw new QueryError(`${vmId(vm)} has no symbol ${JSON.stringify(where)}`, whyWithout(vm, tables, where));
}

/**
 * Where breakpoints of a place are. The symbol of a module that is not loaded waits for it: a
 * kernel may have it later, or again.
 * @throws QueryError
 */
export function breakPlace(view: View, place: string): BreakPlace {
  const { vm = "", where = "" } = parsePlace(place) ?? {}, { symbols } = view.system;
  // KVM's part of a kernel is executed where EL2 has it.
  const atEl2 = where.startsWith(OF_EL2) ? placesNamed(symbols.ofEl2(vm), where).map(({ address }) => address) : [];
  if (atEl2.length) return { vm, addresses: atEl2 };
  const { module } = moduleSymbol(where) ?? {}, named = module === undefined ? modulesOfPlace(view, vm, where) : [module];
  if (named.length && symbols.vcpus(vm).length) {
    const tables = symbols.all(vm), line = LINE.exec(where);
    if (!placesNamed(tables, where).length && !(line && symbols.codeOf(vm, line[1], Number(line[2])).length)) {
      const [misfit] = module === undefined ? named.flatMap((name) => symbols.misfits(vm).get(name) ?? []) : [];
      if (misfit !== undefined) throw new QueryError(`${vmId(vm)} has no code for ${where}`, misfit);
      if (!tables.length || tables.some((table) => loadsAt(table) !== undefined)) return { vm, addresses: [], modules: named };
    }
  }
  const { vcpu, address, addresses = [address], modules } = codePlaces(view, place), all = modules.length ? modules : named;
  return { vm: view.vmNameOf(vcpu.addressSpace), addresses, ...all.length && { modules: all } };
}

/** The prefix of the names of Linux's code for EL2. */
const OF_EL2 = "__kvm_nvhe_";

/** The modules whose given files have a symbol or a source line, loaded or not. */
function modulesOfPlace({ system: { symbols } }: View, vm: string, where: string): string[] {
  const line = LINE.exec(where);
  return symbols.modulesWith(
    vm,
    ({ table, info }) => line ? (info?.codeOf(line[1], Number(line[2]))?.addresses.length ?? 0) > 0 : table.resolve(where) !== undefined,
  );
}

const LINE = /^(.+):(\d{1,9})$/;

/** The way out for a symbol that a VM does not have. */
function whyWithout(vm: string, tables: readonly SymbolTable[], where: string): WayOut {
  if (!tables.length) return "it has none: its kernel has no kallsyms, and no ELF file was given (--symbols)";
  const module = moduleSymbol(where)?.module;
  if (module !== undefined && !tables.some((table) => table.module?.name === module)) {
    return way`it has loaded no module ${module}: list them with ${hint("linux modules", vm)}`;
  }
  return way`list its symbols with ${hint("symbols", vm)}`;
}

/** Where the code of a source line begins. @throws QueryError without any */
function codeOfLine(view: View, vm: string, file: string, line: number): readonly bigint[] {
  const { symbols } = view.system, addresses = symbols.codeOf(vm, file, line);
  if (addresses.length) return addresses;
  throw new QueryError(
    `${vmId(vm)} has no code for ${file}:${line}`,
    [...symbols.misfits(vm).values()].join("; ") ||
      (symbols.infos(vm).length
        ? "no source file of its ELF files ends with that path, or has code there"
        : "no ELF file of it has debug information (--symbols)"),
  );
}

/**
 * The physical address of `size` bytes at `pa:ADDRESS`, `ipa:VM/ADDRESS`, or a virtual address or
 * symbol of a VM, `VM:PLACE`. Of a source line: of each piece of its code.
 * @throws QueryError
 */
export function ramAt(view: View, place: string, size: number): readonly number[] {
  const found = physicalPlaces(view, place);
  for (const pa of found) {
    if (pa % PAGE_SIZE + size > PAGE_SIZE) throw new QueryError(`${size} bytes at ${place} are in two pages`, "ask for each page");
    if (!view.hypervisor.machine.ram.contains(pa, size)) throw new QueryError(`${place} is not RAM`, "devices have registers, not memory");
  }
  return found;
}

/**
 * Bytes from `VM:SYMBOL` to the next symbol, or to the end of its page; undefined for other places.
 */
export function symbolSize(view: View, place: string): number | undefined {
  const { vm, where } = parseId(place) ? {} : parsePlace(place) ?? {};
  if (vm === undefined || where === undefined) return undefined;
  const tables = view.system.symbols.all(vm), [named] = placesNamed(tables, where);
  if (!named) return undefined;
  const page = BigInt(PAGE_SIZE), ends = tables.flatMap((table) => table.next(named.address) ?? []);
  const end = [...ends, named.address + page - named.address % page].reduce((first, one) => one < first ? one : first);
  return Number(end - named.address);
}

/**
 * A place in memory as `pa:ADDRESS` or `ipa:VM/ADDRESS`, and how many of `wanted` bytes follow each
 * other there: of a virtual address or symbol those of its page.
 * @param size of which none may be missing
 * @throws QueryError
 */
export function addressAt(view: View, place: string, size = 1, wanted = size): { readonly at: string; readonly size: number } {
  const kind = parseId(place)?.kind;
  if (kind === "pa" || kind === "ipa") return { at: place, size: wanted };
  const [pa] = physicalPlaces(view, place), left = PAGE_SIZE - pa % PAGE_SIZE;
  if (size > left) throw new QueryError(`${size} bytes at ${place} are in two pages`, "ask for each page");
  return { at: paId(pa), size: Math.min(wanted, left) };
}

function physicalPlaces(view: View, place: string): readonly number[] {
  const id = parseId(place);
  if (id?.kind === "pa" || id?.kind === "ipa") return [physical(view, place)];
  if (id?.kind !== "va" && !parsePlace(place)) {
    throw new QueryError(
      `${JSON.stringify(place)} is not memory`,
      "use pa:0x58400000, ipa:VM/0x80003000, va:VM/0xffff800080010800 or VM:SYMBOL",
    );
  }
  const { vcpu, address, addresses = [address] } = codePlace(view, id?.kind === "va" ? `${id.vm}:${hex(id.address)}` : place);
  return addresses.map((at) => {
    const found = view.system.symbols.core.questions.inspect(vcpu.registers, at);
    if (!found.ok) throw new QueryError(`${place}: ${hex(at)} is not mapped for ${view.vcpu(vcpu)} now`);
    return found.pa;
  });
}

/**
 * Instructions from a place on, up to the first unmapped one.
 * @throws QueryError if nothing is mapped
 */
export function readCode(view: View, place: string, count: number): RowOf<typeof CODE>[] {
  if (!(count > 0 && count <= MOST)) throw new QueryError(`cannot show ${count} instructions`, `use 1..${MOST}`);
  const { vcpu, address, tables } = codePlace(view, place);
  if (address % WORD) throw new QueryError(`${hex(address)} is not a multiple of 4: no instruction can be there`);
  const vm = view.vmNameOf(vcpu.addressSpace);
  const rows: RowOf<typeof CODE>[] = [];
  const { pc } = vcpu.registers;
  // Memory before the PC may be unmapped.
  let first = address;
  while (first < pc && pc - first <= FURTHEST && readWord(view, vcpu, first) === undefined) first += WORD;
  for (let at = first; rows.length < count; at = BigInt.asUintN(64, at + WORD)) {
    const word = readWord(view, vcpu, at);
    if (word === undefined) break;
    rows.push(codeRow({ vm, tables, pc }, at, word));
  }
  if (!rows.length) throw new QueryError(`${hex(address)} is not mapped, or not RAM, in ${view.vcpu(vcpu)} now`);
  return rows;
}

/** The surroundings of an instruction: its VM, its symbols, and where that executes. */
interface CodeSurroundings {
  readonly vm: string;
  readonly tables: readonly SymbolTable[];
  readonly pc: bigint | undefined;
}

/** The row of an instruction, or of a word that is data and that no vCPU is about to execute. */
export function codeRow({ vm, tables, pc }: CodeSurroundings, at: bigint, word: number): RowOf<typeof CODE> {
  const isData = at !== pc && isDataIn(tables, at);
  const text = isData ? dataText(word) : aliasText(disassemble(word, at)), [mnemonic, operands = ""] = text.split("\t");
  const branches = !isData && mnemonic !== UNDEFINED && isBranch(word);
  const address = branches ? ADDRESS.exec(operands)?.[0] : undefined;
  const target = address === undefined ? undefined : nameIn(tables, BigInt(address));
  const place = placeIn(tables, at);
  return {
    id: formatId({ kind: "va", vm, address: at }),
    address: hex(at, 16),
    symbol: place ? placeText(place) : null,
    word: hex(word, 8),
    text: text.replace("\t", " ") + (target === undefined ? "" : ` <${target}>`),
    mnemonic,
    operands: address === undefined || target === undefined ? operands : operands.slice(0, -address.length),
    target: target ?? null,
    leaves: branches && word >>> 22 !== SYSTEM,
    label: place?.offset === 0n ? place.symbol.name : null,
    pc: at === pc,
  };
}

/** A word of data, with its characters if it is text. */
function dataText(word: number): string {
  const characters = String.fromCharCode(word & 0xff, word >>> 8 & 0xff, word >>> 16 & 0xff, word >>> 24);
  return `.word\t${hex(word, 8)}${/^[ -~]+\0*$/.test(characters) ? ` ; ${JSON.stringify(characters.replace(/\0+$/, ""))}` : ""}`;
}

/** The target of a branch, at the end of its operands. */
const ADDRESS = /0x[0-9a-f]{4,16}$/;

/** The mnemonic of an unallocated encoding. */
const UNDEFINED = ".inst";
const SYSTEM = 0b11_0101_0100;
/** Branches, exception generation and system instructions: bits 28 to 26 are 101 (Arm ARM C4.1). */
const isBranch = (word: number) => (word >>> 26 & 7) === 5;

/** The instruction word at a virtual address of a vCPU; undefined if no RAM is mapped. */
export function readWord({ hypervisor, system }: View, vcpu: Vcpu, address: bigint): number | undefined {
  return wordAt(system.symbols.core, hypervisor.machine.ram, vcpu, address);
}

/** The instruction at a virtual address of a vCPU; undefined if no RAM is mapped. */
export function instructionAt(
  core: Pick<DebugCore, "questions">,
  ram: Hypervisor["machine"]["ram"],
  vcpu: Vcpu,
  address: bigint,
): string | undefined {
  const word = wordAt(core, ram, vcpu, address);
  return word === undefined ? undefined : instructionText(word, address);
}

/** The same, where there is a view. */
export function readInstruction({ hypervisor, system }: View, vcpu: Vcpu, address: bigint): string | undefined {
  return instructionAt(system.symbols.core, hypervisor.machine.ram, vcpu, address);
}
