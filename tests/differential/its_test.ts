// The ITS beside QEMU's: a bare-metal guest (its/guest.c) gives each command, right and wrong, and
// prints the LPIs that its two CPUs acknowledge. Both machines must print the same text.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import type { GuestSystem } from "../../src/assembly/guest-system.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../src/plans/plan.ts";
import { MiB } from "../../src/support/sizes.ts";
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
export function itsMachine(image: Uint8Array): GuestSystem {
  return assemble({
    ...{ cpus: 2, memory: 64 * MiB, turbo: true, seed: 1, duration: undefined, hashAt: [], debug: undefined },
    behaviour: { msi: "its", check: true },
    what: { kind: "boot", image, append: "" },
  } as unknown as SessionPlan);
}

function runOnEl2(image: Uint8Array): string {
  const system = itsMachine(image);
  for (;;) {
    const result = system.machine.run(MOST, 10_000);
    if (result.kind === "idle" && result.next !== Infinity) system.machine.skipTo(result.next);
    else if (result.kind !== "turns") break;
  }
  const bytes = system.consoles.take().filter(({ console }) => console === PRIMARY_CONSOLE).flatMap(({ bytes }) => [...bytes]);
  return new TextDecoder().decode(Uint8Array.from(bytes));
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
