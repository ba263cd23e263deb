// Breakpoints of a debugger: which addresses stop, and which decoded instructions have to look.
// Guest memory stays as it is, and code without a breakpoint runs as if there were none: a decoded
// instruction is marked when its page is entered at the virtual page of a breakpoint. A mark
// belongs to physical memory, where other addresses may lead as well, so a marked one asks here
// whether this address stops. Instructions in memory can also stop, whatever address leads to
// them. Arm ARM D2.9 has the semantics of the hardware's breakpoints: a virtual address, before the
// instruction.

import { addressKey } from "../../../kit/support/values/address-key.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The addresses where code stops, by tables of stage 2 (a VM) and virtual address. */
export class Breakpoints {
  /** Breakpoints that are set. */
  readonly #wanted = new Set<string>();
  /**
   * Addresses whose decoded instructions are marked when they are entered, by VM and `pageKey`;
   * more than are wanted, so that setting one again costs nothing.
   */
  readonly #watched = new Map<number, Map<number, Set<bigint>>>();

  /** The instructions in the Wasm memory that stop by any address. */
  inMemory: readonly number[] = [];

  /** Whether entering a page matters to anybody. */
  get watching(): boolean {
    return this.#watched.size > 0 || this.inMemory.length > 0;
  }

  /**
   * Addresses at which the guest's own comparators stop it, or that are observed, with the number
   * of comparators and observers.
   */
  readonly #held = new Map<string, number>();

  /**
   * Sets a breakpoint. True when its page may have been entered without looking: translations of
   * fetches have to go.
   */
  insert(stage2: number, address: bigint): boolean {
    this.#wanted.add(key(stage2, address));
    return this.#watch(stage2, address);
  }

  /** A comparator or observer is for this address: `insert` that stops no debugger. */
  hold(stage2: number, address: bigint): boolean {
    const at = key(stage2, address);
    this.#held.set(at, (this.#held.get(at) ?? 0) + 1);
    return this.#watch(stage2, address);
  }

  /** The end of `hold`. */
  drop(stage2: number, address: bigint): void {
    const at = key(stage2, address), count = this.#held.get(at) ?? 0;
    if (count > 1) this.#held.set(at, count - 1);
    else this.#held.delete(at);
  }

  #watch(stage2: number, address: bigint): boolean {
    const page = pageKey(address), pages = this.#watched.get(stage2) ?? new Map<number, Set<bigint>>();
    const addresses = pages.get(page) ?? new Set();
    this.#watched.set(stage2, pages.set(page, addresses));
    const fresh = !addresses.has(address);
    addresses.add(address);
    return fresh;
  }

  /** Removes a breakpoint. Its mark stays until execution finds it unused (`forget`). */
  remove(stage2: number, address: bigint): void {
    this.#wanted.delete(key(stage2, address));
  }

  /** Whether execution stops before the instruction at an address. */
  has(stage2: number, address: bigint): boolean {
    return this.#wanted.size > 0 && this.#wanted.has(key(stage2, address));
  }

  /**
   * Removes the mark of an address that was reached and where nothing stops. False when there was
   * no mark.
   */
  forget(stage2: number, address: bigint): boolean {
    if (this.#held.has(key(stage2, address))) return false;
    const page = pageKey(address), pages = this.#watched.get(stage2), addresses = pages?.get(page);
    if (!pages || !addresses?.delete(address)) return false;
    if (!addresses.size) pages.delete(page);
    if (!pages.size) this.#watched.delete(stage2);
    return true;
  }

  /** Whether any instruction of a page has to be marked. */
  isIn(stage2: number, va: bigint, wasmAddress: number): boolean {
    if (this.#watched.get(stage2)?.has(pageKey(va))) return true;
    return this.inMemory.some((one) => one >= wasmAddress && one < wasmAddress + PAGE_SIZE);
  }

  /**
   * Offsets in a page whose decoded instructions have to be marked, by its virtual address and its
   * place in the Wasm memory.
   */
  *offsets(stage2: number, va: bigint, wasmAddress: number): Iterable<number> {
    for (const one of this.inMemory) if (one >= wasmAddress && one < wasmAddress + PAGE_SIZE) yield one - wasmAddress;
    for (const address of this.#watched.get(stage2)?.get(pageKey(va)) ?? []) yield addressKey(address) % PAGE_SIZE;
  }
}

/** The page of an address as a key. Pages that share one are marked together, which is harmless. */
function pageKey(address: bigint): number {
  const at = addressKey(address);
  return at - at % PAGE_SIZE;
}

const key = (stage2: number, address: bigint) => `${stage2}:${address.toString(16)}`;
