// Choices of the hypervisor's behavior: capability ids, quirks of the recorded build, strictness.

import assert from "node:assert/strict";
import fc from "fast-check";
import { errorName } from "../../../../src/machine/abi/errors.ts";
import { CapabilityIds } from "../../../../src/machine/hypervisor/capabilities/capability-ids.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { RandomGenerator } from "../../../../src/machine/hypervisor/random/random-generator.ts";
import { VirtioMmioRegister, VirtioStatus } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import type { VirtioMmio } from "../../../../src/machine/hypervisor/virtio/virtio-mmio.ts";
import { filled } from "../errors/recipes.ts";
import { createTestHypervisor } from "../fixture.ts";
import { Rig } from "../checklist/rig.ts";
import { dataAbort, hvc, ScriptedMachine, type ScriptedState, ScriptedVm, sysreg, timerWritten } from "../scripted.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const QUIRKS = { quirks: "as-observed" } as const;

Deno.test("plain ids are slot numbers", () => {
  const ids = new CapabilityIds("plain", new RandomGenerator(1));
  for (const slot of [0, 1, 61, 0x1_23]) {
    assert.equal(ids.encode(slot), BigInt(slot));
    assert.equal(ids.decode(BigInt(slot)), slot);
  }
  assert.equal(ids.decode(1n << 16n), undefined);
});

Deno.test("random ids decode to their slots, no other id does, and none is in the range that is never issued", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 0xffff }), (seed, slot) => {
    const ids = new CapabilityIds("random", new RandomGenerator(seed));
    const id = ids.encode(slot);
    assert.equal(ids.decode(id), slot);
    assert.ok(id >> 32n < 0xffff_ff00n);
    const next = ids.decode(id ^ 1n);
    assert.ok(next === undefined || ids.encode(next) === (id ^ 1n), "what decodes is what was issued");
  }));
});

Deno.test("cspaces with random ids have each their own, and calls take them", () => {
  const w = new Rig({ capIds: "random" });
  const doorbell = w.active("doorbell");
  assert.ok(doorbell > 0xffffn, "not a slot number");
  assert.equal(w.error("doorbell_send", { doorbell }), "OK");
  assert.notEqual(w.error("doorbell_send", { doorbell: 3n }), "OK");
  const [copy] = w.ok("cspace_copy_cap_from", { src_cspace: w.self, src_cap: doorbell, dest_cspace: w.self, rights_mask: 1n });
  assert.equal(w.error("doorbell_send", { doorbell: copy }), "OK");
  const other = w.object("cspace");
  assert.notEqual(other.idOf(w.cspace.holders[0]), w.cspace.idOf(w.cspace.holders[0]));
});

Deno.test("plain ids draw no random numbers: a run with them is the run that it was", () => {
  const { machine, options } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  const before = hypervisor.random.dump();
  assert.equal(hypervisor.behaviour.capIds, "plain");
  assert.deepEqual(hypervisor.random.dump(), before);
});

Deno.test("messages that cannot be copied: an error, as documented, or dropped with OK, as observed", () => {
  const fixed = new Rig(), observed = new Rig(QUIRKS);
  const tooBig = (w: Rig) => w.call("msgqueue_send", { msgqueue: w.active("msgqueue"), size: 65n, data: w.buffer });
  const unmapped = (w: Rig) => w.call("msgqueue_send", { msgqueue: w.active("msgqueue"), size: 8n, data: 0x9000_0000n });
  const receive = (w: Rig) => w.call("msgqueue_receive", { msgqueue: filled(w), buffer: 0x9000_0000n, buf_size: 64n });
  assert.deepEqual([tooBig, unmapped, receive].map((call) => errorName(call(fixed).error!)), [
    "ARGUMENT_SIZE",
    "ADDR_INVALID",
    "ADDR_INVALID",
  ]);
  for (const call of [tooBig, unmapped]) assert.deepEqual([call(observed).error, call(observed).results[0]], [0, 1n]);
  const { error, results } = receive(observed);
  assert.deepEqual([error, results[0], results[1]], [0, 0n, 1n]);
});

Deno.test("a reset that a level interrupt reports: as documented it is one, as observed the write is an abort all the same", () => {
  for (const [behaviour, edge, succeeds] of [[{}, false, true], [QUIRKS, false, false], [QUIRKS, true, true]] as const) {
    const w = new Rig(behaviour);
    const virtio_mmio = w.active("virtio_mmio");
    w.ok("virtio_mmio_frontend_bind_virq", { virtio_mmio, vic: w.vic, virq: 40n });
    if (edge) w.edge(40);
    const device = w.get<VirtioMmio>(virtio_mmio);
    assert.ok(device.write(VirtioMmioRegister.Status, 4, 1));
    assert.equal(device.write(VirtioMmioRegister.Status, 4, 0), succeeds);
    assert.equal(w.error("virtio_mmio_backend_assert_virq", { virtio_mmio, interrupt_status: 1n }), "DENIED", "the reset is under way");
    assert.equal(VirtioStatus.NEEDS_RESET, 0x40);
  }
});

Deno.test("X9 after a hypercall: zero, or the return address, as observed", () => {
  assert.equal(new Rig().hvc(0x6000)[9], 0n);
  const w = new Rig(QUIRKS);
  assert.equal(w.hvc(0x6000)[9], w.registers.pc);
});

/**
 * One step of a guest with a timer: it takes an interrupt, ends it, turns the timer off, leaves its
 * CPU, or loses its timers as at a power-off.
 */
type TimerStep = "take" | "end" | "off" | "yield" | "power-off";

/** Interrupts that a guest takes that has turned the virtual timer on. */
function takenOfTimer(behaviour: typeof QUIRKS | undefined, ...steps: TimerStep[]): number[] {
  const machine = new ScriptedMachine(1, undefined, behaviour);
  const taken: number[] = [];
  const setTimer = (registers: ScriptedState, control: bigint) => {
    registers.setRegister("CNTV_CTL_EL0", control);
    return timerWritten;
  };
  const guest: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers) {
    const { gic } = guest.vcpus[0];
    yield setTimer(registers, 1n);
    for (const step of steps) {
      if (step === "off") yield setTimer(registers, 0n);
      else if (step === "yield") yield hvc(0x603b);
      else if (step === "power-off") guest.vcpus[0].timers.disable(machine.machine.time);
      else if (step === "take") taken.push(gic.acknowledge(1));
      else gic.endOfInterrupt(1, 27);
    }
  }]);
  const other = new ScriptedVm(machine, 4, [function* () {
    for (;;) yield hvc(0x603b);
  }]);
  guest.start();
  other.start();
  machine.run(1_000_000);
  return taken;
}

Deno.test("a timer that is turned off before its interrupt is taken: the interrupt is gone, or comes once, as observed", () => {
  const steps = ["off", "take", "end", "take"] as const;
  assert.deepEqual(takenOfTimer(undefined, ...steps), [1023, 1023]);
  assert.deepEqual(takenOfTimer(QUIRKS, ...steps), [27, 1023]);
});

Deno.test("a timer that is turned off before its interrupt is ended: none follows, or one if the vCPU has left its CPU, as observed", () => {
  const left = ["take", "yield", "off", "end", "take", "end", "take"] as const;
  assert.deepEqual(takenOfTimer(undefined, ...left), [27, 1023, 1023]);
  assert.deepEqual(takenOfTimer(QUIRKS, ...left), [27, 27, 1023]);
  const stayed = left.filter((step) => step !== "yield");
  for (const behaviour of [undefined, QUIRKS]) assert.deepEqual(takenOfTimer(behaviour, ...stayed), [27, 1023, 1023]);
});

Deno.test("a power-off takes the interrupt of a timer with it, observed or not", () => {
  for (const behaviour of [undefined, QUIRKS]) assert.deepEqual(takenOfTimer(behaviour, "power-off", "take"), [1023]);
});

Deno.test("a timer that stays on interrupts again at each end, observed or not", () => {
  for (const behaviour of [undefined, QUIRKS]) assert.deepEqual(takenOfTimer(behaviour, "take", "yield", "end", "take"), [27, 27]);
});

/** Operations of a guest that are not modeled, with the message of `--strict`. */
const UNCOVERED: readonly (readonly [what: RegExp, act: (w: Rig) => unknown])[] = [
  [/HVC #0x7000/, (w) => w.hvc(0x7000)],
  [/SMC #0x1/, (w) => w.smc(1)],
  [/hypercall 0x6008/, (w) => w.hvc(0x6008)],
  [/SMCCC function 0x83000000/, (w) => w.hvc(0, 0x8300_0000n)],
  [/SMCCC function 0xc600bfff/, (w) => w.smc(0, 0xc600_bfffn)],
  [/access to ipa:vm-0xa\/0x90000000/, (w) => w.exit({ ...dataAbort(false, 0x9000_0000, 2) })],
  [/trapped instruction/, (w) => w.exit(sysreg(true, 3, 0, 10, 4, 7))],
];

Deno.test("a strict machine stops at the first call or access that no rule covers, and says which", () => {
  for (const [what, act] of UNCOVERED) {
    const w = new Rig({ strict: true });
    act(w);
    const reason = w.hypervisor.machine.stopReason;
    assert.ok(reason?.kind === "crash", String(what));
    assert.match(reason.message, what);
  }
});

Deno.test("without that the same is answered and told to who wants to know", () => {
  for (const [what, act] of UNCOVERED) {
    const w = new Rig();
    const told: string[] = [];
    w.hypervisor.trace.listen(["rule"], ({ fields }) => void told.push(String(fields.what)));
    act(w);
    assert.equal(w.hypervisor.machine.stopReason, undefined);
    assert.equal(told.length, 1);
    assert.match(told[0], what);
  }
});

Deno.test("what rules cover does not stop a strict machine: errors of calls, functions that are known not to be there", () => {
  const w = new Rig({ strict: true });
  assert.equal(w.error("doorbell_send", { doorbell: 61n }), "CSPACE_CAP_NULL");
  assert.equal(w.hvc(0, 0x8400_0005n)[0], ALL_ONES, "PSCI MIGRATE");
  assert.equal(w.hvc(0, 0x8600_ff00n)[0], ALL_ONES, "CALL_COUNT");
  assert.equal(w.hvc(0, 0x8000_8000n)[0], ALL_ONES, "SMCCC_ARCH_WORKAROUND_1");
  assert.equal(w.hvc(0, 0xc500_0020n)[0], ALL_ONES, "PV_TIME_FEATURES");
  assert.equal(w.hypervisor.machine.stopReason, undefined);
});
