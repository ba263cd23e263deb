// Linux guests that a test breaks: process 1 lives or ends as a line on its console names, and
// functions of the kernel are overwritten.

import assert from "node:assert/strict";
import { once } from "../../src/kit/support/values/once.ts";
import { type CpioEntry, writeCpio } from "../../src/kit/formats/cpio.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { guestProgram } from "../guests/programs.ts";
import { Debian } from "../inside/linux/debian.ts";
import { type FactPart, fits } from "./class-guests.ts";

/** Virtual time (ns) between two questions, and to break in. */
export const ASKED = 20e6, PATIENCE = 20e9;
/** Instructions: a call of a function, a branch to one, and one that does nothing. */
export const BL = 0x9400_0000, B = 0x1400_0000, NOP = 0xd503_201f;
/** Lines of a verdict that have its cause, its place and its way out. */
const FIRST_LINES = 4;

const FOLDERS: readonly CpioEntry[] = ["dev", "bin", "lib"].map((path) => ({ path, kind: "folder", permissions: 0o755 }));
export const CONSOLE: CpioEntry = { path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 };
const KMSG: CpioEntry = { path: "dev/kmsg", kind: "device", permissions: 0o600, major: 1, minor: 11 };
const program = once(() => guestProgram("broken-init"));

/** A ramdisk with these files, by path: the program where no bytes are given. */
export async function ramdisk(files: Readonly<Record<string, Uint8Array | string | undefined>>, permissions = 0o755): Promise<Uint8Array> {
  const built = await program();
  assert.ok(built.kind === "file");
  const bytes = (content: Uint8Array | string | undefined) => typeof content === "string" ? new TextEncoder().encode(content) : content;
  const entries = Object.entries(files).map(([path, content]): CpioEntry => (
    { path, kind: "file", permissions, data: bytes(content) ?? built.data }
  ));
  return writeCpio([...FOLDERS, CONSOLE, KMSG, ...entries]);
}

/** A Linux whose process 1 waits to hear how it has to end. */
export const waiting = once(() => waitingOn(1));
/** The same with two CPUs: one of them reports what keeps the other. */
export const waitingOnTwo = once(() => waitingOn(2));

async function waitingOn(cpus: number): Promise<Debian> {
  const debian = await Debian.start("bookworm", {
    cpus,
    initrd: await ramdisk({ init: undefined }),
    append: "console=ttyAMA0 softlockup_panic=1 watchdog_thresh=1 rcupdate.rcu_cpu_stall_timeout=3",
  });
  debian.until(/how\?/);
  return debian;
}

export const verdictOn = (debian: Debian) => debian.rows("diagnose", { filter: "id=vm:host" })[0];

/** Runs until it is not healthy any more, and expects a fact. */
export function assertSick(
  debian: Debian,
  fact: FactPart,
  lines: RegExp,
  { asked, patience } = { asked: ASKED, patience: PATIENCE },
): void {
  for (let time = 0; verdictOn(debian)?.healthy ?? true; time += asked) {
    assert.ok(time < patience && debian.run(asked), `${verdictOn(debian)?.text}\n${debian.shown.slice(-500)}`);
  }
  const row = verdictOn(debian);
  const first = diagnosisLines(row).slice(0, FIRST_LINES).join("\n");
  assert.ok(fits(row.fact, fact), `${JSON.stringify(row.fact)}\n${first}`);
  assert.match(first, lines);
  assert.match(first, /way out: /);
}

/** Writes instructions over a function of the kernel, or at an address: that defect. */
export function patch(debian: Debian, at: string | bigint, words: readonly number[]): void {
  debian.write(typeof at === "string" ? debian.symbol(at) : at, new Uint8Array(Uint32Array.from(words).buffer));
}

export const branch = (kind: number, from: bigint, to: bigint) => kind + Number((to - from) / 4n & 0x3ff_ffffn);
/** A function that no Linux of the tests calls after its boot, and that is long: its bytes. */
const UNUSED = "zlib_inflate", UNUSED_SIZE = 4096;
/** STP X29, X30, [SP, #-16]!; ADR X0 and ADR X1 of the place itself; MOV W0, #0; LDP; RET. */
const PUSH = 0xa9bf_7bfd, ADR_X0 = 0x1000_0000, ADR_X1 = 0x1000_0001, DONE = [0x5280_0000, 0xa8c1_7bfd, 0xd65f_03c0];

/** A system call that logs lines as the kernel's own: `_printk("%s\n", line)` each. */
export function sayBySysinfo(debian: Debian, lines: readonly string[]): void {
  const start = debian.symbol(UNUSED), call = debian.symbol("_printk"), text = new TextEncoder();
  const texts = ["\x013%s\n", ...lines].map((line) => text.encode(`${line}\0`)), code = 4 * (1 + 3 * lines.length + DONE.length);
  const places: number[] = [];
  let size = code;
  for (const { length } of texts) size = places.push(size) && size + (length + 3 & ~3);
  assert.ok(size <= UNUSED_SIZE, `${size} bytes`);
  const bytes = new Uint8Array(size), words = new DataView(bytes.buffer), [format, ...each] = places;
  texts.forEach((one, index) => bytes.set(one, places[index]));
  const adr = (kind: number, at: number, to: number) => kind + ((to - at >> 2) << 5);
  const program = [
    PUSH,
    ...each.flatMap((place, index) => {
      const at = 4 + 12 * index;
      return [adr(ADR_X0, at, format), adr(ADR_X1, at + 4, place), branch(BL, start + BigInt(at + 8), call)];
    }),
    ...DONE,
  ];
  program.forEach((word, index) => words.setUint32(4 * index, word, true));
  debian.write(start, bytes.slice(0, 0x1000 - Number(start & 0xfffn)));
  debian.write(start + BigInt(0x1000 - Number(start & 0xfffn)), bytes.slice(0x1000 - Number(start & 0xfffn)));
  const from = debian.symbol("__arm64_sys_sysinfo");
  patch(debian, from, [branch(B, from, start)]);
}
