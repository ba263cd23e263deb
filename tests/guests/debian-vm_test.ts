// Unmodified Debian kernels as secondary VMs of every kind: protected behind our firmware, and
// scheduled by the hypervisor. They check the kernel's view of Gunyah, and the end that its owner
// is notified of. Boots that only differ in their end run with EL2_LONG=1.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";
import { LONG } from "../support/long.ts";

/** Seconds of wall time for a boot, and for one command. */
const BOOT = 180, COMMAND = 60;
const FIRMWARE = new URL("../../assets/guests/firmware.bin", import.meta.url).pathname;

/** Runs a Debian VM with these keys; returns the log at the end. */
async function run(keys: string, cmdline: string, live?: (console: ConsoleProgram) => Promise<void>): Promise<string[]> {
  await catalogEntry("debian");
  const folder = await Deno.makeTempDir({ prefix: "el2-debian-vm-" });
  try {
    const vm =
      `[vm.debian]\nkernel = "catalog:debian/Image"\ninitrd = "catalog:debian/initrd"\ncmdline = "${NO_SELF_TESTS} ${cmdline}"\nmemory = "512MiB"\n`;
    await Deno.writeTextFile(`${folder}/el2.toml`, `el2 = 1\n[machine]\nmemory = "768MiB"\n[host]\nmemory = "64MiB"\n${vm}${keys}\n`);
    const log = `${folder}/log`;
    const stdio = live === undefined ? [] : ["--stdio"];
    await using console = new ConsoleProgram(el2Command("run", `${folder}/el2.toml`, "--turbo", "--tier", "auto", "--log", log, ...stdio));
    await live?.(console);
    await console.end();
    const states = (await Deno.readTextFile(log)).matchAll(/vm:debian state (.*)/g);
    // Numbers of processes differ.
    return [...states].map(([, state]) => state.replace(/ \(\d+\)$/, ""));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROTECTED = `type = "protected"\nfirmware = "${FIRMWARE}"`;
/** The states of a VM up to its end. */
const lived = (end: keyof typeof ENDED) => ["creating", "ready", "running", `exited (${end})`, `ended: ${ENDED[end]}`, "stopped"];
const ENDED = {
  "system-off": "the guest powered itself off (PSCI SYSTEM_OFF): reboot(2) of process poweroff",
  "system-reset": "the guest asked for a reset (PSCI SYSTEM_RESET): reboot(2) of process reboot",
} as const;

Deno.test("Debian runs as a protected VM: the firmware goes first, the kernel finds /hypervisor, and poweroff is SYSTEM_OFF", async () => {
  const states = await run(PROTECTED, "console=ttyAMA0", async (console) => {
    await console.expect(/^firmware: image 0x80000000, \d+ KiB, any is accepted$/m, BOOT);
    await console.expect(/EL2-READY/, BOOT);
    await console.expect(PROMPT, COMMAND);
    await console.type("cd /proc/device-tree/hypervisor; tr '\\0' ' ' < compatible; echo; ls; od -An -tx1 qcom,gunyah-vm/qcom,vmid");
    await console.expect(/^gunyah-hypervisor qcom,gunyah-hypervisor-1\.0 qcom,gunyah-hypervisor simple-bus\s*$/m, COMMAND);
    await console.expect(/qcom,gunyah-vm/, COMMAND);
    await console.expect(/^ 00 00 00 80$/m, COMMAND);
    await console.type(
      "tr '\\0' ' ' < qcom,gunyah-vm/compatible; tr '\\0' ' ' < qcom,gunyah-vm/qcom,image-name; echo; ls ../reserved-memory",
    );
    await console.expect(/^qcom,gunyah-vm-id-1\.0 qcom,gunyah-vm-id debian\s*$/m, COMMAND);
    await console.expect(/firmware@/, COMMAND);
    await console.type("poweroff -f");
  });
  assert.deepEqual(states, lived("system-off"));
});

Deno.test("Debian runs with two vCPUs that the hypervisor schedules, without a console, and powers off", async () => {
  const keys = 'schedule = "own"\nvcpus = 2\naffinity = "sticky"\npriority = -4\ntimeslice = "1ms"';
  assert.deepEqual(await run(keys, "el2=poweroff"), lived("system-off"));
});

const ENDS = [
  ["reboot -f", "", "system-reset"],
  ["echo c > /proc/sysrq-trigger", " panic=-1", "system-reset"],
] as const;

for (const [command, more, end] of LONG ? ENDS : []) {
  Deno.test(`Debian that does \`${command}\` ends by ${end}`, async () => {
    const states = await run("", `console=ttyAMA0${more}`, async (console) => {
      await console.expect(/EL2-READY/, BOOT);
      await console.expect(PROMPT, COMMAND);
      await console.type(command);
    });
    assert.deepEqual(states, lived(end));
  });
}
