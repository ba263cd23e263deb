// `el2 reference phone`, and --phone.

import assert from "node:assert/strict";
import { phoneAsText } from "../../../../../src/app/cli/commands/reference/phone.ts";
import { el2 } from "../../program.ts";

const HELLO = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;

Deno.test("el2 reference phone prints a profile as a table, and as JSON", async () => {
  const text = await el2("reference", "phone", "sm8650");
  assert.deepEqual([text.code, text.stdout], [0, `${phoneAsText("sm8650")}\n`]);
  assert.match(text.stdout, /^rm\.reserved-memory +must-match +R +DV +rm\.reserved_memory/m);
  const { stdout } = await el2("reference", "phone", "sm8650", "--json");
  assert.equal(JSON.parse(stdout).schema, "el2.phone/1");
  const unknown = await el2("reference", "phone", "sm1");
  assert.equal(unknown.code, 2);
});

Deno.test("el2 run --phone has the phone's limit of locked memory, and its rules have no effect without it", async () => {
  const refused = await el2("run", HELLO, "--phone", "sm8650", "--headless", "--turbo");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /ENOMEM/);
  assert.match(refused.stderr, /RLIMIT_MEMLOCK/);
  assert.match(refused.stderr, /limit_bytes=65536/);
  const plain = await el2("run", HELLO, "--phone", "sm8650", "--set", "host.memlock=unlimited", "--headless", "--turbo", "--for", "100ms");
  assert.equal(plain.code, 0, plain.stderr);
  assert.match(plain.stdout, /hello/i);
});
