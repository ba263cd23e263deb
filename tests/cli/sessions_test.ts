// Sessions in the background, and the commands that look into them: one session for many questions,
// as starting one takes a second.

import assert from "node:assert/strict";
import { readPackets } from "../formats/read-pcapng.ts";
import { el2Command } from "../support/el2.ts";
import { type CommandNode, commandTree } from "../../src/cli/common/command-tree.ts";
import { makeProgram } from "../../src/cli/main.ts";
import { ACTION_COMMANDS } from "../../src/cli/groups.ts";
import { QUERY_COMMANDS } from "../../src/cli/groups.ts";
import { writeElfSymbols } from "../../src/symbols/elf-symbols.ts";
import { TABLES } from "../../src/queries/tables.ts";
import type { Outcome } from "./program.ts";

const text = new TextDecoder();
const decoded = (bytes: Uint8Array) => text.decode(bytes);

/** Runs a program; undefined where the machine has none of that name. */
async function runIfThere(program: string, args: string[], env: Record<string, string>): Promise<Deno.CommandOutput | undefined> {
  try {
    return await new Deno.Command(program, { args, env, stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A runtime folder of its own: no other session is seen. */
class Place implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
  readonly #up: string[] = [];

  async el2(...args: string[]): Promise<Outcome> {
    const [program, ...rest] = el2Command(...args);
    const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: this.folder, EL2_SOCKET: "" };
    const { code, stdout, stderr } = await new Deno.Command(program, { args: rest, stdin: "null", env }).output();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  /** Starts a session. */
  async up(name: string, what = "demo"): Promise<void> {
    const { code, stderr } = await this.el2("up", what, "--name", name);
    assert.equal(code, 0, stderr);
    this.#up.push(name);
  }

  async json(
    ...args: string[]
  ): Promise<{ schema: string; session: string; at: { ns: string; insn: string }; data: Record<string, unknown>[] }> {
    const { code, stdout, stderr } = await this.el2(...args, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#up) await this.el2("down", name);
    await Deno.remove(this.folder, { recursive: true });
  }
}

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
    assert.match(stderr, /^el2: no session runs; el2 up WHAT starts one\n$/);
    const json = await place.el2("vm", "ls", "--json");
    assert.deepEqual(JSON.parse(json.stderr), {
      schema: "el2.error/1",
      code: "no_session",
      message: "no session runs",
      at: null,
      hint: "el2 up WHAT starts one",
    });
  });
  await place.up("one");
  await t.step("a trace is recorded, counted, and written in the format that the file's name says", async () => {
    const nothing = await place.el2("trace", "export", `${place.folder}/none.pftrace`);
    assert.deepEqual([nothing.code, nothing.stderr], [1, "el2: nothing is recorded; el2 trace start begins\n"]);
    assert.equal((await place.el2("trace", "export", `${place.folder}/none.txt`)).code, 2);
    const started = await place.json("trace", "start", "--kinds", "hvc,msg");
    assert.deepEqual(started.data.map(({ id }) => id), ["trace:hvc", "trace:msg"]);
    const events = async () => (await place.json("trace", "stats")).data.reduce((sum, row) => sum + Number(row.events), 0);
    for (const limit = Date.now() + 60_000; await events() === 0;) assert.ok(Date.now() < limit, "nothing is recorded");
    const stopped = await place.json("trace", "stop");
    const count = stopped.data.reduce((sum, row) => sum + Number(row.events), 0);
    for (
      const [name, first] of [["rows.ndjson", '{"id":"ev:'], ["calls.pftrace", "\n"], ["calls.json", "{"], ["messages.pcapng", "\n\r\r\n"]]
    ) {
      const file = `${place.folder}/${name}`;
      const { code, stderr } = await place.el2("trace", "export", file);
      assert.equal(code, 0, stderr);
      const messages = name.endsWith(".pcapng") && readPackets(await Deno.readFile(file)).length;
      assert.ok(stderr.startsWith(messages === false ? `el2: ${count} events, ` : `el2: ${messages} messages, `), stderr);
      const written = text.decode(await Deno.readFile(file));
      assert.ok(written.startsWith(first), name);
      if (name === "rows.ndjson") assert.equal(written.trimEnd().split("\n").length, count);
    }
  });
  await t.step("code and symbols of a VM: an ELF file names what is there", async () => {
    const elf = `${place.folder}/hello.elf`;
    await Deno.writeFile(elf, writeElfSymbols([{ name: "entry", type: "T", address: 0x8000_0000n }]));
    const none = await place.el2("disasm", "hello:entry");
    assert.equal(none.code, 1);
    assert.match(none.stderr, /vm:hello has no symbol "entry"; it has none: .* no ELF file is known/);
    const added = await place.json("symbols", "hello", "--add", elf);
    assert.deepEqual(added.data.map(({ name, address }) => [name, address]), [["entry", "0x0000000080000000"]]);
    const code = await place.json("disasm", "hello:entry", "--count", "2");
    assert.deepEqual(code.data.map(({ id, symbol }) => [id, symbol]), [["va:hello/0x80000000", "entry"], [
      "va:hello/0x80000004",
      "entry+0x4",
    ]]);
    const empty = `${place.folder}/empty`;
    await Deno.writeFile(empty, new Uint8Array(0));
    const bad = await place.el2("symbols", "hello", "--add", empty);
    assert.deepEqual([bad.code, bad.stderr], [2, `el2: symbols ${empty}: no ELF file, or cut off in its header\n`]);
  });
  await t.step("W66: the socket is 0600 in a folder of 0700, and a second up of a name ends with 1", async () => {
    assert.equal(Deno.statSync(`${place.folder}/el2/one.sock`).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(`${place.folder}/el2`).mode! & 0o777, 0o700);
    const { code, stderr } = await place.el2("up", "demo", "--name", "one");
    assert.equal(code, 1);
    assert.match(stderr, /a session one runs already; el2 attach one shows it/);
  });
  await t.step("ls lists it", async () => {
    const { stdout } = await place.el2("ls");
    assert.match(stdout, /^one {2}demo {2}runs {2}clients 0/);
  });
  await t.step("console --expect waits for what a guest says, --send types", async () => {
    // On a busy machine the guests may not have been made yet.
    for (let tries = 0; tries < 50 && !(await place.el2("console", "hello")).stdout.startsWith("hello from EL1"); tries++);
    const { code, stdout } = await place.el2("console", "hello", "--send", "x", "--expect", "typed 'x'", "--timeout", "20s");
    assert.equal(code, 0);
    assert.equal(stdout, "typed 'x'\n");
    assert.match((await place.el2("console", "hello")).stdout, /^hello from EL1/);
  });
  await t.step("W57: --expect that does not come ends with 4, an unknown VM with 1, a wrong filter with 2", async () => {
    assert.equal((await place.el2("console", "hello", "--expect", "never", "--timeout", "100ms")).code, 4);
    assert.equal((await place.el2("console", "nobody")).code, 1);
    const wrong = await place.el2("vcpu", "ls", "--filter", "statt=run");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^el2: --filter: no field "statt"; did you mean "state".*\n {2}statt=run\n {2}\^\n$/);
  });
  await t.step("lists of a VM that there is not are an error, those that are empty say why", async () => {
    for (const { path, ofVm } of QUERY_COMMANDS) {
      if (!ofVm) continue;
      const { code, stdout, stderr } = await place.el2(...path.split(" "), "pign");
      assert.deepEqual([code, stdout], [1, ""], path);
      assert.match(stderr, /^el2: no vm:pign; did you mean "vm:ping"\?; there are vm:host, /, path);
    }
    for (const args of [["why", "--list", "--vm", "pign"], ["trace", "calls", "--vm", "pign"]]) {
      assert.deepEqual((await place.el2(...args)).code, 1, args.join(" "));
    }
    const says = async (...args: string[]) => (await place.el2(...args)).stdout;
    assert.equal(await says("vm", "ls", "--filter", "state=runing"), "nothing passes state=runing\n");
    assert.equal(await says("vcpu", "ls", "ping", "--filter", "state=x | state=y"), "nothing passes vm=ping state=x | vm=ping state=y\n");
    assert.equal(await says("mem", "blocked"), "no parcel is blocked: no reclaim of one was refused\n");
    assert.doesNotMatch(await says("vcpu", "ls", "ping", "--filter", "state=x | vm=hello"), /hello\/0/);
  });
  await t.step("W59, W60: every query command prints one JSON document with schema and at", async () => {
    const queue = (await place.json("queue", "ls", "--filter", "kind=msgqueue")).data[0].id as string;
    const cap = (await place.json("caps", "ls", "ping")).data[0].id as string;
    const rpc = (await place.json("rpc", "ls")).data[0].id as string;
    const named: Record<string, string> = {
      vm: "ping",
      vcpu: "ping/0",
      irq: "irq:ping/27",
      address: "ipa:ping/0x80000000",
      parcel: "parcel:0x0",
      queue,
      cap,
      rpc,
    };
    for (const { path, table, argument } of QUERY_COMMANDS) {
      const args = argument && !argument.optional ? [named[argument.name]] : [];
      const answer = await place.json(...path.split(" "), ...args);
      assert.equal(answer.schema, `el2.${table}/${TABLES[table].version}`, path);
      assert.equal(answer.session, "one");
      assert.match(answer.at.ns, /^\d+$/);
      assert.match(answer.at.insn, /^\d+$/);
    }
  });
  await t.step("W59: every other command of a session with --json prints lines of JSON with schema and at", async () => {
    const commands = [
      ...[["mem", "read", "ipa:ping/0x80000000"], ["irq", "top", "--for", "10ms"], ["trace", "stats"], ["trace", "start"], [
        "trace",
        "stop",
      ]],
      ...[["events", "--count", "3"], ["why"], ["why", "--list"], ["inject"], ["break"], ["disasm", "hello:0x80000000"], [
        "symbols",
        "hello",
      ]],
      ["trace", "calls", "--count", "3"],
      ["rpc", "send", "VM_GET_STATE", "vmid=3"],
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
    // Those of no session, or whose answer is no state of its machine, have a schema.
    const guest = new URL("../../assets/guests/hello.bin", import.meta.url).pathname;
    const others = [
      ...[["ls"], ["version"], ["doctor"], ["guests", "ls"], ["ioctl", "decode", "0xB201"], ["rpc", "decode", "21010f00"]],
      ...[["personas"], ["spec", "observed", "4"], ["vmm", guest, "--for", "1ms"]],
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
    // Tested where what they need is: a machine that may stand still, a network, QEMU, scenarios, a
    // recorded trace.
    const elsewhere = [
      "pause",
      "resume",
      "on",
      "back",
      "guests fetch",
      "guests add",
      "bench",
      "test",
      "vm lint",
      "vcpu step",
      "trace export",
    ];
    const tested = [...commands, ...others].map((args) => args.join(" ")).concat(elsewhere);
    const own = [...QUERY_COMMANDS, ...ACTION_COMMANDS].map(({ path }) => path);
    const missing = jsonCommands(commandTree(makeProgram(new URL(import.meta.url), () => {})), []).filter((path) =>
      !own.includes(path) && !tested.some((words) => words === path || words.startsWith(`${path} `))
    );
    assert.deepEqual(missing, [], "commands with --json that no test has run");
  });
  await t.step("W65: the completion scripts load, and complete names of VMs", async () => {
    const [program, ...args] = el2Command().map((word) => `'${word}'`);
    const script = async (shell: string) => {
      const file = `${place.folder}/completion.${shell}`;
      await Deno.writeTextFile(file, (await place.el2("completion", shell)).stdout);
      return file;
    };
    const calls: Record<string, (file: string) => string> = {
      bash: (file) =>
        `el2() { ${program} ${args.join(" ")} "$@"; }; . ${file}
COMP_WORDS=(el2 vm show p); COMP_CWORD=3; _el2; printf '%s\\n' "\${COMPREPLY[@]}"`,
      zsh: (file) =>
        `el2() { ${program} ${args.join(" ")} "$@"; }; compdef() {}; compadd() { shift; print -rl -- "$@"; }; . ${file}
words=(el2 vm show p); CURRENT=4; _el2`,
      fish: (file) => `function el2; ${program} ${args.join(" ")} $argv; end; source ${file}; complete -C "el2 vm show p"`,
    };
    for (const [shell, text] of Object.entries(calls)) {
      const file = await script(shell);
      const env = { XDG_RUNTIME_DIR: place.folder, HOME: place.folder };
      const ran = await runIfThere(shell, ["-c", text(file)], env);
      // Not every machine has each shell; bash is everywhere.
      assert.ok(ran || shell !== "bash", "there is no bash");
      if (ran) assert.deepEqual([shell, decoded(ran.stdout).trim().split(/\s+/)], [shell, ["ping", "pong"]], decoded(ran.stderr));
    }
  });
  await t.step("break stops the machine at an event or before an instruction, vcpu step executes one, resume lets it go on", async () => {
    const hit = await place.json("break", "kind=hvc name=msgqueue_send vm=ping", "--wait", "--timeout", "60s");
    assert.equal(hit.schema, "el2.stop.ls/1");
    assert.match(String(hit.data[0].last), /^ev:\d+ vcpu:ping\/0 hvc msgqueue_send /);
    const now = async () => (await place.json("break", "--list")).at.insn;
    const at = await now();
    assert.equal(await now(), at, "virtual time stands still");
    // A machine that stands still is what --wait waits for.
    assert.equal((await place.el2("break", "--wait")).code, 0);
    await place.json("break", "--remove", "all");
    const executed = async () => Number((await place.json("vcpu", "show", "ping/0")).data[0].instructions);
    const before = await executed();
    const stepped = await place.json("vcpu", "step", "ping/0", "--count", "3");
    assert.deepEqual(stepped.data.map(({ id }) => id), ["vcpu:ping/0"]);
    assert.equal(await executed(), before + 3);
    const pc = String(stepped.data[0].pc);
    assert.equal((await place.el2("break", "--at", `ping:${pc}`)).code, 0);
    await place.json("resume");
    const there = await place.json("break", "--wait");
    assert.match(String(there.data[0].last), new RegExp(`^vcpu:ping/0 at ${pc}`));
    const gdb = await place.el2("gdb", "hello");
    assert.deepEqual([gdb.code, /vm:ping has breakpoints of el2 break/.test(gdb.stderr)], [1, true]);
    await place.json("break", "--remove", "stop:2");
    await place.json("resume");
    await place.json("pause");
    const wrong = await place.el2("break", "kynd=hvc");
    assert.deepEqual([wrong.code, /^el2: break: no field "kynd"; did you mean "kind".*\n {2}kynd=hvc\n {2}\^\n$/.test(wrong.stderr)], [
      2,
      true,
    ]);
    const late = await place.el2("vcpu", "step", "ping/0", "--count", "1000000", "--timeout", "100ms");
    assert.deepEqual([late.code, late.stderr], [4, "el2: ping/0 has not executed 1000000 instructions within 0.1 s\n"]);
    await place.json("break", "--remove", "all");
    await place.json("resume");
  });
  await t.step("W62: --read-only refuses each changing command with 5, and nothing is changed", async () => {
    const queue = (await place.json("queue", "ls", "--filter", "kind=msgqueue")).data[0].id as string;
    const bell = (await place.json("queue", "ls", "--filter", "kind=doorbell")).data[0]?.id as string | undefined;
    const named: Record<string, string> = {
      ...{ vm: "ping", vcpu: "ping/0", irq: "irq:ping/27", queue, doorbell: bell ?? "db:1", bytes: "00", flags: "0x1", size: "0" },
      ...{ keys: "a", text: "a", place: "1,1", button: "left", steps: "1" },
    };
    const commands = [
      ...ACTION_COMMANDS.map(({ path, arguments: args }) => [...path.split(" "), ...args.map(({ name }) => named[name])]),
      ...[["pause"], ["resume"], ["back"], ["on"], ["break", "kind=hvc"], ["vcpu", "step", "ping/0"], ["rpc", "send", "VM_GET_OWNER"]],
      ...[["inject", "hvc -> BUSY"], ["snapshot", "save", `${place.folder}/no.snap`], ["console", "hello", "--send", "x"]],
      ["vm", "console", "hello", "--send", "x"],
    ];
    const before = (await place.json("vm", "ls")).data.length;
    for (const args of commands) {
      const { code, stderr } = await place.el2(...args, "--read-only");
      assert.deepEqual([code, /--read-only forbids it/.test(stderr)], [5, true], `${args.join(" ")}: ${stderr}`);
    }
    assert.equal((await place.json("vm", "ls")).data.length, before);
    for (const list of [["break"], ["inject"]]) assert.deepEqual((await place.json(...list)).data, [], "no rule was taken");
    assert.throws(() => Deno.statSync(`${place.folder}/no.snap`), Deno.errors.NotFound);
  });
  await t.step("W63: events | head -1 prints no error", async () => {
    for (const options of [[], ["--json"], ["--follow", "--kinds", "hvc"]]) {
      const quoted = el2Command("events", ...options).map((one) => `'${one}'`).join(" ");
      const env = { XDG_RUNTIME_DIR: place.folder };
      const { stdout, stderr } = await new Deno.Command("sh", { args: ["-c", `${quoted} | head -1`], env }).output();
      assert.equal(text.decode(stderr), "", options.join(" "));
      assert.equal(text.decode(stdout).split("\n").length, 2, options.join(" "));
    }
  });
  await t.step("W64: no colour codes without a terminal", async () => {
    for (const args of [["vcpu", "ls"], ["why"], ["events", "--count", "5"], ["--help"], ["vm", "show", "nobody"]]) {
      for (const NO_COLOR of ["1", ""]) {
        const [program, ...rest] = el2Command(...args);
        const env = { NO_COLOR, XDG_RUNTIME_DIR: place.folder, TERM: "xterm-256color" };
        const { stdout, stderr } = await new Deno.Command(program, { args: rest, stdin: "null", env }).output();
        assert.doesNotMatch(decoded(stdout) + decoded(stderr), /\x1b/, args.join(" "));
      }
    }
  });
  await t.step("W32: why last has chain, rule, object, values, way_out", async () => {
    // The host asks for a parcel that its borrower still has mapped.
    const [{ id: parcel }] = (await place.json("mem", "parcels")).data.filter(({ held_by }) => (held_by as string[]).length > 0);
    const refused = await place.el2("rpc", "send", "MEM_RECLAIM", `handle=${String(parcel).slice("parcel:".length)}`, "flags=0");
    assert.equal(refused.code, 1, refused.stdout + refused.stderr);
    const [reason] = (await place.json("why", "last")).data;
    const chain = reason.chain as { kind: string; name: string; result: { name: string } }[];
    assert.deepEqual(chain.map(({ kind, name, result }) => [kind, name, result.name])[0], ["rpc", "MEM_RECLAIM", "MEM_INUSE"]);
    assert.match(String(reason.rule), /^resource-manager \d+(\.\d+)*: ./);
    assert.equal(reason.object, parcel);
    assert.notDeepEqual(reason.values, {});
    assert.match(String(reason.way_out), /./);
    assert.notEqual(reason.way_out, null);
    assert.match(String(reason.asked_by), /^vcpu:/);
    const shown = await place.el2("why", reason.id as string);
    assert.match(shown.stdout, new RegExp(`^${reason.id} {2}t=`));
  });
  await t.step("W48: ioctl decode needs no session", async () => {
    const { code, stdout } = await place.el2("ioctl", "decode", "0xB201");
    assert.equal(code, 0);
    assert.match(stdout, /GH_CREATE_VM \(legacy\).*\/dev\/gunyah of legacy/);
  });
  await t.step("trace calls lists the hypercalls that were recorded", async () => {
    const { data } = await place.json("trace", "calls", "--vm", "ping", "--count", "3");
    for (const row of data) assert.equal(row.kind, "hvc");
  });
  await t.step("rpc send asks the resource manager as the host does, and prints what it answers", async () => {
    const { data: [vm] } = await place.json("vm", "show", "ping");
    const { data: [answer] } = await place.json("rpc", "send", "VM_GET_STATE", `vmid=${vm.vmid}`);
    assert.deepEqual([answer.msg, answer.about, answer.res], ["VM_GET_STATE", "vm:ping", "ok"]);
    const refused = await place.el2("rpc", "send", "VM_GET_STATE", "--payload", "99000000");
    assert.deepEqual([refused.code, /res +0x02 NORESOURCE/.test(refused.stdout)], [1, true]);
    const fields = await place.el2("rpc", "send", "VM_GET_STATE");
    assert.deepEqual([fields.code, fields.stderr], [2, "el2: rpc send VM_GET_STATE: its fields are vmid u16\n"]);
    assert.match((await place.el2("rpc", "send", "VM_GET_STAT", "vmid=1")).stderr, /no request "VM_GET_STAT"; did you mean "VM_GET_STATE"/);
  });
  await t.step("what is typed while the past is shown is refused, as every change is", async () => {
    await place.json("pause");
    await place.json("back", "--by", "1000");
    const says = "el2: this is the past, which takes no input; go to now first (t n, el2 back --now)\n";
    for (const words of [["console", "hello", "--send", "x"], ["irq", "raise", "irq:hello/27"]]) {
      const { code, stderr } = await place.el2(...words);
      assert.deepEqual([code, stderr], [1, says], words.join(" "));
    }
    await place.json("back", "--now");
    assert.equal((await place.el2("console", "hello", "--send", "x")).code, 0);
    await place.json("resume");
    const { code, stderr } = await place.el2("snapshot", "save", "no/such/folder/a.snap");
    assert.deepEqual([code, stderr], [1, "el2: snapshot no/such/folder/a.snap: no such folder\n"]);
  });
  await t.step("vm reset ends a VM and starts it anew", async () => {
    assert.equal((await place.el2("vm", "reset", "hello")).code, 0);
    const made = async () => (await place.json("vm", "timeline", "hello")).data.filter(({ msg }) => msg === "VM_ALLOCATE").length;
    for (const limit = Date.now() + 60_000; await made() < 2;) assert.ok(Date.now() < limit, "nothing is made anew");
    const { code } = await place.el2("vm", "console", "hello", "--send", "y", "--expect", "typed 'y'", "--timeout", "60s");
    assert.equal(code, 0);
    assert.equal((await place.json("vm", "show", "hello")).data[0].exit, null, "its life before is over");
  });
  await t.step("vm kill ends a VM, the others go on", async () => {
    assert.equal((await place.el2("vm", "kill", "pong")).code, 0);
    for (let tries = 0; tries < 50; tries++) {
      if ((await place.json("vm", "ls")).data.some(({ id, state }) => id === "vm:pong" && state === "stopped")) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const left = (await place.json("vm", "ls")).data.map(({ id, state, exit }) => [id, state, exit]);
    const running = (id: string) => [id, "running", null];
    assert.deepEqual(left, [
      running("vm:host"),
      running("vm:hello"),
      running("vm:ping"),
      ["vm:pong", "stopped", "forced"],
      running("vm:rm"),
    ]);
  });
  await t.step("W50: mem check is 0", async () => {
    assert.equal((await place.el2("mem", "check")).code, 0);
  });
  await t.step("W30: a log file holds each console from its first byte", async () => {
    for (const vm of ["hello", "ping", "pong"]) {
      const { stdout } = await place.el2("console", vm);
      assert.ok(stdout.length > 0, vm);
      const log = await Deno.readTextFile(`${place.folder}/el2/one.consoles/${vm}.log`);
      assert.ok(log.startsWith(stdout), `${vm}: what the console shows is not how its log begins`);
    }
  });
  await t.step("two sessions have to be told apart", async () => {
    await place.up("two");
    const { code, stderr } = await place.el2("vm", "ls");
    assert.equal(code, 3);
    assert.match(stderr, /several sessions run: one, two; name one: --socket NAME/);
    assert.match((await place.el2("down")).stderr, /several sessions run: one, two; name one: el2 down NAME\n$/);
    assert.equal((await place.el2("vm", "ls", "--socket", "two")).code, 0);
  });
  await t.step("down ends one and takes its socket away", async () => {
    assert.equal((await place.el2("down", "two")).code, 0);
    assert.throws(() => Deno.statSync(`${place.folder}/el2/two.sock`), Deno.errors.NotFound);
    assert.doesNotMatch((await place.el2("ls")).stdout, /two/);
  });
});

Deno.test("W69: up says all errors of a configuration and starts nothing", async () => {
  await using place = new Place();
  const file = `${place.folder}/bad.toml`;
  await Deno.writeTextFile(file, `el2 = 1\n[machine]\ncpus = 99\n[vm.a]\nimage = "none.bin"\nvcpus = 20\n`);
  const { code, stderr } = await place.el2("up", file);
  assert.equal(code, 2);
  assert.match(stderr, /:3:8: /);
  assert.match(stderr, /:6:9: /);
  assert.equal((await place.el2("ls")).stdout, "");
});

Deno.test("of two that start a session of one name at once, one does, the other says that it runs already", async () => {
  await using place = new Place();
  for (let round = 0; round < 3; round++) {
    const ups = await Promise.all([1, 2].map(() => place.el2("up", "demo", "--name", "same")));
    assert.deepEqual(ups.map(({ code }) => code).sort(), [0, 1]);
    assert.match(ups.find(({ code }) => code === 1)!.stderr, /^el2: a session same runs already/);
    const sessions = JSON.parse((await place.el2("ls", "--json")).stdout).data;
    assert.deepEqual(sessions.map(({ name }: { name: string }) => name), ["same"], "the socket is that of the one that started");
    assert.equal((await place.el2("down", "same")).code, 0);
  }
});

Deno.test("a socket that nobody answers is taken over", async () => {
  await using place = new Place();
  Deno.mkdirSync(`${place.folder}/el2`, { mode: 0o700 });
  Deno.writeTextFileSync(`${place.folder}/el2/dead.sock`, "");
  await place.up("dead");
  assert.equal((await place.el2("vm", "ls", "--socket", "dead")).code, 0);
});
