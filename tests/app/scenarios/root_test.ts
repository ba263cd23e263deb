import assert from "node:assert/strict";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { job } from "../../../src/app/jobs/scenario.ts";
import { type PlannedScenario, planScenario } from "../../../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../../../src/app/scenarios/run.ts";
import { readScenario } from "../../../src/app/scenarios/scenario.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { longTest } from "../../support/long.ts";
import { TRUSTED } from "../../support/trusted.ts";

/** A file of an archive in the newc format, from the start of the one with this name. */
function fileIn(archive: Uint8Array, path: string): Uint8Array {
  const text = new TextDecoder("latin1").decode(archive), at = text.indexOf(`\0${path}\0`) + 1 || text.indexOf(`${path}\0`);
  const header = at - 110, data = header + Math.ceil((110 + path.length + 1) / 4) * 4;
  return archive.subarray(data, data + parseInt(text.slice(header + 54, header + 62), 16));
}

const TEST = `#!/bin/sh
echo TAP version 13
echo 1..2
cat /opt/data
echo "not ok 2 - second"
`;

/** A scenario of steps after this boot. */
const scenarioOf = (folder: string, boot: string, steps: string) =>
  readScenario(`${folder}/x.test.toml`, `el2_test = 1\n[[step]]\nboot = ${boot}\n${steps}`);

const planned = (folder: string, boot: string, steps = "") => planScenario(scenarioOf(folder, boot, steps), undefined, TRUSTED.consent);

/** The result of a scenario, as el2 test runs it. */
const run = async (wanted: Promise<PlannedScenario>) => await job({ planned: await wanted, timeout: undefined }, { say() {} });

/** A folder with overlays, and the root file system of a Debian's busybox. */
async function fill(folder: string): Promise<void> {
  const { folder: guest } = await catalogEntry("debian");
  await Deno.mkdir(`${folder}/root/bin`, { recursive: true });
  await Deno.writeFile(`${folder}/root/bin/sh`, fileIn(await Deno.readFile(`${guest}/initrd`), "bin/busybox"), { mode: 0o755 });
  for (const name of ["mount", "cat"]) await Deno.symlink("sh", `${folder}/root/bin/${name}`);
  // The guest has its own devices.
  await Deno.mkdir(`${folder}/root/dev`);
  await new Deno.Command("mkfifo", { args: [`${folder}/root/dev/initctl`] }).output();
  await Deno.mkdir(`${folder}/tests/deep`, { recursive: true });
  await Deno.writeTextFile(`${folder}/tests/deep/run_kselftest.sh`, TEST, { mode: 0o755 });
  await Deno.mkdir(`${folder}/over/opt`, { recursive: true });
  await Deno.writeTextFile(`${folder}/over/opt/data`, "ok 1 - first # SKIP none\n");
}

// A boot of Linux each; CI has that of the folder.
longTest("a command runs in a root of the catalog, with a folder laid over it; its status is the result", () =>
  inFolder(async (folder) => {
    await fill(folder);
    const steps = `[[step]]\nrun = "true"\n[[step]]\nrun = """\necho one\nexit 4"""\n`;
    const debian = await new ScenarioRun(
      await planned(folder, '{ root = "debian", overlay = ["over"] }', `${steps}[[step]]\nrun = "cat /opt/data /none"\n`),
    ).run();
    assert.deepEqual(
      debian.steps.map(({ result, message, cases }) => [message ?? result, cases?.map((one) => one.message ?? one.result)]),
      [
        ["ok", undefined],
        ["ok", undefined],
        ["ok", ["exit status 4"]],
        ["exit status 1", undefined],
      ],
    );
    assert.match(debian.steps[3].details?.join("\n") ?? "", /^host\| ok 1 - first # SKIP none\nhost\| cat: can't open '\/none'/m);
  }));

Deno.test("a command runs in a folder as root, with folders laid over it, from a prompt that is shared; its status and tests are the result", () =>
  inFolder(async (folder) => {
    await fill(folder);
    const { folder: guest } = await catalogEntry("debian");
    await Deno.symlink(`${guest}/Image`, `${folder}/Image`);
    const boot = '{ image = "Image", root = "root", overlay = { "/opt/tests" = "tests", "/" = "over" } }\nfrom = "prompt"';
    const steps = '[[step]]\nrun = "exit 4"\n[[step]]\nrun = { kselftest = ["deep"] }\n';
    const first = await run(planned(folder, boot, steps)), again = await run(planned(folder, boot, steps));
    assert.deepEqual({ ...again.result, elapsed: 0 }, { ...first.result, elapsed: 0 }, "with the state of the first, the same run");
    assert.deepEqual(again.past, first.past);
    const { steps: results } = again.result;
    assert.deepEqual(results[1].cases, [{ path: ["exit 4"], result: "skipped", message: "exit status 4" }]);
    const [, , { message, cases, text }] = results;
    assert.equal(text, "run cd '/opt/tests/deep' && ./run_kselftest.sh -c deep");
    assert.equal(message, "1 of 2 tests failed");
    assert.deepEqual(cases?.map(({ path, result }) => [path.join("/"), result]), [["first", "skipped"], ["second", "failed"]]);
  }));

Deno.test("what is missing of a root, an overlay or a command is refused with its place and the way out", () =>
  inFolder(async (folder) => {
    await fill(folder);
    await Deno.writeTextFile(`${folder}/Image`, "");
    const refused: Readonly<Record<string, RegExp>> = {
      '"demo"\nfrom = "prompt"': /:3: boot: from needs a machine with one console; its consoles are hello, ping, pong$/,
      '"demo"\nfrom = "boot"': /:4:\d+: from is not a prepared state; use "prompt", or leave it out$/,
      "{ memory = '1GiB' }": /:3: boot: image is missing; name a kernel, or a Debian of the catalog as root$/,
      '{ root = "root" }': /:3: boot: image is missing/,
      '{ root = "debian", initrd = "i" }': /:3: boot: root and initrd are mutually exclusive; give one$/,
      '{ image = "Image", overlay = ["over"] }': /:3: boot: overlay needs a root or an initrd; such as root = "debian"$/,
      '{ image = "Image", root = "none" }': /:3: boot: .*\/none: no such file/,
      '{ image = "Image", root = "over" }': /:3: boot: root .*\/over: it has no \/bin\/sh; name the folder of a root file system$/,
      '{ root = "debian", overlay = ["over", "gone"] }': /:3: boot: .*\/gone: no such file/,
      '{ root = "debian", overlay = ["root"] }':
        /:3: boot: .*\/root\/dev\/initctl: is not a file, a folder or a link; remove it from the folder$/,
      '{ root = "debian", overlay = { "tests" = "over" } }': /:3:\d+: .*is not an absolute path/,
    };
    for (const [boot, says] of Object.entries(refused)) {
      await assert.rejects(async () => await planned(folder, boot), (error: Error) =>
        says.test(error.message) || assert.fail(`${boot}: ${error.message}`));
    }
    const none = planned(folder, '{ root = "debian", overlay = ["over"] }', '[[step]]\nrun = { kselftest = ["futex"] }\n');
    await assert.rejects(
      none,
      /:5: run: no folder of overlay or root has run_kselftest\.sh; build one with make -C tools\/testing\/selftests install/,
    );
    const steps: Readonly<Record<string, RegExp>> = {
      '"a\\tb"': /run has a control character; use spaces and newlines/,
      [`"${"x".repeat(901)}"`]: /run has a line of more than 900 characters; put it into a script in a folder of overlay/,
      '""': /run is empty/,
      "{ kselftest = [] }": /names no target/,
      '{ kselftest = ["a; b"] }': /is not the name of a target/,
    };
    for (const [run, says] of Object.entries(steps)) {
      assert.throws(
        () =>
          scenarioOf(folder, '"demo"', `[[step]]\nrun = ${run}\n`),
        says,
        run,
      );
    }
  }));
