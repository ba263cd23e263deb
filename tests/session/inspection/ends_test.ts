// Actions on VMs that are gone, and the requesters of refused operations.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { wayOutText } from "../../../src/kit/support/text/way-out.ts";
import { RmError, rmErrorName } from "../../../src/machine/abi/rpc/errors.ts";
import { encodeRequest } from "../../../src/machine/abi/rpc/message.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_RESET, VM_START } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { MEM_LEND } from "../../../src/machine/abi/rpc/messages/memory.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { reasonLines } from "../../../src/model/queries/texts/reason-text.ts";
import { isSection } from "../../support/specification.ts";
import { demoSystem, rows, runUntil } from "./system.ts";
import { asProblem } from "../../../src/kit/support/problem.ts";

const BYTES = new TextEncoder().encode("o");

Deno.test("input to a VM that was killed is dropped, and the others continue", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  assert.equal(rows(system, "vm.ls", { filter: "id=vm:ping" })[0].input_refused, null);
  system.inspector.act({ kind: "vm.stop", vm: "ping", force: true });
  // The host has not heard of either yet.
  system.consoles.type("ping", BYTES);
  runUntil(system, 6e8);
  const [ping] = rows(system, "vm.ls", { filter: "id=vm:ping" });
  assert.deepEqual([ping.input_refused, ping.input_way_out], ["con:ping: the VM has stopped", "start it again with el2 vm start ping"]);
  system.consoles.type("ping", BYTES);
  const { what, wayOut } = asProblem(system.inspector.act({ kind: "console.break", console: "ping" })!);
  assert.deepEqual([what, wayOutText(wayOut)], [ping.input_refused, ping.input_way_out]);
  system.inspector.act({ kind: "vm.start", vm: "ping" });
  system.consoles.type("ping", BYTES);
  runUntil(system, 2e9);
  assert.equal(system.ended(), undefined);
  assert.equal(rows(system, "vm.ls", { filter: "id=vm:pong" })[0].state, "running");
});

/** Sends a request in the host's name and lets the Resource Manager answer. */
function send(system: GuestSystem, id: number, payload: Uint8Array): void {
  assert.equal(system.inspector.act({ kind: "rpc.send", id, payload }), undefined);
  runUntil(system, system.machine.time + 20e6);
}

/** 2 MiB of the host's memory lent to VMID 0x83. */
const LENT = Uint8Array.fromHex("00000000070000000100000083000700010000000000004200000000000020000000000000000000");

Deno.test("after a reset of a VM whose INIT failed, refusals of requests are their own, and the host's", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  send(system, VM_ALLOCATE.id, encodeRequest(VM_ALLOCATE, { vmid: 0 }));
  send(system, MEM_LEND.id, LENT);
  const image = { auth_type: 0, image_offset: 0n, image_size: 0n, dt_offset: 0x10_0000n, dt_size: 0x4000n };
  send(system, VM_CONFIG_IMAGE.id, encodeRequest(VM_CONFIG_IMAGE, { vmid: 0x83, handle: 3, ...image }));
  send(system, VM_INIT.id, encodeRequest(VM_INIT, { vmid: 0x83 }));
  const last = () => rows(system, "why", { limit: 1 })[0];
  assert.deepEqual([last().call, last().asked_by, last().vm], ["VM_INIT", "vm:host", "vm:host"]);
  send(system, VM_RESET.id, encodeRequest(VM_RESET, { vmid: 0x83 }));
  assert.equal(last().call, "VM_INIT", "the reset was not refused");
  send(system, VM_START.id, encodeRequest(VM_START, { vmid: 99 }));
  assert.deepEqual([last().call, last().err, last().failed], ["VM_START", rmErrorName(RmError.VMID_INVALID), true]);
  assert.equal((last().chain as unknown[]).length, 1);
  assert.equal(rows(system, "why", { filter: "vm=host", limit: 1 })[0].id, last().id);
});

/** A VM whose guest is `nop; udf #0`, with an exception table nowhere. */
async function undefinedGuest(more = ""): Promise<GuestSystem> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/udf.bin`, Uint8Array.of(0x1f, 0x20, 0x03, 0xd5, 0, 0, 0, 0));
    return await demoSystem(`el2 = 1\n[vm.udf]\nimage = "udf.bin"\nmemory = "4MiB"\n${more}`, undefined, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [schedule, more] of [["proxy", ""], ["own", 'schedule = "own"\ndevices = []\n']]) {
  Deno.test(`the end of a guest that faults has a reason with the instruction, the exception and the way there (${schedule})`, async () => {
    const system = await undefinedGuest(more);
    runUntil(system, 1e9);
    const [why] = rows(system, "why", { filter: "ended=vm:udf" });
    assert.deepEqual([why.kind, why.err, why.failed, why.vm], ["ended", "fault", true, "vm:udf"]);
    const { section, rule } = why;
    assert.ok(isSection(section), section);
    assert.match(
      rule,
      /^udf\/0 stopped: undefined instruction at 0x80000004: udf #0; the word 0x00000000 is not an instruction: .*; its handler at 0x200 cannot be fetched$/,
    );
    assert.equal((why.values as Record<string, unknown>).esr, "0x02000000");
    assert.match(why.command ?? "", /^el2 back --to \d+$/);
    assert.match(reasonLines(why)[0].text, /vm:udf ended: fault$/);
    const [vm] = rows(system, "vm.ls", { filter: "id=vm:udf" });
    assert.deepEqual([vm.why, vm.ended, vm.schedule, vm.memory], [why.id, rule, schedule, 4 * MiB]);
    assert.equal(system.inspector.reasons, 1);
    assert.deepEqual(system.broken(), [`udf: ${rule}`]);
    assert.equal(system.ended()?.code, 1);
  });
}

Deno.test("a START that was refused is the reason of its VM's end, and nothing that others dealt with is", async () => {
  const system = await demoSystem(undefined, ["rpc msg=MEM_LEND nth=2 -> NOMEM"]);
  runUntil(system, 2e9);
  const [why] = rows(system, "why", { filter: "failed=yes" });
  assert.deepEqual([why.kind, why.call, why.err, why.ended], ["ended", "GH_VM_START", "ENOMEM", "vm:ping"]);
  assert.equal(rows(system, "vm.ls", { filter: "id=vm:ping" })[0].why, why.id);
  assert.equal(system.inspector.reasons, 1);
  assert.equal(system.broken().length, 1);
});

Deno.test("in a healthy demo nothing has failed: refusals are listed, and count for nobody", async () => {
  const system = await demoSystem();
  runUntil(system, 2e9);
  assert.notEqual(rows(system, "why").length, 0);
  assert.deepEqual(rows(system, "why", { filter: "failed=yes" }), []);
  assert.equal(system.inspector.reasons, 0);
  assert.deepEqual(system.broken(), []);
});

Deno.test("a VM that somebody ended has a reason, and has not failed", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  system.inspector.act({ kind: "vm.stop", vm: "ping", force: true });
  runUntil(system, 1e9);
  const [why] = rows(system, "why", { filter: "ended=vm:ping" });
  assert.deepEqual([why.err, why.failed, why.section, why.rule], ["forced", false, "resource-manager 4.3", "its owner ended it by force"]);
  assert.equal(system.inspector.reasons, 0);
  assert.deepEqual(system.broken(), []);
  system.inspector.act({ kind: "vm.start", vm: "ping" });
  runUntil(system, 2e9);
  const [ping] = rows(system, "vm.ls", { filter: "id=vm:ping" });
  assert.deepEqual([ping.state, ping.why, ping.ended], ["running", null, null], "its new life has no end");
});

Deno.test("a VM that fails before it has a VMID is one row, and its console says why nobody takes what is typed", async () => {
  const system = await demoSystem(undefined, ["ioctl name=GH_CREATE_VM nth=2 -> ENOMEM"]);
  runUntil(system, 1e8);
  const [failed, ...others] = rows(system, "vm.ls", { filter: "vmid=-" });
  assert.deepEqual(others, []);
  assert.equal(failed.state, "failed");
  const [sample] = system.samples.sample(0).filter(({ vmid }) => vmid === 0);
  assert.deepEqual([failed.id, failed.console], [`vm:${sample.name}`, `con:${sample.console}/0`]);
  assert.match(failed.input_refused ?? "", /^con:\w+: /);
});

Deno.test("the end of a VM leaves no finding about interrupts of the others", async () => {
  for (const inject of [undefined, ["rpc msg=VM_START nth=2 -> DENIED"]]) {
    const system = await demoSystem(undefined, inject);
    runUntil(system, 5e8);
    if (!inject) system.inspector.act({ kind: "vm.stop", vm: "ping", force: true });
    runUntil(system, 2e9);
    assert.match(String(rows(system, "vm.ls", { filter: "id=vm:ping" })[0].state), /^(stopped|failed)$/);
    assert.deepEqual(rows(system, "irq.ls", { filter: "finding!=-" }).map(({ id, finding }) => `${id} ${finding}`), []);
  }
});

const WATCHDOG = new URL("../../../examples/mysteries/25-idle-watchdog/", import.meta.url);

for (
  const [idle, told] of [
    ["refuse", "; driver: why:2 WATCHDOG_CONTROL: this platform refuses to turn off a watchdog that is off"],
    ["accept", ""],
  ]
) {
  Deno.test(`a VM that ends in order says what had failed before (idle_watchdog ${idle})`, async () => {
    const table = (await Deno.readTextFile(new URL("el2.toml", WATCHDOG))).replace('"refuse"', JSON.stringify(idle));
    const system = await demoSystem(table, undefined, fileURLToPath(WATCHDOG));
    runUntil(system, 1e9);
    assert.deepEqual(system.ended(), { code: 0, message: `every VM has ended${told}` });
  });
}
