// Hypervisor, Resource Manager and native host together; the VMs' vCPUs execute scripts.

import assert from "node:assert/strict";
import { VM_PL011_BASE } from "../../../src/machine/host/boards/el2/map.ts";
import { HOST_MEMORY, vmPlan } from "./plans.ts";
import type { Step } from "./scripted-core.ts";
import { Stack } from "./stack.ts";

/** Where VMs begin. */
const BASE = 0x8000_0000, OTHER_BASE = 0x9000_0000;
const SYSTEM_OFF = 0x8400_0008n, SYSTEM_RESET = 0x8400_0009n;

function* print(text: string): Generator<Step, void, bigint> {
  for (const char of text) yield { do: "store", address: VM_PL011_BASE, size: 4, value: BigInt(char.charCodeAt(0)) };
}

function* psci(id: bigint): Generator<Step, void, bigint> {
  yield { do: "hvc", immediate: 0, x: [id] };
}

Deno.test("Resource Manager and native host create a VM, run it to its SYSTEM_OFF and take it down", () => {
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 2, vms: [vmPlan("a")] }, {
    cpus: 2,
    scripts: {
      [BASE]: function* () {
        yield* print("hi");
        yield* psci(SYSTEM_OFF);
      },
    },
  });
  const result = stack.run(1e9);
  assert.equal(stack.console("a"), "hi");
  assert.deepEqual(stack.log(), ["a creating", "a ready", "a running", "a exited system-off", "a stopped", "finished"]);
  assert.equal(result.kind, "stopped");
});

Deno.test("VMs on one physical CPU share it, and one that crashes does not touch the other", () => {
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a"), vmPlan("b", { base: OTHER_BASE })] }, {
    cpus: 1,
    scripts: {
      [BASE]: function* () {
        yield* print("a");
        yield* psci(SYSTEM_RESET);
      },
      [OTHER_BASE]: function* () {
        for (let turn = 0; turn < 20; turn++) {
          yield { do: "work", count: 100_000 };
          yield* print(".");
        }
        yield* psci(SYSTEM_OFF);
      },
    },
  });
  stack.run(1e9);
  assert.equal(stack.console("b"), ".".repeat(20));
  assert.ok(stack.log().includes("a exited system-reset"));
  assert.equal(stack.log().at(-1), "finished a");
});

Deno.test('on_exit = "restart" makes a VM again, whose memory holds nothing of the one before', () => {
  let starts = 0;
  const contents: bigint[] = [];
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a", { onExit: "restart" })] }, {
    cpus: 1,
    scripts: {
      [BASE]: function* () {
        starts++;
        const { addressSpace } = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === 0x80)!;
        const mark = addressSpace!.stage2.lookup(BASE + 0x10_0000)!.pa;
        contents.push(BigInt(stack.machine.ram.bytes(mark, 1)[0]));
        stack.machine.ram.write(mark, Uint8Array.of(0xaa));
        if (starts < 3) yield* psci(SYSTEM_RESET);
        for (;;) yield { do: "work", count: 1_000_000 };
      },
    },
  });
  stack.run(5e6);
  assert.deepEqual(contents, [0n, 0n, 0n]);
});
