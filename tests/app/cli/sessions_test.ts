// Sessions in the background, and the commands that look into them: one session for many questions,
// as starting one takes a second.

import assert from "node:assert/strict";
import { el2Command } from "../../support/el2.ts";
import { type CommandNode, commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { ASKING, CHANGING, queryOf, sampleValues, sampleWords } from "../../model/commands/samples.ts";
import { COMMANDS } from "../../../src/model/commands/all.ts";
import { pathOf } from "../../../src/model/commands/words.ts";
import { ExitCode } from "../../../src/app/jobs/failure.ts";
import { GAPS } from "../../../src/model/queries/facts/gap.ts";
import { LINUX_TABLES } from "../../../src/model/queries/linux-tables.ts";
import { TABLES } from "../../../src/model/queries/tables.ts";
import { Place } from "./place.ts";
import { el2Process, el2With, type Outcome } from "./program.ts";
import { LONG } from "../../support/long.ts";

const text = new TextDecoder();
const NO_LINUX = GAPS.problem({ code: "no-kernel" }).what;

/** The words of all commands with `--json`. */
function jsonCommands(node: CommandNode, path: readonly string[]): string[] {
  const own = node.options.some(({ long }) => long === "--json") ? [path.join(" ")] : [];
  return [...own, ...node.commands.flatMap((command) => jsonCommands(command, [...path, command.name]))];
}

Deno.test("sessions in the background", async (t) => {
  await using place = new Place();
  await t.step("W57: without a session commands end with 3 and say how to start one", async () => {
    const { code, stderr } = await place.el2("vm", "ls");
    assert.equal(code, 3);
    assert.match(stderr, /^el2: no session is running; start one with el2 up demo\n$/);
    const json = await place.el2("vm", "ls", "--json");
    assert.deepEqual(JSON.parse(json.stderr), {
      schema: "el2.error/1",
      code: "no_session",
      message: "no session is running",
      at: null,
      hint: "start one with el2 up demo",
    });
  });
  await place.up("one");
  await t.step("W57: --expect that does not come ends with 4, an unknown VM with 1, a wrong filter with 2", async () => {
    assert.equal((await place.el2("console", "hello", "--expect", "never", "--timeout", "100ms")).code, 4);
    assert.equal((await place.el2("console", "nobody")).code, 1);
    const wrong = await place.el2("vcpu", "ls", "--filter", "statt=run");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^el2: --filter: no field "statt"; did you mean "state".*\n {2}statt=run\n {2}\^\n$/);
  });
  await t.step("lists of a VM that there is not are an error, those that are empty say why", async () => {
    for (const command of COMMANDS) {
      const path = pathOf(command);
      if (!command.args.vm || !command.printed?.(sampleValues(command)).ofVm) continue;
      const { code, stdout, stderr } = await place.el2(...path.split(" "), "pign");
      assert.deepEqual([code, stdout], [1, ""], path);
      assert.match(stderr, /^el2: no VM called "pign"; did you mean "ping"\? Use one of host, /, path);
    }
    for (const args of [["why", "--list", "--vm", "pign"], ["trace", "calls", "--vm", "pign"]]) {
      assert.deepEqual((await place.el2(...args)).code, 1, args.join(" "));
    }
    const says = async (...args: string[]) => (await place.el2(...args)).stdout;
    assert.equal(await says("vm", "ls", "--filter", "state=runing"), "no rows match state=runing\n");
    assert.equal(await says("vcpu", "ls", "ping", "--filter", "state=x | state=y"), "no rows match vm=ping state=x | vm=ping state=y\n");
    assert.equal(await says("mem", "parcels", "--filter", "state=blocked"), "no rows match state=blocked\n");
    assert.doesNotMatch(await says("vcpu", "ls", "ping", "--filter", "state=x | vm=hello"), /hello\/0/);
  });
  await t.step("W59, W60: every query command prints one JSON document with schema and at", async () => {
    const queue = (await place.json("queue", "ls", "--filter", "kind=msgqueue")).data[0].id as string;
    for (const command of ASKING) {
      const path = pathOf(command);
      const { code, stdout, stderr } = await place.el2(...sampleWords(command, { queue }), "--json");
      const { table } = queryOf(command, { queue })!;
      // No VM of the demo has a Linux: all but the list of them fail, and say so in a document.
      if (table in LINUX_TABLES && table !== "linux.ls") {
        const { schema, message } = JSON.parse(stderr);
        assert.deepEqual([code, stdout, schema, message], [ExitCode.Failed, "", "el2.error/1", NO_LINUX], path);
        continue;
      }
      // Events are printed one by one, each as a document.
      assert.notEqual(stdout, "", `${path}: ${stderr}`);
      const answer = JSON.parse(stdout.split("\n", 1)[0]);
      assert.equal(answer.schema, `el2.${table}/${TABLES[table].version}`, path);
      assert.equal(answer.session, "one");
      assert.match(answer.at.ns, /^\d+$/);
      assert.match(answer.at.insn, /^\d+$/);
    }
  });
  await t.step("W59: every other command of a session with --json prints lines of JSON with schema and at", async () => {
    const commands = [
      ...[["trace", "start"], [
        "trace",
        "stop",
      ]],
      ...[["events", "--count", "3"], ["why"], ["diagnose"], ["why", "--list"], ["inject"], ["break"], [
        "symbols",
        "hello",
      ]],
      ["trace", "calls", "--limit", "3"],
      ["vcpu", "vars", "hello/0", "$sp + 8"],
      ["rpc", "send", "VM_GET_STATE", "vmid=3"],
      ["find", "ping:0x80000000"],
    ];
    for (const args of commands) {
      const { code, stdout, stderr } = await place.el2(...args, "--json");
      assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
      const lines = stdout.trimEnd().split("\n");
      assert.ok(lines.length > 0);
      for (const line of lines) {
        const { schema, session, at } = JSON.parse(line);
        assert.match(schema, /^el2\.[a-z.]+\/\d+$/, args.join(" "));
        assert.equal(session, "one");
        assert.ok(/^\d+$/.test(at.ns) && /^\d+$/.test(at.insn), args.join(" "));
      }
    }
    // Answers without a session, or not about the state of its machine, have a schema.
    const others = [
      ...[["ls"], ["version"], ["doctor"], ["explain", "main.ts"], ["guests", "ls"], ["reference", "ioctl", "0xB201"], [
        "rpc",
        "decode",
        "21010f00",
      ]],
      ...["personas", "phone sm8650", "phone", "cpu", "cpu v8.4", "theme", "spec observed 4"].map((
        page,
      ) => ["reference", ...page.split(" ")]),
      ...[["snapshot", "save", `${place.folder}/j.snap`], ["snapshot", "info", `${place.folder}/j.snap`]],
      ...[["snapshot", "verify", `${place.folder}/j.snap`], ["diff", `${place.folder}/j.snap`, `${place.folder}/j.snap`]],
    ];
    for (const args of others) {
      const { stdout, stderr } = await place.el2(...args, "--json");
      assert.notEqual(stdout, "", `${args.join(" ")}: ${stderr}`);
      for (const line of stdout.trimEnd().split("\n")) {
        assert.match(String(JSON.parse(line).schema ?? ""), /^el2\.[a-z.]+\/\d+$/, args.join(" "));
      }
    }
    // Tested where what they need is: a machine that may be paused, a network, QEMU, scenarios, a
    // recorded trace, recordings.
    const elsewhere = [
      "compare-runs",
      "coverage",
      "profile",
      "pause",
      "resume",
      "on",
      "back",
      "link",
      "recording show",
      "mark",
      "guests fetch",
      "guests add",
      "bench",
      "test",
      "vm lint",
      "vcpu step",
      "trace export",
    ];
    const tested = [...commands, ...others].map((args) => args.join(" ")).concat(elsewhere);
    const own = [...ASKING, ...CHANGING].map(pathOf);
    const missing = jsonCommands(commandTree(makeProgram(new URL(import.meta.url), () => {})), []).filter((path) =>
      !own.includes(path) && !tested.some((words) => words === path || words.startsWith(`${path} `))
    );
    assert.deepEqual(missing, [], "commands with --json that no test has run");
  });
  await t.step("W62: --read-only refuses each changing command with 5, and nothing is changed", async () => {
    const queue = (await place.json("queue", "ls", "--filter", "kind=msgqueue")).data[0].id as string;
    const bell = (await place.json("queue", "ls", "--filter", "kind=doorbell")).data[0]?.id as string | undefined;
    const commands = [
      ...CHANGING.filter(({ name }) => !["break", "inject"].includes(name)).map((command) =>
        sampleWords(command, { queue, doorbell: bell ?? "db:1", address: "pa:0x40000000" })
      ),
      ["break", "kind=hvc"],
      ...[["inject", "hvc -> BUSY"], ["snapshot", "save", `${place.folder}/no.snap`], ["console", "hello", "--send", "x"]],
      ["mark", "here"],
    ];
    const before = (await place.json("vm", "ls")).data.length;
    for (const args of commands) {
      const { code, stderr } = await place.el2(...args, "--read-only");
      assert.deepEqual([code, /--read-only/.test(stderr)], [5, true], `${args.join(" ")}: ${stderr}`);
    }
    assert.equal((await place.process("pause", "--read-only")).code, 5, "a refusal ends the process");
    assert.equal((await place.json("vm", "ls")).data.length, before);
    for (const list of [["break"], ["inject"]]) assert.deepEqual((await place.json(...list)).data, [], "no rule was taken");
    assert.throws(() => Deno.statSync(`${place.folder}/no.snap`), Deno.errors.NotFound);
  });
  await t.step("W63: events | head -1 prints no error", async () => {
    for (const options of [[], ...LONG ? [["--json"]] : [], ["--follow", "--kinds", "hvc"]]) {
      const quoted = el2Command("events", ...options).map((one) => `'${one}'`).join(" ");
      const env = { XDG_RUNTIME_DIR: place.folder };
      const { stdout, stderr } = await new Deno.Command("sh", { args: ["-c", `${quoted} | head -1`], env }).output();
      assert.equal(text.decode(stderr), "", options.join(" "));
      assert.equal(text.decode(stdout).split("\n").length, 2, options.join(" "));
    }
  });
  await t.step("W64: no colour codes without a terminal", async () => {
    const colorless = ({ stdout, stderr }: Outcome, args: readonly string[]) =>
      assert.doesNotMatch(stdout + stderr, /\x1b/, args.join(" "));
    for (const NO_COLOR of ["1", ""]) {
      const env = { NO_COLOR, XDG_RUNTIME_DIR: place.folder, TERM: "xterm-256color" };
      for (const args of [["vcpu", "ls"], ["why"], ["events", "--limit", "5"], ["show", "vm:nobody"]]) {
        colorless(await el2With(env, ...args), args);
        if (LONG) colorless(await el2Process(args, env), args);
      }
      // The library that prints it looks at the environment, too.
      if (LONG || !NO_COLOR) colorless(await el2Process(["--help"], env), ["--help"]);
    }
  });
});
