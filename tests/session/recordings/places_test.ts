// Places of a run that answers have, on machines whose CPUs are all busy: going there leads to the
// instruction itself, and one step makes the change that the answer has.

import assert from "node:assert/strict";
import type { BootPlan, SessionPlan } from "../../../src/model/plans/plan.ts";
import { parseAs, vcpuId, vcpuName } from "../../../src/model/queries/ids.ts";
import type { PlainPlace } from "../../../src/model/queries/move.ts";
import { type QueryOf, rowsOf } from "../../../src/model/queries/query.ts";
import type { RowOf } from "../../../src/model/queries/table.ts";
import { WHO } from "../../../src/model/queries/tables.ts";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { bytesText } from "../../../src/kit/support/text/byte-text.ts";
import { hex } from "../../../src/kit/support/text/number-text.ts";
import { LONG } from "../../support/long.ts";
import { withGuest } from "../assembly/bare-metal.ts";
import { Session } from "../engine/session-in-thread.ts";
import { bootPlan } from "../snapshots/systems.ts";

/** Goes to a virtual time, and an instruction on: that is the run, as is what is found before. */
async function checkTime(session: Session, time: number): Promise<void> {
  const { engine } = session;
  assert.equal(await session.move({ kind: "time", at: time }), undefined);
  const passed = engine.system.machine.time - time;
  assert.ok(passed >= 0 && passed <= QUANTUM + EXIT_COST, `${passed} ns after ${time}`);
  assert.equal(await session.move({ kind: "step", by: 1 }), undefined);
  const next = session.hashes;
  assert.equal(await session.move({ kind: "now" }), undefined);
  assert.equal(await session.move({ kind: "instructions", count: Number.parseInt(next) }), undefined);
  assert.equal(session.hashes, next);
  const asked: Asked = { at: "host:atomic", size: 8 };
  const [place] = rowsOf(WHO, await session.ask({ table: "who", args: { ...asked, before: { kind: "time", at: time } } }));
  assert.ok(Number(place.t) <= time + QUANTUM + EXIT_COST);
  await check(session, asked, place);
}

/** A replay up to a place is where going back is, and the run that leads there is the same. */
async function checkReplay(session: Session, plan: SessionPlan, to: PlainPlace): Promise<void> {
  const { present } = session.engine;
  const at = present.machine.boundary, end = { instructions: 0, registers: "", memory: "", console: "", code: 0, message: "", own: false };
  assert.equal(await session.move(to), undefined);
  const replay = new Session({
    ...plan,
    history: false,
    replay: { recording: { inputs: [], checks: [], end: { at, end } }, verify: false, to },
  });
  const { end: { code, message } } = await replay.event("ended");
  assert.deepEqual({ code, message }, {
    code: 0,
    message: `replayed up to ${to.kind === "time" ? `${to.at / 1e9} s` : `instruction ${to.count}`}`,
  });
  assert.equal(replay.hashes, session.hashes, message);
  assert.equal(replay.engine.system.machine.time, session.engine.system.machine.time, message);
}

/** Places of each kind of answer on a machine, and instructions of its CPUs together. */
const PLACES = LONG ? 40 : 2, LENGTH = LONG ? 40_000_000 : 400_000;

/** Virtual time (ns) of a turn, which a CPU that waits passes at once. */
const QUANTUM = 20_000;
/** Virtual time (ns) of an exit: the time of an event is that after it. */
const EXIT_COST = 1000;

type Asked = QueryOf<"who">["args"];
type Place = RowOf<typeof WHO>;

/** Questions about everything that the CPUs write, read and execute. */
function questions(cpus: number): Asked[] {
  const memory = (symbol: string, size: number, access: Asked["access"] = "write"): Asked => ({ at: `host:${symbol}`, size, access });
  return [
    memory("atomic", 8),
    memory("exclusive", 8),
    memory("block+8", 8),
    memory("block+500", 1),
    memory("atomic", 8, "read"),
    memory("step", 4, "exec"),
    { access: "event", filter: "kind=psci" },
    { access: "event", filter: "kind=mmio" },
    ...Array.from({ length: cpus }, (_, cpu): Asked[] => [memory(`own+${8 * cpu}`, 8), { at: `reg:host/${cpu}/x26` }]).flat(),
  ];
}

/** The value that a question is about, as its answer has it; undefined: it has none. */
function valueOf({ engine: { system } }: Session, { at, size = 1, access }: Asked): string | undefined {
  if (at === undefined || access === "exec") return undefined;
  const register = parseAs("reg", at), { inspector, machine, symbols } = system;
  if (!register) return bytesText(machine.ram.bytes(inspector.ramAt(at, size)[0], size));
  const vcpu = symbols.vcpus(register.vm)[register.index];
  return hex(inspector.registerOf(vcpuId(vcpuName(register.vm, register.index)), register.name)(vcpu), 16);
}

/** Goes to a place of an answer and looks, and once more an instruction later. */
async function check(session: Session, asked: Asked, { id, t, by, pc, before, after }: Place): Promise<void> {
  const number = parseAs("insn", id)?.number, what = `${id} of ${JSON.stringify(asked)}`;
  assert.ok(number !== undefined && by !== null, what);
  assert.equal(await session.move({ kind: "instructions", count: number }), undefined, what);
  const { engine } = session, vcpu = engine.system.symbols.vcpus("host").find((_, index) => vcpuId(vcpuName("host", index)) === by);
  assert.equal(engine.system.instructions(), number, what);
  const passed = Number(t) - engine.system.machine.time;
  assert.ok(passed >= 0 && passed <= (asked.access === "event" ? EXIT_COST : 0) + 1, `${passed} ns pass at ${what}`);
  assert.equal(vcpu && hex(vcpu.registers.pc, 16), pc, `PC at ${what}`);
  const value = valueOf(session, asked);
  if (value === undefined) return;
  assert.equal(value, before, `before ${what}`);
  assert.equal(await session.move({ kind: "instructions", count: number + 1 }), undefined, what);
  assert.equal(valueOf(session, asked), after, `after ${what}`);
}

for (const cpus of [1, 2, 4]) {
  Deno.test(`places of answers lead to the instruction, CPUs that are all busy: ${cpus}`, () =>
    withGuest("busy-cpus", ["-march=armv8.7-a+mops"], async (elf) => {
      const image = await Deno.readFile(elf),
        what: BootPlan = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined };
      const plan = await bootPlan({ cpus, cpu: planCpu("max"), memory: 64 << 20, what, history: LONG });
      const session = new Session(plan);
      if (LONG) await session.runOn(LENGTH);
      session.engine.pause(true);
      await session.event("paused");
      if (!LONG) assert.equal(await session.move({ kind: "step", by: LENGTH }), undefined);
      assert.equal(session.engine.present.symbols.vcpus("host").filter(({ usage }) => usage.instructions > LENGTH / 2 / cpus).length, cpus);
      const places: [Asked, Place][] = [];
      for (const asked of questions(cpus)) {
        const answer = await session.ask({ table: "who", args: { ...asked, limit: PLACES } });
        assert.equal(answer.error, undefined);
        const rows = rowsOf(WHO, answer);
        assert.equal(rows.length, PLACES, JSON.stringify(asked));
        places.push(...rows.map((row): [Asked, Place] => [asked, row]));
      }
      for (const [asked, place] of places) await check(session, asked, place);
      const { machine } = session.engine.present;
      for (const part of [0.51, 0.76, 0.93]) await checkTime(session, Math.floor(part * machine.time) + 0.5);
      const [time, count] = [machine.time, session.engine.present.instructions()];
      for (const part of [0.3, 0.77]) {
        await checkReplay(session, plan, { kind: "time", at: Math.floor(part * time) });
        await checkReplay(session, plan, { kind: "instructions", count: Math.floor(part * count) });
      }
      assert.equal(await session.move({ kind: "now" }), undefined);
      if (LONG) console.log(`${places.length} places of ${cpus} CPUs`);
      session.engine.stop();
    }));
}
