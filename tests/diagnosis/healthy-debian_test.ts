// Debian is healthy from its first instruction to its power-off: as the primary VM with one and
// four CPUs, as a secondary VM, with a disk and a network. With EL2_LONG=1, in every release.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { catalogEntry, DEBIAN_RELEASES, findEntry } from "../../src/app/catalog/catalog.ts";
import { PRIMARY_CONSOLE } from "../../src/model/plans/plan.ts";
import type { DevicePlan } from "../../src/machine/virtio/plan.ts";
import { NO_SELF_TESTS } from "../guests/command-line.ts";
import { demoSystem, runUntil } from "../session/inspection/system.ts";
import { DISK_PROMPT, PROMPT } from "../support/console.ts";
import { buildRepository } from "../support/debian-repository.ts";
import { el2Command } from "../support/el2.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { assertHealthy, runHealthy } from "./healthy.ts";
import { LONG } from "../support/long.ts";

/** Virtual time (ns) between two checks of a console, and that all may take. */
const TURN = 200e6, LIMIT = 120e9;

/** Virtual time (ns) of load: pipes, copies, hashes, a walk over all files, a shell that counts. */
const LOADED = 5e9;
const LOAD =
  "for i in 1 2 3 4 5 6 7 8; do (while :; do dd if=/dev/zero bs=64k count=20 2>/dev/null | cat | sha256sum; done) >/dev/null & done; " +
  "for i in 1 2 3 4; do (while :; do ls -R /; sync; done) >/dev/null 2>&1 & done; (i=0; while :; do i=$((i+1)); done) & true\n";

/** Runs until a console has shown something, healthy all the while. */
function expect(system: GuestSystem, console: string, pattern: RegExp): void {
  while (!pattern.test(system.consoles.tail(console).replaceAll("\r", ""))) {
    assert.equal(system.ended(), undefined, system.consoles.tail(console).slice(-2000));
    assert.ok(system.machine.time < LIMIT, system.consoles.tail(console).slice(-2000));
    runHealthy(system, system.machine.time + TURN);
  }
}

/** Waits for the shell, works a little and powers off. */
function live(system: GuestSystem, console: string): void {
  expect(system, console, /EL2-READY/);
  expect(system, console, PROMPT);
  const type = (line: string) => assert.ok(system.consoles.type(console, new TextEncoder().encode(`${line}\n`)));
  type("dd if=/dev/zero bs=1M count=8 2>/dev/null | sha256sum; sleep 2; echo do''ne");
  expect(system, console, /^done$/m);
  type("poweroff -f");
  runHealthy(system, system.machine.time + 20e9);
  assert.equal(system.ended()?.code, 0, system.ended()?.message);
}

/** A machine whose primary VM is the Debian in a folder. */
async function primary(folder: string, cpus: number, append: string, devices: readonly DevicePlan[] = []): Promise<GuestSystem> {
  const [image, initrd] = await Promise.all([Deno.readFile(`${folder}/Image`), Deno.readFile(`${folder}/initrd`)]);
  const what = { kind: "boot", image, initrd, dtb: undefined, append: `console=ttyAMA0 ${append}`, devices } as const;
  return assemble({ cpus, memory: 512 << 20, turbo: true, seed: 1, what }) as GuestSystem;
}

/** A configuration with one VM of a release. */
const secondary = (release: string, keys: string, initrd = "initrd") =>
  `el2 = 1\n[machine]\nmemory = "1GiB"\n[host]\nmemory = "64MiB"\n[vm.debian]\nkernel = "catalog:debian-${release}/Image"\n` +
  `initrd = "catalog:debian-${release}/${initrd}"\ncmdline = "console=ttyAMA0 ${NO_SELF_TESTS}"\nmemory = "512MiB"\n${keys}\n`;

for (const release of LONG ? DEBIAN_RELEASES : []) {
  for (const cpus of [1, 2, 4, 8]) {
    Deno.test(`healthy: Debian ${release} with ${cpus} CPUs under load`, async () => {
      const { folder } = await catalogEntry(`debian-${release}`);
      const system = await primary(folder, cpus, NO_SELF_TESTS);
      expect(system, PRIMARY_CONSOLE, /EL2-READY/);
      expect(system, PRIMARY_CONSOLE, PROMPT);
      assert.ok(system.consoles.type(PRIMARY_CONSOLE, new TextEncoder().encode(LOAD)));
      for (let time = system.machine.time, end = time + LOADED; time < end; time += 10e6) {
        runUntil(system, time);
        assertHealthy(system);
      }
    });
  }
  for (const cpus of [1, 4]) {
    Deno.test(`healthy: Debian ${release} as the primary VM with ${cpus} CPUs`, async () => {
      const { folder } = await catalogEntry(`debian-${release}`);
      live(await primary(folder, cpus, NO_SELF_TESTS), PRIMARY_CONSOLE);
    });
  }
  Deno.test(`healthy: Debian ${release} as a secondary VM`, async () => {
    live(await demoSystem(secondary(release, "")), "debian");
  });
  Deno.test(`healthy: Debian ${release} that the hypervisor schedules on two vCPUs`, async () => {
    const keys = 'schedule = "own"\nvcpus = 2\naffinity = "sticky"\ndevices = []';
    const system = await demoSystem(secondary(release, keys).replace("console=ttyAMA0", "panic=-1"));
    runHealthy(system, 5e9);
  });
  Deno.test(`healthy: Debian ${release} with a disk and a network`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/disk.img`, new Uint8Array(16 << 20));
      const devices =
        `devices = [{ kind = "pl011" }, { kind = "block", image = "${folder}/disk.img" }, { kind = "net", backend = "pair:lan" }, { kind = "rng" }]`;
      live(await demoSystem(secondary(release, devices, "initrd-virtio")), "debian");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** Packages that apt installs, each of which needs the one before it. */
const PACKAGES = Array.from({ length: 12 }, (_, index) => ({
  name: `el2-load-${index}`,
  file: `usr/share/el2/load-${index}`,
  ...index && { depends: `el2-load-${index - 1}` },
}));

/** A Debian of systemd on its own disk, in the cache as `guests fetch` makes it. */
async function diskGuest(release: string): Promise<string> {
  const name = `debian-${release}-disk`, found = await findEntry(name);
  if (found) return found.folder;
  const [program, ...args] = el2Command("guests", "fetch", "debian", "--disk", "--release", release);
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return (await catalogEntry(name)).folder;
}

if (LONG) {
  Deno.test("healthy: a Debian on its own disk, whose apt updates and installs", () =>
    inFolder(async (work) => {
      const folder = await diskGuest("bookworm"), repository = `${work}/repository.tar`;
      await buildRepository(`${work}/repository`, PACKAGES);
      const { success } = await new Deno.Command("tar", { args: ["-C", `${work}/repository`, "-cf", repository, "."] }).output();
      assert.ok(success);
      const system = await primary(folder, 2, "root=/dev/vda", [
        { kind: "block", image: `${folder}/root.img`, mode: "overlay" },
        { kind: "block", image: repository, mode: "ro" },
      ]);
      const type = (line: string) => assert.ok(system.consoles.type(PRIMARY_CONSOLE, new TextEncoder().encode(`${line}\n`)));
      expect(system, PRIMARY_CONSOLE, /debian login: $/);
      type("root");
      expect(system, PRIMARY_CONSOLE, DISK_PROMPT);
      type("mkdir repository; tar -C repository -xf /dev/vdb; echo 'deb [trusted=yes] file:/root/repository ./' > /etc/apt/sources.list");
      type("apt-get update; apt-get install -y el2-load-11; echo rc-$?");
      expect(system, PRIMARY_CONSOLE, /\nrc-0\n/);
      system.outside.close();
    }));

  Deno.test("healthy: the example of two hypervisors, each with a Debian that has every device", async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.mkdir(`${folder}/shared`);
      for (const vm of ["gunyah", "geniezone"]) await Deno.writeFile(`${folder}/${vm}.img`, new Uint8Array(16 << 20));
      const system = await demoSystem(await Deno.readTextFile("examples/two-hypervisors.toml"), undefined, folder);
      for (const vm of ["gunyah", "geniezone"]) {
        expect(system, vm, /EL2-READY/);
        expect(system, vm, PROMPT);
      }
      for (const vm of ["gunyah", "geniezone"]) assert.ok(system.consoles.type(vm, new TextEncoder().encode("poweroff -f\n")));
      runHealthy(system, system.machine.time + 20e9);
      assert.equal(system.ended()?.code, 0, system.ended()?.message);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
