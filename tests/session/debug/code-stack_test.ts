// Frames from instructions against frames from the compiler's call frame information, at every
// instruction of a program; and against the same rules after they were written for debuggers.

import assert from "node:assert/strict";
import { Pstate } from "../../../src/cpu/core/architecture/exceptions.ts";
import { debugFrame } from "../../../src/kit/formats/dwarf/frame-writer.ts";
import { type FrameRow, FrameTable } from "../../../src/kit/formats/dwarf/frames.ts";
import type { Vcpu } from "../../../src/machine/hypervisor/inspect.ts";
import { type CodePiece, FrameAnalysis } from "../../../src/inside/symbols/code-analysis.ts";
import { CodeFrames } from "../../../src/inside/symbols/code-frames.ts";
import { readElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { SymbolTable } from "../../../src/inside/symbols/symbol-table.ts";
import { guestReader, unwind } from "../../../src/inside/symbols/unwind.ts";
import { debuggedMachine } from "./debugged-machine.ts";
import { type BuildOptions, buildProgram, native, withTempFolder } from "./programs.ts";

const STEPS = 600;

/** A machine before the first instruction of a program. */
function start(image: Uint8Array<ArrayBuffer>) {
  const { system, control, stop } = debuggedMachine(image);
  const first = stop().vcpu;
  const step = () => {
    control.goOn(first);
    return stop().vcpu;
  };
  return { system, vcpu: first, step };
}

const BUILDS: readonly BuildOptions[] = [
  { optimize: "-O0" },
  { optimize: "-O1", more: ["-fomit-frame-pointer"] },
  { optimize: "-O2" },
  { optimize: "-O2", more: ["-fno-omit-frame-pointer", "-mbranch-protection=standard", "-fstack-clash-protection"] },
];

/** Rules as a text; undefined if only the frame pointer can tell. */
function textOf(row: FrameRow | undefined): string | undefined {
  if (!row) return undefined;
  const { cfa, rules, signal, returns } = row;
  const texts = [...rules].map(([register, rule]) => `${register}: ${Object.values(rule).join(" ")}`).sort();
  return [Object.values(cfa).join(" "), String(signal), String(returns), ...texts].join("; ");
}

for (const build of BUILDS) {
  const flags = [build.optimize, ...build.more ?? []].join(" ");
  Deno.test(`frames from the instructions of gcc ${flags} are those of its call frame information`, async () => {
    await withTempFolder(async (folder) => {
      const image = await buildProgram("calls", `${folder}/calls.elf`, build);
      const { system, vcpu, step } = start(image);
      const infos = system.symbols.infos("host"), read = guestReader(system.symbols.core, system.machine.ram, vcpu);
      const code = new CodeFrames([new SymbolTable(readElfSymbols(image), "image")], read);
      const { registers } = vcpu;
      let deepest = 0, compared = 0;
      for (let count = 0; count < STEPS; count++, step()) {
        const sp = registers.getRegister(registers.pstate & Pstate.SP ? "SP_EL1" : "SP_EL0");
        const described = unwind(vcpu, sp, read, infos), found = unwind(vcpu, sp, read, [], code);
        // The start has no caller, and leaves what is in X30.
        if (described.length === 1 && compared > 0) break;
        if (described.length === 1) continue;
        const place = `0x${registers.pc.toString(16)}, step ${count}`;
        assert.deepEqual(found.map(({ pc }) => pc), described.map(({ pc }) => pc), place);
        assert.deepEqual(found.slice(0, -1).map(({ cfa }) => cfa), described.slice(0, -1).map(({ cfa }) => cfa), place);
        for (const [index, frame] of found.entries()) {
          // Registers that functions keep for their callers.
          assert.deepEqual(frame.registers.slice(19, 29), described[index].registers.slice(19, 29), `${place}, frame ${index}`);
        }
        compared++;
        deepest = Math.max(deepest, found.length);
      }
      assert.ok(compared > 300, `${compared} places`);
      assert.ok(deepest >= 6, `${deepest} frames`);

      const section = debugFrame([...code.all(() => false)]);
      const table = new FrameTable({
        bytes: (name) => name === ".debug_frame" ? section : new Uint8Array(),
        address: () => 0n,
        moved: 0n,
      });
      let rows = 0;
      for (const { address, type } of code.tables[0].symbols) {
        const next = code.tables[0].next(address) ?? address;
        // The last function's end is unknown.
        if (type !== "T" || next - address > 0x1000n) continue;
        for (let at = address; at < next; at += 4n) {
          const row = code.at(at);
          assert.equal(textOf(table.at(at)), textOf(row) ?? "29 16; false; 30; 29: offset -16; 30: offset -8", `0x${at.toString(16)}`);
          rows++;
        }
      }
      assert.ok(rows > 50, `${rows} instructions`);
    });
  });
}

/** Instructions of a text in assembly. */
async function assembled(text: string): Promise<CodePiece> {
  const folder = await Deno.makeTempDir({ prefix: "el2-code-" });
  try {
    await Deno.writeTextFile(`${folder}/code.s`, `${text}\n`);
    await native("aarch64-linux-gnu-as", "-o", `${folder}/code.o`, `${folder}/code.s`);
    await native("aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", `${folder}/code.o`, `${folder}/code.bin`);
    return { start: 0x1000n, words: new Uint32Array((await Deno.readFile(`${folder}/code.bin`)).buffer) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** CFA and return address at an instruction of a function. */
async function rulesAt(text: string, index: number): Promise<string | undefined> {
  const analysis = new FrameAnalysis([await assembled(text)]), at = 0x1000n + 4n * BigInt(index), row = analysis.at(at);
  assert.deepEqual(row, analysis.rows().findLast(({ start }) => start <= at)?.row);
  if (!row || !("register" in row.cfa)) return undefined;
  const rule = row.rules.get(row.returns);
  const returns = !rule ? "link" : "offset" in rule ? `${rule.offset}` : "register" in rule ? `x${rule.register}` : rule.kind;
  return `${row.cfa.register}+${row.cfa.offset} ${returns}${row.signal ? " signal" : ""}`;
}

Deno.test("a function that never returns, reserves a variable amount, or jumps by a table has the rules that its frame gives", async () => {
  const frame = "stp x29, x30, [sp, #-32]!\nmov x29, sp\n", end = "ldp x29, x30, [sp], #32\nret\n";
  assert.equal(await rulesAt("mov x0, #1\nret", 0), "31+0 link");
  assert.equal(await rulesAt("mov x0, #1\nb .", 0), undefined, "without a return, X30 may be anything");
  assert.equal(await rulesAt("bl .+64\nnop\nret", 1), undefined, "the call has replaced X30");
  assert.equal(await rulesAt(`${frame}sub sp, sp, x0\nnop\nmov sp, x29\n${end}`, 3), "29+32 -24", "the frame pointer remains");
  assert.equal(await rulesAt(`${frame}add sp, x0, #64\nblr x1\nmov sp, x29\n${end}`, 3), "29+32 -24 signal", "another stack");
  assert.equal(await rulesAt(`${frame}br x3\nnop\n${end}`, 3), "29+32 -24", "a target of a table of jumps");
  // The call does not return: what comes after it is reached by the branch alone.
  assert.equal(await rulesAt(`cbz x0, 1f\n${frame}bl .+64\n1: nop\nret`, 4), "31+0 link");
  // A tracer's call, which keeps X30.
  assert.equal(await rulesAt("mov x9, x30\nbl .+64\nnop\nret", 2), "31+0 link");
  assert.equal(await rulesAt("mov x9, x30\nmov x30, x1\nnop\nmov x30, x9\nret", 2), "31+0 x9");
  // Exceptions: in EL1 the stack continues, of EL0 nothing is followed.
  const entry = (sp: string) =>
    `stp x28, x29, [sp, #224]\n${sp}\nmrs x22, elr_el1\nstp x30, x21, [sp, #240]\nstp x22, x23, [sp, #256]\nnop\n`;
  assert.equal(await rulesAt(`${entry("add x21, sp, #336")}bl .+64\nb .+64`, 6), "31+0 256 signal");
  assert.equal(await rulesAt(`${entry("mrs x21, sp_el0")}bl .+64\nb .+64`, 6), "31+0 undefined signal");
  assert.equal(await rulesAt(`${entry("add x21, sp, #336")}bl .+64\nb .+64`, 3), undefined, "not all is saved yet");
});

Deno.test("a stack continues on another one, above or below it", async () => {
  const frame = "stp x29, x30, [sp, #-16]!\nmov x29, sp\n", end = "ldp x29, x30, [sp], #16\nret\n";
  const { start, words } = await assembled(
    `outer: ${frame}bl switch\n${end}switch: ${frame}add sp, x0, #64\nblr x1\nmov sp, x29\n${end}inner: ${frame}nop\n${end}`,
  );
  const functions = [["outer", 0x1000n], ["switch", 0x1014n], ["inner", 0x1030n], ["end", 0x1044n]] as const;
  const symbols = new SymbolTable(functions.map(([name, address]) => ({ name, type: name === "end" ? "D" : "T", address })), "test");
  for (const other of [0x6000n, 0x9000n]) {
    // Frame records: the caller's X29 and return address.
    const memory = new Map([[0x8000n, [0n, 0n]], [0x7ff0n, [0x8000n, 0x100cn]], [other, [0x7ff0n, 0x1024n]]]);
    const read = (address: bigint, size: number) => {
      const record = memory.get(address & ~15n);
      if (record) return new Uint8Array(new BigUint64Array(record).buffer).slice(Number(address & 15n)).slice(0, size);
      return new Uint8Array(words.buffer).slice(Number(address - start)).slice(0, size);
    };
    const registers = { getRegister: () => 0n, getX: (number: number) => number === 29 ? other : 0n, pc: 0x1038n };
    const frames = unwind({ registers } as unknown as Vcpu, other, read, [], new CodeFrames([symbols], read));
    assert.deepEqual(frames.map(({ pc, note }) => [pc, note]), [[0x1038n, undefined], [0x1024n, undefined], [0x100cn, undefined]]);
  }
});

Deno.test("return addresses with codes of pointer authentication are those without, whatever bits the addresses have", () => {
  // T0SZ and T1SZ. Codes are above the bits of addresses, but for bit 55, which selects the half.
  for (const bits of [39n, 48n]) {
    const tcr = 64n - bits | 64n - bits << 16n, code = BigInt.asUintN(64, -1n << bits) & ~(1n << 55n) & 0x5a5a_5a5a_5a5a_5a5an;
    for (const plain of [0x12_3456_7890n, BigInt.asUintN(64, -0x12_3456_7890n)]) {
      const signed = plain ^ code, caller = plain + 0x40n ^ code;
      const read = (address: bigint) => new Uint8Array(new BigUint64Array(address === 0x8000n ? [0n, caller] : [0n, 0n]).buffer);
      const registers = { getX: (number: number) => number === 30 ? signed : 0n, pc: plain - 8n, getRegister: () => tcr };
      const [, byLink] = unwind({ registers } as unknown as Vcpu, 0x8000n, read, []);
      assert.deepEqual([byLink.pc, byLink.at], [plain, plain - 4n]);
      const framed = { ...registers, getX: (number: number) => number === 29 ? 0x8000n : signed };
      assert.equal(unwind({ registers: framed } as unknown as Vcpu, 0x8000n, read, [])[1].pc, plain + 0x40n);
    }
  }
});

Deno.test("any words are analyzed in bounded time, and their rules can be written and read", () => {
  let seed = 7;
  const random = () => seed = Math.imul(seed, 1664525) + 1013904223 >>> 0;
  for (let round = 0; round < 40; round++) {
    // Branches, and what moves SP, are frequent.
    const words = Uint32Array.from({ length: 400 }, () => {
      const kind = random() >>> 28, word = random();
      if (kind < 4) return [0x14000000, 0x54000000, 0x94000000, 0xb4000000][kind] | word >>> 24;
      if (kind < 8) return [0xa9800000, 0xd1000000, 0xa8c00000, 0x91000000][kind - 4] | word & 0x7f_ffff;
      return word;
    });
    const symbols = new SymbolTable([{ name: "f", type: "T", address: 0x1000n }, { name: "end", type: "D", address: 0x1640n }], "test");
    const code = new CodeFrames([symbols], (_, size) => new Uint8Array(words.buffer).slice(0, size));
    const section = debugFrame([...code.all(() => false)]);
    const table = new FrameTable({ bytes: (name) => name === ".debug_frame" ? section : new Uint8Array(), address: () => 0n, moved: 0n });
    for (let at = 0x1000n; at < 0x1640n; at += 52n) {
      const row = code.at(at);
      if (row) assert.equal(textOf(table.at(at)), textOf(row), `round ${round}, 0x${at.toString(16)}`);
      else assert.ok(table.at(at), `round ${round}: every address has a rule`);
    }
  }
});
