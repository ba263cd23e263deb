// The one-file program: what `deno task dist` writes runs without Deno on the PATH, from a folder with hostile configuration.

import assert from "node:assert/strict";
import { VERSION } from "../../src/workstation/version.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const LONG = Deno.env.get("EL2_LONG") !== undefined;

async function run(program: string, args: readonly string[], env: Record<string, string>, cwd?: string) {
  const command = new Deno.Command(program, { args: [...args], env, clearEnv: true, cwd, stdin: "null", stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

if (LONG) {
  Deno.test("the one-file program unpacks once, runs the demo from a hostile folder, and names a way out where it cannot write", async () => {
    const home = await Deno.makeTempDir({ prefix: "el2-dist-test-" });
    try {
      const dist = await run(Deno.execPath(), ["task", "-q", "dist"], Deno.env.toObject(), ROOT);
      assert.equal(dist.code, 0, dist.stderr);
      const program = `${ROOT}dist/el2-${VERSION}-${Deno.build.target}`;
      await Deno.writeTextFile(`${home}/deno.json`, "{ broken");
      await Deno.writeTextFile(`${home}/package.json`, "{ broken");
      const env = { HOME: home, PATH: "/usr/bin:/bin" };

      const first = await Promise.all([1, 2, 3].map(() => run(program, ["--version"], env, home)));
      for (const { code, stdout, stderr } of first) assert.deepEqual([code, stdout.trim(), stderr], [0, VERSION, ""]);
      const demo = await run(program, [], env, home);
      assert.equal(demo.code, 0, demo.stderr);
      assert.match(demo.stdout, /^ping\| .*message round trips/m);

      const nowhere = await run(program, ["--version"], { HOME: "/proc", PATH: env.PATH });
      assert.equal(nowhere.code, 1);
      assert.match(nowhere.stderr, /^el2: cannot write to \/proc\S+; name a writable folder with EL2_RUNTIME$/m);
      const homeless = await run(program, ["--version"], { PATH: env.PATH });
      assert.match(homeless.stderr, /HOME is not set; name one with EL2_RUNTIME/);

      const kept = `${home}/other`;
      await Deno.mkdir(`${kept}/mine`, { recursive: true });
      assert.equal((await run(program, ["--version"], { EL2_RUNTIME: kept, PATH: env.PATH })).code, 0);
      assert.ok((await Deno.stat(`${kept}/mine`)).isDirectory, "a folder that is not el2's stays");

      // What is no runtime is named, and what was there stays.
      for (const denort of ["/bin/true", Deno.execPath(), `${home}/none`]) {
        const before = await Deno.readTextFile(`${ROOT}dist/SHA256SUMS`);
        const refused = await run(Deno.execPath(), ["task", "-q", "dist"], { ...Deno.env.toObject(), DENORT_BIN: denort }, ROOT);
        assert.equal(refused.code, 1, denort);
        assert.match(refused.stderr, new RegExp(`^dist: .*DENORT_BIN=${denort}.* denort ${Deno.version.deno}`, "m"));
        assert.doesNotMatch(refused.stderr, /\bat .*\.ts:\d+/, "no stack trace");
        assert.equal(await Deno.readTextFile(`${ROOT}dist/SHA256SUMS`), before);
      }

      const sums = await run("sha256sum", ["-c", "SHA256SUMS"], env, `${ROOT}dist`);
      assert.equal(sums.code, 0, sums.stdout + sums.stderr);

      const same = await run(Deno.execPath(), ["task", "-q", "test:dist"], Deno.env.toObject(), ROOT);
      assert.equal(same.code, 0, `the end-to-end tests on the one file:\n${same.stdout}${same.stderr}`);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  });
}
