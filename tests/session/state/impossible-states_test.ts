// States that have the right form, but that no machine comes to: each is refused with its rule.

import assert from "node:assert/strict";
import { assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { Consoles } from "../../../src/session/assembly/vms/consoles.ts";
import { ArchiveError } from "../../../src/machine/hardware/archive.ts";
import { TIME_END } from "../../../src/machine/hardware/clock.ts";
import { SAVED_MACHINES } from "../snapshots/furnished.ts";

const machine = SAVED_MACHINES["a machine with GenieZone VMs and an ITS"];
const plan = await machine.plan();
const state = machine.system(plan).save();

/** The first field whose path matches: where it is among the fields' bytes, and its value. */
function fieldAt(path: RegExp): { readonly at: number; readonly value: number } {
  let at = 0, found: { readonly at: number; readonly value: number } | undefined;
  assembleEmpty(plan).load(state, false, (name, value) => {
    if (!found && typeof value === "number" && path.test(name)) found = { at, value };
    at += value instanceof Uint8Array ? value.length : 8;
  });
  return found ?? assert.fail(`no field ${path}`);
}

/** Loads the state with other numbers. */
function load(...changes: readonly (readonly [path: RegExp, value: number])[]): void {
  const fields = state.fields.slice(), view = new DataView(fields.buffer);
  for (const [path, value] of changes) view.setFloat64(fieldAt(path).at, value, true);
  assembleEmpty(plan).load({ fields, pages: state.pages }, false);
}

const NOW = /machine\.now$/, POSITION = /machine\.position0$/;
const refusal = (rule: RegExp) => (error: unknown) => error instanceof ArchiveError && rule.test(error.message);

Deno.test("a state in which a CPU is behind the turns is refused: the next turn would run all that it lacks", () => {
  load();
  const rule = refusal(/machine: a CPU has reached the time of the turns/);
  for (const now of [fieldAt(POSITION).value + 1, 2 ** 32, TIME_END]) assert.throws(() => load([NOW, now]), rule);
  assert.throws(() => load([POSITION, 2 ** 60]), rule);
});

Deno.test("a state beyond the end of virtual time is refused", () => {
  assert.throws(() => load([NOW, TIME_END + 1], [POSITION, TIME_END + 1]), refusal(/machine: there is a time/));
});

Deno.test("a state with a timeslice that no call accepts, or more than a timeslice left, is refused", () => {
  assert.throws(() => load([/\.timeslice$/, 1]), refusal(/timeslice: 1 is not a whole number from 100000 to 100000000/));
  assert.throws(() => load([/\.sliceLeft$/, Infinity]), refusal(/what is left of a timeslice is no longer than the longest/));
});

Deno.test("a state in which a frame of the ITS, which has no status register, reports errors is refused", () => {
  assert.throws(() => load([/frames\.places\.2\.status$/, 1]), refusal(/a frame without a status register reports no errors/));
});

Deno.test("the ends of consoles are refused in another order than that of their names, and longer than they are saved", () => {
  const [a, b] = ["a", "b"].map((console) => ({ console, bytes: Uint8Array.of(1) })), consoles = new Consoles();
  consoles.restore([a, b]);
  assert.deepEqual(consoles.save(), [a, b]);
  for (const wrong of [[b, a], [a, a], [{ ...a, bytes: new Uint8Array(0x4001) }]]) {
    assert.throws(() => consoles.restore(wrong), refusal(/the ends of consoles are in the order of their names/));
  }
});

Deno.test("a state whose page tables or mappings are in another order, or which has one run of pages as two, is refused", () => {
  const [first, second] = [/tables\.0\.part$/, /tables\.1\.part$/];
  const swapped = [[first, fieldAt(second).value], [second, fieldAt(first).value]] as const;
  assert.throws(() => load(...swapped), refusal(/a page table is paid for once, in order/));
  assert.throws(() => load([/mapped\.2\.ipa$/, fieldAt(/mapped\.1\.ipa$/).value]), refusal(/mappings ascend/));
  assert.throws(() => load([/mapped\.2\.flags$/, fieldAt(/mapped\.1\.flags$/).value]), refusal(/a mapping is as long as it can be/));
});

Deno.test("a state of a session in which a field is absent is refused", () => {
  const { vms } = assembleEmpty(plan), saved = vms.save() as Record<string, unknown>;
  vms.restore(saved);
  for (const absent of Object.keys(saved)) {
    const { [absent]: _, ...rest } = saved;
    assert.throws(() => vms.restore(rest), new RegExp(absent));
  }
});

Deno.test("a state whose watchdog was last served in the future is refused", () => {
  assert.throws(() => load([/watchdog\.pinged$/, Infinity]), refusal(/the last ping was in the past/));
});
