// The verdict on the kernel of a dump: that of the machine at the same instant, as far as memory
// alone tells it.

import assert from "node:assert/strict";
import type { NamedDump } from "../../../../src/inside/dumps/dump.ts";
import { DIAGNOSES } from "../../../../src/model/queries/tables.ts";
import { rowsOf } from "../../../../src/model/queries/query.ts";
import { diagnosisLines } from "../../../../src/model/queries/texts/diagnosis-text.ts";
import { patch, PATIENCE, verdictOn, waiting } from "../../../diagnosis/broken-linux.ts";
import { fits } from "../../../diagnosis/class-guests.ts";
import { panicsAtOnce } from "../../../diagnosis/soon.ts";
import { dumpOf, opened, RAM, rawOf, withoutInfo } from "../../../inside/dumps/foreign.ts";
import type { Debian } from "../../../inside/linux/debian.ts";
import { writtenCore } from "../../../inside/linux/written-core.ts";
import { LONG } from "../../../support/long.ts";

/** Virtual time (ns) in which a kernel composes its message, or which a wait lasts. */
const COMPOSED = 50e6, WAITED = 2e9;
/** Instructions: an undefined one, and a load from address 0. */
const UNDEFINED = [0], LOAD_NULL = [0xd280_0001, 0xf940_0021];

/** The verdict of a dump. */
function diagnosisOf(file: NamedDump) {
  const answer = opened(file).answer({ table: "diagnose", args: {} }), [row, ...others] = rowsOf(DIAGNOSES, answer);
  assert.deepEqual([answer.error, answer.gaps, others], [undefined, undefined, []]);
  return row;
}

/** A Debian's memory in files, with registers and without. */
const formsOf = (debian: Debian) => ({ core: dumpOf(withoutInfo(writtenCore(debian))), raw: dumpOf(rawOf(debian), RAM) });

interface Case {
  readonly name: string;
  readonly how: string;
  readonly patch?: readonly [symbol: string, words: readonly number[]];
  /** The cause of a panic, or the verdict. */
  readonly fact: { readonly code: string } & Readonly<Record<string, unknown>>;
  /** Without the full numbers, too. */
  readonly always?: true;
}

const PANICS: readonly Case[] = [
  { name: "an init that ends", how: "exit", fact: { code: "init-exited", program: "/init", status: 7 }, always: true },
  { name: "an init that is killed", how: "null", fact: { code: "init-killed", signal: "SIGSEGV" } },
  { name: "no memory", how: "memory", fact: { code: "out-of-memory", task: { name: "init", pid: 1 } } },
  { name: "a crash that was asked for", how: "sysrq", fact: { code: "sysrq-crash", task: { name: "init", pid: 1 } } },
  {
    name: "an oops in a task",
    how: "sysinfo",
    patch: ["__arm64_sys_sysinfo", LOAD_NULL],
    fact: { code: "oops", exception: /NULL pointer/, at: /^__arm64_sys_sysinfo/, task: { name: "init", pid: 1 } },
  },
  {
    name: "an oops in an interrupt, on its own stack",
    how: "stay",
    patch: ["hrtimer_interrupt", UNDEFINED],
    fact: { code: "oops", at: /^hrtimer_interrupt/ },
    always: true,
  },
];

for (const { name, how, patch: patched, fact: cause } of PANICS.filter(({ always }) => LONG || always)) {
  Deno.test(`a dump of a panic has its message and its cause, with registers and without: ${name}`, async () => {
    const debian = (await waiting()).copy();
    if (patched) patch(debian, ...patched);
    debian.type(`${how}\n`);
    panicsAtOnce(debian.system, "host", PATIENCE);
    debian.run(COMPOSED);
    const { fact } = verdictOn(debian);
    assert.ok(fact.code === "panicked" && fact.message !== null);
    for (const [form, file] of Object.entries(formsOf(debian))) {
      const row = diagnosisOf(file), { healthy, way_out, next } = row, lines = diagnosisLines(row).join("\n");
      assert.ok(fits(row.fact, { code: "panicked", message: fact.message, cause, then: null }), `${form}: ${lines}`);
      assert.ok(!healthy && way_out !== null, `${form}: ${lines}`);
      assert.equal(next, form === "raw" ? "el2 linux log dump" : "el2 vcpu stack dump/0", form);
    }
  });
}

const OTHERS: readonly Case[] = [
  {
    name: "threads that wait for each other",
    how: "mutexes",
    fact: { code: "kernel-waits", finding: { code: "program-deadlock" } },
    always: true,
  },
  {
    name: "an oops of a child",
    how: "child-sysinfo",
    patch: ["__arm64_sys_sysinfo", LOAD_NULL],
    fact: { code: "kernel-broken", finding: { code: "oops-survived", at: /^__arm64_sys_sysinfo\+0x4/ } },
  },
  { name: "a halt", how: "halt", fact: { code: "halted", by: { name: "init", pid: 1 } } },
  { name: "nothing wrong", how: "stay", fact: { code: "saved" } },
  { name: "nothing wrong, and a program that waits for another", how: "pipe", fact: { code: "saved" }, always: true },
];

for (const { name, how, patch: patched, fact } of OTHERS.filter(({ always }) => LONG || always)) {
  Deno.test(`the verdict and the evidence of a dump are those of the machine: ${name}`, async () => {
    const debian = (await waiting()).copy();
    if (patched) patch(debian, ...patched);
    debian.type(`${how}\n`);
    debian.run(WAITED);
    const live = verdictOn(debian);
    // How long a sleep lasts is not in a dump: it has no present time.
    const isSleep = (value: unknown) => typeof value === "object" && value !== null && "for" in value && value.for === "time";
    const timeless = (_: string, value: unknown) => isSleep(value) ? { ...value as object, what: null } : value;
    const kernelOf = ({ because }: typeof live) => JSON.stringify(because.filter(({ code }) => code === "kernel"), timeless, 1);
    for (const [form, file] of Object.entries(formsOf(debian))) {
      const row = diagnosisOf(file);
      // Registers alone show a halt.
      assert.ok(
        fits(row.fact, fact.code === "halted" && form === "raw" ? { code: "saved" } : fact),
        `${form}: ${diagnosisLines(row).join("\n")}`,
      );
      assert.deepEqual([row.healthy, kernelOf(row)], [live.healthy, kernelOf(live)], form);
      if (fact.code !== "saved" && row.fact.code !== "saved") assert.deepEqual(row.fact, live.fact, form);
    }
  });
}

Deno.test("words of a panic that a program has logged are no panic of a dump", async () => {
  const debian = (await waiting()).copy();
  debian.type("child-sysinfo-kmsg\n");
  debian.run(WAITED);
  debian.type("Kernel panic - not syncing: it is not\n");
  debian.run(WAITED);
  assert.equal(debian.rows("linux.log").at(-1)?.text, "Kernel panic - not syncing: it is not");
  for (const [form, file] of Object.entries(formsOf(debian))) assert.deepEqual(diagnosisOf(file).fact, { code: "saved" }, form);
});

Deno.test("a dump without a kernel has no verdict, and says so", () => {
  const { rows, error } = opened(dumpOf(new Uint8Array(8192), 0)).answer({ table: "diagnose", args: {} });
  assert.deepEqual(rows, []);
  assert.match(error ?? "", /^no kernel was found in the dump, whose state would have a verdict; list its memory with el2 mem map$/);
});
