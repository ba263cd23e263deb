// The menu of `t`: other places of the run, a snapshot, a fork.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import type { Move } from "../../../../../src/model/queries/move.ts";
import type { Request, SessionEvent } from "../../../../../src/model/protocol/protocol.ts";
import { phoneAnswer } from "../../phone.ts";
import { Rig, settle } from "../../rig.ts";
import { UserError } from "../../../../../src/kit/support/problem.ts";

const moves = (rig: Rig): Move[] => rig.requests.flatMap((request) => request.kind === "move" ? [request.to] : []);

/** The last snapshot that was asked for. */
function snapshotRequest(rig: Rig): Extract<Request, { kind: "snapshot" }> {
  const found = rig.requests.findLast((request) => request.kind === "snapshot");
  assert.ok(found?.kind === "snapshot");
  return found;
}

/** A snapshot is on its way, or at its end. */
async function snapshotted(rig: Rig, { id }: { id: number }, rest: Omit<Extract<SessionEvent, { kind: "snapshotted" }>, "kind" | "id">) {
  rig.apply({ kind: "snapshotted", id, ...rest });
  await settle();
}

Deno.test("t n goes to now, t g to a count, t b back to an event or an instruction, offered from what is selected", async () => {
  const rig = new Rig();
  await rig.keys("tn");
  await rig.keys("tg120_000");
  await rig.press("enter");
  await rig.type("tg12 s");
  await rig.press("enter");
  assert.match(await rig.text(), /"12 s" is not a place of the run; use for example 120000, 12ms/);
  await rig.keys("tb");
  assert.match(await rig.text(), /back to: vm=vm:debian/);
  await rig.press("esc");
  const retype = async (text: string) => {
    await rig.keys("tb");
    await rig.type("\x15" + text);
  };
  await retype("kind=state");
  await rig.press("enter");
  await retype("at debian:vfs_open");
  await rig.press("enter");
  await retype("kind=");
  assert.match(await rig.text(), /back to: kind>= {3}a value is missing/);
  assert.deepEqual(moves(rig), [
    { kind: "now" },
    { kind: "instructions", count: 120_000 },
    { kind: "event", filter: "kind=state" },
    { kind: "place", at: "debian:vfs_open" },
  ]);
});

Deno.test("t s writes a snapshot of what is shown to a file, and tells how far it is and what is wrong", async () => {
  const rig = new Rig();
  await rig.keys("ts");
  assert.match(await rig.text(), /snapshot to: phone\.snap/);
  await rig.press("enter");
  const asked = snapshotRequest(rig);
  assert.equal(asked.path, resolve("phone.snap"));
  assert.equal(asked.title, "phone");
  await snapshotted(rig, asked, { done: 256, total: 700, whole: false });
  assert.match(await rig.text(), /phone\.snap: 256 of 700 pages/);
  await snapshotted(rig, asked, { done: 700, total: 700, whole: true });
  assert.match(await rig.text(), /phone\.snap: snapshot written/);
  await rig.keys("ts");
  await rig.press("enter");
  await snapshotted(rig, snapshotRequest(rig), { done: 0, total: 0, whole: false, error: { what: "No space left on device" } });
  assert.match(await rig.text(), /phone\.snap: No space left on device/);
});

Deno.test("t f makes another session continue from the place shown; a screen that cannot, or may not, says so", async () => {
  const saved: string[] = [];
  const rig = new Rig(120, 36, {
    fork: async (save) => {
      const error = await save("/run/x.snap");
      if (error !== undefined) throw new UserError(error);
      saved.push("/run/x.snap");
      return "phone-fork1";
    },
  });
  await rig.keys("tf");
  await snapshotted(rig, snapshotRequest(rig), { done: 1, total: 1, whole: true });
  assert.deepEqual(saved, ["/run/x.snap"]);
  assert.equal(snapshotRequest(rig).passing, true, "its file does not stay");
  assert.match(await rig.text(), /session phone-fork1 continues from here; el2 attach phone-fork1 shows it/);
  await rig.keys("tf");
  await snapshotted(rig, snapshotRequest(rig), { done: 0, total: 0, whole: false, error: { what: "a guest has a connection" } });
  assert.match(await rig.text(), /a guest has a connection/);

  const alone = new Rig();
  await alone.keys("tf");
  assert.match(await alone.text(), /off: sessions cannot be started here/);
  const reader = new Rig(120, 36, { readOnly: true });
  await reader.keys("ts");
  assert.match(await reader.text(), /off: read-only/);
  assert.ok(!reader.requests.some(({ kind }) => kind === "snapshot"));
});

Deno.test("t l lists the places of the run, and goes to the one that is chosen", async () => {
  const rig = new Rig();
  const places = [
    { id: "place:1", kind: "start", t: "0", insn: "0", name: null, text: null, by: null, file: null },
    { id: "place:2", kind: "snapshot", t: "914207000", insn: "120000", name: null, text: null, by: null, file: "/home/me/phone.snap" },
    { id: "place:3", kind: "shown", t: "1914207000", insn: "130000", name: null, text: null, by: null, file: null },
    { id: "place:4", kind: "now", t: "2914207000", insn: "140000", name: null, text: null, by: null, file: null },
  ];
  const { answer } = rig;
  rig.answer = (query) => query.table === "time.ls" ? { ...answer(query), table: "time.ls", rows: places } : answer(query);
  await rig.keys("tl");
  const shown = await rig.text();
  assert.match(shown, /= places of the run; Enter goes there/);
  assert.match(shown, /snapshot t=0\.914207s +120000 instructions {2}\/home\/me\/phone\.snap/);
  assert.match(shown, /shown +t=1\.914207s .*here/);
  await rig.press("down", "enter");
  await rig.keys("tl");
  await rig.press("down", "down", "down", "enter");
  assert.deepEqual(moves(rig), [{ kind: "instructions", count: 120_000 }, { kind: "now" }]);
});

Deno.test("< and > go to events that pass the list's filter, else the last one's, else one that is asked for", async () => {
  const rig = new Rig();
  await rig.keys("<");
  assert.match(await rig.text(), /back to: vm=vm:debian/);
  await rig.press("enter");
  await rig.keys("2>");
  assert.match(await rig.text(), /forward to vm=vm:debian/);
  await rig.keys("9/");
  await rig.type("kind=hvc\r");
  await rig.keys("<>");
  await rig.keys("1<");
  assert.deepEqual(moves(rig), [
    { kind: "event", filter: "vm=vm:debian" },
    { kind: "next-event", filter: "vm=vm:debian" },
    { kind: "event", filter: "kind=hvc" },
    { kind: "next-event", filter: "kind=hvc" },
    { kind: "event", filter: "kind=hvc" },
  ]);
  // An impossible action gives the reason: a replay can only follow its recording.
  rig.apply({ kind: "moved", id: 0, error: { what: "a replay cannot go back" }, instructions: 5 });
  assert.match(await rig.text(), /a replay cannot go back/);
  const reader = new Rig(120, 36, { readOnly: true });
  await reader.keys("<>");
  assert.match(await reader.text(), /read-only: cannot travel/);
  assert.deepEqual(moves(reader), []);
  const place = new Rig();
  await place.keys(">");
  await place.type("\x15at debian:vfs_open\r");
  assert.match(await place.text(), /"at debian:vfs_open" is not a filter of events; t b goes back to an instruction/);
});

Deno.test("a prompt without a text has an example; the past is as many instructions ago as time cannot show", async () => {
  const rig = new Rig();
  rig.answer = (query) => ({ ...phoneAnswer(query), rows: [] });
  await rig.keys("9tb");
  const empty = await rig.text();
  assert.match(empty, /back to \(such as kind=rpc, or at ping:0x80000000\):/);
  await rig.press("esc");
  await rig.keys("tg");
  assert.match(await rig.text(), /go to \(120000, 12ms or a mark\):/);
  await rig.press("esc");
  const past = new Rig(120, 36, { ascii: false }, "direct");
  past.sample();
  past.apply({ kind: "paused", paused: true, past: true });
  for (const [fewer, wanted] of [[1, " 1 instruction before now"], [1200, " 1 200 instructions before now"]] as const) {
    past.sample({ instructions: 2_657_004_118 - fewer });
    assert.ok((await past.lines())[0].includes(wanted), (await past.lines())[0]);
  }
});
