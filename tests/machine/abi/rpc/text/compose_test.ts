// Requests from what people write.

import assert from "node:assert/strict";
import { ComposeError, composeRequest, fieldNames, findRequest, requestNames } from "../../../../../src/machine/abi/rpc/text/compose.ts";
import { describePayload } from "../../../../../src/machine/abi/rpc/text/describe.ts";
import type { Shape, Shapes } from "../../../../../src/machine/abi/rpc/layout.ts";
import { PacketType } from "../../../../../src/machine/abi/rpc/packet.ts";

/** A value that fits, as people write it; in a list, as JSON has it. */
function fitting(shape: Shape): string {
  switch (shape.kind) {
    case "unsigned":
      return "0x1";
    case "bytes":
      return "ab".repeat(shape.size);
    case "rest":
    case "counted":
      return "text:name";
    case "list":
      return JSON.stringify([entry(shape.entry)]);
    case "when":
      return fitting(shape.shape);
    case "reserved":
      throw new Error("a reserved field has no value");
  }
}

function entry(shapes: Shapes): Record<string, unknown> {
  return Object.fromEntries(written(shapes).map(([name, shape]) => [name, shape.kind === "list" ? [entry(shape.entry)] : fitting(shape)]));
}

const written = (shapes: Shapes) => Object.entries(shapes).filter(([, { kind }]) => kind !== "reserved");

const compose = (name: string, ...fields: [string, string][]) => composeRequest(findRequest(name), new Map(fields));

Deno.test("every request can be written, and says the same when it is read", () => {
  assert.ok(requestNames().length > 0);
  for (const name of requestNames()) {
    const message = findRequest(name);
    const shapes = written(message.request.shapes);
    assert.equal(fieldNames(message).length, shapes.length, name);
    const payload = composeRequest(message, new Map(shapes.map(([field, shape]) => [field, fitting(shape)])));
    const read = describePayload(PacketType.Request, message.id, payload);
    assert.deepEqual(read.filter(({ value }) => value === "missing"), [], name);
    for (const [field, shape] of shapes) {
      if (shape.kind === "unsigned") assert.equal(read.find((one) => one.name === field)?.value, "1", `${name} ${field}`);
    }
  }
});

Deno.test("W43: the fields of a request cover every byte of its payload", () => {
  for (const name of requestNames()) {
    const message = findRequest(name);
    const shapes = written(message.request.shapes);
    const payload = composeRequest(message, new Map(shapes.map(([field, shape]) => [field, fitting(shape)])));
    const told = JSON.stringify(describePayload(PacketType.Request, message.id, payload));
    for (let at = 0; at < payload.length; at++) {
      const other = payload.slice();
      other[at] ^= 0x40;
      const otherwise = JSON.stringify(describePayload(PacketType.Request, message.id, other));
      assert.notEqual(otherwise, told, `${name}: byte ${at} is in no field`);
    }
  }
});

Deno.test("a request is found by name in any case, and by id", () => {
  assert.equal(findRequest("vm_get_state").name, "VM_GET_STATE");
  assert.equal(findRequest(`0x${findRequest("VM_GET_STATE").id.toString(16)}`).name, "VM_GET_STATE");
  assert.throws(() => findRequest("VM_STATUS"), /is a notification: the Resource Manager sends it/);
  assert.throws(() => findRequest("NO_SUCH"), /no request "NO_SUCH"/);
});

Deno.test("what does not fit names the field", () => {
  const wrong: [RegExp, string, ...[string, string][]][] = [
    [/vmid is missing; add vmid=NUMBER/, "VM_GET_STATE"],
    [/has no field "vid"; it has vmid/, "VM_GET_STATE", ["vid", "1"]],
    [/vmid=0x10000 is more than 16 bits/, "VM_GET_STATE", ["vmid", "0x10000"]],
    [/vmid=-1 is not a number/, "VM_GET_STATE", ["vmid", "-1"]],
    [/acl is a list as JSON/, "MEM_LEND", ["mem_type", "0"], ["flags", "0"], ["label", "0"], ["acl", "7"]],
    [/acl is a list as JSON, such as .*: /, "MEM_LEND", ["mem_type", "0"], ["flags", "0"], ["label", "0"], ["acl", "[{"]],
    [/acl\[0\] has no colour; it has /, "MEM_LEND", ["mem_type", "0"], ["flags", "0"], ["label", "0"], ["acl", '[{"colour":1}]']],
    [/acl\[0\] is not an object/, "MEM_LEND", ["mem_type", "0"], ["flags", "0"], ["label", "0"], ["acl", "[1]"]],
    [/text takes bytes in hexadecimal/, "VM_LOOKUP_NAME", ["text", "zz"]],
  ];
  for (const [message, name, ...fields] of wrong) {
    assert.throws(
      () => compose(name, ...fields),
      (error: unknown) => error instanceof ComposeError && message.test(error.message),
      String(message),
    );
  }
});
