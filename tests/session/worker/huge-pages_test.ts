// A machine with a kernel, and a file of many megabytes, get huge pages: Linux lists the advice
// with the mappings of their process.

import assert from "node:assert/strict";
import { ConsoleProgram } from "../../support/console.ts";
import { el2Command } from "../../support/el2.ts";
import { ROOT } from "../../support/files.ts";

/** MiB of RAM of the machines. */
const MEMORY = 64;

const SMALL = new URL("assets/guests/hello.bin", ROOT).pathname;

/** The right that they need. */
const FFI = "--allow-ffi";

/** MiB in mappings that may have huge pages: `hg` among the flags of proc_pid_smaps(5). */
function advised(mappings: string): number {
  let size = 0, sum = 0;
  for (const line of mappings.split("\n")) {
    const kibibytes = /^Size: +(\d+) kB/.exec(line)?.[1];
    if (kibibytes !== undefined) size = Number(kibibytes);
    else if (/^VmFlags:.* hg\b/.test(line)) sum += size;
  }
  return sum / 1024;
}

/** MiB that are advised once the guest of an image runs; `without` this flag of el2's process. */
async function advisedFor(image: string, without?: string): Promise<number> {
  const command = el2Command("boot", image, "--memory", `${MEMORY}MiB`, "--stdio");
  await using el2 = new ConsoleProgram(command.filter((word) => word !== without));
  await el2.expect(/tick 1/, 60);
  return advised(await el2.mappings());
}

/** The same program with zeros after it, so that it has the size of a kernel: as many MiB. */
async function large(folder: string, size: number): Promise<string> {
  const bytes = new Uint8Array(size << 20), path = `${folder}/large.bin`;
  bytes.set(await Deno.readFile(SMALL));
  await Deno.writeFile(path, bytes);
  return path;
}

Deno.test({
  name: "huge pages: the RAM of a machine with a kernel, and a large image, not those of a small program, nor without the right",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "el2-" });
    try {
      const image = await large(folder, 3), memory = await advisedFor(image);
      assert.ok(memory >= MEMORY, "no advice for the RAM of a large image");
      // All of the image's own memory but its first page, which is the C library's too.
      const more = await advisedFor(await large(folder, 12)) - memory;
      assert.ok(more >= 11, `advice for ${more} MiB of an image of 12`);
      await large(folder, 3);
      assert.equal(await advisedFor(SMALL), 0);
      assert.ok(el2Command().includes(FFI));
      assert.equal(await advisedFor(image, FFI), 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
