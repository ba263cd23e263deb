// A VM that has ended can be looked at, and gone back from.

import assert from "node:assert/strict";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { SessionEnd } from "../../../src/model/protocol/protocol.ts";
import type { TableName } from "../../../src/model/queries/tables.ts";
import { rightQuery } from "../inspection/system.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { Row } from "../../../src/model/queries/table.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { Session } from "./session-in-thread.ts";
import { assertPlanned } from "../../support/planned.ts";

/** `nop`, then `udf #0` with no vectors that could take it. */
const CRASHES = Uint8Array.of(0x1f, 0x20, 0x03, 0xd5, 0, 0, 0, 0);
/** PSCI SYSTEM_OFF: `mov w0, #8`, `movk w0, #0x8400, lsl #16`, `hvc #0`. */
const POWERS_OFF = Uint8Array.of(0x00, 0x01, 0x80, 0x52, 0x00, 0x80, 0xb0, 0x72, 0x02, 0x00, 0x00, 0xd4);

/** `wfi`, `b .-4`. */
const SLEEPS = Uint8Array.of(0x7f, 0x20, 0x03, 0xd5, 0xff, 0xff, 0xff, 0x17);

/** A plan of VMs that run these bytes. */
async function planVms(vms: Readonly<Record<string, Uint8Array>>, keys = ""): Promise<SessionPlan> {
  let plan: SessionPlan | undefined;
  await inFolder(async (folder) => {
    const tables = await Promise.all(
      Object.entries(vms).map(async ([vm, image]) => {
        await Deno.writeFile(`${folder}/${vm}.bin`, image);
        return `[vm.${vm}]\nimage = "${vm}.bin"\nmemory = "4MiB"\n${keys}`;
      }),
    );
    const result = await planText(`el2 = 1\n${tables.join("")}`, "test.toml", folder);
    assertPlanned(result);
    const { cpus, memory, seed, what } = result.run;
    plan = { cpus, memory, seed, what, turbo: true, history: true };
  });
  assert.ok(plan);
  return plan;
}

async function endOf(session: Session): Promise<SessionEnd> {
  return (await session.event("ended")).end;
}

async function rows(session: Session, table: TableName, args: AnyArguments): Promise<readonly Row[]> {
  const { error, rows } = await session.ask(rightQuery(table, args));
  assert.equal(error, undefined);
  return rows;
}

/** Registers, stack, code and memory of a VM whose vCPU 0 stopped at `pc`. */
async function look(session: Session, vm: string, pc: string): Promise<void> {
  const vcpu = `vcpu:${vm}/0`;
  const [listed] = (await rows(session, "vcpu.ls", {})).filter(({ id }) => id === vcpu);
  assert.equal(listed.pc, pc);
  const registers = await rows(session, "vcpu.regs", { vcpu });
  assert.equal(registers.find(({ name }) => name === "pc")?.value, pc);
  assert.equal((await rows(session, "vcpu.stack", { vcpu }))[0].pc, pc);
  assert.equal((await rows(session, "code", { at: `${vm}:0x80000000`, size: 1 }))[0].address, "0x0000000080000000");
  assert.match(String((await rows(session, "mem.read", { at: `ipa:${vm}/0x80000000`, size: 4 }))[0].bytes), /[1-9a-f]/);
  assert.ok((await rows(session, "vm.devices", { vm: `vm:${vm}` })).length > 0);
  assert.match(String((await rows(session, "vm.dtb", { vm: `vm:${vm}` }))[0].blob), /^d00dfeed/);
  assert.ok((await rows(session, "irq.ls", { filter: `vm=${vm}` })).length > 0);
}

Deno.test("the only VM has crashed: it can be looked at, the past can be gone to, and the end again", async () => {
  const session = new Session(await planVms({ dies: CRASHES }));
  assert.match((await endOf(session)).message, /^crashed: dies/);
  await look(session, "dies", "0x0000000000000200");
  const [vcpu] = (await rows(session, "vcpu.ls", {})).filter(({ id }) => id === "vcpu:dies/0");
  assert.equal(vcpu.state, "fault");
  assert.equal(await session.move({ kind: "step", by: -2 }), undefined);
  await look(session, "dies", "0x0000000080000004");
  assert.equal(await session.move({ kind: "event", filter: "kind=ioctl" }), undefined);
  assert.equal(await session.move({ kind: "now" }), undefined);
  await look(session, "dies", "0x0000000000000200");
  assert.match(await session.move({ kind: "step", by: 1 }) ?? "", /nothing after/);
  assert.match(await session.move({ kind: "next-event", filter: "" }) ?? "", /nothing after/);
  assert.deepEqual(session.rows("time.ls").map(({ kind }) => kind), ["start", "now"]);
});

Deno.test("a VM that powered itself off can be looked at", async () => {
  const session = new Session(await planVms({ goes: POWERS_OFF }));
  assert.deepEqual(await endOf(session), { code: 0, message: "every VM has ended" });
  await look(session, "goes", "0x000000008000000c");
});

Deno.test("in a replay a crashed VM can be looked at, and gone back from", async () => {
  const plan = await planVms({ dies: CRASHES });
  const first = new Session(plan), end = await endOf(first), at = first.engine.present.machine.boundary;
  const state = { ...end, own: true, instructions: 0, registers: "", memory: "", console: "" };
  const recording = { inputs: first.engine.inputs, checks: [], end: { at, end: state } };
  const session = new Session({ ...plan, replay: { recording, verify: false, to: undefined } });
  assert.deepEqual(await endOf(session), end);
  await look(session, "dies", "0x0000000000000200");
  assert.equal(await session.move({ kind: "step", by: -2 }), undefined);
  await look(session, "dies", "0x0000000080000004");
});

Deno.test("of VMs that end one after the other each is kept, and the run is the run without a look", async () => {
  const plan = await planVms({ one: CRASHES, two: POWERS_OFF, three: CRASHES });
  const kept = new Session(plan), alone = new Session({ ...plan, history: false });
  assert.deepEqual(await endOf(kept), await endOf(alone));
  await look(kept, "one", "0x0000000000000200");
  await look(kept, "two", "0x000000008000000c");
  await look(kept, "three", "0x0000000000000200");
  assert.equal(kept.hashes, alone.hashes);
  const { error } = await alone.ask({ table: "vcpu.regs", args: { vcpu: "vcpu:one/0" } });
  assert.match(error ?? "", /^no vcpu:one\/0/);
});

Deno.test("a VM that was made again is its new life, and one that restarts by itself is not kept", async () => {
  const session = new Session({ ...await planVms({ dies: CRASHES, stays: SLEEPS }), until: "kind=state vm=dies text~exited" });
  await session.event("ended");
  const first = (await rows(session, "vcpu.ls", { filter: "vm=dies" }))[0];
  assert.equal(first.state, "fault");
  const again = new Session({ ...await planVms({ dies: CRASHES, stays: SLEEPS }), duration: 5e7 });
  again.engine.act(1, { kind: "vm.start", vm: "dies" });
  await again.event("ended");
  const ids = (await rows(again, "vcpu.ls", {})).map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const restarts = new Session({ ...await planVms({ dies: CRASHES }, 'on_exit = "restart"\n'), duration: 2e6 });
  await restarts.event("ended");
  assert.deepEqual(restarts.engine.present.endedRows().vcpus, []);
});

Deno.test("a run that ends on failures ends where a VM crashes, with the others running; else it runs on", async () => {
  const plan = { ...await planVms({ dies: CRASHES, stays: SLEEPS }), history: false, duration: 60e9 };
  // A slice that lasts for ever: in turbo, all of the time passes within it.
  const { now } = performance;
  performance.now = () => 0;
  try {
    for (const turbo of [false, true]) {
      const session = new Session({ ...plan, turbo, endsOnFailure: true }), { code, message } = await endOf(session);
      assert.equal(code, 1);
      assert.match(message, /^dies: dies\/0 stopped: undefined instruction/);
      assert.ok(session.engine.present.machine.time < 1e9, `it ended at ${session.engine.present.machine.time} ns`);
    }
  } finally {
    performance.now = now;
  }
  assert.match((await endOf(new Session(plan))).message, /^60 s of virtual time passed; dies: /);
});
