// Ids: what is written is read again, part by part, whatever a VM is called.

import assert from "node:assert/strict";
import fc from "fast-check";
import * as ids from "../../../src/model/queries/ids.ts";
import {
  formatId,
  type Id,
  type IdKind,
  isOf,
  kindOf,
  nameOf,
  parseAs,
  parseId,
  vmIn,
  withKind,
  withoutKind,
} from "../../../src/model/queries/ids.ts";

/** Any text but `/`: no VM can have it in its name. */
const vm = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !text.includes("/"));
const text = fc.string({ unit: "binary", minLength: 1 });
const number = fc.nat(), wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), maybe = fc.option(number, { nil: undefined });

const only = <K extends IdKind>(kind: K) => fc.constant(kind);
const numbered = (kind: "obj" | "db" | "pcpu" | "why" | "inject" | "stop" | "place" | "check") => fc.record({ kind: only(kind), number });
const named = (kind: "trace" | "memory" | "hash" | "session" | "persona" | "phone" | "spec") => fc.record({ kind: only(kind), name: text });
const withAddress = (kind: "ipa" | "va" | "frames" | "lock" | "ltimer") => fc.record({ kind: only(kind), vm, address: wide });

/** Each kind: one that is missing here is an error of types. */
const IDS: { readonly [K in IdKind]: fc.Arbitrary<Id> } = {
  vm: fc.record({ kind: only("vm"), vm }),
  vcpu: fc.record({ kind: only("vcpu"), vm, index: number }),
  con: fc.record({ kind: only("con"), vm, name: text }),
  irq: fc.record({ kind: only("irq"), vm, intid: number, vcpu: maybe }),
  cap: fc.record({ kind: only("cap"), vm, slot: wide }),
  dev: fc.record({ kind: only("dev"), vm, name: text }),
  ipa: withAddress("ipa"),
  va: withAddress("va"),
  frames: withAddress("frames"),
  sym: fc.record({ kind: only("sym"), vm, name: text, address: wide }),
  reg: fc.record({ kind: only("reg"), vm, index: number, name: text }),
  timer: fc.record({ kind: only("timer"), vm, index: number, name: text }),
  frame: fc.record({ kind: only("frame"), vm, index: number, frame: number }),
  var: fc.record({ kind: only("var"), vm, index: number, frame: number, path: text }),
  val: fc.record({ kind: only("val"), vm, path: text }),
  task: fc.record({ kind: only("task"), vm, pid: number }),
  call: fc.record({ kind: only("call"), vm, pid: number, number }),
  fd: fc.record({ kind: only("fd"), vm, pid: number, number }),
  vma: fc.record({ kind: only("vma"), vm, pid: number, address: wide }),
  log: fc.record({ kind: only("log"), vm, number }),
  mount: fc.record({ kind: only("mount"), vm, number }),
  lirq: fc.record({ kind: only("lirq"), vm, number }),
  module: fc.record({ kind: only("module"), vm, name: text }),
  netdev: fc.record({ kind: only("netdev"), vm, name: text }),
  meminfo: fc.record({ kind: only("meminfo"), vm, name: text }),
  disk: fc.record({ kind: only("disk"), vm, name: text }),
  slab: fc.record({ kind: only("slab"), vm, name: text }),
  socket: fc.record({ kind: only("socket"), vm, number }),
  dtnode: fc.record({ kind: only("dtnode"), vm, path: text }),
  lock: withAddress("lock"),
  ltimer: withAddress("ltimer"),
  config: fc.record({ kind: only("config"), vm, name: text }),
  limit: fc.record({ kind: only("limit"), vm: fc.option(vm, { nil: undefined }), name: vm }),
  pa: fc.record({ kind: only("pa"), address: wide }),
  parcel: fc.record({ kind: only("parcel"), handle: number }),
  loan: fc.record({ kind: only("loan"), handle: number }),
  mq: fc.record({ kind: only("mq"), number, position: maybe }),
  obj: numbered("obj"),
  db: numbered("db"),
  pcpu: numbered("pcpu"),
  why: numbered("why"),
  inject: numbered("inject"),
  stop: numbered("stop"),
  place: numbered("place"),
  insn: fc.record({ kind: only("insn"), number, order: maybe }),
  check: numbered("check"),
  ev: fc.record({ kind: only("ev"), event: text }),
  rpc: fc.record({ kind: only("rpc"), event: text }),
  trace: named("trace"),
  memory: named("memory"),
  hash: named("hash"),
  session: named("session"),
  persona: named("persona"),
  phone: named("phone"),
  spec: named("spec"),
};

/** Without the parts that are absent. */
const present = (id: Id) => Object.fromEntries(Object.entries(id).filter(([, value]) => value !== undefined));

Deno.test("an id of each kind is read as it was written", () => {
  for (const [kind, arbitrary] of Object.entries(IDS)) {
    fc.assert(
      fc.property(arbitrary, (id) => {
        const text = formatId(id), read = parseId(text);
        assert.ok(read, text);
        assert.deepEqual({ ...read }, present(id), text);
        assert.equal(formatId(read), text);
        assert.equal(kindOf(text), kind);
        assert.equal(withKind(id.kind, nameOf(text)), text);
        if ("vm" in id && id.kind !== "limit") assert.equal(vmIn(text), id.vm);
      }),
      { seed: 7 },
    );
  }
});

Deno.test("the functions that write one kind write what formatId does", () => {
  const same = (text: string, id: Id) => assert.equal(text, formatId(id));
  fc.assert(
    fc.property(vm, number, wide, text, (vm, n, address, name) => {
      same(ids.vmId(vm), { kind: "vm", vm });
      same(ids.vcpuId(ids.vcpuName(vm, n)), { kind: "vcpu", vm, index: n });
      same(ids.irqId(vm, n), { kind: "irq", vm, intid: n });
      same(ids.capId(vm, address), { kind: "cap", vm, slot: address });
      same(ids.ipaId(vm, address), { kind: "ipa", vm, address });
      same(ids.paId(address), { kind: "pa", address });
      same(ids.devId(vm, name), { kind: "dev", vm, name });
      same(ids.parcelId(n), { kind: "parcel", handle: n });
      same(ids.objId(n), { kind: "obj", number: n });
      same(ids.mqId(n), { kind: "mq", number: n });
      same(ids.dbId(n), { kind: "db", number: n });
      same(ids.whyId(n), { kind: "why", number: n });
      same(ids.injectId(n), { kind: "inject", number: n });
      same(ids.evId(name), { kind: "ev", event: name });
    }),
    { seed: 8 },
  );
  same(ids.irqId("rt", 27, 1), { kind: "irq", vm: "rt", intid: 27, vcpu: 1 });
  same(ids.irqId("rt", 34, 1), { kind: "irq", vm: "rt", intid: 34 });
});

Deno.test("text that is not an id has no kind, no parts and no VM", () => {
  for (const text of ["", "rt", ":", "vm", "rule: a colon", "constructor:x", "machine", "VM:rt"]) {
    assert.equal(kindOf(text), undefined, text);
    assert.equal(parseId(text), undefined, text);
    assert.equal(vmIn(text), undefined, text);
  }
  for (const text of ["vm:", "vm:a/b", "vcpu:rt", "vcpu:rt/x", "irq:rt/27@", "pa:12g", "cap:rt/", "mq:x", "mq:1/", "why:0x1"]) {
    assert.equal(parseId(text), undefined, text);
  }
});

Deno.test("users may leave out the kind, and write addresses in either base", () => {
  assert.deepEqual(parseAs("vcpu", "rt/1"), { kind: "vcpu", vm: "rt", index: 1 });
  assert.deepEqual(parseAs("vcpu", "vcpu:rt/1"), { kind: "vcpu", vm: "rt", index: 1 });
  assert.equal(parseAs("vcpu", "rt"), undefined);
  assert.deepEqual(parseId("pa:4096"), parseId("pa:0X1000"));
  assert.equal(withoutKind("vm", "vm:rt"), "rt");
  assert.equal(withoutKind("vm", "rt"), "rt");
  assert.equal(withoutKind("vm", "obj:41"), "obj:41");
  assert.ok(isOf("vm", "vm:rt") && !isOf("vm", "vmm:rt") && !isOf("vm", "vm") && !isOf("pa", "ipa:rt/0x0"));
});
