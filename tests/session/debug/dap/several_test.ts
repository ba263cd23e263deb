// `el2 dap` with several VMs: their vCPUs are threads of one session.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { buildProgram, sourceOf, withTempFolder } from "../programs.ts";
import { DapClient } from "./client.ts";

const lines = async (name: string) => (await Deno.readTextFile(sourceOf(name))).split("\n");
const CALLS = await lines("calls"), COUNTER = await lines("counter");
const LEAF = CALLS.findIndex((line) => line.includes("total += (uint64_t)value")) + 1;
const COUNT = COUNTER.findIndex((line) => line.includes("total += step")) + 1;
/** In the RAM of a VM, past the headers that the linker puts below the code. */
const CODE = 0x8001_0000;

type Breakpoints = { readonly breakpoints: DebugProtocol.Breakpoint[] };

/** A configuration of two VMs with different programs; the second VM restarts when it ends. */
async function configuration(folder: string): Promise<string> {
  const options = { optimize: "-O0", at: CODE } as const;
  await buildProgram("calls", `${folder}/calls.elf`, options);
  await buildProgram("counter", `${folder}/counter.elf`, options);
  const what = `${folder}/el2.toml`;
  await Deno.writeTextFile(
    what,
    `el2 = 1
[vm.shapes]
image = "calls.elf"
memory = "4MiB"
[vm.counter]
image = "counter.elf"
memory = "4MiB"
on_exit = "restart"
`,
  );
  return what;
}

async function launched(folder: string, more: object = {}): Promise<DapClient> {
  const what = await configuration(folder), client = DapClient.inProcess();
  await client.ask("initialize", { adapterID: "el2" });
  await client.ask("launch", { what, turbo: true, ...more });
  await client.event("initialized");
  return client;
}

const threadsOf = async (client: DapClient) => {
  const { threads } = await client.ask<DebugProtocol.ThreadsResponse["body"]>("threads");
  return threads.map(({ id, name }) => `${id} ${name.replace(/ \(.*/, "")}`);
};

/** The frames of a thread, as the client gets them. */
async function frames(client: DapClient, threadId: number): Promise<DebugProtocol.StackFrame[]> {
  return (await client.ask<DebugProtocol.StackTraceResponse["body"]>("stackTrace", { threadId })).stackFrames;
}

Deno.test("the vCPUs of all VMs are threads: each VM has the breakpoints of its program, its stack, registers, memory and code", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder, { stopOnEntry: true });
    const setSource = (name: string, breakpoints: object[]) =>
      client.ask<Breakpoints>("setBreakpoints", { source: { path: sourceOf(name) }, breakpoints });
    const inShapes = await setSource("calls", [{ line: LEAF }, { line: 9999 }]);
    const [leaf, nowhere] = inShapes.breakpoints;
    assert.match(`${leaf.verified} ${leaf.line} ${leaf.instructionReference}`, new RegExp(`^true ${LEAF} shapes/0:0x8001[0-9a-f]{4}$`));
    assert.equal(nowhere.verified, false);
    assert.match(nowhere.message ?? "", /vm:shapes has no code for .*; vm:counter has no code for /);
    const inCounter = await setSource("counter", [{ line: COUNT, condition: "step == 2" }]);
    assert.deepEqual(inCounter.breakpoints.map(({ verified }) => verified), [true]);
    const functions = await client.ask<Breakpoints>("setFunctionBreakpoints", {
      breakpoints: [{ name: "shapes:leaf" }, { name: "counter:leaf" }, { name: "nobody:leaf" }],
    });
    assert.deepEqual(functions.breakpoints.map(({ verified, message }) => [verified, message]), [
      [true, undefined],
      [false, 'vm:counter has no symbol "leaf"; list its symbols with el2 symbols counter'],
      [false, "no VM nobody executes instructions yet, and no kernel has loaded a module nobody"],
    ]);
    await client.ask("setFunctionBreakpoints", { breakpoints: [] });
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    assert.equal((await entry).body.reason, "entry");
    const [shapes, counter] = [1, 2];
    assert.deepEqual(await threadsOf(client), [`${shapes} vcpu:shapes/0`, `${counter} vcpu:counter/0`]);

    // Each VM stops at its own breakpoint, and both have the address in their code.
    await setSource("calls", []);
    const counts = await client.stop("continue");
    assert.deepEqual([counts.threadId, counts.hitBreakpointIds], [counter, [inCounter.breakpoints[0].id]]);
    assert.equal(counts.description, "vcpu:counter/0: breakpoint");
    assert.deepEqual((await client.stack(counter)).slice(0, 2).map((frame) => frame.split(":")[0]), ["count counter.c", "main counter.c"]);
    assert.equal(await client.value("step", await client.frame(0, counter)), "2");
    await setSource("counter", []);

    // A step is of the thread that it names.
    const pc = async (threadId: number) => BigInt((await frames(client, threadId))[0].instructionPointerReference!.split(":")[1]);
    const before = await pc(shapes);
    const stepped = await client.stop("next", { threadId: shapes, granularity: "instruction" });
    assert.deepEqual([stepped.reason, stepped.threadId], ["step", shapes]);
    assert.equal(await pc(shapes), before + 4n);

    const [again] = (await setSource("calls", [{ line: LEAF }])).breakpoints;
    const reached = await client.stop("continue");
    assert.deepEqual([reached.threadId, reached.hitBreakpointIds], [shapes, [again.id]]);
    assert.equal((await client.stack(shapes))[0], `leaf calls.c:${LEAF}`);

    // Both programs have a `total`, at different addresses.
    const [there] = await frames(client, counter), [here] = await frames(client, shapes);
    const evaluate = (expression: string, frameId: number) =>
      client.ask<DebugProtocol.EvaluateResponse["body"]>("evaluate", { expression, frameId });
    const counted = await evaluate("total", there.id), drawn = await evaluate("total", here.id);
    assert.deepEqual([drawn.result, counted.result === "0"], ["0", false]);
    assert.match(`${counted.memoryReference} ${drawn.memoryReference}`, /^counter\/0:0x[0-9a-f]+ shapes\/0:0x[0-9a-f]+$/);
    const read = async (memoryReference: string | undefined) =>
      new DataView(
        Uint8Array.from(
          atob((await client.ask<{ data: string }>("readMemory", { memoryReference, count: 8 })).data),
          (c) => c.charCodeAt(0),
        )
          .buffer,
      ).getBigUint64(0, true);
    assert.equal(await read(counted.memoryReference), BigInt(counted.result));
    assert.equal(await read(counted.memoryReference?.replace("/0", "")), BigInt(counted.result));
    assert.equal(await read(drawn.memoryReference), 0n);
    await assert.rejects(read("nobody:0x80010000"), /no VM or vCPU "nobody" executes instructions/);
    for (const frame of [here, there]) {
      const { instructions } = await client.ask<NonNullable<DebugProtocol.DisassembleResponse["body"]>>("disassemble", {
        memoryReference: frame.instructionPointerReference,
        instructionCount: 1,
      });
      assert.match(instructions[0].symbol ?? "", new RegExp(`^${frame.name.split("+")[0]}`));
      const registers = await client.scope("Registers: General", frame.id);
      assert.equal(BigInt(registers.find(({ name }) => name === "PC")!.value), BigInt(instructions[0].address));
    }

    // Data of the other VM.
    await setSource("calls", []);
    const info = await client.ask<{ dataId: string }>("dataBreakpointInfo", { name: "total", frameId: await client.frame(0, counter) });
    assert.equal(info.dataId, `${counted.memoryReference}:8`);
    await client.ask("setDataBreakpoints", { breakpoints: [{ dataId: info.dataId, accessType: "write" }] });
    const written = await client.stop("continue");
    assert.deepEqual([written.reason, written.threadId], ["data breakpoint", counter]);
    await client.ask("setDataBreakpoints", { breakpoints: [] });

    // Back to the last breakpoint of either.
    await setSource("calls", [{ line: LEAF }]);
    const back = await client.stop("reverseContinue");
    assert.deepEqual([back.reason, back.threadId], ["breakpoint", shapes]);
    await client.stop("stepBack", { threadId: shapes, granularity: "instruction" });
    await client.ask("disconnect");
  });
});

Deno.test("threads come and go with their VMs, and breakpoints hold in a VM that starts again", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder);
    const entry = client.event("stopped");
    const set = await client.ask<Breakpoints>("setFunctionBreakpoints", { breakpoints: [{ name: "main" }] });
    await client.ask("configurationDone");
    const names = new Map((await threadsOf(client)).map((line) => [line.split(":")[1], Number(line.split(" ")[0])]));
    const shapes = names.get("shapes/0")!, counter = names.get("counter/0")!;
    const stops = [(await entry).body.threadId, (await client.stop("continue")).threadId];
    assert.deepEqual(stops.sort(), [shapes, counter].sort());
    // The program of the first ends; the second ends as well, and starts again.
    const changes = () => client.events.filter(({ event }) => event === "thread").map(({ body }) => `${body.reason} ${body.threadId}`);
    for (let count = 0; count < 3; count++) {
      const stop = await client.stop("continue");
      assert.deepEqual([stop.threadId, stop.hitBreakpointIds], [counter, [set.breakpoints[0].id]]);
    }
    const again = [`exited ${counter}`, `started ${counter}`];
    assert.deepEqual(changes().filter((change) => change.endsWith(`${counter}`)).slice(-6), [...again, ...again, ...again]);
    assert.deepEqual(changes().filter((change) => change.endsWith(`${shapes}`)).slice(-1), [`exited ${shapes}`]);
    assert.deepEqual(await threadsOf(client), [`${counter} vcpu:counter/0`]);
    await assert.rejects(frames(client, shapes), /there is no thread/);
    await client.ask("setFunctionBreakpoints", { breakpoints: [] });
    await client.ask("disconnect");
  });
});

Deno.test("a client has the VMs that it names; other names are refused", async () => {
  await withTempFolder(async (folder) => {
    const what = await configuration(folder);
    await using client = DapClient.inProcess();
    await client.ask("initialize", { adapterID: "el2" });
    await assert.rejects(client.ask("launch", { what, vms: ["shapes", "square"] }), /no VM called "square"/);
    await assert.rejects(client.ask("launch", { what, vm: "shapes", vms: ["counter"] }), /"vm" is one VM, "vms" a list/);
    await client.ask("launch", { what, turbo: true, stopOnEntry: true, vms: ["shapes"] });
    await client.event("initialized");
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    assert.equal((await entry).body.reason, "entry");
    assert.deepEqual(await threadsOf(client), ["1 vcpu:shapes/0"]);
    const set = await client.ask<Breakpoints>("setFunctionBreakpoints", { breakpoints: [{ name: "main" }, { name: "count" }] });
    assert.deepEqual(set.breakpoints.map(({ verified }) => verified), [true, false]);
    // One vCPU needs no name in front of its addresses.
    assert.match(set.breakpoints[0].instructionReference ?? "", /^0x/);
    assert.deepEqual((await client.stop("continue")).hitBreakpointIds, [set.breakpoints[0].id]);
    await client.ask("disconnect");
  });
});
