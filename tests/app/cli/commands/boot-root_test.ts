// `el2 boot --set rm.kind=image`: the user's own root VM, and errors in its files.

import assert from "node:assert/strict";
import { buildRootGuest } from "../../../../bench/root-guests.ts";
import { el2Command } from "../../../support/el2.ts";

async function boot(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program, ...rest] = el2Command("boot", ...args);
  const { code, stdout, stderr } = await new Deno.Command(program, { args: rest }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** The options of a root VM. */
const root = (runtime: string, app?: string) =>
  ["kind=image", `runtime=${runtime}`, ...app === undefined ? [] : [`app=${app}`]].flatMap((key) => ["--set", `rm.${key}`]);

Deno.test("a root VM's program runs instead of the Resource Manager, without a primary VM, under the checker", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-boot-root-" });
  try {
    const { runtime, app } = await buildRootGuest("environment", folder);
    const { code, stdout, stderr } = await boot(...root(runtime, app), "--stdio", "--turbo", "--set", "machine.check=true");
    assert.match(stdout, /^signature 0x454d5652\n[^]*\nfinished\n$/);
    assert.match(stderr, /^vm:rm stuck: every vCPU waits for an interrupt, and none can come\n/);
    assert.match(stderr, /^el2: deadlock: every vCPU is waiting and nothing can wake one; vCPU 0 of VM 255 waits/m);
    assert.equal(code, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("boot needs an image or both files of a root VM", async () => {
  const file = new URL("../../../../assets/guests/hello.bin", import.meta.url).pathname;
  const cases: [string[], RegExp][] = [
    [[], /^el2: boot: no image; name one, or use --firmware, or --set rm.kind=image with rm.runtime and rm.app\n$/],
    [root(file), /^el2: kind "image" needs an app\n$/],
    [root(file, file), /^el2: root runtime: not an ELF file/],
    [root("/nowhere", file), /^el2: runtime \/nowhere: no such file/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await boot(...args);
    assert.match(stderr, message);
    assert.equal(code, 2);
  }
});
