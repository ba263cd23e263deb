// Each broken guest and configuration has the right verdict in the first line, wherever one looks:
// el2 diagnose, its JSON, the overview, and the report of a scenario that runs it.

import assert from "node:assert/strict";
import { writeJunit } from "../../src/app/cli/commands/scenarios/test-junit.ts";
import { reported } from "../../src/app/cli/commands/scenarios/test-results.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { NamedFile } from "../../src/app/cli/common/named-file.ts";
import { answerJson } from "../../src/app/cli/common/print.ts";
import { rowsOf } from "../../src/model/queries/query.ts";
import { reasonLines } from "../../src/model/queries/texts/reason-text.ts";
import { DIAGNOSES, REASONS } from "../../src/model/queries/tables.ts";
import { planScenario } from "../../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../../src/app/scenarios/run.ts";
import { readScenario, ScenarioError } from "../../src/app/scenarios/scenario.ts";
import { el2Process } from "../app/cli/program.ts";
import { Rig } from "../app/tui/rig.ts";
import { buildBroken, writeBare, writePeerless } from "./broken-guest.ts";
import { BROKEN, type BrokenCase, PEERLESS } from "./cases.ts";
import { assertReasonWhole, assertVerdictWhole } from "./shown-whole.ts";
import { TRUSTED } from "../support/trusted.ts";
import { planErrors } from "../support/planned.ts";
import { LONG } from "../support/long.ts";

/** Virtual time (ns) in which most break and are seen to. */
const UNTIL = 240e6;
/** Wall time for what ends by itself, or after its virtual time, however slow the computer is. */
const PATIENCE = "600s";

/**
 * Ends by the guest's own wish, of which only the guest knows why, and by a VMM that says its way
 * out itself.
 */
const OWN_WISH = /^the guest asked for a reset|^its VMM gave up: /;

const folder = await Deno.makeTempDir({ prefix: "el2-broken-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);
await writeBare(folder);
await writePeerless(folder, PEERLESS, "x");
for (const name of ["hello.bin", "firmware.bin"]) await Deno.copyFile(`assets/guests/${name}`, `${folder}/${name}`);
await Deno.writeTextFile(`${folder}/not-an-image.bin`, "neither an image nor a devicetree");

/** Writes the case's configuration and scenario. Gives the scenario's text. */
async function write({ text, inject = [], until = UNTIL, vm = "x" }: BrokenCase): Promise<string> {
  await Deno.writeTextFile(`${folder}/case.toml`, text);
  const scenario = `el2_test = 1\nname = "broken"\ninject = ${JSON.stringify(inject)}
[[step]]\nboot = "case.toml"
[[step]]\nat = "${until / 1e6}ms"
[[step]]\nexpect_console = "this VM is healthy"\nof = "${vm}"\nwithin = "1ms"\n`;
  await Deno.writeTextFile(`${folder}/case.test.toml`, scenario);
  return scenario;
}

/** Runs the machine of one case: the scenario, and how it failed. */
async function run(broken: BrokenCase) {
  const scenario = readScenario(`${folder}/case.test.toml`, await write(broken));
  const scenarioRun = new ScenarioRun(await planScenario(scenario, undefined, TRUSTED.consent));
  return { result: await scenarioRun.run(), system: scenarioRun.system };
}

async function screen(system: ScenarioRun["system"], vm: string): Promise<string> {
  const rig = new Rig(200, 60);
  rig.answer = (query) => system.inspector.answer(query);
  const { machine } = system;
  const sample = { time: machine.time, instructions: system.instructions(), reasons: system.inspector.reasons, mips: 0 };
  rig.apply({ kind: "sample", sample: { ...sample, physicalCpus: machine.cpus.length, vms: system.samples.sample(1e6) } });
  const lines = await rig.lines();
  const tree = lines.slice(lines.findIndex((line) => line.includes("Virtual machines")));
  return tree.find((line) => new RegExp(`^[|> ]+[A-Z] +${vm}\\b`).test(line)) ?? assert.fail(lines.join("\n"));
}

function junit({ result }: Awaited<ReturnType<typeof run>>): string {
  const file = `${folder}/junit.xml`;
  writeJunit(new NamedFile(file, "--junit"), [reported(result, undefined)]);
  const [, message] = /<failure message="([^"]*)"/.exec(Deno.readTextFileSync(file)) ?? [];
  return (message ?? "").replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}

Deno.test("there are ten of each kind at least, and thirty that pass the check of the configuration", () => {
  const kinds = Object.groupBy(BROKEN, ({ kind }) => kind);
  for (const cases of Object.values(kinds)) assert.ok(cases.length >= 10);
  assert.equal(Object.keys(kinds).length, 4);
  assert.equal(new Set(BROKEN.map(({ name }) => name)).size, BROKEN.length);
});

for (const broken of BROKEN.filter(({ verdict }) => verdict !== undefined)) {
  const { name, kind, verdict, says, wayOut, vm = "x" } = broken;
  Deno.test(`${kind}: ${name} is ${verdict}`, async () => {
    const done = await run(broken);
    const { system } = done;
    const answer = system.inspector.answer({ table: "diagnose", args: { filter: `id=vm:${vm}` } });
    const [row] = rowsOf(DIAGNOSES, answer);
    assert.deepEqual([row.id, row.verdict, row.healthy], [`vm:${vm}`, verdict, false], row.text);
    assert.match(row.text, says);
    assert.ok(row.way_out !== null || OWN_WISH.test(row.text), `${row.text} has no way out`);
    assert.equal(row.because.flatMap((one) => one.code === "cause" ? [one.cause.code] : [])[0], broken.cause);
    const [first] = diagnosisLines(row);
    assert.equal(first, `vm:${vm} ${verdict}: ${row.text}`);
    const json = answerJson("s", answer) as { data: { verdict: string; text: string }[] };
    assert.deepEqual([json.data[0].verdict, json.data[0].text], [verdict, row.text]);
    const shown = await screen(system, vm);
    assert.ok(shown.includes(`${verdict}: ${row.text.slice(0, 40)}`), shown);
    // The scenario fails, with the verdict first.
    const failed = done.result.steps.find(({ result }) => result === "failed")!;
    assert.ok(!done.result.ok && failed.message!.startsWith(`${first}; `), failed.message);
    assert.ok(junit(done).startsWith(first), junit(done));
    const reasons = rowsOf(REASONS, system.inspector.answer({ table: "why", args: { filter: "failed=yes" } }));
    const told = [...diagnosisLines(row), ...reasons.flatMap((one) => reasonLines(one)).map(({ text }) => text)].join("\n");
    assert.match(told, wayOut ?? /^ {2}next: /m);
    for (const width of [80, 120]) {
      assertVerdictWhole(row, width);
      for (const reason of new Set([reasons[0], reasons.at(-1)])) if (reason) assertReasonWhole(reason, width);
    }
    assert.ok(failed.details!.join("\n").includes(diagnosisLines(row).join("\n")));
    // A machine that has ended has failed, and one that continues is not healthy.
    assert.notEqual(system.ended()?.code, 0);
  });
}

for (const broken of BROKEN.filter(({ verdict }) => verdict === undefined)) {
  Deno.test(`misconfiguration: ${broken.name} is refused`, async () => {
    const scenario = readScenario(`${folder}/case.test.toml`, await write(broken));
    const plan = await planText(broken.text, "case.toml", folder);
    assert.ok(!plan.ok);
    assert.match(planErrors(plan)[0], broken.says);
    await assert.rejects(planScenario(scenario, undefined, TRUSTED.consent), (error) => {
      assert.ok(error instanceof ScenarioError);
      assert.match(error.message.split("\n")[0], broken.says);
      return true;
    });
  });
}

Deno.test("a devicetree that names a VM that does not exist is evidence, by node and label", async () => {
  const { system } = await run({ ...BROKEN[0], text: PEERLESS.replace(/fault=\d+"/, `$&\ndtb = "peerless.dtb"`) });
  const [row] = rowsOf(DIAGNOSES, system.inspector.answer({ table: "diagnose", args: { filter: "id=vm:x" } }));
  const expected = /^\/gunyah-vm-config\/.*\/message-queue-pair-1 \(label 1\): its peer is vm-name:nobody, which does not exist$/;
  assert.ok(row.evidence.some((line) => expected.test(line)), row.evidence.join("\n"));
});

const el2 = (...args: string[]) => el2Process(args, {}, folder);

/**
 * As processes, which say it by their exit code, too: an end, a hang and a configuration, all with
 * EL2_LONG=1.
 */
const PROCESSES = [
  "a sleep without interrupts",
  "a breakpoint instruction",
  "a misspelled key",
];

for (const broken of BROKEN.filter(({ name }) => LONG || PROCESSES.includes(name))) {
  Deno.test(`el2 run and el2 test end with a cause and an exit code: ${broken.name}`, async () => {
    await write(broken);
    const inject = (broken.inject ?? []).flatMap((rule) => ["--inject", rule]);
    const ran = await el2(
      "run",
      "case.toml",
      "--headless",
      "--turbo",
      "--for",
      `${(broken.until ?? UNTIL) / 1e6}ms`,
      "--timeout",
      PATIENCE,
      "--recordings",
      folder,
      ...inject,
    );
    const tested = await el2("test", "case.test.toml", "--recordings", folder);
    if (broken.verdict === undefined) {
      assert.deepEqual([ran.code, tested.code], [2, 2], ran.stderr + tested.stderr);
      for (const { stderr } of [ran, tested]) assert.match(stderr.split("\n")[0] + stderr.split("\n")[1], broken.says);
      return;
    }
    const { verdict, vm = "x", wayOut = /next: / } = broken;
    assert.equal(tested.code, 1, tested.stdout + tested.stderr);
    assert.match(tested.stdout, new RegExp(`^ +message: "vm:${vm} ${verdict}: `, "m"));
    assert.equal(ran.code, 1, ran.stderr);
    assert.match(ran.stderr, new RegExp(`^vm:${vm} ${verdict}: `, "m"));
    assert.match(ran.stderr, wayOut);
  });
}

Deno.test("a run whose time passes while a VM hangs ends with 1, and says what hangs", async () => {
  await write(BROKEN.find(({ name }) => name === "a sleep without interrupts")!);
  const { code, stderr } = await el2("run", "case.toml", "--headless", "--turbo", "--for", "300ms", "--recordings", folder);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^vm:x stuck: every vCPU waits for an interrupt, and none can come$/m);
  assert.match(stderr, /^el2: recorded; el2 replay .* --tui shows it, and goes back in it$/m);
  const own = await el2(
    "run",
    "case.toml",
    "--headless",
    "--turbo",
    "--for",
    "300ms",
    "--recordings",
    folder,
    "--record",
    `${folder}/own.rec`,
  );
  assert.match(own.stderr, /^el2: el2 replay \S*own\.rec --tui shows it, and goes back in it$/m);
  assert.doesNotMatch(own.stderr, /recorded;/);
  assert.match(stderr, /^el2: 0\.3 s of virtual time passed; x: every vCPU waits for an interrupt/m);
});
