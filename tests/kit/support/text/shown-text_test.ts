import assert from "node:assert/strict";
import { ShownText } from "../../../../src/kit/support/text/shown-text.ts";
import { Random } from "../../../support/random.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Sequences as shells and loaders print them, with what is seen of them. */
const CASES: readonly (readonly [string, string])[] = [
  ["~ # \x1b[6n", "~ # "],
  ["[\x1b[0;32m  OK  \x1b[0m] Started", "[  OK  ] Started"],
  ["\x1b]0;root@debian: ~\x07root@debian:~# ", "root@debian:~# "],
  ["\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\!", "link!"],
  ["a\x1b7b\x1b(Bc\x1b>d", "abcd"],
  ["50 % \u00e4\r\n", "50 % \u00e4\r\n"],
];

Deno.test("what is seen of a console's output has no sequences, in whatever pieces it comes", () => {
  const random = new Random(7);
  for (const [text, seen] of CASES) {
    for (let round = 0; round < 20; round++) {
      const shown = new ShownText(), all = bytes(text);
      let found = "";
      for (let at = 0; at < all.length;) {
        const size = 1 + random.below(5);
        found += shown.of(all.subarray(at, at + size));
        at += size;
      }
      assert.equal(found, seen);
    }
  }
});

Deno.test("a sequence without an end is text after some thousand characters, and none takes long", () => {
  const shown = new ShownText();
  assert.equal(shown.of(bytes(`\x1b]${"a".repeat(3000)}`)), "");
  assert.equal(shown.of(bytes("a".repeat(3000))).length, 6002);
  assert.equal(shown.of(bytes("\x1b]".repeat(100_000))).length > 190_000, true);
});
