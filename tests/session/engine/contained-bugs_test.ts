// An exception in el2 itself in a device, or while a vCPU's exit is handled, ends that device or
// that VM; one in an answer ends the answer. The others continue, and a report with a recording is
// kept.

import assert from "node:assert/strict";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import { writeBugReport } from "../../../src/session/engine/bug-report.ts";
import { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { SESSION, type SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { Inspector } from "../../../src/session/inspection/inspector.ts";
import { type Query, rowsOf } from "../../../src/model/queries/query.ts";
import { DIAGNOSES, REASONS } from "../../../src/model/queries/tables.ts";
import { plannedRecording } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { MachineServer } from "../../../src/session/worker/machine-server.ts";
import { Outbox } from "../../../src/session/worker/outbox.ts";
import { ConsoleDevice } from "../../../src/machine/virtio/console/console.ts";
import { demoPlan } from "../snapshots/systems.ts";

/** A session from its start to its end. */
class Session implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
  readonly ended = Promise.withResolvers<Extract<SessionEvent, { kind: "ended" | "failed" }>>();
  readonly answers = new Map<number, PromiseWithResolvers<Extract<SessionEvent, { kind: "answer" }>["answer"]>>();
  /** Lines about the session itself. */
  readonly notes: string[] = [];
  /** The consoles' text. */
  readonly shown: Record<string, string> = {};
  readonly server: MachineServer;
  #reported = Promise.resolve<string | undefined>(undefined);

  constructor(plan: SessionPlan) {
    const outbox = new Outbox((events) => events.forEach((event) => this.#hear(event)));
    this.server = new MachineServer(outbox, () => false, (run) => this.#reported = writeBugReport(run, this.folder));
    this.server.receive([{ kind: "start", plan }], () => {});
  }

  /** The report of a bug, and what it says. */
  async report(): Promise<{ path: string; text: string }> {
    const path = await this.#reported;
    assert.ok(path !== undefined, "nothing was reported");
    return { path, text: await Deno.readTextFile(path) };
  }

  ask(table: "diagnose" | "why", filter: string) {
    const id = this.answers.size + 1, answer = Promise.withResolvers<Extract<SessionEvent, { kind: "answer" }>["answer"]>();
    this.answers.set(id, answer);
    this.server.receive([{ kind: "query", id, query: { table, args: { filter } } }], () => {});
    return answer.promise;
  }

  #hear(event: SessionEvent): void {
    if (event.kind === "ended" || event.kind === "failed") this.ended.resolve(event);
    if (event.kind === "answer") this.answers.get(event.id)!.resolve(event.answer);
    if (event.kind === "events") this.notes.push(...event.events.filter(({ vcpu }) => vcpu === SESSION).map(({ text }) => text));
    if (event.kind !== "console") return;
    this.shown[event.console] = (this.shown[event.console] ?? "") + new TextDecoder().decode(event.bytes);
    this.server.receive([{ kind: "taken", bytes: event.bytes.length }], () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.receive([{ kind: "stop" }], () => {});
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Lets a method throw while a run lasts. */
async function withBug<T extends object, K extends keyof T>(object: T, method: K, broken: T[K], run: () => Promise<void>): Promise<void> {
  const whole = object[method];
  object[method] = broken;
  try {
    await run();
  } finally {
    object[method] = whole;
  }
}

/** Runs the recording of a report again. Gives how that ends. */
async function replayed(path: string) {
  const { plan, ...recording } = await plannedRecording(path.replace(/\.txt$/, ".rec"));
  await using again = new Session({ ...plan, turbo: true, replay: { recording, verify: false, to: undefined } });
  return await again.ended.promise;
}

Deno.test("an exception in a device ends the device, and all VMs continue", async () => {
  const text = `el2 = 1\n[vm.teletype]\nimage = "teletype.bin"\nmemory = "4MiB"\ndevices = [{ kind = "console" }]
[vm.hello]\nimage = "hello.bin"\nmemory = "4MiB"\ncmdline = "ticks=20 ms=10"\n`;
  const planned = await planText(text, undefined, "assets/guests");
  assert.ok(planned.ok);
  const { ui: _, recordTo: _recordTo, ...run } = planned.run, plan = { ...run, turbo: true, duration: 1e9 };
  const broken = () => {
    throw new TypeError("the bug");
  };
  await withBug(ConsoleDevice.prototype, "notify", broken, async () => {
    await using session = new Session(plan);
    const end = await session.ended.promise;
    assert.ok(end.kind === "ended", JSON.stringify(end));
    assert.equal(end.end.code, 1);
    assert.match(end.end.message, /dev:teletype\/console0 is out of order: TypeError: the bug/);
    assert.match(session.shown.hello, /20/);
    const [told] = rowsOf(DIAGNOSES, await session.ask("diagnose", "id=vm:teletype"));
    assert.match(told.text, /nothing will raise: dev:teletype\/console0 is out of order by a defect of el2, not of its driver: TypeError/);
    assert.match(told.way_out ?? "", /^reset the device by Status 0, and set it up again; file the report/);
    const { path, text } = await session.report();
    assert.deepEqual(session.notes, [`bug of el2 in dev:teletype/console0, which is out of order: TypeError: the bug (report: ${path})`]);
    assert.match(
      text,
      /^el2 \S+ failed in dev:teletype\/console0, and continued without it at t=0\.0\d+s, [^\n]*\nIt happens again with: /,
    );
    const again = await replayed(path);
    assert.ok(
      again.kind === "ended" && again.end.code === 1 && again.end.message === "a bug of el2: TypeError: the bug",
      JSON.stringify(again),
    );
  });
});

Deno.test("an exception while a VM's exit is handled ends the VM, and the others continue", async () => {
  const whole = Vcpu.prototype.waitForInterrupt;
  const broken = function (this: Vcpu) {
    if (!this.native && this.services.names.vm(this.addressSpace!.vmid) === "hello" && this.services.now > 5e8) {
      throw new TypeError("the bug");
    }
    whole.call(this);
  };
  await withBug(Vcpu.prototype, "waitForInterrupt", broken, async () => {
    await using session = new Session(await demoPlan({ duration: 3e9 }));
    const end = await session.ended.promise;
    assert.ok(end.kind === "ended", JSON.stringify(end));
    assert.equal(end.end.code, 1);
    assert.match(end.end.message, /vcpu:hello\/0 is out of order: TypeError: the bug/);
    assert.match(session.shown.ping, /96 message round trips/);
    const [verdict] = rowsOf(DIAGNOSES, await session.ask("diagnose", "id=vm:hello"));
    assert.match(`${verdict.verdict}: ${verdict.text}`, /^failed: hello\/0 stopped: an exception in el2 itself at 0x8000\w+/);
    const [reason] = rowsOf(REASONS, await session.ask("why", "ended=vm:hello"));
    assert.match(reason.way_out ?? "", /^file the report/);
    const others = rowsOf(DIAGNOSES, await session.ask("diagnose", "id!=vm:hello"));
    assert.deepEqual(others.map(({ id, verdict }) => `${id} ${verdict}`), ["vm:ping waits", "vm:pong waits"]);
    const { path } = await session.report();
    const again = await replayed(path);
    assert.ok(again.kind === "ended" && again.end.code === 1, JSON.stringify(again));
  });
});

Deno.test("an exception while an exit of the host is handled ends the machine, and its replay gets there", async () => {
  const whole = Vcpu.prototype.waitForInterrupt;
  const broken = function (this: Vcpu) {
    if (this.native && this.settings.isCritical && this.services.now > 5e8) throw new TypeError("the bug");
    whole.call(this);
  };
  await withBug(Vcpu.prototype, "waitForInterrupt", broken, async () => {
    await using session = new Session(await demoPlan());
    const end = await session.ended.promise;
    assert.ok(end.kind === "failed", JSON.stringify(end));
    assert.match(end.message, /^TypeError: the bug \(report: /);
    const { path } = await session.report();
    const again = await replayed(path);
    assert.ok(again.kind === "failed" && again.message.startsWith("TypeError: the bug"), JSON.stringify(again));
  });
});

Deno.test("an exception while a question is answered ends the answer alone, and is reported once", async () => {
  const whole = Inspector.prototype.answering;
  const broken = function (this: Inspector, query: Query) {
    if (query.table === "why") throw new TypeError("the bug");
    return whole.call(this, query);
  };
  await withBug(Inspector.prototype, "answering", broken, async () => {
    await using session = new Session(await demoPlan({ duration: 3e9 }));
    const answers = [await session.ask("why", ""), await session.ask("why", "failed=yes")];
    for (const { rows, error } of answers) {
      assert.deepEqual([rows, error], [
        [],
        "why cannot be answered: TypeError: the bug, an exception in el2 itself; the machine continues",
      ]);
    }
    assert.equal((await session.ask("diagnose", "")).error, undefined);
    const end = await session.ended.promise;
    assert.ok(end.kind === "ended" && end.end.code === 0, JSON.stringify(end));
    const { path, text } = await session.report();
    assert.deepEqual(session.notes, [`bug of el2 in the answer to why: TypeError: the bug (report: ${path})`]);
    assert.match(
      text,
      /^el2 \S+ failed to answer why \{"filter":""\}, and continued at t=[^\n]*\nThe question was asked at the end of: el2 replay /,
    );
    const again = await replayed(path);
    assert.ok(again.kind === "ended" && again.end.code === 0, JSON.stringify(again));
  });
});
