// A CPU that is alone runs several turns in one piece: state, times, events and every count are
// those of one turn after the other.

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { buildRootGuest } from "../../bench/root-guests.ts";
import { TRACE_KINDS, type TraceKind } from "../../src/machine/abi/trace.ts";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import { bootPlan, demoPlan } from "../session/snapshots/systems.ts";
import { imageOf } from "../app/cli/program.ts";
import { LONG } from "../support/long.ts";

type Assembled = ReturnType<typeof assemble>;

const QUANTUM = 20_000;
/** Turns per call of `Machine.run`, as a session has them. */
const TURNS = 8;

const udf = (imm16: number) => imm16;
const movz = (register: number, imm16: number) => 0xd2800000 | imm16 << 5 | register;
const HVC_IDENTIFY = 0xd4000002 | 0x6000 << 5;
const SUBS_X5_1 = 0xf10004a5, B_NE_BACK = 0x54ffffe1, NOP = 0xd503201f, WFI_FOREVER = [0xd503207f, 0x17ffffff];
/** Calls, then a loop, then an instruction that is UNDEFINED and was not reported yet. */
const PIECES = [1, 9_000, 30_000, 65_000, 12_345, 3].flatMap((turns, index) => [
  ...new Array<number>(9 * index).fill(HVC_IDENTIFY),
  ...[movz(5, turns), SUBS_X5_1, B_NE_BACK],
  udf(index),
]);
const VECTORS = 0x800 / 4;
/** Where the synchronous exceptions of EL1 lead; the image's header has 16 words. */
const SYNCHRONOUS = VECTORS + 0x200 / 4 - 16;
/** Steps over what was UNDEFINED. */
const HANDLER = [0xd5384020, 0x91001000, 0xd5184020, 0xd69f03e0];
const SET_VBAR = (at: number) => [0x10000000 | (VECTORS - at) << 5, 0xd518c000, 0xd5033fdf];
const CODE = [...SET_VBAR(16), ...PIECES, ...WFI_FOREVER];
const UNDEFINED = [...CODE, ...new Array<number>(SYNCHRONOUS - CODE.length).fill(NOP), ...HANDLER];

async function rootPlan(name: string, ...defines: string[]): Promise<SessionPlan> {
  const folder = await Deno.makeTempDir({ prefix: "el2-joined-turns-" });
  try {
    const { runtime, app } = await buildRootGuest(name, folder, defines);
    const root = { runtime: await Deno.readFile(runtime), app: await Deno.readFile(app) };
    const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } as const;
    return { cpus: 1, memory: 64 << 20, seed: 1, turbo: true, root, what };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Plans, and the virtual time (ns) up to which they run. */
const PLANS: Record<string, { readonly plan: () => Promise<SessionPlan>; readonly end: number }> = {
  "calls that repeat, and a VMM": { plan: () => rootPlan("calls", "CALLS=300"), end: 20_000_000 },
  "two VMs that wake each other": { plan: () => rootPlan("round-trips", "ROUND_TRIPS=100"), end: 10_000_000 },
  "a timer and a UART": { plan: () => bootPlan(), end: 60_000_000 },
  "UNDEFINED instructions": {
    plan: () => bootPlan({ what: { kind: "boot", image: imageOf(UNDEFINED), initrd: undefined, dtb: undefined, append: undefined } }),
    end: 50_000_000,
  },
  "the demo": { plan: () => demoPlan({ cpus: 1 }), end: 40_000_000 },
};

/** With UNDEFINED instructions traced, nothing is joined. */
const TRACED: Record<string, readonly TraceKind[] | undefined> = {
  "nothing traced": undefined,
  // Without those for which turns are not joined.
  "calls traced": TRACE_KINDS.filter((kind) => kind !== "trap"),
  "all traced": TRACE_KINDS,
};

/** How a run differs from others. */
interface Way {
  /** Turns per call of `Machine.run`; one turn is never joined with others. */
  readonly turns: number;
  /** Kinds of events that are traced: such exits are not repeated inside the core. */
  readonly traced?: readonly TraceKind[];
  /** Makes a mistake on purpose. */
  readonly spoil?: (system: Assembled) => void;
}

function run(plan: SessionPlan, end: number, { turns, traced, spoil }: Way) {
  const system = assemble(plan);
  const { machine, hypervisor, hashes } = system;
  spoil?.(system);
  let pieces = 0;
  const runCpu = hypervisor.run;
  hypervisor.run = function (cpu) {
    pieces++;
    runCpu.call(this, cpu);
  };
  const events: unknown[] = [];
  if (traced) {
    hypervisor.trace.listen(traced, ({ kind, name, time, at, number }) => {
      events.push([kind, name, time, at, number]);
      // Events of a device, at all distances.
      if (events.length % 7 === 0) {
        machine.events.schedule(time + events.length % 50_000, () => void events.push([machine.time, hypervisor.point()]));
      }
    });
  }
  finish(system, end, turns);
  return {
    pieces,
    state: {
      events,
      reported: system.events.drain(),
      memory: system.remember(),
      times: [machine.boundary, machine.time, machine.settled, machine.cpus],
      hashes: [hashes.registers(), hashes.memory()],
      point: hypervisor.point(),
      vcpus: [...hypervisor.scheduler.vcpus].map(({ name, usage }) => [name, usage.exits, usage.instructions, usage.time, usage.ranUntil]),
      console: system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join(""),
    },
  };
}

type State = ReturnType<typeof run>["state"];

function finish({ machine }: Assembled, end: number, turns: number): void {
  for (;;) {
    const result = machine.run(end, turns);
    if (result.kind === "time") return;
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, end));
    else assert.equal(result.kind, "turns");
  }
}

/** Compares part by part, and events one by one: a report of all differences would never end. */
function assertSame(one: State, other: State): void {
  for (const [index, event] of one.events.entries()) assert.deepEqual(event, other.events[index]);
  for (const part of Object.keys(one) as (keyof State)[]) assert.ok(isDeepStrictEqual(one[part], other[part]), part);
}

for (const [name, { plan: planOf, end }] of Object.entries(PLANS)) {
  // All that is traced has the calls.
  for (const [how, traced] of Object.entries(TRACED).filter(([how]) => LONG || how !== "calls traced")) {
    Deno.test(`turns in one piece are the same turns: ${name}, ${how}`, async () => {
      const plan = await planOf();
      const [each, joined, longer] = [1, TURNS, Infinity].map((turns) => run(plan, end, { turns, traced }));
      assertSame(joined.state, each.state);
      assertSame(longer.state, each.state);
      assert.ok(joined.pieces <= each.pieces && longer.pieces <= joined.pieces, `${[each, joined, longer].map(({ pieces }) => pieces)}`);
    });
  }
}

/** Mistakes in joining turns. */
const MISTAKES: Record<string, { readonly plan: string; readonly throws?: RegExp; readonly spoil: (system: Assembled) => void }> = {
  "events are not waited for": {
    plan: "calls that repeat, and a VMM",
    throws: /a CPU ran past an event/,
    spoil: ({ machine }) => Object.defineProperty(machine, "horizon", { get: () => machine.turnEnd + 3 * QUANTUM }),
  },
  "turns are not over when they are passed": {
    plan: "calls that repeat, and a VMM",
    spoil: ({ machine }) => machine.pass = () => {},
  },
  "an instruction is reported at the time of the exit before it": {
    plan: "UNDEFINED instructions",
    spoil: ({ hypervisor: { scheduler: { execution } } }) => execution.reached = () => 0,
  },
};

for (const [name, { plan: planned, throws, spoil }] of Object.entries(MISTAKES)) {
  Deno.test(`it is found when, on purpose, ${name}`, async () => {
    const { plan: planOf, end } = PLANS[planned];
    const plan = await planOf(), traced = TRACED["calls traced"];
    const [each, right] = [1, TURNS].map((turns) => run(plan, end, { traced, turns }));
    assert.ok(right.pieces < each.pieces, `${right.pieces} of ${each.pieces}`);
    assert.ok(isDeepStrictEqual(right.state, each.state));
    const wrong = () => run(plan, end, { traced, turns: TURNS, spoil });
    if (throws) assert.throws(wrong, throws);
    else assert.ok(!isDeepStrictEqual(wrong().state, each.state));
  });
}
