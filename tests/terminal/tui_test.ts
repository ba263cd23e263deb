import assert from "node:assert/strict";
import { el2Command } from "../support/el2.ts";
import { SANE, TmuxTerminal } from "./tmux.ts";
import { shellQuoted } from "../../src/kit/support/text/shell.ts";
import { PATIENCE } from "../support/patience.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Separate sessions and states of screens: the user's own are not touched. */
const FOLDER = Deno.makeTempDirSync({ prefix: "el2-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(FOLDER, { recursive: true }));
const APART = `env XDG_RUNTIME_DIR=${FOLDER} XDG_STATE_HOME=${FOLDER}`;
const PROGRAM = `${APART} ${el2Command().map(shellQuoted).join(" ")}`;
/** A shell that stays after el2, as a person's does. */
const IN_SHELL = `cd ${ROOT} && ${PROGRAM}; echo "left with $?"; exec sleep 1000`;

Deno.test("W1: in an empty folder the demo shows a guest console line within 10 seconds, tree and hints at 80x24", async () => {
  const empty = `${FOLDER}/empty`;
  await Deno.mkdir(empty);
  await using terminal = await TmuxTerminal.start(`cd ${empty} && exec ${PROGRAM}`, 80, 24);
  const shown = await terminal.until(/ hello[\s\S]*(hello from EL1|tick \d)[\s\S]*\? help/);
  assert.match(shown, / Virtual machines /);
  assert.ok(shown.split("\n").length >= 24);
});

Deno.test("the demo's screens: sizes, keys for a guest, and the end", async (t) => {
  await using terminal = await TmuxTerminal.start(IN_SHELL, 120, 36);
  await t.step("at 120x36 tree, console and events are visible, and a resize redraws all of it", async () => {
    const all = /Virtual machines[\s\S]*Console[\s\S]*Events/;
    await terminal.until(all);
    await terminal.until(/O +pong/);
    await terminal.resize(80, 24);
    await terminal.until(/^(?![\s\S]*[━─=-] Events [━─=-])[\s\S]*Console/);
    await terminal.resize(59, 15);
    await terminal.until(/needs 60x16/);
    await terminal.resize(120, 36);
    await terminal.until(all);
  });
  await t.step("keys typed into the hello guest are answered by it, ctrl-] d takes them back", async () => {
    await terminal.until(/[▌>] *. +hello/m);
    await terminal.keys("c");
    await terminal.until(/KEYS GO TO THE GUEST/);
    await terminal.keys("x");
    await terminal.until(/you typed 'x'/);
    await terminal.keys("C-]", "d");
    await terminal.until(/Console . hello [^\n]*follows/);
    await terminal.keys("?");
    await terminal.until(/[━─=] Help \d+ actions/);
    await terminal.keys("Escape");
    await terminal.until(/Console . hello [^\n]*follows/);
  });
  await t.step("q quits with exit code 0 and restores the terminal", async () => {
    assert.deepEqual(await terminal.modes(), { cursor: false, alternate: true, mouse: true });
    await terminal.keys("q");
    const shown = await terminal.until(/left with 0/);
    assert.doesNotMatch(shown, /Virtual machines/);
    assert.deepEqual(await terminal.modes(), SANE);
  });
});

Deno.test("W64: with NO_COLOR the screens have no color codes, without it they have", async () => {
  // deno-lint-ignore no-control-regex
  const codes = (text: string) => [...text.matchAll(/\x1b\[([0-9;]*)m/g)].flatMap(([, list]) => list.split(";").map(Number));
  const isColour = (code: number) => code >= 30 && code <= 48 && code !== 39 || code >= 90;
  for (const [name, environment] of [["none", "NO_COLOR=1"], ["some", "-u NO_COLOR"]] as const) {
    const file = `${FOLDER}/colours-${name}`;
    await using terminal = await TmuxTerminal.start(`cd ${ROOT} && exec env ${environment} ${PROGRAM}`, 120, 36);
    await terminal.until(/ hello [\s\S]*tick/);
    await terminal.copyTo(file);
    const written = async () => await Deno.readTextFile(file).catch(() => "");
    // All of it is drawn anew, with what cyan and green are for: ids and what runs.
    await terminal.keys("2", "C-l");
    for (const limit = Date.now() + PATIENCE; !/Registers/.test(await written());) assert.ok(Date.now() < limit, await written());
    assert.equal(codes(await written()).some(isColour), name === "some", JSON.stringify(await written()));
  }
});

Deno.test("W77: SIGTERM leaves a sane terminal, and says what ended the screens", async () => {
  const pid = `${FOLDER}/pid`;
  await using terminal = await TmuxTerminal.start(
    `cd ${ROOT} && sh -c 'echo $$ > ${pid}; exec "$@"' sh ${PROGRAM}; echo "left with $?"; stty -a; exec sleep 1000`,
    100,
    30,
  );
  await terminal.until(/Console/);
  Deno.kill(Number(await Deno.readTextFile(pid)), "SIGTERM");
  const left = await terminal.until(/left with 143[\s\S]*echoe/);
  assert.match(left, /^el2: ended by SIGTERM$/m);
  assert.match(left, / icanon [\s\S]* echo /);
  assert.deepEqual(await terminal.modes(), SANE);
});

Deno.test("W77: a crash of the screens leaves a sane terminal, says what it was and how to come back, and the session continues", async () => {
  assert.equal((await new Deno.Command("sh", { args: ["-c", `${PROGRAM} up demo --name s`], cwd: ROOT }).output()).code, 0);
  try {
    const crashing = new URL("crashing.ts", import.meta.url).pathname;
    const attach = `${APART} ${Deno.execPath()} run -q --no-check -A ${crashing} attach s`;
    await using terminal = await TmuxTerminal.start(`${attach}; echo "left with $?"; stty -a; exec sleep 1000`, 120, 36);
    await terminal.until(/(hello from EL1|tick \d)/);
    await terminal.keys("j");
    const left = await terminal.until(/left with 1[\s\S]*echoe/);
    assert.match(left, /^el2: the screens have failed; session s continues; show it with el2 attach s/m);
    assert.match(left, /forced crash/);
    assert.match(left, / icanon [\s\S]* echo /);
    assert.deepEqual(await terminal.modes(), SANE);
    await using again = await TmuxTerminal.start(`${PROGRAM} attach s`, 120, 36);
    await again.until(/(hello from EL1|tick \d)/);
  } finally {
    await new Deno.Command("sh", { args: ["-c", `${PROGRAM} down s`], cwd: ROOT }).output();
  }
});

Deno.test("el2 tour begins with a chapter, is left by Esc, and begins the next time with the chapter that was left", async () => {
  await using terminal = await TmuxTerminal.start(`cd ${ROOT} && ${PROGRAM} tour console; ${PROGRAM} tour; exec sleep 1000`, 80, 24);
  // hello is what is selected first.
  await terminal.until(/Tour 5 of \d+ Console[\s\S]*Press c\./);
  await terminal.keys("2");
  await terminal.until(/This step is on screen 1: press 1\./);
  await terminal.keys("1", "c");
  await terminal.until(/Tour 6 of[\s\S]*Type a letter/);
  await terminal.keys("x");
  await terminal.until(/Press ctrl-\], then d\./);
  await terminal.keys("C-]", "d");
  await terminal.until(/Tour 8 of \d+ vCPUs/);
  await terminal.keys("Escape");
  await terminal.until(/you have left the tour; :tour continues it/);
  await terminal.keys("q");
  await terminal.until(/Tour 8 of \d+ vCPUs/);
  await terminal.keys("q");
});
