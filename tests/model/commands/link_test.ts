// Links to places of recorded runs: what they say, and what is wrong in them.

import assert from "node:assert/strict";
import { ArgumentError } from "../../../src/model/commands/argument.ts";
import { type LinkPlace, linkText, readLink } from "../../../src/model/commands/link.ts";
import { problemText } from "../../../src/kit/support/problem.ts";

const FILES = ["bug.rec", "a#b.rec", "odd.rec#to=1"];
const read = (typed: string) => readLink(typed, (path) => FILES.includes(path));

Deno.test("a link has the values of a command line, and its text gives them again", () => {
  const places: LinkPlace[] = [
    {},
    { to: { kind: "instructions", count: 120_000 } },
    { to: { kind: "instructions", count: 120_000, order: 2 } },
    { to: { kind: "time", at: 12e6 } },
    { to: { kind: "mark", name: "before-the-reset" } },
    { to: { kind: "time", at: 1 }, screen: "rpc", select: "rpc:46", filter: 'refused=yes "a & b" | msg~^VM_.*% #=' },
    { filter: "name=Größe" },
  ];
  for (const place of places) {
    for (const path of ["bug.rec", "a#b.rec"]) {
      const { path: file, place: found } = read(linkText(path, place)),
        given = Object.entries(found).filter(([, value]) => value !== undefined);
      assert.deepEqual([file, Object.fromEntries(given)], [path, place]);
    }
  }
  assert.equal(linkText("bug.rec", places[5]).split("&").length, 4);
  assert.deepEqual(read("bug.rec#"), {
    path: "bug.rec",
    place: { to: undefined, screen: undefined, select: undefined, filter: undefined },
  });
});

Deno.test("a file whose name has # is that file, and a name that is no file stays whole", () => {
  for (const name of ["a#b.rec", "odd.rec#to=1", "none.rec#to=1", "#to=1", "none"]) assert.deepEqual(read(name), { path: name, place: {} });
  assert.equal(read("odd.rec#to=1#screen=rpc").path, "odd.rec#to=1");
});

Deno.test("a wrong place is refused in the words of the command line", () => {
  const wrong: readonly [string, string][] = [
    ["to=5x!", '"5x!" is not a place of the run; use for example 120000, 12ms, or the name of a mark'],
    ["screen=rpcs", '"rpcs" is not one of over, vcpu, irq, mem, caps, queue, rpc, sched, event, why, linux'],
    ["select=ping", '"ping" is not an id; use for example vm:ping; el2 vm ls prints ids of VMs'],
    ["filter=a%7C%7Cb", "| belongs between two terms\n  a||b\n     ^"],
    ["filter=%zz", '"%zz" has a wrong percent sign; write % as %25'],
    ["to", '"to" is not NAME=VALUE; use for example bug.rec#to=12ms'],
    ["to=1&", '"" is not NAME=VALUE; use for example bug.rec#to=12ms'],
    ["to=1&to=2", '"to" takes one value, and 2 were given'],
  ];
  for (const [fragment, message] of wrong) {
    const { problem } = refused(`bug.rec#${fragment}`);
    assert.equal(problemText(problem), `bug.rec#${fragment}: ${message}`);
  }
  const other = problemText(refused("bug.rec#sreen=rpc").problem);
  assert.equal(other, 'bug.rec#sreen=rpc has no argument "sreen"; did you mean "screen"? Its arguments are to, screen, select, filter');
  for (const name of ["__proto__", "constructor", "toString"]) assert.match(refused(`bug.rec#${name}=1`).message, /has no argument/);
  assert.match(refused(`bug.rec#filter=${"a".repeat(5000)}`).message, /^bug\.rec#…: 5007 characters are too many; at most 4096/);
});

function refused(typed: string): ArgumentError {
  try {
    read(typed);
  } catch (error) {
    if (error instanceof ArgumentError) return error;
    throw error;
  }
  return assert.fail(`${typed} is taken`);
}
