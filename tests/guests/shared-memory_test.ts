// `[link]` of kind shm on the whole stack: VMs that see the same memory, each with its own rights.

import assert from "node:assert/strict";
import { Guests } from "./guest.ts";

const ASSETS = new URL("../../assets/guests", import.meta.url).pathname;
/** Seconds of virtual time. */
const WAIT = 1;

const vm = (name: string, keys = "") => `[vm.${name}]\nimage = "blackboard.bin"\nmemory = "4MiB"\n${keys}`;

Deno.test("VMs see what one of them writes into their shared memory; one that may only read it faults on a store", async () => {
  const link = '[link]\nboard = { kind = "shm", label = 7, size = "8KiB", access = { a = "rw", b = "rw", c = "r" } }\n';
  const guests = await Guests.configured(`el2 = 1\n[machine]\ncheck = true\n${vm("a")}${vm("b")}${vm("c")}${link}`, ASSETS);
  const [a, b, c] = ["a", "b", "c"].map((name) => guests.console(name));
  const say = async (console: typeof a, line: string, answer: RegExp) => {
    console.type(line);
    await console.expect(answer, WAIT);
  };
  for (const console of [a, b, c]) {
    await console.expect(/^blackboard of 8 KiB, label 7$/m, WAIT);
    await say(console, "r", /^empty$/m);
  }
  await say(a, "w hello from a", /^written$/m);
  for (const console of [a, b, c]) await say(console, "r", /^hello from a$/m);
  await say(b, "w and from b", /^written$/m);
  for (const console of [a, c]) await say(console, "r", /^and from b$/m);

  c.type("w no");
  await c.expect(/^unexpected exception \d+: ESR 0x9/m, WAIT);
  await say(a, "r", /^and from b$/m);
  for (const console of [a, b]) await say(console, "o", /^bye$/m);
  assert.equal(await guests.end(WAIT), "crashed: c (system-reset)");
});

Deno.test("a VM that starts again finds the memory as the others have left it", async () => {
  const link = '[link]\nboard = { kind = "shm", label = 1, size = "4KiB", access = { a = "rw" } }\n';
  const guests = await Guests.configured(`el2 = 1\n[machine]\ncheck = true\n${vm("a", 'on_exit = "restart"\n')}${link}`, ASSETS);
  const a = guests.console("a");
  await a.expect(/^blackboard of 4 KiB/m, WAIT);
  a.type("w kept\no");
  await a.expect(/^written\nbye$/m, WAIT);
  await a.expect(/^blackboard of 4 KiB/m, WAIT);
  a.type("r");
  await a.expect(/^kept$/m, WAIT);
});
