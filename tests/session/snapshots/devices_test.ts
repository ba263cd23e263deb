// Devices around a machine's CPUs are saved with them: flash and fw_cfg of firmware, virtio devices
// of secondary VMs.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { CfiFlashState } from "../../../src/machine/devices/cfi-flash.ts";
import { ArchiveError } from "../../../src/machine/hardware/archive.ts";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { alone, type SessionPlan } from "../../../src/model/plans/plan.ts";
import { Guests } from "../../guests/guest.ts";
import { Random } from "../../support/random.ts";
import { ENTROPY_READER, FLASH_WRITER } from "./programs.ts";
import { hashesOf, runTo } from "./systems.ts";
import { LONG } from "../../support/long.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { assertPlanned } from "../../support/planned.ts";

/** Instructions after which an interrupted and an uninterrupted machine are compared. */
const ON = 3_000;
const POINTS = LONG ? 6 : 3;
/** The smallest bank of flash. */
const FLASH_SIZE = 2 << 20;
const ERASED = new Uint8Array(FLASH_SIZE).fill(0xff);

function bytesOf(words: readonly number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** A machine whose firmware keeps writing its variables. */
function firmwarePlan(vars?: string): SessionPlan {
  const firmware = {
    code: bytesOf(FLASH_WRITER),
    vars: vars === undefined ? undefined : { path: vars, content: ERASED },
  };
  const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined, firmware } as const;
  return { cpus: 1, memory: 68 << 20, seed: 7, turbo: true, what };
}

/** VMs of both hypervisors with every device that can be saved. */
async function devicesPlan(folder: string): Promise<SessionPlan> {
  await Deno.writeFile(`${folder}/reader.bin`, bytesOf(ENTROPY_READER));
  await Deno.writeFile(`${folder}/disk.img`, new Uint8Array(4096));
  const vm = (name: string, keys: string) => `
[vm.${name}]
image = "reader.bin"
memory = "4MiB"
${keys}
devices = [
  { kind = "pl011" }, { kind = "rng" }, { kind = "console" }, { kind = "block", image = "disk.img", mode = "overlay" },
  { kind = "net", backend = "pair:lan" }, { kind = "balloon" }, { kind = "vsock", cid = ${name.length + 2} },
]
`;
  const machine = '\n[machine]\nmemory = "96MiB"\n[host]\nmemory = "64MiB"\ngzvm = true\n';
  const text = `el2 = 1${machine}${vm("a", "")}${vm("bb", 'hypervisor = "geniezone"')}`;
  return await configured(text, folder);
}

async function configured(text: string, folder: string): Promise<SessionPlan> {
  const result = await planText(text, undefined, folder);
  assertPlanned(result);
  const { cpus, memory, seed, what } = result.run;
  return { cpus, memory, seed, turbo: true, what };
}

/** Saves a machine, which continues, and its copy with it; the copy saved again is the same. */
function saveAndCompare(system: GuestSystem, plan: SessionPlan, count: number): void {
  runTo(system, count);
  const state = system.save();
  const copy = assembleEmpty(plan);
  copy.load(state, false);
  assert.equal(Buffer.compare(copy.save().fields, state.fields), 0, `fields at ${count} instructions`);
  assert.equal(hashesOf(copy), hashesOf(system));
  runTo(copy, count + ON);
  runTo(system, count + ON);
  assert.equal(hashesOf(copy), hashesOf(system), `${ON} instructions after ${count}`);
  copy.outside.close();
}

/** Ascending counts at least `2 * ON` apart. */
function points(random: Random): number[] {
  let count = 0;
  return Array.from({ length: POINTS }, () => count += 2 * ON + random.below(ON));
}

/** Output of a machine on a console until it has retired this many instructions. */
function outputOf(system: GuestSystem, console: string, instructions: number): string {
  let text = "";
  for (let count = system.instructions(); count < instructions; count += 500) {
    system.stopAt(count + 500);
    while (system.instructions() < count + 500) {
      const result = system.machine.run(Infinity, 8);
      for (const { console: name, bytes } of system.consoles.drain()) if (name === console) text += new TextDecoder().decode(bytes);
      if (result.kind === "idle") system.machine.skipTo(result.next);
    }
  }
  return text;
}

Deno.test("a machine that is saved while its firmware writes the flash continues", () => {
  const plan = firmwarePlan();
  const system = assemble(plan);
  for (const count of points(new Random(3))) saveAndCompare(system, plan, count);
  assert.match(outputOf(system, "host", system.instructions() + 2000), /^(?:[a-p]1){10}/);
});

Deno.test("the state of a flash that is not mapped so, or expects what cannot come, is refused", () => {
  const plan = firmwarePlan();
  const system = assemble(plan);
  runTo(system, 1_000);
  const { device } = system.hypervisor.flash[0].plan;
  const right = device.save();
  const refused = (wrong: Partial<CfiFlashState>, rule: RegExp) => {
    device.restore({ ...right, ...wrong });
    const state = system.save();
    assert.throws(() => assembleEmpty(plan).load(state, false), (error) => error instanceof ArchiveError && rule.test(error.message));
  };
  assert.equal(right.mode, "array");
  refused({ mode: "status" }, /flash@0: it is not one of its states: a flash is mapped while/);
  device.restore({ ...right, expects: "confirm" });
  assert.throws(() => system.save(), /what is to be confirmed was written/);
});

Deno.test("the file of the variables has what the machine has, from the first write after a load", () =>
  inFolder(async (folder) => {
    const vars = `${folder}/vars`;
    await Deno.writeFile(vars, ERASED);
    const plan = firmwarePlan(vars);
    const system = assemble(plan);
    runTo(system, 5_000);
    const state = system.save();
    const kept = await Deno.readFile(vars);
    assert.notDeepEqual(kept, ERASED);
    assert.deepEqual(system.hypervisor.flash[1].plan.device.array.read(0, FLASH_SIZE), kept);

    // The file of a machine that is loaded is behind until something is written.
    const other = `${folder}/other`;
    await Deno.writeFile(other, ERASED);
    const loaded = assembleEmpty(firmwarePlan(other));
    loaded.load(state, true);
    assert.deepEqual(await Deno.readFile(other), ERASED);
    runTo(loaded, 6_000);
    assert.deepEqual(await Deno.readFile(other), loaded.hypervisor.flash[1].plan.device.array.read(0, FLASH_SIZE));

    // A machine beside the one that has the file leaves it alone.
    const past = assembleEmpty(alone(plan));
    past.load(state, true);
    runTo(past, 6_000);
    assert.equal(hashesOf(past), hashesOf(loaded));
    assert.deepEqual(await Deno.readFile(vars), kept);
  }));

Deno.test("VMs of both hypervisors that are saved with their devices at work continue", () =>
  inFolder(async (folder) => {
    const plan = await devicesPlan(folder);
    const system = assemble(plan);
    for (const count of points(new Random(4))) saveAndCompare(system, plan, count);
    for (const vm of ["a", "bb"]) {
      const rng = system.virtio.find(({ id }) => id === `dev:${vm}/rng0`)!;
      assert.ok(rng.device.metrics().bytes > 800, JSON.stringify(rng.device.metrics()));
    }
  }));

Deno.test("what was typed into a console port and has not reached its VM yet is in the state", () =>
  inFolder(async (folder) => {
    const plan = await devicesPlan(folder);
    const system = assemble(plan);
    runTo(system, 20_000);
    const { fields: before } = system.save();
    assert.ok(system.consoles.type("a/hvc0", new TextEncoder().encode("typed ahead")));
    assert.notEqual(Buffer.compare(system.save().fields, before), 0);
    saveAndCompare(system, plan, 20_001);
  }));

/** Seconds of virtual time. */
const COMMAND = 20;
const ASSETS = new URL("../../../assets/guests", import.meta.url).pathname;
const WAYS = [
  ["VMM", "", ""],
  ["VMM of GenieZone", 'hypervisor = "geniezone"', "gzvm = true"],
  ["hypervisor", 'schedule = "own"\naffinity = "pinned"\naffinity_map = [1]', ""],
];

for (const [who, keys, host] of WAYS) {
  Deno.test(`a driver whose console's registers are the ${who}'s is saved in the middle of a conversation, and answers`, async () => {
    const vm = `[vm.tty]\nimage = "teletype.bin"\nmemory = "4MiB"\n${keys}\n`;
    const plan = await configured(
      `el2 = 1\n[machine]\nmemory = "96MiB"\n[host]\nmemory = "64MiB"\n${host}\n${vm}devices = [{ kind = "rng" }, { kind = "console" }]\n`,
      ASSETS,
    );
    const guests = new Guests(assemble(plan));
    const console = guests.console("tty/hvc0");
    await console.expect(/^teletype, interrupt 49$/m, COMMAND);
    for (const [line, answer] of [["one\ntwo", /^one\ntwo$/m], ["reset", /^reset$/m], ["three", /^three$/m]] as const) {
      console.type(line);
      const copy = assembleEmpty(plan);
      copy.load(guests.system.save(), false);
      const other = new Guests(copy).console("tty/hvc0");
      await other.expect(answer, COMMAND);
      await console.expect(answer, COMMAND);
      assert.equal(hashesOf(copy), hashesOf(guests.system));
    }
  });
}
