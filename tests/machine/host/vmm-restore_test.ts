// A host with VMMs that is saved and restored into a new one continues where it was.

import assert from "node:assert/strict";
import { VcpuRunState } from "../../../src/machine/abi/words.ts";
import { ConsoleInput } from "../../../src/machine/host/data/console-input.ts";
import type { HostEvent } from "../../../src/machine/host/data/events.ts";
import { VM_PL011_BASE } from "../../../src/machine/host/boards/el2/map.ts";
import { nativeHost } from "../../../src/machine/host/native-host.ts";
import { FakePlatform } from "./fake-platform.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";

for (const hypervisor of ["gunyah", "geniezone"] as const) {
  Deno.test(`a VM of ${hypervisor} prints on after its host was saved and restored`, () => {
    const events: HostEvent[] = [];
    const input = new ConsoleInput(() => {});
    const driver = { device: "v14", memlock: Number.MAX_SAFE_INTEGER, gzvm: true } as const;
    const plan = { memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a", { hypervisor })], driver };
    const make = nativeHost({ plan, events: (event) => void events.push(event), input });
    const platform = new FakePlatform(HOST_MEMORY + 8 * MIB, 1);
    const first = make();
    platform.boot(first);
    const print = (host: typeof first, char: string) =>
      platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(VM_PL011_BASE), 4n, BigInt(char.charCodeAt(0)));
    print(first, "a");
    const second = make();
    second.restore(structuredClone(first.save()));
    print(second, "b");
    platform.returnRun(second, 0, VcpuRunState.ExpectsWakeup);
    platform.exited(second, 0x80, 1);
    const text = events.flatMap((event) => event.kind === "console" ? [...event.bytes] : []);
    assert.equal(String.fromCharCode(...text), "ab");
    const states = events.flatMap((event) => event.kind === "state" ? [event.state] : []);
    assert.deepEqual(states, ["creating", "ready", "running", "exited", "stopped"]);
    assert.equal(events.at(-1)?.kind, "finished");
  });
}

Deno.test("a saved host with a process without an address space is refused", () => {
  const plan = {
    memory: HOST_MEMORY,
    vcpus: 1,
    vms: [vmPlan("a", {})],
    driver: { device: "v14", gzvm: false, memlock: Number.MAX_SAFE_INTEGER },
  } as const;
  const make = nativeHost({ plan, events: () => {}, input: new ConsoleInput(() => {}) });
  const platform = new FakePlatform(HOST_MEMORY + 8 * MIB, 1), first = make();
  platform.boot(first);
  const saved = structuredClone(first.save()) as { kernel: { memory: { spaces: Record<string, unknown> } } };
  make().restore(structuredClone(saved));
  const [space] = Object.keys(saved.kernel.memory.spaces);
  delete saved.kernel.memory.spaces[space];
  assert.throws(() => make().restore(saved), /^Error: process \d+ has no address space$/);
});

Deno.test("a saved host with a device that this one does not have, or without one that it has, is refused", () => {
  for (const gzvm of [false, true]) {
    const driver = { device: "v14", gzvm, memlock: Number.MAX_SAFE_INTEGER } as const;
    const plan = { memory: HOST_MEMORY, vcpus: 1, vms: [vmPlan("a", {})], driver };
    const make = nativeHost({ plan, events: () => {}, input: new ConsoleInput(() => {}) });
    const platform = new FakePlatform(HOST_MEMORY + 8 * MIB, 1), first = make();
    platform.boot(first);
    const saved = structuredClone(first.save()) as Record<string, unknown>;
    make().restore(structuredClone(saved));
    for (const change of [{ gzvm: gzvm ? undefined : {} }, { gzvm: null }, { gunyah: undefined }, { kernel: undefined }]) {
      assert.throws(() => make().restore({ ...saved, ...change }), /^Error: a host has the states of its devices, and no other$/);
    }
  }
});
