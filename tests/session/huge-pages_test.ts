// A machine with a kernel gets huge pages: Linux lists the advice with the mappings of its process.

import assert from "node:assert/strict";
import { PERMISSIONS } from "../../src/cli/common/runtime.ts";
import { ROOT } from "../support/files.ts";

/** MiB of RAM of the machines. */
const MEMORY = 64;

/** MiB of a process in mappings that may have huge pages: `hg` in VmFlags of proc_pid_smaps(5). */
function advised(pid: number): number {
  // Deno reads /proc only with all permissions.
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/smaps`], stderr: "null" }).outputSync();
  let size = 0, sum = 0;
  for (const line of new TextDecoder().decode(stdout).split("\n")) {
    const kibibytes = /^Size: +(\d+) kB/.exec(line)?.[1];
    if (kibibytes !== undefined) size = Number(kibibytes);
    else if (/^VmFlags:.* hg\b/.test(line)) sum += size;
  }
  return sum / 1024;
}

/** The most that is advised while el2 boots an image, until `enough` or the end of the run. */
async function advisedIn(image: string, enough: number, permissions = PERMISSIONS): Promise<number> {
  const words = ["boot", image, "--memory", `${MEMORY}MiB`, "--stdio", "--timeout", "60s"];
  const args = ["run", "-q", "--no-check", ...permissions, new URL("main.ts", ROOT).href, ...words];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  let most = 0, ended = false;
  child.status.then(() => ended = true);
  while (!ended && most < enough) {
    most = Math.max(most, advised(child.pid));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (!ended) child.kill("SIGKILL");
  await child.status;
  return most;
}

/** hello.bin, which ends soon, with zeros after it, so that it has the size of a kernel. */
async function large(folder: string): Promise<string> {
  const bytes = new Uint8Array(3 << 20), path = `${folder}/large.bin`;
  bytes.set(await Deno.readFile(new URL("assets/guests/hello.bin", ROOT)));
  await Deno.writeFile(path, bytes);
  return path;
}

Deno.test({
  name: "huge pages: the RAM of a machine with a kernel, not that of a small program, nor without the right",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "el2-" });
    try {
      const image = await large(folder);
      assert.ok(await advisedIn(image, MEMORY) >= MEMORY, "no advice for a large image");
      assert.equal(await advisedIn(new URL("assets/guests/hello.bin", ROOT).pathname, MEMORY), 0);
      assert.equal(await advisedIn(image, MEMORY, PERMISSIONS.filter((flag) => flag !== "--allow-ffi")), 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
