import assert from "node:assert/strict";
import { keyEvents, placeEvents, textEvents, wheelEvents } from "../../../src/model/commands/input-events.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { DevicePlan } from "../../../src/model/plans/plan.ts";
import { A64, imageOf } from "../../app/cli/program.ts";
import { problemText } from "../../../src/kit/support/problem.ts";

/** A machine whose primary VM waits for ever and has these devices. */
function machine(devices: readonly DevicePlan[]) {
  const image = imageOf([A64.wfi, A64.branch(-1)]);
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined, devices } as const;
  const common = { cpus: 1, memory: 64 << 20, turbo: true, seed: 1 };
  return assemble({ ...common, what });
}

const DEVICES: readonly DevicePlan[] = [{ kind: "rng" }, { kind: "balloon" }, { kind: "input", type: "keyboard" }];

Deno.test("a VM's virtio devices are rows with their place, interrupt and counters", () => {
  const system = machine(DEVICES);
  // The Resource Manager makes the VM.
  system.machine.run(1e8, 10_000);
  const { rows, error } = system.inspector.answer({ table: "vm.devices", args: { vm: "host" } });
  assert.equal(error, undefined);
  const virtio = rows.filter(({ kind }) => String(kind).startsWith("virtio-"));
  assert.deepEqual(virtio.map(({ id, ipa, virq }) => [id, ipa, virq]), [
    ["dev:host/rng0", "0xa000000", "irq:host/48"],
    ["dev:host/balloon1", "0xa000200", "irq:host/49"],
    ["dev:host/input2", "0xa000400", "irq:host/50"],
  ]);
  assert.deepEqual(virtio[0].metrics, { bytes: 0 });
  assert.ok(rows.every((row) => String(row.kind).startsWith("virtio-") || row.metrics === null));
});

Deno.test("a balloon takes its size, and what a VM does not have is said by name", () => {
  const { inspector, virtio } = machine(DEVICES);
  assert.equal(inspector.act({ kind: "balloon.set", vm: "vm:host", bytes: 8 << 20 }), undefined);
  assert.equal(virtio[1].device.metrics().target_bytes, 8 << 20);
  const none = machine([]).inspector;
  assert.deepEqual(none.act({ kind: "balloon.set", vm: "host", bytes: 0 }), {
    ...{ what: "vm:host has no balloon", wayOut: 'add one with { kind = "balloon" } in its devices' },
  });
  assert.deepEqual(none.act({ kind: "balloon.set", vm: "hots", bytes: 0 }), { what: "no vm:hots", wayOut: "there are vm:host, vm:rm" });
  const sent = none.act({ kind: "input.send", vm: "host", events: keyEvents("a") });
  assert.match(problemText(sent!), /no keyboard and no tablet; add one with {/);
});

Deno.test("input that a VM's devices cannot say, or that nobody reads, is refused", () => {
  const { inspector } = machine(DEVICES);
  const send = (events: ReturnType<typeof keyEvents>) => inspector.act({ kind: "input.send", vm: "host", events })?.what;
  assert.equal(send(placeEvents("1,2")), "vm:host has a keyboard, which cannot send this");
  assert.equal(send(keyEvents("a")), "vm:host does not read its keyboard: it has no driver, or is slow");
});

Deno.test("keys, text, places and the wheel become events, and what they do not know is named", () => {
  const press = (code: number, value: number) => [{ type: 1, code, value }];
  assert.deepEqual(keyEvents("leftctrl+c"), [press(29, 1), press(46, 1), press(46, 0), press(29, 0)]);
  assert.deepEqual(textEvents("aB"), [press(30, 1), press(30, 0), press(42, 1), press(48, 1), press(48, 0), press(42, 0)]);
  assert.deepEqual(placeEvents("3,32767"), [[{ type: 3, code: 0, value: 3 }, { type: 3, code: 1, value: 32_767 }]]);
  assert.deepEqual(wheelEvents("-2"), [[{ type: 2, code: 8, value: -2 }]]);
  assert.throws(() => keyEvents("ctrl+c"), /"ctrl" is not a key; use esc 1 2/);
  assert.throws(() => textEvents("ä"), /is not on a US keyboard/);
  assert.throws(() => placeEvents("3,40000"), /is not a position/);
  assert.throws(() => wheelEvents("x"), /not a number of wheel steps/);
});
