import assert from "node:assert/strict";
import * as v from "valibot";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { PreparedStates } from "../../../src/session/snapshots/prepared.ts";
import { SnapshotError } from "../../../src/session/snapshots/file.ts";
import { foundPrompt, readPrompt } from "../../../src/session/snapshots/prompt-file.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { printingImage } from "../../support/printing-image.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";

function planOf(text: string, seed = 1): SessionPlan {
  const what = { kind: "boot", image: printingImage(text), initrd: undefined, dtb: undefined, append: undefined } as const;
  return { cpus: 1, memory: 64 * MiB, seed, turbo: true, what };
}

/** The text that a machine shows up to its end, and its digest there. */
function finish(system: GuestSystem): { text: string; memory: string; registers: string } {
  while (!system.ended()) system.machine.run(Infinity);
  return { text: shownBy(system), memory: system.hashes.memory(), registers: system.hashes.registers() };
}

function shownBy(system: GuestSystem): string {
  return system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
}

Deno.test("machines of a plan begin with the state that the first has left, each with the same rest of the run", async () => {
  const states = new PreparedStates(), plan = planOf(`${"a".repeat(3000)}# ${"b".repeat(3000)}`), key = await states.keyOf(plan);
  assert.equal(states.begin(key, plan), undefined, "nobody was there");
  const first = assemble(plan);
  let before = "";
  while (!before.includes("#")) {
    first.machine.run(Infinity, 1);
    before += shownBy(first);
  }
  assert.ok(!first.ended());
  const shown = [{ console: "host", bytes: new TextEncoder().encode(before) }];
  assert.equal(states.keep(key, first, plan, shown), undefined);
  const end = finish(first);
  assert.equal(before + end.text, `${"a".repeat(3000)}# ${"b".repeat(3000)}`);
  states.leave(key, first);
  for (let count = 0; count < 3; count++) {
    const begun = states.begin(key, plan);
    assert.ok(begun);
    assert.deepEqual(begun.shown, shown);
    assert.deepEqual(finish(begun.system), end);
    states.leave(key, begun.system);
  }
  await inFolder((folder) => {
    const path = `${folder}/a.prompt`, made = { late: [1, 2], clock: undefined }, later = new PreparedStates();
    states.write(key, path, made);
    const found = foundPrompt(path, v.looseObject({ late: v.array(v.number()) }));
    assert.deepEqual(found?.made, made);
    assert.equal(foundPrompt(path, v.strictObject({ early: v.number() })), undefined, "the data of another version of its maker");
    const { bytes } = found;
    later.read(key, path, bytes);
    const begun = later.begin(key, plan);
    assert.deepEqual([begun?.shown, begun && finish(begun.system)], [shown, end], "the same in a later process");
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 50)) {
      const damaged = bytes.slice();
      damaged[at] ^= 1;
      assert.throws(() => readPrompt(path, damaged).snapshot(), SnapshotError, `byte ${at}`);
      assert.throws(() => readPrompt(path, bytes.slice(0, at)).snapshot(), SnapshotError, `${at} bytes`);
    }
  });
});

Deno.test("a state belongs to what its machine was made of: another image, seed, fault or size has another", async () => {
  const states = new PreparedStates(), plan = planOf("x");
  const others = [plan, planOf("y"), planOf("x", 2), { ...plan, memory: 128 * MiB }, { ...plan, inject: ["virq vm=host nth=1 -> lose"] }];
  const keys = await Promise.all(others.map((other) => states.keyOf(other)));
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(await states.keyOf(planOf("x")), keys[0]);
});
