// The run of a session whose guests write to a disk, repeated elsewhere: with an image of what they
// have read, as it was at the start.

import assert from "node:assert/strict";
import { plannedRecording } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { beginAgain } from "../../../src/session/recordings/runs/replay.ts";
import { createQcow2, Qcow2Disk } from "../../../src/kit/formats/qcow2-disk.ts";
import { imageBytes } from "../../../src/kit/formats/image-bytes.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { inCache } from "../../support/temporary-folder.ts";
import { problemText } from "../../../src/kit/support/problem.ts";
import { Session } from "../engine/session-in-thread.ts";
import { writerPlan } from "./disk-writer.ts";

/** A session that has written its disk, paused, and what it answers to the wish for a recording. */
async function recorded(disk: Parameters<typeof writerPlan>[0], file: string, images: boolean) {
  const session = new Session(await writerPlan(disk));
  await session.runOn(500_000);
  session.engine.pause(true);
  await session.event("paused");
  session.engine.saveRecording(3, file, images);
  const { error } = await session.event("acted");
  return { session, error: error && problemText(error) };
}

Deno.test("a recording with an image of the disk's start leads another machine to the same state", () =>
  inCache(async (folder) => {
    const image = `${folder}/disk.qcow2`, file = `${folder}/run.rec`;
    {
      using disk = Deno.openSync(image, { read: true, write: true, create: true });
      createQcow2(imageBytes(disk), MiB);
      new Qcow2Disk(imageBytes(disk), false).write(0, new Uint8Array(MiB / 2).fill(7));
    }
    const { session, error } = await recorded(image, file, true), hashes = session.hashes;
    assert.equal(error, undefined);
    // The session runs on: the image is that of its start.
    await session.move({ kind: "now" });
    const content = Deno.readFileSync(image), past = beginAgain(await plannedRecording(file), false);
    while (!past.advance(Infinity, Infinity));
    assert.equal(`${past.system.instructions()} ${past.system.hashes.registers()} ${past.system.hashes.memory()}`, hashes);
    past.system.outside.close();
    assert.deepEqual(Deno.readFileSync(image), content);
    session.engine.stop();
  }));

Deno.test("a recording has images of the partitions that guests write, and leads another machine to the same state", () =>
  inCache(async (folder) => {
    const file = `${folder}/run.rec`, [a, b, c] = ["a.qcow2", "b.img", "c.qcow2"].map((name) => `${folder}/${name}`);
    Deno.writeFileSync(b, new Uint8Array(MiB / 4).fill(7));
    for (const image of [a, c]) {
      using disk = Deno.openSync(image, { read: true, write: true, create: true });
      createQcow2(imageBytes(disk), MiB / 4);
    }
    const disk = [
      { label: "a", image: a, mode: "rw" } as const,
      { label: "b", image: b, mode: "ro" } as const,
      { label: "c", image: c, mode: "rw" } as const,
    ];
    const { session, error } = await recorded(disk, file, true), hashes = session.hashes;
    assert.equal(error, undefined);
    assert.deepEqual([0, 1, 2].map((number) => [...Deno.readDirSync(folder)].some(({ name }) => name === `run.rec.${number}.qcow2`)), [
      true,
      true,
      false,
    ]);
    const past = beginAgain(await plannedRecording(file), false);
    while (!past.advance(Infinity, Infinity));
    assert.equal(`${past.system.instructions()} ${past.system.hashes.registers()} ${past.system.hashes.memory()}`, hashes);
    past.system.outside.close();
    session.engine.stop();
  }));

Deno.test("without an image, a recording of it is refused; with one, if the guest has read what it had discarded", () =>
  inCache(async (folder) => {
    const image = `${folder}/disk.img`, file = `${folder}/run.rec`;
    for (const images of [false, true]) {
      Deno.writeFileSync(image, new Uint8Array(MiB).fill(7));
      const { session, error } = await recorded(image, file, images);
      assert.equal(
        error,
        images
          ? `the guest has read bytes of disk ${image} that it had discarded; use mode "overlay"`
          : `disk ${image} is writable, and would differ at the replay`,
      );
      assert.equal([...Deno.readDirSync(folder)].some(({ name }) => name.startsWith("run.rec")), false);
      session.engine.stop();
    }
  }));
