// Hints can be executed unchanged: every way out of a fact is a command line of the program, and
// one of each kind is executed in a session of the demo.

import { KERNEL_REPORTS } from "../../../src/model/queries/facts/kernel-report.ts";
import assert from "node:assert/strict";
import { type CommandNode, commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { type Hint, hint, hintText, hintWords } from "../../../src/kit/support/text/hint.ts";
import { hintsOf, type WayOut } from "../../../src/kit/support/text/way-out.ts";
import { CAPABILITY_WAYS_OUT } from "../../../src/model/queries/facts/refused-capability.ts";
import { sourcesBelow } from "../../../scripts/structure/sources.ts";
import { KINDS } from "../../model/queries/reworded.ts";
import { ROOT } from "../../support/files.ts";
import { Place } from "./place.ts";

const PROGRAM = commandTree(makeProgram(new URL(import.meta.url), () => {}));

/** The mistake of a hint that the program would refuse; undefined if it has none. */
function wrongIn({ command, words, options }: Hint): string | undefined {
  let node: CommandNode | undefined = PROGRAM;
  for (const name of command.split(" ")) node = node?.commands.find((one) => one.name === name);
  if (!node) return `no command ${command}`;
  const needed = node.arguments.filter(({ required }) => required).length;
  const most = node.arguments.some(({ variadic }) => variadic) ? Infinity : node.arguments.length;
  if (words.length < needed || words.length > most) return `${command} does not take ${words.length} words`;
  for (const [name, value] of Object.entries(options)) {
    const option = node.options.find(({ long }) => long === `--${name}`);
    if (name !== "help" && value !== undefined && option?.value !== (value !== true)) return `${command} does not take --${name} so`;
  }
  return undefined;
}

/** A value of any form: a text, a list of one value, an object with any field. */
const ANY: never = new Proxy(() => {}, {
  get: (_, name) => {
    if (name === Symbol.toPrimitive) return () => "1";
    if (name === Symbol.iterator) return () => [ANY][Symbol.iterator]();
    return name === "length" ? 1 : ANY;
  },
  apply: () => ANY,
}) as never;

Deno.test("each command in a way out of a fact takes the arguments that it is given there", () => {
  const write = Object.values(KINDS).flatMap(({ waysOut }) =>
    Object.entries(waysOut as Record<string, (fact: never) => WayOut | undefined>).filter(([code]) => code !== "reported")
      .map(([, one]) => one)
  );
  // Reports of a kernel have ways out by their kind, which is a word of this table.
  const reported = Object.values(KERNEL_REPORTS).map(({ wayOut }) => wayOut);
  const hints = [...write, ...reported, ...Object.values(CAPABILITY_WAYS_OUT)].flatMap((one) => hintsOf(one(ANY)))
    .filter(({ command }) => typeof command === "string");
  assert.ok(new Set(hints.map(({ command }) => command)).size > 5, hints.map(hintText).join(", "));
  assert.deepEqual(hints.map(wrongIn).filter((one) => one !== undefined), []);
});

Deno.test("a hint at a command that is not there, or with arguments that it does not take, is found", () => {
  assert.match(wrongIn(hint("vm shown", "vm:ping")) ?? "", /no command/);
  assert.match(wrongIn(hint("vcpu regs")) ?? "", /0 words/);
  assert.match(wrongIn(hint("vm ls", "a", "b", "c")) ?? "", /3 words/);
  assert.match(wrongIn(hint("back", { to: true })) ?? "", /--to/);
  assert.match(wrongIn(hint("back", { too: 1 })) ?? "", /--too/);
});

/** One of each kind, as verdicts, reasons, errors and screens give it. */
const ONE_OF_EACH: readonly Hint[] = [
  ...[hint("vm ls"), hint("vm timeline", "ping"), hint("vm start", "hello"), hint("vcpu ls")],
  ...[hint("vcpu stack", "vcpu:ping/0"), hint("vcpu regs", "ping/0"), hint("irq ls"), hint("irq ls", "ping")],
  ...[hint("show", "irq:ping/27"), hint("show", "vcpu:ping/0"), hint("caps ls", "ping", { filter: "type=doorbell" })],
  ...[hint("mem parcels"), hint("mem limits"), hint("queue ls", { filter: "vm=ping" }), hint("queue ring", "mq:289")],
  ...[hint("linux log"), hint("linux locks", "ping"), hint("linux ps", { threads: true }), hint("linux stack", 1), hint("linux files", 1)],
  ...[hint("symbols", "ping"), hint("diagnose", "ping"), hint("why", "why:1"), hint("why", { about: "vm:ping" })],
  ...[hint("disasm", "ping/0:pc"), hint("trace start"), hint("break"), hint("break", { list: true })],
  ...[hint("break", { remove: "all" }), hint("break", { help: true }), hint("inject", { list: true })],
  ...[hint("inject", { remove: "all" }), hint("inject", { help: true }), hint("who", "ipa:ping/0x80000000", { size: 4 })],
  ...[hint("back"), hint("back", { to: 1 }), hint("back", { now: true }), hint("guests ls"), hint("reference schema")],
  ...[hint("reference spec", "hypervisor", "4.4"), hint("trace dissector"), hint("console", "ping")],
  ...[
    hint("rpc send", "VM_GET_STATE", "vmid=0x80"),
    hint("mark", "here"),
    hint("vm devices", "ping"),
    hint("mem map"),
    hint("rpc ls"),
    hint("ls"),
  ],
  ...["cpu", "phone", "theme", "personas"].map((name) => hint(`reference ${name}`)),
  ...[
    hint("linux memory"),
    hint("linux modules", "ping"),
    hint("linux slabs"),
    hint("irq top"),
    hint("events"),
    hint("logs"),
    hint("on"),
    hint("resume"),
    hint("consent"),
  ],
  ...[hint("trace stats"), hint("print", "ping/0:$sp"), hint("who print", "host:1 + 1"), hint("version"), hint("linux maps", 1)],
  ...[hint("rpc decode", "00"), hint("reference phone", "generic"), hint("reference cpu", "v8.4")],
  ...[hint("reference ioctl", "0xc0046700"), hint("pause"), hint("down")],
];

/** Kinds that start a machine or a screen, need a file, or never end: their forms are checked. */
const ELSEWHERE: readonly Hint[] = [
  ...[hint("run", "demo"), hint("up", "demo"), hint("attach", "demo"), hint("serve", "demo", { end: true }), hint("tour")],
  ...[hint("recording pack", "a.rec", "copy.rec", { "allow-host": "disk.img" })],
  ...[hint("replay", "a.rec"), hint("record", "a.rec"), hint("link", "a.rec", { to: 1 }), hint("recording show", "a.rec")],
  ...[hint("diff", "a.rec", "b.rec"), hint("snapshot save", "a.snap"), hint("snapshot load", "a.snap")],
  ...[hint("trace export", "a.pcapng"), hint("gdb", "ping"), hint("guests fetch", "debian", { disk: true })],
  ...[hint("events", { follow: true, json: true }), hint("vm stop", "ping"), hint("vm kill", "ping"), hint("vm reset", "ping")],
  ...[hint("profile"), hint("explain", "dmesg.txt"), hint("dap"), hint("bench", { against: "qemu" })],
  ...[hint("compare-runs", "good.rec", "bad.rec"), hint("test", "a.test.toml", { results: "parts" })],
  ...[hint("mcp", { "allow-change": true }), hint("mcp", { "allow-host": "a" })],
  ...[hint("doctor"), hint("snapshot info", "a.snap"), hint("snapshot verify", "a.snap"), hint("vm lint", "a.dtb")],
  ...[hint("coverage", "a.rec"), hint("profile", { by: "exit" }), hint("open", "vmcore"), hint("boot", "Image")],
];

Deno.test("each kind of hint in src is one of those that are executed", () => {
  const named = sourcesBelow(new URL("src", ROOT).pathname).flatMap((source) =>
    source.literals.filter(({ from }) => /\bhint\(\s*$/.test(source.before(from))).map(({ text }) => text)
  );
  const executed = new Set([...ONE_OF_EACH, ...ELSEWHERE].map(({ command }) => command));
  assert.deepEqual([...new Set(named)].filter((command) => !executed.has(command)), []);
  assert.deepEqual([...ONE_OF_EACH, ...ELSEWHERE].map(wrongIn).filter((one) => one !== undefined), []);
});

Deno.test("one hint of each kind can be executed unchanged", async () => {
  await using place = new Place();
  await place.up("demo");
  await place.printed("ping");
  for (const one of ONE_OF_EACH) {
    const { code, stderr } = await place.el2(...hintWords(one));
    assert.ok(code === 0 || code === 1, `${hintText(one)}: ${code} ${stderr}`);
  }
});

Deno.test("a hint whose object has ended says so", async () => {
  await using place = new Place();
  await place.up("demo");
  for (const one of [hint("show", "vm:nobody"), hint("vm timeline", "nobody"), hint("vcpu stack", "nobody/0"), hint("irq ls", "nobody")]) {
    const { code, stderr } = await place.el2(...hintWords(one));
    assert.deepEqual([code, /no .*nobody/.test(stderr)], [1, true], `${hintText(one)}: ${code} ${stderr}`);
  }
});
