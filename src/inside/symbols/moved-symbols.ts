// Symbols of a Linux kernel where its part of KVM executes at EL2: the code that nVHE and protected
// mode map at addresses of the hypervisor's own, all as far from the kernel's (kernel:
// arch/arm64/kvm/va_layout.c). The names begin with `__kvm_nvhe_`.

import { type GuestSymbol, type SymbolList, SymbolTable } from "./symbol-table.ts";

/** The vectors that EL2 has for its guests, and for the host. */
const VECTORS = ["__kvm_nvhe___kvm_hyp_vector", "__kvm_nvhe___kvm_hyp_host_vector"] as const;
const VECTORS_SIZE = 0x800, WORD = 4;
/** B, and its offset in words (Arm ARM C6.2.26). */
const BRANCH = 0b000101, OFFSET_BITS = 26;

/** The words at EL2's vectors; undefined where they cannot be read. */
type ReadVectors = (size: number) => DataView | undefined;

/**
 * How far EL2 has a kernel's code from where the kernel has it, by VBAR_EL2: as far as its vectors
 * are. Code of EL2 that begins there must branch to symbols only, which tells both vectors apart,
 * and a kernel's from another program's.
 */
export function movedToEl2(table: SymbolTable, vbar: bigint, read: ReadVectors): bigint | undefined {
  const known = VECTORS.flatMap((name) => table.find(name)?.address ?? []);
  if (!known.length) return undefined;
  const vectors = read(VECTORS_SIZE), targets = vectors && branchTargets(vectors, vbar);
  if (!targets?.length) return undefined;
  return known.map((address) => BigInt.asUintN(64, vbar - address)).find((moved) =>
    targets.every((target) => table.at(BigInt.asUintN(64, target - moved))?.offset === 0n)
  );
}

/** Where branches lead that leave the vectors. */
function branchTargets(words: DataView, from: bigint): bigint[] {
  const targets: bigint[] = [];
  for (let at = 0; at < words.byteLength; at += WORD) {
    const word = words.getUint32(at, true), by = at + WORD * (word << 32 - OFFSET_BITS >> 32 - OFFSET_BITS);
    if (word >>> OFFSET_BITS === BRANCH && (by < 0 || by >= words.byteLength)) targets.push(from + BigInt(by));
  }
  return targets;
}

/** The symbols of a table, moved. */
export const movedTable = (table: SymbolTable, moved: bigint): SymbolTable => new SymbolTable(new MovedSymbols(table, moved), table.source);

class MovedSymbols implements SymbolList {
  constructor(readonly table: SymbolTable, readonly moved: bigint) {}

  get length(): number {
    return this.table.size;
  }

  address(index: number): bigint {
    return this.#there(this.table.addressOf(index));
  }

  after(address: bigint): number {
    return this.table.after(BigInt.asUintN(64, address - this.moved));
  }

  isCode(index: number): boolean {
    return this.table.isCodeAt(index);
  }

  symbol(index: number): GuestSymbol {
    return this.#symbolThere(this.table.symbolAt(index));
  }

  find(name: string): GuestSymbol | undefined {
    const found = this.table.find(name);
    return found && this.#symbolThere(found);
  }

  #there(address: bigint): bigint {
    return BigInt.asUintN(64, address + this.moved);
  }

  #symbolThere(symbol: GuestSymbol): GuestSymbol {
    return { ...symbol, address: this.#there(symbol.address) };
  }
}
