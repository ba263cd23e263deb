// The commands of the tutorials, of README and of "your first guest": each names a command and
// options that exist. With EL2_LONG each is run; those of the first guest always. Below commands is
// their whole output, but in README.

import assert from "node:assert/strict";
import { type CommandNode, commandTree, isRunnable } from "../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../src/app/cli/main.ts";
import { headersForMake } from "../../scripts/kernel-drivers.ts";
import { gdbCommand, nativeProgram } from "../../scripts/native-tools.ts";
import { el2In } from "../app/cli/program.ts";
import { el2Command } from "../support/el2.ts";
import { LONG } from "../support/long.ts";

const ROOT = new URL("../../", import.meta.url);
const FOLDER = new URL("docs/tutorials/", ROOT);

/** A block of commands, and what some of their output looks like. */
interface Block {
  /** Lines that the reader writes into files before it. */
  readonly edits: readonly Edit[];
  readonly script: string;
  readonly shows: readonly string[];
}

/** A line of a file, from 1, and its new text: "in line 8 of `FILE`, write `TEXT`". */
interface Edit {
  readonly line: number;
  readonly file: string;
  readonly text: string;
}

const FILES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => /^\d\d-.*\.md$/.test(name)).sort();
const README = "../../README.md";
const FIRST_GUEST = "../first-guest.md", MY_DRIVER = "20-my-driver.md";
/** Lines of README that install el2, which tests start from the sources. */
const INSTALLS = /^(?:npx|export PATH).*\n/gm;

/**
 * Lines that need somebody who presses keys: tests/app/tui/app/guide/guide_test.ts does, or ctrl-C
 * after a while.
 */
const INTERACTIVE = /^el2 (?:tour\b(?! --list)|events --follow\b(?!.* --limit)).*\n/gm;

/** A block of a document, or the words that ask its reader to write a line. */
const FENCE_OR_EDIT = /^```(\w*)\n([\s\S]*?)^```$|\bin\s+line\s+(\d+)\s+of\s+`([^`]+)`,\s+write\s+`([^`]+)`/gim;

function blocksOf(file: string): Block[] {
  const text = Deno.readTextFileSync(new URL(file, FOLDER));
  const blocks: Block[] = [];
  let edits: Edit[] = [];
  for (const [, language, body, line, file, written] of text.matchAll(FENCE_OR_EDIT)) {
    if (line) {
      edits.push({ line: Number(line), file, text: written });
    } else if (language === "sh") {
      blocks.push({ edits, script: body.replaceAll(INSTALLS, ""), shows: [] });
      edits = [];
    } else if (language === "text") {
      blocks.push({ ...blocks.pop()!, shows: body.trim().split("\n").map((line) => line.trim()) });
    }
  }
  assert.deepEqual(edits, [], `${file}: an edit after the last command`);
  return blocks;
}

/** Does what a document asks its reader to write. */
async function edit({ line, file, text }: Edit, folder: string): Promise<void> {
  const path = `${folder}/${file}`;
  const lines = (await Deno.readTextFile(path)).split("\n");
  assert.ok(line < lines.length && lines[line - 1] !== text, `line ${line} of ${file} is ${JSON.stringify(lines[line - 1])}`);
  lines[line - 1] = text;
  await Deno.writeTextFile(path, lines.join("\n"));
}

/** The `el2 ..` commands of a script, as words. */
function* commandsOf(script: string): Generator<string[]> {
  const joined = script.replaceAll(/<<'END'[\s\S]*?^END$/gm, "");
  for (const [, words] of joined.matchAll(/(?:^|\| |&& )el2((?: (?:'[^']*'|"[^"]*"|[^\s'"|&#]+))*)/gm)) {
    yield [...words.matchAll(/'[^']*'|"[^"]*"|\S+/g)].map(([word]) => word.replace(/^['"]|['"]$/g, ""));
  }
}

Deno.test("there is a tutorial for each of the ten jobs, for Linux and for the past, and the list names them", () => {
  const list = Deno.readTextFileSync(new URL("README.md", FOLDER));
  assert.equal(FILES.length, [...list.matchAll(/^\d+\. \[/gm)].length);
  for (const file of FILES) {
    const title = /^# (.*)$/m.exec(Deno.readTextFileSync(new URL(file, FOLDER)))![1];
    assert.ok(list.includes(`[${title}](${file})`), file);
  }
});

Deno.test("every command of the tutorials, of README and of the first guest exists, with its options", () => {
  const tree = commandTree(makeProgram(new URL(import.meta.url), () => {}));
  let count = 0;
  for (const file of [...FILES, README, FIRST_GUEST]) {
    for (const { script } of blocksOf(file)) {
      for (const words of commandsOf(script)) {
        count++;
        let node: CommandNode = tree, known = 0;
        for (const word of words) {
          const next = node.commands.find(({ name }) => name === word);
          if (!next) break;
          node = next;
          known++;
        }
        assert.ok(known > 0 && isRunnable(node), `${file}: el2 ${words.join(" ")}`);
        // After -- comes another command line.
        const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
        for (const word of own.filter((word) => word.startsWith("--"))) {
          assert.ok(node.options.some(({ long }) => long === word), `${file}: el2 ${words.join(" ")}: ${word}`);
        }
      }
    }
  }
  assert.ok(count > 0);
});

Deno.test("a line that a tutorial changes is one of a file that it has written, and says something else then", () => {
  let count = 0;
  for (const file of FILES) {
    const written = new Map<string, string[]>();
    for (const { edits, script } of blocksOf(file)) {
      for (const { line, file: edited, text } of edits) {
        count++;
        const lines = written.get(edited);
        assert.ok(lines && line <= lines.length && lines[line - 1] !== text, `${file}: line ${line} of ${edited}`);
        lines[line - 1] = text;
      }
      for (const [, name, body] of script.matchAll(/^cat > (\S+) <<'END'\n([\s\S]*?)^END$/gm)) {
        written.set(name, body.trimEnd().split("\n"));
      }
    }
  }
  assert.ok(count > 0);
});

/**
 * A shell script that runs the lines of a tutorial one by one, and ends with the number of the
 * first one that is not as it says.
 */
function scriptOf({ script }: Pick<Block, "script">): string {
  const lines = script.replaceAll(INTERACTIVE, "").replaceAll(
    /^(.*?) +# exit (\d+)(?:: .*)?$/gm,
    (_, command, wanted) => `code=0; ${command} || code=$?; [ $code -eq ${wanted} ]`,
  );
  return `exec 2>&1\nset -e\n${lines}`;
}

/** Output with N instead of each number and byte, and one blank between columns. */
const plain = (text: string) => text.replaceAll(/0x[0-9a-f]+|\b[0-9a-f]{2}\b|\d+/g, "N").replaceAll(/ +/g, " ");

/** Progress, which only a slow computer prints. */
const PROGRESS = /^el2: (?:\S.*: \d+ %, .* of .*|\S+\.test\.toml:\d+: t=[\d.]+s)\n/gm;

/**
 * Checks that `shown` is `lines` and nothing else; … stands for any text within a line, a line of
 * it for any lines.
 */
function checkWhole(shown: string, lines: readonly string[], where: string): void {
  const expected = lines.filter(Boolean).map((line) =>
    line === "…" ? "(?:.*\n)*" : `${plain(line).split("…").map((part) => RegExp.escape(part)).join(".*")}\n`
  );
  const text = plain(shown.replaceAll(PROGRESS, "")).split("\n").map((line) => line.trim()).filter(Boolean).map((line) => `${line}\n`).join(
    "",
  );
  assert.match(text, new RegExp(`^${expected.join("")}$`), `${where}\n${shown}`);
}

/** Result of a block: its exit code, and what it shows. */
interface Shown {
  readonly code: number;
  readonly shown: string;
}

/** Runs the lines of a block as a reader does. */
async function runInShell(block: Pick<Block, "script">, cwd: string, env: Readonly<Record<string, string>>): Promise<Shown> {
  const shell = new Deno.Command("bash", { args: ["-c", scriptOf(block)], cwd, env, stdin: "null", stdout: "piped" });
  const { code, stdout } = await shell.output();
  return { code, shown: new TextDecoder().decode(stdout) };
}

/** The same, but that lines of el2 alone run in this process, which takes a fourth of the time. */
async function runHere(block: Block, folder: string, env: Readonly<Record<string, string>>): Promise<Shown> {
  let shown = "";
  for (const [part] of block.script.replaceAll(INTERACTIVE, "").matchAll(/^el2 (?!=).*\n|(?:(?!^el2 (?!=)).*\n)+/gm)) {
    const [words] = part.startsWith("el2 ") ? [...commandsOf(part)] : [];
    if (!words) {
      const own = await runInShell({ script: part }, folder, env);
      shown += own.shown;
      if (own.code !== 0) return { code: own.code, shown };
      continue;
    }
    const { code, stdout, stderr } = await el2In(folder, env, ...words);
    shown += stdout + stderr;
    if (code !== Number(/# exit (\d+)/.exec(part)?.[1] ?? 0)) return { code: code || -1, shown };
  }
  return { code: 0, shown };
}

async function runTutorial(file: string, folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/bin`);
  for (const part of ["examples", "assets"]) await Deno.symlink(new URL(part, ROOT), `${folder}/${part}`);
  await Deno.writeTextFile(`${folder}/bin/el2`, `#!/bin/sh\nexec ${el2Command().map((word) => `'${word}'`).join(" ")} "$@"\n`, {
    mode: 0o755,
  });
  for (const name of ["aarch64-linux-gnu-as", "aarch64-linux-gnu-ld", "aarch64-linux-gnu-gcc"] as const) {
    await Deno.writeTextFile(`${folder}/bin/${name}`, `#!/bin/sh\nexec '${await nativeProgram(name)}' "$@"\n`, { mode: 0o755 });
  }
  const gdb = (await gdbCommand()).map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${folder}/bin/gdb-multiarch`, `#!/bin/sh\nexec ${gdb} "$@"\n`, { mode: 0o755 });
  const env = {
    PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
    XDG_RUNTIME_DIR: folder,
    XDG_STATE_HOME: `${folder}/state`,
    EL2_SESSION: "",
    NO_COLOR: "1",
  };
  if (file === MY_DRIVER) Object.assign(env, await withHeaders(`${folder}/bin`));
  const run = LONG ? runInShell : runHere;
  for (const block of blocksOf(file)) {
    for (const one of block.edits) await edit(one, folder);
    const { code, shown } = await run(block, folder, env);
    assert.equal(code, 0, `${file}:\n${block.script}\n${shown}`);
    if (file !== README) {
      if (block.shows.length || file === FIRST_GUEST) checkWhole(shown, block.shows, `${file}:\n${block.script}`);
      continue;
    }
    for (const part of block.shows.flatMap((line) => line.split(" … "))) {
      assert.ok(plain(shown).includes(plain(part)), `${file}: ${JSON.stringify(part)} is not in\n${shown}`);
    }
  }
}

/** Puts the `make` that its reader has into a folder; the variable that names the headers. */
async function withHeaders(programs: string): Promise<{ readonly KDIR: string }> {
  const { folder: KDIR, make } = await headersForMake("bookworm", "linux-headers-cloud-arm64");
  await Deno.writeTextFile(`${programs}/make`, `#!/bin/sh\nexec ${make.map((word) => `'${word}'`).join(" ")} "$@"\n`, { mode: 0o755 });
  return { KDIR };
}

/** Files of the test: the others are what a tutorial has left. */
const OURS = ["bin", "examples", "assets", "el2", "state"];

async function runInFolder(file: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-tutorial-" });
  try {
    await runTutorial(file, folder);
    // Your first guest is what its reader has made.
    if (file !== FIRST_GUEST) {
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => !OURS.includes(name)), []);
    }
  } finally {
    const env = { XDG_RUNTIME_DIR: folder };
    const [program, ...args] = el2Command("ls", "--json");
    const { stdout } = await new Deno.Command(program, { args, env, stdin: "null" }).output();
    for (const { name } of JSON.parse(new TextDecoder().decode(stdout)).data) {
      const [el2, ...down] = el2Command("down", name);
      await new Deno.Command(el2, { args: down, env, stdin: "null" }).output();
    }
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("docs/first-guest.md does what it says, and shows the whole output", () => runInFolder(FIRST_GUEST));

if (LONG) {
  for (const file of [...FILES, README]) {
    Deno.test(`${file === README ? "README.md" : `docs/tutorials/${file}`} does what it says`, () => runInFolder(file));
  }
}
