import assert from "node:assert/strict";
import { WatchedConsoles } from "../../../src/app/scenarios/watched.ts";
import { LinearRegex } from "../../../src/kit/support/text/linear-regex.ts";
import { cpuTime } from "../../support/cpu-time.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("an expectation is met by output after that of the one before it, also by what comes later", () => {
  const consoles = new WatchedConsoles(), login = new LinearRegex("^login: $", "m"), any = new LinearRegex("o+", "m");
  assert.equal(consoles.meet("a", login), false);
  consoles.add("a", bytes("boot\nlog"));
  for (let look = 0; look < 2; look++) assert.equal(consoles.meet("a", login), false);
  consoles.add("a", bytes("in: "));
  assert.equal(consoles.meet("a", login), true);
  assert.equal(consoles.meet("a", login), false);
  assert.equal(consoles.meet("a", any), false);
  consoles.add("a", bytes("foo oo"));
  assert.deepEqual([any, any, any].map((pattern) => consoles.meet("a", pattern)), [true, true, false]);
});

Deno.test("no output of a guest makes an expectation take long", () => {
  const consoles = new WatchedConsoles(), begun = cpuTime();
  consoles.add("a", bytes("a".repeat(100_000) + "!"));
  assert.equal(consoles.meet("a", new LinearRegex("^(\\w+\\s?)*$", "m")), false);
  const took = cpuTime() - begun;
  assert.ok(took < 1000, `${took} ms of CPU time`);
});
