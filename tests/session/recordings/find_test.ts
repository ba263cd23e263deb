// Places of a run page by page, whatever states were kept, against one run from its start.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { eventsThat } from "../../../src/session/engine/sought-events.ts";
import { eventRow } from "../../../src/session/inspection/readers/objects/read-trace.ts";
import { kindsForFilter, parseEventFilter } from "../../../src/model/queries/filters/temporal-filter.ts";
import { EVENTS } from "../../../src/model/queries/tables.ts";
import { AccessSearch, type NumberedAccess } from "../../../src/session/recordings/past/accesses.ts";
import type { PastAccess, Watched } from "../../../src/session/recordings/looking/looking.ts";
import { Past } from "../../../src/session/recordings/past/past.ts";
import { machinesOf } from "../engine/session-in-thread.ts";
import { demoPlan, runTo } from "../snapshots/systems.ts";
import { resultOf } from "./searches.ts";

const LENGTH = 30_000;
/** Instructions in which changes of a register are searched, in single steps. */
const REACH = 8_000;

/** A run with states every 10,000 instructions, and its machine. */
async function keptRun() {
  const plan = await demoPlan(), system = assemble(plan), run = new SessionRun(system, machinesOf(plan), undefined);
  run.keepStates();
  for (let count = 10_000; count <= LENGTH; count += 10_000) {
    runTo(system, count);
    run.keepNow();
  }
  return { plan, system, upTo: run.upTo(system) };
}

/** All of a search in two pages, the last of which ends at the start; oldest first. */
function paged(upTo: ReturnType<SessionRun["upTo"]>, watched: Watched, count: number): NumberedAccess[] {
  assert.ok(count > 20, `${count}`);
  const page = Math.ceil(0.6 * count);
  let all: NumberedAccess[] = [];
  for (;;) {
    const { accesses, start } = resultOf(new AccessSearch(upTo, watched, page, { before: all[0] }));
    assert.ok(accesses.length === page || start);
    all = [...accesses, ...all];
    if (accesses.length < page) return all;
  }
}

Deno.test("pages of events and of values are those of one run from the start", async () => {
  const { plan, system, upTo } = await keptRun();
  const first = assemble(plan), whole = new Past(first, []);
  const filters = ["kind=hvc vm=host", "kind=hvc vm=host before kind=virq"];
  const found = filters.map((filter) => {
    const texts: string[] = [], matcher = parseEventFilter(filter, EVENTS).start();
    first.hypervisor.trace.listen(kindsForFilter(filter), (event) => void texts.push(...matcher.see(eventRow(event)).map(({ id }) => id)));
    return texts;
  });
  while (!whole.advance(upTo.moment, Infinity));
  for (const [index, filter] of filters.entries()) {
    const ids = paged(upTo, eventsThat(filter), found[index].length).map(({ event }) => event && eventRow(event).id);
    assert.deepEqual(ids.toSorted(), found[index].toSorted(), filter);
  }
  const register: Watched = { kind: "register", vcpu: "vcpu:ping/0", read: system.inspector.registerOf("vcpu:ping/0", "x0") };
  const { accesses: changes } = resultOf(new AccessSearch(upTo, register, Infinity, { reach: REACH })),
    values = new Map<unknown, PastAccess[]>();
  for (const one of changes) values.set(one.after, [...values.get(one.after) ?? [], one]);
  const [value, those] = [...values].toSorted(([, one], [, other]) => other.length - one.length)[0];
  assert.ok(those.length < changes.length, `${those.length} of ${changes.length}`);
  const at = (all: readonly PastAccess[]) => all.map((one) => one.at);
  assert.deepEqual(
    at(resultOf(new AccessSearch(upTo, register, Infinity, { reach: REACH, matches: ({ after }) => after === value })).accesses),
    at(those),
  );
});
