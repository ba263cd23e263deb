import assert from "node:assert/strict";
import { launcher } from "../../scripts/install.ts";
import { denoFolder } from "../support/el2.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { MALLOC_SETTINGS } from "../../src/kit/support/computer/garbage.ts";

/** Runs a launcher, with a program named npx that says how it was called. */
async function run(deno: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    await Deno.writeTextFile(`${folder}/npx`, `#!/bin/sh\necho npx "$@"\n`, { mode: 0o755 });
    await Deno.writeTextFile(`${folder}/el2`, launcher(deno, "1.2.3", "/check out/"), { mode: 0o755 });
    const { stdout } = await new Deno.Command(`${folder}/el2`, { args: ["ls", "a b"], env: { PATH: `${folder}:${Deno.env.get("PATH")}` } })
      .output();
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a launcher runs the checkout with its Deno", async () => {
  assert.match(await run("/bin/echo"), /^run -q --config \/check out\/deno\.json .* \/check out\/main\.ts ls a b\n$/);
});

Deno.test("a launcher bounds the free memory that el2 keeps", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    await Deno.writeTextFile(`${folder}/deno`, "#!/bin/sh\nexport -p\n", { mode: 0o755 });
    const exported = await run(`${folder}/deno`);
    for (const [name, value] of Object.entries(MALLOC_SETTINGS)) assert.match(exported, new RegExp(`${name}=["']?${value}\\b`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a launcher with a Deno of npx has npx bring it again once npm's cache was emptied", async () => {
  const gone = "/nowhere/_npx/1/node_modules/deno/bin/deno";
  assert.match(await run(gone), /^npx -y deno@1\.2\.3 run -q --config \/check out\/deno\.json .* ls a b\n$/);
});

Deno.test("install takes a folder and no options: --help makes none", () =>
  inFolder(async (folder) => {
    const script = new URL("../../scripts/install.ts", import.meta.url), config = new URL("../../deno.json", import.meta.url).pathname;
    const install = async (...words: string[]) => {
      const args = ["run", "-A", "--no-check", "--config", config, script.href, ...words];
      const env = { HOME: folder, DENO_DIR: denoFolder(), NO_COLOR: "1" };
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: folder, env }).output();
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    };
    const help = await install("--help");
    assert.deepEqual([help.code, help.stderr], [0, ""]);
    assert.match(help.stdout, /^deno task install \[FOLDER\] /);
    for (const [words, says] of [[["--force"], /^install: no option "--force"; /], [["a", "b"], /^install: "b" is one word/]] as const) {
      const { code, stdout, stderr } = await install(...words);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, says);
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    assert.equal((await install("bin")).code, 0);
    assert.deepEqual([...Deno.readDirSync(`${folder}/bin`)].map(({ name }) => name), ["el2"]);
  }));
