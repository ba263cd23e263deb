// Filters over time: they match what their definition says, on random lists of events.

import assert from "node:assert/strict";
import { wayOutText } from "../../../../src/kit/support/text/way-out.ts";
import { MACHINE_KINDS } from "../../../../src/machine/abi/trace.ts";
import { allOfEvents, isTemporal, kindsForFilter, parseEventFilter } from "../../../../src/model/queries/filters/temporal-filter.ts";
import { FilterError } from "../../../../src/model/queries/filters/filter.ts";
import { defineTable, type RowOf } from "../../../../src/model/queries/table.ts";
import { EVENTS } from "../../../../src/model/queries/tables.ts";
import { Random } from "../../../support/random.ts";

const THINGS = defineTable({
  name: "things",
  version: 1,
  command: "things",
  doc: "things",
  empty: "none",
  columns: { id: { kind: "id", doc: "number" }, t: { kind: "time", doc: "virtual time" }, kind: { kind: "text", doc: "letters" } },
});
type Thing = RowOf<typeof THINGS>;

/** Letters of a thing: it may be an A, a B, both or neither. */
const KINDS = ["a", "b", "ab", "c"];

function randomThings(random: Random): Thing[] {
  let t = 0;
  return Array.from({ length: random.below(30) }, (_, index) => {
    t += random.below(4);
    return { id: `thing:${index}`, t: String(t), kind: KINDS[random.below(KINDS.length)] };
  });
}

/** The things that match, by the definition: for each A, a look at all others. */
function reference(things: readonly Thing[], operator: string, which: string, within: number, end: number): Thing[] {
  const time = things.map(({ t }) => Number(t)), count = things.length;
  const isA = (i: number) => things[i].kind.includes("a"), isB = (i: number) => things[i].kind.includes("b");
  const some = (from: number, to: number, is: (i: number) => boolean) => {
    for (let i = from; i < to; i++) if (is(i)) return true;
    return false;
  };
  return things.filter((_, i) => {
    if (!isA(i)) return false;
    if (operator === "again") {
      for (let k = i - 1; k >= 0; k--) if (isA(k)) return time[i] - time[k] <= within;
      return false;
    }
    if (operator === "after") {
      for (let j = i - 1; j >= 0; j--) {
        if (isB(j)) return time[i] - time[j] <= within && !(which === "first" && some(j + 1, i, isA));
      }
      return false;
    }
    if (operator === "before") {
      const j = things.findIndex((_, at) => at > i && isB(at));
      if (j < 0 || time[j] - time[i] > within) return false;
      // A thing that is both ends what was before it, and is an A of what comes then.
      let start = i;
      while (start > 0 && !isB(start)) start--;
      return which === "all" || (which === "last" ? !some(i + 1, j, isA) : !some(start, i, isA));
    }
    return !some(i + 1, count, (j) => isB(j) && time[j] <= time[i] + within) && Math.max(end, ...time) > time[i] + within;
  });
}

function matched(text: string, things: readonly Thing[], end: number): Thing[] {
  const matcher = parseEventFilter(text, THINGS).start(), found = new Set<Thing>();
  for (const thing of things) for (const one of matcher.see(thing)) found.add(one);
  for (const one of matcher.reached(end)) found.add(one);
  return things.filter((thing) => found.has(thing));
}

Deno.test("filters over time match what their definition says, on random lists of events", () => {
  const random = new Random(17);
  const forms = [["after", "all"], ["after", "first"], ["before", "all"], ["before", "first"], ["before", "last"], ["without", "all"], [
    "again",
    "all",
  ]];
  let matches = 0;
  for (let round = 0; round < 4000; round++) {
    const things = randomThings(random), [operator, which] = forms[round % forms.length];
    const within = operator === "without" || random.below(2) ? random.below(8) : Infinity;
    const end = Number(things.at(-1)?.t ?? 0) + random.below(10);
    const limit = within === Infinity ? "" : ` within ${within}ns`;
    const text = `${which === "all" ? "" : `${which} `}kind~a ${operator}${operator === "again" ? "" : " kind~b"}${limit}`;
    const expected = reference(things, operator, which, within, end);
    assert.deepEqual(matched(text, things, end), expected, `${text} of ${things.map(({ t, kind }) => `${t}${kind}`).join(" ")}`);
    matches += expected.length;
  }
  assert.ok(matches > 5000, `${matches}`);
});

Deno.test("a match is told with the event that decides it", () => {
  const thing = (t: number, kind: string): Thing => ({ id: `thing:${t}`, t: String(t), kind });
  const told = (text: string, ...things: Thing[]) => {
    const matcher = parseEventFilter(text, THINGS).start();
    return things.map((one) => matcher.see(one).map(({ t }) => Number(t)));
  };
  assert.deepEqual(told("kind~a before kind~b", thing(1, "a"), thing(2, "a"), thing(3, "b"), thing(4, "b")), [[], [], [1, 2], []]);
  assert.deepEqual(told("kind~a without kind~b within 5ns", thing(1, "a"), thing(6, "c"), thing(7, "c")), [[], [], [1]]);
  assert.deepEqual(told("first kind~a after kind~b", thing(1, "b"), thing(2, "a"), thing(3, "a")), [[], [2], []]);
  assert.deepEqual(told("kind~a again", thing(1, "a"), thing(2, "b"), thing(9, "a")), [[], [], [9]]);
});

Deno.test("an operator between two filters is one; a word anywhere else, and in quotes, is a word", () => {
  for (const text of ["kind=hvc before kind=virq", "a|b after c", "x again", "x again within 5ms", "first a b after c"]) {
    assert.ok(isTemporal(text), text);
  }
  for (const text of ["before", "before hvc", 'kind=hvc "before" x', "again", "hvc again x", "text~after"]) {
    assert.ok(!isTemporal(text), text);
  }
  const words = parseEventFilter('"before" a', THINGS).start();
  assert.equal(words.see({ id: "thing:1", t: "1", kind: "a before" }).length, 1);
});

Deno.test("a wrong filter over time is refused at its place", () => {
  const cases: [string, number, RegExp][] = [
    ["kind=hvc before nosuch=1", 16, /no field "nosuch"/],
    ["kind=hvc without kind=virq", 26, /without needs a time/],
    ["kind=hvc before kind=virq within", 32, /within needs a time/],
    ["kind=hvc before kind=virq within 5", 33, /within needs a time/],
    ["kind=hvc before kind=virq within 5ms refused=yes", 37, /end of the filter/],
    ["kind=hvc before kind=virq after kind=msg", 26, /one of before, after/],
    ["last kind=hvc after kind=virq", 0, /last belongs to before/],
    ["kind=hvc before within 5ms", 16, /a filter is missing/],
  ];
  for (const [text, at, message] of cases) {
    assert.throws(() => parseEventFilter(text, EVENTS), (error) => {
      assert.ok(error instanceof FilterError, text);
      assert.match(error.message, message, text);
      assert.deepEqual([error.at, error.text], [at, text], text);
      return true;
    });
  }
});

Deno.test("an error in a part of a filter over time keeps its way out", () => {
  assert.throws(() => parseEventFilter("kind=hvc before nosuch=1", EVENTS), (error) => {
    assert.ok(error instanceof FilterError);
    assert.equal(error.problem.what, 'no field "nosuch"');
    assert.match(wayOutText(error.problem.wayOut) ?? "", /^use one of id, /);
    return true;
  });
});

Deno.test("a filter hears the one kind that it names, or else all of the machine and the kernels' that it mentions", () => {
  assert.deepEqual(kindsForFilter("name=read kind=syscall"), ["syscall"]);
  assert.deepEqual(kindsForFilter("!refused=yes kind=hvc"), ["hvc"]);
  for (const text of ["", '"x kind=hvc y"', "kind!=hvc", "!kind=hvc", "kind=hvc | x", "kind=hvc after kind=msg", "kind~hvc"]) {
    assert.deepEqual(kindsForFilter(text), MACHINE_KINDS, text);
  }
  assert.deepEqual(kindsForFilter("kind=hvc after kind=task"), [...MACHINE_KINDS, "task"]);
});

Deno.test("a filter over time is narrowed on both sides", () => {
  assert.equal(
    allOfEvents(["vm=ping", undefined, "first a | b after c within 5ms"]),
    "first vm=ping a | vm=ping b after vm=ping c within 5000000ns",
  );
  assert.equal(allOfEvents(["vm=ping", "a again"]), "vm=ping a again");
  assert.equal(allOfEvents(["vm=ping", "a"]), "vm=ping a");
});
