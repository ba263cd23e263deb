import assert from "node:assert/strict";
import { type Choice, PaletteOverlay, suiting } from "../../../../../src/app/tui/app/overlays/palette.ts";
import { Screen } from "../../../../../src/app/tui/terminal/cells.ts";
import { lookFor } from "../../../../../src/app/tui/look/theme.ts";

Deno.test("Tab and Enter take the last choice when the marked one has gone", () => {
  const ran: string[] = [];
  const named = (text: string): Choice => ({ text, detail: "", run: () => ran.push(text) });
  let choices = ["one", "two", "three"].map(named);
  const palette = new PaletteOverlay({
    history: [],
    choices: () => choices,
    count: () => choices.length,
    unknown: (text) => ran.push(`unknown ${text}`),
  });
  const key = (name: string) => ({ name, bytes: new Uint8Array() });
  const newer = () => palette.key(key("Down"), { name: "text.newer", context: "text", keys: ["Down"], help: "" });
  const accept = () => palette.key(key("Enter"), { name: "text.accept", context: "text", keys: ["Enter"], help: "" });
  newer();
  newer();
  choices = choices.slice(0, 2);
  const screen = new Screen(80, 24, "none");
  palette.draw(screen, { x: 0, y: 0, width: 80, height: 24 }, lookFor({ ascii: true }, "none"));
  assert.match(screen.toLines().join("\n"), /> two/);
  choices = choices.slice(0, 1);
  assert.equal(palette.key(key("Tab"), undefined), true);
  assert.equal(accept(), false);
  assert.deepEqual(ran, ["one"]);
  choices = [];
  assert.equal(palette.key(key("Tab"), undefined), true);
});

Deno.test("letters in order are sought in the name of a command, and not in its arguments", () => {
  const offers = [
    { text: "vcpu vars <vcpu> [expression]", path: "vcpu vars", detail: "", run: () => {} },
    { text: "version", path: "version", detail: "", run: () => {} },
  ];
  assert.deepEqual(suiting("version", offers).map(({ text }) => text), ["version"]);
  assert.deepEqual(suiting("vcvars", offers).map(({ path }) => path), ["vcpu vars"]);
  assert.deepEqual(suiting("vcpu vars <vcpu>", offers).map(({ path }) => path), ["vcpu vars"]);
});
