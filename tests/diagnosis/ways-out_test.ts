// Every command that a diagnosis or its reasons print, as the next step, the way there or a way
// out, is run where it is printed: in the session of the broken machine. None is a usage error, and
// none names what does not exist.

import assert from "node:assert/strict";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { SessionHub } from "../../src/session/control/hub.ts";
import { SessionServer } from "../../src/session/control/server.ts";
import type { Engine } from "../../src/session/engine/engine.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import type { ClientRequest } from "../../src/model/protocol/requests.ts";
import type { SessionEvent } from "../../src/model/protocol/protocol.ts";
import { rowsOf } from "../../src/model/queries/query.ts";
import { DIAGNOSES, REASONS } from "../../src/model/queries/tables.ts";
import type { SessionClient } from "../../src/session/worker/client.ts";
import { serveRequest } from "../../src/session/worker/requests.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { machinesOf, startEngine } from "../session/engine/session-in-thread.ts";
import { el2With } from "../app/cli/program.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { buildBroken, writeBare, writePeerless } from "./broken-guest.ts";
import { BROKEN, PEERLESS } from "./cases.ts";
import { BROKEN_POLLS, pollText } from "./polls.ts";
import { refusedCalls } from "./refused-calls.ts";
import { BROKEN_STRANGE, strangeText } from "./strange-guests.ts";
import { LONG } from "../support/long.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-ways-" });
await Deno.chmod(folder, 0o700);
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);
await writeBare(folder);
await writePeerless(folder, PEERLESS, "x");
for (const name of ["hello.bin", "firmware.bin"]) await Deno.copyFile(`assets/guests/${name}`, `${folder}/${name}`);
await Deno.writeTextFile(`${folder}/not-an-image.bin`, "neither an image nor a devicetree");

/** A machine in this thread, as a hub sees it. */
class MachineHere implements SessionClient {
  onEvent: (event: SessionEvent) => void = () => {};
  readonly engine: Engine;
  over = false;

  constructor(plan: SessionPlan) {
    this.engine = startEngine(plan, machinesOf(plan), (event) => {
      if (event.kind === "ended") this.over = true;
      this.onEvent(event);
    });
  }

  send(request: ClientRequest): void {
    if (request.kind !== "forget") serveRequest(this.engine, request);
  }

  close(): void {
    this.engine.stop();
  }

  /** Waits for the end of its time, or an earlier one. */
  async toItsEnd(): Promise<void> {
    while (!this.over) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** `el2 COMMAND` in a text: all of it, or in backticks; without those that have a placeholder. */
function commandsIn(text: string | null): string[] {
  const found = text === null ? [] : text.startsWith("el2 ") ? [text] : [...text.matchAll(/`(el2 [^`]+)`/g)].map(([, command]) => command);
  return found.filter((command) => !/\b[A-Z]{3,}\b/.test(command));
}

/**
 * The first and the last of those that differ in numbers alone: a VM may have hundreds of lives.
 */
function ofEachShape(commands: readonly string[]): Set<string> {
  const shapes = Map.groupBy(commands, (command) => command.replaceAll(/\d+/g, "N"));
  return new Set([...shapes.values()].flatMap((alike) => [alike[0], alike[alike.length - 1]]));
}

/** The words of a command, as a shell splits them. */
const wordsOf = (command: string) => [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, one, two, three]) => one ?? two ?? three);

async function run(words: readonly string[], socket: string): Promise<{ code: number; told: string }> {
  const { code, stdout, stderr } = await el2With({ XDG_RUNTIME_DIR: folder, EL2_SESSION: socket }, ...words);
  return { code, told: stdout + stderr };
}

/** A usage error, and a session that is not there (`ExitCode`). */
const USAGE = 2, NO_SESSION = 3;

/** Guests whose program counter or handler is nowhere, beside those of `BROKEN`. */
const NOWHERE: Readonly<Record<string, string>> = {
  "null": "adr x0, vectors\nmsr vbar_el1, x0\nisb\nmov x0, #0\nblr x0\n.balign 2048\nvectors:\n.rept 16\n9: b 9b\n.balign 128\n.endr",
  "unmapped": "set vbar_el1, 0x90000000\nmmu_on\nbrk #1",
  "sve": "no_vectors\ncntw x0",
  "masked": "mov x0, #3\nmsr cntv_ctl_el0, x0\n1: wfi\nb 1b",
};
/** A guest of a few instructions, as a case. */
async function assembled(name: string, source: string, textOf: (image: string) => string) {
  const image = name.replaceAll(/\W+/g, "-");
  await assembleGuest(folder, image, source);
  return { name: `the guest "${name}"`, text: textOf(image), inject: undefined, until: 100e6, verdict: "" };
}

const nowhere = (image: string) => `el2 = 1\n[vm.x]\nimage = "${image}.bin"\nmemory = "4MiB"\n`;
/** The first of them run always: most of the others print the same commands. */
const some = <T>(guests: Readonly<Record<string, T>>) => Object.entries(guests).slice(0, LONG ? undefined : 1);
const MORE = await Promise.all([
  ...Object.entries(NOWHERE).map(([name, source]) => assembled(name, source, nowhere)),
  ...some(BROKEN_POLLS).map(([name, poll]) => assembled(name, poll.source, (image) => pollText(image, poll))),
  ...some(BROKEN_STRANGE).map(([name, strange]) => assembled(name, strange.source, (image) => strangeText(image, strange))),
  ...some(await refusedCalls(folder)).map(([name, { source, text }]) => assembled(`a call with ${name}`, source, text)),
]);

/** Guests of the classes, each kind in its own folder. */
async function ofClasses(kind: "classes" | "sources") {
  const { guests, cases } = kind === "classes"
    ? await import("./classes.ts").then(({ guests, BROKEN_CLASSES, TRAILS }) => ({ guests, cases: { ...BROKEN_CLASSES, TRAILS } }))
    : await import("./sources.ts").then(({ guests, BROKEN_SOURCES }) => ({ guests, cases: BROKEN_SOURCES }));
  return Object.entries(cases).flatMap(([kind, broken]) =>
    broken.map((one) => ({
      ...{ name: `${kind}: ${one.name}`, inject: one.inject, until: 115e6, verdict: "", folder: guests.folder },
      text: guests.configuration(guests.vm(one.guest, one) + (one.more ?? "")),
    }))
  );
}
const OF_CLASSES = LONG ? [...await ofClasses("classes"), ...await ofClasses("sources")] : [];

/** Without the full numbers: one for each kind of what is printed. */
const OF_CI: readonly string[] = [
  ...["an undefined instruction", "a reset with a vendor's code", "a flag that nobody sets", "a timer that is disabled in the GIC"],
  ...["two VMs that wait for each other's message", "a message to a VM that does not exist", "a VM that gets no turn"],
  ...["memory that cannot be lent", "a devicetree that does not describe a VM", "a START that is never answered"],
  ...["memory that is not given back", "an image that the firmware refuses", 'the guest "null"', 'the guest "sve"'],
];
const ALL = [...BROKEN, ...MORE].map((one) => ({ ...one, folder }));
for (const name of OF_CI) assert.ok(ALL.some((one) => one.name === name), name);

const CASES = LONG ? [...ALL, ...OF_CLASSES] : ALL.filter(({ name }) => OF_CI.includes(name) || name.startsWith('the guest "a call with'));
for (const [index, { name, text, inject, until = 240e6, verdict, folder: files }] of CASES.entries()) {
  if (verdict === undefined) continue;
  Deno.test(`what is printed works: ${name}`, async () => {
    const planned = await planText(text, "case.toml", files);
    assert.ok(planned.ok);
    const machine = new MachineHere({ ...planned.run, turbo: true, history: true, duration: until, inject: inject && [...inject] });
    await machine.toItsEnd();
    const socket = `${folder}/${index}.sock`;
    const hub = new SessionHub(machine, { name: "broken", what: "test", started: "", logs: undefined }, MiB);
    const server = await SessionServer.listen(hub, socket);
    try {
      const { inspector } = machine.engine.system;
      const diagnoses = rowsOf(DIAGNOSES, inspector.answer({ table: "diagnose", args: {} })).filter(({ healthy }) => !healthy);
      const reasons = rowsOf(REASONS, inspector.answer({ table: "why", args: { filter: "failed=yes" } }));
      const printed = [
        ...diagnoses.flatMap((row) => [row.next, row.way_out, ...row.evidence]),
        ...reasons.flatMap((row) => [row.way_out, row.command]),
      ].flatMap(commandsIn);
      assert.ok(printed.length > 0, `nothing is printed: ${diagnoses.map((row) => row.text)}`);
      for (const command of ofEachShape(printed)) {
        const { code, told } = await run(wordsOf(command).slice(1), socket);
        assert.ok(code !== USAGE && code !== NO_SESSION, `${command} -> ${code}: ${told}`);
        assert.doesNotMatch(told, /^el2: .*not mapped|^el2: no (?:vm|vcpu|irq|mq|db|why|parcel):/m, command);
      }
    } finally {
      server.close();
      machine.close();
    }
  });
}
