// The example repository of a driver: copied, built against Debian's headers, tested in a VM. It
// needs the network, and is part of deno task test:long.

import assert from "node:assert/strict";
import { MULTIARCH, UnpackedPrograms } from "../../src/catalog/unpacked-programs.ts";
import { el2Command } from "../support/el2.ts";
import { parse } from "yaml";

const ROOT = new URL("../..", import.meta.url).pathname;
const EXAMPLE = `${ROOT}examples/ci`;
const STATE = `${ROOT}.state`;

Deno.test("the workflow of the example calls the action with inputs that it has", async () => {
  const { inputs } = parse(await Deno.readTextFile(`${ROOT}action.yml`));
  const { jobs } = parse(await Deno.readTextFile(`${EXAMPLE}/.github/workflows/test.yml`));
  const step = jobs.test.steps.find(({ uses }: { uses?: string }) => uses?.includes("/el2@"));
  for (const name of Object.keys(step.with)) assert.ok(name in inputs, name);
  for (const [name, { required }] of Object.entries<{ required?: boolean }>(inputs)) assert.ok(!required || name in step.with, name);
});

async function run(cwd: string, env: Record<string, string>, program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, env, stdin: "null" }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, said);
  return said;
}

if (Deno.env.get("EL2_LONG") !== undefined) {
  /** Programs that people install as root, and el2: a PATH in front of the machine's. */
  const programs = async (folder: string): Promise<Record<string, string>> => {
    const tools = new UnpackedPrograms(`${STATE}/ci-example`, `${STATE}/apt-tools`);
    const names = ["cpio", "parallel"];
    if (!await tools.find(names.at(-1)!)) await tools.fetch(names, names, new Set());
    const cross = `${STATE}/tools/root/usr`;
    await Deno.mkdir(`${folder}/bin`);
    const [el2, ...args] = el2Command();
    // The first attempt at part 2 dies, if the test wants that.
    const starter = `#!/bin/sh
case "$*" in *"--shard 2/3"*) if [ -f '${folder}/dies' ]; then rm '${folder}/dies'; kill -9 $$; fi ;; esac
unset LD_LIBRARY_PATH
exec ${[el2, ...args].map((part) => `'${part}'`).join(" ")} "$@"
`;
    await Deno.writeTextFile(`${folder}/bin/el2`, starter, { mode: 0o755 });
    return {
      PATH: `${folder}/bin:${STATE}/ci-example/bin:${Deno.env.get("PATH")}:${cross}/bin`,
      LD_LIBRARY_PATH: `${cross}/lib/${MULTIARCH}`,
      EL2_MIRROR: Deno.env.get("EL2_MIRROR") ?? "http://deb.debian.org/debian",
    };
  };

  Deno.test("the lines for GNU parallel in docs/scenarios.md: a part that dies is run again, and all parts merge", async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-ci-" });
    try {
      const env = await programs(folder);
      await Deno.mkdir(`${folder}/examples`);
      for (const name of ["one", "two", "three"]) {
        await Deno.copyFile(`${ROOT}examples/refused-lend.test.toml`, `${folder}/examples/${name}.test.toml`);
      }
      await Deno.writeTextFile(`${folder}/dies`, "");
      const lines = /```sh\n(parallel [^`]*)```/.exec(await Deno.readTextFile(`${ROOT}docs/scenarios.md`))![1].trim().split("\n");
      assert.equal(lines.length, 3);
      const shell = (line: string) => new Deno.Command("sh", { args: ["-c", line], cwd: folder, env, stdin: "null" }).output();
      const [first, again, merged] = [await shell(lines[0]), await shell(lines[1]), await shell(lines[2])];
      const said = (output: Deno.CommandOutput) => new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
      assert.deepEqual([first.code, again.code, merged.code], [1, 0, 0], [first, again, merged].map(said).join("\n---\n"));
      assert.match(said(merged), /^1\.\.12$/m);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test("the example of a driver works when it is copied: it is built, loaded, used and unloaded", async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-ci-" });
    try {
      const env = await programs(folder);
      await run(folder, env, "cp", "-r", EXAMPLE, "example");
      const here = `${folder}/example`;
      await run(here, env, "el2", "guests", "fetch", "debian");
      await run(here, env, "./build.sh");
      assert.match(await run(here, env, "el2", "test", "./tests/shout.test.toml"), /^ok 6 - shout: /m);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
