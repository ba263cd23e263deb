// `el2 mcp` with a scripted client: the ten jobs of docs/tutorials and failures of phones, with at
// most eight calls each.

import assert from "node:assert/strict";
import { Agent, CALLS_MAX, type Job, type Listed, type Row } from "../../agent.ts";
import { MYSTERIES } from "../../mysteries-by-tools.ts";
import { A64, imageOf, SYSTEM_OFF } from "../../program.ts";
import { programRunner } from "../../../../../src/app/cli/mcp/program.ts";
import { el2Command, runs } from "../../../../support/el2.ts";
import { eventually } from "../../../../support/eventually.ts";
import { LONG } from "../../../../support/long.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** Examples are outside the folder of the agent. */
const ROOT = new URL("../../../../../", import.meta.url).pathname;

Deno.test("el2 mcp only looks unless --allow-change is given", async (t) => {
  await using agent = await Agent.start();
  assert.match(agent.client.getInstructions() ?? "", /This server only looks: el2 mcp --allow-change also starts/);
  const tools: Listed = (await agent.client.listTools()).tools;
  assert.ok(tools.length > 0);
  for (const { name, annotations } of tools) assert.equal(annotations?.readOnlyHint, true, name);
  for (const name of ["up", "down", "back", "inject", "run", "test", "act"]) {
    const { text, failed } = await agent.answer(name);
    assert.deepEqual([failed, text], [true, `${name}: this server only looks; start it with el2 mcp --allow-change`]);
  }
  const unknown = await agent.answer("tabel");
  assert.deepEqual([unknown.failed, /did you mean "table"/.test(unknown.text)], [true, true]);
  await t.step("it says which argument is wrong, and what is right", () => saysWhatIsWrong(agent));
});

Deno.test("the list of tools fills little of a client's context, and explains each argument", async () => {
  await using agent = await Agent.start("--allow-change");
  const listed = await agent.client.listTools(), told = new Set<string>();
  // About 8,000 tokens.
  assert.ok(JSON.stringify(listed).length <= 32_300, `${JSON.stringify(listed).length} bytes`);
  for (const { name, inputSchema } of listed.tools) {
    for (const [argument, schema] of Object.entries(inputSchema.properties ?? {}) as [string, Record<string, unknown>][]) {
      if (schema.description !== undefined) told.add(argument);
      assert.ok(told.has(argument), `${name}: ${argument}`);
      if (schema.type === "array") assert.deepEqual(Object.keys(schema.items as object), ["type"], `${name}: ${argument}`);
    }
  }
});

async function saysWhatIsWrong(agent: Agent): Promise<void> {
  const wrong = async (name: string, args: Record<string, unknown>) => {
    const { text, failed } = await agent.answer(name, args);
    assert.ok(failed, text);
    return text;
  };
  assert.match(await wrong("table", { table: "vm.lsx" }), /^table: "vm\.lsx" is not one of vm\.ls, /);
  assert.match(await wrong("table", { table: "vm.ls", limit: 0 }), /^--limit: "0" is outside 1\.\.1000/);
  assert.match(await wrong("table", {}), /^table: "table" is missing/);
  assert.match(await wrong("table", { table: "vm.ls", fliter: "x" }), /table has no argument "fliter"; did you mean "filter"/);
  assert.match(await wrong("table", { table: "vm.ls", filter: "stat=running" }), /no field "stat"; did you mean "state"/);
  assert.match(await wrong("table", { table: "vm.ls", columns: ["stat"] }), /vm\.ls has no column "stat"; did you mean "state"/);
  assert.match(await wrong("table", { table: "vm.ls" }), /no session/);
  // A value that looks like an option stays a value.
  assert.match(await wrong("replay", { file: "--help" }), /recording --help: /);
  assert.match(await wrong("find", { target: "ping:0x80000000", value: "many" }), /^--value: "many" is not a number of 64 bits/);
  assert.match(await wrong("find", {}), /^find: give a target or --event/);
  assert.match(await wrong("rpc_decode", {}), /"hex" is missing/);
  assert.match(await wrong("who", { target: "ping:x", all: true, back: 3 }), /^who: --all and --back are mutually exclusive; give one/);
}

Deno.test("el2 mcp has no port; where another program joins one to it, a page in a browser gets no answer", async () => {
  const [command, ...args] = el2Command("mcp", "--allow-change");
  const process = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const message = (id: number, method: string, params: object) => `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;
  const clientInfo = { name: "page", version: "1" };
  const body = message(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo }) +
    message(2, "tools/call", { name: "up", arguments: { what: "demo" } });
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`POST / HTTP/1.1\r\nHost: localhost\r\n\r\n${body}`));
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.deepEqual([code, text(stdout)], [1, ""]);
  assert.match(text(stderr), /^el2: mcp: stdin has a line that is not JSON: /);
  await writer.abort().catch(() => {});
});

Deno.test("the answer of a command in JSON has nothing of what it reports besides", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/main.ts`, `console.log('{"insn":"1"}');\nconsole.error("el2: replaying: 10 %");\n`);
    const run = programRunner(new URL(`file://${folder}/main.ts`));
    assert.deepEqual(await run(["back", "--json"]), { text: '{"insn":"1"}', failed: false });
    assert.match((await run(["back"])).text, /replaying/);
  }));

Deno.test("el2 mcp answers the calls that it has got when its input ends", async () => {
  const [command, ...args] = el2Command("mcp");
  const server = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
  const writer = server.stdin.getWriter();
  const requests = [
    { id: 1, method: "initialize", params: { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "x", version: "1" } } },
    { method: "notifications/initialized" },
    { id: 2, method: "tools/call", params: { name: "columns", arguments: { table: "vm.ls" } } },
  ];
  await writer.write(new TextEncoder().encode(requests.map((one) => `${JSON.stringify({ jsonrpc: "2.0", ...one })}\n`).join("")));
  await writer.close();
  const { code, stdout } = await server.output();
  const answers = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([code, answers.map(({ id }) => id)], [0, [1, 2]]);
  assert.match(answers[1].result.content[0].text, /"table":"vm\.ls"/);
});

/** The processes that a process has started and not waited for. */
const childrenOf = (pid: number) => {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "pid=", "--ppid", String(pid)] }).outputSync();
  return new TextDecoder().decode(stdout).trim().split(/\s+/).filter(Boolean).map(Number);
};

Deno.test("a call that is canceled ends its command; a client that goes, and a signal, end the server with all of them", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "el2-mcp-" });
  const initialize = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } };
  /** A server in the middle of a call, with the process of its command. */
  const inCall = async () => {
    const [command, ...args] = el2Command("mcp", "--allow-change");
    const env = { XDG_RUNTIME_DIR: folder, EL2_SESSION: "" };
    const server = new Deno.Command(command, { args, cwd: folder, env, stdin: "piped", stdout: "null", stderr: "null" }).spawn();
    const writer = server.stdin.getWriter();
    const send = (message: object) => writer.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`));
    await send({ id: 1, method: "initialize", params: initialize });
    await send({ method: "notifications/initialized" });
    const run = (id: number) => send({ id, method: "tools/call", params: { name: "run", arguments: { what: "demo", for: "100000s" } } });
    await run(2);
    const one = () => eventually(() => Promise.resolve(childrenOf(server.pid)), ({ length }) => length === 1).then(([pid]) => pid);
    return { server, writer, send, run, one, child: await one() };
  };
  const ended = (pid: number) => eventually(() => Promise.resolve(runs(pid)), (running) => !running);
  await t.step("notifications/cancelled, and the next call has the place", async () => {
    const { server, writer, send, run, one, child } = await inCall();
    await send({ method: "notifications/cancelled", params: { requestId: 2 } });
    await ended(child);
    await run(3);
    const next = await one();
    await writer.close();
    assert.equal((await server.status).code, 0);
    await ended(next);
  });
  for (const [signal, code] of [["SIGTERM", 143], ["SIGKILL", 137]] as const) {
    await t.step(signal, async () => {
      const { server, writer, child } = await inCall();
      server.kill(signal);
      assert.equal((await server.status).code, code);
      await ended(child);
      await writer.close().catch(() => {});
    });
  }
  await Deno.remove(folder, { recursive: true });
});

const JOBS: readonly Job[] = [
  {
    name: "el2 mcp has a prompt for each of the ten jobs, and documents and recordings as resources",
    async work(agent) {
      const prompts: Listed = (await agent.client.listPrompts()).prompts;
      assert.deepEqual(
        prompts.map(({ name }) => name),
        ["why", "who-holds-a-page", "limits", "a-guest-hangs", "interrupts", "rpc", "boot", "compare", "gdb", "ci"],
      );
      const tools = ((await agent.client.listTools()).tools as Listed).map(({ name }) => name);
      for (const { name } of prompts) {
        const { messages: [{ content }] } = await agent.client.getPrompt({ name, arguments: { session: "one", problem: "EINVAL" } });
        assert.ok(content.type === "text");
        assert.match(content.text, /Session: one\n\nProblem: EINVAL\n\nTools of el2, in order: /);
        const steps = /^Tools of el2, in order: (.*)$/m.exec(content.text)![1];
        assert.ok(tools.some((tool) => new RegExp(`\\b${tool}\\b`).test(steps)), name);
      }
      await assert.rejects(agent.client.getPrompt({ name: "nothing" }), /there is no prompt "nothing"; use one of why, /);
      await agent.call("run", { what: "demo", for: "20ms", record: "short.rec" });
      await Deno.writeTextFile(`${agent.folder}/other.rec`, "not a recording");
      const resources: Listed = (await agent.client.listResources()).resources;
      const recordings = resources.filter(({ uri }) => uri.startsWith("el2://recordings/"));
      assert.deepEqual(recordings.map(({ name }) => name), ["short.rec"]);
      for (const { uri } of [resources[0], resources.find(({ uri }) => uri === "el2://spec/hypervisor")!]) {
        const { contents: [content] } = await agent.client.readResource({ uri });
        assert.match(String((content as { text: string }).text), /./);
      }
      const { contents: [recording] } = await agent.client.readResource({ uri: recordings[0].uri });
      const { runs, end } = JSON.parse((recording as { text: string }).text);
      assert.equal(runs, "run");
      assert.ok(Number(end.insn) > 0);
      await assert.rejects(agent.client.readResource({ uri: "el2://recordings/..%2Fother.rec" }), /there is no resource/);
    },
  },
  {
    name: "el2 mcp bounds its answers and names what it leaves out",
    shares: true,
    async work(agent) {
      const few = JSON.parse(await agent.call("table", { table: "obj.ls", limit: 3 }));
      assert.equal(few.rows.length, 3);
      assert.ok(few.left_out.rows > 0 && /limit/.test(few.left_out.see));
      const all = JSON.parse(await agent.call("table", { table: "obj.ls", limit: 1000, columns: ["id"] }));
      assert.equal(few.left_out.rows, all.rows.length + (all.left_out?.rows ?? 0) - 3);
      assert.deepEqual(Object.keys(all.rows[0]), ["id"]);
      assert.match(
        await agent.call("reference_spec", { name: "hypervisor", section: "4" }),
        /\[\d+ characters left out; ask for a subsection\]/,
      );
    },
  },
  {
    name: "a profile by pages, coverage, and the points of a run",
    shares: true,
    async work(agent) {
      const json = async (name: string, args: Record<string, unknown> = {}) => JSON.parse(await agent.call(name, args));
      const runs = { recordings: ["short.rec"], limit: 3 };
      const first = await json("profile", runs), second = await json("profile", { ...runs, after: first.next });
      assert.deepEqual([first.rows.length, first.next, second.rows.length, second.next, second.all], [3, 3, 3, 6, first.all]);
      const counts = [...first.rows, ...second.rows].map(({ insn }) => Number(insn));
      assert.deepEqual(counts, counts.toSorted((one, other) => other - one));
      const coverage = await json("coverage", { ...runs, vm: "ping" });
      assert.deepEqual([coverage.rows.map(({ vm }: Row) => vm), coverage.next], [["ping"], null]);
      assert.deepEqual((await agent.rows("time.ls")).map(({ kind }: Row) => kind), ["start", "now"]);
      assert.match((await agent.answer("table", { table: "code.lines", at: "ping:guest_main" })).text, /no source line/);
      assert.match(
        (await agent.answer("coverage", { recordings: ["/etc/passwd"] })).text,
        /"\/etc\/passwd", which is outside the working folder/,
      );
    },
  },
  {
    name: "job 2 by tool calls: who holds a page",
    shares: true,
    async work(agent) {
      assert.match(await agent.call("mem_read", { address: "ipa:ping/0x80001000", size: 16 }), /"rows":\[\{/);
      assert.match(JSON.stringify(await agent.rows("mem.owner", { at: "ipa:ping/0x80001000" })), /vm:ping/);
      const [{ id }] = await agent.rows("mem.parcels", { limit: 1 });
      const reply = await agent.call("rpc_send", {
        message: "MEM_RECLAIM",
        fields: [`handle=${String(id).slice("parcel:".length)}`, "flags=0"],
      });
      assert.match(reply, /MEM_INUSE/);
      const blocked = await agent.rows("mem.parcels", { filter: "state=blocked" });
      assert.deepEqual(blocked.map((row) => row.id), [id]);
      assert.match(await agent.call("why"), /a borrower still has the parcel[\s\S]*way out/);
      assert.deepEqual(await agent.rows("mem.check"), []);
    },
  },
  {
    name: "job 5 by tool calls: the busiest interrupt",
    shares: true,
    long: true,
    async work(agent) {
      // Rates are those of the latest second of the run, in which the VMs may have slept.
      for (let tries = 0;; tries++) {
        const rated = await agent.call("irq_top", { for: "1500ms" });
        if (/irq:(ping|pong)\//.test(rated)) break;
        assert.ok(tries < 2, rated);
      }
      await agent.call("act", { command: "irq raise", arguments: ["irq:pong/27"] });
    },
  },
  {
    name: "job 6 by tool calls: what the Resource Manager and a VM said",
    shares: true,
    async work(agent) {
      const rpcs = await agent.rows("rpc.ls", { filter: "about=ping" });
      assert.ok(rpcs.some(({ msg }) => msg === "VM_START"));
      assert.match(await agent.call("rpc_decode", { hex: ["21011f001500005112000000", "00000000"] }), /0x51000015/);
    },
  },
  {
    name: "job 9 by tool calls: stop at an instruction, look, step, go back",
    shares: true,
    async work(agent) {
      await agent.call("break", { rule: ["kind=hvc vm=ping"], wait: true });
      assert.ok((await agent.rows("vcpu.regs", { vcpu: "vcpu:ping/0", filter: "name=pc" })).length === 1);
      const code = await agent.rows("code", { at: "ping/0:pc", size: 4 });
      assert.equal(code.length, 4);
      await agent.call("vcpu_step", { vcpu: "vcpu:ping/0", count: 3 });
      assert.match(await agent.call("back", { by: 2 }), /^now at .*instruction [1-9]/);
    },
  },
  {
    name: "job 1 by tool calls: why START failed",
    async work(agent) {
      await agent.call("up", { what: "demo", inject: ["rpc msg=MEM_LEND nth=2 -> NOMEM"] });
      const failed = await agent.rows("vm.ls", { filter: "state=failed" });
      assert.deepEqual(failed.map(({ id }) => id), ["vm:ping"]);
      const why = await agent.call("why");
      assert.match(why, /GH_VM_START[\s\S]*MEM_LEND[\s\S]*rule .*inject[\s\S]*way out/);
    },
  },
  {
    name: "job 3 by tool calls: which limit is reached",
    long: true,
    async work(agent) {
      await agent.call("up", { what: "demo", inject: ["alloc what=page nth=3 -> NOMEM"] });
      const limits = await agent.rows("mem.limits", { columns: ["id", "used", "limit", "share"] });
      assert.ok(limits.some(({ id }) => /heap/.test(String(id))));
      assert.match(await agent.call("why", { list: true, filter: "err=NOMEM" }), /NOMEM/);
      const found = async (at?: string) => JSON.parse(await agent.call("find", { event: "kind=rpc", limit: 2, ...at && { at } }));
      const { rows: latest } = await found(), { rows: earlier } = await found(latest[0].id);
      const texts = [...latest, ...earlier].map(({ kind, id, text }) => `${kind} ${id} ${text}`);
      assert.equal(new Set(texts).size, 4);
      for (const text of texts) assert.match(text, /^event insn:/);
    },
  },
  {
    name: "job 4 by tool calls: where a guest hangs",
    long: true,
    async work(agent) {
      await agent.call("up", { what: "demo" });
      await agent.call("inject", { rule: ["virq vm=ping -> lose"] });
      await agent.rowOnce("vcpu.ls", { filter: "vm=ping" }, ({ wait }) => /wfi|vcpu_run/.test(String(wait)));
      assert.ok((await agent.rows("vcpu.stack", { vcpu: "vcpu:ping/0" })).length > 0);
      assert.match(await agent.call("diagnose", { vm: "ping" }), /^vm:ping \S+: /);
      await agent.rows("irq.ls", { filter: "finding!=-" });
      const [rule] = await agent.rows("inject.ls");
      assert.match(JSON.stringify(rule), /virq vm=ping -> lose/);
    },
  },
  {
    name: "job 7 by tool calls: a kernel of one's own boots, and its console answers",
    long: true,
    async work(agent) {
      const off = [...A64.loadW0(SYSTEM_OFF), A64.hvc];
      const hello = [A64.loadX1High(0x0900), ...[..."up\n"].flatMap((one) => [A64.loadW2(one.charCodeAt(0)), A64.storeByte]), ...off];
      await Deno.writeFile(`${agent.folder}/Image`, imageOf(hello));
      assert.match(await agent.call("boot", { image: "Image", memory: "64MiB" }), /^up$/m);
    },
  },
  {
    name: "job 8 by tool calls: where two runs differ",
    long: true,
    async work(agent) {
      await agent.call("run", { what: "demo", for: "20ms", record: "good.rec" });
      await agent.call("run", { what: "demo", for: "20ms", record: "bad.rec", inject: ["virq vm=pong nth=5 -> delay 1ms"] });
      await agent.call("replay", { file: "good.rec", verify: true });
      assert.match(await agent.call("diff", { a: "good.rec", b: "bad.rec" }), /the runs differ after/);
      for (const name of ["good", "bad"]) await agent.call("trace_export", { file: `${name}.ndjson`, recording: `${name}.rec` });
      assert.match(await agent.call("diff", { a: "good.ndjson", b: "bad.ndjson" }), /first difference at event/);
    },
  },
  {
    name: "job 10 by tool calls: a scenario for CI, and the recording of its failure",
    async work(agent) {
      const scenario = (error: string, within: string) =>
        [
          ...["el2_test = 1", 'inject = ["rpc msg=MEM_LEND nth=2 -> NOMEM"]', "[[step]]", 'boot = "demo"', "[[step]]"],
          ...[`expect_why = "call=GH_VM_START err=${error}"`, `within = "${within}"`, ""],
        ].join("\n");
      const written = (text: string) => Deno.writeTextFile(`${agent.folder}/refused.test.toml`, text);
      await written(scenario("ENOMEM", "1s"));
      const passed = await agent.call("test", { file: "refused.test.toml", junit: "results.xml" });
      assert.match(passed, /ok 2 - refused: reason call=GH_VM_START err=ENOMEM/);
      assert.match(await Deno.readTextFile(`${agent.folder}/results.xml`), /<testsuite/);
      await written(scenario("EPERM", "10ms"));
      const failed = await agent.call("test", { file: "refused.test.toml" });
      assert.match(failed, /not ok 2[\s\S]*exit code 1/);
      assert.match((await agent.answer("replay", { file: "refused.rec", verify: true })).text, /exit code 1/);
    },
  },
  {
    name: "a Debian by tool calls: its shell answers, and the past shows the stack of its kernel in a system call",
    long: true,
    async work(agent) {
      await agent.call("up", { what: "debian", turbo: true });
      const typed = (text: string, expect: string) => agent.call("console", { vm: "debian", send: text, expect, timeout: "120s" });
      assert.match(await typed("uname -m\\n", "aarch64"), /aarch64/);
      const now = await agent.rows("vm.ls", { filter: "id=debian", columns: ["id", "state"] });
      assert.deepEqual(now, [{ id: "vm:debian", state: "running" }]);
      const placeOf = (text: string) => BigInt(/instruction (\d+)/.exec(text)![1]);
      const insn = placeOf(await agent.call("back", { at: "debian:__arm64_sys_newuname" }));
      const stack = await agent.rows("vcpu.stack", { vcpu: "vcpu:debian/0" });
      assert.match(JSON.stringify(stack[0]), /__arm64_sys_newuname/);
      assert.ok(stack.some((frame) => /el0t_64_sync/.test(JSON.stringify(frame))), JSON.stringify(stack));
      const back = placeOf(await agent.call("back", { now: true }));
      assert.ok(back > insn, `${back} is after ${insn}`);
      await agent.call("resume");
      assert.match(await typed("echo second-$((6*7))\\n", "second-42"), /second-42/);
    },
  },
  {
    name: "errors of a configuration by one tool call, and a guest that spins by two",
    long: true,
    async work(agent) {
      await Deno.writeFile(`${agent.folder}/spin.bin`, new Uint8Array(Uint32Array.of(0xd503201f, 0x17ffffff).buffer));
      const configuration = (key: string) => `el2 = 1\n[vm.x]\nimage = "spin.bin"\n${key} = "4MiB"\n`;
      await Deno.writeTextFile(`${agent.folder}/spin.toml`, configuration("memroy"));
      const wrong = await agent.answer("run", { what: "spin.toml" });
      assert.deepEqual([wrong.failed, /did you mean "memory"[\s\S]*exit code 2/.test(wrong.text)], [true, true], wrong.text);
      await Deno.writeTextFile(`${agent.folder}/spin.toml`, configuration("memory"));
      await agent.call("up", { what: "spin.toml" });
      assert.match(await agent.call("diagnose", { vm: "x" }), /^vm:x spins: /);
    },
  },
  {
    name: "a snapshot continues in another session, and a trace is written, by tool calls",
    long: true,
    async work(agent) {
      await agent.call("up", { what: "demo", name: "first" });
      await agent.call("snapshot_save", { file: "before.snap", session: "first" });
      await agent.call("down", { session: "first" });
      await agent.call("up", { what: "before.snap", name: "second" });
      assert.ok((await agent.rows("vm.ls", { filter: "state=running" })).length > 0);
      await agent.call("run", { what: "demo", for: "5ms", record: "traced.rec" });
      await agent.call("trace_export", { file: "short.pcapng", recording: "traced.rec" });
      const start = (await Deno.readFile(`${agent.folder}/short.pcapng`)).subarray(0, 4);
      assert.deepEqual([...start], [0x0a, 0x0d, 0x0d, 0x0a]);
    },
  },
];

Deno.test("an agent does the job of each tutorial, and others, with at most eight tool calls", async (t) => {
  await using agent = await Agent.start("--allow-change", "--allow-host", ROOT);
  for (const { name, shares, work } of LONG ? [...JOBS, ...MYSTERIES] : JOBS.filter(({ long }) => !long)) {
    await t.step(name, async () => {
      if (shares !== agent.isShared) await agent.downAll();
      if (shares && !agent.isShared) await agent.call("up", { what: "demo", name: "demo" });
      agent.isShared = shares;
      agent.calls = shares ? 1 : 0;
      try {
        await work(agent);
        assert.ok(agent.calls <= CALLS_MAX, `${agent.calls} calls`);
      } finally {
        if (!shares) await agent.downAll();
      }
    });
  }
});
