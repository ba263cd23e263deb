// Every command, on a terminal, in a session where whatever a guest or a file may have chosen is
// hostile, and with arguments and values of options that are: no character of it moves the cursor,
// sets the title or turns text round, and el2 itself writes colors and links alone.

import assert from "node:assert/strict";
import { NOT_UTF8 } from "../../support/not-utf8.ts";
import { type CommandNode, commandTree, isRunnable } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { devicetree, node } from "../../../src/machine/devicetree/tree.ts";
import { writeElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { eventually } from "../../support/eventually.ts";
import { LONG } from "../../support/long.ts";
import { noArguments, noCommands } from "./command-names.ts";
import { Place } from "./place.ts";
import { A64, imageOf } from "./program.ts";
import { harm, HOSTILE, MARK, runOnTerminal } from "./hostile.ts";

/**
 * Commands that serve or draw until they are told to end, that measure, or that end the session;
 * each has its own tests.
 */
const LEFT_OUT = new Set(["mcp", "dap", "bench", "attach", "down", "gdb", "doctor", "serve"]);

/** Commands that end VMs. */
const ENDING = new Set(["vm reset", "vm stop", "vm kill", "vcpu kill"]);

/** Objects named by the arguments of a session's commands. */
const NAMED: Readonly<Record<string, string>> = {
  ...{ vm: "guest", vcpu: "guest/0", irq: "irq:guest/27", address: "ipa:guest/0x80000000", queue: "mq:0", id: "vm:guest" },
  ...{ what: "guest:0x80000000", message: "VM_START", fields: "{}", hex: "00", size: "16", target: "ipa:guest/0x80000000" },
  ...{ bytes: "00", doorbell: "db:0", flags: "1", keys: "a", code: "0x1" },
};

Deno.test("lists of commands and arguments for hostile names name none that is gone", () => {
  assert.deepEqual([...noCommands([...LEFT_OUT, ...ENDING]), ...noArguments(Object.keys(NAMED))], []);
});

/** Commands at which an option that many have is tried. */
const SAME_OPTION = LONG ? Infinity : 3;

/**
 * Command lines: usual, with each argument hostile, and with each option's value.
 * @param tried how often each option has been
 */
function* commandLines(
  command: CommandNode,
  path: readonly string[],
  files: Readonly<Record<string, string>>,
  tried = new Map<string, number>(),
): Generator<string[]> {
  for (const child of command.commands) yield* commandLines(child, [...path, child.name], files, tried);
  if (!path.length || !isRunnable(command) || LEFT_OUT.has(path[0])) return;
  const named = (name: string) => files[`${path.join(" ")} ${name}`] ?? NAMED[name];
  // The guest waits for an interrupt: a step would, too, and whoever waits for an event of it.
  if (["vcpu step", "on"].includes(path.join(" "))) path = [...path, "--timeout", "100ms"];
  const usual = command.arguments.map(({ name }) => named(name) ?? HOSTILE);
  const starts = ["boot", "run", "up", "record", "replay", "test", "snapshot", "screenshot"].includes(path[0]);
  if (!starts || usual.some((word) => Object.values(files).includes(word))) yield [...path, ...usual];
  if (starts) usual.fill(HOSTILE);
  for (let i = 0; i < usual.length; i++) yield [...path, ...usual.with(i, `a${HOSTILE}`)];
  for (const { long, value } of command.options) {
    const times = long === undefined ? 0 : tried.get(long) ?? 0;
    if (!long || !value || times >= SAME_OPTION) continue;
    tried.set(long, times + 1);
    yield [...path, ...usual, long, HOSTILE];
  }
  yield [...path, ...usual, `--${HOSTILE}`];
}

/** A line of a kernel's log, and its last words. */
const KERNEL_LOG = [
  ...new TextEncoder().encode(`${HOSTILE}\n[    1.000000] ${HOSTILE}`),
  ...NOT_UTF8,
  ...new TextEncoder().encode(`\n[    1.000001] ---[ end Kernel panic - not syncing: ${HOSTILE}`),
  ...NOT_UTF8,
  ...new TextEncoder().encode(" ]---\n"),
];

/** An image that prints on its PL011 and stays, and keeps what it prints at the end of its page. */
function printing(log: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = log.flatMap((byte) => [A64.loadW2(byte), A64.storeByte]);
  const code = imageOf([A64.loadX1High(0x0900), ...bytes, A64.wfi, A64.branch(-1)]);
  const image = new Uint8Array(LOG_OFFSET + log.length);
  assert.ok(code.length <= LOG_OFFSET, `${code.length} bytes of code`);
  image.set(code);
  image.set(log, LOG_OFFSET);
  return image;
}
const LOG_OFFSET = 0x2000;

/** A string of TOML, which allows no DEL as it is. */
const quoted = (text: string) => JSON.stringify(text).replaceAll("\x7f", "\\u007f");

Deno.test("the check finds what a terminal must not get", () => {
  for (const text of ["\x1b[66;77m", "\x1b]0;a\x07", "\x1b[2J", "\u202e", "\x9b", "\x1b]8;;qzx\x1b\\"]) {
    assert.ok(harm(text), JSON.stringify(text));
  }
  // A slow computer shows progress, which names a file.
  const progress = (name: string) => `\rsaving ${name}: 50 %, 1 of 2 pages (Ctrl-C stops)\x1b[K\r\r\x1b[K\r`;
  assert.equal(harm(progress(`${MARK}.snap`)), undefined);
  for (const name of [HOSTILE, "\x1b[2J", "\u202e", "\x9b"]) assert.ok(harm(progress(name)), JSON.stringify(name));
  assert.equal(harm("\x1b[1;31mred\x1b[0m \x1b]8;;file:///a\x1b\\link\x1b]8;;\x1b\\\ta\r\n"), undefined);
});

Deno.test("no command writes what a guest, a file or an argument brought as a sequence", async () => {
  await using place = new Place();
  const at = (name: string) => `${place.folder}/${name}`;
  const image = at(`image${HOSTILE.replaceAll("/", "")}.bin`);
  await Deno.writeFile(image, printing(KERNEL_LOG));
  await Deno.writeFile(at("names.elf"), writeElfSymbols([{ name: `A${HOSTILE}B`, type: "T", address: 0x8000_0000n }]));
  const hostileNode = node(`memory${HOSTILE}`, { device_type: HOSTILE, compatible: [HOSTILE, "b"], [`p${MARK}\x1b[66;77m`]: 1 });
  await Deno.writeFile(at("names.dtb"), writeDevicetree(devicetree(node("", { model: HOSTILE }, [hostileNode]))));
  await Deno.writeTextFile(at("wrong.toml"), `el2 = 1\n${quoted(HOSTILE)} = 1\n`);
  await Deno.writeTextFile(at("wrong.test.toml"), `el2_test = 1\nname = ${quoted(HOSTILE)}\n[[step]]\nboot = "/none/${MARK}"\n`);
  const config = ["el2 = 1", "[vm.guest]", `image = ${quoted(image)}`, `cmdline = "a${MARK}"`];
  await Deno.writeTextFile(at("session.toml"), `${config.join("\n")}\n`);
  await place.up("s", at("session.toml"));
  await eventually(() => place.el2("logs"), ({ stdout }) => stdout.includes("]---"));
  const files = {
    ...{ "vm lint dtb": at("names.dtb"), "test file": at("wrong.test.toml"), "run what": at("wrong.toml"), "up what": at("wrong.toml") },
    ...{ "trace export file": at(`t${HOSTILE}.json`.replaceAll("/", "")) },
  };
  const program = commandTree(makeProgram(new URL(import.meta.url), () => {}));
  const all = [...commandLines(program, [], files)];
  // These end VMs: the others come first.
  const last = all.filter(([first, second]) => ENDING.has(`${first} ${second}`));
  const lines = [
    ["symbols", "guest", "--add", at("names.elf")],
    ["console", "guest"],
    ["logs"],
    ["diagnose"],
    ["diagnose", "guest"],
    ["vm", "ls"],
    ["mem", "read", "ipa:guest/0x80002000", "512"],
    ["run", at("session.toml"), "--headless", "--turbo", "--for", "10ms"],
    ["snapshot", "save", at(`s${HOSTILE}.snap`.replaceAll("/", ""))],
    ...all.filter((line) => !last.includes(line)),
    ["snapshot", "info", at(`s${HOSTILE}.snap`.replaceAll("/", ""))],
    ["symbols", "guest"],
    [HOSTILE],
    ["--config", HOSTILE],
    ...last,
  ];
  const written = await runOnTerminal(place.folder, lines);
  const wrong = written.flatMap(({ args, text, thrown }) => {
    const what = thrown ?? harm(text);
    return what === undefined ? [] : [`${args.join(" ").replaceAll(HOSTILE, "HOSTILE")}: ${what}`];
  });
  assert.deepEqual(wrong.slice(0, 20), []);
  assert.equal(written.length, lines.length);
  assert.deepEqual(written.filter(({ code }) => code === -1), [], "commands that did not end");
  const shown = (...words: string[]) => written.find(({ args }) => args.join() === words.join())?.text ?? "";
  assert.ok(shown("console", "guest").includes(MARK) && shown("symbols", "guest").includes(MARK));
  // The guest is not Linux: it has only printed the words of a panic.
  assert.match(shown("diagnose"), /vm:guest stuck/);
  assert.ok(shown("logs").includes(MARK) && shown("vm", "ls").includes("stuck"));
  assert.ok(shown("mem", "read", "ipa:guest/0x80002000", "512").includes(MARK));
  assert.ok(shown("run", at("session.toml"), "--headless", "--turbo", "--for", "10ms").includes(MARK));
  const marked = written.filter(({ text }) => text.includes(MARK)).length;
  assert.ok(marked > 300, `${marked} of ${lines.length} wrote what is hostile`);
});
