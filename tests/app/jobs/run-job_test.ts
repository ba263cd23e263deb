// A job's worker takes the files of a plan only where the command says that it has no more use for
// them: a guest's kernel goes into the catalog after its first boot.

import assert from "node:assert/strict";
import { runJob } from "../../../src/app/jobs/run-job.ts";
import { Failure } from "../../../src/app/cli/common/failure.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { A64, imageOf, SYSTEM_OFF } from "../cli/program.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const ENTRY = new URL("../../../main.ts", import.meta.url);
/** Files of plans are moved from this size on. */
const SIZE = 2 * MiB;

Deno.test("a first boot leaves the kernel and the initramfs that the catalog gets", () =>
  inFolder(async (folder) => {
    const disk = `${folder}/root.img`;
    await Deno.writeFile(disk, new Uint8Array(MiB));
    const image = new Uint8Array(SIZE), initrd = new Uint8Array(SIZE), input = { image, initrd, disk, packages: 1, progress: undefined };
    image.set(imageOf([...A64.loadW0(SYSTEM_OFF), A64.hvc]));
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
