// Types of BTF that are made here, whole and damaged.

import assert from "node:assert/strict";
import { whole, Work } from "../../../../src/kit/support/values/work.ts";
import { Btf } from "../../../../src/inside/linux/kernel/btf.ts";
import { cpuTime } from "../../../support/cpu-time.ts";
import { Random } from "../../../support/random.ts";
import { BtfWriter, exampleBtf, POINTER, STRUCT } from "../btf-types.ts";

const WORK = new Work(Infinity, () => new Error("too much"));
const read = (bytes: Uint8Array) => whole(Btf.read(bytes, WORK));

Deno.test("members are found through typedefs, arrays and structures without a name", () => {
  const btf = read(exampleBtf()) ?? assert.fail();
  assert.equal(btf.sizeOf("outer"), 64);
  assert.deepEqual(btf.field("outer", "x[1].b", WORK), { offset: 24, size: 8, type: 2 });
  assert.deepEqual(btf.field("inner", "a", WORK), { offset: 0, size: 4, type: 1 });
  assert.equal(btf.field("outer", "next", WORK)?.size, 8);
  assert.deepEqual(btf.field("outer", "wide", WORK), { offset: 56, size: 8, type: 2, bits: { shift: 3, width: 5 } });
  for (const path of ["x[3].a", "y", "next.a", "x[0].a.b"]) assert.equal(btf.field("outer", path, WORK), undefined, path);
  assert.equal(btf.lengthOf(btf.field("outer", "x", WORK) ?? assert.fail()), 3);
});

Deno.test("types of a module have members of the kernel's types, by numbers and names that follow those", () => {
  const kernel = exampleBtf(),
    base = read(kernel) ?? assert.fail(),
    writer = new BtfWriter(new DataView(kernel.buffer).getUint32(20, true));
  const self = base.count + 2, inner = 4;
  writer.type("driver", STRUCT, 2, 24, writer.string("state"), inner, 0, writer.string("next"), self, 128);
  writer.type("", POINTER, 0, base.count + 1);
  const module = writer.bytes(), btf = whole(base.continued(module, WORK)) ?? assert.fail();
  assert.deepEqual([btf.sizeOf("driver"), btf.sizeOf("outer"), base.sizeOf("driver")], [24, 64, undefined]);
  assert.deepEqual(btf.field("driver", "state.b", WORK), { offset: 8, size: 8, type: 2 });
  assert.deepEqual(btf.field("driver", "next", WORK), { offset: 16, size: 8, type: self });
  assert.equal(whole(base.continued(module.subarray(0, -1), WORK)), undefined);
});

Deno.test("damaged types are refused or have fewer members: nothing fails, nothing loops", () => {
  const random = new Random(54), whole = exampleBtf();
  for (let number = 0; number < 20_000; number++) {
    const bytes = whole.slice(0, random.below(8) ? whole.length : random.below(whole.length));
    for (let change = random.below(4); change >= 0; change--) if (bytes.length) bytes[random.below(bytes.length)] = random.below(256);
    const btf = read(bytes);
    for (const path of ["x[1].b", "next", "wide", "x[2]"]) {
      const field = btf?.field("outer", path, WORK);
      if (field) btf?.lengthOf(field);
    }
  }
});

Deno.test("structures without names in each other, many in each, take no time", () => {
  const writer = new BtfWriter(), hidden = Array.from({ length: 1000 }, () => [0, 1, 0]).flat();
  writer.type("outer", STRUCT, 1000, 8, ...hidden);
  const btf = read(writer.bytes()) ?? assert.fail(), begun = cpuTime();
  assert.equal(btf.field("outer", "member", WORK), undefined);
  assert.ok(cpuTime() - begun < 1000);
});
