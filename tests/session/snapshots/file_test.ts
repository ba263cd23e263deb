// Snapshot files: what is written is read, and what was changed is refused (docs/snapshots.md).

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { diffSnapshots } from "../../../src/session/snapshots/diff.ts";
import { readSnapshot, readSnapshotHeader, type Snapshot, SnapshotError, writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotPlan } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { verifySnapshot } from "../../../src/session/snapshots/verify.ts";
import { Random } from "../../support/random.ts";
import { contentOf, FIELDS, fileOf, holding, sectionsOf } from "./sections.ts";
import { SAVED_MACHINES } from "./furnished.ts";
import { bootPlan, demoPlan, runTo } from "./systems.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { LONG } from "../../support/long.ts";

function write(path: string, snapshot: Snapshot, packed?: boolean): void {
  for (const _done of writeSnapshot(path, snapshot, packed));
}

function snapshotAt(plan: SessionPlan, instructions: number): Snapshot {
  const system = assemble(plan);
  runTo(system, instructions);
  return snapshotOf(system, plan, "demo");
}

const demoSnapshot = async () => snapshotAt(await demoPlan(), 300_000);

/** Why a file is refused, or undefined if it is accepted. */
async function refusal(path: string): Promise<string | undefined> {
  try {
    const snapshot = readSnapshot(path);
    return verifySnapshot(await snapshotPlan(path, snapshot), snapshot);
  } catch (error) {
    if (error instanceof SnapshotError) return error.message;
    throw error;
  }
}

Deno.test("what is written is read again, packed or not, and two files of one state are the same bytes", () =>
  inFolder(async (folder) => {
    const snapshot = await demoSnapshot();
    const [a, b, c] = ["a", "b", "c"].map((name) => `${folder}/${name}`);
    write(a, snapshot);
    write(b, snapshot, false);
    const read = readSnapshot(a);
    assert.deepEqual(readSnapshotHeader(b), snapshot.header);
    assert.deepEqual(read.header, snapshot.header);
    assert.deepEqual(read.saved, snapshot.saved);
    assert.deepEqual(read.state.fields, snapshot.state.fields);
    const numbers = ({ pages }: typeof read.state) => [...pages].map(([page]) => page);
    assert.deepEqual(numbers(read.state), numbers(snapshot.state));
    write(c, { ...read, saved: snapshot.saved });
    assert.deepEqual(Deno.readFileSync(c), Deno.readFileSync(a));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["a", "b", "c"]);
  }));

Deno.test("a file that is given up leaves nothing, and what was there stays", () =>
  inFolder(async (folder) => {
    const plan = await bootPlan();
    const path = `${folder}/x`;
    await Deno.writeTextFile(path, "before");
    const steps = writeSnapshot(path, snapshotOf(assemble(plan), plan, "x"));
    steps.next();
    steps.return(undefined);
    assert.equal(await Deno.readTextFile(path), "before");
    assert.equal([...Deno.readDirSync(folder)].length, 1);
    assert.throws(() => writeSnapshot(`${folder}/none/x`, snapshotOf(assemble(plan), plan, "x")).next(), Deno.errors.NotFound);
  }));

Deno.test("a file that is cut off, of another form or none is refused by place and rule", () =>
  inFolder(async (folder) => {
    const path = `${folder}/x`;
    write(path, await demoSnapshot());
    const whole = await Deno.readFile(path);
    const refused = async (bytes: Uint8Array, rule: RegExp) => {
      await Deno.writeFile(path, bytes);
      assert.match(await refusal(path) ?? "", rule);
    };
    await refused(new Uint8Array(0), /at byte 0: not an el2 snapshot/);
    for (const length of [8, 30, 300, whole.length - 1]) await refused(whole.subarray(0, length), /at byte \d+: the file is truncated/);
    await refused(Buffer.concat([whole, Uint8Array.of(0)]), /data after the end/);
    const [header, ...rest] = sectionsOf(whole);
    const other = new TextDecoder().decode(contentOf(header)).replace(/"schema":"[^"]*"/, '"schema":"el2.snapshot/1"');
    await refused(fileOf([holding(header, new TextEncoder().encode(other), false), ...rest]), /in the form el2\.snapshot\/1/);
    // Every section's own checksum is right, and that of the whole file is the one of before.
    const title = new TextDecoder().decode(contentOf(header)).replace(/"title":"[^"]*"/, '"title":"other"');
    const changed = [holding(header, new TextEncoder().encode(title), false), ...rest];
    await refused(fileOf(changed, true), /at byte \d+: the checksum of the file is wrong; it was changed/);
    await Deno.writeFile(path, fileOf(changed));
    assert.equal(await refusal(path), undefined);
  }));

for (const [what, machine] of Object.entries(SAVED_MACHINES)) {
  Deno.test(`damaged files of ${what}, half of them with correct checksums, are refused, or hold what they say`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/x`;
      const plan = await machine.plan();
      write(path, snapshotOf(machine.system(plan), plan, "demo"));
      const whole = await Deno.readFile(path), sections = sectionsOf(whole);
      assert.equal(await refusal(path), undefined);
      const original = readSnapshot(path);
      const random = new Random(11);
      let refused = 0, taken = 0;
      for (let round = 0; round < (LONG ? 10_000 : 50); round++) {
        const fixed = round % (LONG ? 2 : 5) === 0;
        if (fixed) {
          // In the fields: pages are anything, and the plan is the person's.
          const changed = sections.map((section) =>
            section.kind === FIELDS ? holding(section, mutated(contentOf(section), random), true) : section
          );
          await Deno.writeFile(path, fileOf(changed));
        } else await Deno.writeFile(path, mutated(whole, random));
        const rule = await refusal(path);
        if (rule !== undefined) refused++;
        else {
          assert.ok(fixed, `round ${round}: a change that no checksum tells is taken`);
          taken++;
          const { equal } = diffSnapshots({ path, plan, snapshot: readSnapshot(path) }, { path, plan, snapshot: original }, 1);
          assert.ok(!equal, `round ${round}: diff does not see what was changed`);
        }
      }
      // A register may hold anything: such a state is another one, and whole.
      assert.ok(refused > taken, `${refused} refused, ${taken} taken`);
    }));
}

/** A copy with a byte or a few changed, a run of bytes moved, or an end cut off. */
function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  const place = () => random.below(copy.length);
  switch (random.below(5)) {
    case 0:
      copy[place()] ^= 1 << random.below(8);
      return copy;
    case 1:
      copy.set(random.bytes(8), Math.min(place() & ~7, copy.length - 8));
      break;
    case 2:
      copy.copyWithin(place(), place(), place() + 64);
      break;
    case 3: {
      const at = place() & ~7;
      copy.fill(0xff, at, Math.min(at + 8, copy.length));
      break;
    }
    default:
      return copy.subarray(0, place());
  }
  return differs(copy, bytes) ? copy : copy.subarray(1);
}

const differs = (a: Uint8Array, b: Uint8Array) => a.some((byte, index) => byte !== b[index]);
