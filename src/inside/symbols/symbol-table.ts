// Names of a guest's addresses, and back.

import { firstIndex } from "../../kit/support/values/in-order.ts";
import { MiB } from "../../kit/support/values/sizes.ts";

/** One symbol, from an ELF file or a kernel's own table. */
export interface GuestSymbol {
  readonly name: string;
  /** Virtual address, 64 bits. */
  readonly address: bigint;
  /**
   * Type letter as `nm` prints it: `T`, `t` code, `D`, `d`, `B`, `b`, `R`, `r` data, `A` absolute,
   * `W` weak.
   */
  readonly type: string;
  /** The kernel's module that it is in. */
  readonly module?: string;
}

/** Memory of a module: addresses from `start` to before `end`. */
export interface ModulePart {
  readonly start: bigint;
  readonly end: bigint;
}

/** A module of a kernel: outside of its memory it names nothing. */
export interface ModuleBounds {
  readonly name: string;
  readonly parts: readonly ModulePart[];
}

/** The part that has an address. */
export const partAt = (parts: readonly ModulePart[], address: bigint): ModulePart | undefined =>
  parts.find(({ start, end }) => address >= start && address < end);

/** A place after a symbol. */
export interface SymbolPlace {
  readonly symbol: GuestSymbol;
  /** Bytes after it. */
  readonly offset: bigint;
}

/**
 * `cpu_do_idle+0x14`; at the start of a symbol its name; in a module as Linux prints it,
 * `name+0x14 [module]`.
 */
export function placeText({ symbol: { name, module }, offset }: SymbolPlace): string {
  return inModule(offset === 0n ? name : `${name}+0x${offset.toString(16)}`, module);
}

/** The name of a symbol with its module, which tells it from that of another one. */
export const nameWithModule = ({ name, module }: GuestSymbol): string => inModule(name, module);

const inModule = (text: string, module: string | undefined) => module === undefined ? text : `${text} [${module}]`;

/** Whether a symbol's type is that of code. */
export const isCode = (type: string): boolean => "TtWw".includes(type);

/** How far after a symbol an address may be to be named after it, unless another symbol ends it. */
const REACH = BigInt(MiB);
/** The linker's symbol after all of a program, such as a kernel, near which its modules may be. */
const END = "_end";
/** Symbols for compilers and debuggers, which mean nothing to readers. */
const DOLLAR = "$".charCodeAt(0);
const MAPPING = /^\$[xd](\.|$)/;
/** Type letters of data. */
const DATA = "DdBbRr";

/** Symbols in the order of addresses; of equal ones in the order they came in. */
export interface SymbolList {
  readonly length: number;
  address(index: number): bigint;
  /** Index of the first symbol after an address. */
  after(address: bigint): number;
  /** Whether it is one of code. */
  isCode(index: number): boolean;
  symbol(index: number): GuestSymbol;
  /** The symbol of this name; of several the lowest. */
  find(name: string): GuestSymbol | undefined;
  /** Whether the assembler has marked what is at an address as data; undefined without marks. */
  isMarkedData?(address: bigint): boolean | undefined;
}

/** Symbols that were made before. */
class MadeSymbols implements SymbolList {
  readonly #symbols: readonly GuestSymbol[];
  /** Mapping symbols (ELF for the Arm 64-bit Architecture, 5.5.5). */
  readonly #marks: readonly GuestSymbol[];
  readonly #byName = new Map<string, GuestSymbol>();

  constructor(symbols: Iterable<GuestSymbol>) {
    const named: GuestSymbol[] = [], marks: GuestSymbol[] = [];
    for (const symbol of symbols) {
      const { name } = symbol;
      if (name.charCodeAt(0) === DOLLAR && MAPPING.test(name)) marks.push(symbol);
      else if (name !== "") named.push(symbol);
    }
    this.#symbols = named.sort(byAddress);
    this.#marks = marks.sort(byAddress);
    for (const symbol of this.#symbols) if (!this.#byName.has(symbol.name)) this.#byName.set(symbol.name, symbol);
  }

  get length(): number {
    return this.#symbols.length;
  }

  address(index: number): bigint {
    return this.#symbols[index].address;
  }

  after(address: bigint): number {
    const symbols = this.#symbols;
    return firstIndex(symbols.length, (index) => symbols[index].address > address);
  }

  isCode(index: number): boolean {
    return isCode(this.#symbols[index].type);
  }

  symbol(index: number): GuestSymbol {
    return this.#symbols[index];
  }

  find(name: string): GuestSymbol | undefined {
    return this.#byName.get(name);
  }

  isMarkedData(address: bigint): boolean | undefined {
    const marks = this.#marks, index = firstIndex(marks.length, (index) => marks[index].address > address) - 1;
    return index < 0 ? undefined : marks[index].name[1] === "d";
  }
}

const byAddress = (a: GuestSymbol, b: GuestSymbol): number => a.address < b.address ? -1 : a.address > b.address ? 1 : 0;

/** Symbols by address and by name. */
export class SymbolTable {
  readonly #list: SymbolList;
  #all: readonly GuestSymbol[] | undefined;
  #ended: boolean | undefined;

  /**
   * @param source where they are from, for display: `vmlinux`, `kallsyms of Linux`
   * @param module the one that they are of
   */
  constructor(symbols: Iterable<GuestSymbol> | SymbolList, readonly source: string, readonly module?: ModuleBounds) {
    this.#list = Symbol.iterator in symbols ? new MadeSymbols(symbols) : symbols;
  }

  get size(): number {
    return this.#list.length;
  }

  /** All, in the order of the list: a kernel's are many, and made when they are first asked for. */
  get symbols(): readonly GuestSymbol[] {
    return this.#all ??= Array.from({ length: this.size }, (_, index) => this.#list.symbol(index));
  }

  /** Index of the first symbol after an address. */
  after(address: bigint): number {
    return this.#list.after(address);
  }

  addressOf(index: number): bigint {
    return this.#list.address(index);
  }

  /** Whether a symbol is one of code. */
  isCodeAt(index: number): boolean {
    return this.#list.isCode(index);
  }

  symbolAt(index: number): GuestSymbol {
    return this.#list.symbol(index);
  }

  find(name: string): GuestSymbol | undefined {
    return this.#list.find(name);
  }

  /** The symbol that an address belongs to: the first of those at the highest address below it. */
  at(address: bigint): SymbolPlace | undefined {
    const part = this.#partAt(address);
    if (this.module && !part) return undefined;
    const index = this.#list.after(address) - 1;
    if (index < 0) return undefined;
    const start = this.#list.address(index);
    if (address - start >= REACH || part && start < part.start || address > start && index === this.size - 1 && this.#isEnded) {
      return undefined;
    }
    return { symbol: this.#list.symbol(this.#list.after(start - 1n)), offset: address - start };
  }

  /** Whether an address has data: by the assembler's marks, or else by its symbol. */
  isData(address: bigint): boolean {
    const place = this.at(address);
    return place !== undefined && (this.#list.isMarkedData?.(address) ?? DATA.includes(place.symbol.type));
  }

  /** Whether a program ends with the last symbol: what follows is something else. */
  get #isEnded(): boolean {
    return this.#ended ??= this.#findEnd();
  }

  #findEnd(): boolean {
    const last = this.#list.address(this.size - 1);
    for (let at = this.size - 1; at >= 0 && this.#list.address(at) === last; at--) if (this.#list.symbol(at).name === END) return true;
    return false;
  }

  /** Address of the first symbol after an address, or of the end of the module's memory there. */
  next(address: bigint): bigint | undefined {
    const index = this.#list.after(address), end = this.#partAt(address)?.end;
    const next = index < this.size ? this.#list.address(index) : undefined;
    return end !== undefined && (next === undefined || next > end) ? end : next;
  }

  #partAt(address: bigint): ModulePart | undefined {
    return this.module && partAt(this.module.parts, address);
  }

  /** `cpu_do_idle+0x14`; undefined if no symbol is near. */
  nameOf(address: bigint): string | undefined {
    const place = this.at(address);
    return place && placeText(place);
  }

  /** The address that `NAME` or `NAME+0xOFFSET` means. */
  resolve(text: string): bigint | undefined {
    const whole = this.find(text);
    if (whole) return whole.address;
    const match = /^(.+)\+(0x[0-9a-f]+|\d+)$/i.exec(text);
    const symbol = match && this.find(match[1]);
    return symbol ? symbol.address + BigInt(match[2]) : undefined;
  }
}

/** A place with a name. */
export interface NamedPlace {
  readonly address: bigint;
  /** The kernel's module that has it. */
  readonly module?: string | undefined;
}

/** `MODULE:SYMBOL`. File names of modules have `-` where the kernel has `_`. */
const OF_MODULE = /^([\w-]+):([^:].*)$/;

/** The module and the symbol of `MODULE:SYMBOL`; undefined for other places. */
export function moduleSymbol(text: string): { readonly module: string; readonly symbol: string } | undefined {
  const [, module, symbol] = OF_MODULE.exec(text) ?? [];
  return module === undefined || /^\d+$/.test(symbol) ? undefined : { module: module.replaceAll("-", "_"), symbol };
}

/**
 * The places that `SYMBOL`, `SYMBOL+0xOFFSET` or `MODULE:SYMBOL` means: the symbol of the first
 * table that has it, or else, of a kernel's modules, one in each that has it.
 */
export function placesNamed(tables: readonly SymbolTable[], text: string): NamedPlace[] {
  const of = moduleSymbol(text), found: NamedPlace[] = [];
  for (const table of tables) {
    const module = table.module?.name, wanted = of && module === of.module ? of.symbol : text, address = table.resolve(wanted);
    if (address === undefined) continue;
    if (module === undefined) return [{ address }];
    found.push({ address, module });
  }
  return found;
}
