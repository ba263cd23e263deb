// `deno task setup`, with the rights that its line in deno.json gives it.

import assert from "node:assert/strict";
import { inFolder } from "../support/temporary-folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The words after `deno` in the last command of the task. */
function setupWords(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)) as { tasks: { setup: { command: string } } };
  const [deno, ...words] = tasks.setup.command.split(" && ").at(-1)!.split(" ");
  assert.equal(deno, "deno");
  return words;
}

Deno.test("a computer without a guest asks the mirror for it", () =>
  inFolder(async (folder) => {
    const asked: string[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      asked.push(new URL(request.url).pathname);
      return new Response("", { status: 404 });
    });
    try {
      const { stderr } = await new Deno.Command(Deno.execPath(), {
        args: setupWords(),
        cwd: ROOT,
        stdin: "null",
        env: { NO_COLOR: "1", EL2_CACHE: folder, EL2_MIRROR: `http://127.0.0.1:${server.addr.port}/debian` },
      }).output();
      const said = new TextDecoder().decode(stderr);
      assert.match(said, /^setup: fetching package lists$/m);
      assert.match(said, /^setup: guest debian-bookworm: .*the mirror answers 404/m);
      assert.deepEqual(asked, ["/debian/dists/bookworm/InRelease"]);
    } finally {
      await server.shutdown();
    }
  }));
