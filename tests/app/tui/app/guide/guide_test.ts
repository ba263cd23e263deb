// The tour of the screens: it is gone through by nothing but what its strip says, on its machine.

import assert from "node:assert/strict";
import { checked } from "../../../../../src/app/cli/start/plans/planned.ts";
import { planTour } from "../../../../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../../../../src/model/plans/plan.ts";
import { connectEmbedded, type SessionClient } from "../../../../../src/session/worker/client.ts";
import { ACTIONS } from "../../../../../src/app/tui/actions/actions.ts";
import { Screen } from "../../../../../src/app/tui/terminal/cells.ts";
import { Guide } from "../../../../../src/app/tui/app/guide/guide.ts";
import { CHAPTERS, EPILOGUE, type Seen } from "../../../../../src/app/tui/app/guide/guide-chapters.ts";
import { guideRows } from "../../../../../src/app/tui/app/frame/guide-strip.ts";
import { bytesOfKey } from "../../../../../src/app/tui/terminal/keys.ts";
import { Keymap } from "../../../../../src/app/tui/actions/keymap.ts";
import { Offscreen } from "../../../../../src/app/tui/app/offscreen.ts";
import { Rig, SCREENS } from "../../rig.ts";
import { LONG } from "../../../../support/long.ts";
import { PATIENCE } from "../../../../support/patience.ts";

const ENTRY = new URL("../../../../../main.ts", import.meta.url);
const KEYMAP = new Keymap();
const STEPS = CHAPTERS.flatMap(({ steps }) => steps);

/** The keys that a task names, as a reader takes them from the strip: words letter by letter. */
function keysOf(guide: Guide): string[] {
  const { task } = guide.view(KEYMAP)!;
  return task.flatMap(({ text, role }) => {
    if (role === "accent") return [text];
    const typed = /\btype ([a-z=]+)/i.exec(text)?.[1];
    return typed === undefined ? [] : typed === "a" ? ["x"] : [...typed];
  });
}

/** The text of a task. */
const taskOf = (guide: Guide) => guide.view(KEYMAP)!.task.map(({ text }) => text).join("");

/** The screens at the start. */
const SEEN: Seen = {
  ...{ screen: "1", pane: "tree", selected: "vm:host", filter: "", overlay: "none", typing: false, typed: 0 },
  ...{ paused: false, past: false, refused: 0 },
};

/** The screens of the tour's machine. */
class Reader implements Disposable {
  readonly #client: SessionClient;
  readonly screen: Screen;
  readonly shown: Offscreen;

  constructor(plan: SessionPlan, readonly guide: Guide, columns: number, rows: number, depth: "direct" | "none") {
    const client = this.#client = connectEmbedded(ENTRY);
    this.screen = new Screen(columns, rows, depth);
    this.shown = new Offscreen((request) => client.send(request), { title: "tour", ascii: depth === "none", guide });
    client.onEvent = (event) => this.shown.apply(event);
    client.send({ kind: "start", plan: { ...plan, history: true } });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  press(...keys: readonly string[]): void {
    for (const key of keys) this.shown.press(bytesOfKey(key) ?? key);
  }

  text(screen = this.screen): string {
    this.shown.draw(screen);
    return screen.toLines().join("\n");
  }

  async until(is: () => boolean, what: string): Promise<void> {
    for (const limit = performance.now() + PATIENCE; !is();) {
      assert.ok(performance.now() < limit, `${what}\n${this.text()}`);
      this.text();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Does what the strip says until it says something else. */
  async follow(): Promise<void> {
    const { guide } = this, { text, position } = guide.view(KEYMAP)!;
    const done = () => guide.view(KEYMAP)!.position !== position || guide.over;
    const task = guide.view(KEYMAP)!.task.map((piece) => piece.text).join("");
    if (!task.includes("until")) this.press(...keysOf(guide));
    else {
      // On a busy computer rows may come later than the first keys.
      for (const limit = performance.now() + PATIENCE; !done() && performance.now() < limit;) {
        this.press(...keysOf(guide));
        for (let wait = 0; wait < 20 && !done(); wait++) {
          this.text();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    }
    await this.until(done, `${position}: ${text} ${task}`);
  }
}

/** Terminals; a reader takes some seconds for each. */
const SIZES = [
  [80, 24, "none"],
  ...LONG ? [[60, 16, "direct"], [120, 36, "direct"], [200, 60, "direct"]] as const : [],
] as const;

for (const [columns, rows, depth] of SIZES) {
  Deno.test(`a reader who presses what the tour says comes to its end, at ${columns}x${rows}`, async () => {
    const guide = new Guide();
    using reader = new Reader(checked(await planTour()).plan, guide, columns, rows, depth);
    // The smallest terminal has no row for it yet.
    const large = new Screen(120, 36, "none");
    await reader.until(() => reader.text(large).includes("lost: irq"), "the verdict");
    const seen = new Set<string>();
    while (!guide.over) {
      const { position, text, task } = guide.view(KEYMAP)!;
      assert.ok(!seen.has(position), `${position} comes once`);
      seen.add(position);
      const shown = reader.text().replaceAll(/\s+/g, " ");
      assert.ok(shown.includes(`Tour ${position}`), shown);
      assert.ok(shown.includes(text), shown);
      assert.ok(shown.includes(task.map((piece) => piece.text).join("")), shown);
      await reader.follow();
    }
    assert.equal(guide.chapter, undefined, "the next tour begins at the beginning");
    assert.ok(reader.text().replaceAll(/\s+/g, " ").includes(EPILOGUE.text));
    // Toasts go first.
    for (let tries = 0; tries < 3 && guide.shown; tries++) reader.press("Esc");
    assert.ok(!guide.shown);
    assert.doesNotMatch(reader.text(), /Tour \d/);
  });
}

Deno.test("wrong keys lead nowhere: the strip stays, and says the way back", async () => {
  const guide = new Guide("queues"), rig = new Rig(80, 24, { guide }, "none");
  assert.match(await rig.text(), /Tour 22 of \d+ +Queues/);
  await rig.keys("3jkvs");
  assert.match(await rig.text(), /Press 6 for the queues/);
  await rig.keys("6");
  assert.match(await rig.text(), /Tour 23 of \d+/);
  await rig.keys("2j");
  assert.match(await rig.text(), /This step is on screen 6: press 6\./);
  await rig.keys("c");
  assert.match(await rig.text(), /Your keys go to a guest: press ctrl-\], then d\./);
  await rig.keys("6x");
  assert.match(await rig.text(), /Tour 23 of \d+/, "these went to the guest");
  await rig.type("\x1d");
  await rig.type("d");
  await rig.keys("6");
  assert.match(await rig.text(), /Press x\./);
  assert.equal(guide.chapter, "queues");
});

Deno.test("a sign is named beside its key, and a step about an object says which one to select", () => {
  const guide = new Guide();
  guide.see({ ...SEEN, selected: "vm:sleeper" });
  assert.equal(taskOf(guide), "Press w.");
  guide.see({ ...SEEN, selected: "vm:rm" });
  assert.match(taskOf(guide), /^This step is about sleeper: select it with j and k first\.$/);
  guide.see({ ...SEEN, selected: "vm:rm", overlay: "verdict" });
  guide.see({ ...SEEN, selected: "vm:sleeper", overlay: "verdict" });
  assert.equal(taskOf(guide), "Press Esc to close it.");
  const past = new Guide("vcpus");
  past.see({ ...SEEN, screen: "2", selected: "vcpu:sleeper/0" });
  assert.equal(taskOf(past), "Press . (full stop).");
});

Deno.test("Esc first leaves what lies over the screen, then the filter, then the tour; :tour continues it", async () => {
  const guide = new Guide("interrupts"), rig = new Rig(100, 30, { guide });
  await rig.keys("3");
  await rig.keys("/irq");
  await rig.press("enter");
  await rig.keys("?");
  for (const there of [true, true, false]) {
    await rig.press("esc");
    assert.equal(guide.shown, there);
  }
  assert.match(await rig.text(), /you have left the tour; :tour continues it/);
  assert.doesNotMatch(await rig.text(), /Tour \d/);
  await rig.keys(":tour");
  await rig.press("enter");
  assert.ok(guide.shown);
  assert.match(await rig.text(), /Tour 13 of \d+/);
});

Deno.test("sessions without a tour offer none, and say where it is", async () => {
  const rig = new Rig();
  await rig.keys(":tour");
  assert.match(await rig.text(), /el2 tour shows it, with its own machine/);
});

Deno.test("a step that is done already is passed over; one that counts needs a new key", () => {
  const base = { screen: "1", pane: "tree", selected: "vm:hello", filter: "", overlay: "none", paused: false, past: false } as const;
  const chapters = [{
    ...{ name: "a", title: "A", about: "" },
    steps: [
      { text: "", task: "", goal: { screen: "1" } },
      { text: "", task: "", goal: { typed: "more" } },
      { text: "", task: "", goal: { refused: "more" } },
    ],
  }] as const;
  const guide = new Guide("a", chapters), at = () => guide.view(KEYMAP)!.position;
  const seen = { ...base, typing: false, typed: 5, refused: 3 };
  guide.see(seen);
  assert.equal(at(), "2 of 3");
  guide.see({ ...seen, typed: 6 });
  assert.equal(at(), "3 of 3");
  guide.see({ ...seen, typed: 9 });
  assert.equal(at(), "3 of 3");
  guide.see({ ...seen, refused: 4 });
  assert.ok(guide.over);
});

Deno.test("tasks name keys of actions that exist, fit into one row, and the strip leaves the screens their room", () => {
  const names = new Set<string>(ACTIONS.map(({ name }) => name));
  for (const { text, task } of [...STEPS, EPILOGUE]) {
    for (const [, name] of `${text}${task}`.matchAll(/\{([a-z.-]+)\}/g)) assert.ok(names.has(name), name);
    assert.ok(!text.includes("{"), text);
    assert.ok(task.length <= 80, task);
  }
  for (const { name } of CHAPTERS) {
    const guide = new Guide(name), view = guide.view(KEYMAP)!;
    assert.equal(guide.chapter, name);
    assert.ok(view.task.reduce((sum, { text }) => sum + text.length, 0) <= 58, "the narrowest terminal");
    assert.ok(guideRows(view, 60) <= 5 && guideRows(view, 80) <= 4 && guideRows(view, 200) <= 3, `${guideRows(view, 60)}`);
  }
});

Deno.test("the tour shows at least nine of the ten jobs' places: each screen that it visits, console, palette, help, past", () => {
  const visited = new Set(STEPS.flatMap(({ goal: { screen } }) => screen ?? []));
  assert.deepEqual(SCREENS.filter((key) => !visited.has(key)), ["L"], "the machine of the tour has no Linux");
  for (const overlay of ["verdict", "who", "palette", "help"]) assert.ok(STEPS.some(({ goal }) => goal.overlay === overlay), overlay);
  assert.ok(STEPS.some(({ goal }) => goal.past) && STEPS.some(({ goal }) => goal.typed));
});

Deno.test("--plain reads the step with the screen", async () => {
  const rig = new Rig(80, 24, { guide: new Guide() });
  await rig.lines();
  assert.ok(rig.app.linear().lines.some((line) => /^Tour, step 1 of \d+: Six VMs .* Press j until sleeper is selected\.$/.test(line)));
});

Deno.test("a reader who closes the palette is told how to open it again", () => {
  const guide = new Guide("palette");
  guide.see(SEEN);
  guide.see({ ...SEEN, overlay: "palette" });
  assert.match(taskOf(guide), /Type scheduler/);
  guide.see(SEEN);
  assert.match(taskOf(guide), /^The palette is closed: press : \(colon\) to open it/);
  guide.see({ ...SEEN, overlay: "palette" });
  assert.match(taskOf(guide), /Type scheduler/);
});
