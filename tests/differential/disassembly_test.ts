// Our disassembly beside objdump's: random words of every encoding, and with EL2_LONG=1 every
// distinct instruction word that a boot of Debian's kernel executes (QEMU's log says which) and all
// words of three kernels, libcrypto, perl and python.

import assert from "node:assert/strict";
import { suiteRoot } from "../../scripts/suites.ts";
import { decode } from "../../src/cpu/isa/decode.ts";
import { disassemble } from "../../src/cpu/isa/disassemble.ts";
import { fieldValues } from "../../src/cpu/isa/notation/insn.ts";
import { allEncodings } from "../../src/cpu/isa/table.ts";
import { catalogEntry, DEBIAN_RELEASES } from "../../src/app/catalog/catalog.ts";
import { runNative } from "../support/oracles.ts";
import { Random } from "../support/random.ts";
import { randomWord } from "./random-words.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { LONG, longTest } from "../support/long.ts";

/**
 * Features that objdump 2.40 does not have; tests/cpu/core/ordered-pairs_test.ts has their texts.
 */
const UNKNOWN_TO_OBJDUMP: ReadonlySet<string | undefined> = new Set(["FEAT_LRCPC3", "FEAT_LSE128"]);

/** Share of the distinct words whose text must be equal. */
const REQUIRED = 0.995;

/** Random words of each encoding. */
const WORDS_PER_ENCODING = LONG ? 200 : 20;

/** Where the words lie for the comparison, so that branch targets are equal too. */
const ADDRESS = 0x40000000;

/** Distinct words that a boot to user space and back executes. */
async function executedWords(folder: string): Promise<Uint32Array<ArrayBuffer>> {
  const guest = (await catalogEntry("debian")).folder;
  const log = `${folder}/instructions.log`;
  const platform = ["-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-m", "512", "-nographic", "-nic", "none", "-no-reboot"];
  const kernel = ["-kernel", `${guest}/Image`, "-initrd", `${guest}/initrd`, "-append", "console=ttyAMA0 el2=poweroff"];
  const { stdout, stderr } = await runNative("qemu-system-aarch64", [...platform, ...kernel, "-d", "in_asm", "-D", log]);
  assert.match(stdout, /EL2-READY/, `the kernel did not boot on QEMU: ${stderr}`);
  const words = new Set<number>();
  for (const [, word] of (await Deno.readTextFile(log)).matchAll(/^0x[0-9a-f]+: {2}([0-9a-f]{8}) /gm)) words.add(parseInt(word, 16));
  return Uint32Array.from(words).sort();
}

/** objdump's text of each word: mnemonic, a tab, operands; comments and symbols left out. */
async function objdump(words: Uint32Array<ArrayBuffer>, folder: string): Promise<string[]> {
  const file = `${folder}/words.bin`;
  await Deno.writeFile(file, new Uint8Array(words.buffer));
  const options = ["-D", "-b", "binary", "-m", "aarch64", "-M", "no-aliases", `--adjust-vma=0x${ADDRESS.toString(16)}`];
  const { code, stdout, stderr } = await runNative("aarch64-linux-gnu-objdump", [...options, file]);
  assert.equal(code, 0, stderr);
  return [...stdout.matchAll(/^ *[0-9a-f]+:\t[0-9a-f]{8} \t(.*)$/gm)].map(([, text]) =>
    text.replace(/\s*\/\/.*$/, "").replace(/ <.*>$/, "").trim()
  );
}

/**
 * Whether only a system register's name differs, and ours is its number: objdump names registers of
 * extensions that el2 does not have.
 */
function isForeignRegister(ours: string, objdumps: string): boolean {
  const [before, after] = ours.split(/\bs[0-3]_[0-7]_c\d+_c\d+_[0-7]\b/);
  return after !== undefined && objdumps.startsWith(before) && objdumps.endsWith(after) &&
    /^\w+$/.test(objdumps.slice(before.length, objdumps.length - after.length));
}

/**
 * MSR (immediate) of a one-bit field takes four bits and uses the lowest (Arm ARM C6.2.240);
 * objdump names only the values 0 and 1.
 */
function isWideImmediate(ours: string): boolean {
  return /^msr\t(spsel|pan|uao|ssbs|dit), #0x[2-9a-f]$/.test(ours);
}

/** Words whose text differs, by objdump's mnemonic, the most frequent first; one example each. */
function differences(words: Uint32Array, expected: readonly string[]): { count: number; examples: string } {
  assert.equal(expected.length, words.length);
  const different = new Map<string, string[]>();
  let count = 0;
  words.forEach((word, index) => {
    const text = disassemble(word, BigInt(ADDRESS + 4 * index));
    if (text === expected[index] || isForeignRegister(text, expected[index]) || isWideImmediate(text)) return;
    count++;
    const mnemonic = expected[index].split(/\s/)[0];
    const shown = `${word.toString(16).padStart(8, "0")} ours "${text}", objdump's "${expected[index]}"`;
    different.set(mnemonic, [...different.get(mnemonic) ?? [], shown]);
  });
  const worst = [...different].sort(([, a], [, b]) => b.length - a.length).slice(0, 40);
  return { count, examples: worst.map(([name, list]) => `${list.length} x ${name}: ${list[0]}`).join("\n") };
}

/** Words for one run of objdump, whose output is kept as text. */
const WORDS_AT_ONCE = 200_000;

/** Distinct words of a file, whatever they are. */
async function wordsOf(file: string): Promise<Uint32Array<ArrayBuffer>> {
  const bytes = await Deno.readFile(file);
  return Uint32Array.from(new Set(new Uint32Array(bytes.buffer, 0, bytes.length >> 2))).sort();
}

/**
 * Whether the table says what a word is. It need not be the same for objdump where the architecture
 * leaves that open.
 */
function isImplemented(word: number): boolean {
  const instruction = decode(word)?.instruction;
  return instruction !== undefined && !instruction.unpredictable(fieldValues(instruction, word));
}

/** Kernels of the catalog's guests, and programs of the suites, by name. */
async function largeFiles(): Promise<[name: string, file: string][]> {
  const kernels = await Promise.all(
    DEBIAN_RELEASES.map(async (release) => [release, `${(await catalogEntry(`debian-${release}`)).folder}/Image`] as [string, string]),
  );
  const root = await suiteRoot("base");
  const programs = ["usr/lib/aarch64-linux-gnu/libcrypto.so.3", "usr/bin/perl", "usr/bin/python3.11"];
  return [...kernels, ...programs.map((path) => [path, `${root}/${path}`] as [string, string])];
}

longTest("disassembly equals objdump's on the words that a kernel boot executes", () =>
  inFolder(async (folder) => {
    const words = await executedWords(folder);
    assert.ok(words.length > 50_000, `QEMU's log has only ${words.length} distinct words`);
    const { count, examples } = differences(words, await objdump(words, folder));
    assert.ok(count <= words.length * (1 - REQUIRED), `${count} of ${words.length} distinct words differ\n${examples}`);
  }));

Deno.test("disassembly equals objdump's on random words of every encoding of the table", () =>
  inFolder(async (folder) => {
    const random = new Random(1);
    const words: number[] = [];
    for (const encoding of allEncodings()) {
      if (UNKNOWN_TO_OBJDUMP.has(encoding.instruction.feature)) continue;
      for (let i = 0; i < WORDS_PER_ENCODING; i++) {
        const word = randomWord(encoding, random);
        if (word !== undefined) words.push(word);
      }
    }
    const list = Uint32Array.from(words);
    const { count, examples } = differences(list, await objdump(list, folder));
    assert.equal(count, 0, `${count} of ${list.length} random words differ\n${examples}`);
  }));

if (LONG) {
  Deno.test("disassembly equals objdump's on all words of three kernels, libcrypto, perl and python that the table has", () =>
    inFolder(async (folder) => {
      for (const [name, file] of await largeFiles()) {
        const implemented = (await wordsOf(file)).filter(isImplemented);
        let different = 0, shown = "";
        for (let at = 0; at < implemented.length; at += WORDS_AT_ONCE) {
          const words = implemented.slice(at, at + WORDS_AT_ONCE);
          const { count, examples } = differences(words, await objdump(words, folder));
          different += count;
          if (count) shown += `${examples}\n`;
        }
        console.log(`${name}: ${implemented.length} distinct words`);
        assert.equal(different, 0, `${name}: ${different} of ${implemented.length} distinct words differ\n${shown}`);
      }
    }));
}
