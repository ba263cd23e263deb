// A VM that has ended has one reason: el2 why --about, the VM's row, its verdict, the screens, what
// a run without a screen prints and what a scenario reports are the same.

import assert from "node:assert/strict";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { allOf } from "../../src/model/queries/filters/filter.ts";
import { reasonLines } from "../../src/model/queries/texts/reason-text.ts";
import { planScenario } from "../../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../../src/app/scenarios/run.ts";
import { readScenario } from "../../src/app/scenarios/scenario.ts";
import { Place } from "../app/cli/place.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { eventually } from "../support/eventually.ts";
import { PHONE_SAMPLE } from "../app/tui/phone.ts";
import { Rig } from "../app/tui/rig.ts";
import { buildBroken, FAULT } from "./broken-guest.ts";
import { TRUSTED } from "../support/trusted.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-reason-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);
await Deno.copyFile("assets/guests/hello.bin", `${folder}/hello.bin`);
// The image lies at the VM's base; its file is linked at 0.
const move = ["--change-addresses=0x80000000", `${folder}/broken.elf`, `${folder}/moved.elf`];
const { success } = await new Deno.Command(await nativeProgram("aarch64-linux-gnu-objcopy"), { args: move }).output();
assert.ok(success);

const guest = (fault: number) => `[vm.x]\nimage = "broken.bin"\nsymbols = "moved.elf"\nmemory = "4MiB"\ncmdline = "fault=${fault}"\n`;
const other = '[vm.hello]\nimage = "hello.bin"\nmemory = "4MiB"\n';

/** Kinds of end, by a fault or an injected rule. */
const ENDS: readonly [name: string, fault: number, inject: readonly string[]][] = [
  ["a crash", FAULT.undefined, []],
  ["a reset after a fault", FAULT.handled, []],
  ["a START that is refused", FAULT.none, ["rpc msg=VM_INIT -> DENIED"]],
  ["a VM that is not even created", FAULT.none, ["ioctl name=GH_CREATE_VM -> ENOMEM"]],
];

for (const [name, fault, inject] of ENDS) {
  Deno.test(`one reason wherever somebody asks: ${name}`, async () => {
    await Deno.writeTextFile(`${folder}/case.toml`, `el2 = 1\n${guest(fault)}`);
    const text = `el2_test = 1\ninject = ${JSON.stringify(inject)}\n[[step]]\nboot = "case.toml"\n[[step]]\nat = "200ms"\n`;
    const scenario = readScenario(`${folder}/case.test.toml`, text);
    const run = new ScenarioRun(await planScenario(scenario, undefined, TRUSTED.consent));
    const { steps } = await run.run();
    const { system } = run;
    const [why] = rows(system, "why", { filter: allOf(['"vm:x"', "failed=yes | kind=ended"]), limit: 1 });
    assert.deepEqual([why.ended, why.failed], ["vm:x", true]);
    const [row] = rows(system, "vm.ls", { filter: "id=vm:x" });
    assert.deepEqual([row.why, why.rule === row.ended], [why.id, true], row.ended ?? "");
    const [verdict] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.equal(verdict.next, `el2 why ${why.id}`);
    assert.ok(verdict.text.endsWith(row.ended!));
    assert.deepEqual(system.broken(), [`x: ${row.ended}`]);
    const reported = steps.at(-1)!.details!.join("\n");
    assert.ok(reported.includes(reasonLines(why, true).map((line) => line.text).join("\n")), reported);
    const rig = new Rig(120, 36);
    rig.answer = (query) => system.inspector.answer(query);
    rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, vms: system.samples.sample(1e6) } });
    await rig.keys("/vm=vm:x\r");
    await rig.keys("w");
    const screen = await rig.text();
    assert.match(screen, new RegExp(`\\b${why.id} -`), screen);
    assert.match(screen, /\bx ended: /, screen);
  });
}

Deno.test("an end by a fault, a reset, a power-off and a kill names the instruction by symbol", async () => {
  const ending = async (fault: number): Promise<Record<string, string | null>> => {
    const system = await demoSystem(`el2 = 1\n${guest(fault)}`, undefined, folder);
    runUntil(system, 1e8);
    if (fault === FAULT.sleep) system.inspector.act({ kind: "vm.stop", vm: "x", force: true });
    runUntil(system, 2e8);
    const [{ values, symbol }] = rows(system, "why", { filter: "ended=vm:x" });
    return { ...values as Record<string, string>, symbol };
  };
  assert.match((await ending(FAULT.undefined)).instruction!, /^0x8000\w+ <guest_main\+0x\w+>: udf #0$/);
  const reset = await ending(FAULT.handled);
  assert.match(reset.instruction!, /^0x8000\w+ <fail\+0x\w+>: hvc #0x0$/);
  assert.match(reset.exception_at!, /^0x8000\w+ <guest_main\+0x\w+>: ldr w\d+, \[x\d+\]$/);
  assert.equal(reset.far, "0x70000000, not mapped");
  assert.match((await ending(FAULT.sleep)).instruction!, /^0x8000\w+ <sleep_on\+0x\w+>: /);
  assert.equal((await ending(FAULT.supervisorCall)).exception, "SVC");
});

Deno.test("el2 why of a VM that hangs is its verdict, as el2 diagnose tells it", async () => {
  await using place = new Place();
  await place.up("hangs", "examples/hangs.toml");
  const diagnosed = await eventually(() => place.el2("diagnose", "spinner"), ({ code }) => code !== 0);
  assert.match(diagnosed.stdout, /^vm:spinner spins: /);
  const [why, about, of] = [
    await place.el2("why"),
    await place.el2("why", "--about", "vm:spinner"),
    await place.el2("why", "--vm", "spinner"),
  ];
  assert.ok(why.stdout.includes(diagnosed.stdout), why.stdout);
  assert.deepEqual([about.stdout, of.stdout], [diagnosed.stdout, diagnosed.stdout]);
  assert.deepEqual([why.code, about.code, of.code], [0, 0, 0]);
});

Deno.test("a session, its commands and a run without a screen tell the same reason", async () => {
  await using place = new Place();
  const file = `${folder}/session.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[machine]\nturbo = true\n${guest(FAULT.undefined)}${other}`);
  await place.up("s", file);
  const diagnosed = await eventually(() => place.el2("diagnose", "x"), ({ code }) => code !== 0);
  const [why, shown] = [
    await place.el2("why", "--about", "vm:x"),
    await place.el2("show", "vm:x"),
  ];
  const [, cause] = /^vm:x failed: (.*)$/m.exec(diagnosed.stdout) ?? assert.fail(diagnosed.stdout + diagnosed.stderr);
  assert.equal(diagnosed.code, 1);
  const [, id] = /next: el2 why (why:\d+)/.exec(diagnosed.stdout) ?? assert.fail(diagnosed.stdout);
  assert.match(why.stdout, new RegExp(`^${id} .*vm:x ended: fault$`, "m"));
  for (const { stdout } of [why, shown]) assert.ok(stdout.includes(cause), stdout);
  assert.match(shown.stdout, new RegExp(`^why +${id}$`, "m"));
  const ran = await place.el2("run", file, "--headless", "--for", "100ms", "--recordings", "none");
  assert.equal(ran.code, 1, ran.stderr);
  assert.match(ran.stderr, new RegExp(`^${id} .*vm:x ended: fault$`, "m"));
  assert.ok(ran.stderr.includes(cause), ran.stderr);
});
