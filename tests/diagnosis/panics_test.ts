// A kernel that panics is told as soon as it does, with a console and without, and also if it asks
// for a reset then: a reset is how it ends, and the panic why.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { planCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { VERDICT_FACTS } from "../../src/model/queries/facts/verdict.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../src/model/plans/plan.ts";
import type { SessionEvent } from "../../src/model/protocol/protocol.ts";
import { NO_SELF_TESTS } from "../guests/command-line.ts";
import { machinesOf, startEngine } from "../session/engine/session-in-thread.ts";
import { rows, runUntil } from "../session/inspection/system.ts";
import { el2 } from "../app/cli/program.ts";
import { demoPlan, runTo } from "../session/snapshots/systems.ts";
import { fits, verdictOn } from "./class-guests.ts";
import { panicsAtOnce } from "./soon.ts";
import { LONG } from "../support/long.ts";

/** Virtual time (ns) in which the kernel panics, and then composes its message. */
const PATIENCE = 5e9, COMPOSED = 50e6;
/** Virtual time (ns) before which a kernel is young, and between two questions then. */
const EARLY = 20e6, CLOSELY = 0.1e6;
const MESSAGE = /^VFS: Unable to mount root fs on unknown-block\(0,0\)$/;

interface Panic {
  readonly name: string;
  readonly append: string;
  readonly cpus?: number;
  readonly cpu?: SessionPlan["cpu"];
  /** How it ends; null if it stays. */
  readonly then: "reset" | null;
  /** The console shows it. */
  readonly shown: boolean;
  /** Without the full numbers, too: one that stays and one that resets, on one CPU and several. */
  readonly always?: true;
}

const PANICS: readonly Panic[] = [
  { name: "that stays", append: "console=ttyAMA0", then: null, shown: true },
  {
    name: "on one of three CPUs, which sign return addresses",
    append: "console=ttyAMA0",
    cpus: 3,
    cpu: planCpu("v8.6"),
    then: null,
    shown: true,
    always: true,
  },
  { name: "without a console that is there", append: "console=ttyS7", then: null, shown: false },
  { name: "of which the console shows nothing", append: "console=ttyAMA0 loglevel=0", then: null, shown: false, always: true },
  { name: "that resets at once", append: "console=ttyAMA0 panic=-1", then: "reset", shown: true },
  {
    name: "that resets at once, without a console that is there",
    append: "console=ttyS7 panic=-1",
    then: "reset",
    shown: false,
    always: true,
  },
];

/** Panics of this run. */
const TRIED = PANICS.filter(({ always }) => LONG || always);

const boot = async (panic: Pick<Panic, "append" | "cpus" | "cpu">) => assemble(await planOf(panic)) as GuestSystem;

async function planOf({ append, cpus = 1, cpu }: Pick<Panic, "append" | "cpus" | "cpu">): Promise<SessionPlan> {
  const { folder } = await catalogEntry("debian-bookworm");
  const image = await Deno.readFile(`${folder}/Image`), initrd = await Deno.readFile(`${folder}/initrd`);
  const what = { kind: "boot", image, initrd, dtb: undefined, append: `${NO_SELF_TESTS} ${append} rdinit=/nowhere`, devices: [] } as const;
  return { cpus, cpu, memory: 512 << 20, turbo: true, seed: 1, what };
}

for (const panic of TRIED) {
  Deno.test(`a kernel panic ${panic.name}`, async () => {
    const system = await boot(panic);
    const verdict = () => verdictOn(system, PRIMARY_CONSOLE);
    assert.ok(!system.hasPanicked());
    panicsAtOnce(system, PRIMARY_CONSOLE, PATIENCE);
    assert.ok(fits(verdict().fact, { code: "panicked", cause: { code: "no-root", program: "/nowhere" }, then: null }), verdict().text);
    // Then it composes its message, and asks for its reset.
    runUntil(system, system.machine.time + (panic.then === null ? COMPOSED : PATIENCE));
    const { fact } = verdict();
    assert.ok(fits(fact, { code: "panicked", message: MESSAGE, then: panic.then }), VERDICT_FACTS.text(fact));
    assert.equal(/Kernel panic/.test(system.consoles.tail(PRIMARY_CONSOLE)), panic.shown);
    assert.equal(system.ended() !== undefined, panic.then !== null);
    assert.ok(system.ended()?.code !== 0);
    if (panic.then === null) {
      assert.ok(system.hasPanicked());
      system.consoles.drain();
      // A VM that has spoken has been silent since the question.
      assert.deepEqual([system.isSomeSilent(), system.isSomeSilent()], [!panic.shown, true]);
      return;
    }
    const [why] = rows(system, "why", { filter: `ended=vm:${PRIMARY_CONSOLE}` });
    assert.match(
      why.rule,
      /^the ramdisk has \d+ files and no \/nowhere, .*: Kernel panic - not syncing: VFS: .*; then the guest asked for a reset \(PSCI SYSTEM_RESET\)$/,
    );
    assert.match(why.way_out ?? "", /^put \/nowhere into the ramdisk/);
    assert.match(system.ended()!.message, /Kernel panic/);
  });
}

Deno.test("a kernel that panics before it has memory and consoles is told at once, also by the first question", async () => {
  const early = { append: "console=ttyAMA0 mem=24M" }, asked = await boot(early), other = await boot(early);
  panicsAtOnce(asked, PRIMARY_CONSOLE, EARLY, CLOSELY);
  const { time } = asked.machine;
  assert.ok(time < EARLY, `it panics at ${time} ns`);
  runUntil(other, time + CLOSELY);
  for (const system of [asked, other]) {
    const { fact, text } = verdictOn(system, PRIMARY_CONSOLE);
    assert.ok(fits(fact, { code: "panicked", then: null }), text);
  }
});

/** How fast the computer's clock runs for an engine that looks at silent VMs every few seconds. */
const HURRY = 20;

Deno.test("a session without screens ends with 1 at a kernel panic of which the console shows nothing", async () => {
  const plan = await planOf({ append: "console=ttyAMA0 loglevel=0" }), now = performance.now.bind(performance);
  performance.now = () => HURRY * now();
  try {
    const { end: { code, message } } = await new Promise<Extract<SessionEvent, { kind: "ended" }>>((resolve) => {
      startEngine({ ...plan, endsOnFailure: true }, machinesOf(plan), (event) => void (event.kind === "ended" && resolve(event)));
    });
    assert.equal(code, 1, message);
    assert.match(message, /^host: the ramdisk has \d+ files and no \/nowhere/);
  } finally {
    performance.now = now;
  }
});

Deno.test("a run ends once the report of a panic is whole on the console, or some looks later", async () => {
  const begun = async () => {
    const system = assemble(await demoPlan());
    runTo(system, 300_000);
    return (text: string) => {
      system.consoles.transmitAll("hello", new TextEncoder().encode(text));
      return system.showsPanic();
    };
  };
  const shows = await begun();
  assert.deepEqual([shows("nothing\n"), shows("Kernel panic - not syncing: x\nCall trace:\n"), shows("---[ end Kernel pan")], [
    false,
    false,
    false,
  ]);
  assert.equal(shows("ic - not syncing: x ]---\n"), true);
  const quotes = await begun();
  let looks = 0;
  do looks++; while (!quotes("Kernel panic - not syncing: y\n"));
  assert.ok(looks > 1 && looks < 10, `${looks}`);
});

for (const { name, append } of LONG ? TRIED.filter(({ then }) => then === null) : []) {
  Deno.test(`without screens, a run ends with 1 at a kernel panic ${name}`, async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    const { code, stdout, stderr } = await el2(
      "boot",
      `${folder}/Image`,
      "--append",
      `${NO_SELF_TESTS} ${append} rdinit=/nowhere`,
      "--stdio",
      "--turbo",
    );
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^el2: host: there is no ramdisk, and the command line names no root$/m);
    // The report on it is whole.
    if (stdout.includes("Kernel panic")) assert.match(stdout, /---\[ end Kernel panic[^\n]*\]---/);
    assert.match(stderr, /^ {2}way out: give a ramdisk/m);
    assert.match(stderr, /^ {2}Kernel panic - not syncing: VFS: Unable to mount root fs/m);
  });
}
