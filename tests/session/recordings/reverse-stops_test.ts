// The stops that a debugger finds on its way back are those that it saw on its way forward, in the
// opposite order: of random programs with random breakpoints, conditions and watchpoints.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { WatchKind } from "../../../src/cpu/core/interface.ts";
import type { BreakpointCondition, DebugControl } from "../../../src/machine/hypervisor/interface.ts";
import type { DebugStopped } from "../../../src/model/protocol/protocol.ts";
import { oneVm } from "../../../src/model/queries/debugged-vms.ts";
import type { Milestone } from "../../../src/session/recordings/past/history.ts";
import { Past } from "../../../src/session/recordings/past/past.ts";
import type { Rerun } from "../../../src/session/recordings/past/rerun.ts";
import { stoppedAt, wayBack } from "../../../src/session/recordings/past/rewind.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { imageOf } from "../../app/cli/program.ts";
import { CODE } from "../debug/debugged-vm.ts";
import { bootPlan, runTo } from "../snapshots/systems.ts";
import { Random } from "../../support/random.ts";
import { LONG } from "../../support/long.ts";

const SEEDS = LONG ? Array.from({ length: 150 }, (_, index) => index + 1) : [14, 18];
/**
 * Stops that are compared at most; instructions before a debugger comes, and in a run without
 * stops.
 */
const STOPS = LONG ? 12 : 6, BEGIN = 20, RUN = 6000;
const VM = "host", VMS = oneVm(VM);
const DATA = 0x4030_0000n, SLOTS = 6;
const KINDS: readonly WatchKind[] = ["write", "read", "access"];

const movz = (register: number, value: number) => 0xd2800000 | value << 5 | register;
const movzHigh = (register: number, value: number) => 0xd2a00000 | value << 5 | register;
const movk = (register: number, value: number) => 0xf2800000 | value << 5 | register;
const HVC = 0xd4000002;

/** Starts a second CPU at the loop, which follows; x9 is the data, x10 the flags of the UART. */
const ALL = [movzHigh(9, 0x4030), movzHigh(10, 0x900), movk(10, 0x18)];
const START = [...ALL, movzHigh(0, 0xc400), movk(0, 3), movz(1, 1), movzHigh(2, 0x4020), movk(2, 0x40 + 4 * 10), HVC, 0xd503201f, ...ALL];

/** A loop that computes, loads and stores, branches, reads a device and calls the hypervisor. */
function program(random: Random): number[] {
  const body: number[] = [], register = () => 4 + random.below(4);
  for (let count = 6 + random.below(12); count > 0; count--) {
    const one = register(), slot = random.below(SLOTS);
    switch (random.below(8)) {
      case 0:
        body.push(0xca000000 | register() << 16 | one << 5 | one);
        break;
      case 1:
      case 2:
        body.push(0xf9000000 | slot << 10 | 9 << 5 | one);
        break;
      case 3:
        body.push(0xf9400000 | slot << 10 | 9 << 5 | one);
        break;
      case 4:
        // Skips the next instruction.
        body.push(0x36000000 | random.below(4) << 19 | 2 << 5 | one, 0x91000000 | 3 << 10 | one << 5 | one);
        break;
      case 5:
        body.push(0xb9400148);
        break;
      case 6:
        body.push(movzHigh(0, 0x8400), HVC);
        break;
      default:
        body.push(0x91000000 | 1 + random.below(5) << 10 | one << 5 | one);
    }
  }
  return [...START, ...body, 0x14000000 | -body.length & 0x3ffffff];
}

/** Sets random breakpoints, some with conditions, and watchpoints. */
function set(control: DebugControl, random: Random, words: number): void {
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = BigInt(CODE) + 4n * BigInt(START.length + random.below(words - START.length));
    // (register & 3) == value
    const code = Uint8Array.of(0x26, 0, 4 + random.below(4), 0x22, 3, 0x0f, 0x22, random.below(4), 0x13, 0x27);
    const conditions: BreakpointCondition[] = random.below(3) ? [{ kind: "agent", code }] : [];
    if (random.below(4) === 0) conditions.push({ kind: "expression", text: `($x${4 + random.below(4)} & 7) == ${random.below(8)}` });
    assert.ok(control.insert(at, undefined, conditions));
  }
  if (random.below(2)) assert.ok(control.watch(DATA + BigInt(8 * random.below(SLOTS)), 8, KINDS[random.below(3)]));
}

/** A stop with its place in the run. */
const textOf = ({ cause, vcpu, pc, watch }: DebugStopped, control: DebugControl, instructions: number) =>
  [cause, vcpu, `0x${pc.toString(16)}`, watch?.kind, control.vcpu(vcpu)?.usage.instructions, instructions].join(" ");

/** The stops on the way forward, which gdb continues as gdb does: first a step. */
function forward(system: GuestSystem, control: DebugControl): string[] {
  const { machine } = system, stops: string[] = [];
  while (stops.length < STOPS && system.instructions() < RUN) {
    const result = machine.run(Infinity, 64);
    system.consoles.drain();
    system.events.drain();
    if (result.kind === "idle") machine.skipTo(result.next);
    const stop = control.takeStop();
    if (!stop) continue;
    if (stop.cause === "step") control.goOn(undefined);
    else {
      stops.push(textOf(stoppedAt(stop, control), control, system.instructions()));
      control.goOn(stop.vcpu);
    }
  }
  return stops;
}

interface Here {
  readonly system: GuestSystem;
  readonly control: DebugControl;
}

/** Goes back from a place once; the machine there, and the stop. */
function goBack(rerun: Rerun, { system, control }: Here): Here & { readonly stop: DebugStopped } {
  const way = wayBack({ rerun, instructions: system.instructions(), vms: VMS, control }, undefined);
  let stop: DebugStopped | undefined;
  while (!stop) stop = way.advance(1000);
  return { system: way.past.system as GuestSystem, control: way.past.system.debugger.control!, stop };
}

/** One random program, forward and back; returns its number of stops. */
async function compare(seed: number): Promise<number> {
  const random = new Random(seed), words = program(random);
  const what = { kind: "boot", image: imageOf(words), initrd: undefined, dtb: undefined, append: undefined } as const;
  const plan = await bootPlan({ cpus: 2, what, memory: 64 << 20 });
  const present = assemble(plan) as GuestSystem;
  runTo(present, BEGIN);
  const control = present.debugger.give(VMS, false);
  set(control, random, words.length);
  const seen = forward(present, control), end = present.instructions();

  // States that a session would keep.
  const other = assemble(plan) as GuestSystem, kept: Milestone[] = [];
  for (let count = 0; count < 3; count++) {
    runTo(other, Math.max(BEGIN, other.instructions()) + random.below((end - BEGIN) / 3 | 0 || 1));
    const instructions = other.instructions();
    kept.push({ at: other.machine.boundary, instructions, moment: instructions, inputs: 0, state: other.save() });
  }
  let machines = 0;
  const rerun = {
    mayBeWritten: () => true,
    milestone: (moment: unknown) => typeof moment === "number" ? kept.findLast(({ instructions }) => instructions < moment) : undefined,
    pastAt(from: Milestone | undefined) {
      machines++;
      return new Past(from ? loaded(plan, from.state) : assemble(plan), []);
    },
  };
  const found: string[] = [];
  let here: Here = { system: present, control };
  for (;;) {
    const { stop, ...there } = goBack(rerun, here);
    here = there;
    if (stop.cause === "history-start" || here.system.instructions() < BEGIN) break;
    found.push(textOf(stop, here.control, here.system.instructions()));
    assert.ok(found.length <= STOPS, found.join("\n"));
  }
  // The last one is where the way back began.
  assert.deepEqual(found.reverse(), seen.slice(0, seen.length < STOPS ? undefined : -1), `program ${seed}`);
  // A search and a run to what it found, and a search in each part without a stop.
  assert.ok(machines <= 2 * (found.length + 1) + kept.length + 1, `program ${seed}: ${machines} machines for ${found.length} stops`);
  return seen.length;
}

Deno.test("stops on the way back are those of the way forward; a condition that does not hold costs no search", async () => {
  let stops = 0;
  for (const seed of SEEDS) stops += await compare(seed);
  assert.ok(stops > 3 * SEEDS.length, `${stops} stops`);
});

Deno.test("a breakpoint that a loop reaches often is sought in the last instructions first, then before them", async () => {
  // Counts x4 up.
  const words = [movz(4, 0), 0x91000484, 0x17ffffff], add = BigInt(CODE) + 4n, run = 150_000;
  const what = { kind: "boot", image: imageOf(words), initrd: undefined, dtb: undefined, append: undefined } as const;
  const plan = await bootPlan({ what, memory: 64 << 20 });
  let machines = 0;
  const rerun: Rerun = {
    milestone: () => undefined,
    mayBeWritten: () => true,
    pastAt() {
      machines++;
      return new Past(assemble(plan), []);
    },
  };
  const system = assemble(plan) as GuestSystem;
  runTo(system, run);
  for (const [wanted, searches] of [[74_000, 2], [700, 3]] as const) {
    const control = system.debugger.give(VMS, false), from = machines;
    const code = Uint8Array.of(0x26, 0, 4, 0x24, 0, wanted >> 16, wanted >> 8, wanted, 0x13, 0x27);
    assert.ok(control.insert(add, undefined, [{ kind: "agent", code }]));
    const { stop, control: there } = goBack(rerun, { system, control });
    assert.equal(stop.cause, "breakpoint");
    assert.equal(there.vcpu(0)?.registers.getX(4), BigInt(wanted));
    // The searches, and the run to what they found.
    assert.ok(machines - from <= searches + 1, `${machines - from} machines`);
  }
});
