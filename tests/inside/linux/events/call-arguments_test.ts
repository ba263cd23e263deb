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

/** A call without texts, by its number, as strace prints it. */
const shown = (number: number, ...values: bigint[]) => {
  const call = systemCall(number);
  return `${call.name}(${argumentTexts(call, values, []).join(", ")})`;
};

Deno.test("constants have their names, and addresses of nothing are NULL", () => {
  const calls: readonly (readonly [number, bigint[], string])[] = [
    [261, [0n, 3n, 0n, 0xffff_8000_1000n], "prlimit64(0, RLIMIT_STACK, NULL, 0xffff80001000)"],
    [29, [1n, 0x5401n, 0xffff_8000n], "ioctl(1, TCGETS, 0xffff8000)"],
    [29, [3n, 0x8008_1272n, 0x10n], "ioctl(3, BLKGETSIZE64, 0x10)"],
    [29, [3n, 0xc0de_0001n, 0n], "ioctl(3, 0xc0de0001, 0)"],
    [226, [0x4000n, 16384n, 1n], "mprotect(0x4000, 16384, PROT_READ)"],
    [226, [0x4000n, 16384n, 0n], "mprotect(0x4000, 16384, PROT_NONE)"],
    [99, [0x4000n, 24n], "set_robust_list(0x4000, 24)"],
    [214, [0n], "brk(NULL)"],
    [222, [0n, 8192n, 3n, 0x22n, (1n << 32n) - 1n, 0n], "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)"],
    [135, [2n, 0x4000n, 0n, 8n], "rt_sigprocmask(SIG_SETMASK, 0x4000, NULL, 8)"],
    [165, [(1n << 64n) - 1n, 0x4000n], "getrusage(RUSAGE_CHILDREN, 0x4000)"],
    [32, [3n, 6n], "flock(3, LOCK_EX|LOCK_NB)"],
    [19, [0n, 0o2004000n], "eventfd2(0, EFD_CLOEXEC|EFD_NONBLOCK)"],
    [278, [0x4000n, 8n, 1n], "getrandom(0x4000, 8, GRND_NONBLOCK)"],
    [167, [15n, 0x4000n, 0n, 0n, 0n], "prctl(PR_SET_NAME, 0x4000, 0, 0, 0)"],
    [208, [3n, 1n, 2n, 0x4000n, 4n], "setsockopt(3, SOL_SOCKET, 2, 0x4000, 4)"],
  ];
  for (const [number, values, text] of calls) assert.equal(shown(number, ...values), text);
});

Deno.test("each kind of argument has words, or is one of numbers, texts and addresses", () => {
  const plain = new Set(["d", "u", "x", "bits", "f", "D", "p", "s"]);
  for (let number = 0; number < 500; number++) {
    const call = systemCall(number);
    // One of its values has a word.
    for (const kind of new Set(call.kinds.filter((one) => !plain.has(one)))) {
      const values = [...Array(300).keys(), -1, 0o2000000, 0x5401].map((value) => BigInt.asUintN(64, BigInt(value)));
      const texts = values.map((value) => argumentTexts({ name: "", kinds: [kind], hasTexts: false }, [value], [])[0]);
      assert.ok(texts.some((text) => /[A-Z]_?[A-Z]|^0\d/.test(text)), `${call.name}: ${kind}`);
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
