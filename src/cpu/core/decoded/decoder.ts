// The decoder, the Wasm half: fills a decoded instruction by the candidates for the key of its word
// (candidates.ts), and finds the handlers for pairs. TypeScript (decoded-pages.ts) is asked for
// marked instructions, and those that it fills alone.

import {
  DECODED_AWAITED,
  DECODED_OWNERS,
  DECODED_PAGE_SIZE,
  DECODED_PAGES,
  DECODER_CANDIDATES,
  DECODER_KEYS,
  DECODER_MARKS,
  FIRST_HANDLERS,
  INSTRUCTIONS_PER_PAGE,
  PAIR_COLUMNS,
  PAIR_HANDLERS,
  PAIR_ROWS,
} from "../state/layout.ts";
import { LOWER_KEY_SHIFT, LOWER_KEYS, UPPER_KEY_SHIFT } from "../../isa/instruction-set.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { Label } from "../wasm/module.ts";
import { Candidate } from "./candidates.ts";
import { COUNTED_WORD_SHIFT, COUNTED_WORDS, COUNTER_SHIFT, emitMove, type Move } from "./execution-counters.ts";
import { Handler } from "./handlers.ts";
import type { OperandFills } from "./operand-fills.ts";
import { DECODED_SIZE } from "./operands.ts";
import { NO_FILL } from "./variants.ts";

/** Functions of TypeScript that the decoder imports. */
interface DecoderImports {
  /** (ip) -> the handler, 0 where no pair may begin: fills this decoded instruction. */
  readonly fillDecoded: number;
  /** (ip): the decoded instruction was filled; regions wait for one in its page. */
  readonly awaited: number;
  /**
   * (address of a decoded page): an instruction of it is decoded that was another one before. In a
   * core that counts executions.
   */
  readonly wordChanged: number | undefined;
}

/** Defines `decode`: (ip), which fills the decoded instruction there. */
export function defineDecoder(library: Library, fills: OperandFills, imports: DecoderImports): void {
  const fillOperands = fills.define(library);
  const one = library.define("decodeOne", ["i32", "i32", "i32"], ["i32"]);
  {
    // (ip, word, ahead) -> its handler, 0 where no pair may begin. Ahead of execution, what only
    // TypeScript fills stays as it is: nearly all of that is cold or UNDEFINED, and may never be
    // executed.
    const c = new Code(one);
    const ip = c.parameter(0), word = c.parameter(1), ahead = c.parameter(2);
    c.if(c.load("i32.load", DECODER_MARKS).not(), () => {
      const key = word.shrU(UPPER_KEY_SHIFT).mul(LOWER_KEYS).add(word.shrU(LOWER_KEY_SHIFT).and(LOWER_KEYS - 1));
      const first = c.load("i32.load16_u", key.shl(1), DECODER_KEYS);
      const candidate = c.let(first.sub(1).mul(Candidate.Size).add(DECODER_CANDIDATES.base));
      c.doWhile(
        () => c.set(candidate, candidate.add(Candidate.Size)),
        () => word.and(c.load("i32.load", candidate, Candidate.Mask)).ne(c.load("i32.load", candidate, Candidate.Value)),
      );
      const fill = c.let(c.load("i32.load16_u", candidate, Candidate.Fill));
      c.if(ahead.and(fill.eq(NO_FILL)), () => c.return(constant("i32", 0)));
      const handler = c.let(c.call(fillOperands, fill, word, ip, candidate));
      c.if(handler, () => c.return(handler));
    });
    ip.emit(c.f);
    c.f.call(imports.fillDecoded);
  }
  {
    const c = new Code(library.define("decode", ["i32"], [], true));
    const ip = c.parameter(0);
    const index = c.let(ip.sub(DECODED_PAGES.base).divU(DECODED_PAGE_SIZE));
    const at = c.let(ip), page = c.let(index.mul(DECODED_PAGE_SIZE).add(DECODED_PAGES.base));
    const last = c.let(page.add((INSTRUCTIONS_PER_PAGE - 1) * DECODED_SIZE));
    // Words are a quarter as far apart.
    const owner = c.let(c.load("i32.load", index.shl(2), DECODED_OWNERS));
    const decoded = (ahead: 0 | 1) => {
      const word = c.load("i32.load", owner.add(at.sub(page).shrU(2)));
      if (imports.wordChanged !== undefined) keepWord(c, imports.wordChanged, { ip, page, at, word: c.let(word) });
      return c.call(one, at, word, ahead);
    };
    const handler = c.let(decoded(0)), next = c.local("i32"), row = c.local("i32"), pair = c.local("i32");
    c.f.block((done) => {
      c.f.loop((again) => {
        const branchIf = (condition: Value, label: Label) => {
          condition.emit(c.f);
          c.f.brIf(label);
        };
        c.set(row, c.load("i32.load8_u", handler, PAIR_ROWS));
        branchIf(row.not().or(at.eq(last)), done);
        c.set(at, at.add(DECODED_SIZE));
        c.set(next, c.load("i32.load16_u", at));
        const fresh = c.let(next.eq(Handler.Decode));
        c.if(fresh, () => c.set(handler, decoded(1)), () => c.set(handler, c.load("i32.load16_u", next.shl(1), FIRST_HANDLERS).xor(next)));
        c.set(pair, c.load("i32.load16_u", row.shl(8).add(c.load("i32.load8_u", handler, PAIR_COLUMNS)).shl(1), PAIR_HANDLERS));
        c.if(pair, () => c.store("i32.store16", at.sub(DECODED_SIZE), pair));
        branchIf(fresh, again);
      });
    });
    c.if(c.load("i32.load", index.shl(2), DECODED_AWAITED), () => {
      ip.emit(c.f);
      c.f.call(imports.awaited);
    });
  }
}

/** A decoded instruction, and the word that it is made from. */
interface FreshWord {
  /** The instruction that is executed next. */
  readonly ip: Value;
  readonly page: Value;
  readonly at: Value;
  readonly word: Value;
}

/** Keeps the word of an instruction; counts of another one there are taken before. */
function keepWord(c: Code, wordChanged: number, { ip, page, at, word }: FreshWord): void {
  const count = (move: Move) => emitMove(c.f, move, () => ip.shrU(COUNTER_SHIFT).emit(c.f));
  const place = c.let(at.shrU(COUNTED_WORD_SHIFT)), kept = c.let(c.load("i32.load", place, COUNTED_WORDS));
  c.if(kept.ne(word.xor(-1)), () => {
    c.if(kept, () => {
      // Control has come to it, and nothing was executed there yet.
      count("turnBack");
      page.emit(c.f);
      c.f.call(wordChanged);
      count("arrive");
    });
    c.store("i32.store", place, word.xor(-1), COUNTED_WORDS);
  });
}
