// The ITS beside QEMU's: a bare-metal guest (its/guest.c) gives each command, right and wrong, and
// prints the LPIs that its two CPUs acknowledge. Both machines must print the same text.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../src/model/plans/plan.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { rows } from "../session/inspection/system.ts";
import { runNative } from "../support/oracles.ts";

const LAST_LINE = "end\n";
/** Virtual time (ns), ten times what the guest takes. */
const MOST = 400e6;

async function buildGuest(): Promise<string> {
  const folder = new URL("./its/", import.meta.url).pathname;
  const elf = await Deno.makeTempFile({ suffix: ".elf" });
  const language =
    "-O1 -ffreestanding -mgeneral-regs-only -mstrict-align -mcpu=cortex-a57 -fno-pic -fno-pie -fno-stack-protector -Wall -Werror";
  const flags = `${language} -nostdlib -static -Wl,--build-id=none`;
  const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [
    ...flags.split(" "),
    ...["-T", `${folder}guest.ld`, "-o", elf, `${folder}start.S`, `${folder}guest.c`],
  ]);
  assert.equal(code, 0, stderr);
  return elf;
}

async function runOnQemu(elf: string): Promise<string> {
  const machine = "-M virt,gic-version=3 -cpu cortex-a57 -smp 2 -nic none -display none -monitor none -serial stdio -no-reboot";
  const { stdout, stderr } = await runNative("qemu-system-aarch64", [...machine.split(" "), "-kernel", elf]);
  assert.ok(stdout.endsWith(LAST_LINE), stderr + stdout);
  return stdout;
}

/** The machine of `el2 boot --msi its`. */
function planOf(image: Uint8Array): SessionPlan {
  return {
    ...{ cpus: 2, memory: 64 * MiB, turbo: true, seed: 1, debug: undefined },
    behaviour: { msi: "its", check: true },
    what: { kind: "boot", image, append: "" },
  } as unknown as SessionPlan;
}

/** Runs until the machine waits for nothing more, or `until` says so; gives what is printed. */
function printed(system: GuestSystem, until: (text: string) => boolean = () => false): string {
  let text = "";
  for (;;) {
    const result = system.machine.run(MOST, 1);
    for (const { console, bytes } of system.consoles.drain()) if (console === PRIMARY_CONSOLE) text += new TextDecoder().decode(bytes);
    if (until(text)) return text;
    if (result.kind === "idle" && result.next !== Infinity) system.machine.skipTo(result.next);
    else if (result.kind !== "turns") return text;
  }
}

/** The output of a machine that is saved where LPIs are pending, and continues as another. */
function runOnEl2(image: Uint8Array): string {
  const plan = planOf(image), first = assemble(plan);
  const isPending = () => rows(first, "irq.ls").some(({ kind, source, pend }) => kind === "lpi" && source === "ITS" && pend);
  const begin = printed(first, (text) => text.includes("a queue that wraps") && isPending());
  assert.ok(!begin.includes(LAST_LINE), "LPIs are pending before the end");
  const second = assembleEmpty(plan);
  second.load(first.save(), false);
  // A machine that is loaded shows the end of its output again.
  second.consoles.drain();
  return begin + printed(second);
}

Deno.test("each command of an ITS, and its registers, do what QEMU's do", async () => {
  const elf = await buildGuest();
  try {
    const [expected, actual] = [await runOnQemu(elf), runOnEl2(await Deno.readFile(elf))].map((text) => text.split("\n"));
    const differences = expected.flatMap((line, i) => line === actual[i] ? [] : [`line ${i + 1}: QEMU ${line}\n  el2 ${actual[i]}`]);
    assert.deepEqual(differences, []);
    assert.equal(actual.length, expected.length);
    for (const name of ["MAPC", "MAPD", "MAPTI", "MAPI", "MOVI", "MOVALL", "INV", "INVALL", "INT", "CLEAR", "DISCARD", "SYNC"]) {
      assert.ok(expected.some((line) => line.startsWith(`${name} `)), name);
    }
  } finally {
    await Deno.remove(elf);
  }
});
