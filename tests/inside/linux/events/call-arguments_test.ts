// Texts of system calls' arguments, wherever they are in a program's pages.

import assert from "node:assert/strict";
import { argumentTexts, lacksText, textsOf } from "../../../../src/inside/linux/events/call-arguments.ts";
import { programAddress } from "../../../../src/inside/linux/kernel/types.ts";
import { systemCall } from "../../../../src/inside/linux/events/system-calls.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";

const CHDIR = systemCall(49);
/** Two pages in a row, of which the second may not be in memory. */
const BASE = 0x40_0000n;

/** The argument of chdir(2) for bytes at an offset; undefined if it is not in memory. */
function shownAt(offset: number, bytes: Uint8Array, isWhole = true): string | undefined {
  const pages = new Uint8Array(2 * PAGE_SIZE).fill(0x21), values = [BASE + BigInt(offset)];
  pages.set(bytes, offset);
  const texts = textsOf(CHDIR, values, (address) => {
    const page = Number(address - BASE) - Number(address - BASE) % PAGE_SIZE;
    return page < PAGE_SIZE || isWhole ? new DataView(pages.buffer, page, PAGE_SIZE) : undefined;
  });
  return lacksText(CHDIR, values, texts) ? undefined : argumentTexts(CHDIR, values, texts)[0];
}

const ofBytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a path is shown up to its zero, at each place in a page and across its end", () => {
  for (let length = 0; length < 20; length++) {
    const path = "/a-path/of-some-bytes".slice(0, length);
    for (let offset = PAGE_SIZE - 24; offset < PAGE_SIZE; offset++) {
      const isInside = offset + length < PAGE_SIZE;
      assert.equal(shownAt(offset, ofBytes(`${path}\0more`)), `"${path}"`);
      assert.equal(shownAt(offset, ofBytes(`${path}\0`), false), isInside ? `"${path}"` : undefined, `${offset}, ${length}`);
    }
  }
});

Deno.test("a program's pointer has a tag where the tables of programs ignore it, and never leads to the kernel", () => {
  const ignores = 1n << 37n, tagged = 0xb400_0000_0040_1000n;
  assert.equal(programAddress(tagged, ignores), 0x40_1000n);
  assert.equal(programAddress(0x40_1000n, 0n), 0x40_1000n);
  for (const pointer of [0xffff_8000_0000_0000n, 0x00ff_8000_0000_0000n]) assert.equal(programAddress(pointer, 3n << 37n), undefined);
  assert.equal(programAddress(tagged, 0n), undefined);
});

Deno.test("bytes of a path that are not UTF-8 are shown as such, and a path without an end is cut", () => {
  assert.equal(shownAt(5, ofBytes("/\u00e4\u4e2d\ud83d\ude00\n\0")), '"/\u00e4\u4e2d\ud83d\ude00\\n"');
  assert.equal(shownAt(6, Uint8Array.of(0x2f, 0xff, 0x80, 0)), '"/\ufffd\ufffd"');
  const shown = shownAt(0, new Uint8Array(0));
  assert.match(shown ?? "", /^"!{4096}"\.\.\.$/);
});
