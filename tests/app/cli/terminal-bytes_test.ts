// Text from a guest or a file reaches a terminal only as text, unless raw output is requested;
// where stdout is not a terminal, bytes stay as they are.

import assert from "node:assert/strict";
import { A64, el2, el2With, imageOf, onTerminal, SYSTEM_OFF } from "./program.ts";
import { runOnTerminal } from "./hostile.ts";
import { eventually } from "../../support/eventually.ts";
import { LONG } from "../../support/long.ts";
import { ConsoleView } from "../../../src/app/tui/panes/consoles/console-view.ts";
import { writeElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { progress } from "../../../src/app/cli/common/print.ts";
import { terminalText, terminalWord } from "../../../src/kit/support/text/terminal-text.ts";

/**
 * Title, clipboard, a question that the terminal would answer, reset, 8-bit CSI, text turned round.
 */
const HOSTILE = "\x1b]0;PWN\x07\x1b]52;c;ZXZpbA==\x07\x1b[6n\x1bc\u009b2J\u202eabc\u200b\x7f end\n";
const SHOWN = "^[]0;PWN^G^[]52;c;ZXZpbA==^G^[[6n^[c<U+009B>2J<U+202E>abc<U+200B>^? end";

/** An image that prints bytes on its PL011 and ends. */
function printing(text: string): Uint8Array<ArrayBuffer> {
  const words = [A64.loadX1High(0x0900)];
  for (const byte of new TextEncoder().encode(text)) words.push(A64.loadW2(byte), A64.storeByte);
  return imageOf([...words, ...A64.loadW0(SYSTEM_OFF), A64.hvc]);
}

/** Bytes that a terminal must not get from a command. */
function assertHarmless(text: string, what: string): void {
  // deno-lint-ignore no-control-regex
  const wrong = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u200b]/.exec(text);
  assert.equal(wrong, null, `${what}: ${JSON.stringify(text.slice(Math.max(0, (wrong?.index ?? 0) - 40), (wrong?.index ?? 0) + 20))}`);
}

Deno.test("control, bidirectional and zero-width characters are shown as text; a word stays in its line", () => {
  assert.equal(terminalText(HOSTILE), `${SHOWN}\n`);
  assert.equal(terminalText("a\tb\r\n\u00e4\u65e5"), "a\tb\r\n\u00e4\u65e5");
  assert.equal(terminalWord("a\nb\tc"), "a^Jb^Ic");
});

Deno.test("D3: consoles on a terminal show escape sequences as text; --raw and pipes have the bytes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const image = `${folder}/emit.bin`;
  await Deno.writeFile(image, printing(HOSTILE));
  const env = { XDG_RUNTIME_DIR: folder };
  try {
    for (const command of [...LONG ? ["boot"] : [], "run"]) {
      // `boot` has no screen where stdin is not a terminal.
      const args = [command, image, "--turbo", ...command === "run" ? ["--headless", "--for", "1s"] : []];
      const shown = await onTerminal(env, ...args);
      assert.ok(shown.includes(SHOWN), `${command}: ${JSON.stringify(shown)}`);
      assertHarmless(shown, command);
      const raw = await onTerminal(env, ...args, "--raw");
      assert.ok(raw.includes(HOSTILE.trimEnd()), `${command} --raw: ${JSON.stringify(raw)}`);
      const piped = await el2(...args);
      assert.ok(piped.stdout.includes(HOSTILE.trimEnd()), `${command}, piped`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("D3, D8: commands of a session on a terminal: consoles, symbols, disasm, stacks", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const image = `${folder}/emit.bin`, elf = `${folder}/names.elf`;
  await Deno.writeFile(
    image,
    imageOf([
      ...[...new TextEncoder().encode(HOSTILE)].flatMap((
        byte,
        i,
      ) => [...i ? [] : [A64.loadX1High(0x0900)], A64.loadW2(byte), A64.storeByte]),
      A64.branch(0),
    ]),
  );
  await Deno.writeFile(elf, writeElfSymbols([{ name: `A${HOSTILE}B`, type: "T", address: 0x8000_0000n }]));
  const env = { XDG_RUNTIME_DIR: folder, EL2_SESSION: "" };
  const run = (...args: string[]) => el2With(env, ...args);
  try {
    assert.equal((await run("up", image, "--name", "s")).code, 0);
    assert.equal((await run("symbols", "emit", "--add", elf, "--session", "s")).code, 0);
    await eventually(() => run("console", "emit"), ({ stdout }) => stdout.includes(HOSTILE.trimEnd()));
    const commands = [
      ["console", "emit"],
      ["symbols", "emit"],
      ["disasm", "emit:0x80000000"],
      ["vcpu", "stack", "vcpu:emit/0"],
      ["vcpu", "ls"],
      [
        "ls",
      ],
      ["events"],
      ["vm", "devices", "emit"],
      ["break", `emit:${HOSTILE}`],
      ["why", "--filter", HOSTILE],
    ];
    const raw = ["console", "emit", "--raw"], written = await runOnTerminal(folder, [...commands, raw]);
    const shown = (...words: string[]) => written.find(({ args }) => args.join() === words.join())!.text;
    for (const command of commands) assertHarmless(shown(...command), command.join(" "));
    assert.ok((await onTerminal(env, "console", "emit")).includes(SHOWN));
    assert.ok(shown(...raw).includes(HOSTILE.trimEnd()));
    assert.match(shown("symbols", "emit"), /A\^\[\]0;PWN\^G/);
  } finally {
    await run("down", "s");
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("progress on a terminal is one line without sequences of its text, and ends in order with the terminal", () => {
  const { isTerminal, writeSync } = Deno.stderr;
  let written = "", terminal = true;
  const write = (bytes: Uint8Array) => {
    written += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  try {
    Object.assign(Deno.stderr, { isTerminal: () => terminal, writeSync: write });
    progress(HOSTILE);
    progress("done", true);
    assert.equal(written, `\r${SHOWN}^J\x1b[K\r\rdone\x1b[K\n`);
    terminal = false;
    progress("unseen");
    assert.ok(!written.includes("unseen"));
    const gone = () => {
      throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
    };
    Object.assign(Deno.stderr, { isTerminal: () => true, writeSync: gone });
    progress("lost");
    Object.assign(Deno.stderr, { writeSync: () => assert.fail("a bug") });
    assert.throws(() => progress("bug"), /a bug/);
  } finally {
    Object.assign(Deno.stderr, { isTerminal, writeSync });
  }
});

Deno.test("D7: the console's emulator says nothing about sequences that it does not know", async () => {
  const said: unknown[][] = [];
  const own = { warn: console.warn, error: console.error, info: console.info, log: console.log };
  const hear = (...words: unknown[]) => void said.push(words);
  Object.assign(console, { warn: hear, error: hear, info: hear, log: hear });
  try {
    const view = new ConsoleView("a", () => {}, () => {});
    for (const text of ["\x1b[\u202eA", "\x1b[\u{1f600}", "\x1bP\u{1f600}", "\x1b(\u{1f600}"]) {
      await new Promise<void>((resolve) => view.write(new TextEncoder().encode(text), resolve));
    }
  } finally {
    Object.assign(console, own);
  }
  assert.deepEqual(said, []);
});

Deno.test("no command writes to stdout or stderr past the one place that makes text harmless", async () => {
  // dap.ts hands on a protocol, in JSON, to an editor; opening.ts writes cells of a screen.
  const allowed = new Map([["print.ts", 3], ["console-output.ts", 1], ["dap.ts", 1], ["opening.ts", 1]]);
  const root = new URL("../../../src/app/cli/", import.meta.url);
  const sources = async function* (folder: URL): AsyncGenerator<{ name: string; file: URL }> {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) yield* sources(new URL(`${name}/`, folder));
      else yield { name, file: new URL(name, folder) };
    }
  };
  let read = 0;
  for await (const { name, file } of sources(root)) {
    const text = await Deno.readTextFile(file);
    read++;
    const writes = text.match(/console\.(log|error|warn|info)\(|Deno\.std(out|err)\.(write|writable)|writeAll\(Deno\.std/g) ?? [];
    assert.ok(writes.length <= (allowed.get(name) ?? 0), `${name}: ${writes.join(" ")}`);
  }
  assert.ok(read > 60, `${read} files`);
});
