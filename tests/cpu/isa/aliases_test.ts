// Aliases beside objdump's: an instruction that has one here has the same one there.

import assert from "node:assert/strict";
import { aliasText } from "../../../src/cpu/isa/aliases.ts";
import { disassemble } from "../../../src/cpu/isa/disassemble.ts";
import { allEncodings } from "../../../src/cpu/isa/table.ts";
import { randomWord } from "../../differential/random-words.ts";
import { runNative } from "../../support/oracles.ts";
import { Random } from "../../support/random.ts";

/** The alias of each instruction that the compiler writes most. */
const KNOWN: readonly (readonly [word: number, text: string])[] = [
  [0xaa1e03e9, "mov\tx9, x30"],
  [0x910003fd, "mov\tx29, sp"],
  [0xd50323bf, "autiasp"],
  [0xd503233f, "paciasp"],
  [0xd503245f, "bti\tc"],
  [0xf100041f, "cmp\tx0, #0x1"],
  [0x52800020, "mov\tw0, #0x1"],
  [0xd2a00020, "mov\tx0, #0x10000"],
  [0x92800000, "mov\tx0, #0xffffffffffffffff"],
  [0xd37cec00, "lsl\tx0, x0, #4"],
  [0xd344fc00, "lsr\tx0, x0, #4"],
  [0x53001c00, "uxtb\tw0, w0"],
  [0x93407c00, "sxtw\tx0, w0"],
  [0x1a9f17e0, "cset\tw0, eq"],
  [0xd508871f, "tlbi\tvmalle1"],
  [0xd5088720, "tlbi\tvae1, x0"],
  [0xd50b7e22, "dc\tcivac, x2"],
  [0xd50c871f, "tlbi\talle2"],
  [0x9b017c00, "mul\tx0, x0, x1"],
];

async function objdump(words: Uint32Array<ArrayBuffer>): Promise<string[]> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, new Uint8Array(words.buffer));
    const { code, stdout, stderr } = await runNative("aarch64-linux-gnu-objdump", ["-D", "-z", "-b", "binary", "-m", "aarch64", file]);
    assert.equal(code, 0, stderr);
    return [...stdout.matchAll(/^ *[0-9a-f]+:\t[0-9a-f]{8} \t(.*)$/gm)].map(([, text]) =>
      text.replace(/\s*\/\/.*$/, "").replace(/ <.*>$/, "").trim()
    );
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("an alias is objdump's, for what compilers write and random words of every encoding", async () => {
  const random = new Random(17);
  const words = KNOWN.map(([word]) => word);
  for (const encoding of allEncodings()) {
    for (let i = 0; i < 12; i++) {
      const word = randomWord(encoding, random);
      // Register 31 in each place makes most aliases.
      if (word !== undefined) words.push(...[0, 0x1f, 0x3e0, 0x7c00, 0x1f03e0].map((ones) => (word | ones) >>> 0));
    }
  }
  const plain = words.map((word, index) => disassemble(word, BigInt(index * 4)));
  const ours = plain.map(aliasText), theirs = await objdump(Uint32Array.from(words));
  assert.equal(theirs.length, words.length);
  const wrong = words.flatMap((word, index) =>
    ours[index] !== plain[index] && ours[index] !== theirs[index]
      ? [`${word.toString(16)} ${plain[index]}: ${ours[index]}, objdump ${theirs[index]}`]
      : []
  );
  assert.deepEqual(wrong.slice(0, 20), []);
  assert.deepEqual(ours.slice(0, KNOWN.length), KNOWN.map(([, text]) => text));
});
