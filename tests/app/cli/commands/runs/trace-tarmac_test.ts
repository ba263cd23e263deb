// `el2 trace export FILE.tarmac` and `el2 diff FILE.rec FILE.tarmac`, on a guest that prints and
// powers off in the middle of a turn, and on the demo.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { DEMO } from "../recordings.ts";
import { TarmacComparison } from "../../../../../src/session/export/tarmac-diff.ts";
import { readTarmac, type TarmacRecord } from "../../../../../src/kit/formats/tarmac.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** Address of the code in the image, and where images are loaded. */
const CODE = 0x40, LOADED = 0x4020_0000;
/** movz x1, #0x900, lsl 16; "hi"; str x1, [sp, #-16]!; psci SYSTEM_OFF. */
const PROGRAM = [
  ...[0xd2a1_2001, 0x5280_0d00, 0x3900_0020, 0x5280_0d20, 0x3900_0020, 0x910003e2],
  ...[0x1000_0002, 0x9140_1042, 0xf81f_0c41, 0xf940_0043, 0xd2b0_8000, 0xf280_0100, 0xd400_0002, 0x1400_0000],
];
/** Executed: the branch to the code, and all but the last. */
const EXECUTED = PROGRAM.length;

/** An arm64 Image whose first instruction branches to the program. */
function image(): Uint8Array {
  const bytes = new Uint8Array(0x1_0000), view = new DataView(bytes.buffer);
  view.setUint32(0, 0x1400_0000 | CODE / 4, true);
  view.setBigUint64(16, BigInt(bytes.length), true);
  view.setBigUint64(24, 0xan, true);
  view.setUint32(56, 0x644d_5241, true);
  PROGRAM.forEach((word, index) => view.setUint32(CODE + 4 * index, word, true));
  return bytes;
}

const linesOf = (text: string) => text.split("\n").flatMap((line) => readTarmac(line) ?? []);
const recordsOf = async (file: string): Promise<TarmacRecord[]> => linesOf(await Deno.readTextFile(file)).map(({ record }) => record);

function comparison(own: string, other: string): TarmacComparison {
  const comparison = new TarmacComparison(linesOf(other));
  for (const line of linesOf(own)) comparison.add(line);
  comparison.end();
  return comparison;
}

Deno.test("a trace has each instruction up to the last, with registers and accesses, and the run does what it says", () =>
  inFolder(async (folder) => {
    const [guest, rec, trace, other] = ["guest", "a.rec", "a.tarmac", "b.tarmac"].map((name) => `${folder}/${name}`);
    await Deno.writeFile(guest, image());
    assert.equal((await el2("boot", guest, "--memory", "64MiB", "--stdio", "--record", rec)).code, 0);
    // The last turn counts, in which the guest ends.
    const [{ insn }] = (await el2("profile", rec, "--by", "vm", "--json")).stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(insn, String(EXECUTED));
    const made = await el2("trace", "export", trace, "--recording", rec);
    assert.match(made.stderr, new RegExp(`^el2: ${EXECUTED} instructions, \\d+ bytes in `, "m"));
    const records = await recordsOf(trace), texts = records.flatMap((one) => one.kind === "instruction" ? [one.text] : []);
    assert.equal(texts.length, EXECUTED);
    assert.deepEqual([texts[1], texts[3], texts.at(-1)], ["mov x1, #0x9000000", "strb w0, [x1]", "hvc #0x0"]);
    const accesses = records.filter((one) => one.kind === "memory");
    assert.deepEqual(accesses.map(({ isWrite, size }) => `${isWrite ? "W" : "R"}${size}`), ["W1", "W1", "W8", "R8"]);
    assert.deepEqual(accesses.map(({ value }) => value), [undefined, undefined, 0x900_0000n, 0x900_0000n]);
    assert.ok(records.some((one) => one.kind === "register" && one.name === "X3" && one.value === 0x900_0000n));

    const equal = await el2("diff", rec, trace);
    assert.deepEqual([equal.code, equal.stdout], [0, `the run does what the trace says: ${EXECUTED} instructions\n`]);
    const text = await Deno.readTextFile(trace),
      changes: readonly (readonly [RegExp, string, string])[] = [
        [/R X3 0000000009000000/, "R X3 0000000009000001", "X3: 0x9000000 in the run | 0x9000001 in the trace"],
        [/(MW8 \S+) 0000000009000000/, "$1 0000000009000001", "the byte of a store at 0x"],
        [/(MR8 )0000/, "$10001", "a load at 0x1"],
        [/ 910003e2 O/, " 910003e3 O", "the instruction: 0x40200054  910003e2"],
      ];
    for (const [from, to, said] of changes) {
      const { difference } = comparison(text, text.replace(from, to)), { what, own, other } = difference ?? {};
      assert.ok(`${what}: ${own} in the run | ${other} in the trace`.includes(said), said);
    }
    await Deno.writeTextFile(other, text.replace(changes[0][0], changes[0][1]));
    const different = await el2("diff", rec, other);
    assert.deepEqual([different.code, different.stdout.includes(changes[0][2])], [1, true]);
    // Another producer: a part of the run, without times and physical addresses.
    const part = `IT (1) ${(LOADED + CODE).toString(16).padStart(16, "0")} d2a12001 O EL1h_n : MOV x1,#9000000`;
    assert.equal(comparison(text, `${part}\nR X1 0000000009000000\n`).compared, 1);
    const begins = (x0: string) => comparison(text, `R X0 ${x0}\nIT (1) 0000000040200054 910003e2 O EL1h_n : mov x2, sp\n`).compared;
    assert.deepEqual([begins("0000000000000069"), begins("0000000000000068")], [1, 0], "it begins with the trace's registers");
    assert.equal(comparison(text, "IT (1) 0000000012340000 d2a12001 O EL1h_n : MOV x1,#9000000\n").awaited, 0x1234_0000n);
    await Deno.writeTextFile(other, "no trace\n");
    assert.deepEqual((await el2("diff", rec, other)).code, 2);
  }));

Deno.test("a trace is cut by VM, time and filter, and has exceptions and the changes of others", () =>
  inFolder(async (folder) => {
    const rec = `${folder}/demo.rec`, trace = `${folder}/demo.tarmac`;
    assert.equal((await el2("run", "--record", rec, DEMO, "--headless", "--turbo", "--for", "6ms")).code, 0);
    const of = async (...args: string[]) => {
      const { code, stderr } = await el2("trace", "export", trace, "--recording", rec, ...args);
      assert.equal(code, 0, stderr);
      return await recordsOf(trace);
    };
    const ping = await of("--vm", "ping", "--from", "2ms", "--to", "4ms");
    const taken = ping.findIndex((one) => one.kind === "exception"), exception = ping[taken];
    assert.ok(exception?.kind === "exception" && /^CURRENT_SPX_(IRQ|SYNC)$/.test(exception.name), "an exception");
    const next = ping.slice(taken).find((one) => one.kind === "instruction");
    assert.equal(next?.kind === "instruction" && next.va, exception.pc);
    assert.ok(ping.some((one) => one.kind === "memory" && one.isWrite && one.value !== undefined));
    const place = next?.kind === "instruction" ? next.va.toString(16) : "";
    const cut = await of("--vm", "ping", "--from", "2ms", "--to", "4ms", "--filter", `pc=0x${place} el=1`);
    assert.ok(cut.every((one) => one.kind !== "instruction" || one.va === exception.pc));
    const wrong = [["--filter", "color=red"], ["--kinds", "hvc"], ["--to", "3ms", "--vm", "host"], ["--vm", "none"]];
    for (const args of wrong) {
      const { code, stderr } = await el2("trace", "export", `${folder}/none.tarmac`, "--recording", rec, ...args);
      const said = args.includes("none")
        ? /^el2: no VM called "none"; use one of hello, ping, pong\n$/
        : /no such instruction was executed/;
      assert.ok(code === 2 || code === 1 && said.test(stderr), stderr);
    }
    await assert.rejects(Deno.stat(`${folder}/none.tarmac`), Deno.errors.NotFound);
    assert.equal((await el2("trace", "export", `${folder}/a.ndjson`, "--recording", rec, "--vm", "ping")).code, 2);
  }));
