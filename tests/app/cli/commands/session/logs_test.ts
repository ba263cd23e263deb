import assert from "node:assert/strict";
import { el2Command } from "../../../../support/el2.ts";
import { Place } from "../../place.ts";
import { PATIENCE } from "../../../../support/patience.ts";

Deno.test("logs prints the consoles of all VMs with names, of chosen VMs, and their last lines", async () => {
  await using place = new Place();
  await place.up("one");
  for (const limit = Date.now() + PATIENCE;;) {
    const { stdout, stderr } = await place.el2("logs");
    assert.equal(stderr, "");
    const names = new Set(stdout.trimEnd().split("\n").map((line) => line.split(/ +/)[1]));
    // A guest may be in the middle of its first line.
    if (["hello", "ping", "pong"].every((name) => names.has(name)) && /^- +hello hello from EL1$/m.test(stdout)) break;
    assert.ok(Date.now() < limit, stdout);
  }
  const last = await place.el2("logs", "vm:ping", "pong", "--tail", "1");
  assert.deepEqual(last.stdout.trimEnd().split("\n").map((line) => line.split(/ +/)[1]).sort(), ["ping", "pong"]);
  const none = await place.el2("logs", "pink");
  assert.deepEqual([none.code, /no VM called "pink"; did you mean "ping"/.test(none.stderr)], [1, true]);
});

Deno.test("logs -f continues with new lines, each with the time at which it came", async () => {
  await using place = new Place();
  await place.up("one");
  const [program, ...args] = el2Command("logs", "-f", "hello", "--tail", "0");
  const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" };
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("\n")) break;
  }
  child.kill("SIGKILL");
  await child.status;
  assert.match(text, /^\d\d:\d\d:\d\d\.\d{3} hello .+\n/);
});
