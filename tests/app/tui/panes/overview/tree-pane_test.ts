// The tree of VMs, with the VMs of a hypervisor inside one of them.

import assert from "node:assert/strict";
import type { Query } from "../../../../../src/model/queries/query.ts";
import { phoneAnswer, wholeRow } from "../../phone.ts";
import { Rig } from "../../rig.ts";

const GUESTS = ["VMID 1 tables 0x41200000: vCPU 0 on vcpu:host/0", "VMID 2 tables 0x41300000: vCPU 0 left (inferred: entered before)"];

Deno.test("below the tree are the VMs of a hypervisor that runs inside a VM, and none without one", async () => {
  const shown = async (guests: readonly string[] | null) => {
    const rig = new Rig(120, 36);
    rig.answer = (query: Query) => {
      if (query.table !== "vm.ls") return phoneAnswer(query);
      return { ...phoneAnswer(query), rows: [wholeRow("vm.ls", { id: "vm:host", verdict: "runs", healthy: true, guests })] };
    };
    await rig.lines();
    rig.sample();
    await rig.lines();
    return (await rig.inside()).filter((line) => line.includes("VMID 1") || line.includes("VMID 2"));
  };
  const lines = await shown(GUESTS);
  assert.deepEqual(
    lines.map((line) => line.replaceAll(/^[| ]+|[| ]+$/g, "").replaceAll(/ +/g, " ")),
    GUESTS.map((guest) => `host ${guest}`),
  );
  assert.deepEqual(await shown(null), []);
});
