// Parts of a disk that its guest will not find are events at the start.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import type { SessionPlan } from "../../../../src/model/plans/plan.ts";
import type { SectorSize } from "../../../../src/machine/virtio/plan.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";
import { bootPlan } from "../../snapshots/systems.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

/** The problems of a disk whose partition table is at this byte. */
function problemsOf(size: number, table: number | undefined, sector?: SectorSize): Promise<string[]> {
  return inFolder(async (folder) => {
    const image = `${folder}/disk.img`, bytes = new Uint8Array(size);
    if (table !== undefined) bytes.set(new TextEncoder().encode("EFI PART"), table);
    Deno.writeFileSync(image, bytes);
    const { what, ...plan } = await bootPlan();
    const devices = [{ kind: "block", image, mode: "ro", ...sector && { sector } }] as const;
    const system = assemble({ ...plan, what: { ...what, devices } as SessionPlan["what"] }), { events } = system.events.drain();
    system.outside.close();
    return events.filter(({ kind }) => kind === "dev").map(({ text }) => text.replaceAll(image, "disk.img"));
  });
}

Deno.test("a partition table for other sectors is an event that names the key, and one for these is none", async () => {
  const other = (size: number) => [`disk disk.img has a partition table for sectors of ${size} bytes: set sector = ${size}`];
  assert.deepEqual(await problemsOf(MiB, 4096), other(4096));
  assert.deepEqual(await problemsOf(MiB, 512, 4096), other(512));
  for (const sector of [512, 4096] as const) assert.deepEqual(await problemsOf(MiB, sector, sector), []);
  assert.deepEqual(await problemsOf(MiB, undefined), []);
  assert.deepEqual(await problemsOf(512, undefined), []);
});

Deno.test("bytes after the last whole sector are an event", async () => {
  const rest = (count: number, size: number) => [
    `disk disk.img has ${count} bytes after its last sector of ${size} bytes, which the guest does not see`,
  ];
  assert.deepEqual(await problemsOf(MiB + 100, undefined), rest(100, 512));
  assert.deepEqual(await problemsOf(MiB + 512, undefined, 4096), rest(512, 4096));
});
