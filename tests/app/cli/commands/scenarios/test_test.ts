import assert from "node:assert/strict";
import { el2 } from "../../program.ts";

const EXAMPLES = new URL("../../../../../examples/", import.meta.url).pathname;

Deno.test("the example scenarios pass, in TAP, with their seeds", async () => {
  const { code, stdout, stderr } = await el2("test", `${EXAMPLES}demo.test.toml`, `${EXAMPLES}refused-lend.test.toml`);
  assert.equal(code, 0, stdout + stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], "TAP version 14");
  const [, plan] = /^1\.\.(\d+)$/.exec(lines[1])!;
  const tests = lines.filter((line) => line.startsWith("ok "));
  assert.equal(tests.length, Number(plan));
  assert.match(tests[1], /^ok 2 - demo: console hello shows \/hello from EL1\/$/);
  assert.ok(lines.includes(`# ${EXAMPLES}demo.test.toml: seed 1`));
});

Deno.test("a scenario that fails exits with 1, names the step, and leaves a recording of the same run", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/bug.test.toml`;
    await Deno.writeTextFile(
      file,
      `el2_test = 1\ninject = ["virq vm=ping nth=9 -> delay 10us"]\n[[step]]\nboot = "demo"\n[[step]]\nat = "20ms"\n[[step]]\nsend = "hi"\nto = "hello"
[[step]]\ninject = "virq vm=pong -> lose"\n[[step]]\nexpect_console = "<never> & \\"so\\""\nof = "ping"\nwithin = "30ms"\n[[step]]\nat = "1s"\n`,
    );
    const run = await el2("test", file, "--recordings", `${folder}/failed`, "--junit", `${folder}/junit.xml`, "--seed", "7");
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stdout, /^not ok 5 - bug: console ping shows/m);
    assert.match(run.stdout, /^ {2}at: ".*bug\.test\.toml:13"$/m);
    assert.match(run.stdout, /^ {2}seed: 7$/m);
    assert.match(run.stdout, /^ok 6 - bug: at 1 s # SKIP/m);
    const replay = /^ {2}replay: "el2 (.*)"$/m.exec(run.stdout)![1].split(" ");
    assert.deepEqual(replay, ["replay", `${folder}/failed/bug.rec`, "--verify"]);
    const again = await el2(...replay);
    assert.equal(again.code, 1);
    assert.match(
      again.stderr,
      /^el2: console ping shows .*: no such line within 0\.03 s of virtual time; identical to the recording \(state hashes compared: 1\)$/m,
      again.stderr,
    );
    const junit = await Deno.readTextFile(`${folder}/junit.xml`);
    assert.match(junit, /<testsuite name="bug" tests="6" failures="1" skipped="1" time="[\d.]+">/);
    assert.match(junit, /<property name="seed" value="7"\/>/);
    assert.match(junit, /name="console ping shows \/&lt;never&gt; &amp; &quot;so&quot;\/"/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("--json has a line for each scenario", async () => {
  const { code, stdout } = await el2("test", "--json", `${EXAMPLES}refused-lend.test.toml`);
  assert.equal(code, 0);
  const result = JSON.parse(stdout);
  assert.equal(result.schema, "el2.test/1");
  assert.deepEqual([result.name, result.ok, result.seed, result.recording], ["refused-lend", true, 1, null]);
  assert.deepEqual(result.steps.map(({ result }: { result: string }) => result), ["ok", "ok", "ok", "ok"]);
});

Deno.test("W57: a file that is not a scenario starts nothing and ends with 2", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assert.deepEqual(await el2("test", `${folder}/none.toml`), {
      code: 2,
      stdout: "",
      stderr: `el2: scenario ${folder}/none.toml: no such file\n`,
    });
    assert.match((await el2("test", folder)).stderr, /is a folder; name the files in it/);
    await Deno.writeTextFile(`${folder}/bad.toml`, 'el2_test = 1\n[[step]]\nboot = "missing.toml"\n');
    const missing = await el2("test", `${folder}/bad.toml`);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /bad\.toml:3: boot: .*missing\.toml/);
    const rule = await el2("run", `${folder}/x.bin`, "--inject", "rcp -> NOMEM");
    assert.equal(rule.code, 2);
    assert.match(rule.stderr, /no kind "rcp"; did you mean "rpc".*el2 inject --help/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
