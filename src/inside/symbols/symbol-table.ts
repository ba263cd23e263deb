// Names of a guest's addresses, and back.

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
}

/** A place after a symbol. */
export interface SymbolPlace {
  readonly symbol: GuestSymbol;
  /** Bytes after it. */
  readonly offset: bigint;
}

/** `cpu_do_idle+0x14`; at the start of a symbol its name. */
export function placeText({ symbol: { name }, offset }: SymbolPlace): string {
  return offset === 0n ? name : `${name}+0x${offset.toString(16)}`;
}

/** Whether a symbol's type is that of code. */
export const isCode = (type: string): boolean => "TtWw".includes(type);

/** How far after a symbol an address may be to be named after it, unless another symbol ends it. */
const REACH = BigInt(MiB);
/** Symbols for compilers and debuggers, which mean nothing to readers. */
const DOLLAR = "$".charCodeAt(0);
const MAPPING = /^\$[xd](\.|$)/;

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
}

/** The first index of a list for which something is true that is true for all after it. */
export function firstIndex(length: number, isTrue: (index: number) => boolean): number {
  let low = 0, high = length;
  while (low < high) {
    const middle = low + high >> 1;
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Symbols that were made before. */
class MadeSymbols implements SymbolList {
  readonly #symbols: readonly GuestSymbol[];
  readonly #byName = new Map<string, GuestSymbol>();

  constructor(symbols: Iterable<GuestSymbol>) {
    const named = [...symbols].filter(({ name }) => name !== "" && !(name.charCodeAt(0) === DOLLAR && MAPPING.test(name)));
    this.#symbols = named.sort((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
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
}

/** Symbols by address and by name. */
export class SymbolTable {
  readonly #list: SymbolList;
  #all: readonly GuestSymbol[] | undefined;

  /** @param source where they are from, for display: `vmlinux`, `kallsyms of Linux` */
  constructor(symbols: Iterable<GuestSymbol> | SymbolList, readonly source: string) {
    this.#list = Symbol.iterator in symbols ? new MadeSymbols(symbols) : symbols;
  }

  get size(): number {
    return this.#list.length;
  }

  /** All, in the order of the list: a kernel's are many, and made when they are first asked for. */
  get symbols(): readonly GuestSymbol[] {
    return this.#all ??= Array.from({ length: this.size }, (_, index) => this.#list.symbol(index));
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
    const index = this.#list.after(address) - 1;
    if (index < 0) return undefined;
    const start = this.#list.address(index);
    if (address - start >= REACH) return undefined;
    return { symbol: this.#list.symbol(this.#list.after(start - 1n)), offset: address - start };
  }

  /** Address of the first symbol after an address. */
  next(address: bigint): bigint | undefined {
    const index = this.#list.after(address);
    return index < this.size ? this.#list.address(index) : undefined;
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
