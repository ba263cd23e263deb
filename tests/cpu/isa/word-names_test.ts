// Names of words that are UNDEFINED somewhere, beside objdump's; their features and levels.

import assert from "node:assert/strict";
import { namedPatterns, nameWord } from "../../../src/cpu/isa/word-names.ts";
import { runNative } from "../../support/oracles.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** objdump's mnemonics of words, as programmers write them and without aliases. */
async function mnemonics(words: readonly number[]): Promise<Set<string>[]> {
  const found = words.map(() => new Set<string>());
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/words`, new Uint8Array(Uint32Array.from(words).buffer));
    for (const more of [[], ["-M", "no-aliases"]]) {
      const { stdout } = await runNative(
        "aarch64-linux-gnu-objdump",
        ["-D", "-z", "-b", "binary", "-m", "aarch64", ...more, `${folder}/words`],
      );
      const lines = [...stdout.matchAll(/^ *[0-9a-f]+:\t[0-9a-f]{8} \t(.*)$/gm)].map(([, text]) => text.replace(/\s*\/\/.*$/, ""));
      assert.equal(lines.length, words.length);
      lines.forEach((line, index) => found[index].add(line.trim()));
    }
  });
  return found;
}

/** The name of an instruction of memory copies has suffixes for its hints. */
const isNamed = (theirs: string, name: string) => {
  const [mnemonic, operands = ""] = theirs.split("\t");
  return mnemonic === name || /^(?:cpy|set)/.test(name) && mnemonic.startsWith(name) || operands.startsWith(name);
};

Deno.test("each pattern's name is objdump's, for random words of it", async () => {
  const random = new Random(5);
  const words = namedPatterns().flatMap(({ value, mask }) =>
    Array.from({ length: 24 }, () => ((value | random.below(2 ** 32) & ~mask) >>> 0))
  ).filter((word) => nameWord(word)?.name);
  const theirs = await mnemonics(words);
  const wrong = words.flatMap((word, index) => {
    const { name } = nameWord(word) ?? assert.fail(word.toString(16));
    const texts = [...theirs[index]];
    // Not all combinations of operands exist.
    return texts.some((text) => /^\.inst|\bs0_\d_c4_/.test(text) || isNamed(text, name))
      ? []
      : [`${word.toString(16)} ${name}: ${texts.join(" | ")}`];
  });
  assert.deepEqual(wrong.slice(0, 20), []);
  const seen = new Set(
    words.flatMap((word, index) => [...theirs[index]].some((text) => text.startsWith(".inst")) ? [] : [nameWord(word)!.name]),
  );
  for (const word of words) assert.ok(seen.has(nameWord(word)!.name), `objdump knows none of ${nameWord(word)!.name}`);
});

Deno.test("each system register and operation has objdump's name", async () => {
  const words: number[] = [];
  for (let low = 0; low < 2 ** 16; low++) {
    // SYS, and MSR and MRS of op0 2 and 3.
    const op0 = low >>> 14;
    if (op0 === 1) words.push((0xd500_0000 | low << 5 | 0) >>> 0);
    if (op0 >= 2) words.push((0xd500_0000 | low << 5) >>> 0, (0xd520_0000 | low << 5) >>> 0);
  }
  const theirs = await mnemonics(words);
  const wrong: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const name = nameWord(words[i])?.name ?? "";
    if (name === "") continue;
    const texts = [...theirs[i]];
    const operand = (text: string) => text.replace("\t", " ").replace(/, x0$/, "");
    const fits = texts.some((text) =>
      operand(text) === name || text.split(/[\t ,]+/).includes(name) || /\bs[0-3]_\d_c\d+_c\d+_\d\b/.test(text)
    );
    if (!fits) wrong.push(`${words[i].toString(16)} ${name}: ${texts.join(" | ")}`);
  }
  assert.deepEqual(wrong.slice(0, 40), []);
});

Deno.test("a word has its feature, its least level, and what EL1 uses instead", () => {
  const told = (word: number) => {
    const { name, feature, level, atEl1 } = nameWord(word) ?? {};
    return [name, feature, level, atEl1];
  };
  assert.deepEqual(told(0x04a0e3e4), ["cntw", "FEAT_SVE", 0, undefined]);
  assert.deepEqual(told(0xd538_1280), ["smpri_el1", "FEAT_SME", 1, undefined]);
  assert.deepEqual(told(0xd53b_2400), ["rndr", "FEAT_RNG", 0, undefined]);
  assert.deepEqual(told(0xd51c_1100), ["hcr_el2", undefined, 2, undefined]);
  assert.deepEqual(told(0xd51c_1000), ["sctlr_el2", undefined, 2, "sctlr_el1"]);
  assert.deepEqual(told(0xd51e_1100), ["scr_el3", undefined, 3, undefined]);
  assert.deepEqual(told(0xd50c_871f), ["tlbi alle2", undefined, 2, "tlbi vmalle1"]);
  assert.deepEqual(told(0xd50c_839f), ["tlbi alle1is", undefined, 2, "tlbi vmalle1is"]);
  assert.deepEqual(told(0xd50c_7800), ["at s1e2r", undefined, 2, "at s1e1r"]);
  assert.deepEqual(told(0xd50b_7d20), ["dc cvadp", "FEAT_DPB2", 0, undefined]);
  assert.deepEqual(told(0xd69f_03e0), ["eret", undefined, 1, undefined]);
  assert.deepEqual(told(0x1902_0461), ["cpyfp", "FEAT_MOPS", 0, undefined]);
  assert.deepEqual(told(0x9ac0_1000), ["irg", "FEAT_MTE", 0, undefined]);
  assert.deepEqual(told(0x9b01_7c00), ["madd", undefined, 0, undefined]);
  assert.equal(nameWord(0x0000_0100 | 0x1000_0000 << 1), undefined);
});
