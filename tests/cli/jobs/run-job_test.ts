// A job's worker takes the files of a plan only where the command says that it has no more use for
// them: a guest's kernel goes into the catalog after its first boot.

import assert from "node:assert/strict";
import { runJob } from "../../../src/cli/jobs/run-job.ts";
import { Failure } from "../../../src/cli/common/failure.ts";
import type { SessionPlan } from "../../../src/plans/plan.ts";
import { MiB } from "../../../src/support/sizes.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const ENTRY = new URL("../../../main.ts", import.meta.url);
const IMAGE_MAGIC = 0x644d5241, MAGIC_OFFSET = 56, SIZE = 2 * MiB;
/** Behind a branch over the header: PSCI SYSTEM_OFF. */
const BRANCH = 0x14000010, CODE_OFFSET = 64;
const CODE = [
  0x52800100, // mov w0, #8
  0x72b08000, // movk w0, #0x8400, lsl #16
  0xd4000003, // smc #0
];

/** An arm64 Image that switches the machine off. */
function kernelImage(): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(SIZE), view = new DataView(image.buffer);
  view.setUint32(0, BRANCH, true);
  view.setUint32(MAGIC_OFFSET, IMAGE_MAGIC, true);
  CODE.forEach((word, index) => view.setUint32(CODE_OFFSET + 4 * index, word, true));
  return image;
}

Deno.test("a first boot leaves the kernel and the initramfs that the catalog gets", () =>
  inFolder(async (folder) => {
    const disk = `${folder}/root.img`;
    await Deno.writeFile(disk, new Uint8Array(MiB));
    const image = kernelImage(), initrd = new Uint8Array(SIZE), input = { image, initrd, disk, packages: 1, progress: undefined };
    const what = {
      kind: "boot",
      image,
      initrd,
      dtb: undefined,
      append: undefined,
      devices: [{ kind: "block", image: disk, mode: "rw" }],
    } as const;
    const plan: SessionPlan = { cpus: 1, memory: 1024 * MiB, turbo: true, seed: 1, what };
    await assert.rejects(runJob(ENTRY, { name: "first-boot", input, plans: [plan] }), (error) => {
      assert.ok(error instanceof Failure);
      assert.match(error.message, /the guest did not configure its packages/);
      return true;
    });
    assert.deepEqual([image.length, initrd.length], [SIZE, SIZE]);
  }));
