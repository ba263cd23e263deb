// Programs that have to start at EL2, as hypervisors do: they read CurrentEL and stop.

import assert from "node:assert/strict";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { assembleGuest } from "./assembly-guest.ts";

const ASK = "mrs x0, CurrentEL\ncmp x0, #8\nb.eq 3f\n";
const OTHERWISE = "3: mov x7, #1\nb 3b";
/** Guests, and whether the level is why they stop. */
const GUESTS: readonly (readonly [what: string, source: string, isWhy: boolean])[] = [
  ["wait for an event", `${ASK}1: wfe\nb 1b\n${OTHERWISE}`, true],
  ["a branch to itself", `mov x5, #3\n${ASK}b 2f\nnop\n2: b 2b\n${OTHERWISE}`, true],
  ["a level that is found to be right", `${ASK}mov64 x1, 0x09000000\nmov w2, #65\nstr w2, [x1]\n1: wfe\nb 1b\n${OTHERWISE}`, false],
  ["a loop without the question", `1: wfe\nb 1b\n`, false],
  ["a question that is not on the way", `b 1f\n${ASK}mov64 x1, 0x09000000\nldr w2, [x1]\n1: b 1b\n${OTHERWISE}`, false],
];

Deno.test("a program that reads its exception level and stops is told so, in a VM and in a primary VM", () =>
  inFolder(async (folder) => {
    for (const [what, source, isWhy] of GUESTS) {
      for (const vm of ["x", "host"]) {
        await assembleGuest(folder, "x", source);
        const section = vm === "x" ? '[vm.x]\nmemory = "4MiB"' : '[host]\nkind = "image"\nmemory = "64MiB"';
        const system = await demoSystem(`el2 = 1\n${section}\nimage = "x.bin"\n`, undefined, folder);
        runUntil(system, 5e7);
        const [{ verdict, text, way_out, fact }] = rows(system, "diagnose", { filter: `id=vm:${vm}` });
        assert.deepEqual([verdict, fact.code], ["spins", "spins"], what);
        assert.equal(/read its exception level \(EL1\) at 0x[0-9a-f]+, and stopped/.test(text), isWhy, `${what}: ${text}`);
        assert.equal(/may need EL2/.test(way_out ?? ""), isWhy, what);
      }
    }
  }));
