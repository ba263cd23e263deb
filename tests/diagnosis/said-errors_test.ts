// The last error that a program has reported on its console is among the first lines of a verdict:
// no other trace says why a script tries again and again, or why a guest stays in a loop.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { Debian } from "../inside/linux/debian.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { verdictOn } from "./broken-linux.ts";

/** Lines that are read, and virtual time (ns) within which one is asked. */
const FIRST_LINES = 4, ASKED = 6e9;

interface Script {
  readonly sick: string;
  readonly twin: string;
  readonly said: RegExp;
}

const again = (command: string) => `until ${command}; do sleep 1; done`;

const SCRIPTS: Readonly<Record<string, Script>> = {
  "a port that nobody serves": {
    sick: `ip link set lo up; ${again("nc 127.0.0.1 81 < /dev/null")}`,
    twin: "ip link set lo up; sleep 1000",
    said: /the last error on con:host\/0(?:, there \d+ times lately,)? is: nc: .*Connection refused/,
  },
  "a disk that is not there": {
    sick: `mkdir /mnt; ${again("mount -t ext4 /dev/vda1 /mnt")}`,
    twin: `mkdir /mnt; ${again("mount -t tmpfs none /mnt")}; sleep 1000`,
    said: /: mount: mounting \/dev\/vda1 on \/mnt failed: No such file or directory/,
  },
  "a script that may not be executed": {
    sick: `echo > /run.sh; ${again("/run.sh")}`,
    twin: `printf '#!/bin/sh\\n' > /run.sh; chmod +x /run.sh; ${again("/run.sh")}; sleep 1000`,
    said: /: \/run\.sh: Permission denied/,
  },
  "a program that ends by a signal each time": {
    sick: again("sh -c 'kill -SEGV $$'"),
    twin: `${again("sh -c 'exit 0'")}; sleep 1000`,
    said: /: Segmentation fault/,
  },
  "memory that the kernel does not promise": {
    sick: "mount -t proc none /proc; echo 2 > /proc/sys/vm/overcommit_memory; echo 5 > /proc/sys/vm/overcommit_ratio; " +
      again("dd if=/dev/zero of=/dev/null bs=64M count=1"),
    twin: `${again("dd if=/dev/zero of=/dev/null bs=64M count=1")}; sleep 1000`,
    said: /: dd: out of memory[^]*memory that it has not promised a process, .*: task dd \(\d+\); way out: set vm\.overcommit_memory to 0/,
  },
};

for (const [name, { sick, twin, said }] of Object.entries(SCRIPTS)) {
  Deno.test(`a Linux whose script tries again is healthy, and has a line with its error: ${name}`, async () => {
    const random = new Random(name.length), debian = await Debian.booted("bookworm"), other = debian.copy();
    for (const [one, script] of [[debian, sick], [other, twin]] as const) {
      one.type(`${script}\n`);
      one.run(1e9 + random.below(ASKED));
      assert.ok(verdictOn(one).healthy, verdictOn(one).text);
    }
    assert.match(diagnosisLines(verdictOn(debian)).slice(0, FIRST_LINES).join("\n"), said);
    assert.ok(verdictOn(other).because.every(({ code }) => code !== "said"), diagnosisLines(verdictOn(other)).join("\n"));
  });
}

Deno.test("an error is past once a program has printed some lines more, or the next kernel boots", async () => {
  const debian = await Debian.booted("bookworm"), said = () => verdictOn(debian).because.filter(({ code }) => code === "said");
  debian.command("ls /nowhere");
  assert.deepEqual(said().map((one) => one.code === "said" && one.text), ["ls: /nowhere: No such file or directory"]);
  // The shell of the test prints a line after each.
  debian.command("echo 'Permission denied: so it said'");
  assert.equal(said().length, 1, "three lines later it may still be why");
  debian.command("echo 1; echo 2; echo 3; echo 4");
  assert.deepEqual(said(), []);
});

const folder = await Deno.makeTempDir({ prefix: "el2-said-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

Deno.test("a guest that reports a failure and stays in a loop has it before all that is under way", async () => {
  const text = (line: string) =>
    `mov64 x1, 0x09000000\nadr x3, 3f\n1: ldrb w0, [x3], #1\ncbz w0, 2f\nstr w0, [x1]\nb 1b\n2: b 2b\n3: .asciz "${line}\\n"\n`;
  for (const [line, isReport] of [["panic: no GPIO in the devicetree", true], ["GPIO is ready", false]] as const) {
    await assembleGuest(folder, "x", text(line));
    const system = await demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
    runUntil(system, 5e7);
    const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.equal(row.fact.code, "spins", row.text);
    assert.equal(row.because[0].code === "said" && row.because[0].text === line, isReport, JSON.stringify(row.because));
  }
});
