// Linux drivers that Debian does not build, made from its kernel's sources against its headers:
// those of crosvm's devices in a VM with crosvm's platform and in the primary VM, and Gunyah's
// watchdog in the primary VM. Everything is fetched: EL2_LONG.

import assert from "node:assert/strict";
import { debianDrivers, type Driver } from "../../scripts/kernel-drivers.ts";
import { archiveFile, archiveFolder } from "../../src/app/catalog/busybox-archive.ts";
import type { DebianRelease } from "../../src/app/catalog/catalog.ts";
import { withEntries } from "../../src/kit/formats/cpio.ts";
import { CROSVM_RTC, CROSVM_STALL } from "../../src/machine/host/boards/crosvm/map.ts";
import { PL030_BASE, STALL_BASE } from "../../src/machine/hardware/memory-map.ts";
import { PLATFORM_DEVICES } from "../../src/model/plans/plan.ts";
import { PROMPT } from "../support/console.ts";
import { Guest, type GuestConsole, Guests, ordinaryGuest } from "./guest.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 60;
const CROSVM: readonly Driver[] = ["rtc-pl030", "pvpanic", "pvpanic-pci", "vcpu_stall_detector", "goldfish_battery"];
/** The drivers in a release's sources; those of trixie lack the watchdog's. */
const DRIVERS = { trixie: CROSVM, sid: [...CROSVM, "virtual-cpufreq", "gunyah_wdt"] } as const;
const DEVICE = "gunyah-wdt-device";

/** A release's kernel, and a ramdisk with the drivers in /drivers. */
async function guestWithDrivers(release: keyof typeof DRIVERS & DebianRelease): Promise<{ image: Uint8Array; initrd: Uint8Array }> {
  const { image, initrd, version } = await ordinaryGuest(release);
  const own: Record<string, string> = release === "sid"
    ? { [DEVICE]: await Deno.readTextFile(new URL(`programs/${DEVICE}.c`, import.meta.url)) }
    : {};
  const built = await debianDrivers(release, DRIVERS[release], own);
  assert.equal(built.version, version);
  const files = built.modules.map(({ file, bytes }) => archiveFile(`drivers/${file}`, bytes, 0o644));
  return { image, initrd: withEntries(initrd, [archiveFolder("drivers"), ...files]) };
}

/** Places of the devices: addresses, and the function's name. */
interface Places {
  readonly clock: number;
  readonly stall: number;
  readonly panic: string;
}

/** Loads the drivers of crosvm's devices, and checks that they work. */
async function checkDrivers(console: GuestConsole, { clock, stall, panic }: Places): Promise<void> {
  const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
  for (const name of CROSVM) await command(`insmod /drivers/${name}.ko; echo loaded-$?`, /loaded-0\n/);

  // The clock is the VMM's: it counts seconds of virtual time from 1970 on.
  await command("cat /sys/class/rtc/rtc0/name", new RegExp(`^rtc-pl030 ${clock.toString(16)}\\.rtc$`, "m"));
  await command("hwclock -r -u -f /dev/rtc0", /^Thu Jan {2}1 00:0\d:\d\d 1970/m);
  await command("cd /sys/class/rtc/rtc0; a=$(cat since_epoch); sleep 5; echo passed-$(($(cat since_epoch) - a)); cd", /^passed-[56]$/m);

  const supply = "/sys/class/power_supply";
  await command(`cat ${supply}/battery/capacity ${supply}/battery/present ${supply}/ac/online`, /^50\n1\n1$/m);

  // The driver restarts its timer each five seconds.
  const restarts: number[] = [];
  const load = stall + 4;
  const stop = console.guests.system.hypervisor.trace.listen(["mmio"], (event) => {
    if ("fields" in event && String(event.fields?.address).endsWith(`0x${load.toString(16)}`)) restarts.push(event.time);
  });
  await command("sleep 21; echo slept-$?", /slept-0\n/);
  stop();
  assert.ok(restarts.length >= 4, `${restarts.length} restarts`);
  await command("ls /sys/bus/platform/drivers/vcpu_stall_detector | grep -c vmwdt", /^1$/m);

  const pvpanic = `/sys/bus/pci/drivers/pvpanic-pci/${panic}`;
  await command(`cat ${pvpanic}/capability ${pvpanic}/events`, /^3\n3$/m);
}

/** A release's kernel in a VM with crosvm's platform, at its prompt. */
async function inCrosvm(
  release: keyof typeof DRIVERS,
  keys: string,
  check: (guests: Guests, console: GuestConsole) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-drivers-" });
  try {
    const { image, initrd } = await guestWithDrivers(release);
    await Deno.writeFile(`${folder}/Image`, image);
    await Deno.writeFile(`${folder}/initrd`, initrd);
    const guests = await Guests.configured(
      'el2 = 1\n[machine]\nmemory = "768MiB"\ncheck = true\n[host]\nmemory = "64MiB"\n[vm.debian]\nplatform = "crosvm"\n' +
        `memory = "512MiB"\nkernel = "Image"\ninitrd = "initrd"\ncmdline = "console=ttyS0 quiet"\n${keys}\n`,
      folder,
    );
    const console = guests.console("debian");
    await console.expect(PROMPT, BOOT);
    await check(guests, console);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const release of LONG ? ["trixie", "sid"] as const : []) {
  Deno.test(`drivers of crosvm's devices, built for Debian ${release}, bind and work in a VM`, async () => {
    await inCrosvm(release, "cpu_frequencies = [600000, 900000, 1800000]", async (guests, console) => {
      const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
      await checkDrivers(console, { clock: CROSVM_RTC.base, stall: CROSVM_STALL.base, panic: "0000:00:01.0" });

      if (release === "sid") {
        await command("insmod /drivers/virtual-cpufreq.ko; echo loaded-$?", /loaded-0\n/);
        const policy = "/sys/devices/system/cpu/cpufreq/policy0";
        const reads = (...names: string[]) => `cat ${names.map((name) => `${policy}/${name}`).join(" ")}`;
        await command(reads("scaling_driver"), /^virt-cpufreq$/m);
        await command(reads("cpuinfo_min_freq", "cpuinfo_max_freq", "scaling_cur_freq"), /^600000\n1800000\n(6|9|18)00000$/m);
        // The driver makes requests for this governor alone.
        await command(`echo schedutil > ${policy}/scaling_governor; echo 900000 > ${policy}/scaling_max_freq; echo set-$?`, /set-0\n/);
        await command(`sleep 1; ${reads("scaling_cur_freq")}`, /^[69]00000$/m);
      }

      console.type("echo c > /proc/sysrq-trigger");
      const end = await guests.end(BOOT);
      assert.match(end!, /pvpanic reports that the guest's kernel has panicked/);
    });
  });
}

for (const release of LONG ? ["trixie", "sid"] as const : []) {
  Deno.test(`drivers of crosvm's devices, built for Debian ${release}, bind and work in the primary VM`, async () => {
    const { image, initrd } = await guestWithDrivers(release);
    const append = "panic=-1";
    const guest = new Guest(image, initrd, [], 512 << 20, { bus: "pci", uart: "16550a", platformDevices: PLATFORM_DEVICES, append });
    await guest.expect(PROMPT, BOOT);
    await checkDrivers(guest, { clock: PL030_BASE, stall: STALL_BASE, panic: "0000:00:01.0" });
    guest.type("echo c > /proc/sysrq-trigger");
    assert.equal(await guest.guests.end(BOOT), "SYSTEM_RESET");
    const reports = guest.system.events.drain().events.filter(({ vcpu }) => vcpu === "dev:host/pvpanic");
    assert.deepEqual(reports.map(({ text }) => text), ["pvpanic reports that the guest's kernel has panicked"]);
  });
}

/** Serves the watchdog, and then stops doing so; what ends the machine. */
async function checkWatchdog(console: GuestConsole): Promise<string | undefined> {
  const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
  for (const name of ["gunyah_wdt", DEVICE]) await command(`insmod /drivers/${name}.ko; echo loaded-$?`, /loaded-0\n/);
  await command("cat /sys/class/watchdog/watchdog0/identity /sys/class/watchdog/watchdog0/timeout", /^Gunyah Watchdog\n32$/m);
  await command("watchdog -T 4 -t 2 /dev/watchdog0; sleep 20; echo alive-$?", /alive-0\n/);
  await command("cat /sys/class/watchdog/watchdog0/state /sys/class/watchdog/watchdog0/timeout", /^active\n4$/m);
  console.type("killall -KILL watchdog; sleep 20; echo not reached");
  const end = await console.guests.end(BOOT);
  assert.doesNotMatch(console.text, /^not reached$/m);
  return end;
}

if (LONG) {
  Deno.test("gunyah_wdt, built for Debian sid, serves the watchdog of the primary VM, which resets it when it is not served", async () => {
    const { image, initrd } = await guestWithDrivers("sid");
    const guest = new Guest(image, initrd, [], 512 << 20);
    await guest.expect(PROMPT, BOOT);
    assert.match((await checkWatchdog(guest))!, /watchdog/);
  });

  Deno.test("gunyah_wdt, built for Debian sid, does so in a VM with crosvm's platform, which ends when it is not served", async () => {
    await inCrosvm("sid", "", async (_guests, console) => {
      assert.match((await checkWatchdog(console))!, /^crashed: debian \(watchdog\)$/);
    });
  });
}
