// The unicorn CPU emulator (libunicorn 2, unicorn/unicorn.h and unicorn/arm64.h) through FFI: the
// oracle of the instruction set. It executes at EL1 with the MMU off; registers and vectors travel
// in one block of memory, a call each way.

import { unicornLibrary } from "../support/oracles.ts";

const SYMBOLS = {
  uc_version: { parameters: ["pointer", "pointer"], result: "u32" },
  uc_open: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  uc_close: { parameters: ["pointer"], result: "i32" },
  // Variadic in C; integers travel the same way on x86-64 and arm64 Linux.
  uc_ctl: { parameters: ["pointer", "u32", "u64", "u64"], result: "i32" },
  uc_mem_map_ptr: { parameters: ["pointer", "u64", "usize", "u32", "buffer"], result: "i32" },
  uc_reg_write_batch: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
  uc_reg_write: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
  uc_reg_read_batch: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
  uc_emu_start: { parameters: ["pointer", "u64", "u64", "u64", "usize"], result: "i32" },
} as const;

const UC_ARCH_ARM64 = 2;
const UC_MODE_ARM = 0;
const UC_PROT_ALL = 7;
/** UC_CTL_WRITE(UC_CTL_CPU_MODEL, 1). */
const UC_CTL_SET_CPU_MODEL = (7 | 1 << 26 | 1 << 30) >>> 0;
const UC_CPU_ARM64_MAX = 3n;
/** UC_CTL_WRITE(UC_CTL_TB_REMOVE_CACHE, 2). */
const UC_CTL_REMOVE_CACHE = (9 | 2 << 26 | 1 << 30) >>> 0;

/** An address that is never reached: runs end by their count. */
const NO_END = 0xffff_ffff_fffcn;

/** Names of uc_err that a single instruction can give. */
const ERRORS: Record<number, string> = {
  6: "read of unmapped memory",
  7: "write to unmapped memory",
  8: "fetch from unmapped memory",
  10: "undefined instruction",
  12: "write to protected memory",
  13: "read of protected memory",
  14: "fetch from protected memory",
  19: "unaligned read",
  20: "unaligned write",
  21: "unhandled exception",
};

/** Numbers of enum uc_arm64_reg, in the order of `Registers`. */
const REGISTER_IDS = [
  ...Array.from({ length: 29 }, (_, index) => 199 + index), // X0..X28
  ...[1, 2], // X29, X30
  4, // SP
  260, // PC
  3, // NZCV
  291, // FPCR
  292, // FPSR
  ...Array.from({ length: 32 }, (_, index) => 104 + index), // Q0..Q31
];

/** UC_ARM64_REG_CP_REG: a system register by its encoding (uc_arm64_cp_reg). */
const SYSTEM_REGISTER = 290;

/** Registers of one processor as a block of 64-bit little-endian words. */
export class Registers {
  /** Word index of each register. */
  static readonly SP = 31;
  static readonly PC = 32;
  static readonly NZCV = 33;
  static readonly FPCR = 34;
  static readonly FPSR = 35;
  /** Two words a vector, low half first. */
  static readonly V = 36;
  static readonly WORDS = 36 + 64;

  readonly words: BigUint64Array<ArrayBuffer> = new BigUint64Array(Registers.WORDS);
  /** The same words in halves, low half first: numbers are much faster than bigints. */
  readonly halves: Uint32Array<ArrayBuffer> = new Uint32Array(this.words.buffer);

  /** Whether all registers are the same. */
  equals(other: Registers): boolean {
    const { halves } = this, theirs = other.halves;
    for (let index = 0; index < halves.length; index++) if (halves[index] !== theirs[index]) return false;
    return true;
  }

  /** Name of the register that word `index` belongs to. */
  static nameOf(index: number): string {
    if (index < 31) return `X${index}`;
    if (index < Registers.V) return ["SP", "PC", "NZCV", "FPCR", "FPSR"][index - 31];
    const vector = index - Registers.V;
    return `V${vector >> 1}.D[${vector & 1}]`;
  }
}

/** One unicorn processor. */
export class Unicorn implements Disposable {
  readonly registers = new Registers();
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #engine: Deno.PointerObject;
  readonly #ids = new Int32Array(REGISTER_IDS);
  /** Addresses of the words that hold each register. */
  readonly #places: BigUint64Array<ArrayBuffer>;
  /** Mapped memory must stay where it is. */
  readonly #mapped: Uint8Array[] = [];

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
    const handle = new BigUint64Array(1);
    check("uc_open", library.symbols.uc_open(UC_ARCH_ARM64, UC_MODE_ARM, handle));
    const engine = Deno.UnsafePointer.create(handle[0]);
    if (!engine) throw new Error("uc_open gave no engine");
    this.#engine = engine;
    check("uc_ctl", library.symbols.uc_ctl(engine, UC_CTL_SET_CPU_MODEL, UC_CPU_ARM64_MAX, 0n));
    const base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.registers.words));
    const offset = (index: number) => 8 * (index < Registers.V ? index : Registers.V + 2 * (index - Registers.V));
    this.#places = new BigUint64Array(REGISTER_IDS.map((_, index) => base + BigInt(offset(index))));
  }

  /** A processor with all that unicorn knows of Armv8. */
  static async open(): Promise<Unicorn> {
    return new Unicorn(Deno.dlopen(await unicornLibrary(), SYMBOLS));
  }

  /** Version, such as 2.0. */
  get version(): string {
    const version = this.#library.symbols.uc_version(null, null);
    return `${version >>> 24}.${(version >>> 16) & 0xff}`;
  }

  /**
   * Makes `bytes` the memory at `address`; both are whole pages, and el2 and tests may continue to
   * use `bytes`.
   */
  map(address: number, bytes: Uint8Array<ArrayBuffer>): void {
    check("uc_mem_map_ptr", this.#library.symbols.uc_mem_map_ptr(this.#engine, BigInt(address), BigInt(bytes.length), UC_PROT_ALL, bytes));
    this.#mapped.push(bytes);
  }

  /** Forgets what was translated of `size` bytes at `address`, because they were written. */
  codeWritten(address: number, size: number): void {
    check("uc_ctl", this.#library.symbols.uc_ctl(this.#engine, UC_CTL_REMOVE_CACHE, BigInt(address), BigInt(address + size)));
  }

  /** Writes a system register, whichever level may. */
  setSystemRegister([op0, op1, crn, crm, op2]: readonly [number, number, number, number, number], value: bigint): void {
    const register = new Uint32Array(8);
    register.set([crn, crm, op0, op1, op2]);
    new BigUint64Array(register.buffer)[3] = value;
    check("uc_reg_write", this.#library.symbols.uc_reg_write(this.#engine, SYSTEM_REGISTER, register));
  }

  /**
   * Executes `count` instructions from `registers` on and leaves the result there.
   * @returns undefined, or what stopped it.
   */
  run(count: number): string | undefined {
    const { uc_reg_write_batch, uc_emu_start, uc_reg_read_batch } = this.#library.symbols;
    check("uc_reg_write_batch", uc_reg_write_batch(this.#engine, this.#ids, this.#places, this.#ids.length));
    const error = uc_emu_start(this.#engine, this.registers.words[Registers.PC], NO_END, 0n, BigInt(count));
    check("uc_reg_read_batch", uc_reg_read_batch(this.#engine, this.#ids, this.#places, this.#ids.length));
    return error === 0 ? undefined : ERRORS[error] ?? `error ${error}`;
  }

  [Symbol.dispose](): void {
    check("uc_close", this.#library.symbols.uc_close(this.#engine));
    this.#library.close();
  }
}

function check(call: string, error: number): void {
  if (error !== 0) throw new Error(`${call}: unicorn error ${error}`);
}
