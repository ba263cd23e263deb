// Ends before which nothing was printed, as the command line names no console that the VM has: they
// fail the run, with the way out and the last lines of the kernel's log. Guests that print nothing
// on purpose, or have printed something, end in order.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { Debian } from "../inside/linux/debian.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { fits } from "./class-guests.ts";
import { LONG } from "../support/long.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-unseen-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const POWER_OFF = "mov64 x0, 0x84000008\nhvc #0", RESET = "mov64 x0, 0x84000009\nhvc #0";
const PRINT = "mov64 x1, 0x09000000\nmov w0, #0x2e\nstr w0, [x1]\n";
const PATIENCE = 30e9;

async function ended(source: string, keys: string): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  const system = await demoSystem(`el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n${keys}\n`, undefined, folder);
  runUntil(system, 1e8);
  return system;
}

const verdictOf = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0];
const failing = (system: GuestSystem) => [system.ended()?.code, system.broken().map((text) => text.split(": ")[0])];

interface Unseen {
  readonly source: string;
  readonly keys: string;
  readonly then: "power-off" | "reset";
  readonly named: string;
  readonly wayOut: RegExp;
}

const UNSEEN: Readonly<Record<string, Unseen>> = {
  "a power-off without the virtio console that it names": {
    ...{ source: POWER_OFF, keys: 'cmdline = "console=hvc0"', then: "power-off", named: "hvc0", wayOut: /^use console=ttyAMA0$/ },
  },
  "a power-off without any console": {
    ...{ source: POWER_OFF, keys: 'devices = []\ncmdline = "console=hvc0 panic=-1"', then: "power-off", named: "hvc0" },
    wayOut: /^give the VM a console, such as /,
  },
  "a power-off without its second serial port": {
    ...{ source: POWER_OFF, keys: 'cmdline = "quiet console=ttyAMA1,115200"', then: "power-off", named: "ttyAMA1", wayOut: /ttyAMA0/ },
  },
  "a reset without the serial port of another computer": {
    ...{ source: RESET, keys: 'cmdline = "console=ttyS0"', then: "reset", named: "ttyS0", wayOut: /ttyAMA0/ },
  },
};

for (const [name, { source, keys, then, named, wayOut }] of Object.entries(UNSEEN)) {
  Deno.test(`nothing was printed: ${name}`, async () => {
    const system = await ended(source, keys), row = verdictOf(system);
    assert.ok(fits(row.fact, { code: "unseen", then, because: { code: "console-absent", named: [named] } }), JSON.stringify(row.fact));
    assert.match(row.way_out ?? "", wayOut);
    assert.ok(row.evidence.every((line) => !line.includes("console")), "the verdict has the console already");
    assert.deepEqual(failing(system), [1, ["x"]]);
    const [reason] = rows(system, "why", { filter: "failed=yes" });
    assert.deepEqual([reason.ended, reason.rule, reason.way_out], ["vm:x", row.text, row.way_out]);
  });
}

const SEEN: Readonly<Record<string, readonly [source: string, keys: string]>> = {
  "the console that it has": [POWER_OFF, 'cmdline = "console=ttyAMA0"'],
  "no console": [POWER_OFF, "devices = []"],
  "no console on purpose": [POWER_OFF, 'devices = []\ncmdline = "console=null"'],
  "two consoles, of which it has one": [POWER_OFF, 'cmdline = "console=hvc0 console=ttyAMA0"'],
  "an absent console, and has printed": [`${PRINT}${POWER_OFF}`, 'cmdline = "console=ttyS0"'],
};

for (const [name, [source, keys]] of Object.entries(SEEN)) {
  Deno.test(`healthy: a silent power-off of a VM that names ${name}`, async () => {
    const system = await ended(source, keys), row = verdictOf(system);
    assert.deepEqual([row.fact.code, row.healthy], ["off", true], row.text);
    assert.deepEqual(failing(system), [0, []]);
  });
}

/** Linux boots for about 2 s of the computer, and its first process is the one that ends it. */
Deno.test("the log of a Linux that has shown nothing is told at its end", async () => {
  const debian = await Debian.start("bookworm", { append: "console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f" });
  while (debian.run(1e8)) assert.ok(debian.system.machine.time < PATIENCE);
  const { system } = debian, [row] = rows(system, "diagnose", { filter: "id=vm:host" });
  assert.ok(
    fits(row.fact, { code: "unseen", then: "power-off", because: { named: ["ttyS0"], has: ["ttyAMA0"] } }),
    JSON.stringify(row.fact),
  );
  const lines = row.because.flatMap((one) => one.code === "logged" ? [one.text] : []);
  assert.ok(lines.includes("  with environment:"), lines.join("\n"));
  assert.equal(lines.at(-1), "reboot: Power down");
  assert.match(diagnosisLines(row).join("\n"), /its log at \d\.\d{6}: reboot: Power down/);
  assert.equal(system.ended()?.code, 1);
});

if (LONG) {
  Deno.test("a panic that is not printed has its text, and the log before it", async () => {
    const append = "console=ttyS0 panic=-1 init=/nothere rdinit=/nothere";
    const debian = await Debian.start("bookworm", { append });
    while (debian.run(1e8)) assert.ok(debian.system.machine.time < PATIENCE);
    const [row] = rows(debian.system, "diagnose", { filter: "id=vm:host" });
    assert.ok(fits(row.fact, { code: "panicked", cause: { code: "no-root" }, then: "reset" }), JSON.stringify(row.fact));
    assert.ok(row.because.some((one) => one.code === "logged" && /^Memory Limit/.test(one.text)), row.evidence.join("\n"));
  });
}
