// Every request and every error that it can be refused with (src/machine/abi/rpc/messages): the
// error is reached, the reply carries nothing else, nothing has changed, and the reason names the
// message, the rule and the object. The cases are in errors/.

import assert from "node:assert/strict";
import { rmErrorName } from "../../../src/machine/abi/rpc/errors.ts";
import { UNREACHABLE_RPC_ERRORS } from "./unreachable-errors.ts";
import { RPC_MESSAGES, RPC_UNIMPLEMENTED } from "../../../src/machine/abi/rpc/messages/all.ts";
import type { RpcRequest } from "../../../src/machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_DEALLOCATE } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { dumpSystem } from "./dump.ts";
import type { Case, Cases } from "./errors/case.ts";
import { MEMORY_CASES } from "./errors/memory.ts";
import { OTHER_CASES } from "./errors/others.ts";
import { VM_CASES } from "./errors/vm.ts";
import { Machine } from "./machine.ts";

const CASES: Readonly<Record<string, Cases>> = { ...MEMORY_CASES, ...VM_CASES, ...OTHER_CASES };

const REQUESTS = [...RPC_MESSAGES.values()].flatMap((message) => message.kind === "request" ? [message] : []);

Deno.test("every error of every declared request has a case, and no other has one", () => {
  const declared = REQUESTS.flatMap(({ name, errors }) => errors.map((error) => `${name} ${error}`));
  const cases = Object.entries(CASES).flatMap(([name, errors]) => Object.keys(errors).map((error) => `${name} ${error}`));
  assert.deepEqual(cases.sort(), declared.sort());
});

Deno.test("no request declares an error that cannot occur, and every listed error belongs to a request", () => {
  for (const [name, errors] of Object.entries(UNREACHABLE_RPC_ERRORS)) {
    const request = REQUESTS.find((one) => one.name === name);
    assert.ok(request, name);
    for (const error of Object.keys(errors)) assert.ok(!(request.errors as readonly string[]).includes(error), `${name} ${error}`);
  }
});

for (const message of REQUESTS) {
  Deno.test(`${message.name} is refused with ${message.errors.join(", ")}: nothing changes and the reason is told`, () => {
    for (const error of message.errors) {
      try {
        check(message, error, CASES[message.name][error]);
      } catch (failure) {
        if (failure instanceof Error) failure.message = `${message.name} ${error}: ${failure.message}`;
        throw failure;
      }
    }
  });
}

Deno.test("ids without a handler are refused with UNIMPLEMENTED, and the reason says so", () => {
  const machine = new Machine();
  for (const id of [...RPC_UNIMPLEMENTED.keys(), 0x5600_0104, 3, 0xffff_ffff]) {
    const before = dumpSystem(machine.system);
    const reply = machine.primary.askRaw(id, new Uint8Array(4));
    assert.deepEqual(reply.payload, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    assert.deepEqual(dumpSystem(machine.system), before);
    const rule = RPC_UNIMPLEMENTED.has(id) ? "this Resource Manager does not serve the request" : "no such request";
    assert.equal(machine.system.hypervisor.trace.reasons.last!.rule, rule);
  }
});

function check(message: RpcRequest, error: string, prepare: Case): void {
  const machine = new Machine();
  const empty = machine.usage();
  const { payload, by = machine.primary, fail, ruins, rule, object, values = {}, section = message.section, usage = empty } = prepare(
    machine,
  );
  const { trace } = machine.system.hypervisor;
  let why: number | undefined;
  trace.listen(["rpc"], (event) => {
    if (event.name === message.name) why = event.why;
  });
  const before = dumpSystem(machine.system);
  const ask = () => by.askRaw(message.id, payload);
  const reply = fail === undefined ? ask() : machine.failing(fail[0], fail[1], ask, fail[2]);

  const view = new DataView(reply.payload.buffer, reply.payload.byteOffset, reply.payload.length);
  assert.equal(rmErrorName(view.getUint32(0, true)), error);
  assert.equal(reply.payload.length, message.errorDetail === undefined ? 4 : 8, "a refusal carries nothing else");

  if (ruins === undefined) assert.deepEqual(dumpSystem(machine.system), before);
  else checkRuined(machine, ruins, usage);

  const reason = trace.reasons.get(why ?? 0);
  assert.ok(reason !== undefined, "there is a reason");
  if (fail !== undefined || section === "hypervisor") {
    assert.ok(
      reason.chain.some(({ kind, name }) => kind === "hvc" && (fail === undefined || name === fail[0])),
      "the chain ends in the hypercall",
    );
    return;
  }
  assert.equal(reason.section, `resource-manager ${section}`);
  assert.equal(reason.chain.find(({ kind }) => kind === "rpc")!.result.name, error);
  if (rule instanceof RegExp) assert.match(reason.rule, rule);
  else if (rule !== undefined) assert.equal(reason.rule, rule);
  if (object !== undefined) assert.equal(reason.object, object);
  for (const [name, value] of Object.entries(values)) assert.deepEqual(reason.values[name], value, `the value of ${name}`);
}

/**
 * A VM whose configuration or start failed is INIT_FAILED, and all that was made can be taken back.
 */
function checkRuined(machine: Machine, vmid: number, usage: unknown): void {
  const { primary, system: { rm } } = machine;
  assert.equal(primary.get(VM_GET_STATE, { vmid }).vm_state, VmState.InitFailed);
  assert.equal(primary.ask(VM_DEALLOCATE, { vmid }).error, "VM_STATE");
  machine.reset(vmid);
  for (const { handle } of [...rm.state.parcels]) primary.get(MEM_RECLAIM, { handle, flags: 0 });
  primary.get(VM_DEALLOCATE, { vmid });
  assert.deepEqual(machine.usage(), usage);
}
