// Tarmac traces: a line per instruction, register, access to memory and exception, as Arm's models
// write them (Fast Models Reference Guide, "Tarmac Trace"). Read also in the form of cycle models
// ("ES" lines), and with other units of time.

/** One line, without its time. Numbers are unsigned. */
export type TarmacRecord =
  | {
    readonly kind: "instruction";
    /** Virtual, and physical where it is known. */
    readonly va: bigint;
    readonly pa?: bigint | undefined;
    readonly word: number;
    /** Exception level and stack pointer, `EL1h`. */
    readonly mode: string;
    readonly text: string;
  }
  | { readonly kind: "register"; readonly name: string; readonly value: bigint; readonly bits: number }
  | {
    readonly kind: "memory";
    readonly isWrite: boolean;
    /** 1, 2, 4, 8 or 16 bytes. */
    readonly size: number;
    readonly va: bigint;
    readonly pa?: bigint | undefined;
    /** Undefined if it is not known. */
    readonly value: bigint | undefined;
  }
  | { readonly kind: "exception"; readonly pc: bigint; readonly number: number; readonly name: string };

/** A line with what it begins with. */
export interface TarmacLine {
  /** In the trace's unit; undefined without one. */
  readonly time: number | undefined;
  /** The processor's name, `cpu0`; undefined without one. */
  readonly cpu: string | undefined;
  readonly record: TarmacRecord;
}

/** The first line of a file. */
export const TARMAC_START = "Tarmac Text Rev 3t\n";

/** In front of instructions, registers and memory of the non-secure state. */
const NON_SECURE = "_NS";

const hex = (value: bigint | number, digits: number) => value.toString(16).padStart(digits, "0");

/**
 * The line of a record.
 * @param time virtual time in ns
 * @param index of the instruction in the trace
 */
export function tarmacLine(record: TarmacRecord, time: number, cpu: string, index: number): string {
  return `${Math.round(time)} ns ${cpu} ${recordText(record, index)}\n`;
}

function recordText(record: TarmacRecord, index: number): string {
  const placeOf = ({ va, pa }: { readonly va: bigint; readonly pa?: bigint | undefined }) =>
    pa === undefined ? hex(va, 16) : `${hex(va, 16)}:${hex(pa, 12)}${NON_SECURE}`;
  switch (record.kind) {
    case "instruction":
      return `IT (${index}) ${placeOf(record)} ${hex(record.word, 8)} O ${record.mode}_n : ${record.text}`;
    case "register":
      return `R ${record.name} ${hex(record.value, record.bits / 4)}`;
    case "memory":
      return `M${record.isWrite ? "W" : "R"}${record.size} ${placeOf(record)} ${valueText(record.value, record.size)}`;
    case "exception":
      return `E ${hex(record.pc, 16)} ${hex(record.number, 8)} CoreEvent_${record.name}`;
  }
}

/** 16 bytes are two words, the upper one first. */
function valueText(value: bigint | undefined, size: number): string {
  const text = value === undefined ? "x".repeat(2 * size) : hex(value, 2 * size);
  return size === 16 ? `${text.slice(0, 16)} ${text.slice(16)}` : text;
}

// Files of strangers: no two repeats of one pattern can share characters, so that a line takes time
// by its length alone.
const START = /^(?:(\d+(?:\.\d+)?)(?: *(?:clk|cyc|cycles|tic|cs|ps|ns|us))? +)?(?:(cpu\S*) +)?(IT|IS|ES|R|E|M[RW]\d\S*) (.*)$/;
/** Before the name of an exception. */
const EVENT = " CoreEvent_";
const FAST_MODELS = /^\((?:[0-9a-f]+:)?[0-9a-f]+\) +([0-9a-f]+)(?::([0-9a-f]+)(?:_\w+)?)? +([0-9a-f]{8}) +O +(?:(\w+) *)?:(.*)$/i;
const CYCLE_MODELS = /^\(([0-9a-f]+):([0-9a-f]{8})\) +O +(\w+) *:(.*)$/i;
const REGISTER = /^(\w+)(?: \(\w+\))? +([0-9a-f_]+(?:[ :][0-9a-f_]+)*)(?: .*)?$/i;
const MEMORY = /^(?:X +)?([0-9a-f]+)(?::([0-9a-f]+)(?:_\w+)?)? +([0-9a-fx_]+(?: [0-9a-fx_]+)?)$/i;

/** Reads a line; undefined if it has none of the four records. */
export function readTarmac(line: string): TarmacLine | undefined {
  const [, time, cpu, kind, rest] = START.exec(line) ?? [];
  const record = rest === undefined ? undefined : recordOf(kind, rest.trim());
  return record && { time: time === undefined ? undefined : Number(time), cpu, record };
}

const numberOf = (digits: string) => BigInt(`0x${digits.replaceAll(/[_ :]/g, "")}`);

function recordOf(kind: string, rest: string): TarmacRecord | undefined {
  switch (kind) {
    case "IT":
    case "IS":
    case "ES":
      return kind === "ES" ? cycleModelsInstruction(rest) : fastModelsInstruction(rest);
    case "R": {
      const [, name, digits] = REGISTER.exec(rest) ?? [];
      return digits === undefined
        ? undefined
        : { kind: "register", name, value: numberOf(digits), bits: 4 * digits.replaceAll(/[_ :]/g, "").length };
    }
    case "E": {
      // The last number before the name.
      const at = rest.indexOf(EVENT), before = rest.slice(0, Math.max(0, at));
      const [, pc] = /^([0-9a-f]+) /i.exec(before) ?? [], number = before.slice(before.lastIndexOf(" ") + 1);
      const [name] = /^\w+/.exec(rest.slice(at + EVENT.length)) ?? [];
      if (pc === undefined || name === undefined || !/^[0-9a-f]+$/i.test(number)) return undefined;
      return { kind: "exception", pc: numberOf(pc), number: parseInt(number, 16), name };
    }
    default: {
      const [, va, pa, digits] = MEMORY.exec(rest) ?? [];
      if (digits === undefined) return undefined;
      const size = parseInt(kind.slice(2), 10), value = /x/i.test(digits) ? undefined : numberOf(digits);
      return { kind: "memory", isWrite: kind[1] === "W", size, va: numberOf(va), pa: pa === undefined ? undefined : numberOf(pa), value };
    }
  }
}

function fastModelsInstruction(rest: string): TarmacRecord | undefined {
  const [, va, pa, word, mode = "", text] = FAST_MODELS.exec(rest) ?? [];
  if (word === undefined) return undefined;
  return {
    kind: "instruction",
    va: numberOf(va),
    pa: pa === undefined ? undefined : numberOf(pa),
    word: parseInt(word, 16),
    mode,
    text: text.trimStart(),
  };
}

function cycleModelsInstruction(rest: string): TarmacRecord | undefined {
  const [, va, word, mode, text] = CYCLE_MODELS.exec(rest) ?? [];
  return word === undefined ? undefined : { kind: "instruction", va: numberOf(va), word: parseInt(word, 16), mode, text: text.trimStart() };
}
