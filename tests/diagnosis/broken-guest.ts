// The guest that breaks on demand (guests/broken.c), built once for a file of tests.

import assert from "node:assert/strict";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { devicetree, node } from "../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../src/machine/devicetree/writer.ts";
import { guestDevicetree } from "../../src/machine/host/boards/el2/devicetree.ts";
import { boardOf } from "../../src/machine/host/boards.ts";
import { buildGuest } from "../../scripts/guests.ts";

/** In which way: as in guests/broken.c. */
export const FAULT = {
  none: 0,
  undefined: 1,
  loadNowhere: 2,
  storeNowhere: 3,
  jumpNowhere: 4,
  unaligned: 5,
  break: 6,
  illegalState: 7,
  misalignedStack: 8,
  handled: 9,
  vendorReset: 10,
  supervisorCall: 11,
  loop: 20,
  poll: 21,
  sleep: 22,
  maskedPriority: 23,
  disabledTimer: 24,
  listen: 25,
  listenBell: 26,
  timerStorm: 27,
  faultInVectors: 28,
  fillQueue: 29,
  exitStorm: 31,
  shout: 32,
  share: 33,
} as const;

/** Builds `broken.bin` and `broken.elf` into a folder. */
export async function buildBroken(folder: string): Promise<void> {
  const source = new URL("guests/broken.c", import.meta.url).pathname;
  await buildGuest(source, `${folder}/broken.elf`, `${folder}/broken.bin`);
}

/** Writes `bare.dtb`, a devicetree without nodes. */
export async function writeBare(folder: string): Promise<void> {
  await Deno.writeFile(`${folder}/bare.dtb`, writeDevicetree(devicetree(node(""))));
}

/**
 * Writes `VM.dtb`, the devicetree of a VM of this configuration with a link to the Resource
 * Manager.
 */
export async function writeLinked(folder: string, configuration: string, vm: string): Promise<void> {
  const planned = await planText(configuration, undefined, folder);
  assert.ok(planned.ok && planned.run.what.kind === "run");
  const plan = planned.run.what.host.vms.find(({ name }) => name === vm)!;
  const tree = guestDevicetree(plan, boardOf(plan).layout(plan));
  const vdevices = tree.root.children.find(({ name }) => name === "gunyah-vm-config")!.children.find(({ name }) => name === "vdevices")!;
  vdevices.children.push(
    node("rm-rpc", { "vdevice-type": "rm-rpc", generate: "/hypervisor/rm-rpc", "message-size": 240, "queue-depth": 8 }),
  );
  await Deno.writeFile(`${folder}/${vm}.dtb`, writeDevicetree(tree));
}

/** Writes `NAME.dtb`, the devicetree that a VM of this configuration gets by default. */
export async function writeGenerated(folder: string, configuration: string, vm: string, name: string): Promise<void> {
  const planned = await planText(configuration, undefined, folder);
  assert.ok(planned.ok && planned.run.what.kind === "run");
  const plan = planned.run.what.host.vms.find((one) => one.name === vm)!;
  await Deno.writeFile(`${folder}/${name}.dtb`, writeDevicetree(guestDevicetree(plan, boardOf(plan).layout(plan))));
}

/**
 * Writes `peerless.dtb`: the devicetree of a VM of this configuration, whose links name a VM that
 * does not exist.
 */
export async function writePeerless(folder: string, configuration: string, vm: string): Promise<void> {
  const planned = await planText(configuration, undefined, folder);
  assert.ok(planned.ok && planned.run.what.kind === "run");
  const plan = planned.run.what.host.vms.find(({ name }) => name === vm)!;
  const links = plan.links.map((link) => link.kind === "shared-memory" ? link : { ...link, peer: "nobody" });
  await Deno.writeFile(`${folder}/peerless.dtb`, writeDevicetree(guestDevicetree({ ...plan, links }, boardOf(plan).layout(plan))));
}
