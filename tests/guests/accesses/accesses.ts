// A bare-metal guest whose accesses and calls a test lists (guest.c): its instructions perform
// them, and it reports on its console.

import assert from "node:assert/strict";
import { joined } from "../../../src/kit/support/values/bytes.ts";
import { readElf } from "../../../src/kit/formats/elf.ts";
import { Gicd } from "../../../src/machine/hypervisor/gic/gic-registers.ts";
import { runNative } from "../../support/oracles.ts";

/** Where the guest finds its console and its GIC. */
export interface GuestPlatform {
  readonly uart: number;
  readonly gicd: number;
  readonly gicr: number;
}

/**
 * Something that the guest does. Times are ns; `irq` acknowledges an interrupt and ends it, `flush`
 * prints what is known so far, `skip` has it continue after accesses that fault.
 */
export type Step =
  | { readonly do: "load"; readonly at: number; readonly size: number }
  | { readonly do: "store"; readonly at: number; readonly size: number; readonly value: number | bigint }
  | { readonly do: "smc" | "hvc"; readonly x: readonly number[] }
  | { readonly do: "wait" | "spin"; readonly ns: number }
  | { readonly do: "irq" | "flush" | "skip" };

const KINDS = ["load", "store", "smc", "hvc", "wait", "spin", "irq", "flush", "skip"] as const;
const SPURIOUS = 1023;
const FOLDER = new URL("./", import.meta.url).pathname;

/** The program without steps: an arm64 Image. */
export async function buildAccesses(): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const program = `${folder}/program`;
    const language = "-O1 -ffreestanding -mgeneral-regs-only -mstrict-align -mcmodel=tiny -fno-pic -fno-pie -fno-stack-protector";
    const warnings = "-Wall -Wextra -Werror -Wno-main";
    const link = "-nostdlib -static -Wl,--build-id=none -Wl,-n";
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [
      ...`${language} ${warnings} ${link}`.split(" "),
      ...["-T", `${FOLDER}guest.ld`, "-o", program, `${FOLDER}start.S`, `${FOLDER}guest.c`],
    ]);
    assert.equal(code, 0, stderr);
    const { segments: [{ bytes }] } = readElf(await Deno.readFile(program));
    return bytes;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The program with its steps. */
export function withSteps(program: Uint8Array, { uart, gicd, gicr }: GuestPlatform, steps: readonly Step[]): Uint8Array {
  const words = [uart, gicd, gicr, steps.length, ...steps.flatMap(wordsOf)];
  const image = new Uint8Array(program.length + 8 * words.length);
  image.set(program);
  const view = new DataView(image.buffer, program.length);
  words.forEach((word, index) => view.setBigUint64(8 * index, BigInt(word), true));
  return image;
}

/** Instructions that copy what follows them from flash to RAM, at 1 GiB, and enter it there. */
const COPY_TO_RAM = [
  0x10000140, // adr x0, 40
  0xd2a80001, // mov x1, #0x40000000
  0x91408022, // add x2, x1, #0x20, lsl #12
  0xf8408403, // ldr x3, [x0], #8
  0xf8008423, // str x3, [x1], #8
  0xeb02003f, // cmp x1, x2
  0x54ffffa3, // b.cc 12
  0xd2a80001, // mov x1, #0x40000000
  0xd61f0020, // br x1
  0xd503201f, // nop
];

/** The program with its steps as firmware, which QEMU's `virt` starts in flash. */
export function asFirmware(program: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined([new Uint8Array(Uint32Array.from(COPY_TO_RAM).buffer), program]);
}

function wordsOf(step: Step): (number | bigint)[] {
  const kind = KINDS.indexOf(step.do);
  switch (step.do) {
    case "load":
      return [kind, step.at, step.size, 0];
    case "store":
      return [kind, step.at, step.size, step.value];
    case "smc":
    case "hvc":
      return [kind, ...[0, 1, 2].map((index) => step.x[index] ?? 0)];
    case "wait":
    case "spin":
      return [kind, step.ns, 0, 0];
    case "irq":
    case "flush":
    case "skip":
      return [kind, 0, 0, 0];
  }
}

/** Enables shared interrupts; those of `edges` are edges, the others of their words levels. */
export function enableSteps({ gicd }: Pick<GuestPlatform, "gicd">, intids: readonly number[], edges: readonly number[]): Step[] {
  return intids.flatMap((intid) => {
    const bits = (offset: number, value: number): Step => ({ do: "store", at: gicd + offset + 4 * (intid >> 5), size: 4, value });
    // Two bits of configuration for each interrupt.
    const bit = 2 ** (intid & 31), first = intid & ~15;
    const own = edges.map((each) => each - first).filter((index) => index >= 0 && index < 16);
    const value = own.reduce((sum, index) => sum + 2 * 4 ** index, 0);
    return [
      bits(Gicd.ICENABLER, bit),
      { do: "store", at: gicd + Gicd.ICFGR + first / 4, size: 4, value },
      bits(Gicd.IGROUPR, 0xffff_ffff),
      bits(Gicd.ICPENDR, bit),
      bits(Gicd.ISENABLER, bit),
    ];
  });
}

/** Results of loads, calls and interrupts, by the number of their step. */
export function reported(console: string): ReadonlyMap<number, readonly bigint[]> {
  return new Map([...console.matchAll(/^([0-9a-f]+)((?: [0-9a-f]+)+)\r?$/gm)].map(([, step, values]) => {
    return [parseInt(step, 16), values.trim().split(" ").map((value) => BigInt(`0x${value}`))];
  }));
}

/**
 * Steps with the values that they are to give. Each cites a line of a document, and the words in
 * it that it checks.
 */
export class Checks {
  readonly steps: Step[] = [];
  /** Words of the document by the beginning of their line. */
  readonly claims: [line: string, words: string][] = [];
  readonly #expected = new Map<number, { readonly what: string; readonly values: readonly bigint[] }>();
  #line = "";

  /** The next checks are those of the document's line that begins so. */
  line(beginning: string): this {
    this.#line = beginning;
    return this;
  }

  /** A load gives `value`. */
  load(words: string, at: number, size: number, value: number): this {
    return this.#add(words, { do: "load", at, size }, [value]);
  }

  store(words: string, at: number, size: number, value: number): this {
    return this.#add(words, { do: "store", at, size, value });
  }

  /** A call gives `values` in X0 and the registers after it. */
  call(words: string, conduit: "smc" | "hvc", x: readonly number[], values: readonly (number | bigint)[]): this {
    return this.#add(words, { do: conduit, x }, values);
  }

  /** The interrupt that the guest acknowledges, if any. */
  irq(words: string, intid: number | undefined): this {
    return this.#add(words, { do: "irq" }, [intid ?? SPURIOUS]);
  }

  /** Steps that check nothing. */
  then(...steps: readonly Step[]): this {
    this.steps.push(...steps);
    return this;
  }

  /** Values that a console's text lacks, or has otherwise. */
  differences(console: string): string[] {
    const found = reported(console);
    return [...this.#expected].flatMap(([step, { what, values }]) => {
      const given = found.get(step)?.slice(0, values.length);
      if (given !== undefined && given.every((value, index) => value === values[index])) return [];
      const text = (list: readonly bigint[]) => list.map((value) => `0x${value.toString(16)}`).join(" ");
      return [`${what} gives ${given === undefined ? "nothing" : text(given)}, not ${text(values)}`];
    });
  }

  #add(words: string, step: Step, values?: readonly (number | bigint)[]): this {
    this.claims.push([this.#line, words]);
    const place = "at" in step ? ` at 0x${step.at.toString(16)}` : ` ${"x" in step ? step.x.map((x) => x.toString(16)) : ""}`;
    const what = `${this.#line}: ${words}: ${step.do}${place}`;
    if (values) this.#expected.set(this.steps.length, { what, values: values.map((value) => BigInt.asUintN(64, BigInt(value))) });
    this.steps.push(step);
    return this;
  }
}

/**
 * Where checks and a section of a document differ: words that the section does not have, and parts
 * of its lines that no check has.
 * @param part what a check has to cover, as a global pattern
 */
export function uncovered(lines: readonly string[], claims: Checks["claims"], part: RegExp): string[] {
  const wrong = claims.filter(([line, words]) => !lines.some((text) => text.startsWith(line) && text.includes(words)));
  const missing = lines.flatMap((text) => {
    const words = claims.filter(([line]) => text.startsWith(line)).map(([, words]) => words);
    const covered = words.flatMap((each) => [...each.matchAll(part)].map(([found]) => found));
    const parts = [...text.matchAll(part)].map(([found]) => found).filter((found) => !covered.includes(found));
    return words.length === 0 ? [`no check of: ${text}`] : parts.map((each) => `no check of ${each} in: ${text}`);
  });
  return [...new Set(wrong.map(([line, words]) => `the section does not have: ${line} ${words}`)), ...missing];
}
