// The variables of a VM's firmware in flash: across lives of the VM, sessions and snapshots. The
// firmware is a few instructions: it prints what it finds, and programs a letter.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../../src/session/assembly/system/guest-system.ts";
import { computer, type OpenDisk, useComputer } from "../../../../src/session/outside/computer.ts";
import { FlashCommand } from "../../../../src/machine/devices/cfi-flash.ts";
import { BANK_MIN } from "../../../../src/machine/host/boards/flash-size.ts";
import { planText } from "../../../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../../../src/model/plans/plan.ts";
import { outsideResources, resourceText } from "../../../../src/model/plans/host-resources.ts";
import { A64, SYSTEM_OFF } from "../../../app/cli/program.ts";
import { Guests } from "../../../guests/guest.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { assertPlanned } from "../../../support/planned.ts";

const ERASED = 0xff, LETTER = "o".charCodeAt(0);
/** `movz x3, #0x400, lsl #16; ldr w0, [x3, #4]; and w0, w0, #0x7f` */
const READ = [0xd2a08003, 0xb9400460, 0x12001800];
/** `strb w0, [x1]` */
const STORE_BYTE = 0x39000020;
/** `str w2, [x3]` and `str w2, [x3, #4]`. */
const STORE = 0xb9000062, STORE_NEXT = 0xb9000462;
const PROGRAM = [
  ...READ,
  ...[A64.loadX1High(0x0900), STORE_BYTE],
  ...[A64.loadW2(FlashCommand.WordProgram), STORE],
  ...[A64.loadW2(LETTER), STORE_NEXT],
  ...[A64.loadW2(FlashCommand.ReadArray), STORE],
  ...[...A64.loadW0(SYSTEM_OFF), A64.hvc],
];
const FOUND_NOTHING = "\x7f", FOUND_LETTER = "o";

/** A session's plan, in a folder with the firmware. */
async function planIn(folder: string, more: string): Promise<SessionPlan> {
  await Deno.writeFile(`${folder}/bios.bin`, new Uint8Array(new Uint32Array(PROGRAM).buffer));
  const text = `el2 = 1\n[machine]\nmemory = "256MiB"\n[vm.a]\nplatform = "qemu-virt"\nbios = "bios.bin"\nmemory = "16MiB"\n${more}`;
  const result = await planText(text, undefined, folder);
  assertPlanned(result);
  return { ...result.run, turbo: true };
}

/** Runs until the console shows this, and gives the computer's files back. */
async function shows(make: () => GuestSystem, pattern: RegExp): Promise<GuestSystem> {
  const before = computer(), disks: OpenDisk[] = [];
  useComputer({
    ...before,
    disk(path, readOnly) {
      const disk = before.disk(path, readOnly);
      disks.push(disk);
      return disk;
    },
  });
  try {
    const guests = new Guests(make());
    await guests.console("a").expect(pattern, 5);
    return guests.system;
  } finally {
    for (const disk of disks) disk.close();
    useComputer(before);
  }
}

const run = (plan: SessionPlan, pattern: RegExp) => shows(() => assemble(plan), pattern);

const VARS = 'bios_vars = "vars.fd"\n', AGAIN = 'on_exit = "restart"\n';

Deno.test("what firmware programs is there when its VM starts again, and in the next session", () =>
  inFolder(async (folder) => {
    const file = `${folder}/vars.fd`;
    await Deno.writeFile(file, new Uint8Array(BANK_MIN).fill(ERASED));
    await run(await planIn(folder, VARS + AGAIN), new RegExp(`^${FOUND_NOTHING}${FOUND_LETTER}${FOUND_LETTER}`));
    const kept = await Deno.readFile(file);
    assert.deepEqual([kept.length, ...kept.subarray(0, 9)], [BANK_MIN, ERASED, ERASED, ERASED, ERASED, LETTER, 0, 0, 0, ERASED]);
    await run(await planIn(folder, VARS), new RegExp(`^${FOUND_LETTER}`));
  }));

Deno.test("without a file, or in a second machine beside the first, nothing is kept outside", () =>
  inFolder(async (folder) => {
    await run(await planIn(folder, AGAIN), new RegExp(`^${FOUND_NOTHING}${FOUND_NOTHING}`));
    await Deno.writeFile(`${folder}/vars.fd`, new Uint8Array(BANK_MIN).fill(ERASED));
    const plan = await planIn(folder, VARS + AGAIN);
    const recording = { console: [], outside: [], control: [] } as never;
    await run({ ...plan, replay: { recording, verify: false, to: undefined } }, new RegExp(`^${FOUND_NOTHING}${FOUND_LETTER}`));
    assert.ok((await Deno.readFile(`${folder}/vars.fd`)).every((byte) => byte === ERASED));
  }));

Deno.test("variables are part of a snapshot, and the first write after a load renews the file", () =>
  inFolder(async (folder) => {
    const file = `${folder}/vars.fd`, blank = new Uint8Array(BANK_MIN).fill(ERASED);
    await Deno.writeFile(file, blank);
    const plan = await planIn(folder, VARS + AGAIN);
    assert.deepEqual(outsideResources(plan).map(resourceText), [`firmware variables ${file} (rw)`]);
    const saved = (await run(plan, new RegExp(FOUND_LETTER))).save();
    await Deno.writeFile(file, blank);
    const loaded = () => {
      const copy = assembleEmpty(plan);
      copy.load(saved, true);
      return copy;
    };
    await shows(loaded, new RegExp(`${FOUND_LETTER}${FOUND_LETTER}`));
    assert.equal((await Deno.readFile(file))[4], LETTER);
  }));

Deno.test("a file that is too small for a bank is refused with the way out", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/vars.fd`, new Uint8Array(4096));
    await assert.rejects(
      planIn(folder, VARS),
      /bios_vars: .*vars\.fd has 4KiB, the flash of variables 2MiB; make it with: truncate -s 2097152/,
    );
  }));
