import assert from "node:assert/strict";
import { ACTIONS } from "../../../../src/app/tui/actions/actions.ts";
import { KeyClash, Keymap } from "../../../../src/app/tui/actions/keymap.ts";
import { textBytes } from "../../../../src/app/tui/terminal/keys.ts";
import { copySequence } from "../../../../src/app/tui/terminal/clipboard.ts";
import { press, Rig, SCREENS, settle } from "../rig.ts";
import { type Outcome, programDoing } from "../own-program.ts";

Deno.test("W9: key table, help and palette list the same actions", async () => {
  const rig = new Rig(120, 140);
  await rig.type("?");
  const help = await rig.text();
  for (const { name } of ACTIONS) assert.ok(help.includes(name), `${name} in the help`);
  await rig.press("esc");
  for (const { name, context } of ACTIONS) {
    if (context !== "lists" && context !== "everywhere") continue;
    await rig.type(`:${name}`);
    assert.match(await rig.text(), new RegExp(`> ${name.replaceAll(".", "\\.")} `), `${name} in the palette`);
    await rig.press("esc");
  }
});

Deno.test("W10: two actions on one key in one context are refused", () => {
  assert.ok(new Keymap());
  assert.throws(() => new Keymap({ "list.sort": "S" }), KeyClash);
});

Deno.test("W11: ? finds actions by key, name and text", async () => {
  const rig = new Rig();
  for (
    const [typed, found] of [["pane.zoom", /enlarge the focused pane/], ["clipboard|copy", /no matching action/], [
      "fold the VM",
      /tree.fold/,
    ], [
      "z",
      /pane.zoom/,
    ]] as const
  ) {
    await rig.type("?");
    await rig.type(typed);
    const shown = await rig.text();
    assert.match(shown, found);
    assert.doesNotMatch(shown, /suspend/, "what does not pass is not there");
    await rig.press("esc");
  }
});

Deno.test("? finds the actions on the selected object, with their menu and letter", async () => {
  const rig = new Rig();
  await rig.type("?");
  await rig.type("kill");
  assert.match(await rig.text(), /! \w +[^|]*\(vm\) +vm\.kill/);
  await rig.press("esc");
});

Deno.test("W12: no single key stops, resets, kills, reclaims, flushes or sends", async () => {
  const keys = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()-=+[]{};:'\",.<>/?\\|`~ 0123456789".split("");
  // Looking, stopping time and going to other times is all that one key does.
  const harmless = new Set(["query", "forget", "watch", "taken", "pause", "resume", "move"]);
  for (const screen of SCREENS) {
    const rig = new Rig();
    await rig.type(screen);
    await rig.lines();
    for (const key of [...keys, "\r", "\t", "\x7f", "\x1b[3~", ...Array.from({ length: 26 }, (_, i) => String.fromCharCode(i + 1))]) {
      await press(rig, key);
      assert.deepEqual(rig.acted, [], `${screen} ${JSON.stringify(key)}`);
      const sent = rig.requests.filter(({ kind }) => !harmless.has(kind)).map(({ kind }) => kind);
      assert.deepEqual(sent, [], `${screen} ${JSON.stringify(key)}`);
      // Back to the list, whatever the key has opened: a console, menus.
      await press(rig, "\x1d", "d", "\x1b", "\x1b", screen);
    }
  }
});

Deno.test("W13: !s Enter does nothing, !s y stops the named VM", async () => {
  const rig = new Rig();
  await rig.type("gjjj!s");
  assert.match(await rig.text(), /Stop vm:debian\? [^]* y {2}stop vm:debian  +any other key {2}cancels/);
  await rig.press("enter");
  assert.deepEqual(rig.acted, []);
  await rig.type("!sy");
  assert.deepEqual(rig.acted, [{ kind: "vm.stop", vm: "vm:debian", force: false }]);
});

Deno.test("W14: d D r R X Delete change nothing in lists", async () => {
  for (const screen of SCREENS) {
    const rig = new Rig();
    await rig.type(screen);
    const before = await rig.lines();
    for (const key of ["d", "D", "r", "R", "X", "\x1b[3~"]) {
      await rig.type(key);
      const now = await rig.lines();
      assert.deepEqual(now.slice(0, -1), before.slice(0, -1), `${screen} ${JSON.stringify(key)}`);
      assert.match(now.at(-1)!, /has no action here/);
    }
    assert.deepEqual(rig.acted, []);
  }
});

Deno.test("W16: an action that cannot be done says why", async () => {
  const rig = new Rig();
  await rig.type("g!");
  assert.match(await rig.text(), /stop: ask it to shut down .*other VMs need vm:host/);
  await rig.type("s");
  assert.match(await rig.text(), /stop: ask it to shut down.*other VMs need vm:host[^\n]*$/);
  await rig.press("esc");
  await rig.type("4");
  await rig.lines();
  await rig.press("tab", "tab");
  const readOnly = new Rig(120, 36, { readOnly: true });
  await readOnly.type("4");
  await readOnly.lines();
  await readOnly.press("tab", "tab");
  await readOnly.type("ar");
  assert.match(await readOnly.text(), /reclaim it.*off: read-only[^\n]*$/);
  assert.deepEqual([rig.acted, readOnly.acted], [[], []]);
});

Deno.test("! resets a VM, sends what was typed into a queue, reclaims a parcel: each asks first", async () => {
  const rig = new Rig();
  await rig.type("gjjj!r");
  assert.match(await rig.text(), /Reset vm:debian\? /);
  await rig.type("y");
  await rig.type("6");
  await rig.lines();
  await rig.type("!w");
  assert.match(await rig.text(), /message for mq:7, hexadecimal or text:TEXT:/m);
  await rig.type("cafe0\r");
  assert.match(await rig.text(), /"cafe0" is not a list of bytes; use for example 21010f00 or text:hello/);
  await rig.type("!wtext:hi\r");
  assert.match(await rig.text(), /Send text:hi into mq:7\? /);
  await rig.type("y");
  await rig.type("4");
  await rig.lines();
  await rig.press("tab", "tab");
  await rig.type("!r");
  assert.match(await rig.text(), /Ask the Resource Manager, as the host, to reclaim parcel:0x12\? /);
  await rig.type("y");
  const payload = Uint8Array.of(0x12, 0, 0, 0, 0, 0, 0, 0);
  assert.deepEqual(rig.acted, [
    { kind: "vm.reset", vm: "vm:debian" },
    { kind: "queue.send", queue: "mq:7", bytes: textBytes("hi") },
    { kind: "rpc.send", id: 0x5100_0015, payload },
  ]);
});

Deno.test("b makes a stop rule of what is selected, marks what is wrong with it, and a stop is told", async () => {
  const rig = new Rig();
  await rig.type("9");
  await rig.lines();
  await rig.type("gb");
  assert.match(await rig.text(), /stop at: kind=\w+ name=\w+ vcpu=vcpu:\S+$/m);
  await rig.press("enter");
  const [rule] = rig.stops;
  assert.ok(rule.kind === "event" && /^kind=\w+ name=/.test(rule.filter));
  assert.match(await rig.text(), /the machine stops at kind=.*p continues/);
  await rig.type("b\x15kynd=hvc");
  assert.match(await rig.text(), /stop at: >kynd=hvc .*no field "kynd"/);
  await rig.press("enter");
  await rig.type("b\x15at debian:vfs_open\r:stop off\r");
  assert.deepEqual(rig.stops.slice(1), [{ kind: "place", at: "debian:vfs_open" }, { kind: "remove", rule: "all" }]);
  rig.apply({ kind: "paused", paused: true });
  rig.apply({ kind: "stopped", rule: "stop:1", text: "ev:5 vcpu:rm/0 hvc addrspace_map" });
  assert.match(await rig.text(), /PAUSED[^]*stop:1 stopped the machine: ev:5 vcpu:rm\/0 hvc addrspace_map/);
  const readOnly = new Rig(120, 36, { readOnly: true });
  await readOnly.type("b");
  assert.match(await readOnly.text(), /read-only: cannot stop the machine/);
});

Deno.test("W17: rebinding shows in the help", async () => {
  const rig = new Rig(120, 140, { keys: { "list.sort": "O" } });
  await rig.type("?");
  assert.match(await rig.text(), /O +sort by the next column/);
});

Deno.test("W19: y c gives the command with the same rows, y i the id, y j the JSON", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("/state=vmmio\r");
  await rig.lines();
  await rig.type("yc");
  await rig.type("yi");
  await rig.type("yj");
  assert.equal(rig.copied[0], "el2 vcpu ls --filter state=vmmio");
  const [, id, json] = rig.copied;
  assert.equal(JSON.parse(json).id, id);
});

Deno.test("the palette finds actions, themes and objects, and goes to any id", async () => {
  const rig = new Rig();
  await rig.lines();
  await rig.type(":irq:debian/960\r");
  assert.equal(rig.shown, "3");
  assert.match(await rig.text(), /> D debian\/960/);
  await rig.type(":theme light\r");
  assert.equal(rig.app.state.theme, "light");
  await rig.type(":nothing of the kind\r");
  assert.match(await rig.text(), /no action or object called/);
});

Deno.test("the palette finds objects of every list by a few letters of their names, whatever screen is shown", async () => {
  for (
    const [typed, found] of [["rt", "vm:rt"], ["debian", "vm:debian"], ["debian/0", "vcpu:debian/0"], ["parcel", "parcel:0x12"]] as const
  ) {
    const rig = new Rig(120, 36), { answer } = rig;
    const vms = ["vm:debian", "vm:rt"].map((id) => ({ id }));
    rig.answer = (query) => query.table === "vm.ls" ? { ...answer(query), rows: vms, error: undefined } as never : answer(query);
    await rig.type(`3:${typed}`);
    assert.match(await rig.text(), new RegExp(`> ${found} +go to it`), typed);
  }
});

Deno.test("the palette injects faults once their rule is right, and not with --read-only", async () => {
  const rig = new Rig();
  await rig.lines();
  await rig.type(":inject virq vm=rt nth=3 -> loose");
  assert.match(await rig.text(), /inject: "virq vm=rt nth=3 -> loose": effect "loose" is not one of virq/);
  await rig.type("\r");
  assert.deepEqual(rig.acted, []);
  await rig.type(":inject virq vm=rt nth=3 -> lose\r");
  assert.deepEqual(rig.acted, [{ kind: "inject.add", rule: "virq vm=rt nth=3 -> lose" }]);
  const looking = new Rig(120, 36, { readOnly: true });
  await looking.lines();
  await looking.type(":inject virq -> lose\r");
  assert.deepEqual(looking.acted, []);
  assert.match(await looking.text(), /REFUSED {2}inject: off: read-only/);
});

Deno.test(":record save FILE has the run until now written beside the person", async () => {
  const rig = new Rig();
  await rig.type(":record save bug.rec\r");
  const asked = rig.requests.find((request) => request.kind === "save-recording");
  assert.deepEqual(asked, { kind: "save-recording", id: asked?.id, path: `${Deno.cwd()}/bug.rec` });
  rig.apply({ kind: "acted", id: asked!.id, error: undefined });
  await settle();
  assert.match(await rig.text(), /bug\.rec: the run so far; el2 replay bug\.rec --verify repeats it/);
  await rig.type(":record save\r");
  assert.match(await rig.text(), /record save: "file" is missing; the recording/);
  const reader = new Rig(120, 36, { readOnly: true });
  await reader.type(":record save bug.rec\r");
  assert.match(await reader.text(), /record save: off: read-only/);
});

Deno.test(":diff A B runs el2 diff aside, and shows what it says; what is wrong is a line", async () => {
  const asked: (readonly string[])[] = [];
  let said = { answer: `the runs differ after 12 instructions, t=0.000001\n${"vcpu:a/0  RUN\n".repeat(60)}last\n`, complaint: "", code: 1 };
  const program = programDoing((args) => {
    asked.push(args);
    return Promise.resolve(said);
  });
  const rig = new Rig(120, 36, { program });
  await rig.type(":diff a.rec b.rec\r");
  assert.deepEqual(asked, [["diff", "a.rec", "b.rec"]]);
  assert.match(await rig.text(), /= diff a\.rec b\.rec =+\+\n\| the runs differ after 12 instructions/);
  assert.doesNotMatch(await rig.text(), /last/);
  await rig.type("\x1b[F");
  assert.match(await rig.text(), /last/);
  await rig.press("esc");
  said = { answer: "", complaint: "el2: recording b.rec: no such file\n", code: 2 };
  await rig.type(":diff a.rec b.rec\r");
  assert.match(await rig.text(), /recording b\.rec: no such file/);
  said = { answer: "", complaint: "", code: 0 };
  await rig.type(":down\r");
  assert.match(await rig.text(), /End this session\?/);
  await rig.type("n");
  assert.equal(asked.length, 2);
  await rig.type(":down\r");
  await rig.type("y");
  assert.deepEqual(asked.at(-1), ["down"]);
  const reader = new Rig(120, 36, { program, readOnly: true });
  await reader.type(":down x\r");
  assert.match(await reader.text(), /down: off: read-only/);
  assert.equal(asked.length, 3);
  const alone = new Rig();
  await alone.type(":diff a b\r");
  assert.match(await alone.text(), /no action or object called/);
});

Deno.test("a command that takes a while says how far it is, ctrl-c cancels it, and its answer does not open over something else", async () => {
  const runs: { hear: (line: string) => void; signal: AbortSignal; end: () => void }[] = [];
  const program = programDoing((_, hear, signal) => {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    runs.push({ hear, signal, end: () => resolve({ answer: "vm:ping 12\n", complaint: "", code: 0 }) });
    return promise;
  });
  const rig = new Rig(120, 36, { program });
  await rig.type(":coverage\r");
  runs[0].hear("counting: 34 %, 12 of 40 instructions");
  assert.match(await rig.text(), /coverage: counting: 34 %, 12 of 40 instructions; ctrl-c cancels/);
  await rig.press("ctrl-c");
  assert.ok(runs[0].signal.aborted);
  assert.match(await rig.text(), /coverage: canceled/);
  runs[0].end();
  await settle();
  assert.doesNotMatch(await rig.text(), /vm:ping 12/, "a canceled command has no answer");
  await rig.press("ctrl-c");
  assert.match(await rig.text(), /nothing to cancel/);
  await rig.type(":coverage\r");
  await rig.type("c");
  await rig.type("ls");
  runs[1].end();
  await settle();
  assert.match(await rig.text(), /coverage: the answer is there[^\n]*: Enter[^\n]*show it/);
  await rig.type("x");
  assert.deepEqual(rig.typed, [...new TextEncoder().encode("lsx")], "the guest got all keys");
  await rig.type("\x1dd");
  await rig.type(":\r");
  assert.match(await rig.text(), /= coverage =[^]*vm:ping 12/);
  await rig.press("esc");
  await rig.type(":");
  assert.doesNotMatch(await rig.text(), /answer of coverage/, "it was looked at");
});

Deno.test("W18: y i copies by OSC 52, wrapped inside tmux", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("yi");
  assert.deepEqual(rig.copied, ["vcpu:debian/0"]);
  assert.equal(copySequence("vcpu:debian/0", false), `\x1b]52;c;${btoa("vcpu:debian/0")}\x07`);
  assert.equal(copySequence("x", true), `\x1b]52;c;${btoa("x")}\x07\x1bPtmux;\x1b\x1b]52;c;${btoa("x")}\x07\x1b\\`);
});

Deno.test("dangers are off in the past, and say how to return to now", async () => {
  const rig = new Rig();
  rig.apply({ kind: "paused", paused: true, past: true });
  await rig.keys("gjjj!");
  assert.match(await rig.text(), /stop: ask it to shut down +off: the past is read-only; t n returns to now/);
  await rig.keys("s");
  assert.doesNotMatch(await rig.text(), /Stop vm:/);
  assert.deepEqual(rig.acted, []);
});
