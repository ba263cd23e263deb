import assert from "node:assert/strict";
import { FAULT_KINDS, matchesWord } from "../../../src/machine/abi/faults.ts";
import { checkNames, FaultRuleError, FAULTS, type KnownVm, parseFaultRule, readFaultRule } from "../../../src/model/queries/fault-rule.ts";

Deno.test("the design's rules are read", () => {
  const lend = parseFaultRule("rpc msg=MEM_LEND nth=3 -> NOMEM");
  assert.deepEqual([lend.kind, lend.first, lend.last, lend.effect], ["rpc", 3, 3, { kind: "error", name: "NOMEM", code: 1 }]);
  const map = parseFaultRule("hvc  name=addrspace_map vm=rm nth=1 ->  BUSY");
  assert.equal(map.text, "hvc name=addrspace_map vm=rm nth=1 -> BUSY");
  assert.deepEqual(map.conditions, [
    { field: "name", negated: false, words: ["addrspace_map"] },
    { field: "vm", negated: false, words: ["rm"] },
  ]);
  const die = parseFaultRule("dev=debian/blk0 -> die");
  assert.deepEqual([die.kind, die.conditions[0].words, die.effect], ["dev", ["debian/blk0"], { kind: "die" }]);
});

Deno.test("a rule says which operations it hits, and how late they come", () => {
  const { first, last, step } = parseFaultRule("virq vm!=rm nth=5.. every=10 -> delay 1.5ms");
  assert.deepEqual([first, last, step], [5, Infinity, 10]);
  assert.deepEqual(parseFaultRule("virq nth=2..4 -> delay 1.5ms").effect, { kind: "delay", ns: 1_500_000 });
});

Deno.test("each wrong rule is refused with what is wrong and what there is", () => {
  const wrong: [string, RegExp][] = [
    ["", /no effect; a rule is/],
    ["rpc msg=MEM_LEND", /no effect; a rule is/],
    ["rcp msg=MEM_LEND -> NOMEM", /no kind "rcp"; did you mean "rpc"\? Use one of hvc, rpc, ioctl/],
    ["rpc msg=MEM_LENT -> NOMEM", /no msg "MEM_LENT"; did you mean "MEM_LEND"/],
    ["rpc name=MEM_LEND -> NOMEM", /rpc has no field "name"; .*use one of msg, vm/],
    ["rpc msg -> NOMEM", /"msg" is not FIELD=VALUE/],
    ["rpc msg=MEM_LEND nth=0 -> NOMEM", /nth=0 is not a range; use for example nth=3/],
    ["rpc msg=MEM_LEND nth=4..3 -> NOMEM", /nth=4\.\.3 is not a range/],
    ["rpc msg=MEM_LEND every=x -> NOMEM", /every=x is not a number/],
    ["rpc msg=MEM_LEND -> NOMEN", /effect "NOMEN" is not one of rpc; did you mean "NOMEM"/],
    ["rpc msg=MEM_LEND -> NOMEM twice", /too many words/],
    ["virq -> delay", /delay needs a duration/],
    ["virq -> delay 5", /delay needs a duration/],
    ["rpc msg=VM_STATUS -> NOMEM", /VM_STATUS: a notification has no reply/],
    ["hvc name=doorbell_send -> lose", /doorbell_send returns more than an error/],
    ["alloc what=cheese -> NOMEM", /no what "cheese"; use one of heap, tables, virq, page/],
  ];
  for (const [text, says] of wrong) {
    assert.throws(() => parseFaultRule(text), (error) => error instanceof FaultRuleError && says.test(error.message), text);
  }
});

/** Checks a rule on the demo with a disk. */
function check(text: string): void {
  checkNames(parseFaultRule(text), [
    { name: "host", vcpus: 2, devices: [] },
    { name: "rm", vcpus: 1, devices: [] },
    { name: "ping", vcpus: 1, devices: ["blk0", "net1"] },
    { name: "pong", vcpus: 1, devices: [] },
  ]);
}

function assertRefused(text: string, what: string, wayOut: RegExp): void {
  assert.throws(
    () => check(text),
    (error) => error instanceof FaultRuleError && error.message.includes(`: ${what}; `) && wayOut.test(error.message),
    text,
  );
}

Deno.test("a rule that a user writes has values that its fields can have; those of files may be older", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["dev dev=host/blk0 op=wrte -> IOERR", /op=wrte is not a request of a device; did you mean "write"\? Use one of read, write, /],
    ["virq intid=0x30 -> lose", /intid=0x30 is not a number; use decimal digits/],
    ["alloc what=heap amount!=4K -> NOMEM", /amount=4K is not a number/],
    ["rpc seq=x -> NOMEM", /seq=x is not a number/],
    ["ioctl pid=vmm -> EIO", /pid=vmm is not a number/],
    ["virq source=ping/0 -> lose", /source=ping\/0 is not a source of interrupts; use for example mq:7/],
  ];
  for (const [text, says] of wrong) {
    assert.throws(() => readFaultRule(text), (error) => error instanceof FaultRuleError && says.test(error.message), text);
    assert.equal(parseFaultRule(text).text, text);
  }
  for (
    const text of [
      ...["dev dev=host/blk0 op=read,fl* -> die", "dev op=queue1 -> lose", "dev op=malformed -> die", "virq intid=4*,27 -> lose"],
      ...["virq source=mq:7,db:*,vcpu:rt/0,obj:41 -> lose", "alloc amount=64 -> NOMEM"],
    ]
  ) assert.equal(readFaultRule(text).text, text);
});

Deno.test("a rule names VMs that the machine has, also as owners of vCPUs and devices", () => {
  for (
    const text of [
      ...["virq vm=ping,vm:pong -> lose", "virq vm!=rm -> lose", "hvc vm=p*g -> BUSY", "hvc vcpu=host/1 -> BUSY", "dev=ping/blk0 -> die"],
      ...["virq vm=vm-0x80 -> lose", "hvc vcpu=obj:41 -> BUSY", "rpc msg=MEM_LEND -> NOMEM", "virq source=mq:7 -> lose"],
    ]
  ) check(text);
  const wrong = (text: string, vm: string, wayOut: RegExp) => assertRefused(text, `no VM called "${vm}"`, wayOut);
  wrong("virq vm=png -> lose", "png", /did you mean "ping"\? Use one of host, rm, ping, pong$/);
  wrong("virq vm=ping,debian -> lose", "debian", /use one of host, rm, ping, pong$/);
  wrong("virq vm!=debian -> lose", "debian", /use one of/);
  wrong("virq vm=d* -> lose", "d*", /use one of/);
  wrong("virq vm=ping/0 -> lose", "ping/0", /did you mean "ping"/);
  wrong("hvc vcpu=debian/0 -> BUSY", "debian", /use one of/);
  wrong("dev=debian/blk0 -> die", "debian", /use one of/);
  wrong("virq source=vcpu:debian/0 -> lose", "debian", /use one of/);
});

Deno.test("a rule names vCPUs and virtio devices that their VMs have", () => {
  for (
    const text of [
      ...["hvc vcpu=ping/0,host/* -> BUSY", "hvc vcpu=*/1 -> BUSY", "hvc vcpu=*0 -> BUSY", "hvc vcpu=vm-0x80/3 -> BUSY"],
      ...["virq source=vcpu:ping/0 -> lose", "dev=ping/net1 -> die", "dev=*/blk0 -> die", "dev dev=* -> die", "dev=vm-0x80/blk0 -> die"],
    ]
  ) check(text);
  assertRefused("hvc vcpu=ping/7 -> BUSY", 'no vCPU called "ping/7"', /did you mean "ping\/0"\? Use ping\/0$/);
  assertRefused("hvc vcpu!=host/2 -> BUSY", 'no vCPU called "host/2"', /Use one of host\/0, host\/1$/);
  assertRefused("hvc vcpu=p*/1 -> BUSY", 'no vCPU called "p*/1"', /use one of ping\/0, pong\/0$/i);
  assertRefused("hvc vcpu=ping -> BUSY", 'no vCPU called "ping"', /use ping\/0$/i);
  assertRefused("virq source=vcpu:ping/7 -> lose", 'no vCPU called "ping/7"', /Use ping\/0$/);
  assertRefused("dev=ping/blk9 -> die", 'no virtio device called "ping/blk9"', /Use one of ping\/blk0, ping\/net1$/);
  assertRefused("dev=pong/blk0 -> die", 'no virtio device called "pong/blk0"', /Use one of ping\/blk0, ping\/net1$/);
  // A program in the root VM makes vCPUs as it likes.
  const own: KnownVm = { name: "rm", vcpus: undefined, devices: [] };
  checkNames(parseFaultRule("hvc vcpu=rm/7 -> BUSY"), [own]);
  assert.throws(
    () => checkNames(parseFaultRule("dev=rm/blk0 -> die"), [own]),
    /no virtio device .*; no VM of this machine has virtio devices$/,
  );
});

Deno.test("every kind of fault is documented, and each of its effects is read", () => {
  assert.deepEqual(Object.keys(FAULTS), [...FAULT_KINDS]);
  for (const [kind, { errors, effects }] of Object.entries(FAULTS)) {
    for (const name of Object.keys(errors)) assert.equal(parseFaultRule(`${kind} -> ${name}`).effect.kind, "error");
    for (const effect of Object.keys(effects)) {
      const name = kind === "hvc" && effect === "lose" ? " name=msgqueue_flush" : "";
      assert.equal(parseFaultRule(`${kind}${name} -> ${effect}${effect === "delay" ? " 1ms" : ""}`).effect.kind, effect);
    }
  }
});

Deno.test("a star stands for anything, everywhere in a word", () => {
  const fits = ["*", "mem*", "*lend", "m*_*d", "mem_lend"], others = ["", "mem", "*lent", "m*x*d", "mem_lend*x"];
  assert.deepEqual([...fits, ...others].filter((word) => matchesWord(word, "mem_lend")), fits);
  assert.ok(!matchesWord("ab*ba", "aba"), "no character counts twice");
});
