// Pages that nobody has written to: they are left out of snapshots and hashes unread, so they had
// better be zero.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { type SessionPlan, TIERS } from "../../../src/model/plans/plan.ts";
import { filledPages, isZeroPage, ramRanges } from "../../../src/session/state/pages.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { NO_SELF_TESTS } from "../../guests/command-line.ts";
import { bootPlan, demoPlan, runTo } from "../snapshots/systems.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { LONG } from "../../support/long.ts";

/** Every page that is not zero, found by looking at all; how many could have been left out. */
function look({ machine }: System): { readonly filled: number[]; readonly unwritten: number } {
  const filled: number[] = [];
  let unwritten = 0;
  for (const [first, end] of ramRanges(machine)) {
    for (let page = first; page < end; page++) {
      const address = page * PAGE_SIZE;
      if (!machine.ram.mayBeWritten(address)) unwritten++;
      if (!isZeroPage(machine.ram.bytes(address, PAGE_SIZE))) filled.push(page);
    }
  }
  return { filled, unwritten };
}

function check(system: System, atLeast: number): void {
  const { filled, unwritten } = look(system);
  assert.deepEqual([...filledPages(system.machine)].map(([page]) => page), filled);
  assert.ok(unwritten > atLeast, `${unwritten} pages need not be looked at`);
}

/** Debian with 256 MiB. */
async function debian(): Promise<SessionPlan["what"]> {
  const { folder } = await catalogEntry("debian");
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  return { kind: "boot", image, initrd, dtb: undefined, append: `console=ttyAMA0 ${NO_SELF_TESTS}` };
}

for (const tier of TIERS) {
  Deno.test(`what no page of RAM was written with is zero: the demo and the start of Debian, --tier ${tier}`, async () => {
    const demo = assemble(await demoPlan({ tier }));
    runTo(demo, 2_000_000);
    check(demo, 10_000);
    // Both tiers, and how the one follows the other.
    if (tier !== "auto" && !LONG) return;
    const guest = assemble(await bootPlan({ tier, memory: 256 << 20, what: await debian() }));
    runTo(guest, tier === "interp" || !LONG ? 60_000_000 : 200_000_000);
    check(guest, 30_000);
  });
}

Deno.test("a machine from a snapshot knows what was written", async () => {
  const plan = await demoPlan();
  const system = assemble(plan);
  runTo(system, 1_000_000);
  const again = loaded(plan, system.save());
  check(again, 10_000);
  runTo(again, 3_000_000);
  runTo(system, 3_000_000);
  check(again, 10_000);
  assert.equal(again.hashes.memory(), system.hashes.memory());
});

Deno.test("a page may begin at any byte of a file", () => {
  const bytes = new Uint8Array(3 * PAGE_SIZE);
  for (const start of [0, 1, 2, 3, PAGE_SIZE + 5]) {
    const page = bytes.subarray(start, start + PAGE_SIZE);
    assert.ok(isZeroPage(page), `${start}`);
    for (const place of [0, 1, PAGE_SIZE - 1]) {
      page[place] = 1;
      assert.ok(!isZeroPage(page), `${start}, ${place}`);
      page[place] = 0;
    }
  }
});
