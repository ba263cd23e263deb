// The cost of stops in modules while there are none: nothing is executed for them. It is counted,
// as seconds say little. The kernel has to boot for that: EL2_LONG.

import assert from "node:assert/strict";
import { archiveFile } from "../../../src/app/catalog/busybox-archive.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { withEntries } from "../../../src/kit/formats/cpio.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { hashesOf } from "./session-in-thread.ts";
import { longTest } from "../../support/long.ts";

const LOADS = 4;
const LOAD = `#!/bin/busybox sh
b=/bin/busybox
while read m; do
  case $m in *virtio_rng*) rng=$m;; esac
  $b insmod /lib/modules/$m
done </lib/modules/order
echo EL2-BEGIN
$b sleep 1
for n in 1 2 3 4; do $b rmmod virtio_rng; $b insmod /lib/modules/$rng; done
echo EL2-OVER
exec $b sleep 1000
`;

/** Runs until the console has shown a text. */
function runTo(system: System, text: string): void {
  const { machine, stops, consoles } = system;
  let shown = "";
  for (const last = machine.time + 60e9; !shown.includes(text);) {
    assert.ok(machine.time < last, shown);
    const result = machine.run(last, 1000);
    assert.equal(stops.take(), undefined, "nothing stops");
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, last));
    for (const { bytes } of consoles.drain()) shown += new TextDecoder().decode(bytes);
  }
}

/**
 * The work of a core by its counters: exits, and translations. Milliseconds, and where modules
 * come from, are not of it; nor is that pages are looked at once more after a stop was there.
 */
function workOf({ core: { counters } }: System) {
  const { regions, instructions, samples, dropped } = counters.translator ?? {};
  return { exits: counters.exits, regions, instructions, samples, dropped };
}

longTest("without a stop in a module nothing more is executed while modules come and go, also after one was removed", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const image = await Deno.readFile(`${folder}/Image`), ramdisk = await Deno.readFile(`${folder}/initrd-virtio`);
  const initrd = withEntries(ramdisk, [archiveFile("load", LOAD, 0o755)]);
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0 quiet rdinit=/load" } as const;
  const plan = { cpus: 1, memory: 256 << 20, seed: 1, turbo: true, history: true, what } as const;
  const begun = assemble(plan);
  runTo(begun, "EL2-BEGIN");
  const state = begun.save();
  begun.outside.close();

  const ran = (change: (stops: System["stops"]) => void) => {
    const system = loaded(plan, state), { stops } = system, ofStops = stops.system, placeOf = ofStops.placeOf.bind(ofStops);
    change(stops);
    let looks = 0;
    ofStops.placeOf = (at) => {
      looks++;
      return placeOf(at);
    };
    runTo(system, "EL2-OVER");
    system.outside.close();
    return { hashes: hashesOf(system), work: workOf(system), looks };
  };
  // A stop that waits is looked for at each load. It is first, as modules of regions that were
  // compiled once come sooner afterwards.
  const { hashes, looks } = ran((stops) => stops.change({ kind: "place", at: "host:nothing_like_it:begin" }));
  assert.ok(looks >= LOADS, `${looks} looks`);
  const removed = ran((stops) => {
    stops.change({ kind: "place", at: "host:virtio_net:virtnet_remove" });
    stops.change({ kind: "remove", rule: stops.rules[0].id });
  });
  const never = ran(() => {});
  assert.deepEqual(removed, never);
  assert.deepEqual([never.looks, never.hashes], [0, hashes]);
});
