// A Debian kernel's memory at random instants of boot, load and shutdown gives what the kernel
// itself prints there, and in the past and from a saved state the same. The kernels are fetched, so
// all of this runs with EL2_LONG; `debian_test.ts` has a few instants of one.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { ORDINARY_KERNEL } from "../../../src/app/catalog/debian.ts";
import { Past } from "../../../src/session/recordings/past/past.ts";
import { ordinaryGuest } from "../../guests/guest.ts";
import { withPrograms } from "../../guests/programs.ts";
import { Random } from "../../support/random.ts";
import { Debian } from "./debian.ts";
import { askAgain, Looks } from "./looks.ts";
import { LONG } from "../../support/long.ts";

const KERNELS = ["linux-image-cloud-arm64", ORDINARY_KERNEL, "linux-image-rt-arm64"];
const APPEND = "console=ttyAMA0 rdinit=/bin/look-inside sysctl.kernel.kptr_restrict=0";
/** Looks in each phase, and of how many one is asked for again. */
const LOOKS = 30, KEPT = 5;
/**
 * Turns between two instants before there are programs, at most: Debian's kernels take 12,000 to
 * 26,000 until their first one.
 */
const EARLY = 800;

/** Tasks that come and go, wait for locks, mount, map, and load modules. */
const LOAD = [
  "echo 1 > /proc/sys/kernel/printk",
  "exec 3</proc/kmsg; cat <&3 >/dev/null & cat <&3 >/dev/null & exec 3<&-",
  "mkdir /held; held-folder & sleep 0.1; mkdir /held/x & mkdir /held/y &",
  "mkdir -p /m; while true; do mount -t tmpfs tmp /m; umount /m; done &",
  "while true; do find /sys/devices -name uevent | xargs cat | md5sum > /tmp/sum; done &",
  "while true; do dd if=/dev/zero of=/tmp/zero bs=64k count=64 2>/dev/null; echo written > /dev/kmsg; done &",
  "for module in $(cat /lib/modules/order); do insmod /lib/modules/$module; done",
  "while true; do rmmod ${module%.ko}; insmod /lib/modules/$module; sleep 0.01; done 2>/dev/null &",
];
/** The programs end, then the machine. */
const SHUTDOWN = "for pid in $(ls /proc | grep -x '[0-9]*' | sort -rn); do " +
  "[ $pid = 1 ] || grep -q look-inside /proc/$pid/comm || [ $pid = $$ ] || kill -9 $pid; usleep 3000; done; umount -a -r; poweroff -f";

/** Looks at a kernel from its boot to its end, and again at the past. */
export function compareInstants(kernel: { readonly image: Uint8Array; readonly initrd: Uint8Array }, cpus: number): Looks {
  const debian = Debian.of(kernel.image, { initrd: kernel.initrd, cpus, append: APPEND }), random = new Random(54);
  const looks = new Looks(debian, KEPT);
  looks.early(() => 1 + random.below(EARLY), LOOKS / 2);
  looks.until(LOOKS);
  looks.shows(/EL2-READY[^]*# /);
  for (const line of LOAD) looks.type(line);
  looks.type(`look-inside ${LOOKS} 20000 ${random.below(1e6)}`);
  assert.ok(looks.until(2 * LOOKS));
  assert.ok(debian.rows("linux.locks").length >= 2 && debian.rows("linux.modules").length > 0, "there is something to compare");
  looks.type(`look-inside ${LOOKS} 10000 ${random.below(1e6)} &`);
  looks.type(SHUTDOWN);
  looks.until(3 * LOOKS);
  askAgain(new Past(assemble(debian.plan), looks.inputs), looks.kept);
  return looks;
}

if (LONG) {
  for (const release of ["bookworm", "trixie", "sid"] as const) {
    for (const name of KERNELS) {
      for (const cpus of [1, 4]) {
        Deno.test(`at random instants, ${name} of ${release} with ${cpus} CPU(s) is read as it prints itself`, async () => {
          const { image, initrd } = await ordinaryGuest(release, [], name);
          const { comparison, count } = compareInstants({ image, initrd: await withPrograms(initrd, "look-inside", "held-folder") }, cpus);
          assert.ok(count > 2.5 * LOOKS, `${count} looks`);
          assert.ok(comparison.changed < comparison.equal / 50, JSON.stringify(comparison));
        });
      }
    }
  }
}
