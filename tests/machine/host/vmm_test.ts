// The sample VMM on /dev/gunyah of the generations that have vCPUs: hypervisor, Resource Manager,
// driver and VMM together.

import assert from "node:assert/strict";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { VM_PL011_BASE } from "../../../src/machine/host/boards/el2/map.ts";
import { HOST_MEMORY, vmPlan } from "./plans.ts";
import type { Step } from "./scripted-core.ts";
import { Stack } from "./stack.ts";

const BASE = 0x8000_0000, OTHER_BASE = 0x9000_0000;
const OFF = 0x8400_0008n, RESET = 0x8400_0009n;
const GENERATIONS: readonly PersonaName[] = ["v14", "v17", "ack-6.6", "ack-6.12", "union"];
/** PL011 registers. */
const DR = VM_PL011_BASE, FR = VM_PL011_BASE + 0x18;
const RXFE = 1n << 4n;

function* print(text: string): Generator<Step, void, bigint> {
  for (const char of text) yield { do: "store", address: DR, size: 4, value: BigInt(char.charCodeAt(0)) };
}

function* psci(id: bigint): Generator<Step, void, bigint> {
  yield { do: "hvc", immediate: 0, x: [id] };
}

for (const device of GENERATIONS) {
  Deno.test(`the VMM on ${device} makes a VM, runs it to its SYSTEM_OFF and takes it down`, () => {
    const stack = new Stack({ memory: HOST_MEMORY, vcpus: 2, vms: [vmPlan("a")] }, {
      ...{ cpus: 2, device },
      scripts: {
        [BASE]: function* () {
          yield* print("hi");
          yield* psci(OFF);
        },
      },
    });
    const result = stack.run(1e9);
    assert.equal(stack.console("a"), "hi");
    assert.deepEqual(stack.log(), ["a creating", "a ready", "a running", "a exited system-off", "a stopped", "finished"]);
    assert.equal(result.kind, "stopped");
  });
}

Deno.test("VMs of one host share it, and one that crashes does not touch the other", () => {
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a"), vmPlan("b", { base: OTHER_BASE })] }, {
    ...{ cpus: 1, device: "union" },
    scripts: {
      [BASE]: function* () {
        yield* print("a");
        yield* psci(RESET);
      },
      [OTHER_BASE]: function* () {
        for (let turn = 0; turn < 20; turn++) {
          yield { do: "work", count: 100_000 };
          yield* print(".");
        }
        yield* psci(OFF);
      },
    },
  });
  stack.run(1e9);
  assert.equal(stack.console("b"), ".".repeat(20));
  assert.ok(stack.log().includes("a exited system-reset"));
  assert.equal(stack.log().at(-1), "finished a");
});

Deno.test("what a person types reaches the guest, and a VM that restarts is made anew", () => {
  let starts = 0;
  const typed: bigint[] = [];
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a", { onExit: "restart" })] }, {
    ...{ cpus: 1, device: "v14" },
    scripts: {
      [BASE]: function* () {
        if (++starts < 3) yield* psci(RESET);
        for (;;) {
          const flags: bigint = yield { do: "load", address: FR, size: 4 };
          if ((flags & RXFE) === 0n) typed.push(yield { do: "load", address: DR, size: 4 });
          yield { do: "work", count: 10_000 };
        }
      },
    },
  });
  stack.run(2e7);
  stack.input.push("a", new TextEncoder().encode("ok"));
  stack.run(6e7);
  assert.equal(starts, 3);
  assert.deepEqual(typed, [0x6fn, 0x6bn]);
});

Deno.test("a VM that is stopped by force is closed, and taken down", () => {
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a")] }, {
    ...{ cpus: 1, device: "union" },
    scripts: {
      [BASE]: function* () {
        for (;;) yield { do: "work", count: 1_000_000 };
      },
    },
  });
  stack.run(2e7);
  stack.input.stop("a", false);
  stack.run(3e7);
  stack.input.stop("a", true);
  stack.run(1e9);
  assert.deepEqual(stack.log(), [
    // It has no link to the Resource Manager, by which it could be asked.
    ...["a creating", "a ready", "a running", "error a: VM_STOP: NORESOURCE"],
    ...["a exited forced", "a stopped", "finished"],
  ]);
});

Deno.test("a VM whose memory is refused has failed, and the host ends, in every generation", () => {
  for (const device of [...GENERATIONS, "ack-6.1"] as const) {
    const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a")] }, {
      ...{ cpus: 1, device, memlock: 4096 },
      scripts: {},
    });
    stack.run(1e9);
    const log = stack.log();
    assert.deepEqual([log.at(-2), log.at(-1)], ["a failed", "finished a"], `${device}: ${log.join("; ")}`);
  }
});

Deno.test("a step that is refused is told, and the VM is taken down", () => {
  const image = { bytes: Uint8Array.of(1, 2, 3, 4), offset: 0, size: 0x1000, entry: 0x40 };
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a", { image })] }, { cpus: 1, device: "v14", scripts: {} });
  stack.run(1e9);
  assert.deepEqual(stack.log(), [
    "a creating",
    "error a: v14 enters a VM at the first byte of its memory, the image at offset 0x40",
    "a failed",
    "finished a",
  ]);
});

for (const device of ["legacy", "v6", "v9", "v14", "union"] as const) {
  Deno.test(`a VM that the hypervisor schedules runs on ${device} to its SYSTEM_OFF`, () => {
    const schedule = { affinity: "static", affinityMap: [0], priority: -1, timeslice: 5000 } as const;
    const stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a", { schedule, console: false })] }, {
      ...{ cpus: 1, device },
      scripts: {
        [BASE]: function* () {
          yield { do: "work", count: 1_000_000 };
          yield* psci(OFF);
        },
      },
    });
    stack.run(1e9);
    assert.deepEqual(stack.log(), ["a creating", "a ready", "a running", "a exited system-off", "a stopped", "finished"]);
  });
}

Deno.test("a VM of GenieZone and one of Gunyah run side by side, each by its VMM", () => {
  const vms = [vmPlan("a", { hypervisor: "geniezone" }), vmPlan("b", { base: OTHER_BASE })];
  const typed: bigint[] = [];
  const stack = new Stack({ memory: HOST_MEMORY, vcpus: 2, vms }, {
    ...{ cpus: 2, device: "v14" },
    scripts: {
      [BASE]: function* () {
        yield* print("geniezone");
        while (typed.length < 2) {
          const flags: bigint = yield { do: "load", address: FR, size: 4 };
          if ((flags & RXFE) === 0n) typed.push(yield { do: "load", address: DR, size: 4 });
          yield { do: "work", count: 10_000 };
        }
        yield* psci(OFF);
      },
      [OTHER_BASE]: function* () {
        yield* print("gunyah");
        yield* psci(OFF);
      },
    },
  });
  stack.run(2e7);
  stack.input.push("a", new TextEncoder().encode("ok"));
  stack.run(1e9);
  assert.deepEqual([stack.console("a"), stack.console("b"), typed], ["geniezone", "gunyah", [0x6fn, 0x6bn]]);
  assert.equal(stack.log().at(-1), "finished");
});
