// Keys from input that arrives in pieces, on a clock of the test.

import assert from "node:assert/strict";
import fc from "fast-check";
import { KeyParser } from "../../../../src/app/tui/terminal/key-parser.ts";
import { type Key, textBytes } from "../../../../src/app/tui/terminal/keys.ts";
import { type After, ESCAPE_WAIT, escapeWait, readKeys, REST_WAIT } from "../../../../src/app/tui/terminal/read-keys.ts";

/** Bytes that arrive, or a pause in ms. */
type Step = Uint8Array | string | number;

class Clock {
  #now = 0;
  readonly #waiting = new Set<{ readonly at: number; readonly call: () => void }>();

  readonly after: After = (ms, call) => {
    const timer = { at: this.#now + ms, call };
    this.#waiting.add(timer);
    return () => this.#waiting.delete(timer);
  };

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#waiting].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#waiting.delete(next);
      this.#now = next.at;
      next.call();
    }
    this.#now = end;
  }
}

async function read(steps: readonly Step[], escapeWait?: number): Promise<Key[]> {
  const clock = new Clock(), keys: Key[] = [];
  async function* input() {
    for (const step of [...steps, 2 * REST_WAIT]) {
      if (typeof step === "number") clock.advance(step);
      else yield typeof step === "string" ? textBytes(step) : step;
    }
  }
  await readKeys(input(), (key) => void keys.push(key), { after: clock.after, escapeWait });
  return keys;
}

const named = async (...steps: Step[]) => (await read(steps)).map(({ name }) => name);

Deno.test("only a lone Esc ends soon; a torn sequence or character has a second, and is then one unknown key", async () => {
  assert.deepEqual(await named("\x1b", ESCAPE_WAIT - 1, "[A"), ["Up"]);
  assert.deepEqual(await named("\x1b", ESCAPE_WAIT, "[A"), ["Esc", "[", "A"]);
  assert.deepEqual(await named("\x1b[6", REST_WAIT - 1, "~"), ["PgDn"]);
  for (const torn of ["\x1b[<0;10", "\x1b[", "\x1bO", "\x1b]11;rgb", "\x1bP1$r0", "\x1b_a\x1b", Uint8Array.of(0xe6, 0xbc)]) {
    assert.deepEqual(await named(torn, REST_WAIT, "j"), ["Unknown", "j"], JSON.stringify(torn));
  }
});

Deno.test("a guest gets the bytes of a key with Alt that could have begun a sequence, but no half sequence", async () => {
  assert.deepEqual((await read(["\x1b["]))[0].bytes, textBytes("\x1b["));
  assert.deepEqual((await read(["\x1b[<0;10"]))[0].bytes, new Uint8Array(0));
});

Deno.test("all of a paste is text over its pauses; after a second of silence it is what has come", async () => {
  const torn = ["\x1b[20", 40, "0~q!y\r", REST_WAIT - 1, "more \x1b[2", REST_WAIT - 1, "01~", "z"];
  const [paste, next] = await read(torn);
  assert.deepEqual([paste.name, paste.bytes, next.name], ["Paste", textBytes("q!y\rmore "), "z"]);
  const [silent, q] = await read(["\x1b[200~:quit\r", REST_WAIT, "q"]);
  assert.deepEqual([silent.name, silent.bytes, q.name], ["Paste", textBytes(":quit\r"), "q"]);
});

Deno.test("any pieces of any input with pauses below the waits are the same keys", async () => {
  const token = fc.oneof(
    fc.constantFrom("a", "q", "\r", "\x1b", "\x1b[A", "\x1bOB", "\x1b[6~", "\x1b[<0;10;5M", "é", "漢", "🙂", "\x1bx", "\x1bé"),
    fc.constantFrom("\x1b]11;rgb:0/0/0\x07", "\x1bP1$r0m\x1b\\", "\x1b[?2026;2$y", "\x1b[200~", "\x1b[201~", "\x1b[20", "\x1b[[A"),
    fc.constantFrom("\x1b[200~q!y\rmore \x1b[201~", "\x1b[200~\x1b[20\x1b[201~", "\x1b[200~ls\x1b\x1b[201~"),
  ).map(textBytes);
  const input = fc.array(fc.oneof({ weight: 4, arbitrary: token }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }) }), {
    maxLength: 12,
  })
    .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  const cuts = fc.array(fc.record({ length: fc.integer({ min: 1, max: 7 }), pause: fc.nat(REST_WAIT - 1) }), {
    minLength: 1,
    maxLength: 100,
  });
  await fc.assert(
    fc.asyncProperty(input, cuts, async (bytes, cuts) => {
      const whole = new KeyParser(), parser = new KeyParser(), steps: Step[] = [];
      const right = [...whole.push(bytes), ...whole.flush()];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const { length, pause } = cuts[i % cuts.length], piece = bytes.subarray(at, at += length);
        parser.push(piece);
        steps.push(piece, parser.state === "esc" ? pause % ESCAPE_WAIT : pause);
      }
      assert.deepEqual(await read(steps), right);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("an Esc waits longer over ssh, and as long as ESCDELAY says", async () => {
  const wait = (environment: Record<string, string>) => escapeWait((name) => environment[name]);
  assert.deepEqual([wait({}), wait({ SSH_CONNECTION: "a" })], [50, 150]);
  assert.deepEqual(["25", "0", "5000", "soon"].map((ESCDELAY) => wait({ ESCDELAY, SSH_CONNECTION: "a" })), [25, 1, 1000, 150]);
  assert.deepEqual((await read(["\x1b", 149, "[A"], 150)).map(({ name }) => name), ["Up"]);
});

Deno.test("bytes that came while the program was busy are read before a wait ends", async () => {
  const waits: { readonly ms: number; readonly call: () => void }[] = [], keys: string[] = [];
  const after: After = (ms, call) => {
    waits.push({ ms, call });
    return () => {};
  };
  async function* input() {
    yield textBytes("\x1b");
    waits[0].call();
    yield textBytes("[A");
  }
  await readKeys(input(), ({ name }) => void keys.push(name), { after });
  assert.deepEqual(keys, ["Up"]);
  assert.deepEqual([waits.length, waits[0].ms + waits[1].ms], [2, ESCAPE_WAIT]);
});
