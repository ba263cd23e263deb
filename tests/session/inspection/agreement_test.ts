// Two places that show the same figure show the same one: tables, samples, the Resource Manager's
// own answers and the host's own books, in random states of four VMs.

import assert from "node:assert/strict";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { Row } from "../../../src/model/queries/table.ts";
import { listQuery, type ListTable, type Query } from "../../../src/model/queries/query.ts";
import { Life, randomInput } from "../engine/life.ts";
import { demoPlan } from "../snapshots/systems.ts";
import { Random } from "../../support/random.ts";
import { LONG } from "../../support/long.ts";

const STATES = LONG ? 500 : 25;

/** The demo and a VM whose vCPUs the hypervisor schedules. */
async function fourVms(): Promise<SessionPlan> {
  const plan = await demoPlan({ cpus: 2 });
  assert.ok(plan.what.kind === "run");
  const { host } = plan.what;
  const schedule = { affinity: "static", affinityMap: [1], priority: -1, timeslice: 5000 } as const;
  const own = { ...host.vms[0], name: "own", schedule, console: false, links: [], onExit: host.vms[0].onExit };
  return { ...plan, what: { ...plan.what, host: { ...host, vms: [...host.vms, own] } } };
}

type Rows = readonly Row[];
const sum = (rows: Rows, column: string) => rows.reduce((total, row) => total + Number(row[column] ?? 0), 0);
const of = (rows: Rows, column: string, value: unknown) => rows.filter((row) => row[column] === value);

/** Differences between two places that show the same figure. */
class Figures {
  readonly different: string[] = [];

  same(what: string, one: unknown, other: unknown): void {
    if (JSON.stringify(one) !== JSON.stringify(other)) this.different.push(`${what}: ${JSON.stringify(one)} and ${JSON.stringify(other)}`);
  }
}

const table = (system: System, name: ListTable) => rowsTo(system, listQuery(name, { limit: 100_000 }));

function rowsTo(system: System, query: Query): Rows {
  const { rows, error } = system.inspector.answer(query);
  assert.equal(error, undefined);
  return rows;
}

/** Compares what is shown of one state. */
function compare(system: GuestSystem): string[] {
  const figures = new Figures();
  const vms = table(system, "vm.ls"), vcpus = table(system, "vcpu.ls"), limits = table(system, "mem.limits");
  const parcels = table(system, "mem.parcels"), caps = table(system, "caps.ls"), objects = table(system, "obj.ls");
  const map = table(system, "mem.map"), queues = table(system, "queue.ls"), irqs = table(system, "irq.ls");
  const why = table(system, "why"), events = table(system, "events"), rpcs = table(system, "rpc.ls");
  const { at } = system.inspector.answer({ table: "vm.ls", args: {} });
  const samples = system.samples.sample(0);
  const limit = (id: string) => limits.find((row) => row.id === `limit:${id}`)?.used;

  figures.same("time", at.ns, String(Math.round(system.machine.time)));
  figures.same("instructions", at.insn, String(system.instructions()));
  for (const vm of vms) {
    const name = String(vm.id).slice(3), own = of(vcpus, "vm", vm.id);
    const sample = samples.find((one) => one.name === name);
    figures.same(`vCPUs of ${name}`, vm.vcpus, own.length);
    figures.same(`instructions of ${name}`, vm.instructions, String(sum(own, "instructions")));
    figures.same(`native ${name}`, vm.schedule === "native", own.length > 0 && own.every((vcpu) => vcpu.native));
    if (sample) {
      figures.same(`schedule of ${name}`, vm.schedule, sample.schedule);
      figures.same(`console of ${name}`, vm.console, sample.console === undefined ? null : `con:${sample.console}/0`);
      figures.same(`vCPUs of ${name} in the sample`, vm.vcpus, sample.vcpus.length);
      for (const vcpu of sample.vcpus) {
        const row = own.find(({ id }) => id === `vcpu:${name}/${vcpu.index}`);
        figures.same(`vCPU ${vcpu.index} of ${name}`, [row?.state, row?.instructions, row?.pc, row?.pcpu], [
          vcpu.state.toLowerCase(),
          String(vcpu.instructions),
          vcpu.pc || null,
          vcpu.pcpu === undefined ? null : `pcpu:${vcpu.pcpu}`,
        ]);
      }
      const life = system.vms.lifeOf(name);
      if (life !== undefined && life !== "creating") figures.same(`life of ${name}`, sample.state.toLowerCase(), life);
    }
    const reason = typeof vm.why === "string" ? why.find(({ id }) => id === vm.why) : undefined;
    if (vm.why !== null) figures.same(`end of ${name}`, reason?.ended, vm.id);
    // A page may be mapped at several addresses.
    const ranges = (piece: Row) => (piece.mapped as string[]).filter((text) => text.startsWith(`ipa:${name}/`)).length;
    const mapped = map.reduce((total, piece) => total + Number(piece.size) * ranges(piece), 0);
    if (own.length > 0) figures.same(`mapped by ${name}`, limit(`${name}/mapped`), mapped);
    const owned = of(parcels, "owner", vm.id);
    if (limit(`${name}/parcels`) !== undefined) figures.same(`parcels of ${name}`, limit(`${name}/parcels`), owned.length);
    if (limit(`${name}/capabilities`) !== undefined) {
      figures.same(`capabilities of ${name}`, limit(`${name}/capabilities`), of(caps, "vm", vm.id).length);
    }
  }
  for (const { name } of samples) figures.same(`row of ${name}`, vms.some(({ id }) => id === `vm:${name}`), true);
  figures.same("objects", limit("objects"), objects.length);
  figures.same("parcels", limit("parcels"), parcels.length);
  figures.same(
    "regions of parcels",
    limit("regions-of-parcels"),
    parcels.reduce((total, { regions }) => total + (regions as unknown[]).length, 0),
  );
  for (const parcel of parcels) {
    figures.same(`size of ${parcel.id}`, sum(of(map, "parcel", parcel.id), "size"), parcel.size);
    for (const piece of of(map, "parcel", parcel.id)) figures.same(`state of ${parcel.id}`, piece.state, parcel.state);
  }
  for (const queue of queues) {
    if (queue.kind === "msgqueue") {
      figures.same(`messages of ${queue.id}`, queue.count, rowsTo(system, { table: "queue.ring", args: { queue: queue.id } }).length);
    }
    if (queue.kind === "msgqueue") figures.same(`moved by ${queue.id}`, Number(queue.sent) - Number(queue.received), queue.count);
    for (const side of ["send_virq", "receive_virq"]) {
      if (queue[side] !== null) {
        figures.same(
          `${side} of ${queue.id}`,
          irqs.some(({ id }) => String(id).split("@")[0] === queue[side]),
          true,
        );
      }
    }
  }
  for (const vcpu of vcpus) {
    for (const id of vcpu.pending as string[]) figures.same(`${id} pending for ${vcpu.id}`, irqs.find((irq) => irq.id === id)?.pend, true);
    figures.same(`object of ${vcpu.id}`, objects.find(({ id }) => id === vcpu.obj)?.name, vcpu.id);
  }
  for (const object of objects) {
    const held = caps.filter(({ obj }) => obj === object.name || obj === object.id);
    if (held.length) figures.same(`holders of ${object.id}`, held[0].holders, held.length);
  }
  for (const piece of map.filter((_, index) => index % 7 === 0)) {
    const [owner] = rowsTo(system, { table: "mem.owner", args: { at: piece.id } });
    figures.same(`owner of ${piece.id}`, [owner.parcel, owner.access, (owner.mapped as string[]).length], [
      piece.parcel,
      piece.access,
      (piece.mapped as string[]).length,
    ]);
  }
  figures.same("failures", system.inspector.reasons, of(why, "failed", true).length);
  for (const row of [...events, ...rpcs]) {
    if (row.why !== null) figures.same(`reason of ${row.id}`, why.some(({ id }) => id === row.why), true);
  }
  figures.same("requests", of(events, "kind", "rpc").map(({ id }) => String(id).slice(3)), rpcs.map(({ id }) => String(id).slice(4)));
  const shown = new Map(table(system, "diagnose").map((row) => [row.id, row]));
  for (const vm of vms) {
    const row = shown.get(vm.id) ?? shown.get(`diagnosis:${String(vm.id).slice(3)}`);
    figures.same(`verdict on ${vm.id}`, vm.verdict, row?.verdict ?? null);
  }
  return figures.different;
}

Deno.test("figures that two places show are equal in random states of four VMs", async () => {
  const random = new Random(41);
  const plan = await fourVms();
  const different = new Map<string, string>();
  let states = 0;
  for (let life = 0; states < STATES; life++) {
    const one = new Life(random, plan);
    const { system } = one;
    for (let state = 0; state < 50 && states < STATES && !one.over; state++, states++) {
      if (state > 8 && random.below(2) === 0) one.enter(randomInput(random, ["hello", "ping", "pong", "own"]));
      one.goOn();
      assert.ok(system instanceof GuestSystem);
      for (const text of compare(system)) {
        different.set(text.split(":")[0].replaceAll(/\d+|0x\w+/g, "N"), `state ${states} of life ${life}: ${text}`);
      }
    }
  }
  assert.deepEqual([...different.values()], []);
});
