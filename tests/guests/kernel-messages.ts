// Warnings of a kernel, and the devicetree that it was given, read at a shell's prompt. Given the
// same tree, QEMU shows which of the warnings come without el2, too.

import assert from "node:assert/strict";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { qemuCommand } from "../support/el2.ts";
import { NO_SELF_TESTS } from "./command-line.ts";

/** A console with a shell, of a program or of a guest in the test's own thread. */
interface Shell {
  /** All that it has shown. */
  readonly text: string;
  expect(pattern: RegExp, seconds: number): Promise<RegExpExecArray>;
  type(line: string): void | Promise<void>;
}

/** Kernel messages of level warning and above, without their time stamps. */
export async function warnings(shell: Shell, seconds: number): Promise<string[]> {
  const from = shell.text.length;
  await shell.type("dmesg -r | grep '^<[0-4]>'; echo informational: $(dmesg -r | grep -c '^<6>')");
  // Up to the line end: a console comes in pieces, and the first digits of the number are a number
  // too.
  const [, informational] = await shell.expect(/^informational: (\d+)\n/m, seconds);
  assert.ok(Number(informational) > 50, "dmesg shows levels");
  await shell.expect(PROMPT, seconds);
  const lines = shell.text.slice(from).split("\n").filter((line) => /^<[0-4]>\[/.test(line));
  return lines.map((line) => line.replace(/^<\d+>\[[ \d.]+\] /, ""));
}

/** The devicetree that the kernel was given. */
export async function givenTree(shell: Shell, seconds: number): Promise<Uint8Array> {
  const from = shell.text.length;
  await shell.type("base64 /sys/firmware/fdt; echo end of tree");
  await shell.expect(/^end of tree$/m, seconds);
  await shell.expect(PROMPT, seconds);
  return Uint8Array.fromBase64(shell.text.slice(from).split("\n").filter((line) => /^[A-Za-z0-9+/=]{4,76}$/.test(line)).join(""));
}

/**
 * QEMU, whose kernel and ramdisk are `Image` and `initrd` of a folder.
 * @param dtb path of the devicetree
 */
export async function qemuWith(folder: string, dtb: string, more: readonly string[] = []): Promise<ConsoleProgram> {
  const kernel = ["-kernel", `${folder}/Image`, "-initrd", `${folder}/initrd`, "-append", `console=ttyAMA0 quiet ${NO_SELF_TESTS}`];
  return new ConsoleProgram(await qemuCommand(...more, "-m", "512", "-dtb", dtb, ...kernel));
}
