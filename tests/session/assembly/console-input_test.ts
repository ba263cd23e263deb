// Input that is typed before the host has made its VM.

import assert from "node:assert/strict";
import { hint } from "../../../src/kit/support/text/hint.ts";
import { demoSystem, runUntil } from "../inspection/system.ts";

const SECOND = 1e9;

Deno.test("a VM that starts by itself takes input from the beginning, and has it when it runs", async () => {
  const system = await demoSystem();
  assert.equal(system.vms.lifeOf("hello"), undefined);
  assert.equal(system.consoles.closed("hello"), undefined);
  system.control.host!.push("hello", new TextEncoder().encode("x"));
  runUntil(system, SECOND / 2);
  assert.match(system.consoles.tail("hello"), /you typed 'x'/);
});

Deno.test("a VM that has to be started takes no input before, and says how to start it", async () => {
  const demo = await Deno.readTextFile("assets/demo.toml");
  const system = await demoSystem(
    demo.replace('image = "guests/hello.bin"', 'image = "guests/hello.bin"\nstart = "manual"'),
    undefined,
    "assets",
  );
  assert.deepEqual(system.consoles.closed("hello"), {
    what: "con:hello: the VM is not started",
    wayOut: ["start it with ", hint("vm start", "hello")],
  });
  assert.equal(system.consoles.closed("ping"), undefined);
});
