// Failures of phones (examples/mysteries), found by tool calls of an agent alone.

import assert from "node:assert/strict";
import type { Agent, Job, Row } from "./agent.ts";

const FOLDER = new URL("../../../examples/mysteries/", import.meta.url).pathname;

/** Starts a mystery. It may fail so soon that its session has ended, which answers all the same. */
async function up(agent: Agent, folder: string, more: Record<string, unknown> = {}): Promise<void> {
  const { text, failed } = await agent.answer("up", { what: `${FOLDER}${folder}/el2.toml`, turbo: true, ...more });
  assert.ok(!failed || /has ended: /.test(text), text);
}

/** The verdict on a VM, once it is this one. */
const verdict = (agent: Agent, vm: string, word: string) =>
  agent.rowOnce("diagnose", { filter: `id=vm:${vm}` }, (row) => row?.verdict === word);

/** The last refusal, once it is of this call. */
const refusal = (agent: Agent, call: string) => agent.rowOnce("why", { filter: `call=${call}`, limit: 1 }, (row) => row !== undefined);

const found = async (agent: Agent, args: Record<string, unknown>): Promise<Row[]> => JSON.parse(await agent.call("find", args)).rows;

export const MYSTERIES: readonly Job[] = [
  {
    name: "mystery 01: a shared parcel needs a node of the devicetree",
    async work(agent) {
      await up(agent, "01-shared-without-node");
      await verdict(agent, "writer", "failed");
      assert.match(
        await agent.call("why"),
        /GH_VM_START[\s\S]*ENODEV[\s\S]*no node of \/reserved-memory with exactly this reg[\s\S]*way out/,
      );
    },
  },
  {
    name: "mystery 23: the handler of an exception takes it again",
    async work(agent) {
      await up(agent, "23-fault-loop");
      const { text } = await verdict(agent, "loop", "storm");
      assert.match(String(text), /takes undefined instruction at 0x80000200 again/);
      await agent.call("pause");
      // Its vectors are zeros, and nobody has written them.
      const [vectors] = await agent.rows("vcpu.regs", { vcpu: "vcpu:loop/0", filter: "name=vbar_el1" });
      assert.doesNotMatch(await agent.call("who", { target: `va:loop/${vectors.value}`, size: 4 }), /vcpu:loop/);
    },
  },
  {
    name: "mystery 05: the list of a region's pages needs one block of memory",
    async work(agent) {
      await up(agent, "05-contiguous-memory");
      await verdict(agent, "hello", "failed");
      assert.match(await agent.call("why"), /LEND_USER_MEM[\s\S]*ENOMEM[\s\S]*one block of contiguous kernel memory/);
    },
  },
  {
    name: "mystery 08: parcels of ended lives count against the quota",
    async work(agent) {
      await up(agent, "08-leaked-parcels", { inject: ["rpc msg=MEM_RECLAIM -> BUSY"] });
      await verdict(agent, "hello", "failed");
      const [limit] = await agent.rows("mem.limits", { filter: "id=limit:host/parcels" });
      assert.equal(limit.used, limit.limit);
      assert.ok((await found(agent, { event: "kind=rpc name=MEM_RECLAIM res=BUSY", limit: 4 })).length === 4);
      assert.match(await agent.call("why"), /a VM owns at most 8 parcels/);
    },
  },
  {
    name: "mystery 12: the memory for page tables is used up",
    async work(agent) {
      await up(agent, "12-page-tables");
      await verdict(agent, "phone", "failed");
      const [first] = await found(agent, { event: "kind=hvc name=addrspace_map res=NOMEM", limit: 1 });
      assert.equal(first.kind, "event");
      assert.match(await agent.call("diagnose", { vm: "phone" }), /no memory for page tables is left/);
    },
  },
  {
    name: "mystery 14: a request of another generation of the driver",
    async work(agent) {
      await up(agent, "14-other-magic");
      await verdict(agent, "hello", "failed");
      assert.match(await agent.call("why"), /0x4700/);
      assert.match(await agent.call("reference_ioctl", { code: "0x4700" }), /GH_CREATE_VM/);
    },
  },
  {
    name: "mystery 22: an instruction of FP before CPACR_EL1 allows it",
    async work(agent) {
      await up(agent, "22-silent-vm");
      assert.match(String((await verdict(agent, "silent", "failed")).text), /access to FP or SIMD while CPACR_EL1 traps it/);
    },
  },
  {
    name: "mystery 25: a watchdog that is off already",
    async work(agent) {
      await up(agent, "25-idle-watchdog");
      await refusal(agent, "WATCHDOG_CONTROL");
      const [call] = await found(agent, { event: "kind=psci name=WATCHDOG_CONTROL", limit: 1 });
      assert.equal(call.vm, "vm:driver");
      assert.match(await agent.call("why"), /refuses to turn off a watchdog that is off/);
    },
  },
  {
    name: "mystery 30: a copy of the devicetree overwrites the code that makes it",
    async work(agent) {
      await up(agent, "30-large-devicetree");
      const { text } = await verdict(agent, "phone", "failed");
      assert.match(String(text), /has 32768 bytes for a copy of the devicetree, which has 40959/);
    },
  },
  {
    name: "mystery 32: WFI returns at once, as a masked interrupt is pending",
    async work(agent) {
      await up(agent, "32-wfi-returns");
      assert.match(String((await verdict(agent, "idle", "storm")).text), /WFI.*returns at once/);
      await agent.call("pause");
      const pending = await agent.rows("irq.ls", { filter: "vm=idle pend=yes" });
      assert.ok(pending.length > 0);
    },
  },
];
