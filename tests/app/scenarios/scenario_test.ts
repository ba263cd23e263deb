import assert from "node:assert/strict";
import { readScenario, type Scenario, ScenarioError } from "../../../src/app/scenarios/scenario.ts";
import { planScenario } from "../../../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../../../src/app/scenarios/run.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { TRUSTED } from "../../support/trusted.ts";

const HELLO = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
const HEAD = 'el2_test = 1\n[[step]]\nboot = "demo"\n';

/** The lines of what is wrong with a text. */
function wrong(text: string): string[] {
  try {
    readScenario("x.toml", text);
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.split("\n").map((line) => line.trim());
    throw error;
  }
  throw new Error("nothing is wrong with it");
}

async function run(scenario: Scenario) {
  return await new ScenarioRun(await planScenario(scenario, undefined, TRUSTED.consent)).run();
}

const outcomes = async (text: string) => (await run(readScenario("x.toml", text))).steps.map(({ result, message }) => message ?? result);

Deno.test("each wrong scenario says what, where and what there is", () => {
  assert.match(wrong("x = ")[0], /^x\.toml:1:\d+: this is not TOML/);
  assert.match(wrong('[[step]]\nboot = "demo"\n')[0], /el2_test is missing/);
  assert.match(wrong("el2_test = 1\n")[0], /step is missing/);
  assert.match(wrong('el2_test = 1\n[[step]]\nsend = "x"\nto = "y"\n')[0], /^x\.toml:3:1: the first step must boot the machine/);
  assert.match(wrong(`${HEAD}[[step]]\nboot = "demo"\n`)[0], /^x\.toml:5:1: a scenario boots once/);
  assert.match(wrong(`${HEAD}[[step]]\nexpect_consol = "x"\n`)[0], /this step has no kind.*did you mean "expect_console"/);
  assert.match(wrong(`${HEAD}[[step]]\nsend = "x"\nat = "1s"\n`)[0], /a step has one kind, not send and at/);
  assert.match(wrong(`${HEAD}[[step]]\nexpect_console = "("\nof = "hello"\n`)[0], /^x\.toml:5:\d+: expect_console .*[Uu]nterminated/);
  assert.match(
    wrong(`${HEAD}[[step]]\nexpect_console = "x(?!y)"\nof = "hello"\n`)[0],
    /^x\.toml:5:\d+: expect_console .*lookahead \(\?!…\) is not supported/,
  );
  const missing = wrong(`${HEAD}[[step]]\nexpect_vm_end = "x"\n[[step]]\nwithin = "1s"\nexpect_diagnosis = "spins"\n`);
  assert.deepEqual(missing, [
    "x.toml:5:1: of is missing in this step, expect_vm_end",
    "x.toml:8:1: of is missing in this step, expect_diagnosis",
  ]);
  assert.match(
    wrong(`${HEAD}[[step]]\nexpect_console = "x"\nof = "hello"\nwithin = "soon"\n`)[0],
    /^x\.toml:7:\d+: within is not a duration/,
  );
  assert.match(wrong(`${HEAD}[[step]]\nexpect_event = "knd=rpc"\n`)[0], /no field "knd"/);
  assert.match(wrong(`${HEAD}[[step]]\nexpect_rows = "vm.ls"\nfilter = "bad=1"\n`)[0], /^x\.toml:6:\d+: filter .*no field "bad"/);
  assert.match(wrong(`${HEAD}[[step]]\nexpect_rows = "vm.lss"\n`)[0], /not a table; did you mean "vm.ls"/);
  assert.match(wrong(`${HEAD}[[step]]\nexpect_rows = "vcpu.regs"\n`)[0], /cannot be expected: this query needs vcpu/);
  assert.match(wrong(`${HEAD}[[step]]\ninject = "rcp -> NOMEM"\n`)[0], /no kind "rcp"; did you mean "rpc"/);
  assert.match(wrong(`${HEAD}[[step]]\nexpect_end = 0\ncode = 1\n`)[0], /unknown key "code"/);
  assert.match(
    wrong(`${HEAD}[[step]]\nexpect_diagnosis = "spin"\nof = "hello"\n`)[0],
    /^x\.toml:5:\d+: expect_diagnosis .*is not a verdict; did you mean "spins"\?.*deadlocked/,
  );
  assert.match(wrong(`sede = 1\n${HEAD}`)[0], /^x\.toml:1:1: unknown key "sede"; did you mean "seed"/);
  const inTable = (boot: string) => wrong(`el2_test = 1\n[[step]]\nboot = ${boot}\n`)[0];
  assert.match(
    inTable('{ root = "debian", overlay = "tests" }'),
    /^x\.toml:3:\d+: overlay is neither a list of folders nor a table of them$/,
  );
  assert.match(inTable('{ image = "a", memroy = "1GiB" }'), /^x\.toml:3:\d+: unknown key "memroy"/);
  assert.match(inTable('{ image = "a", cpus = 9 }'), /^x\.toml:3:\d+: cpus .*1\.\.8/);
  assert.match(inTable("5"), /^x\.toml:3:\d+: boot is neither a name nor a table with an image$/);
  assert.match(
    wrong(`${HEAD}[[step]]\nrun = { kselftests = ["a"] }\n`)[0],
    /^x\.toml:5:\d+: (unknown key "kselftests"|kselftest is missing)/,
  );
  const many = wrong(`${HEAD}[[step]]\nat = 5\n[[step]]\nat = "x"\n`);
  assert.equal(many.length, 2, "all at once");
});

Deno.test("a fault rule that names what the machine does not have is refused before the run, from the start or in a step", async () => {
  const refused = (text: string, says: RegExp) =>
    assert.rejects(outcomes(text), (error) => error instanceof ScenarioError && says.test(error.message));
  await refused(`inject = ["hvc vcpu=ping/7 -> BUSY"]\n${HEAD}`, /^x\.toml: inject: .*no vCPU called "ping\/7"/);
  const late = `${HEAD}[[step]]\nat = "1s"\n[[step]]\ninject = "dev=ping/blk9 -> die"\n`;
  await refused(late, /^x\.toml:7: inject: .*no virtio device called "ping\/blk9"/);
});

Deno.test("events are expected in their order, whenever they came; the scenario's own steps come between them", async () => {
  const both = `${HEAD}[[step]]\nexpect_console = "hello from EL1"\nof = "hello"
[[step]]\nexpect_event = "kind=rpc name=VM_ALLOCATE"
[[step]]\nexpect_event = "kind=rpc name=VM_START"\n`;
  assert.deepEqual(await outcomes(both), ["ok", "ok", "ok", "ok"]);
  const turned = `${HEAD}[[step]]\nexpect_event = "kind=rpc name=VM_START"
[[step]]\nexpect_event = "kind=rpc name=VM_ALLOCATE"\nwithin = "20ms"\n`;
  assert.deepEqual(await outcomes(turned), ["ok", "ok", "no such event within 0.02 s of virtual time"]);
  const after = `${HEAD}[[step]]\nat = "20ms"\n[[step]]\nexpect_event = "kind=rpc name=VM_START"\nwithin = "20ms"\n`;
  assert.deepEqual(await outcomes(after), ["ok", "ok", "no such event within 0.02 s of virtual time"]);
});

Deno.test("a step that fails says what there was, and those behind it are skipped", async () => {
  const scenario = readScenario(
    "x.toml",
    `${HEAD}[[step]]\nexpect_console = "no such line"\nof = "ping"\nwithin = "50ms"\n[[step]]\nat = "1s"\n`,
  );
  const { ok, steps } = await run(scenario);
  assert.ok(!ok);
  assert.deepEqual(steps.map(({ result }) => result), ["ok", "failed", "skipped"]);
  assert.ok(steps[1].details!.some((line) => line.startsWith("ping| ping:")), String(steps[1].details));
  assert.equal(steps[1].at, 50_000_000);
});

Deno.test("consoles, rows and the end are as expected, or it says how they are", async () => {
  assert.deepEqual(await outcomes(`${HEAD}[[step]]\nexpect_console = "x"\nof = "nobody"\n`), [
    "ok",
    'no console "nobody"; there are hello, ping, pong',
  ]);
  const rows = `${HEAD}[[step]]\nexpect_rows = "vm.ls"\nfilter = "id=vm:ping state=running"\nwithin = "20ms"
[[step]]\nexpect_rows = "vm.ls"\nfilter = "id=vm:ping"\ncount = 2\nwithin = "2ms"\n`;
  assert.deepEqual(await outcomes(rows), ["ok", "ok", "1 rows match, not 2"]);
  // Its timer ticks once per second.
  const print = (is: string) => `${HEAD}[[step]]\nexpect_print = "ping:*ticks"\nis = "${is}"\nwithin = "1100ms"\n`;
  assert.deepEqual(await outcomes(print("1")), ["ok", "ok"]);
  assert.deepEqual(await outcomes(print("2")), ["ok", "it is 0x1, not 2"]);
  assert.match((await outcomes(print("1").replace("ticks", "nothing")))[1], /^it is without a value: no variable, symbol .* "nothing"/);
  const end = `el2_test = 1\ninject = ["hvc name=addrspace_map vm=rm nth=1 -> BUSY"]\n[[step]]\nboot = "demo"
[[step]]\nexpect_end = 1\nmessage = "cannot boot: addrspace_map"\n`;
  assert.deepEqual(await outcomes(end), ["ok", "ok"]);
  assert.match((await outcomes(end.replace("expect_end = 1", "expect_end = 0")))[1], /^it ended with 1: vcpu:rm\/0: the Resource Manager/);
});

Deno.test("the same scenario is the same run", async () => {
  const text =
    `${HEAD}[[step]]\nexpect_console = "balls"\nof = "ping"\n[[step]]\nsend = "abc"\nto = "hello"\n[[step]]\nexpect_console = "c"\nof = "hello"\n`;
  const times = async () => (await run(readScenario("x.toml", text))).steps.map(({ at }) => at);
  assert.deepEqual(await times(), await times());
});

Deno.test("a console or a reason that must not come fails its step; a diagnosis and an end of a VM are expected by what they are", async () => {
  const console = (text: string) => `${HEAD}[[step]]\nexpect_no_console = "${text}"\nof = "hello"\nwithin = "20ms"\n`;
  assert.deepEqual(await outcomes(console("Kernel panic")), ["ok", "ok"]);
  assert.match((await outcomes(console("hello from EL1")))[1], /^the console shows it at 0\.0\d+ s/);
  const reason = (inject: string) => `${inject}${HEAD}[[step]]\nexpect_no_why = "failed=yes"\nwithin = "20ms"\n`;
  assert.deepEqual(await outcomes(reason("")), ["ok", "ok"]);
  const fault = 'inject = ["rpc msg=MEM_LEND nth=2 -> NOMEM"]\n';
  assert.deepEqual(await outcomes(reason(fault)), [
    "ok",
    "vm:ping failed: GH_VM_START -> ENOMEM: a fault was injected; there is such a reason",
  ]);
  const ended = (vm: string, end: string, verdict: string) =>
    `${fault}${HEAD}[[step]]\nexpect_vm_end = "${end}"\nof = "${vm}"\nwithin = "20ms"
[[step]]\nexpect_diagnosis = "${verdict}"\nof = "${vm}"\nwithin = "20ms"\n`;
  assert.deepEqual(await outcomes(ended("ping", "^ENOMEM: a fault was injected$", "failed")), ["ok", "ok", "ok"]);
  assert.match(
    (await outcomes(ended("ping", "^fault", "failed")))[1],
    /^vm:ping failed: GH_VM_START -> ENOMEM: a fault was injected; it ended with another reason: ENOMEM: a fault/,
  );
  assert.match((await outcomes(ended("hello", "x", "failed")))[1], /; no such end within 0\.02 s/);
  const healthy = `${HEAD}[[step]]\nexpect_diagnosis = "spins"\nof = "hello"\nwithin = "20ms"\n`;
  assert.match((await outcomes(healthy))[1], /^the diagnosis is (waits|runs): /);
});

Deno.test("a step need not name the only console of its machine, and one of several is asked for where it is missing", async () => {
  const steps = '[[step]]\nexpect_console = "[Hh]ello"\n[[step]]\nsend = "x"\n[[step]]\nexpect_no_console = "never"\nwithin = "1ms"\n';
  const one = await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/one.toml`, `el2 = 1\n[vm.hello]\nimage = "${HELLO}"\nmemory = "8MiB"\n`);
    return await run(readScenario(`${folder}/x.toml`, `el2_test = 1\n[[step]]\nboot = "one.toml"\n${steps}`));
  });
  assert.deepEqual(one.steps.map(({ message, result }) => message ?? result), ["ok", "ok", "ok", "ok"]);
  assert.equal(one.steps[1].text, "console hello shows /[Hh]ello/");
  for (const [step, key, line] of [['send = "x"', "to", 5], ['\nexpect_console = "x"', "of", 6]] as const) {
    const scenario = readScenario("x.toml", `${HEAD}[[step]]\n${step}\n`), kind = step.trim().split(" ")[0];
    await assert.rejects(run(scenario), new ScenarioError(`x.toml:${line}: ${kind} needs ${key}`, "its consoles are hello, ping, pong"));
  }
});
