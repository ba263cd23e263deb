// `el2 open` and `--core`: memory of others as a session, and for one command.

import assert from "node:assert/strict";
import { COMMANDS } from "../../../../../src/model/commands/all.ts";
import { el2With } from "../../program.ts";
import { LONG } from "../../../../support/long.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("a dump is a session that stands: it is asked, listed and ended, and what needs a machine is refused by name", () =>
  inFolder(async (folder) => {
    const run = (...args: string[]) => el2With({ XDG_RUNTIME_DIR: folder, EL2_SESSION: "" }, ...args);
    await Deno.writeFile(`${folder}/low.bin`, new TextEncoder().encode("a text in memory".repeat(1024)));
    await Deno.writeFile(`${folder}/high.bin`, new Uint8Array(8192).fill(0x11));
    const open = await run("open", `${folder}/low.bin@0x80000000`, `${folder}/high.bin@0x880000000`);
    assert.equal(open.code, 0, open.stderr);
    assert.match(
      open.stderr,
      /session low\.bin: 24KiB of memory \(raw memory\), no registers, no Linux kernel was found; show it with el2 attach low\.bin/,
    );
    try {
      assert.match((await run("ls")).stdout, /^low\.bin .* paused /m);
      assert.match((await run("mem", "read", "pa:0x880000000", "16")).stdout, /11 11 11/);
      assert.match((await run("mem", "read", "ipa:dump/0x80000000", "16")).stdout, /a text in memory/);
      assert.match((await run("mem", "map")).stdout, /pa:0x880000000 .* raw memory/);
      for (
        const words of [["irq", "ls"], ["resume"], ["back"], ["who", "pa:0x80000000"], ["mark", "here"], [
          "snapshot",
          "save",
          `${folder}/x`,
        ]]
      ) {
        const { code, stderr, stdout } = await run(...words);
        assert.equal(code, 1, `${words}: ${stdout}${stderr}`);
        assert.match(stderr, /needs a machine, and this session is a dump/, `${words}`);
      }
    } finally {
      assert.equal((await run("down")).code, 0);
    }
    const { code, stdout } = await run("mem", "read", "pa:0x80000000", "--core", `${folder}/low.bin@0x80000000`);
    assert.equal(code, 0);
    assert.match(stdout, /a text in memory/);
  }));

/** Commands that look and print by themselves. The others take the option in one place. */
const OWN: ReadonlySet<string> = new Set(["why", "events", "link", "logs"]);

Deno.test("each command that only looks asks the file of --core, whatever sessions there are", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/ram`, new Uint8Array(8192));
    for (const { name, examples: [example] } of COMMANDS.filter(({ name, right }) => right === "looks" && (LONG || OWN.has(name)))) {
      const words = [...example.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
      const { code, stderr } = await el2With({ XDG_RUNTIME_DIR: folder, EL2_SESSION: "" }, ...words, "--core", `${folder}/ram@0`);
      assert.ok(code !== 3 && !/no session/.test(stderr), `${name}: ${stderr}`);
    }
  }));

Deno.test("a file that is no dump is refused with the place, the reason and the way out", () =>
  inFolder(async (folder) => {
    const elf = new Uint8Array(64), view = new DataView(elf.buffer);
    elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    view.setUint16(16, 4, true);
    view.setUint16(18, 62, true);
    await Deno.writeFile(`${folder}/x86`, elf);
    await Deno.writeTextFile(`${folder}/text`, "no dump");
    await Deno.writeTextFile(`${folder}/snapshot`, "EL2SNAP\n");
    await Deno.writeFile(`${folder}/empty`, new Uint8Array());
    const cases: readonly (readonly [word: string, says: RegExp])[] = [
      ["none", /none: no such file$/m],
      [".", /is a folder$/m],
      ["empty", /empty: the file is empty/],
      [
        "text",
        /text: byte 0: not a dump that el2 knows: .*; if it is raw memory, name its first address, as in \S+text@0x80000000$/m,
      ],
      ["snapshot", /snapshot: it is a snapshot; el2 snapshot load \S+snapshot continues it$/m],
      ["x86", /x86: a core file of machine 62, not of AArch64 \(183\)$/m],
    ];
    for (const [word, says] of cases) {
      const { code, stderr } = await el2With({ XDG_RUNTIME_DIR: folder }, "linux", "log", "--core", `${folder}/${word}`);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
    const loaded = await el2With({ XDG_RUNTIME_DIR: folder }, "snapshot", "info", `${folder}/x86`);
    assert.match(loaded.stderr, /it is an ELF core file; el2 open \S+x86 shows what it has$/m);
    const { code, stderr } = await el2With({ XDG_RUNTIME_DIR: folder }, "open", `${folder}/text`);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /text: byte 0: not a dump/);
  }));
