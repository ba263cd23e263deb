import assert from "node:assert/strict";
import { chosenSession } from "../../../../src/app/cli/common/session.ts";

Deno.test("EL2_SESSION chooses a session, else the variable's old name does", () => {
  const names = ["EL2_SESSION", "EL2_SOCKET"], before = names.map((name) => Deno.env.get(name));
  const chosen = (...values: string[]) => {
    names.forEach((name, at) => Deno.env.set(name, values[at]));
    return chosenSession();
  };
  try {
    assert.deepEqual([chosen("a", "b"), chosen("", "b"), chosen("", "")], ["a", "b", undefined]);
  } finally {
    before.forEach((value, at) => value === undefined ? Deno.env.delete(names[at]) : Deno.env.set(names[at], value));
  }
});
