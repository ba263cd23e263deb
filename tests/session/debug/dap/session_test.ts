// `el2 dap` end to end: a scripted client debugs a program in C, from its first instruction on,
// forward and back.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { buildProgram, sourceOf, withTempFolder } from "../programs.ts";
import { DapClient, Refused } from "./client.ts";

const SOURCE = sourceOf("calls");
const LINES = (await Deno.readTextFile(SOURCE)).split("\n");
const lineOf = (text: string) => LINES.findIndex((line) => line.includes(text)) + 1;
const LEAF = lineOf("total += (uint64_t)value"), AREA = lineOf("int32_t sum = 0"), SUM = lineOf("sum += twice");

type Breakpoints = { readonly breakpoints: DebugProtocol.Breakpoint[] };

/** A client of a machine with the program, before its first instruction. */
async function launched(folder: string, more: object = {}, optimize: "-O0" | "-O2" = "-O0"): Promise<DapClient> {
  const image = `${folder}/calls.elf`;
  await buildProgram("calls", image, { optimize });
  const client = DapClient.inProcess();
  const capabilities = await client.ask("initialize", { adapterID: "el2" });
  assert.equal(capabilities.supportsStepBack, true);
  await client.ask("launch", { boot: image, turbo: true, stopOnEntry: true, ...more });
  await client.event("initialized");
  return client;
}

Deno.test("an editor debugs a program: breakpoints, steps, variables, memory, code, and back in time", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder);
    const set = await client.ask<Breakpoints>("setBreakpoints", {
      source: { path: SOURCE },
      breakpoints: [{ line: LEAF }, { line: 9999 }],
    });
    assert.deepEqual(set.breakpoints.map(({ verified, line }) => [verified, line]), [[true, LEAF], [false, 9999]]);
    assert.match(set.breakpoints[1].message ?? "", /has no code for/);
    await client.ask("setExceptionBreakpoints", { filters: [] });
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    assert.equal((await entry).body.reason, "entry");
    const { threads } = await client.ask<DebugProtocol.ThreadsResponse["body"]>("threads");
    assert.deepEqual(threads.map(({ id, name }) => [id, name]), [[1, "vcpu:host/0"]]);
    assert.deepEqual(await client.stack(), ["_start calls.S:8"]);

    // To the breakpoint.
    const stopped = await client.stop("continue");
    assert.equal(stopped.reason, "breakpoint");
    assert.deepEqual(stopped.hitBreakpointIds, [set.breakpoints[0].id]);
    const stack = await client.stack();
    assert.deepEqual(stack.slice(0, 3), [
      `leaf calls.c:${LEAF}`,
      `area calls.c:${lineOf("sum = leaf(sum)")}`,
      `recurse calls.c:${lineOf("if (depth == 0)")}`,
    ]);
    assert.equal(stack.at(-1), "_start calls.S:13");
    assert.equal(stack.length, 8);

    // Variables of the frame, and of its caller.
    const inner = await client.frame(0), caller = await client.frame(1);
    assert.deepEqual((await client.scope("Locals", inner)).map(({ name, type, value }) => [name, type, value]), [[
      "value",
      "int32_t",
      "264",
    ]]);
    const [shape, scale, ...locals] = await client.scope("Locals", caller);
    assert.deepEqual([scale.name, scale.value], ["scale", "3"]);
    assert.equal(shape.type, "const struct shape *");
    const members = await client.parts(shape.variablesReference);
    assert.deepEqual(members.map(({ name }) => name), ["name", "color", "corners", "next", "closed", "layer"]);
    assert.match(members[0].value, /"triangle"$/);
    assert.equal(members[1].value, "GREEN (5)");
    assert.equal(members[2].value, "{{x = 1, y = 2}, {x = 3, y = 4}, {x = 5, y = 6}}");
    assert.deepEqual([members[4].value, members[5].value], ["1", "9"]);
    const corners = await client.parts(members[2].variablesReference);
    assert.deepEqual((await client.parts(corners[1].variablesReference)).map(({ name, value }) => [name, value]), [["x", "3"], ["y", "4"]]);
    assert.deepEqual(locals.map(({ name, value }) => [name, value]), [["sum", "264"]]);
    const statics = await client.scope("Statics", inner);
    assert.equal(statics.find(({ name }) => name === "ticks")?.value, "-4");
    assert.equal(await client.value("shape->next->corners[0].y * -2", caller), "0x4");
    assert.match(await client.value("*$sp"), /^0x[0-9a-f]+/);
    assert.match(await client.value("leaf"), /<leaf>$/);
    await assert.rejects(client.value("nothing + 1"), Refused);
    await assert.rejects(client.value("1 +"), /ends too early/);

    // Registers, memory, code.
    const registers = await client.scope("Registers: General", inner);
    const pc = registers.find(({ name }) => name === "PC")!.value;
    const [total] = /^0x[0-9a-f]+/.exec(await client.value("&total"))!;
    const memory = await client.ask<{ data: string }>("readMemory", { memoryReference: total, count: 8 });
    assert.equal(atob(memory.data), "\0".repeat(8));
    const code = await client.ask<DebugProtocol.DisassembleResponse["body"] & object>("disassemble", {
      memoryReference: pc,
      instructionOffset: -2,
      instructionCount: 5,
    });
    assert.equal(code.instructions.length, 5);
    assert.equal(BigInt(code.instructions[2].address), BigInt(pc));
    const outside = await client.ask<DebugProtocol.DisassembleResponse["body"] & object>("disassemble", {
      memoryReference: "0x10",
      instructionCount: 100,
    });
    assert.equal(outside.instructions.length, 100);

    // Steps: into a line, out, over, in.
    assert.equal((await client.stop("next")).reason, "step");
    assert.equal((await client.stack())[0], `leaf calls.c:${LEAF + 1}`);
    assert.equal((await client.stop("stepOut")).reason, "step");
    assert.match((await client.stack())[0], /^area /);
    assert.equal((await client.stop("stepBack")).reason, "breakpoint");
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [] });
    const instruction = await client.stop("stepIn", { threadId: 1, granularity: "instruction" });
    assert.equal(instruction.reason, "step");

    // Back by a line, to the function's call, and by an instruction.
    await client.stop("stepBack", { threadId: 1, granularity: "instruction" });
    assert.equal((await client.stack())[0], `leaf calls.c:${LEAF}`);
    await client.ask("setFunctionBreakpoints", { breakpoints: [{ name: "area" }, { name: "nowhere" }] });
    assert.equal((await client.stop("reverseContinue")).reason, "function breakpoint");
    assert.equal((await client.stack())[0], `area calls.c:${AREA}`);
    await client.stop("next");
    await client.stop("next");
    assert.match((await client.stack())[0], /^area /);
    const before = (await client.stack())[0];
    await client.stop("next");
    assert.notEqual((await client.stack())[0], before);
    await client.stop("stepBack");
    assert.equal((await client.stack())[0], before);

    // Breakpoints hold in the past that a step back leads to.
    await client.stop("next", { threadId: 1, granularity: "instruction" });
    await client.stop("stepBack", { threadId: 1, granularity: "instruction" });
    assert.equal((await client.stop("reverseContinue")).reason, "function breakpoint");
    assert.equal((await client.stack())[0], `area calls.c:${AREA}`);
    await client.ask("disconnect", { terminateDebuggee: true });
  });
});

/** The line of the innermost frame, and how many there are. */
async function place(client: DapClient): Promise<[string, number]> {
  const stack = await client.stack();
  return [stack[0], stack.length];
}

Deno.test("steps go over calls, also recursive and inlined ones, into functions and out of them; a step from the present that the past has reached moves on", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder);
    const call = lineOf("recurse(depth - 1)");
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [{ line: call, condition: "depth == 3" }] });
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    await entry;
    await client.stop("continue");
    const [, depth] = await place(client);

    // Over the recursion, whose breakpoints do not count, to the next line of this frame; and back.
    assert.equal((await client.stop("next")).reason, "step");
    assert.deepEqual(await place(client), [`recurse calls.c:${call + 1}`, depth]);
    assert.equal(await client.value("depth"), "3");
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [] });
    assert.equal((await client.stop("stepBack")).reason, "step");
    assert.deepEqual(await place(client), [`recurse calls.c:${call}`, depth]);

    // Into it, where the argument is in place; and out: the recursion that it entered has ended.
    await client.stop("stepIn");
    assert.deepEqual(await place(client), [`recurse calls.c:${call - 1}`, depth + 1]);
    assert.equal(await client.value("depth"), "2");
    assert.equal((await client.stop("stepOut")).reason, "step");
    assert.deepEqual(await place(client), [`recurse calls.c:${call}`, depth]);

    // The rest of the line leads to where the past began.
    for (const line of [call + 1, call + 2]) {
      assert.equal((await client.stop("next")).reason, "step");
      assert.deepEqual(await place(client), [`recurse calls.c:${line}`, depth]);
    }

    // Over an inlined call and back, into it and out of it.
    const before = lineOf("int32_t product");
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [{ line: before }] });
    await client.stop("continue");
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [] });
    const [at, frames] = await place(client);
    assert.equal(at, `area calls.c:${before}`);
    for (const [command, line] of [["next", SUM], ["stepBack", before]] as const) {
      await client.stop(command);
      assert.deepEqual(await place(client), [`area calls.c:${line}`, frames]);
    }
    await client.stop("stepIn");
    assert.deepEqual(await place(client), [`twice calls.c:${lineOf("ticks++")}`, frames + 1]);
    await client.stop("stepOut");
    assert.deepEqual(await place(client), [`area calls.c:${SUM}`, frames]);
    await client.ask("disconnect", { terminateDebuggee: true });
  });
});

/** The places to which steps into functions lead from the start of main. */
async function stepped(client: DapClient, count: number): Promise<string[]> {
  await client.ask("setFunctionBreakpoints", { breakpoints: [{ name: "main" }] });
  const entry = client.event("stopped");
  await client.ask("configurationDone");
  await entry;
  await client.stop("continue");
  await client.ask("setFunctionBreakpoints", { breakpoints: [] });
  const places = [(await place(client)).join(" ")];
  while (places.length < count) {
    assert.equal((await client.stop("stepIn")).reason, "step");
    places.push((await place(client)).join(" "));
  }
  return places;
}

Deno.test("steps back lead through the lines and functions that steps forward came by, past inlined calls", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder);
    const places = await stepped(client, 15), way = places.filter((one) => !one.startsWith("twice"));
    assert.ok(way.length < places.length && places.some((one) => one.startsWith("area")), places.join("\n"));
    const back = [(await place(client)).join(" ")];
    while (back.length < way.length) {
      assert.equal((await client.stop("stepBack")).reason, "step");
      back.push((await place(client)).join(" "));
    }
    assert.deepEqual(back, way.reverse());
    await client.ask("disconnect", { terminateDebuggee: true });
  });
});

Deno.test("a function of an optimized program that begins without a stack frame is entered at its first line, each call of a recursion", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder, {}, "-O2");
    const first = `recurse calls.c:${lineOf("if (depth == 0)")} `;
    const entered = (await stepped(client, 11)).filter((one) => one.startsWith(first));
    assert.deepEqual(entered, [3, 4, 5, 6].map((frames) => `${first}${frames}`));
    await client.ask("disconnect", { terminateDebuggee: true });
  });
});

Deno.test("breakpoints have their terms in both directions: conditions, hit counts and log messages", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder);
    const set = (...breakpoints: object[]) => client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints });
    const sum = lineOf("int32_t product");
    await set({ line: sum, condition: "corner == 1" });
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    await entry;

    // The second round's hit, and back to the first round's.
    await client.stop("continue");
    await client.stop("continue");
    const total = await client.value("total");
    await client.stop("reverseContinue");
    assert.deepEqual([await client.value("corner"), await client.value("total")], ["1", "0"]);
    assert.notEqual(total, "0");

    // Hits that were gone back over count again.
    const place = async () => [await client.value("corner"), await client.value("total")];
    await set({ line: sum, hitCondition: ">= 2" });
    await client.stop("continue");
    assert.deepEqual(await place(), ["0", total]);
    assert.equal((await client.stop("reverseContinue")).text, "the beginning of the recorded run");
    await client.stop("continue");
    assert.deepEqual(await place(), ["0", total]);

    // At the beginning there is nothing before.
    await client.stop("reverseContinue");
    for (const command of ["reverseContinue", "stepBack"]) {
      assert.equal((await client.stop(command)).text, "the beginning of the recorded run");
    }

    // A message is printed on the way forward alone.
    await set({ line: sum, logMessage: "corner {corner}" }, { line: LEAF });
    await client.stop("continue");
    const printed = () =>
      client.events.filter(({ event, body }) => event === "output" && body.category === "console").map(({ body }) => body.output);
    const messages = ["corner 0\n", "corner 1\n", "corner 2\n"];
    assert.deepEqual(printed(), messages);
    await client.stop("reverseContinue");
    assert.deepEqual(printed(), messages);
    await client.ask("disconnect", { terminateDebuggee: true });
  });
});

Deno.test("breakpoints have conditions, hit counts and log messages; data and events stop as well; memory and registers can be written", async () => {
  await withTempFolder(async (folder) => {
    await using client = await launched(folder, { stopOnEntry: false });
    const breakpoints = [
      { line: LEAF, logMessage: "leaf of {value} and {total}" },
      { line: SUM, condition: "corner == 2 && $sp != 0" },
    ];
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints });
    const stopped = client.event("stopped");
    await client.ask("configurationDone");
    assert.equal((await stopped).body.reason, "breakpoint");
    assert.equal(await client.value("corner"), "2");
    assert.equal(await client.value("product"), "30");

    // A watched variable.
    const info = await client.ask<DebugProtocol.DataBreakpointInfoResponse["body"]>("dataBreakpointInfo", { name: "total" });
    assert.match(info.dataId ?? "", /^0x[0-9a-f]+:8$/);
    await client.ask("setDataBreakpoints", { breakpoints: [{ dataId: info.dataId, accessType: "write" }] });
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [breakpoints[0]] });
    assert.equal((await client.stop("continue")).reason, "data breakpoint");
    assert.equal((await client.stack())[0], `leaf calls.c:${LEAF}`);
    const messages = client.events.filter(({ event, body }) => event === "output" && body.category === "console").map(({ body }) =>
      body.output
    );
    assert.deepEqual(messages, ["leaf of 264 and 0\n"]);
    await client.ask("setDataBreakpoints", { breakpoints: [] });

    // Instruction breakpoints with a hit count: the second call.
    const entry = /^(0x[0-9a-f]+)/.exec(await client.value("leaf"))![1];
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [] });
    await client.ask("setInstructionBreakpoints", { breakpoints: [{ instructionReference: entry, hitCondition: "2" }] });
    assert.equal((await client.stop("continue")).reason, "instruction breakpoint");
    assert.equal(await client.value("$pc"), `${entry} <leaf>`);
    await client.ask("setInstructionBreakpoints", { breakpoints: [] });

    // Writes, and no way back over them.
    const total = await client.value("&total");
    const address = /^0x[0-9a-f]+/.exec(total)![0];
    await client.ask("writeMemory", { memoryReference: address, data: btoa("\x07\0\0\0\0\0\0\0") });
    assert.equal(await client.value("total"), "7");
    const { scopes } = await client.ask<DebugProtocol.ScopesResponse["body"]>("scopes", { frameId: await client.frame() });
    const general = scopes.find(({ name }) => name === "Registers: General")!.variablesReference;
    await client.ask("setVariable", { variablesReference: general, name: "X0", value: "41" });
    assert.equal(await client.value("$x0"), "0x29");
    await assert.rejects(client.ask("setVariable", { variablesReference: general, name: "X99", value: "1" }), Refused);

    // Events: the call that ends the machine.
    const events = await client.ask<Breakpoints>("setExceptionBreakpoints", { filters: [], filterOptions: [{ filterId: "psci" }] });
    assert.deepEqual(events.breakpoints.map(({ verified }) => verified), [true]);
    assert.equal((await client.stop("continue")).reason, "exception");
    const what = await client.ask<DebugProtocol.ExceptionInfoResponse["body"]>("exceptionInfo", { threadId: 1 });
    assert.match(what.description ?? "", /psci/);
    const exited = client.event("exited");
    await client.ask("continue", { threadId: 1 });
    assert.equal((await exited).body.exitCode, 0);
    await client.event("terminated");
    await assert.rejects(client.ask("stackTrace", { threadId: 1 }), /no machine is being debugged/);
    await client.ask("disconnect");
  });
});

Deno.test("a machine is paused, started again and ended; requests at the wrong time are refused", async () => {
  await withTempFolder(async (folder) => {
    await using client = DapClient.inProcess();
    await assert.rejects(client.ask("threads"), /the first request is initialize/);
    await client.ask("initialize", { adapterID: "el2" });
    await assert.rejects(client.ask("initialize", { adapterID: "el2" }), /initialize came twice/);
    await assert.rejects(client.ask("threads"), /no machine is being debugged/);
    await assert.rejects(client.ask("fly"), /"fly" is not supported/);
    await assert.rejects(client.ask("launch", {}), /launch needs "what"/);
    await assert.rejects(client.ask("launch", { boot: "/nonexistent" }), /nonexistent/);
    await assert.rejects(client.ask("attach", { session: "nobody-has-this-name" }), /no session|not running|there is no/i);
    const image = `${folder}/calls.elf`;
    await buildProgram("calls", image, { optimize: "-O0" });
    await assert.rejects(client.ask("launch", { boot: image, vm: "other" }), /no VM called "other"/);
    await client.ask("launch", { boot: image, turbo: true, stopOnEntry: true });
    await client.event("initialized");
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    await entry;
    await assert.rejects(client.ask("launch", { boot: image }), /already/);
    await client.ask("setBreakpoints", { source: { path: SOURCE }, breakpoints: [{ line: LEAF }] });
    await client.stop("continue");
    await assert.rejects(client.ask("next", { threadId: 7 }), /thread 7/);
    await assert.rejects(client.ask("variables", { variablesReference: 12345 }), Refused);
    await client.ask("restart");
    await client.event("initialized");
    const again = client.event("stopped");
    await client.ask("configurationDone");
    assert.equal((await again).body.reason, "entry");
    assert.deepEqual(await client.stack(), ["_start calls.S:8"]);
    await client.ask("terminate");
    await client.event("terminated");
    await client.ask("disconnect");
  });
});
