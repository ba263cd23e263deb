// Call frames from a function's instructions, where no file describes them: SP, frame pointer and
// saved registers are followed from the function's first instruction over its branches, as
// compilers and Linux's exception entry use them (A64 encodings: Arm ARM C4.1; calls: AAPCS64 6.1).

import { FrameRegister, type FrameRow, type FrameRule, sameRule } from "../../kit/formats/dwarf/frames.ts";

/** Contiguous instructions. */
export interface CodePiece {
  readonly start: bigint;
  readonly words: Uint32Array;
}

/** Rules from one address on, up to that of the next. */
export interface CodeRow {
  readonly start: bigint;
  /** Undefined if only the frame pointer can tell. */
  readonly row: FrameRow | undefined;
}

/** Number of PC in call frame information (DWARF for the Arm 64-bit Architecture, section 4.1). */
const PC_COLUMN = 32;

/**
 * Values that are followed: the number of a register means what it had when the function began. An
 * address at a known distance from the CFA is `CFA` plus the distance.
 */
const Value = {
  Unknown: -1,
  Elr: 40,
  /** SP of EL0 in an exception from EL0; in EL1, Linux keeps the current task there. */
  SpEl0: 41,
  /** In the same stack, but nobody knows where: a variable amount was reserved. */
  Below: 42,
  Cfa: 1 << 24,
} as const;
/** Frames larger than this are not followed. */
const FRAME_MAX = 1 << 20;
const { SP, X29, X30 } = FrameRegister;
/** Functions keep the registers from here on for their callers; calls lose those below. */
const FIRST_SAVED = 19;
/** Registers are saved at multiples of this. */
const WORD = 8;

const isStack = (value: number) => value > Value.Cfa - FRAME_MAX;
/** Not above the CFA. */
const isBelow = (value: number) => isStack(value) && value <= Value.Cfa;
const inStack = (value: number) => value === Value.Below || isStack(value);

/** Registers, and words of the stack by their distance from the CFA. */
class State {
  /** Whether something has changed that rules depend on. */
  changed = true;

  constructor(readonly registers: Int32Array, readonly slots: Map<number, number>) {}

  static atEntry(): State {
    const registers = Int32Array.from({ length: SP + 1 }, (_, number) => number);
    registers[SP] = Value.Cfa;
    return new State(registers, new Map());
  }

  copy(): State {
    return new State(this.registers.slice(), new Map(this.slots));
  }

  /** A value that an instruction gives a general register; 31 is the zero register. */
  set(register: number, value: number): void {
    if (register !== SP) this.setOrSp(register, value);
  }

  /** The same, where 31 is SP. */
  setOrSp(register: number, value: number): void {
    const before = this.registers[register];
    if (before === value) return;
    this.changed ||= register >= X29 || follows(before) || follows(value);
    this.registers[register] = value;
    // An exception may overwrite what is below SP.
    if (register !== SP || !isStack(value)) return;
    for (const offset of this.slots.keys()) if (offset < value - Value.Cfa) this.slots.delete(offset);
  }

  store(base: number, offset: number, register: number): void {
    const at = this.registers[base] + offset;
    if (!isStack(this.registers[base])) return;
    const value = register === SP ? Value.Unknown : this.registers[register];
    if (value === Value.Unknown || value === Value.Below) this.changed = this.slots.delete(at - Value.Cfa) || this.changed;
    else {
      this.slots.set(at - Value.Cfa, value);
      this.changed = true;
    }
  }

  load(base: number, offset: number): number {
    if (!isStack(this.registers[base])) return Value.Unknown;
    return this.slots.get(this.registers[base] + offset - Value.Cfa) ?? Value.Unknown;
  }

  /** Adds to a base register, as indexed accesses do. */
  move(base: number, by: number): void {
    this.setOrSp(base, moved(this.registers[base], by));
  }

  /** Where a callee has run. */
  afterCall(): void {
    this.registers.fill(Value.Unknown, 0, FIRST_SAVED);
    this.registers[X30] = Value.Unknown;
    this.changed = true;
  }

  /** Whether a return from here leads to the caller. */
  get canReturn(): boolean {
    return this.registers[X30] === X30 && this.registers[SP] === Value.Cfa;
  }
}

/** Whether rules depend on where a value is. */
const follows = (value: number) => value >= FIRST_SAVED && value <= X30 || value === Value.Elr;
const moved = (value: number, by: number) => isStack(value) ? value + by : value === Value.Below ? value : Value.Unknown;

/** How an instruction continues. */
type Flow = "next" | "call" | "end" | "indirect" | "return" | { readonly target: number; readonly falls: boolean };

/** Rules at an instruction, before it is known whether the function returns. */
interface FoundRules {
  readonly row: FrameRow;
  /** The return address is still in X30. */
  readonly inLink: boolean;
}

/**
 * The rules of a function's instructions. The first piece begins with the function's entry; others
 * are parts of it that were put elsewhere.
 */
export class FrameAnalysis {
  readonly #words: Uint32Array;
  /** Where each piece begins among the words, and after the last. */
  readonly #starts: readonly number[];
  readonly #found: (FoundRules | null | undefined)[];
  /** States after calls: as a callee may not return, other ways to an instruction count more. */
  readonly #late: (State | undefined)[];
  #firstLate = 0;
  #returns = false;
  /** State at a jump to an unknown place, or else at the first call. */
  #atJump: State | undefined;
  #atCall: State | undefined;

  constructor(readonly pieces: readonly CodePiece[]) {
    let size = 0;
    const starts = [size];
    for (const { words } of pieces) starts.push(size += words.length);
    this.#starts = starts;
    this.#words = pieces.length === 1 ? pieces[0].words : new Uint32Array(size);
    if (pieces.length > 1) pieces.forEach(({ words }, index) => this.#words.set(words, starts[index]));
    this.#found = new Array(size).fill(undefined);
    this.#late = new Array(size).fill(undefined);
    this.#run();
  }

  #run(): void {
    this.#from(0, State.atEntry());
    this.#runLate();
    // Targets of a table of jumps, or of instructions that are patched at run time.
    const guess = this.#atJump ?? this.#atCall;
    if (!guess) return;
    for (let index = 0; index < this.#found.length; index++) {
      if (this.#found[index] !== undefined) continue;
      this.#from(index, guess.copy());
      this.#runLate();
    }
  }

  /** The rules at an address in the last piece; undefined if only the frame pointer can tell. */
  at(address: bigint): FrameRow | undefined {
    const piece = this.pieces.length - 1;
    return this.#rowOf(this.#found[this.#starts[piece] + Number(address - this.pieces[piece].start >> 2n)]);
  }

  #rowOf(found: FoundRules | null | undefined): FrameRow | undefined {
    return found && (!found.inLink || this.#returns) ? found.row : undefined;
  }

  rows(): CodeRow[] {
    const rows: CodeRow[] = [];
    this.pieces.forEach(({ start, words }, piece) => {
      let last: FoundRules | null | undefined, lastRow: FrameRow | undefined;
      for (let index = 0; index < words.length; index++) {
        const found = this.#found[this.#starts[piece] + index] ?? null;
        if (index > 0 && found === last) continue;
        last = found;
        const row = this.#rowOf(found);
        if (index === 0 || !sameRules(row, lastRow)) rows.push({ start: start + 4n * BigInt(index), row });
        lastRow = row;
      }
    });
    return rows;
  }

  #runLate(): void {
    while (this.#firstLate < this.#late.length) {
      const index = this.#firstLate++, state = this.#late[index];
      if (!state) continue;
      this.#late[index] = undefined;
      this.#from(index, state);
    }
  }

  /** Follows an instruction and all that it leads to, but for what comes after calls. */
  #from(first: number, state: State): void {
    const pending: [index: number, state: State][] = [[first, state]];
    for (let next = pending.pop(); next; next = pending.pop()) {
      let [index, state] = next;
      let known: FoundRules | null = null;
      state.changed = true;
      while (index < this.#found.length && this.#found[index] === undefined) {
        const word = this.#words[index];
        if (state.changed) {
          known = rulesOf(state) ?? null;
          state.changed = false;
        }
        const flow = step(word, this.#words[index - 1] ?? 0, state);
        const calls = flow === "call";
        // A call replaces X30: after it, the return address must be elsewhere.
        this.#found[index] = calls && known?.inLink ? null : known;
        if (flow === "return") this.#returns ||= state.canReturn;
        if (flow === "indirect") {
          if (state.canReturn) this.#returns = true;
          else this.#atJump ??= state.copy();
        }
        if (flow === "end" || flow === "return" || flow === "indirect") break;
        const after = this.#after(index);
        if (flow === "call") {
          this.#atCall ??= state.copy();
          if (after !== undefined && this.#found[after] === undefined) {
            this.#late[after] ??= state;
            this.#firstLate = Math.min(this.#firstLate, after);
          }
          break;
        }
        if (typeof flow === "object") {
          const target = this.#indexOf(index, flow.target);
          if (target === undefined) this.#returns ||= state.canReturn;
          else if (this.#found[target] === undefined) pending.push([target, flow.falls ? state.copy() : state]);
          if (!flow.falls) break;
        }
        if (after === undefined) break;
        index = after;
      }
    }
  }

  /** The next instruction, unless the piece ends. */
  #after(index: number): number | undefined {
    const next = index + 1;
    if (next === this.#found.length) return undefined;
    return this.#starts.length > 2 && this.#starts.includes(next) ? undefined : next;
  }

  /** Where a branch leads to; undefined: out of the function. */
  #indexOf(index: number, by: number): number | undefined {
    const from = this.#starts.findLastIndex((start) => start <= index);
    const target = this.pieces[from].start + 4n * BigInt(index - this.#starts[from] + by);
    for (const [piece, { start, words }] of this.pieces.entries()) {
      const at = Number(target - start) / 4;
      if (at >= 0 && at < words.length) return this.#starts[piece] + at;
    }
    return undefined;
  }
}

function sameRules(one: FrameRow | undefined, other: FrameRow | undefined): boolean {
  if (!one || !other) return one === other;
  if (one.signal !== other.signal || one.returns !== other.returns || one.rules.size !== other.rules.size) return false;
  if (!("register" in one.cfa && "register" in other.cfa)) return false;
  if (one.cfa.register !== other.cfa.register || one.cfa.offset !== other.cfa.offset) return false;
  return [...one.rules].every(([register, rule]) => sameRule(rule, other.rules.get(register)));
}

/** The rules of a state; undefined if the caller cannot be told. */
function rulesOf({ registers, slots }: State): FoundRules | undefined {
  const sp = registers[SP], pointer = registers[X29];
  // A frame pointer is known where SP is lost: after a frame record alone.
  const [register, base] = isBelow(pointer) ? [X29, pointer] : [SP, sp];
  if (!isBelow(base)) return undefined;
  const cfa = { register, offset: BigInt(Value.Cfa - base) };
  const saved = new Map<number, number>();
  for (const [offset, value] of slots) if (offset % WORD === 0 && !saved.has(value)) saved.set(value, offset);
  const slotOf = (value: number): FrameRule | undefined => {
    const offset = saved.get(value);
    return offset === undefined ? undefined : { kind: "offset", offset: BigInt(offset) };
  };
  const rules = new Map<number, FrameRule>();
  const elr = slotOf(Value.Elr);
  if (elr) {
    if (saved.has(Value.SpEl0)) {
      rules.set(PC_COLUMN, { kind: "undefined" });
      return { row: { cfa, rules, returns: PC_COLUMN, signal: true, signed: false }, inLink: false };
    }
    const stack = [...saved.keys()].find((value) => value > Value.Cfa && (value - Value.Cfa) % WORD === 0);
    if (stack === undefined) return undefined;
    for (let number = 0; number <= X30; number++) {
      const rule = slotOf(number);
      if (rule) rules.set(number, rule);
      else if (registers[number] !== number) rules.set(number, { kind: "undefined" });
    }
    rules.set(SP, { kind: "value", offset: BigInt(stack - Value.Cfa) });
    rules.set(PC_COLUMN, elr);
    return { row: { cfa, rules, returns: PC_COLUMN, signal: true, signed: false }, inLink: false };
  }
  // Until all is saved, it cannot be told from a call.
  if (registers.includes(Value.Elr)) return undefined;
  for (let number = FIRST_SAVED; number < X30; number++) {
    const rule = slotOf(number);
    if (rule) rules.set(number, rule);
    else if (registers[number] !== number) rules.set(number, { kind: "undefined" });
  }
  const slot = slotOf(X30), inLink = !slot && registers[X30] === X30;
  if (!inLink) {
    const elsewhere = registers.indexOf(X30);
    const rule = slot ?? (elsewhere < 0 ? undefined : { kind: "register", register: elsewhere } as const);
    if (!rule) return undefined;
    rules.set(X30, rule);
  }
  // On another stack, the frames below are at any distance, as those of an exception are.
  const switched = !inStack(sp);
  return { row: { cfa, rules, returns: X30, signal: switched, signed: false }, inLink };
}

const signed = (value: number, bits: number) => value << 32 - bits >> 32 - bits;

/** Executes an instruction. */
function step(word: number, before: number, state: State): Flow {
  if ((word >>> 26 & 7) === 5) return branch(word, before, state);
  if ((word >>> 26 & 7) === 4) immediate(word, state);
  else if ((word >>> 25 & 7) === 5) fromRegisters(word, state);
  else if ((word >>> 25 & 5) === 4) access(word, state);
  return "next";
}

/** `mov x9, x30`, which Linux has before the call of a tracer that keeps X30. */
const MOV_X9_X30 = 0xaa1e03e9;
const MRS_ELR_EL1 = 0xd5384020, MRS_SP_EL0 = 0xd5384100;

/** Branches, exception generation and system instructions. */
function branch(word: number, before: number, state: State): Flow {
  const called = (): Flow => {
    const link = before >>> 0 === MOV_X9_X30 ? state.registers[X30] : Value.Unknown;
    state.afterCall();
    state.registers[X30] = link;
    return "call";
  };
  switch (word >>> 26 & 0x3f) {
    case 0x05:
      return { target: signed(word & 0x3ff_ffff, 26), falls: false };
    case 0x25:
      return called();
  }
  if (word >>> 24 === 0x54) return { target: signed(word >>> 5 & 0x7_ffff, 19), falls: true };
  if ((word >>> 25 & 0x3f) === 0x1a) return { target: signed(word >>> 5 & 0x7_ffff, 19), falls: true };
  if ((word >>> 25 & 0x3f) === 0x1b) return { target: signed(word >>> 5 & 0x3fff, 14), falls: true };
  if (word >>> 25 === 0x6b) {
    switch (word >>> 21 & 7) {
      case 0:
        return "indirect";
      case 1:
        return called();
      case 2:
        return "return";
      default:
        return "end";
    }
  }
  if (word >>> 24 === 0xd4) {
    // SVC, HVC and SMC return, as BRK does after a warning.
    const kind = word >>> 21 & 7;
    if (kind === 0) state.registers.fill(Value.Unknown, 0, FIRST_SAVED);
    return kind === 0 ? "next" : "call";
  }
  if (word >>> 20 === 0xd53) {
    const system = (word & ~0x1f) >>> 0;
    state.set(word & 0x1f, system === MRS_ELR_EL1 ? Value.Elr : system === MRS_SP_EL0 ? Value.SpEl0 : Value.Unknown);
  }
  return "next";
}

/** Data processing with an immediate. */
function immediate(word: number, state: State): void {
  const target = word & 0x1f, source = state.registers[word >>> 5 & 0x1f];
  const kind = word >>> 23 & 0x1ff;
  // ADD and SUB of 64 bits that set no flags.
  if (kind === 0x122 || kind === 0x1a2) {
    const amount = (word >>> 10 & 0xfff) << (word & 1 << 22 ? 12 : 0);
    state.setOrSp(target, moved(source, kind === 0x122 ? amount : -amount));
  } else if (target !== SP) state.set(target, Value.Unknown);
  // AND, ORR and EOR may write SP; with AND it is aligned.
  else if (kind === 0x124) state.setOrSp(SP, inStack(source) ? Value.Below : Value.Unknown);
}

/** Data processing with registers. */
function fromRegisters(word: number, state: State): void {
  const target = word & 0x1f, one = word >>> 5 & 0x1f, other = word >>> 16 & 0x1f;
  if (((word & 0xffe0_ffe0) >>> 0) === 0xaa00_03e0) {
    state.set(target, other === SP ? Value.Unknown : state.registers[other]);
    return;
  }
  // ADD and SUB of 64 bits that set no flags: with an extended register, 31 is SP.
  const kind = word >>> 21 & 0x7ff;
  if ((kind & 0x5f8) === 0x458) {
    const extended = (kind & 1) !== 0;
    const value = extended || one !== SP ? state.registers[one] : Value.Unknown;
    const result = inStack(value) || other !== SP && inStack(state.registers[other]) ? Value.Below : Value.Unknown;
    if (extended) state.setOrSp(target, result);
    else state.set(target, result);
    return;
  }
  state.set(target, Value.Unknown);
}

/** Loads and stores. */
function access(word: number, state: State): void {
  const target = word & 0x1f, base = word >>> 5 & 0x1f, vector = (word & 1 << 26) !== 0;
  switch (word >>> 24 & 0x3b) {
    case 0x28:
    case 0x29:
      pair(word, state);
      return;
    case 0x18:
    case 0x1c:
      if (!vector && word >>> 30 !== 3) state.set(target, Value.Unknown);
      return;
    case 0x38:
    case 0x39:
      single(word, state);
      return;
    case 0x08:
    case 0x09: {
      if (vector) {
        if (word & 1 << 23) state.registers[base] = inStack(state.registers[base]) ? Value.Below : Value.Unknown;
        return;
      }
      // Exclusives and compare-and-swap: the register of the result, or of the value.
      state.set(word >>> 16 & 0x1f, Value.Unknown);
      if (word & 1 << 22) {
        state.set(target, Value.Unknown);
        if (word & 1 << 21) state.set(word >>> 10 & 0x1f, Value.Unknown);
      }
      return;
    }
    default:
      if (!vector) state.set(target, Value.Unknown);
  }
}

function pair(word: number, state: State): void {
  const target = word & 0x1f, base = word >>> 5 & 0x1f, second = word >>> 10 & 0x1f;
  const vector = (word & 1 << 26) !== 0, loads = (word & 1 << 22) !== 0, size = word >>> 30, mode = word >>> 23 & 3;
  const unit = vector ? 4 << size : size === 2 ? 8 : 4;
  const offset = signed(word >>> 15 & 0x7f, 7) * unit;
  const writesBack = mode === 1 || mode === 3;
  if (mode === 3) state.move(base, offset);
  const from = mode === 2 || mode === 0 ? offset : 0;
  if (!vector) {
    const whole = size === 2;
    if (loads) {
      const values = whole ? [state.load(base, from), state.load(base, from + unit)] : [Value.Unknown, Value.Unknown];
      state.set(target, values[0]);
      state.set(second, values[1]);
    } else if (whole) {
      state.store(base, from, target);
      state.store(base, from + unit, second);
    }
  }
  if (writesBack && mode === 1) state.move(base, offset);
}

function single(word: number, state: State): void {
  const target = word & 0x1f, base = word >>> 5 & 0x1f, vector = (word & 1 << 26) !== 0;
  const size = word >>> 30, kind = word >>> 22 & 3, plain = (word & 1 << 24) !== 0;
  const other = !plain && (word & 1 << 21) !== 0, mode = plain || other ? 0 : word >>> 10 & 3;
  const offset = plain ? (word >>> 10 & 0xfff) << size : other ? 0 : signed(word >>> 12 & 0x1ff, 9);
  const prefetch = size === 3 && kind === 2 && !vector;
  if (mode === 3) state.move(base, offset);
  const from = mode === 0 || mode === 2 ? offset : 0;
  if (!vector && !prefetch) {
    const whole = size === 3 && !other;
    // Of atomic operations, each has a result; stores by register offset have none.
    const stores = kind === 0 && !(other && (word >>> 10 & 3) !== 2);
    if (!stores) state.set(target, whole && kind === 1 ? state.load(base, from) : Value.Unknown);
    else if (whole) state.store(base, from, target);
  }
  if (mode === 1) state.move(base, offset);
}
