// Requests read from the queues of the Resource Manager are those that el2's own one says it has
// handled.

import assert from "node:assert/strict";
import type { TraceEvent } from "../../../../src/machine/abi/trace.ts";
import { Looks, View } from "../../../../src/session/inspection/readers/inspected.ts";
import { parcelsOfRequests } from "../../../../src/session/inspection/trace/parcels-of-requests.ts";
import { QueueRpcs } from "../../../../src/session/inspection/readers/queue-rpcs.ts";
import { demoSystem, rows, runUntil } from "../system.ts";

/** The part of a request or notification that both report. */
function said({ name, fields, result }: TraceEvent) {
  const { lost: _, ...given } = fields;
  return { name, given, result: result && { code: result.code, name: result.name, fields: result.fields ?? {} } };
}

Deno.test("what is read from the queues is what the Resource Manager handled, in order", async () => {
  const system = await demoSystem(undefined, ["rpc msg=MEM_LEND nth=2 -> NOMEM"]);
  const { trace } = system.hypervisor;
  new QueueRpcs(system.hypervisor).install();
  const events: TraceEvent[] = [];
  trace.listen(["rpc"], (event) => events.push(event));
  runUntil(system, 5e8);
  const requests = events.filter(({ result }) => result), told = events.filter(({ result }) => !result);
  const handled = requests.filter(({ vcpu }) => vcpu === "rm/0"), read = requests.filter(({ vcpu }) => vcpu === "host/0");
  assert.ok(handled.length > 20 && handled.some(({ result }) => result!.refused), `${handled.length} requests`);
  assert.deepEqual(read.map(said), handled.map(said));
  const sent = told.filter(({ fields }) => fields.lost === false), seen = told.filter(({ fields }) => !("lost" in fields));
  assert.ok(sent.length > 3, `${sent.length} notifications`);
  assert.deepEqual(seen.map(said), sent.map(said));
  const lend = read.find(({ name, result }) => name === "MEM_LEND" && result!.refused)!;
  const [reason] = rows(system, "why", { filter: `id=why:${lend.why}` });
  assert.deepEqual([reason.vm, reason.call, reason.err, reason.failed], ["vm:host", "MEM_LEND", "NOMEM", true]);
});

Deno.test("parcels by the requests about them are those of the Resource Manager's books", async () => {
  const system = await demoSystem();
  const view = () => new View(system, new Looks());
  const compare = () => {
    const { parcels } = system.manager.state;
    const booked = parcels.map(({ handle, transType, label, owner, borrowers, regions }) => ({
      ...{ handle, transType, label, owner },
      borrowers: borrowers.map(({ vmid, rights, accepted, mapped }) => ({ vmid, rights, accepted, mapped })),
      regions: regions.map(({ ownerIpa, size }) => ({ ownerIpa, size })),
    }));
    const found = parcelsOfRequests(view().system.log).map(({ handle, transType, label, owner, borrowers, regions }) => ({
      ...{ handle, transType, label, owner, borrowers },
      regions: regions.map(({ ownerIpa, size }) => ({ ownerIpa, size })),
    }));
    assert.deepEqual(found, booked);
    return found.length;
  };
  for (const time of [2e4, 5e4, 1e5, 1e6, 5e8]) {
    runUntil(system, time);
    compare();
  }
  assert.equal(compare(), 3);
  system.inspector.act({ kind: "vm.stop", vm: "ping", force: true });
  runUntil(system, 1e9);
  assert.equal(compare(), 2);
  system.inspector.act({ kind: "vm.start", vm: "ping" });
  runUntil(system, 2e9);
  assert.equal(compare(), 3);
});

Deno.test("a request that one reader has seen is answered before the next reader", async () => {
  const system = await demoSystem(), { trace } = system.hypervisor;
  const end = new QueueRpcs(system.hypervisor).install();
  const asked = () => [...trace.inProgress].find(({ kind, vcpu }) => kind === "rpc" && vcpu === "host/0");
  let time = 0;
  while (!asked() && time < 1e7) runUntil(system, time += 200);
  const { id, name } = asked() ?? assert.fail("no request waits for its reply");
  // As where a machine takes up the run of another: the trace alone knows the request.
  end();
  new QueueRpcs(system.hypervisor).install();
  const answered: TraceEvent[] = [];
  trace.listen(["rpc"], (event) => event.id === id && answered.push(event));
  runUntil(system, time + 1e6);
  assert.deepEqual(answered.map(({ name, result }) => [name, result?.name]), [[name, "OK"]]);
});
