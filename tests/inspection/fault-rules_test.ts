import assert from "node:assert/strict";
import { FAULT_KINDS } from "../../src/abi/faults.ts";
import { matchesWord } from "../../src/hypervisor/services/faults.ts";
import { checkVmNames, FaultRuleError, FAULTS, parseFaultRule } from "../../src/inspection/rules/fault-rules.ts";

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
    ["rcp msg=MEM_LEND -> NOMEM", /no kind "rcp"; did you mean "rpc"\? There are hvc, rpc, ioctl/],
    ["rpc msg=MEM_LENT -> NOMEM", /no msg "MEM_LENT"; did you mean "MEM_LEND"/],
    ["rpc name=MEM_LEND -> NOMEM", /rpc has no field "name"; .*there are msg, vm/],
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
    ["alloc what=cheese -> NOMEM", /no what "cheese"; there are heap, tables, virq, page/],
  ];
  for (const [text, says] of wrong) {
    assert.throws(() => parseFaultRule(text), (error) => error instanceof FaultRuleError && says.test(error.message), text);
  }
});

Deno.test("a rule names VMs that the machine has, also as owners of vCPUs and devices", () => {
  const check = (text: string) => checkVmNames(parseFaultRule(text), ["host", "rm", "ping", "pong"]);
  for (
    const text of [
      ...["virq vm=ping,vm:pong -> lose", "virq vm!=rm -> lose", "hvc vm=p*g -> BUSY", "hvc vcpu=host/1 -> BUSY", "dev=ping/blk0 -> die"],
      ...["virq vm=vm-0x80 -> lose", "hvc vcpu=obj:41 -> BUSY", "rpc msg=MEM_LEND -> NOMEM", "virq source=mq:7 -> lose"],
    ]
  ) check(text);
  const wrong = (text: string, vm: string, wayOut: RegExp) =>
    assert.throws(
      () => check(text),
      (error) => error instanceof FaultRuleError && error.message.includes(`no VM called "${vm}"; `) && wayOut.test(error.message),
      text,
    );
  wrong("virq vm=png -> lose", "png", /did you mean "ping"\? There are host, rm, ping, pong$/);
  wrong("virq vm=ping,debian -> lose", "debian", /there are host, rm, ping, pong$/);
  wrong("virq vm!=debian -> lose", "debian", /there are/);
  wrong("virq vm=d* -> lose", "d*", /there are/);
  wrong("hvc vcpu=debian/0 -> BUSY", "debian", /there are/);
  wrong("dev=debian/blk0 -> die", "debian", /there are/);
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
