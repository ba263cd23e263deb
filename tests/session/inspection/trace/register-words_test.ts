// Values of registers in words, in lists and in events.

import assert from "node:assert/strict";
import { eventSentence } from "../../../../src/session/inspection/trace/event-sentence.ts";
import { registerWords } from "../../../../src/session/inspection/trace/register-words.ts";
import { demoSystem, rows, runUntil } from "../system.ts";

for (
  const [name, value, words] of [
    ["pstate", 0x600003c5n, "nZCv EL1h DAIF"],
    ["SPSR_EL1", 0x80000000n, "Nzcv EL0 daif"],
    ["esr_el1", 0x96000047n, "data abort, write: translation fault, level 3"],
    ["esr_el1", 0x9600002bn, "data abort, read: translation fault, level -1"],
    ["esr_el1", 0x86000029n, "instruction abort: address size fault, level -1"],
    ["esr_el1", 0x96000013n, "data abort, read: external abort on a table walk, level -1"],
    ["esr_el1", 0n, undefined],
    ["sctlr_el1", 0x1005n, "MMU on, data cache on, instruction cache on, alignment check off"],
    ["id_aa64mmfr0_el1", 0xf000022n, "40-bit physical addresses, pages of 4 KiB"],
    ["id_aa64mmfr0_el1", 0x100005n, "48-bit physical addresses, pages of 4 KiB, 16 KiB, 64 KiB"],
    ["x0", 5n, undefined],
  ] as const
) {
  Deno.test(`${name} of 0x${value.toString(16)} is "${words ?? "only a number"}"`, () => assert.equal(registerWords(name, value), words));
}

Deno.test("a list of registers and an event of a trapped read have the words", async () => {
  const system = await demoSystem();
  runUntil(system, 10e6);
  const found = rows(system, "vcpu.regs", { vcpu: "ping/0" }).filter(({ words }) => words !== null).map(({ name }) => name);
  for (const name of ["pstate", "spsr_el1", "sctlr_el1"]) assert.ok(found.includes(name), `${name} of ${found}`);
  const event = { kind: "trap", name: "ID_AA64MMFR0_EL1", fields: { access: "read", value: 0xf000022n } } as const;
  assert.match(eventSentence(event as unknown as Parameters<typeof eventSentence>[0])!, /\(40-bit physical addresses, pages of 4 KiB\)$/);
});

Deno.test("interrupts that were never used and that nothing raises are not listed; the busiest come first, then the most frequent", async () => {
  const system = await demoSystem();
  runUntil(system, 500e6);
  const irqs = rows(system, "irq.ls");
  assert.ok(irqs.length < 50, `${irqs.length} interrupts`);
  assert.deepEqual(irqs.filter(({ source, en, count }) => source === "hardware" && !en && count === 0), []);
  const still = irqs.filter(({ rate, pend }) => rate === irqs[0].rate && pend === irqs[0].pend).map(({ count }) => count);
  assert.deepEqual(still, still.toSorted((a, b) => b - a));
});
