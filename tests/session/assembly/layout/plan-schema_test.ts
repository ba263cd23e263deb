// Each plan that a configuration makes may come from a file: its recording is replayed, its
// snapshot loaded.

import assert from "node:assert/strict";
import { planOfFile } from "../../../../src/session/assembly/layout/plan-schema.ts";
import { PHONE_NAMES } from "../../../../src/app/configuration/keys/names.ts";
import { planDemo, planText, planTour, type RunResult } from "../../../../src/app/configuration/plan-run.ts";
import { ChangedPlans } from "../../../fuzz/changed-plans.ts";
import { assertPlanned } from "../../../support/planned.ts";

const GUESTS = new URL("../../../../assets/guests", import.meta.url).pathname;

function planned(result: RunResult) {
  assertPlanned(result);
  const { cpus, cpu, memory, seed, turbo, what, behaviour, root } = result.run;
  return { cpus, ...cpu && { cpu }, memory, seed, turbo, what, behaviour, ...root && { root } };
}

Deno.test("plans of the demo, the tour, each phone and each board are taken from a file", async () => {
  const plans: unknown[] = [planned(await planDemo()), planned(await planTour()), ...(await ChangedPlans.make()).plans];
  const links = `[link.q]\nkind = "msgqueue-pair"\nbetween = ["b", "a"]\nlabel = 1\n[link.p]\nkind = "msgqueue-pair"\nbetween = ["a", "b"]
label = 2\n[link.s]\nkind = "shm"\nlabel = 3\nsize = "64KiB"\naccess = { b = "rw", a = "r" }\n`;
  for (const phone of PHONE_NAMES) {
    const vms = ["a", "b"].map((name) =>
      `[vm.${name}]\nimage = "hello.bin"\nmemory = "4MiB"\nschedule = "own"\ndevices = [{ kind = "vsock" }]\n`
    );
    plans.push(planned(await planText(`el2 = 1\nmachine.phone = "${phone}"\n${vms.join("")}${links}`, undefined, GUESTS)));
  }
  const bios = '[vm.a]\nplatform = "crosvm"\nbios = "hello.bin"\nbios_tree = "64KiB"\nmemory = "16MiB"\n';
  plans.push(planned(await planText(`el2 = 1\n${bios}`, undefined, GUESTS)));
  assert.ok(plans.length > 0);
  for (const plan of plans) assert.equal(planOfFile(plan), plan);
});
