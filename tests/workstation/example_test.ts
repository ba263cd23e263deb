// The example of a configuration in the design (WORKSTATION section 3), as it stands there: phone.toml.

import assert from "node:assert/strict";
import { planText } from "../../src/workstation/config/plan.ts";
import { demoSystem, rows, runUntil } from "./inspect/system.ts";

const EXAMPLE = Deno.readTextFileSync(new URL("phone.toml", import.meta.url));
const GUESTS = new URL("../../assets/guests/", import.meta.url);

/** What the example names and is not here: it comes from the catalogue, or is the person's own. */
const ABSENT = ["21:10: catalog:nobody/Image", "22:10: catalog:nobody/initrd", "31:11: catalog:nobody/root.img", "36:9: image rt.bin:"];

Deno.test("W70: the example loads: nothing is wrong with it but files that are not here", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    // A guest that no cache has.
    const result = await planText(EXAMPLE.replaceAll("catalog:debian/", "catalog:nobody/"), "phone.toml", folder);
    const errors = result.ok ? [] : result.errors;
    assert.deepEqual(errors.map((error) => ABSENT.find((absent) => error.startsWith(`phone.toml:${absent} `)) ?? error), ABSENT);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("W70: both VMs of the example run and exchange messages, in both directions", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    // Our guests in the place of Debian and of somebody's own: they find their links by these labels.
    await Deno.copyFile(new URL("pong.bin", GUESTS), `${folder}/Image`);
    await Deno.copyFile(new URL("ping.bin", GUESTS), `${folder}/rt.bin`);
    await Deno.writeFile(`${folder}/initrd`, new Uint8Array(16));
    await Deno.writeFile(`${folder}/root.img`, new Uint8Array(4096));
    const example = EXAMPLE.replaceAll("catalog:debian/", "").replace("label = 10,", "label = 1,").replace("label = 11,", "label = 2,")
      // A port of this computer, which is not the test's to take.
      .replace('forward = ["2222:22"]', "forward = []");
    const system = await demoSystem(example, undefined, folder);
    system.inspector.watch(["hvc"]);
    runUntil(system, 5e8);
    assert.deepEqual(
      rows(system, "vm.ls", { filter: "via=gunyah" }).map(({ id, state, schedule }) => [id, state, schedule]),
      [["vm:debian", "running", "proxy"], ["vm:rt", "running", "own"]],
    );
    const calls = (name: string, vm: string) => rows(system, "events", { filter: `name=${name} vm=${vm} res=OK` }).length;
    for (const vm of ["debian", "rt"]) {
      assert.ok(calls("msgqueue_send", vm) > 0, `${vm} sends`);
      assert.ok(calls("msgqueue_receive", vm) > 0, `${vm} receives`);
    }
    assert.ok(calls("doorbell_send", "rt") > 0 && calls("doorbell_receive", "debian") > 0, "rt rings");
    const [control] = rows(system, "queue.ls", { filter: "kind=msgqueue from=debian to=rt" });
    assert.deepEqual([control.depth, control.size], [8, 240]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("[rm] auth: a platform that takes protected VMs alone refuses VM_INIT of others, and says which it takes", async () => {
  const system = await demoSystem('el2 = 1\n[rm]\nauth = ["android"]\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
  runUntil(system, 1e8);
  assert.match(system.ended()?.message ?? "", /START: E/);
  const [init] = rows(system, "rpc.ls", { filter: "msg=VM_INIT" });
  assert.equal(init.res, "0x0a MEM_INVALID");
  const reason = rows(system, "why", { filter: `id=${init.why}` })[0];
  assert.deepEqual([reason.rule, reason.values, reason.object], [
    "resource-manager 3.8: the platform takes no VM of this type of authentication",
    { auth: "none", accepted: "android" },
    "vm:a",
  ]);
  assert.match(reason.way_out ?? "", /\[rm\] auth .* with "none" in it/);
  assert.deepEqual(rows(system, "mem.check"), []);
  const both = await demoSystem('el2 = 1\n[rm]\nauth = ["none", "android"]\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
  runUntil(both, 1e8);
  assert.equal(rows(both, "vm.ls", { filter: "id=vm:a" })[0].state, "running");
});
