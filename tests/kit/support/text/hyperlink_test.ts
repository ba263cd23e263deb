import assert from "node:assert/strict";
import { beginLink, LINK_END, linkTarget, showsHyperlinks } from "../../../../src/kit/support/text/hyperlink.ts";

const within = (variables: Record<string, string | undefined>) => showsHyperlinks((name) => variables[name]);

Deno.test("terminals that are known to show hyperlinks get them, others and those without color do not", () => {
  for (
    const known of [{ TERM: "xterm-kitty" }, { VTE_VERSION: "7600" }, { TERM_PROGRAM: "WezTerm" }, { TMUX: "/tmp/tmux-0/default,1,0" }]
  ) {
    assert.ok(within({ TERM: "xterm-256color", ...known }), JSON.stringify(known));
    assert.ok(!within({ ...known, NO_COLOR: "1" }), JSON.stringify(known));
    assert.ok(!within({ ...known, FORCE_HYPERLINK: "0" }), JSON.stringify(known));
  }
  for (const other of [{}, { TERM: "xterm-256color" }, { TERM: "linux" }, { TERM: "dumb", TMUX: "1" }, { VTE_VERSION: "4800" }]) {
    assert.ok(!within(other), JSON.stringify(other));
  }
  assert.ok(within({ FORCE_HYPERLINK: "1" }));
});

Deno.test("the target of a hyperlink cannot end it, nor begin another sequence", () => {
  assert.equal(linkTarget("file:///a/b.md#44-cspace"), "file:///a/b.md#44-cspace");
  assert.equal(linkTarget("file:///a b\x1b\\\x07\x9c\u202eé\ud800"), "file:///a%20b%1B\\%07%C2%9C%E2%80%AE%C3%A9%EF%BF%BD");
  assert.equal(`${beginLink("x:y")}text${LINK_END}`, "\x1b]8;;x:y\x1b\\text\x1b]8;;\x1b\\");
});
