// Each plan that a configuration makes is made again by the table that its files keep: its
// recording is replayed, its snapshot loaded.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { PHONE_NAMES } from "../../../src/app/configuration/keys/names.ts";
import { planDemo, planText, planTour, type RunResult } from "../../../src/app/configuration/plan-run.ts";
import { planOfSaved } from "../../../src/app/configuration/saved-plan.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { savedPlan } from "../../../src/model/plans/saved-plan.ts";
import { ChangedPlans } from "../../fuzz/changed-plans.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { assertPlanned } from "../../support/planned.ts";

const GUESTS = new URL("../../../assets/guests", import.meta.url).pathname;

function planned(result: RunResult): SessionPlan {
  assertPlanned(result);
  const { ui: _ui, recordTo: _recordTo, logs: _logs, places: _places, ...plan } = result.run;
  return plan;
}

/** The plan that its files make. */
async function again(plan: SessionPlan): Promise<SessionPlan> {
  return await planOfSaved(structuredClone(savedPlan(plan, "run")));
}

Deno.test("plans of the demo, the tour, each phone and each board are made again by their tables", async () => {
  const links = `[link.q]\nkind = "msgqueue-pair"\nbetween = ["b", "a"]\nlabel = 1\n[link.p]\nkind = "msgqueue-pair"\nbetween = ["a", "b"]
label = 2\n[link.d]\nkind = "doorbell"\nfrom = "a"\nto = "b"\nlabel = 4\n[link.s]\nkind = "shm"\nlabel = 3\nsize = "64KiB"\naccess = { b = "rw", a = "r" }\n`;
  const plans = [planned(await planDemo()), planned(await planTour())];
  for (const phone of PHONE_NAMES) {
    const vms = ["a", "b"].map((name) =>
      `[vm.${name}]\nimage = "hello.bin"\nmemory = "4MiB"\nschedule = "own"\ndevices = [{ kind = "vsock" }]\n`
    );
    plans.push(planned(await planText(`el2 = 1\nmachine.phone = "${phone}"\n${vms.join("")}${links}`, undefined, GUESTS)));
  }
  const bios = '[vm.a]\nplatform = "crosvm"\nbios = "hello.bin"\nmemory = "16MiB"\n';
  plans.push(planned(await planText(`el2 = 1\n${bios}`, undefined, GUESTS)));
  const boot = '[host]\nkind = "image"\nimage = "hello.bin"\nrtc = "2026-01-31T12:00:00Z"\n[machine]\nmemory = "64MiB"\n';
  plans.push(planned(await planText(`el2 = 1\n${boot}`, undefined, GUESTS)));
  const now = boot.replace(/rtc.*\n/, "");
  plans.push(planned(await planText(`el2 = 1\n${now}`, undefined, GUESTS)));
  for (const plan of plans) assert.deepEqual(await again(plan), structuredClone(plan));
});

Deno.test("a packed kernel is kept unpacked, unless another key needs the file as it is", () =>
  inFolder(async (folder) => {
    const image = await Deno.readFile(`${GUESTS}/hello.bin`);
    await Deno.writeFile(`${folder}/Image.gz`, gzipSync(image));
    const kernel = (name: string) => `[vm.${name}]\nkernel = "Image.gz"\nmemory = "16MiB"\n`;
    const alone = planned(await planText(`el2 = 1\n${kernel("a")}`, undefined, folder));
    assert.deepEqual(alone.table?.files, { "Image.gz": image });
    assert.deepEqual(await again(alone), structuredClone(alone));
    const shared = `${kernel("a")}${kernel("b")}initrd = "Image.gz"\n${kernel("c")}`;
    const plan = planned(await planText(`el2 = 1\n${shared}`, undefined, folder));
    assert.deepEqual(await again(plan), structuredClone(plan));
  }));

Deno.test("tables of all kinds of machines are taken from a file", async () => {
  const { plans } = await ChangedPlans.make();
  assert.ok(plans.length > 0);
  for (const saved of plans) assert.ok(await planOfSaved(saved), JSON.stringify(saved.table.keys));
});

Deno.test("a table keeps defaults, places of disks and what its files held, and no file that is written", () =>
  inFolder(async (folder) => {
    await Deno.copyFile(`${GUESTS}/hello.bin`, `${folder}/a.bin`);
    await Deno.writeFile(`${folder}/disk.img`, new Uint8Array(4096));
    const devices = '[{ kind = "pl011", log = "a.log" }, { kind = "block", image = "disk.img", mode = "overlay" }, { kind = "net" }]';
    const text = `el2 = 1\n[vm.a]\nimage = "a.bin"\nsymbols = "${GUESTS}/hello.elf"\nmemory = "4MiB"\ndevices = ${devices}\n`;
    const plan = planned(await planText(`${text}[machine]\nrecord = "a.rec"\nphone = "sm8650"\n`, undefined, folder));
    const { keys, files } = plan.table!, { machine, vm } = keys as Record<string, Record<string, Record<string, unknown>>>;
    assert.deepEqual([machine.cpus, machine.cap_ids, machine.record, machine.phone], [2, "random", undefined, undefined]);
    assert.deepEqual(vm.a.devices, [
      { kind: "pl011" },
      { kind: "block", image: `${folder}/disk.img`, mode: "overlay" },
      { kind: "net", backend: "user", forward: [] },
    ]);
    assert.deepEqual([vm.a.vcpus, vm.a.base, vm.a.symbols], [1, 0x8000_0000, undefined]);
    assert.deepEqual(Object.keys(files), ["a.bin"]);
    // Neither file is there any more.
    await Deno.remove(`${folder}/a.bin`);
    await Deno.remove(`${folder}/disk.img`);
    assert.deepEqual(await again(plan), structuredClone(plan));
  }));
