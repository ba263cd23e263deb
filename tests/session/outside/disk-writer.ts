// A guest that uses its disk at random (disk-writer/guest.c), and sessions of it.

import assert from "node:assert/strict";
import { runNative } from "../../support/oracles.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { withTable } from "../../support/plan-tables.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { DiskPartition } from "../../../src/machine/virtio/plan.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";

const FOLDER = new URL("disk-writer/", import.meta.url).pathname;
const FLAGS = ["-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-no-pie", "-nostdlib", "-static", "-mstrict-align"];
const MORE = [
  "-mgeneral-regs-only",
  "-mno-outline-atomics",
  "-fno-asynchronous-unwind-tables",
  "-Wl,--build-id=none,--no-warn-rwx-segments",
];

let built: Promise<Uint8Array<ArrayBuffer>> | undefined;

/** The guest, an ELF file. */
export function diskWriter(): Promise<Uint8Array<ArrayBuffer>> {
  return built ??= inFolder(async (folder) => {
    const file = `${folder}/guest.elf`, args = [...FLAGS, ...MORE, "-T", `${FOLDER}guest.ld`, "-o", file, `${FOLDER}guest.c`];
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", args);
    assert.equal(code, 0, stderr);
    return await Deno.readFile(file);
  });
}

/**
 * The plan of a machine with it, which keeps states.
 * @param disk its image, or the partitions that make it
 */
export async function writerPlan(
  disk: string | readonly DiskPartition[],
  mode: "rw" | "overlay" = "rw",
  options: Partial<SessionPlan> = {},
): Promise<SessionPlan> {
  const devices = [typeof disk === "string" ? { kind: "block", image: disk, mode } as const : { kind: "block", partitions: disk } as const];
  const what = { kind: "boot", image: await diskWriter(), initrd: undefined, dtb: undefined, append: undefined, devices } as const;
  return withTable({ cpus: 1, memory: 16 * MiB, seed: 7, turbo: true, history: true, what, ...options });
}
