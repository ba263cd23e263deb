// Replays by the command line (docs/design/checklist.md, W55).

import assert from "node:assert/strict";
import { withTable } from "../../../../support/plan-tables.ts";
import { type BootPlan, TIERS } from "../../../../../src/model/plans/plan.ts";
import { recordingHeader } from "../../../../../src/session/recordings/file/recording-writer.ts";
import { bootPlan } from "../../../../session/snapshots/systems.ts";
import { A64, el2, el2Refused, imageOf, SYSTEM_RESET } from "../../program.ts";
import { DEMO, recordDemo, rewrite } from "../recordings.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("W55: replay --verify is 0 in every tier and shows the same; one changed input byte is 1 and names the place", () =>
  inFolder(async (folder) => {
    const file = `${folder}/demo.rec`;
    const text = await recordDemo(file);
    for (const tier of TIERS) {
      const replayed = await el2("replay", file, "--verify", "--tier", tier);
      assert.equal(replayed.code, 0, replayed.stderr);
      const hello = replayed.stdout.split("\n").filter((line) => line.startsWith("hello| ")).map((line) => line.slice("hello| ".length));
      assert.equal(hello.join("\n").trim(), text.replaceAll("\r", "").trim());
    }
    await rewrite(
      file,
      (line) => line.includes('"kind":"console"') ? line.replace(/"\$bytes":"[^"]*"/, `"$bytes":"${btoa("x\n")}"`) : line,
    );
    const changed = await el2("replay", file, "--verify");
    assert.equal(changed.code, 1);
    assert.match(changed.stderr, /the replay differs: t:\d+\.\d{6}, instruction \d+: (instructions|registers|memory|console) were /);
  }));

Deno.test("a recording that was cut off, changed or is none is refused by line, or said to be cut off", () =>
  inFolder(async (folder) => {
    const file = `${folder}/demo.rec`;
    assert.equal((await el2("run", "--record", file, DEMO, "--for", "1s")).code, 0);
    const whole = await Deno.readTextFile(file);
    const refused = async (text: string, message: RegExp, code = 2) => {
      await Deno.writeTextFile(file, text);
      const outcome = await el2("replay", file, "--verify");
      assert.match(outcome.stderr, message);
      assert.equal(outcome.code, code);
    };
    await refused(whole.replace('"code":0', '"code":3'), /demo\.rec:\d+: the checksum is wrong/);
    await refused(whole.split("\n").slice(0, 1).join("\n") + "\n", /the recording ends here, as el2 was killed/, 1);
    await refused("no recording", /demo\.rec is not an el2 recording \(line 1\)/);
    await refused('{"schema":"el2.recording/9"}\n', /demo\.rec:1: not a recording that this el2 reads \(el2\.recording\/2\)$/m);
    await refused(whole + "{}\n", /data after the end/);
    assert.equal((await el2Refused(["replay", `${folder}/none`])).code, 2);
  }));

/** The part of a recording's plan that the test below changes. */
interface WrittenPlan {
  table: { keys: { vm: Record<string, { devices?: unknown[] }> } };
  run: { instant?: string };
}

Deno.test("what a recording's plan would write is not written: a machine that does is refused, and so are files of the session", () =>
  inFolder(async (folder) => {
    const file = `${folder}/demo.rec`, disk = `${folder}/disk.img`, snapshot = `${folder}/snapshot`;
    assert.equal((await el2("run", "--record", file, DEMO, "--for", "100ms")).code, 0);
    const [header] = (await Deno.readTextFile(file)).split("\n");
    const replayOf = async (change: (plan: WrittenPlan) => void) => {
      const changed = JSON.parse(header) as { plan: WrittenPlan };
      change(changed.plan);
      await Deno.writeTextFile(file, `${JSON.stringify(changed)}\n`);
      return await el2("replay", file);
    };
    await Deno.writeFile(disk, new Uint8Array(4096));
    const disks = await replayOf(({ table }) => table.keys.vm.hello.devices = [{ kind: "block", image: disk, mode: "rw" }]);
    assert.equal(disks.code, 2);
    assert.match(disks.stderr, /demo\.rec:1: its machine writes to .*disk\.img, which no recorded machine does/);
    assert.match((await replayOf(({ table }) => table.keys.vm = {})).stderr, /demo\.rec:1: its plan does not make a machine/);
    assert.match(
      (await replayOf(({ run }) => run.instant = snapshot)).stderr,
      /demo\.rec:1: its plan does not make a machine: run\.instant/,
    );
    await assert.rejects(Deno.stat(snapshot), Deno.errors.NotFound);
  }));

Deno.test("the recording of a machine that is reset ends there, and cannot say that it starts again", () =>
  inFolder(async (folder) => {
    const image = `${folder}/reset.bin`, file = `${folder}/reset.rec`;
    await Deno.writeFile(image, imageOf([...A64.loadW0(SYSTEM_RESET), A64.hvc]));
    assert.equal((await el2("boot", image, "--memory", "64MiB", "--turbo", "--record", file)).code, 1);
    const replayed = await el2("replay", file, "--verify", "--timeout", "240s");
    assert.equal(replayed.code, 1, replayed.stderr);
    assert.match(replayed.stderr, /SYSTEM_RESET/);
    await rewrite(file, (line) => line.replace('"run":{', '"run":{"reboot":true,'));
    assert.match((await el2("replay", file)).stderr, /its plan does not make a machine: run\.reboot/);
  }));

Deno.test("malformed inputs, checks and ends are refused by line and field, and none of them enters a machine", () =>
  inFolder(async (folder) => {
    const file = `${folder}/demo.rec`;
    assert.equal((await el2("run", "--record", file, DEMO, "--for", "50ms")).code, 0);
    const [header] = (await Deno.readTextFile(file)).split("\n");
    const cases: readonly (readonly [line: unknown, message: RegExp])[] = [
      [{ at: 1, settled: true, input: 17 }, /demo\.rec:2: it: /],
      [{ at: 1, settled: true, input: { kind: "zzz" } }, /demo\.rec:2: kind: /],
      [{ at: 1, settled: true, input: { kind: "console", console: "hello", bytes: 17 } }, /demo\.rec:2: bytes: /],
      [{ at: 1, settled: true, input: { kind: "act", action: null } }, /demo\.rec:2: action: /],
      [
        { at: 1, settled: true, input: { kind: "act", action: { kind: "rpc.send", id: 1, payload: "x" } } },
        /demo\.rec:2: action\.payload: /,
      ],
      [{ at: 1, check: { instructions: "many", registers: "" } }, /demo\.rec:2: instructions: /],
      [{ at: 1, end: { instructions: 1, registers: "", own: 1, code: 0, message: "", memory: "", console: "" } }, /demo\.rec:2: own: /],
    ];
    for (const [line, message] of cases) {
      await Deno.writeTextFile(file, `${header}\n${JSON.stringify(line)}\n`);
      for (const command of [["replay", file], ["diff", file, file]]) {
        const outcome = await el2Refused(command);
        assert.match(outcome.stderr, message);
        assert.equal(outcome.code, 2);
        assert.doesNotMatch(outcome.stderr, /\n {4}at /);
      }
    }
  }));

Deno.test("a recording whose disk is not there, too small, or a pipe without a writer is refused by it", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`, small = `${folder}/small`, pipe = `${folder}/pipe`;
    await Deno.writeFile(small, new Uint8Array(100));
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const plan = await bootPlan();
    const refused = async (image: string, message: RegExp) => {
      const devices = [{ kind: "block", image, mode: "ro" }] as const;
      await Deno.writeTextFile(file, await recordingHeader(withTable({ ...plan, what: { ...plan.what, devices } as BootPlan })));
      for (const command of [["replay", file], ["diff", file, file]]) {
        const { code, stderr } = await el2(...command);
        assert.match(stderr, message, command[0]);
        assert.doesNotMatch(stderr, /bug|^ +at /m, command[0]);
        assert.equal(code, 2, command[0]);
      }
    };
    await refused(`${folder}/none`, /disk .*none: no such file/);
    await refused(small, /disk .*small has 100 bytes, less than a sector/);
    await refused(pipe, /disk .*pipe is not a file or a block device/);
  }));
