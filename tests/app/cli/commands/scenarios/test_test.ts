import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { fromXmlText } from "../../../../../src/kit/support/text/xml-text.ts";
import { printingImage } from "../../../../support/printing-image.ts";

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

Deno.test("a failed step has the verdict on its VM as values: code, text, way out and evidence, also in JUnit of merged parts", () =>
  inFolder(async (folder) => {
    // An endless loop.
    await Deno.writeFile(`${folder}/loop`, new Uint8Array(Uint32Array.of(0x1400_0000).buffer));
    await Deno.writeTextFile(`${folder}/loop.toml`, 'el2 = 1\n[vm.loop]\nimage = "loop"\n');
    const file = `${folder}/loop.test.toml`, steps = (expect: string) => `el2_test = 1\n[[step]]\nboot = "loop.toml"\n${expect}`;
    const never = '[[step]]\nexpect_console = "never"\nof = "loop"\nwithin = "10ms"\n';
    await Deno.writeTextFile(file, steps(never));
    const run = await el2("test", file, "--json", "--recordings", folder, "--junit", `${folder}/one.xml`, "--results", `${folder}/part`);
    assert.equal(run.code, 1, run.stderr);
    const [booted, failed] = JSON.parse(run.stdout).steps, [verdict, ...others] = failed.verdicts;
    assert.deepEqual([booted.verdicts, others], [[], []]);
    assert.deepEqual([verdict.id, verdict.verdict, verdict.fact.code], ["vm:loop", "spins", "spins"]);
    assert.ok(failed.message.startsWith(`vm:loop spins: ${verdict.text}; `), failed.message);
    const junit = await Deno.readTextFile(`${folder}/one.xml`), [, type] = /<failure message="[^"]*" type="([^"]*)">/.exec(junit) ?? [];
    const property = (name: string) =>
      fromXmlText(new RegExp(`<property name="vm:loop\\.${name}" value="([^"]*)"/>`).exec(junit)?.[1] ?? assert.fail(name));
    assert.deepEqual([type, property("code"), property("verdict")], ["spins", "spins", "spins"]);
    assert.deepEqual([property("text"), property("way_out")], [verdict.text, verdict.way_out]);
    assert.deepEqual(JSON.parse(property("facts")), [verdict.fact, ...verdict.because]);
    await el2("test", "merge", `${folder}/part`, "--junit", `${folder}/all.xml`);
    assert.equal(await Deno.readTextFile(`${folder}/all.xml`), junit);

    // A scenario that expects the verdict has none.
    await Deno.writeTextFile(file, steps('[[step]]\nexpect_diagnosis = "spins"\nof = "loop"\nwithin = "1s"\n'));
    const healthy = await el2("test", file, "--junit", `${folder}/one.xml`);
    assert.equal(healthy.code, 0, healthy.stdout + healthy.stderr);
    assert.doesNotMatch(await Deno.readTextFile(`${folder}/one.xml`), /vm:loop/);
  }));

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

const REPORT = `KTAP version 1
1..2
    KTAP version 1
    # Subtest: numbers
    1..3
    ok 1 adds
    ok 2 divides # SKIP no divider
    # shifts: 1 is not 2
    not ok 3 shifts
not ok 1 numbers
ok 2 queues
`;

Deno.test("each test of a report is a case of TAP, JUnit and JSON, and fails its step; a part of a run keeps them", () =>
  inFolder(async (folder) => {
    /** A scenario whose machine prints this. */
    const scenario = async (name: string, report: string, console = "host") => {
      const file = `${folder}/${name}.test.toml`;
      await Deno.writeFile(`${folder}/${name}`, printingImage(report));
      const boot = `boot = { image = "${name}", memory = "64MiB" }`;
      await Deno.writeTextFile(file, `el2_test = 1\n[[step]]\n${boot}\n[[step]]\nexpect_ktap = "${console}"\n[[step]]\nexpect_end = 0\n`);
      return file;
    };
    const file = await scenario("ktap", REPORT);
    const run = await el2("test", file, "--junit", `${folder}/one.xml`, "--results", `${folder}/part`);
    assert.equal(run.code, 1, run.stderr);
    const lines = run.stdout.split("\n");
    assert.deepEqual(lines.slice(lines.indexOf("    # Subtest: ktap: tests of host")).slice(0, 13), [
      "    # Subtest: ktap: tests of host",
      "    1..4",
      "    ok 1 - numbers: adds",
      "    ok 2 - numbers: divides # SKIP no divider",
      "    not ok 3 - numbers: shifts",
      "      ---",
      '      message: "not ok"',
      "      details:",
      '        - "# shifts: 1 is not 2"',
      "      ...",
      "    ok 4 - queues",
      "not ok 2 - ktap: tests of host",
      "  ---",
    ]);
    assert.ok(lines.includes('  message: "1 of 4 tests failed"'), run.stdout);
    assert.ok(lines.includes('    - "numbers: shifts: not ok"'), run.stdout);
    const junit = (text: string) =>
      [...text.matchAll(/<testcase classname="([^"]*)" name="([^"]*)"[^>]*>(<\w+)?/g)].map((one) => one.slice(1));
    const xml = await Deno.readTextFile(`${folder}/one.xml`);
    assert.match(xml, /<testsuite name="ktap" tests="6" failures="1" skipped="2"/);
    assert.match(xml, /<skipped message="no divider"\/>/);
    assert.deepEqual(junit(xml), [
      ["ktap", "boot ktap", undefined],
      ["ktap.numbers", "adds", undefined],
      ["ktap.numbers", "divides", "<skipped"],
      ["ktap.numbers", "shifts", "<failure"],
      ["ktap", "queues", undefined],
      ["ktap", "ends with 0", "<skipped"],
    ]);
    await el2("test", "merge", `${folder}/part`, "--junit", `${folder}/all.xml`);
    assert.deepEqual(junit(await Deno.readTextFile(`${folder}/all.xml`)), junit(xml));

    // Without the failure; a machine that ends within the report or shows none; no such console.
    const files = await Promise.all([
      scenario("good", REPORT.replaceAll("not ok", "ok")),
      scenario("cut", "TAP version 13\n1..3\nok 1 a\nok 2 b"),
      scenario("none", "hello\n"),
      scenario("nobody", REPORT, "hosts"),
    ]);
    const others = await el2("test", ...files, "--json", "--recordings", folder);
    assert.equal(others.code, 1, others.stderr);
    const [good, ...bad] = others.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).steps[1]);
    assert.deepEqual(good.cases.map(({ path, result }: { path: string[]; result: string }) => `${path.join("/")} ${result}`), [
      "numbers/adds ok",
      "numbers/divides skipped",
      "numbers/shifts ok",
      "queues ok",
    ]);
    assert.match(bad[0].message, /the machine has ended with 0: .* before the end of the report; 1 of 3 tests failed/);
    assert.match(bad[1].message, /there is no report: the machine has ended with 0/);
    assert.match(bad[2].message, /no console "hosts"; there are host/);
  }));
