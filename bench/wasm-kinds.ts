// The purposes of the bytes of modules of regions, by kind: read back from the modules, as
// sequences of instructions that the translator emits for one purpose
// (cpu/core/translator/emission).

import { CPU, KEPT_PAGES, KeptPage, Slot, TlbSet, vAddress, xAddress } from "../src/cpu/core/state/cpu-state.ts";
import { firstName, regionName } from "../src/cpu/core/translator/emission/region-module.ts";
import { LANE_OPCODES, MEMORY_OPCODES, PLAIN_OPCODES } from "../src/cpu/core/wasm/opcodes.ts";

/** Bytes by kind. */
export type Kinds = Record<string, number>;

/** Numbers of sections; modules of regions have one custom section, branch hints. */
const HINTS = 0, IMPORTS = 2, EXPORTS = 7, CODE = 10;

/** Sequences of instructions, by kind; the first that fits counts. */
const SEQUENCES: readonly (readonly [kind: string, sequence: RegExp])[] = [
  ["registers stored", /const0 get\d+ (i64|v128)\.store@register /g],
  ["registers loaded", /const0 (i64|v128)\.load@register (set|tee)\d+ /g],
  ["flags", /const0 ((?!const0 )\S+ ){1,8}?i(32|64)\.store@flags |const0 const0 i32\.store@flags /g],
  ["budget", /get1 i32\.const i32\.(sub set1|lt_s (if_unlikely|br)) /g],
  ["kept pages", /const0 i64\.load@kept (\S+ ){1,9}?if_likely get\d+ i32\.wrap_i64 const0 i32\.load@kept i32\.add (set|tee)\d+ /g],
  [
    "look-ups in the TLB",
    /i32\.wrap_i64 i32\.const i32\.shr_u i32\.const i32\.and get\d+ i32\.add i64\.load@tlb (\S+ ){5,18}?if_likely (\S+ ){6,7}i32\.add (set|tee)\d+ /g,
  ],
];

/** The part of the CPU state, or of a TLB set, that has a constant address. */
function placeOf(offset: number): string {
  const within = (start: number, end: number) => offset >= start && offset < end;
  if (within(xAddress(0), xAddress(Slot.Dump + 1)) || within(vAddress(0), vAddress(32))) return "register";
  if (within(CPU.N, CPU.C + 4) || [CPU.FLAGS_A, CPU.FLAGS_B, CPU.FLAGS_KIND].some((field) => field === offset)) return "flags";
  const isStack = offset === CPU.STACK_PAGE || offset === CPU.STACK_DISTANCE;
  if (isStack || within(CPU.KEPT_PAGES, CPU.KEPT_PAGES + KEPT_PAGES * KeptPage.Size)) return "kept";
  return offset === TlbSet.Read || offset === TlbSet.Write ? "tlb" : "other";
}

const names = new Map<string, string>();
for (const table of [PLAIN_OPCODES(), MEMORY_OPCODES(), LANE_OPCODES()]) {
  for (const [name, { code }] of table) names.set(code.join(), name);
}

/** Adds what the bytes of a module are for. */
export function addKinds(bytes: Uint8Array, kinds: Kinds): void {
  new ModuleReader(bytes, kinds).read();
}

/** An instruction as text, with its bytes. */
interface Instruction {
  readonly text: string;
  readonly bytes: number;
  /** It is in a part that is marked as unlikely. */
  readonly unlikely: boolean;
}

class ModuleReader {
  /** After the magic number and the version. */
  #at = 8;
  #imported = 0;
  readonly #exports = new Map<number, string>();
  /** By function: the hints at positions in it. */
  readonly #hints = new Map<number, ReadonlyMap<number, boolean>>();

  constructor(readonly bytes: Uint8Array, readonly kinds: Kinds) {}

  read(): void {
    this.#add("sections but code", this.#at);
    while (this.#at < this.bytes.length) {
      const start = this.#at, id = this.#byte(), size = this.#unsigned(), end = this.#at + size;
      if (id === CODE) {
        this.#add("sections but code", this.#at - start);
        this.#code();
        continue;
      }
      if (id === IMPORTS) this.#imports();
      if (id === EXPORTS) this.#readExports();
      if (id === HINTS) this.#readHints();
      this.#add(id === HINTS ? "branch hints" : "sections but code", end - start);
      this.#at = end;
    }
  }

  #add(kind: string, bytes: number): void {
    this.kinds[kind] = (this.kinds[kind] ?? 0) + bytes;
  }

  #byte(): number {
    return this.bytes[this.#at++];
  }

  #unsigned(): number {
    let value = 0, unit = 1;
    for (;; unit *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  #text(): string {
    const length = this.#unsigned();
    return new TextDecoder().decode(this.bytes.subarray(this.#at, this.#at += length));
  }

  #list<T>(item: () => T): T[] {
    return Array.from({ length: this.#unsigned() }, item);
  }

  #imports(): void {
    this.#list(() => {
      this.#text();
      this.#text();
      const kind = this.#byte();
      if (kind === 0) this.#imported++;
      // A table has a type before its limits, which both have in two numbers at most.
      const numbers = [1, 3, 3][kind];
      for (let i = 0; i < numbers; i++) this.#unsigned();
    });
  }

  #readExports(): void {
    this.#list(() => {
      const name = this.#text();
      this.#byte();
      this.#exports.set(this.#unsigned(), name);
    });
  }

  #readHints(): void {
    this.#text();
    this.#list(() => {
      const index = this.#unsigned();
      this.#hints.set(index, new Map(this.#list(() => [this.#unsigned(), (this.#byte(), this.#byte()) === 1] as const)));
    });
  }

  #code(): void {
    const count = this.#unsigned();
    for (let i = 0; i < count; i++) {
      const start = this.#at, end = this.#unsigned() + this.#at, bodyAt = this.#at, name = this.#exports.get(this.#imported + i) ?? "";
      this.#list(() => [this.#unsigned(), this.#byte()]);
      if (name.startsWith(regionName(0).slice(0, -1))) {
        this.#add("locals", this.#at - start);
        this.#classify(this.#instructions(end, bodyAt, this.#hints.get(this.#imported + i)));
      } else this.#add(name.startsWith(firstName(0).slice(0, -1)) ? "first instructions alone" : "other functions", end - start);
      this.#at = end;
    }
  }

  /** The instructions of a function that ends at `end`; hints count from `bodyAt`. */
  #instructions(end: number, bodyAt: number, hints: ReadonlyMap<number, boolean> | undefined): Instruction[] {
    const out: Instruction[] = [];
    /** For each open block whether its other part, and what follows it, are unlikely. */
    const open: { readonly otherwise: boolean; readonly after: boolean }[] = [];
    let unlikely = false;
    while (this.#at < end) {
      const start = this.#at, text = this.#instruction(hints?.get(start - bodyAt));
      out.push({ text, bytes: this.#at - start, unlikely });
      if (/^(block|loop|if)/.test(text)) {
        open.push({ otherwise: unlikely || text === "if_likely", after: unlikely });
        unlikely ||= text === "if_unlikely";
      } else if (text === "else") unlikely = open[open.length - 1].otherwise;
      else if (text === "end") unlikely = open.pop()?.after ?? false;
    }
    return out;
  }

  #instruction(hint: boolean | undefined): string {
    const opcode = this.#byte();
    switch (opcode) {
      case 0x02:
      case 0x03:
        this.#unsigned();
        return opcode === 2 ? "block" : "loop";
      case 0x04:
        this.#unsigned();
        return hint === undefined ? "if" : hint ? "if_likely" : "if_unlikely";
      case 0x05:
        return "else";
      case 0x0b:
        return "end";
      case 0x0c:
      case 0x0d:
      case 0x10:
      case 0x12:
        this.#unsigned();
        return opcode < 0x10 ? "br" : "call";
      case 0x0e:
        this.#list(() => this.#unsigned());
        this.#unsigned();
        return "br_table";
      case 0x11:
        this.#unsigned();
        this.#unsigned();
        return "call_indirect";
      case 0x20:
      case 0x21:
      case 0x22:
        return `${["get", "set", "tee"][opcode - 0x20]}${this.#unsigned()}`;
      case 0x41:
      case 0x42: {
        const value = this.#unsigned();
        return opcode === 0x41 ? value === 0 ? "const0" : "i32.const" : "i64.const";
      }
      case 0x43:
      case 0x44:
        this.#at += opcode === 0x43 ? 4 : 8;
        return "float.const";
    }
    return this.#named(opcode);
  }

  /** An instruction of the assembler's tables. */
  #named(opcode: number): string {
    const start = this.#at;
    const code = opcode < 0xfc ? [opcode] : (this.#unsigned(), [opcode, ...this.bytes.subarray(start, this.#at)]);
    // v128.const and i8x16.shuffle.
    if (opcode === 0xfd && (code[1] === 12 || code[1] === 13) && code.length === 2) {
      this.#at += 16;
      return "v128.const";
    }
    const name = names.get(code.join());
    if (!name) throw new Error(`no instruction ${code.join(" ")}`);
    if (/lane/.test(name)) this.#byte();
    if (!MEMORY_OPCODES().has(name)) return name;
    this.#byte();
    return `${name}@${placeOf(this.#unsigned())}`;
  }

  #classify(instructions: readonly Instruction[]): void {
    const text = instructions.map((instruction) => `${instruction.text} `).join(""),
      claimed: boolean[] = [],
      starts = new Map<number, number>();
    let at = 0;
    instructions.forEach(({ text }, i) => {
      starts.set(at, i);
      at += text.length + 1;
    });
    starts.set(at, instructions.length);
    const claim = (kind: string, from: number, to: number) => {
      for (let i = from; i < to; i++) {
        if (claimed[i]) continue;
        claimed[i] = true;
        this.#add(instructions[i].unlikely ? "unlikely parts" : kind, instructions[i].bytes);
      }
    };
    for (const [kind, sequence] of SEQUENCES) {
      for (const match of text.matchAll(sequence)) {
        const from = starts.get(match.index), to = starts.get(match.index + match[0].length);
        if (from !== undefined && to !== undefined) claim(kind, from, to);
      }
    }
    claim("the rest: what instructions do, ways", 0, instructions.length);
  }
}
