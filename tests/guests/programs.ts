// Programs of tests for Linux guests: built here, and put into their ramdisks.

import assert from "node:assert/strict";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { type CpioEntry, withEntries } from "../../src/kit/formats/cpio.ts";

const FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-ffreestanding", "-fno-pic", "-no-pie"];

/**
 * A program of `tests/guests/programs`, which has no C library, as an entry `bin/NAME` of a
 * ramdisk.
 */
export async function guestProgram(name: string): Promise<CpioEntry> {
  const folder = await Deno.makeTempDir({ prefix: "el2-program-" });
  try {
    const source = new URL(`programs/${name}.c`, import.meta.url).pathname;
    const args = [...FLAGS, source, "-o", `${folder}/program`];
    const { success, stderr } = await new Deno.Command(await nativeProgram("aarch64-linux-gnu-gcc"), { args }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return { path: `bin/${name}`, kind: "file", permissions: 0o755, data: await Deno.readFile(`${folder}/program`) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A ramdisk with these programs in it. */
export async function withPrograms(initrd: Uint8Array, ...names: string[]): Promise<Uint8Array> {
  return withEntries(initrd, await Promise.all(names.map(guestProgram)));
}
