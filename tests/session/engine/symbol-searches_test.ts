// A question for which a kernel's symbols are sought first: the search is in pieces, other
// questions are answered meanwhile, and a guest that hides its kernel each time gets an answer too.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import type { Query } from "../../../src/model/queries/query.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { SCTLR_ON, TCR_48 } from "../../cpu/core/memory/page-tables.ts";
import { bootPlan } from "../snapshots/systems.ts";
import { BASE, exampleSymbols, kernelImage } from "../../inside/symbols/kernel-tables.ts";
import { Session } from "./session-in-thread.ts";

/** Where the kernel is in the primary VM's RAM, and tables that map 4 MiB of it at `BASE`. */
const KERNEL = RAM_BASE + 8 * MiB, TABLES = RAM_BASE + 4 * MiB;
const PLAN = await bootPlan({ memory: 16 * MiB });
const SYMBOLS: Query = { table: "symbols", args: { vm: "vm:host" } };

/** A paused session whose primary VM has a kernel in its memory. */
async function sessionWithKernel(): Promise<Session> {
  const session = new Session(PLAN);
  await session.runOn(1000);
  session.engine.pause(true);
  await session.event("paused");
  const { machine: { ram }, hypervisor } = session.engine.present as GuestSystem;
  const entry = (table: number, index: number, descriptor: number) =>
    ram.write(TABLES + 0x1000 * table + 8 * index, new Uint8Array(BigUint64Array.of(BigInt(descriptor)).buffer));
  entry(0, 0x100, TABLES + 0x1003);
  entry(1, 2, TABLES + 0x2003);
  for (const block of [0, 1]) entry(2, block, KERNEL + block * 2 * MiB + 0x401);
  ram.write(KERNEL, kernelImage(exampleSymbols(), "behind"));
  const [{ registers }] = [...hypervisor.scheduler.vcpus].filter(({ native }) => native === undefined);
  for (const [name, value] of [["TTBR1_EL1", BigInt(TABLES)], ["TCR_EL1", TCR_48], ["SCTLR_EL1", SCTLR_ON], ["VBAR_EL1", BASE]] as const) {
    registers.setRegister(name, value);
  }
  return session;
}

Deno.test("a session answers other questions while it looks for a kernel's symbols", async () => {
  const session = await sessionWithKernel(), { engine } = session;
  engine.query(7, SYMBOLS);
  engine.query(8, SYMBOLS);
  assert.ok(!session.heard("answer"), "the search is not whole at once");
  const others: number[] = [];
  for (let id = 9;; id++) {
    engine.query(id, { table: "mem.map", args: {} });
    const first = await session.event("answer");
    if (first.id === 7) {
      assert.equal(first.answer.rows.length, exampleSymbols().length);
      break;
    }
    others.push(first.id);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.ok(others.length > 1, `${others}`);
  const second = await session.event("answer");
  assert.deepEqual([second.id, second.answer.rows.length], [8, exampleSymbols().length]);
  // It is known from now on.
  engine.query(6, SYMBOLS);
  assert.ok(session.heard("answer"));
  engine.halt();
});

Deno.test("a guest whose vectors are elsewhere each time gets an answer without its kernel's symbols", async () => {
  const session = await sessionWithKernel(), { engine } = session;
  const { machine: { ram }, symbols } = engine.present as GuestSystem;
  ram.write(KERNEL, new Uint8Array(MiB));
  const [{ registers }] = symbols.vcpus("host");
  let searches = 0;
  const read = registers.getRegister.bind(registers);
  registers.getRegister = (name) => name === "VBAR_EL1" ? BASE + BigInt(0x800 * ++searches) : read(name);
  assert.equal((await session.ask(SYMBOLS)).rows.length, 0);
  assert.ok(searches > 4 && searches < 1000, `${searches}`);
  engine.halt();
});

Deno.test("a question about a VM without a kernel waits for no search", async () => {
  const session = new Session(PLAN), { engine } = session;
  await session.runOn(1000);
  engine.pause(true);
  await session.event("paused");
  const { symbols } = engine.present as GuestSystem;
  assert.equal(symbols.vcpus("host").length, 1);
  assert.deepEqual(symbols.asked("by the caller", () => symbols.all("host")), []);
  engine.halt();
});
