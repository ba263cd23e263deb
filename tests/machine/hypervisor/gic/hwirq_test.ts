// Hardware interrupts through their hypercalls (docs/spec/hypervisor.md §4.5, §6.3).

import assert from "node:assert/strict";
import { VcpuOption } from "../../../../src/machine/abi/words.ts";
import { Hwirq } from "../../../../src/machine/hypervisor/gic/hwirq.ts";
import { Vic } from "../../../../src/machine/hypervisor/gic/vic.ts";
import { Rig } from "../checklist/rig.ts";
import { Caller } from "../caller.ts";

Deno.test("a physical SPI is forwarded at its level", () => {
  const caller = new Caller();
  const hwirq = caller.machine.create(Hwirq33);
  const cap = caller.grant(hwirq);
  assert.equal(caller.error("hwirq_unbind_virq", cap), "VIRQ_NOT_BOUND");
  hwirq.setLevel(true);
  assert.equal(caller.error("hwirq_bind_virq", cap, caller.vic, 40n), "OK");
  assert.equal(caller.error("hwirq_bind_virq", cap, caller.vic, 41n), "VIRQ_BOUND");
  assert.equal(caller.take(), 40);
  assert.equal(caller.take(), 40);
  hwirq.setLevel(false);
  assert.equal(caller.take(), 1023);
  assert.equal(caller.error("hwirq_unbind_virq", cap), "OK");
});

class Hwirq33 extends Hwirq {
  constructor(...[hypervisor, partition]: [ConstructorParameters<typeof Hwirq>[0], ConstructorParameters<typeof Hwirq>[1]]) {
    super(hypervisor, partition, 33);
  }
}

Deno.test("a physical PPI comes to every pinned vCPU of a VIC, present and future, and leaves no trace when it is taken back", () => {
  const w = new Rig();
  const vic = w.active("vic");
  const hwirq = w.hwirq(20);
  w.ok("hwirq_bind_virq", { hwirq, vic, virq: 20n });
  const join = (index: number, options: bigint) => {
    const vcpu = w.object("thread");
    w.equip(vcpu, { options });
    vcpu.attachments.attachVic(w.get<Vic>(vic), index);
    assert.equal(vcpu.activate(), 0);
  };
  join(0, VcpuOption.Pinned);
  join(1, 0n);
  const { cpus } = w.get<Vic>(vic).gic;
  const bound = () => cpus.map((cpu) => cpu.bank.sources.has(20));
  assert.deepEqual(bound(), [true, false, false, false]);
  const other = w.hwirq(21);
  assert.equal(w.error("hwirq_bind_virq", { hwirq: other, vic, virq: 20n }), "DENIED", "a vCPU is not pinned");
  w.ok("hwirq_unbind_virq", { hwirq });
  assert.deepEqual(bound(), [false, false, false, false]);
});

Deno.test("a physical PPI cannot be forwarded where a timer is", () => {
  const w = new Rig();
  const vic = w.get<Vic>(w.active("vic"));
  const vcpu = w.object("thread");
  w.equip(vcpu, { options: VcpuOption.Pinned });
  vcpu.attachments.attachVic(vic, 0);
  assert.equal(vcpu.activate(), 0);
  const before = w.dump();
  const hwirq = w.hwirq(20);
  const args = { hwirq, vic: w.cap(vic), virq: 27n };
  assert.equal(w.error("hwirq_bind_virq", args), "BUSY");
  assert.notDeepEqual(w.dump(), before, "there are new capabilities");
  assert.equal(w.error("hwirq_bind_virq", { ...args, virq: 20n }), "OK", "nothing of the refused one stays");
});
