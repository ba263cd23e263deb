// Disks that several images make: what is where, what is written and saved, and what is refused.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { partitionedDisk } from "../../../../src/machine/virtio/block/partitioned-disk.ts";
import { openDisk } from "../../../../src/session/outside/disk-file.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import { OverlayBacking } from "../../../../src/machine/virtio/block/backing.ts";
import type { DiskPartition, SectorSize } from "../../../../src/machine/virtio/plan.ts";
import { problemText, UserError } from "../../../../src/kit/support/problem.ts";
import { KiB } from "../../../../src/kit/support/values/sizes.ts";
import { hashesOf, runTo } from "../../../session/snapshots/systems.ts";
import { partitionsIn } from "../../../support/partx.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { writerPlan } from "../../../session/outside/disk-writer.ts";

/** Images of so many bytes, filled with their numbers from 1 on. */
function images(folder: string, sizes: readonly number[]): string[] {
  return sizes.map((size, index) => {
    const path = `${folder}/${index + 1}.img`;
    Deno.writeFileSync(path, new Uint8Array(size).fill(index + 1));
    return path;
  });
}

function diskOf(partitions: readonly DiskPartition[], sector: SectorSize = 512) {
  const opened: ReturnType<typeof openDisk>[] = [], dispose = () => opened.forEach((one) => one.close());
  const open = ({ image, mode }: DiskPartition) => {
    opened.push(openDisk(image, mode !== "rw"));
    return opened[opened.length - 1];
  };
  try {
    return { disk: partitionedDisk(partitions, open, { sector, slot: 3 }), [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The bytes of a disk as stretches: the byte, and where it begins. */
function stretches(bytes: Uint8Array, from: number): string[] {
  const found: string[] = [];
  for (let at = from; at < bytes.length; at++) if (at === from || bytes[at] !== bytes[at - 1]) found.push(`${bytes[at]} at ${at}`);
  return found;
}

Deno.test("partitions lie where crosvm puts them, and util-linux finds them", () =>
  inFolder(async (folder) => {
    const [a, b, c] = images(folder, [5000, 8192, 512]);
    for (const [sector, first] of [[512, 20_480], [4096, 24_576]] as const) {
      using made = diskOf([
        { label: "a", image: a, mode: "ro" },
        { label: "b", image: b, mode: "rw", guid: "deadbeef-0102-0304-0506-0708090a0b0c" },
        { label: "c", image: c, mode: "ro" },
      ], sector);
      const bytes = new Uint8Array(made.disk.size);
      assert.equal(bytes.length, 64 * KiB);
      made.disk.read(0, bytes);
      const places = stretches(bytes, first).slice(0, 5);
      assert.deepEqual(places, [
        `1 at ${first}`,
        `0 at ${first + 5000}`,
        `2 at ${first + 8192}`,
        `3 at ${first + 16_384}`,
        `0 at ${first + 16_896}`,
      ]);
      await Deno.writeFile(`${folder}/disk`, bytes);
      assert.deepEqual(await partitionsIn(`${folder}/disk`, sector, "NR,START,SIZE,UUID,NAME"), [
        `1 ${first / 512} 8192 656c3200-0003-8000-8000-000000000001 a`,
        `2 ${first / 512 + 16} 8192 deadbeef-0102-0304-0506-0708090a0b0c b`,
        `3 ${first / 512 + 32} 4096 656c3200-0003-8000-8000-000000000003 c`,
      ]);
    }
  }));

Deno.test("what is written to a partition is in its image alone; the table and others are read-only", () =>
  inFolder((folder) => {
    const [a, b] = images(folder, [4096, 8192]);
    {
      using made = diskOf([{ label: "a", image: a, mode: "ro" }, { label: "b", image: b, mode: "rw" }]);
      made.disk.write(24_576 + 100, new Uint8Array(50).fill(9));
      made.disk.flush();
      for (const [at, says] of [[0, /the partition table/], [512, /the partition table/], [20_480, /partition "a"/]] as const) {
        assert.throws(() => made.disk.write(at, new Uint8Array(512)), says);
      }
      assert.throws(() => made.disk.write(36_864, new Uint8Array(512)), /no partition is at byte 36864 of the disk/);
    }
    assert.deepEqual(stretches(Deno.readFileSync(b), 0), ["2 at 0", "9 at 100", "2 at 150"]);
    assert.deepEqual(stretches(Deno.readFileSync(a), 0), ["1 at 0"]);
  }));

Deno.test("images with offsets lie there, end where the next begins, and have zeros after their ends", () =>
  inFolder((folder) => {
    const [a, b] = images(folder, [4096, 1024]);
    using made = diskOf([
      { offset: 100, image: a, mode: "ro" },
      { offset: 1000, image: b, mode: "ro" },
      { offset: 3000, image: a, mode: "ro" },
      { offset: 3100, image: b, mode: "ro" },
    ]);
    const bytes = new Uint8Array(made.disk.size);
    made.disk.read(0, bytes);
    assert.equal(bytes.length, 4124);
    assert.deepEqual(stretches(bytes, 0), ["0 at 0", "1 at 100", "2 at 1000", "0 at 2024", "1 at 3000", "2 at 3100"]);
    assert.equal(made.disk.readOnly, true);
  }));

Deno.test("what makes no disk is refused with the partition, the image and the way out", () =>
  inFolder((folder) => {
    const [a, b] = images(folder, [5000, 4096]),
      many = Array.from({ length: 129 }, (_, index) => ({ label: `${index}`, image: b, mode: "ro" as const }));
    const cases: readonly (readonly [readonly DiskPartition[], string])[] = [
      [
        [{ label: "x", image: a, mode: "rw" }],
        `partition "x": disk ${a} has 5000 bytes, and needs 8192 to be written; lengthen it with: truncate -s 8192 ${a}`,
      ],
      [[{ offset: 512, image: b, mode: "ro" }, { offset: 512, image: a, mode: "ro" }], "two images are at byte 512 of the disk"],
      [many, "the disk has 129 partitions; a table has room for 128"],
    ];
    for (const [partitions, says] of cases) {
      assert.throws(() => diskOf(partitions)[Symbol.dispose](), (error: unknown) =>
        error instanceof UserError && problemText(error.problem) === says, says);
    }
  }));

Deno.test("a partition with changes in memory may be written up to its last page, and has zeros after its image", () => {
  const partition = { label: "x", image: "x", mode: "overlay" } as const, read = (_at: number, into: Uint8Array) => void into.fill(1);
  const disk = partitionedDisk([partition], (_, room) => new OverlayBacking({ size: 5000, read }, room(5000)), { slot: 0 });
  const bytes = new Uint8Array(8192), at = 20_480;
  disk.write(at + 8000, new Uint8Array(192).fill(7));
  disk.read(at, bytes);
  assert.deepEqual(stretches(bytes, 0), ["1 at 0", "0 at 5000", "7 at 8000"]);
});

Deno.test("a snapshot has the changes of partitions in memory, and a machine that loads it runs on as the one before", () =>
  inFolder(async (folder) => {
    const [a, b] = images(folder, [200_000, 300_000]), before = [a, b].map((path) => Deno.readFileSync(path));
    const plan = await writerPlan([{ label: "a", image: a, mode: "overlay" }, { label: "b", image: b, mode: "overlay" }]);
    const first = assemble(plan);
    runTo(first, 300_000);
    const state = first.save(), second = loaded(plan, state);
    for (const system of [first, second]) runTo(system, 600_000);
    assert.equal(hashesOf(second), hashesOf(first));
    for (const system of [first, second]) system.outside.close();
    assert.deepEqual([a, b].map((path) => Deno.readFileSync(path)), before);
  }));
