// VMs that wait for each other over memory parcels: one waits until the other accepts what it
// shares, and that one waits for the first.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { evidenceLine } from "../../src/model/queries/facts/evidence.ts";
import { MEM_DONATE, MEM_NOTIFY, NotifyFlags } from "../../src/machine/abi/rpc/messages/memory.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { buildBroken, FAULT, writeLinked } from "./broken-guest.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-parcels-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);

/** VMIDs of the first and the second VM. */
const X = 0x80, Y = 0x81;
/** A part of the host's memory that no VM has. */
const FREE = 0x4200_0000, PAGE = 0x1000;

function vm(name: string, cmdline: string): string {
  return `[vm.${name}]\nimage = "broken.bin"\nmemory = "4MiB"\ncmdline = "${cmdline}"\n`;
}

const sharing = (own: number, peer: number) => `fault=${FAULT.share} own=${own} peer=${peer}`;

/** Runs VMs x and y, of which some have a link to the Resource Manager. */
async function run(text: string, linked: readonly string[]): Promise<GuestSystem> {
  for (const name of linked) await writeLinked(folder, text, name);
  const system = await demoSystem(
    text.replaceAll(/^\[vm\.(\w)\]$/gm, (head, name) => linked.includes(name) ? `${head}\ndtb = "${name}.dtb"` : head),
    undefined,
    folder,
  );
  runUntil(system, 5e7);
  return system;
}

/** The host donates a page to a VM, which the VM can share. */
function give(system: GuestSystem, vmid: number): void {
  const handle = Math.max(...rows(system, "mem.parcels").map(({ id }) => Number(id.slice("parcel:".length)))) + 1;
  const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
  const send = (id: number, payload: Uint8Array) => assert.equal(system.inspector.act({ kind: "rpc.send", id, payload }), undefined);
  send(MEM_DONATE.id, words(0, 7, 1, vmid | 7 << 16, 1, FREE + vmid * PAGE, 0, PAGE, 0, 0));
  runUntil(system, system.machine.time + 1e7);
  send(MEM_NOTIFY.id, words(handle, NotifyFlags.Shared, 0, 1, vmid));
  runUntil(system, system.machine.time + 1e8);
}

const LINK = `[link]\nmessages = { kind = "msgqueue-pair", label = 1, between = ["x", "y"], depth = 2, size = 64 }\n`;

Deno.test("two VMs that each wait until the other accepts its parcel are deadlocked", async () => {
  const system = await run(`el2 = 1\n${vm("x", sharing(X, Y))}${vm("y", sharing(Y, X))}`, ["x", "y"]);
  give(system, X);
  const [alone] = rows(system, "diagnose", { filter: "id=vm:x" });
  assert.match(`${alone.verdict}: ${alone.text}`, /^waits: vm:y to accept parcel:0x\d+$/);
  give(system, Y);
  const [x, y] = rows(system, "diagnose", { filter: "id=vm:x | id=vm:y" });
  const parcel = /^waits for vm:y to accept (parcel:0x\w+), and vm:y for vm:x$/.exec(x.text)?.[1];
  assert.deepEqual([x.verdict, y.verdict, x.next], ["deadlocked", "deadlocked", `el2 show ${parcel}`], `${x.text}\n${y.text}`);
  const steps = x.because.flatMap((one) => one.code === "step" ? [evidenceLine(one)] : []);
  assert.match(
    steps.join("\n"),
    /^vm:x waits at 0x\w+ for vm:y to accept parcel:0x\w+\nvm:y waits at 0x\w+ for vm:x to accept parcel:0x\w+$/,
  );
});

Deno.test("a cycle over a parcel and a message queue is a deadlock", async () => {
  const system = await run(`el2 = 1\n${vm("x", sharing(X, Y))}${vm("y", `fault=${FAULT.listen}`)}${LINK}`, ["x"]);
  give(system, X);
  const [x, y] = rows(system, "diagnose", { filter: "id=vm:x | id=vm:y" });
  assert.deepEqual([x.verdict, y.verdict], ["deadlocked", "deadlocked"], `${x.text}\n${y.text}`);
  assert.match(y.text, /^waits for irq:y\/961 \(mq:\d+ rx\) of vm:x, and vm:x for vm:y$/);
});

Deno.test("a VM that waits until one that runs accepts its parcel waits for that VM", async () => {
  const system = await run(`el2 = 1\n${vm("x", sharing(X, Y))}${vm("y", "fault=0")}`, ["x"]);
  give(system, X);
  const waits = rows(system, "diagnose", { filter: "id=vm:x" })[0];
  assert.match(`${waits.verdict}: ${waits.text}`, /^waits: vm:y to accept parcel:0x\w+$/);
});
