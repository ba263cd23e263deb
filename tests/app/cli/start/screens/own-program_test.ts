// Every capability of the shell is one key or one line of the palette away.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { FOR_PROGRAMS, isAside, ON_SCREENS, ownProgram } from "../../../../../src/app/cli/start/screens/own-program.ts";
import { isRunnable } from "../../../../../src/app/cli/common/command-tree.ts";
import { PALETTE_COMMANDS } from "../../../../../src/app/tui/app/doing/palette-commands.ts";
import { usageOf } from "../../../../../src/model/commands/words.ts";
import { programDoing, TREE } from "../../../tui/own-program.ts";
import { Rig, settle } from "../../../tui/rig.ts";

type Node = typeof TREE;

/** The paths of all commands. */
function pathsOf(node: Node, path = ""): string[] {
  return [
    ...path !== "" && isRunnable(node) ? [path] : [],
    ...node.commands.flatMap((one) => pathsOf(one, `${path} ${one.name}`.trim())),
  ];
}

Deno.test("every command of the shell is in the palette, or a line of it does the same, or it serves programs", async () => {
  const ran: string[] = [];
  const program = programDoing((args) => {
    ran.push(args.join(" "));
    return Promise.resolve({ answer: `${args.join(" ")} has printed this\n`, complaint: "", code: 0 });
  });
  const paths = pathsOf(TREE), ofSession = new Set(PALETTE_COMMANDS.map((command) => command.name.replaceAll(".", " ")));
  for (const listed of [...ON_SCREENS.keys(), ...FOR_PROGRAMS]) assert.ok(paths.includes(listed), `${listed} is a command`);
  for (const path of paths) {
    if (FOR_PROGRAMS.has(path)) continue;
    const rig = new Rig(160, 60, { program });
    const instead = ON_SCREENS.get(path);
    if (instead !== undefined) {
      // Actions on an object are lines of the palette while it is selected.
      await rig.type("gj");
      await rig.type(`:${instead}`);
      assert.match(await rig.text(), new RegExp(`> ${instead.replaceAll(".", "\\.")}\\b`), `${path}: ${instead}`);
    } else if (ofSession.has(path)) {
      const command = PALETTE_COMMANDS.find(({ name }) => name.replaceAll(".", " ") === path)!;
      await rig.type(`:${usageOf(command)}`);
      assert.ok((await rig.text()).includes(usageOf(command)), path);
    } else {
      assert.ok(isAside(path));
      await rig.type(`:${path} --x y\r`);
      if (/any other key {2}cancels/.test(await rig.text())) await rig.type("y");
      await settle();
      assert.equal(ran.at(-1), `${path} --x y`);
      assert.match(await rig.text(), new RegExp(`${path} --x y has printed this`), `the output of ${path}`);
    }
  }
});

Deno.test("what a command prints is heard as it comes and stays, so that the address of `serve` is read while it serves", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" }), entry = `${folder}/speaks.ts`, stop = new AbortController();
  await Deno.writeTextFile(entry, `console.log("http://here"); setInterval(() => console.error("el2: Ctrl-C ends it"), 50);`);
  const { answer } = await ownProgram(pathToFileURL(entry), "none").run([], (line) => {
    if (line === "http://here  Ctrl-C ends it") stop.abort();
  }, stop.signal);
  await Deno.remove(folder, { recursive: true });
  assert.equal(answer, "http://here\n");
});

Deno.test("the palette and the help find what the help of a command has", async () => {
  const program = programDoing(() => Promise.reject(new Error("nothing runs")));
  for (
    const [typed, found] of [
      [":profile", /> flame graph[^]*profile \[recordings/],
      [":coverage", /> coverage \[recordings/],
      [":flame", /> flame graph[^]*profile \[recordings/],
      [":syscall", /> system calls/],
      [":find", /> find \[target\]/],
      [":mark", /> mark \[name\]/],
      [":compare", /compare-runs \[files/],
      [":wireshark", /trace dissector/],
      ["?flame", /: +profile: show where/],
      ["?lcov", /: +coverage: show which/],
    ] as const
  ) {
    const rig = new Rig(140, 40, { program });
    await rig.type(typed);
    assert.match(await rig.text(), found, typed);
  }
});

Deno.test(":syscall follows system calls on the screen of events, which are recorded then", async () => {
  const rig = new Rig(140, 40);
  await rig.lines();
  await rig.type(":syscall\r");
  assert.equal(rig.shown, "9");
  await rig.lines();
  const watches = rig.requests.filter((request) => request.kind === "watch");
  assert.ok(watches.at(-1)?.kinds.includes("syscall"));
  assert.match(await rig.text(), /kind=syscall/);
  await rig.press("esc");
  await rig.lines();
  rig.sample();
  assert.ok(
    !rig.requests.filter((request) => request.kind === "watch").at(-1)?.kinds.includes("syscall"),
    "no longer than they are wanted",
  );
});
