// Builds the probe as probe/build.sh does, with the cross compiler of the tests.

import assert from "node:assert/strict";
import { runNative } from "../../support/oracles.ts";

const SOURCE = new URL(".", import.meta.url).pathname.replace(/\/$/, "");

/** Flags of probe/build.sh, which works without el2. */
const COMPILE = [
  ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-march=armv8-a", "-mgeneral-regs-only", "-mstrict-align", "-ffreestanding", "-fno-pic"],
  ["-fvisibility=hidden", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns"],
  ["-mno-outline-atomics", "-fno-jump-tables", "-DCPU_SIZE=4096", "-nostdlib", "-static", "-no-pie"],
  ["-Wl,--no-warn-rwx-segments,--build-id=none,-z,norelro,-z,noexecstack"],
].flat();

/** Builds the probe, an arm64 Linux Image. */
export async function buildProbe(folder: string): Promise<string> {
  const sources = ["-T", `${SOURCE}/probe.ld`, "-I", SOURCE, "-o", `${folder}/probe.elf`, `${SOURCE}/start.S`, `${SOURCE}/probe.c`];
  const compiled = await runNative("aarch64-linux-gnu-gcc", [...COMPILE, ...sources]);
  assert.equal(compiled.code, 0, compiled.stderr);
  const copied = await runNative("aarch64-linux-gnu-objcopy", [
    "-O",
    "binary",
    "-j",
    ".text",
    `${folder}/probe.elf`,
    `${folder}/probe.bin`,
  ]);
  assert.equal(copied.code, 0, copied.stderr);
  return `${folder}/probe.bin`;
}
