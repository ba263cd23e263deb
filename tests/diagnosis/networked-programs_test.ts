// Programs of two Linux VMs on one network: a line names who has the other end of a connection, in
// the other VM, and two that wait for each other's words are stuck.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { type GuestConsole, Guests } from "../guests/guest.ts";
import { NO_SELF_TESTS } from "../guests/command-line.ts";
import { withPrograms } from "../guests/programs.ts";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { verdictOn } from "./class-guests.ts";

/** Seconds of virtual time of a boot and of a command, and ns between two questions. */
const BOOT = 60, COMMAND = 20, ASKED = 100e6;
const NAMES = ["a", "b"];

/** Two VMs on a network, at their shells. */
async function networked(folder: string): Promise<{ guests: Guests; consoles: GuestConsole[] }> {
  const debian = (await catalogEntry("debian-bookworm")).folder;
  await Deno.copyFile(`${debian}/Image`, `${folder}/Image`);
  await Deno.writeFile(`${folder}/initrd`, await withPrograms(await Deno.readFile(`${debian}/initrd-virtio`), "talk"));
  const vms = NAMES.map((name) =>
    `[vm.${name}]\nkernel = "Image"\ninitrd = "initrd"\nmemory = "192MiB"\ncmdline = "console=ttyAMA0 quiet ${NO_SELF_TESTS}"\n` +
    'devices = [{ kind = "pl011" }, { kind = "net", backend = "pair:lan" }]\n'
  );
  const guests = await Guests.configured(`el2 = 1\n[machine]\nmemory = "768MiB"\ncpus = 2\n${vms.join("")}`, folder);
  const consoles = NAMES.map((name) => guests.console(name));
  for (const [index, console] of consoles.entries()) {
    await console.expect(/EL2-READY/, BOOT);
    await console.expect(PROMPT, COMMAND);
    await console.command(
      `ip link set eth0 up; ip addr add 10.0.9.${index + 1}/24 dev eth0; echo up $((1 + 1))`,
      /^up 2$/m,
      COMMAND,
    );
  }
  return { guests, consoles };
}

longTest("a program that waits for one of another VM names it; both that wait for each other's words are stuck", async () => {
  await inFolder(async (folder) => {
    const { guests, consoles: [a, b] } = await networked(folder), { system } = guests;
    b.type("talk 77 &\n");
    await b.expect(/&/, COMMAND);
    a.type("talk 77 10 0 9 2 3 &\n");
    await a.expect(/connected/, COMMAND);
    const wait = /program talk \(\d+\) waits for data from 10\.0\.9\.1:\d+ \(TCP\), whose other end talk \(\d+\) of vm:a has open/;
    const asked = async (vm: string, line: RegExp) => {
      const said = () => diagnosisLines(verdictOn(system, vm)).join("\n") + verdictOn(system, vm).evidence.join("\n");
      for (let count = 0; !line.test(said()); count++) {
        assert.ok(count < 100, said());
        await guests.run(system.machine.time + ASKED, () => false);
      }
    };
    await asked("b", wait);
    for (let count = 0; count < 40; count++) {
      for (const vm of NAMES) assert.ok(verdictOn(system, vm).healthy, diagnosisLines(verdictOn(system, vm)).join("\n"));
      await guests.run(system.machine.time + ASKED, () => false);
    }

    // Another connection, over which nobody says anything.
    b.type("kill $!; talk 78 &\n");
    await b.expect(/78/, COMMAND);
    a.type("kill $!; talk 78 10 0 9 2 &\n");
    await a.expect(/connected/, COMMAND);
    const ring = (own: number, other: string, address: number) =>
      new RegExp(
        `stuck: program talk \\(\\d+\\) waits for data from 10\\.0\\.9\\.${
          3 - own
        }:\\d+ \\(TCP\\), whose other end talk \\(\\d+\\) of vm:${other} has open, ` +
          `and program talk \\(\\d+\\) of vm:${other} waits for data from 10\\.0\\.9\\.${address}:\\d+ \\(TCP\\), whose other end`,
      );
    await asked("a", ring(1, "b", 1));
    await asked("b", ring(2, "a", 2));
  });
});
