import assert from "node:assert/strict";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { el2Process } from "../cli/program.ts";
import { job } from "../../../src/app/jobs/scenario.ts";
import { KeptPrompts } from "../../../src/app/scenarios/kept-prompts.ts";
import { type PlannedScenario, planScenario } from "../../../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../../../src/app/scenarios/run.ts";
import { readScenario } from "../../../src/app/scenarios/scenario.ts";
import { inCache, inFolder } from "../../support/temporary-folder.ts";
import { longTest } from "../../support/long.ts";
import { TRUSTED } from "../../support/trusted.ts";

/** Programs that el2's init and scenarios call. */
const PROGRAMS = ["mount", "cat", "stty", "base64", "gunzip", "tail", "tar", "rm", "wc", "ln"];

/** A file of an archive in the newc format, from the start of the one with this name. */
function fileIn(archive: Uint8Array, path: string): Uint8Array {
  const text = new TextDecoder("latin1").decode(archive), at = text.indexOf(`\0${path}\0`) + 1 || text.indexOf(`${path}\0`);
  const header = at - 110, data = header + Math.ceil((110 + path.length + 1) / 4) * 4;
  return archive.subarray(data, data + parseInt(text.slice(header + 54, header + 62), 16));
}

/** Makes `root` and `Image` in a folder. */
async function busyboxRoot(folder: string): Promise<void> {
  const { folder: guest } = await catalogEntry("debian");
  await Deno.mkdir(`${folder}/root/bin`, { recursive: true });
  await Deno.writeFile(`${folder}/root/bin/sh`, fileIn(await Deno.readFile(`${guest}/initrd`), "bin/busybox"), { mode: 0o755 });
  for (const name of PROGRAMS) await Deno.symlink("sh", `${folder}/root/bin/${name}`);
  await Deno.symlink(`${guest}/Image`, `${folder}/Image`);
}

const TEST = `#!/bin/sh
echo TAP version 13
echo 1..2
cat /opt/data >> /dev/stdout
echo "not ok 2 - second"
`;

/** A scenario of steps after this boot. */
const scenarioOf = (folder: string, boot: string, steps: string) =>
  readScenario(`${folder}/x.test.toml`, `el2_test = 1\n[[step]]\nboot = ${boot}\n${steps}`);

const planned = (folder: string, boot: string, steps = "") => planScenario(scenarioOf(folder, boot, steps), undefined, TRUSTED.consent);

/** The result of a scenario, as el2 test runs it. */
async function run(wanted: PlannedScenario | Promise<PlannedScenario>) {
  const outcome = await job({ planned: await wanted, timeout: undefined }, { say() {} });
  assert.ok("result" in outcome);
  return outcome;
}

/** A folder with overlays, and the root file system of a Debian's busybox. */
async function fill(folder: string): Promise<void> {
  await busyboxRoot(folder);
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
  inFolder((folder) =>
    fill(folder).then(() =>
      inCache(async () => {
        const boot = '{ image = "Image", root = "root", overlay = { "/opt/tests" = "tests", "/" = "over" } }\nfrom = "prompt"';
        const steps = '[[step]]\nrun = "exit 4"\n[[step]]\nrun = { kselftest = ["deep"] }\n';
        const prompts = new KeptPrompts(),
          wanted = () => planScenario(scenarioOf(folder, boot, steps), undefined, TRUSTED.consent, prompts);
        const first = await run(wanted()), again = await run(wanted());
        assert.deepEqual({ ...again.result, elapsed: 0 }, { ...first.result, elapsed: 0 }, "with the state of the first, the same run");
        assert.deepEqual(again.failed?.past, first.failed?.past);
        const { steps: results } = again.result;
        assert.deepEqual(results[1].cases, [{ path: ["exit 4"], result: "skipped", message: "exit status 4" }]);
        const [, , { message, cases, text }] = results;
        assert.equal(
          text,
          "run cd '/opt/tests/deep' && { [ -e /dev/stdout ] || ln -s /proc/self/fd/1 /dev/stdout; ./run_kselftest.sh -c deep; }",
        );
        assert.equal(message, "1 of 2 tests failed");
        assert.deepEqual(cases?.map(({ path, result }) => [path.join("/"), result]), [["first", "skipped"], ["second", "failed"]]);

        await Deno.writeTextFile(`${folder}/over/opt/data`, "ok 1 - edited\n");
        const edited = await wanted(), { ino } = await Deno.stat(edited.kept?.path ?? "");
        assert.ok(edited.delivery, "the file of the first is there, and gets the edit");
        const { result } = await run(edited);
        assert.deepEqual(result.steps[2].cases?.map(({ path }) => path.join("/")), ["edited", "second"]);
        assert.equal((await Deno.stat(edited.kept?.path ?? "")).ino, ino, "it is kept as it was");
      })
    )
  ));

const KEPT = `el2_test = 1
[[step]]
boot = { image = "Image", root = "root", overlay = { "/opt" = "over" } }
from = "prompt"
[[step]]
run = "/opt/tests/all.sh"
`;

// Processes that boot Linux three times; CI has the same in one process, and the file alone.
longTest(
  "an edited overlay gets into the state that an earlier el2 test has kept: files that changed, are new, have gone",
  () =>
    inFolder(async (folder) => {
      await busyboxRoot(folder);
      await Deno.writeTextFile(`${folder}/a.test.toml`, KEPT);
      await Deno.mkdir(`${folder}/over/tests/old`, { recursive: true });
      await Deno.writeTextFile(`${folder}/over/tests/old/file`, "1");
      await Deno.symlink("file", `${folder}/over/tests/link`);
      const check = async (script: string, code = 0) => {
        await Deno.writeTextFile(`${folder}/over/tests/all.sh`, `#!/bin/sh\ncd /opt/tests\n${script}\n`, { mode: 0o755 });
        const run = await el2Process(["test", "a.test.toml", "--allow-host", "all"], { EL2_CACHE: `${folder}/cache` }, folder);
        assert.equal(run.code, code, run.stdout + run.stderr);
        return run;
      };
      const kept = () =>
        [...Deno.readDirSync(`${folder}/cache/instant`)].map(({ name }) => {
          const { ino, mtime } = Deno.statSync(`${folder}/cache/instant/${name}`);
          return { name, ino, mtime };
        });

      await check("[ -e old/file ] && [ -L link ] && [ ! -e new ]");
      const first = kept();
      assert.match(first.map(({ name }) => name).join(), /^[0-9a-f]{64}\.prompt$/);

      await Deno.remove(`${folder}/over/tests/old`, { recursive: true });
      await Deno.remove(`${folder}/over/tests/link`);
      await Deno.mkdir(`${folder}/over/tests/link`);
      await Deno.writeFile(`${folder}/over/tests/link/a b'c`, crypto.getRandomValues(new Uint8Array(60_000)));
      await Deno.writeTextFile(`${folder}/over/tests/new`, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
      const size = `[ "$(wc -c < "link/a b'c")" = 60000 ]`;
      await check(`[ ! -e old ] && [ -d link ] && ./new && ${size} && [ ! -e /.el2-changes ] && [ ! -e /.el2-changes.gz ]`);
      assert.deepEqual(kept(), first, "the same state");

      const failed = await check("exit 3", 1);
      assert.match(failed.stdout, /message: "exit status 3"/);
      const replay = await el2Process(["replay", "a.rec", "--verify"], { EL2_CACHE: `${folder}/cache` }, folder);
      assert.match(replay.stderr, /exit status 3; identical to the recording/, "with the files as they were typed");

      const [{ name }] = first, path = `${folder}/cache/instant/${name}`, bytes = await Deno.readFile(path);
      await Deno.writeFile(path, bytes.subarray(0, bytes.length / 2));
      assert.match((await check("true")).stderr, /\.prompt: at byte \d+: the file is truncated; the machine starts from the beginning/);
      assert.equal((await Deno.stat(path)).size, bytes.length, "and is kept again");
    }),
);

Deno.test("what is missing of a root, an overlay or a command is refused with its place and the way out", () =>
  inFolder(async (folder) => {
    await fill(folder);
    await Deno.remove(`${folder}/Image`);
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
