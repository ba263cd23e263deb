// Events in one line.

import assert from "node:assert/strict";
import type { TraceEvent } from "../../../../src/machine/abi/trace.ts";
import { eventRow } from "../../../../src/session/inspection/readers/objects/read-trace.ts";

const event = (kind: TraceEvent["kind"], name: string, fields: TraceEvent["fields"], result?: TraceEvent["fields"]): string => {
  const place = { id: 1, number: 1, time: 0, end: 0, pcpu: 0, at: { boundary: 0, stage: "turn", retired: 0, steps: 0 } } as const;
  const end = result && { code: 0, name: "OK", refused: false, fields: result };
  const about = { vcpu: "host/0", parent: undefined, why: undefined, operation: end !== undefined };
  return eventRow({ ...place, ...about, kind, name, fields, result: end }).text;
};

Deno.test("who runs is said with who yields or waits", () => {
  assert.equal(event("sched", "run", { from: "vcpu:host/0", to: "vcpu:ping/0", blocked: undefined }), "host/0 yields to ping/0");
  const waits = ["wfi"];
  assert.equal(event("sched", "run", { from: "vcpu:a/0", to: "vcpu:b/0", blocked: waits }), "a/0 waits for an interrupt (WFI); b/0 runs");
  assert.equal(event("sched", "idle", { from: "vcpu:a/0", blocked: waits }), "a/0 waits for an interrupt (WFI); nobody else can run");
  assert.equal(event("sched", "run", { to: "vcpu:b/0" }), "b/0 runs");
  assert.equal(event("sched", "unseen", {}), "scheduling is not recorded after this point");
});

Deno.test("an interrupt is raised with the reason that its source has", () => {
  assert.equal(
    event("virq", "raise", { irq: "irq:pong/962", source: "mq:289", why: "not empty" }),
    "raise irq:pong/962: mq:289 is not empty",
  );
  assert.equal(
    event("virq", "pulse", { irq: "irq:host/962", source: "vcpu:a/0", why: "wants to run" }),
    "pulse irq:host/962: vcpu:a/0 wants to run",
  );
});

Deno.test("a fault that a rule injects is said with its operation and its effect", () => {
  const hit = (rule: string, fields: TraceEvent["fields"]) => event("rule", "injected", { inject: "inject:1", rule, hit: 1, ...fields });
  const virq = "virq vm=ping nth=5 -> lose";
  assert.equal(
    hit(virq, { vm: "ping", intid: 27, vcpu: "ping/0", source: "vcpu:ping/0", why: "vtimer" }),
    `inject:1: irq:ping/27 (vtimer) is lost, by ${virq}`,
  );
  const rpc = "rpc msg=MEM_LEND nth=2 -> NOMEM";
  assert.equal(hit(rpc, { msg: "MEM_LEND", vm: "host", seq: 3 }), `inject:1: MEM_LEND of host gets NOMEM, by ${rpc}`);
  const delay = "hvc name=msgqueue_send -> delay 20us";
  assert.equal(
    hit(delay, { name: "msgqueue_send", vm: "ping", vcpu: "ping/0" }),
    `inject:1: msgqueue_send of ping/0 comes 20us later, by ${delay}`,
  );
  assert.equal(hit("dev=a/blk0 -> die", { dev: "a/blk0", op: "read" }), "inject:1: read of a/blk0 ends its device, by dev=a/blk0 -> die");
  const alloc = "alloc what=page -> NOMEM";
  assert.equal(hit(alloc, { what: "page", amount: 1 }), `inject:1: an allocation of page (1) gets NOMEM, by ${alloc}`);
});

Deno.test("vcpu_run says how the vCPU came back, and an access who answers it", () => {
  const state = (vcpu_state: number, state_data_0 = 0n, state_data_1 = 0n, state_data_2 = 0n) =>
    event("hvc", "vcpu_run", { vcpu: "vcpu:ping/0" }, { vcpu_state, state_data_0, state_data_1, state_data_2 });
  assert.equal(state(4, 0x9000018n, 4n), "vcpu_run vcpu:ping/0 -> read 0x9000018 (4 bytes), its VMM answers");
  assert.equal(state(5, 0x9000000n, 1n, 0x41n), "vcpu_run vcpu:ping/0 -> write 0x9000000 = 0x41 (1 byte), its VMM answers");
  assert.equal(state(1), "vcpu_run vcpu:ping/0 -> waits for an interrupt");
  assert.equal(
    event("mmio", "read", { address: "ipa:a/0x9000018", size: 4, value: undefined, target: "vmm" }),
    "read ipa:a/0x9000018 (4 bytes); its VMM answers",
  );
});

Deno.test("a trapped register says what was read or written, and what EL2 refuses", () => {
  assert.equal(event("trap", "ICC_IAR1_EL1", { access: "read", value: 0x1bn, undefined: false }), "read ICC_IAR1_EL1 = 0x1b");
  assert.equal(event("trap", "ICC_EOIR1_EL1", { access: "write", value: 0x1bn, undefined: false }), "write ICC_EOIR1_EL1 = 0x1b");
  const denied = { access: "read", value: undefined, undefined: true };
  assert.equal(event("trap", "S3_1_C15_C0_0", denied), "read S3_1_C15_C0_0: the instruction is UNDEFINED");
});

Deno.test("PSCI calls and states of VMs are decoded", () => {
  assert.equal(event("psci", "CPU_ON", { args: [1n, 0x40dcb2c8n, 0n] }), "CPU_ON CPU 0x1, entry 0x40dcb2c8, context 0x0");
  assert.match(event("rpc", "VM_STATUS", { to: 3, vmid: 0x80, vm_state: 8 }), /vm_state INIT_FAILED/);
});

Deno.test("a request about memory says size, rights and parcel, and nothing of the transport", () => {
  const acl = [{ vmid: 0x81, rights: 7 }], sgl = [{ address: 0x4100_0000n, size: 0x8000n }, { address: 0x4200_0000n, size: 0x8000n }];
  const lend = { from: 3, sequence: 5, mem_type: 0, flags: 0, label: 0, acl, sgl, attributes: [] };
  assert.equal(event("rpc", "MEM_LEND", lend, { handle: 1 }), "MEM_LEND size 64K to 0x81 rwx -> OK parcel:0x1");
  const notice = { from: 3, sequence: 6, handle: 1, flags: 1, mem_info_tag: 0, vmids: [{ vmid: 0x81 }] };
  assert.equal(event("rpc", "MEM_NOTIFY", notice, {}), "MEM_NOTIFY parcel:0x1 flags 1 to 0x81 -> OK");
  const resources = [{ partner: 0x81, handle: 4 }, { partner: 0, handle: 5 }];
  assert.equal(
    event("rpc", "VM_GET_HYP_RESOURCES", { from: 3, sequence: 6, vmid: 0x82 }, { resources }),
    "VM_GET_HYP_RESOURCES vmid 0x82 -> OK resources partner=0x81 handle=4, partner=0x0 handle=5",
  );
  assert.equal(event("rpc", "VM_START", { from: 3, sequence: 7, vmid: 0x81 }, {}), "VM_START vmid 0x81 -> OK");
});
