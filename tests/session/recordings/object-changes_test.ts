// Changes of interrupts, capabilities, queues, parcels and owners of pages: those that are seen by
// looking after every instruction.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { AccessSearch } from "../../../src/session/recordings/past/accesses.ts";
import type { PastAccess } from "../../../src/session/recordings/looking/looking.ts";
import type { RunUpTo } from "../../../src/session/recordings/past/back-to.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { QueryError } from "../../../src/session/inspection/readers/inspected.ts";
import { Past } from "../../../src/session/recordings/past/past.ts";
import { bootPlan, demoPlan } from "../snapshots/systems.ts";
import { Random } from "../../support/random.ts";
import { resultOf } from "./searches.ts";

interface Change {
  readonly at: number;
  readonly before: string;
  readonly after: string;
}

/** Changes at one place as one; none where nothing remains of them. */
function joined(accesses: readonly PastAccess[]): Change[] {
  const found: Change[] = [];
  for (const { at: one, event, before, after } of accesses) {
    // Programs without instructions act after the last instruction of others, not in its exit.
    const at = /^(host|rm)\//.test(event!.vcpu) ? one + 1 : one;
    const last = found.at(-1);
    if (last?.at === at) found.splice(-1, 1, { at, before: last.before, after: String(after) });
    else found.push({ at, before: String(before), after: String(after) });
  }
  return found.filter(({ before, after }) => before !== after);
}

/** The run of a plan from its start. */
function upTo(plan: SessionPlan, end: number): RunUpTo {
  const rerun = { milestone: () => undefined, mayBeWritten: () => true, pastAt: () => new Past(assemble(plan), []) };
  return { rerun, moment: end, instructions: end, at: 0 };
}

const idsOf = (system: System, table: "irq.ls" | "queue.ls" | "mem.parcels" | "caps.ls") =>
  system.inspector.answer({ table, args: {} }).rows.map(({ id }) => String(id));

Deno.test("changes of interrupts and queues are those that looks after every instruction see", async () => {
  const first = 117_500, end = 117_900;
  const plan = await demoPlan(), past = new Past(assemble(plan), []), last = new Past(assemble(plan), []);
  assert.ok(past.advance(first, Infinity) && last.advance(end, Infinity));
  const states = [...idsOf(last.system, "irq.ls"), ...idsOf(last.system, "queue.ls")].map((id) => {
    const { read } = past.system.inspector.objectState(id);
    return { id, read, last: read(), changes: [] as Change[] };
  });
  for (let count = first + 1; count <= end; count++) {
    assert.ok(past.advance(count, Infinity));
    for (const one of states) {
      const after = one.read();
      if (after !== one.last) one.changes.push({ at: count - 1, before: one.last, after });
      one.last = after;
    }
  }
  const changed = states.filter(({ changes }) => changes.length > 1);
  assert.ok(changed.some(({ id }) => id.startsWith("irq:")) && changed.some(({ id }) => id.startsWith("mq:")));
  for (const { id, changes } of changed.slice(0, 4)) {
    const { accesses } = resultOf(new AccessSearch(upTo(plan, end), { kind: "object", id }, 1000));
    assert.deepEqual(joined(accesses.filter(({ at, event }) => at > first || at === first && event!.vcpu !== "")), changes, id);
  }
});

/** Enables interrupts 33 and 65 with some instructions in between. */
const ENABLES = [
  ["movz x0, #0x800, lsl #16", 0xd2a1_0000],
  ["movz x1, #0x2", 0xd280_0041],
  ["str w1, [x0, #0x104]", 0xb901_0401],
  ["add x2, x2, #0x1", 0x9100_0442],
  ["add x2, x2, #0x1", 0x9100_0442],
  ["str w1, [x0, #0x108]", 0xb901_0801],
  ["b", 0x1400_0000],
] as const;

Deno.test("a change of an interrupt is that of the store to its register, not of a later exit", async () => {
  const { what, ...given } = await bootPlan(), image = new Uint8Array(Uint32Array.from(ENABLES, ([, word]) => word).buffer);
  const plan = { ...given, what: { ...what, image, raw: true } } as SessionPlan, end = 20;
  for (const [id, store] of [["irq:host/33", 2], ["irq:host/65", 5]] as const) {
    const { accesses: [latest] } = resultOf(new AccessSearch(upTo(plan, end), { kind: "object", id }, 1));
    assert.match(String(latest.before), /^disabled/);
    assert.match(String(latest.after), /^enabled/);
    assert.deepEqual([latest.at, latest.event?.kind], [store, "mmio"], id);
  }
});

Deno.test("changes of capabilities, parcels and owners of pages are all that looks between turns see, and name their events", async () => {
  const plan = await demoPlan(), end = 1_000, last = new Past(assemble(plan), []), random = new Random(3);
  assert.ok(last.advance(end, Infinity));
  const [parcel] = idsOf(last.system, "mem.parcels"), caps = idsOf(last.system, "caps.ls").filter((id) => !id.startsWith("cap:rm/"));
  const page =
    last.system.inspector.answer({ table: "mem.map", args: {} }).rows.find((row) => JSON.stringify(row).includes("ipa:ping/"))!.id;
  for (const id of [parcel, caps[random.below(caps.length)], String(page)]) {
    const { machine, inspector } = assemble(plan), { read } = inspector.objectState(id), seen = [read()];
    while (inspector.instructions() < end) {
      const result = machine.run(Infinity, 1), now = read();
      if (now !== seen.at(-1)) seen.push(now);
      if (result.kind === "idle") machine.skipTo(result.next);
    }
    const { accesses, start } = resultOf(new AccessSearch(upTo(plan, end), { kind: "object", id }, 1000));
    const states = [String(start!.value), ...accesses.map(({ after }) => String(after))];
    for (const [index, { before, event }] of accesses.entries()) {
      assert.equal(before, states[index]);
      assert.ok(event!.name !== "", id);
    }
    let at = -1;
    for (const state of seen) assert.ok((at = states.indexOf(state, at + 1)) >= 0, `${id}: ${state} of ${states.join("; ")}`);
    assert.ok(seen.length > 1 && states.at(-1) === seen.at(-1), id);
  }
});

Deno.test("no object of this name, and an id that has no state, are named", async () => {
  const plan = await demoPlan(), system = assemble(plan);
  assert.throws(() => system.inspector.objectState("vcpu:ping/0"), QueryError);
  const { accesses, start } = resultOf(new AccessSearch(upTo(plan, 500), { kind: "object", id: "mq:9999" }, 1));
  assert.deepEqual([accesses, start?.value], [[], "does not exist"]);
});

Deno.test("objects change only in parts of a run in which they may by its calls and interrupts", async () => {
  const plan = await demoPlan(), last = new Past(assemble(plan), []), random = new Random(5), part = 2_000, end = 100 * part;
  assert.ok(last.advance(end, Infinity));
  const some = (table: Parameters<typeof idsOf>[1], count: number) => {
    const ids = idsOf(last.system, table);
    return Array.from({ length: count }, () => ids[random.below(ids.length)]);
  };
  const system = assemble(plan), { machine, inspector } = system;
  const objects = [...idsOf(last.system, "irq.ls"), ...some("queue.ls", 2), ...some("mem.parcels", 2), ...some("caps.ls", 10)].map((id) => {
    const { read } = inspector.objectState(id), { mayChange } = last.system.inspector.objectState(id);
    return { id, read, mayChange, last: read(), hasChanged: false };
  });
  let changed = 0, unchanged = 0;
  for (let to = part; to <= end; to += part) {
    while (inspector.instructions() < to) {
      const result = machine.run(Infinity, 1);
      if (result.kind === "idle") machine.skipTo(result.next);
      for (const one of objects) {
        const now = one.read();
        one.hasChanged ||= now !== one.last;
        one.last = now;
      }
    }
    const changes = system.changes();
    system.forgetChanges();
    for (const one of objects) {
      assert.ok(!one.hasChanged || one.mayChange(changes), `${one.id} before ${to}`);
      changed += Number(one.hasChanged);
      unchanged += Number(!one.mayChange(changes));
      one.hasChanged = false;
    }
  }
  assert.ok(changed > 100 && unchanged > 100, `${changed} changes, ${unchanged} times none`);
});
