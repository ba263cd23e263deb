// Linux guests that break, each with its cause, place and way out in the first lines of its
// verdict; and others that look like them and are healthy.

import assert from "node:assert/strict";
import { type CpioEntry, writeCpio } from "../../src/formats/cpio.ts";
import { diagnosisLines } from "../../src/queries/diagnosis-text.ts";
import type { LinuxFinding } from "../../src/queries/facts/linux-finding.ts";
import { once } from "../../src/isa/once.ts";
import { guestProgram } from "../guests/programs.ts";
import { Debian } from "../linux/debian.ts";
import { fits } from "./class-guests.ts";

const LONG = Deno.env.get("EL2_LONG") !== undefined;
/** Virtual time (ns) between two questions, to break in, and of a healthy life. */
const ASKED = 20e6, PATIENCE = 20e9, LIFE = 3e9;
/** Lines of a verdict that have its cause, its place and its way out. */
const FIRST_LINES = 3;

const FOLDERS: readonly CpioEntry[] = ["dev", "bin", "lib"].map((path) => ({ path, kind: "folder", permissions: 0o755 }));
const CONSOLE: CpioEntry = { path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 };
const program = once(() => guestProgram("broken-init"));

/** A ramdisk with these files, by path: the program where no bytes are given. */
async function ramdisk(files: Readonly<Record<string, Uint8Array | string | undefined>>, permissions = 0o755): Promise<Uint8Array> {
  const built = await program();
  assert.ok(built.kind === "file");
  const bytes = (content: Uint8Array | string | undefined) => typeof content === "string" ? new TextEncoder().encode(content) : content;
  const entries = Object.entries(files).map(([path, content]): CpioEntry => (
    { path, kind: "file", permissions, data: bytes(content) ?? built.data }
  ));
  return writeCpio([...FOLDERS, CONSOLE, ...entries]);
}

/** A Linux whose process 1 waits to hear how it has to end. */
const waiting = once(async () => {
  const debian = await Debian.start("bookworm", { initrd: await ramdisk({ init: undefined }), append: "console=ttyAMA0 -- x" });
  debian.until(/how\?/);
  return debian;
});

const verdictOn = (debian: Debian) => debian.rows("diagnose", { filter: "id=vm:host" })[0];

/** Runs until it is not healthy any more, and expects this cause of its panic. */
function assertBreaks(debian: Debian, cause: Partial<LinuxFinding>, lines: RegExp): void {
  for (let time = 0; verdictOn(debian).healthy; time += ASKED) {
    assert.ok(time < PATIENCE && debian.run(ASKED), `${verdictOn(debian).text}\n${debian.shown.slice(-500)}`);
  }
  const row = verdictOn(debian);
  const first = diagnosisLines(row).slice(0, FIRST_LINES).join("\n");
  assert.ok(fits(row.fact, { code: "panicked", cause }), `${JSON.stringify(row.fact)}\n${first}`);
  assert.match(first, lines);
  assert.match(first, /; way out: /);
}

type Case = readonly [how: string, cause: Partial<LinuxFinding>, lines: RegExp];

/** Ends of process 1. */
const ENDS: readonly Case[] = [
  ["exit", { code: "init-exited", program: "/init", status: 7 }, /init \(\/init\) ended with exit code 7/],
  ["exit-group", { code: "init-exited", status: 0 }, /exit code 0/],
  ["undefined", { code: "init-killed", signal: "SIGILL" }, /SIGILL at \/init\+0x[0-9a-f]+: the word 0x00000000 is not an instruction/],
  ["sve", { code: "init-killed", signal: "SIGILL" }, /ptrue needs FEAT_SVE, which the CPU "v8" does not have/],
  ["bf16", { code: "init-killed", signal: "SIGILL" }, /bfdot needs FEAT_BF16, which the CPU "v8" does not have; .*cpu = "v8.6"/],
  ["null", { code: "init-killed", signal: "SIGSEGV" }, /SIGSEGV at \/init\+0x[0-9a-f]+: 0x8 is not mapped/],
  ["jump", { code: "init-killed", signal: "SIGSEGV" }, /0x1234567000 is not mapped/],
  ["read-only", { code: "init-killed", signal: "SIGSEGV" }, /the store at 0x[0-9a-f]+ is not permitted at EL0, which has r/],
  ["stack", { code: "init-killed", signal: "SIGBUS" }, /SP is 0x1001, not a multiple of 16/],
  ["trap", { code: "init-killed", signal: "SIGTRAP" }, /brk #1 was executed on purpose/],
  ["privileged", { code: "init-killed", signal: "SIGILL" }, /vbar_el1 belongs to EL1, and was executed at EL0/],
  ["memory", { code: "out-of-memory", task: { name: "init", pid: 1 } }, /no memory is left of \d+ MiB/],
  ["sysrq", { code: "sysrq-crash", task: { name: "init", pid: 1 } }, /init \(1\) asked for the crash/],
];

/** They fill the memory first. */
const SLOW = ["memory", "child-killed"];
const inTime = (how: string) => LONG || !SLOW.includes(how);

for (const [how, cause, lines] of ENDS.filter(([how]) => inTime(how))) {
  Deno.test(`Linux panics after its init ends: ${how}`, async () => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    assertBreaks(debian, cause, lines);
  });
}

for (const how of ["stay", "child-killed", "child-dies", "vfork", "sysinfo"].filter(inTime)) {
  Deno.test(`Linux is healthy though a program dies or waits: ${how}`, async () => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    for (let time = 0; time < LIFE; time += LIFE / 20) {
      assert.ok(debian.run(LIFE / 20), debian.shown);
      const row = verdictOn(debian);
      assert.ok(row.healthy, diagnosisLines(row).join("\n"));
    }
  });
}
