// Small programs of our own that start at EL2, built from tests/differential/el2-machine, and
// machines that start with them.

import assert from "node:assert/strict";
import { planText } from "../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { Guests } from "../guests/guest.ts";
import { runNative } from "./oracles.ts";
import { assertPlanned } from "./planned.ts";
import { inFolder } from "./temporary-folder.ts";

const COMPILE = "-g -O1 -Wall -Wextra -Werror -ffreestanding -mgeneral-regs-only -mstrict-align -fno-pic -fno-pie -fno-stack-protector";
const LINK = "-march=armv8-a -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments";
const SOURCES = new URL("../differential/el2-machine/", import.meta.url).pathname;

/** Builds a program of these sources, and calls `use` with the path of its ELF file. */
export function withEl2Program(sources: readonly string[], use: (elf: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const elf = `${folder}/guest.elf`;
    const files = ["-T", `${SOURCES}guest.ld`, "-o", elf, ...sources.map((name) => SOURCES + name)];
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [...COMPILE.split(" "), ...LINK.split(" "), ...files]);
    assert.equal(code, 0, stderr);
    await use(elf);
  });
}

/** A machine of two CPUs that enters an image at EL2. */
export async function el2Plan(elf: string, cpu = "v8,+FEAT_VHE"): Promise<SessionPlan> {
  const text = `
    el2 = 1
    machine = { cpus = 2, cpu = "${cpu}", memory = "64MiB" }
    host = { kind = "image", el2 = "${elf}" }
  `;
  const result = await planText(text, undefined, ".");
  assertPlanned(result);
  return { ...result.run, turbo: true };
}

export const machineAtEl2 = async (elf: string, cpu?: string): Promise<Guests> => new Guests(assemble(await el2Plan(elf, cpu)));
