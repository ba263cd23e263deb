// Injected faults on the whole stack: the demo, whose native host makes three VMs.

import assert from "node:assert/strict";
import { ValiError } from "valibot";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { FAULT_KINDS, INJECTED_SECTION } from "../../../src/machine/abi/faults.ts";
import { Checker } from "../../../src/machine/hypervisor/check/check.ts";
import type { FaultsState } from "../../../src/machine/hypervisor/services/faults.ts";
import { FaultRuleError, FAULTS, parseFaultRule } from "../../../src/model/queries/fault-rule.ts";
import { isSection } from "../../support/specification.ts";
import { Random } from "../../support/random.ts";
import { demoSystem, rows, runUntil } from "./system.ts";
import { nameOf } from "../../../src/model/queries/ids.ts";
import { problemText } from "../../../src/kit/support/problem.ts";
import { LONG } from "../../support/long.ts";

/** The demo with these rules from the start, run for `ms` milliseconds. */
async function demo(ms: number, ...rules: string[]): Promise<GuestSystem> {
  const system = await demoSystem();
  for (const rule of rules) system.hypervisor.faults.add(parseFaultRule(rule));
  runUntil(system, ms * 1e6);
  return system;
}

/** The reason of the refusal that was injected. */
function injectedReason(system: GuestSystem) {
  const found = rows(system, "why").find(({ section, rule }) => section === "el2 inject" && rule === "a fault was injected");
  assert.ok(found, "there is a reason");
  return found;
}

/** The hits of each rule. */
const hits = (system: GuestSystem) => system.hypervisor.faults.entries.map((entry) => entry.hits);

Deno.test("without rules none is evaluated, and the hypercall table is unchanged", async () => {
  const system = await demo(50);
  const { faults } = system.hypervisor;
  const plain = system.hashes.memory();
  assert.deepEqual(Object.values(faults.armed), Object.values(faults.armed).map(() => false));
  const touched = await demoSystem();
  const id = touched.hypervisor.faults.add(parseFaultRule("hvc -> BUSY"));
  assert.ok(touched.hypervisor.faults.remove(id));
  runUntil(touched, 50e6);
  assert.equal(touched.hashes.memory(), plain);
  assert.equal(touched.hashes.registers(), system.hashes.registers());
});

Deno.test("a rule that counts and never hits changes nothing", async () => {
  const plain = await demo(50);
  const counted = await demo(
    50,
    "hvc nth=1000000 -> BUSY",
    "virq nth=1000000 -> lose",
    "rpc nth=1000000 -> lose",
    "alloc nth=1000000 -> NOMEM",
  );
  assert.ok(counted.hypervisor.faults.entries.every(({ seen }) => seen > 0), "each counts");
  assert.equal(counted.hashes.registers(), plain.hashes.registers());
  assert.equal(counted.hashes.memory(), plain.hashes.memory());
});

Deno.test("the same rules give the same run", async () => {
  const rules = ["virq vm=ping every=7 -> lose", "hvc name=msgqueue_send every=5 -> delay 20us", "rpc msg=VM_INIT nth=2 -> delay 3ms"];
  const [a, b] = [await demo(80, ...rules), await demo(80, ...rules)];
  assert.ok(hits(a).every((count) => count > 0), String(hits(a)));
  assert.deepEqual(hits(a), hits(b));
  assert.equal(a.hashes.registers(), b.hashes.registers());
  assert.notEqual(a.hashes.registers(), (await demo(80)).hashes.registers());
});

Deno.test("a request that is refused by a rule tells its rule as event and as reason", async () => {
  const system = await demo(50, "rpc msg=MEM_LEND,MEM_SHARE nth=2 -> NOMEM");
  const [event] = rows(system, "events", { filter: "kind=rule" });
  assert.equal(event.name, "injected");
  assert.match(event.text, /inject:1.*MEM_LEND,MEM_SHARE nth=2 -> NOMEM/);
  const why = injectedReason(system);
  assert.equal(why.err, "ENOMEM");
  assert.equal(why.call, "GH_VM_START");
  assert.deepEqual(hits(system), [1]);
  assert.equal(rows(system, "inject.ls")[0].hits, "1");
});

Deno.test("a hypercall that is refused by a rule does nothing, and its reason is the innermost", async () => {
  const system = await demo(50, "hvc name=addrspace_map vm=rm nth=19 -> BUSY");
  const chain = injectedReason(system).chain as { name: string }[];
  assert.deepEqual(chain.map(({ name }) => name), ["GH_VM_START", "VM_START", "addrspace_map"]);
  assert.deepEqual(rows(system, "mem.check"), []);
});

Deno.test("a fault that its caller has no answer to stops the machine, which says so", async () => {
  const system = await demo(50, "hvc name=addrspace_map vm=rm nth=1 -> BUSY");
  const { code, message } = system.ended()!;
  assert.equal(code, 1);
  assert.match(message, /^vcpu:rm\/0: the Resource Manager cannot boot: addrspace_map\(.*\) answered BUSY \(faults injected: 1\)$/);
});

Deno.test("a request that is lost has no answer, one that is delayed has it later, one that is doubled is handled twice", async () => {
  const initialised = (system: GuestSystem) => rows(system, "events", { filter: "kind=rpc name=VM_INIT" });
  const plain = initialised(await demo(50));
  const late = initialised(await demo(50, "rpc msg=VM_INIT nth=1 -> delay 4ms"));
  assert.equal(late.length, plain.length);
  const shift = Number(late.at(-1)!.t) - Number(plain[0].t);
  assert.ok(shift >= 4e6 && shift < 4.2e6, `${shift} ns`);
  assert.equal(initialised(await demo(50, "rpc msg=VM_INIT -> lose")).length, 0);
  const twice = initialised(await demo(50, "rpc msg=VM_INIT nth=1 -> double"));
  assert.equal(twice.length, plain.length + 1);
});

Deno.test("a notification can be lost and doubled", async () => {
  const system = await demo(50, "rpc type=notification nth=1 -> lose", "rpc type=notification nth=2 -> double");
  assert.deepEqual(hits(system), [1, 1]);
});

Deno.test("allocations fail by name, and nothing is left over", async () => {
  for (const [what, nth] of [["heap", 70], ["tables", 16], ["virq", 6], ["page", 4]] as const) {
    const system = await demo(50, `alloc what=${what} nth=${nth} -> NOMEM`);
    assert.deepEqual(hits(system), [1], `${what}: ${system.hypervisor.faults.entries[0].seen}`);
    assert.equal(system.ended(), undefined, what);
    assert.ok(
      rows(system, "why").some(({ section, rule, values }) =>
        section === "el2 inject" && rule === "a fault was injected" && /"inject:1"/.test(JSON.stringify(values))
      ),
      `${what}: somebody was refused, by the rule`,
    );
    assert.deepEqual(rows(system, "mem.check"), [], what);
  }
});

Deno.test("an order to the platform's firmware is refused as on a real platform", async () => {
  const system = await demo(50, "assign nth=1 -> DENIED");
  assert.ok(
    rows(system, "why").some(({ rule, call }) => call === "GH_VM_START" && /firmware refuses: a fault was injected/.test(rule)),
  );
});

Deno.test("interrupts are lost, late or doubled", async () => {
  // A rule that never hits counts the balls.
  const count = "hvc name=msgqueue_send vm=pong nth=999999 -> BUSY";
  const balls = (system: GuestSystem) => system.hypervisor.faults.entries[0].seen;
  const plain = balls(await demo(10, count));
  assert.ok(plain > 0);
  const lost = await demo(10, count, "virq vm=pong nth=20.. -> lose");
  assert.ok(balls(lost) < plain, "a guest that is not told waits");
  const late = await demo(10, count, "virq vm=pong -> delay 500us");
  assert.ok(balls(late) < plain && balls(late) > 0, `${balls(late)} of ${plain}`);
  assert.ok(hits(await demo(10, count, "virq vm=ping every=3 -> double"))[1] > 0);
});

Deno.test("ioctls of a VMM fail, wait or take longer as a rule says", async () => {
  const configuration = `el2 = 1\n[machine]\nmemory = "96MiB"\n[host]\nmemory = "64MiB"\ndevice = "v17"
[vm.hello]\nimage = "hello.bin"\nmemory = "4MiB"\n`;
  const started = async (rule: string) => {
    const system = await demoSystem(configuration);
    system.hypervisor.faults.add(parseFaultRule(rule));
    runUntil(system, 10e6);
    return { system, running: rows(system, "vm.ls", { filter: "id=vm:hello state=running" }).length === 1 };
  };
  const refused = await started("ioctl name=GH_VM_START nth=1 -> EBUSY");
  assert.match(refused.system.ended()!.message, /START: EBUSY/);
  assert.deepEqual((injectedReason(refused.system).chain as { name: string }[]).map(({ name }) => name), ["GH_VM_START"]);
  const waiting = await started("ioctl name=GH_VM_START -> lose");
  assert.deepEqual([waiting.running, waiting.system.ended()], [false, undefined]);
  const late = await started("ioctl name=GH_VM_START -> delay 3ms");
  assert.ok(late.running);
  assert.deepEqual(hits(late.system), [1]);
});

Deno.test("rules come and go while the machine runs, and end with their number", async () => {
  const system = await demo(1);
  const { inspector } = system;
  assert.equal(inspector.act({ kind: "inject.add", rule: "virq vm=pong -> delay 10us" }), undefined);
  assert.match(problemText(inspector.act({ kind: "inject.add", rule: "virq vm=pong -> loose" })!), /not one of virq; did you mean "lose"/);
  assert.match(
    problemText(inspector.act({ kind: "inject.add", rule: "virq vm=png -> lose" })!),
    /no VM called "png"; did you mean "p[io]ng"/,
  );
  assert.match(problemText(inspector.act({ kind: "inject.add", rule: "hvc vcpu=ping/7 -> BUSY" })!), /no vCPU called "ping\/7"/);
  assert.match(problemText(inspector.act({ kind: "inject.add", rule: "dev=ping/blk0 -> die" })!), /no VM of this machine has virtio/);
  runUntil(system, 10e6);
  assert.ok(hits(system)[0] > 0);
  assert.match(
    problemText(inspector.act({ kind: "inject.remove", rule: "7" })!),
    /no rule called "inject:7"; list them with el2 inject --list/,
  );
  assert.equal(inspector.act({ kind: "inject.remove", rule: "inject:1" }), undefined);
  assert.deepEqual(rows(system, "inject.ls"), []);
  assert.equal(system.hypervisor.faults.add(parseFaultRule("virq -> lose")), "inject:2");
  const state = system.hypervisor.faults.save();
  system.hypervisor.faults.clear();
  assert.ok(!system.hypervisor.faults.armed.virq);
  system.hypervisor.faults.restore(structuredClone(state));
  assert.ok(system.hypervisor.faults.armed.virq);
});

Deno.test("the VMs, vCPUs and virtio devices that rules may name before a run are those that the machine has", async () => {
  const vm = `image = "hello.bin"\nmemory = "4MiB"\n`, disk = `{ kind = "rng" }, { kind = "vsock" }, { kind = "balloon" }`;
  const configuration = `el2 = 1\n[machine]\ncpus = 3\nmemory = "96MiB"\n[host]\nmemory = "64MiB"\nvcpus = 2
[vm.a]\n${vm}vcpus = 2\n[vm.b]\n${vm}schedule = "own"\ndevices = [${disk}]\n`;
  for (const text of [undefined, configuration]) {
    const system = await demoSystem(text), { known } = system.vms;
    runUntil(system, 50e6);
    const ids = (table: "vm.ls" | "vcpu.ls") => rows(system, table).map(({ id }) => nameOf(id)).sort();
    assert.deepEqual(known.map(({ name }) => name).sort(), ids("vm.ls"));
    const vcpus = known.flatMap(({ name, vcpus }) => Array.from({ length: vcpus! }, (_, index) => `${name}/${index}`));
    assert.deepEqual(vcpus.sort(), ids("vcpu.ls"));
    assert.deepEqual(known.flatMap(({ name, devices }) => devices.map((dev) => `dev:${name}/${dev}`)), system.virtio.map(({ id }) => id));
  }
});

Deno.test("rules of a snapshot that are none are refused by name", async () => {
  const system = await demo(0, "virq vm=pong nth=3.. -> delay 10us", "rpc msg=MEM_LEND -> NOMEM");
  const part = system.parts.find(({ name }) => name === "faults")!;
  const whole = part.save() as FaultsState;
  part.restore(structuredClone(whole));
  assert.deepEqual(part.save(), whole);
  const refused = (change: (rule: Record<string, unknown>, entry: Record<string, unknown>, state: Record<string, unknown>) => void) => {
    const state = structuredClone(whole) as unknown as { entries: Record<string, unknown>[] };
    change(state.entries[0].rule as Record<string, unknown>, state.entries[0], state as unknown as Record<string, unknown>);
    assert.throws(() => part.restore(state), ValiError);
  };
  refused((_rule, _entry, state) => state.entries = [undefined]);
  refused((_rule, entry) => delete entry.rule);
  refused((_rule, entry) => entry.id = "inject:x");
  refused((_rule, entry) => entry.seen = -1);
  refused((rule) => rule.kind = "none");
  refused((rule) => rule.conditions = [undefined]);
  refused((rule) => rule.step = 0);
  refused((rule) => rule.effect = { kind: "delay" });
  assert.deepEqual(part.save(), whole);
});

/** A random rule that is right. */
function randomRule(random: Random): string {
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)];
  const kind = pick(FAULT_KINDS);
  const { fields, words, errors, effects } = FAULTS[kind];
  const conditions = Object.keys(fields).filter(() => random.below(3) === 0).flatMap((field) =>
    field === "vm" ? [`vm=${pick(["rm", "host", "ping", "pong", "p*"])}`] : words[field] ? [`${field}=${pick(words[field])}`] : []
  );
  const nth = `nth=${1 + random.below(60)}${pick(["", "..", "", `..${60 + random.below(100)}`])}`;
  const effect = pick([...Object.keys(errors), ...Object.keys(effects)]);
  return `${kind} ${conditions.join(" ")} ${nth} every=${1 + random.below(5)} -> ${effect}${
    effect === "delay" ? ` ${1 + random.below(900)}us` : ""
  }`;
}

const RUNS = LONG ? 500 : 8;

Deno.test(`${RUNS} runs with random faults break no invariant, and no program of el2 ends without a reason`, async () => {
  for (let seed = 0; seed < RUNS; seed++) {
    const random = new Random(seed);
    const system = await demoSystem();
    system.hypervisor.checker = new Checker(system.hypervisor);
    const rules: string[] = [];
    while (rules.length < 4) {
      const rule = randomRule(random);
      try {
        system.hypervisor.faults.add(parseFaultRule(rule));
        rules.push(rule);
      } catch (error) {
        // Not every effect fits every operation.
        if (!(error instanceof FaultRuleError)) throw error;
      }
    }
    const about = `seed ${seed}: ${rules.join("; ")}`;
    try {
      runUntil(system, 30e6);
    } catch (error) {
      throw new Error(about, { cause: error });
    }
    const message = system.ended()?.message ?? "";
    assert.match(message, /^$|^vcpu:(rm|host)\/\d: .*faults injected|^crashed: |^every VM has ended/s, `${about}: ${message}`);
    assert.deepEqual(rows(system, "mem.check"), [], about);
    // All refusals so far: W33.
    for (const { section, rule } of system.hypervisor.trace.reasons.list()) {
      assert.ok((isSection(section) || section === INJECTED_SECTION) && rule !== "no rule was recorded", `${about}: ${section}: ${rule}`);
    }
  }
});
