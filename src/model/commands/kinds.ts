// The kinds of arguments: each has a parser, whose errors name the mistake and the right form,
// a spelling, a JSON Schema and words for completion.

import { ArgumentError, type Kind, type Offers } from "./argument.ts";
import { isTraceKind, TRACE_KINDS, type TraceKind } from "../../machine/abi/trace.ts";
import { formatId, type IdKind, paId, parseAs, parseId, parsePlace, withoutKind } from "../queries/ids.ts";
import { AUTHOR_MAX, MARK_NAME, MARK_TEXT_MAX, type MarkNote, ONE_LINE, type PlaceOfRun } from "../queries/move.ts";
import type { Table } from "../queries/table.ts";
import { EVENTS } from "../queries/tables.ts";
import { filterError } from "../queries/filters/temporal-filter.ts";
import { bytesOf } from "../../kit/support/text/byte-text.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { parseDuration, parseSize, sizeRangeText } from "../../kit/support/text/units.ts";

const STRING = { type: "string" } as const;

/** A kind of texts that are taken as they are typed. */
export const asTyped = (offers?: Offers): Kind<string> => ({ parse: (text) => text, spell: (text) => text, schema: STRING, offers });

/** Any text. */
export const text: Kind<string> = asTyped();

/** A text of several words. */
export const phrase: Kind<string> = { ...text, phrase: true };

/** A text that is the name of a file of this computer. */
export const file: Kind<string> = asTyped("files");

const ID_OFFERS: Readonly<Partial<Record<IdKind, Offers>>> = {
  vm: { table: "vm.ls", about: "state", bare: true },
  vcpu: { table: "vcpu.ls", about: "state" },
  irq: { table: "irq.ls", about: "source" },
  parcel: { table: "mem.parcels", about: "state" },
  cap: { table: "caps.ls", about: "type" },
  mq: { table: "queue.ls", about: "kind" },
  db: { table: "queue.ls", about: "kind" },
  rpc: { table: "rpc.ls", about: "msg" },
  why: { table: "why", about: "call" },
};

/** An object's id; the session says which there are. */
export const idOf = (kind: IdKind): Kind<string> => asTyped(ID_OFFERS[kind]);

/** One of some words. */
export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  return {
    parse: (typed) => {
      const found = words.find((one) => one === typed);
      if (found === undefined) throw new ArgumentError(`"${typed}" is not one of ${words.join(", ")}`);
      return found;
    },
    spell: (one) => one,
    schema: { type: "string", enum: words },
    choices: words,
  };
}

/** A whole number in a range. */
export function whole(minimum: number, maximum: number): Kind<number> {
  return {
    parse: (typed) => {
      if (!/^-?\d+$/.test(typed)) throw new ArgumentError(`"${typed}" is not a whole number`, `use ${minimum}..${maximum}`);
      const value = Number(typed);
      if (!(value >= minimum && value <= maximum)) throw new ArgumentError(`"${typed}" is outside ${minimum}..${maximum}`);
      return value;
    },
    spell: String,
    schema: { type: "integer", minimum, maximum },
  };
}

/** As many instructions or rows as there may be. */
export const anyCount = (minimum: number): Kind<number> => whole(minimum, Number.MAX_SAFE_INTEGER);

function bytesOfSize(typed: string): number {
  const bytes = parseSize(typed);
  if (bytes === undefined) throw new ArgumentError(`"${typed}" is not a size`, "use for example 512MiB or 1GiB");
  return bytes;
}

/** A size of any number of bytes. */
export const anySize: Kind<number> = { parse: bytesOfSize, spell: String, schema: STRING };

/** A size in a range of bytes. */
export function size(minimum: number, maximum: number): Kind<number> {
  return {
    ...anySize,
    parse: (typed) => {
      const bytes = bytesOfSize(typed);
      if (!(bytes >= minimum && bytes <= maximum)) {
        throw new ArgumentError(`"${typed}" is outside ${sizeRangeText(minimum, maximum)}`);
      }
      return bytes;
    },
  };
}

function nanosecondsOf(typed: string): number {
  const ns = parseDuration(typed);
  if (ns === undefined) throw new ArgumentError(`"${typed}" is not a duration`, "use for example 10s or 500ms");
  return ns;
}

/** A duration in ns. */
export const duration: Kind<number> = { parse: nanosecondsOf, spell: (ns) => `${ns}ns`, schema: STRING };

function numberOf64Bits(what: string): Kind<bigint> {
  return {
    parse: (typed) => {
      const value = /^(0x[0-9a-f]+|\d+)$/i.test(typed) ? BigInt(typed) : -1n;
      if (value !== BigInt.asUintN(64, value)) throw new ArgumentError(`"${typed}" is not a ${what} of 64 bits`, "use for example 0x1");
      return value;
    },
    spell: (value) => hex(value),
    schema: STRING,
  };
}

/** A mask of 64 bits: decimal, or hexadecimal after 0x. */
export const mask: Kind<bigint> = numberOf64Bits("mask");
/** A number of 64 bits in the same form. */
export const value: Kind<bigint> = numberOf64Bits("number");

/** An address of a file's code: decimal, or hexadecimal after 0x. */
export const address: Kind<number> = {
  parse: (typed) => {
    const at = /^(0x[0-9a-f]+|\d+)$/i.test(typed) ? Number(typed) : NaN;
    if (!Number.isSafeInteger(at)) throw new ArgumentError(`"${typed}" is not an address`, "use for example 0x40080000");
    return at;
  },
  spell: (at) => `0x${at.toString(16)}`,
  schema: STRING,
};

/** A place of any kind: a number alone is a physical address. */
export const place: Kind<string> = {
  ...text,
  parse: (typed) => /^0x[0-9a-f]+$/i.test(typed) ? paId(BigInt(typed)) : typed,
};

/** The forms of a place in memory, for help. */
export const PLACES_IN_MEMORY = "pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS or VM:SYMBOL";

/** A place in memory. */
export const memoryPlace: Kind<string> = {
  ...text,
  parse: (typed) => {
    const at = place.parse(typed), kind = parseId(at)?.kind;
    if (kind === "pa" || kind === "ipa" || kind === "va" || parsePlace(at)) return at;
    throw new ArgumentError(`"${typed}" is not a place in memory`, `use ${PLACES_IN_MEMORY}`);
  },
};

/** The forms of a place of a run, for help. */
export const PLACES_OF_RUN = "instructions retired, a virtual time such as 12ms, a mark, or the id of a row (insn:NUMBER)";

/** Digits alone are instructions, digits with a unit a virtual time; else it is a mark. */
export const placeOfRun: Kind<PlaceOfRun> = {
  parse: (typed) => {
    const row = parseAs("insn", typed);
    if (row) return { kind: "instructions", count: row.number, ...row.order !== undefined && { order: row.order } };
    if (/^\d+$/.test(typed)) return { kind: "instructions", count: anyCount(0).parse(typed) };
    if (/^[\d.]+[a-z]+$/.test(typed)) return { kind: "time", at: nanosecondsOf(typed) };
    if (MARK_NAME.test(typed)) return { kind: "mark", name: typed };
    throw new ArgumentError(`"${typed}" is not a place of the run`, "use for example 120000, 12ms, or the name of a mark");
  },
  spell: (at) =>
    at.kind === "mark"
      ? at.name
      : at.kind === "time"
      ? duration.spell(at.at)
      : at.order === undefined
      ? String(at.count)
      : formatId({ kind: "insn", number: at.count, order: at.order }),
  schema: STRING,
};

/** Bytes: hexadecimal digits, blanks between allowed, or text after `text:`. */
export const bytes: Kind<Uint8Array> = {
  parse: (typed) => {
    const found = bytesOf(typed);
    if (!found) throw new ArgumentError(`"${typed}" is not a list of bytes`, "use for example 21010f00 or text:hello");
    return found;
  },
  spell: (given) => given.toHex(),
  schema: STRING,
};

/** Bytes as `bytes` reads them, or a text that cannot be meant as hexadecimal digits. */
export const message: Kind<Uint8Array> = {
  ...bytes,
  parse: (typed) => /[^0-9a-fx\s_]/i.test(typed) && !typed.startsWith("text:") ? new TextEncoder().encode(typed) : bytes.parse(typed),
};

/** A filter of a table's rows, which marks the invalid character. */
export function filterOf(table: Table): Kind<string> {
  return {
    ...text,
    phrase: true,
    parse: (typed) => {
      const error = filterError(typed, table);
      if (error) throw new ArgumentError(error.marked);
      return typed;
    },
  };
}

/** A filter of events, also over time. */
export const eventFilter: Kind<string> = filterOf(EVENTS);

/** Kinds of events, separated by commas; `all`. */
export const eventKinds: Kind<readonly TraceKind[]> = {
  parse: (typed) => {
    if (typed === "all") return [...TRACE_KINDS];
    const names = typed.split(",");
    const wrong = names.find((name) => !isTraceKind(name));
    if (wrong !== undefined) throw new ArgumentError(`"${wrong}" is not a kind of event`, `use ${TRACE_KINDS.join(", ")}`);
    return names.filter(isTraceKind);
  },
  spell: (kinds) => kinds.join(","),
  schema: STRING,
  offers: { words: () => ["all", ...TRACE_KINDS], listed: true },
};

/** Letters, digits, - _ and ., at most 64 of them. */
export const markName: Kind<string> = {
  ...text,
  parse: (typed) => {
    if (MARK_NAME.test(typed)) return typed;
    throw new ArgumentError(
      `"${typed}" cannot name a mark`,
      "begin with a letter or digit, and use up to 64 letters, digits, - _ and .",
    );
  },
};

/**
 * A mark's name, or a text, from which its name is made: of the letters and digits of ASCII, or of
 * a checksum if the text has none.
 */
export const markNote: Kind<MarkNote> = {
  ...text,
  phrase: true,
  parse: (typed) => {
    if (MARK_NAME.test(typed)) return { name: typed };
    if (typed.length > MARK_TEXT_MAX || !ONE_LINE.test(typed)) {
      throw new ArgumentError(
        `${JSON.stringify(typed.slice(0, MARK_TEXT_MAX))} cannot be the text of a mark`,
        `use one line of up to ${MARK_TEXT_MAX} characters`,
      );
    }
    const words = typed.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, SLUG).replace(/-$/, "");
    const sum = [...typed].reduce((all, one) => (all * 31 + (one.codePointAt(0) ?? 0)) % 1e6, 0);
    return { name: words || `mark-${sum}`, text: typed };
  },
  spell: ({ name, text: words }) => words ?? name,
};

/** Characters of a name that follows from a text. */
const SLUG = 40;

/** The name of a person. */
export const author: Kind<string> = {
  ...text,
  parse: (typed) => {
    if (typed.length <= AUTHOR_MAX && ONE_LINE.test(typed)) return typed;
    throw new ArgumentError(
      `${JSON.stringify(typed.slice(0, AUTHOR_MAX))} is not a name`,
      `use one line of up to ${AUTHOR_MAX} characters`,
    );
  },
};

/** A process or thread of Linux: `task:VM/PID`, `VM/PID`, or its number or name alone. */
export const task: Kind<{ readonly vm?: string; readonly pid: number | string }> = {
  parse: (typed) => {
    if (/^\d{1,9}$/.test(typed)) return { pid: Number(typed) };
    const id = parseAs("task", typed);
    if (id) return { vm: id.vm, pid: id.pid };
    if (typed === "" || withoutKind("task", typed) !== typed) {
      throw new ArgumentError(`"${typed}" is not a process`, "use for example 1, sh or debian/1");
    }
    return { pid: typed };
  },
  spell: ({ vm, pid }) => vm === undefined ? String(pid) : `${vm}/${pid}`,
  schema: STRING,
};

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const ESCAPED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };

/** Text for a console: `\n` is Enter, `\xNN` a byte; also `\r`, `\t`, `\\`. */
export const keystrokes: Kind<Uint8Array> = {
  parse: (typed) => {
    const plain = typed.replaceAll(
      /\\(?:x([0-9a-fA-F]{2})|(.))/g,
      (_, code, one) => code ? String.fromCharCode(parseInt(code, 16)) : ESCAPED[one] ?? one,
    );
    return new TextEncoder().encode(plain);
  },
  spell: (given) =>
    new TextDecoder().decode(given).replaceAll(
      // deno-lint-ignore no-control-regex
      /[\\\x00-\x1f\x7f]/g,
      (one) => ESCAPES[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`,
    ),
  schema: STRING,
};
