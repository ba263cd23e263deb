import assert from "node:assert/strict";
import { Messages } from "../../../../../src/app/tui/app/frame/messages.ts";
import { checkFilter } from "../../../../../src/model/queries/filters/temporal-filter.ts";
import { FilterError } from "../../../../../src/model/queries/filters/filter.ts";
import { EVENTS } from "../../../../../src/model/queries/tables.ts";
import { problemText } from "../../../../../src/kit/support/problem.ts";

Deno.test("a problem of several lines is one line of the message row, without the mark below a character", () => {
  const messages = new Messages(() => 0, () => {});
  try {
    checkFilter("t<soon", EVENTS);
    assert.fail("the filter is wrong");
  } catch (error) {
    assert.ok(error instanceof FilterError);
    const text = problemText(error.marked);
    assert.ok(text.includes("\n"));
    for (const kind of ["refused", "text"] as const) {
      messages.say(text, kind);
      assert.equal(messages.current?.text, 't has no order for "soon"  t<soon', kind);
    }
  }
});
