// VMs of every kind on the whole stack, with our own guests: protected ones behind our firmware,
// and ones that the hypervisor schedules.

import assert from "node:assert/strict";
import type { VmPlan } from "../../src/machine/host/data/plan.ts";
import { bareMetalImage, firmwareImage } from "../../src/inside/images/images.ts";
import { HOST_MEMORY, MIB, vmPlan } from "../machine/host/plans.ts";
import { Stack } from "../machine/host/stack.ts";

const FOLDER = new URL("../../assets/guests", import.meta.url).pathname;
const HELLO = await Deno.readFile(`${FOLDER}/hello.bin`);
const FIRMWARE = await Deno.readFile(`${FOLDER}/firmware.bin`);
const BASE = 0x8000_0000, MEMORY = 4 * MIB;

function hello(name: string, changes: Partial<VmPlan> = {}): VmPlan {
  return vmPlan(name, { image: bareMetalImage(HELLO, BASE, MEMORY), memory: MEMORY, cmdline: "ticks=2 ms=1", ...changes });
}

function stackOf(...vms: VmPlan[]): Stack {
  return new Stack({ memory: HOST_MEMORY, vcpus: 1, vms }, { cpus: 2 });
}

/** The firmware with a list of the one image that it accepts. */
async function firmwareFor(image: VmPlan["image"]): Promise<Uint8Array> {
  const inMemory = new Uint8Array(image.size);
  inMemory.set(image.bytes);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", inMemory));
  const bytes = FIRMWARE.slice();
  const list = new TextDecoder("latin1").decode(bytes).indexOf("EL2-ACCEPTED-SHA") + 16;
  new DataView(bytes.buffer).setUint32(list, 1, true);
  bytes.set(digest, list + 4);
  return bytes;
}

Deno.test("a protected VM runs its firmware first, then its image, and ends as any other", () => {
  const stack = stackOf(hello("safe", { firmware: firmwareImage(FIRMWARE) }));
  stack.run(1e9);
  assert.match(stack.console("safe"), /^firmware: image 0x80000000, \d+ KiB, any is accepted\r\nhello from EL1\r\n/);
  assert.match(stack.console("safe"), /tick 2\r\n$/);
  assert.deepEqual(stack.log(), ["safe creating", "safe ready", "safe running", "safe exited system-off", "safe stopped", "finished"]);
});

Deno.test("firmware that knows its image starts it, and no other one", async () => {
  const plan = hello("safe");
  const firmware = firmwareImage(await firmwareFor(plan.image));
  const good = stackOf({ ...plan, firmware });
  good.run(1e9);
  assert.match(good.console("safe"), /accepted by its digest\r\nhello from EL1/);

  const bytes = plan.image.bytes.slice();
  bytes[bytes.length - 1] ^= 1;
  const bad = stackOf({ ...plan, firmware, image: { ...plan.image, bytes } });
  bad.run(1e9);
  assert.equal(bad.console("safe"), "firmware: refused: the image is none that this firmware accepts\r\n");
  assert.ok(bad.log().includes("safe exited system-reset2"), bad.log().join("\n"));
});

Deno.test("firmware refuses an image that is not an arm64 Image, and one that is cut off", () => {
  const plan = hello("safe", { firmware: firmwareImage(FIRMWARE) });
  for (
    const [image, refusal] of [
      [{ ...plan.image, bytes: new Uint8Array(0x100) }, "no arm64 Image"],
      [{ ...plan.image, size: 0x1000 }, "the image is cut off"],
    ] as const
  ) {
    const stack = stackOf({ ...plan, image });
    stack.run(1e9);
    assert.equal(stack.console("safe"), `firmware: refused: ${refusal}\r\n`);
  }
});

Deno.test("a VM that the hypervisor schedules runs behind the host's back and ends as any other", () => {
  const schedule = { affinity: "pinned", affinityMap: [1], priority: -4, timeslice: 1000 } as const;
  const stack = stackOf(hello("rt", { schedule, console: false }), hello("proxied"));
  stack.run(1e9);
  assert.ok(stack.log().includes("rt exited system-off"), stack.log().join("\n"));
  assert.match(stack.console("proxied"), /tick 2\r\n$/);
  assert.equal(stack.log().at(-1), "finished");
  const vcpu = [...stack.hypervisor.scheduler.vcpus].find(({ settings }) => settings.priority === 28);
  assert.equal(vcpu, undefined, "its vCPU is gone with it");
});

Deno.test("a VM that is stopped by force, and one that resets itself, end by that", () => {
  const stack = stackOf(hello("victim", { cmdline: "" }), hello("faulty", { cmdline: "" }));
  stack.run(0.05e9);
  stack.input.stop("victim", true);
  stack.input.push("faulty", new TextEncoder().encode("f"));
  stack.run(1e9);
  const ends = stack.log().filter((line) => line.includes(" exited ")).sort();
  assert.match(ends[0], /^faulty exited (fault|system-reset)$/);
  assert.equal(ends[1], "victim exited forced");
});

Deno.test("nobody but a protected VM reads its memory, while it runs and after it", () => {
  const plan = hello("safe", { firmware: firmwareImage(FIRMWARE), cmdline: "" });
  const stack = stackOf(plan);
  stack.run(0.05e9);
  const host = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === 3)!;
  const guest = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === 0x80)!;
  const memory = guest.addressSpace!.stage2.lookup(BASE)!.pa;
  assert.equal(host.addressSpace!.stage2.lookup(memory), undefined, "it is unmapped from its owner");
  assert.notEqual(stack.machine.ram.bytes(memory, 64).findIndex((byte) => byte !== 0), -1);
  stack.input.push("safe", new TextEncoder().encode("o"));
  stack.run(1e9);
  assert.equal(stack.log().at(-1), "finished");
  assert.equal(host.addressSpace!.stage2.lookup(memory)?.pa, memory, "it comes back");
  assert.equal(stack.machine.ram.bytes(memory, MEMORY).findIndex((byte) => byte !== 0), -1, "as zeros");
});
