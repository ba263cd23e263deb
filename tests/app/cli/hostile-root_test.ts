// A program in the root VM whose log, messages and arguments are hostile, in every command that
// shows them on a terminal.

import assert from "node:assert/strict";
import { NOT_UTF8 } from "../../support/not-utf8.ts";
import { buildRootGuest } from "../../../bench/root-guests.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { withTable } from "../../support/plan-tables.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { harm, HOSTILE, MARK, runOnTerminal } from "./hostile.ts";
import { eventually } from "../../support/eventually.ts";
import { Place } from "./place.ts";

/**
 * Bytes that the program prints and sends: they begin with an escape, which calls take for a
 * number.
 */
const BYTES = [...new TextEncoder().encode(`${HOSTILE}\n[    1.000000] ${HOSTILE}`), ...NOT_UTF8, ...new TextEncoder().encode(HOSTILE)];

Deno.test("no command writes what the root VM's own program printed, sent or passed as a sequence", async () => {
  await using place = new Place();
  const at = (name: string) => `${place.folder}/${name}`;
  const { runtime, app } = await buildRootGuest("hostile", place.folder, [`TEXT=${BYTES.join()}`]);
  const root = { runtime: await Deno.readFile(runtime), app: await Deno.readFile(app) };
  const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } as const;
  const plan: SessionPlan = withTable({ cpus: 1, memory: 64 << 20, turbo: true, seed: 1, root, what });
  const system = assemble(plan);
  for (const _ of writeSnapshot(at("root.snap"), snapshotOf(system, plan, HOSTILE)));
  await place.up("s", at("root.snap"));
  await eventually(() => place.el2("logs"), ({ stdout }) => stdout.includes("finished"));
  const boot = ["boot", ...["kind=image", `runtime=${runtime}`, `app=${app}`].flatMap((key) => ["--set", `rm.${key}`]), "--turbo"];
  const lines = [
    boot,
    ["snapshot", "info", at("root.snap")],
    ["console", "rm"],
    ...["logs", "events", "diagnose", "why", "why --list", "vm ls", "vcpu ls", "vcpu regs rm/0"].map((line) => line.split(" ")),
    ...["caps ls", "queue ls", "show mq:254", "queue ring mq:254", "rpc ls"].map((line) => line.split(" ")),
  ];
  const written = await runOnTerminal(place.folder, lines);
  const wrong = written.flatMap(({ args, text, thrown }) => {
    const what = thrown ?? harm(text);
    return what === undefined ? [] : [`${args.join(" ")}: ${what}`];
  });
  assert.deepEqual(wrong, []);
  assert.deepEqual(written.filter(({ code }) => code === -1), [], "commands that did not end");
  const shown = (line: readonly string[]) => written.find(({ args }) => args.join() === line.join())!;
  // The program's text is shown as text; its messages are in their queue.
  assert.match(shown(["queue", "ring", "mq:254"]).text, /^mq:254\/3 +\d+ 1b 5b 36 36 3b /m);
  for (const line of [boot, ["logs"], ["snapshot", "info", at("root.snap")]]) {
    assert.ok(shown(line).text.includes(MARK), `${line.join(" ")}: ${shown(line).text}`);
  }
});
