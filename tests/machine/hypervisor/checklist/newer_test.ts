// Checklist of the specification (docs/spec/hypervisor.md §10), lines 185 to 189: calls of the
// newer drop, which the recorded build does not have.

import assert from "node:assert/strict";
import { CPU_INVALID, VcpuOption, VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { Block } from "../../../../src/machine/hypervisor/scheduling/vcpu-life.ts";
import { ENTRY, FREE_IPA, mapped } from "../errors/recipes.ts";
import { INFO_AREA, World } from "../errors/world.ts";
import { hvc, ScriptedMachine, ScriptedVm, timerWritten, wfi } from "../scripted.ts";

Deno.test("H185: entries of an info area are found by type; their descriptors end with a zero", () => {
  const w = new World();
  assert.deepEqual(w.ok("addrspace_find_info_area", {}), [INFO_AREA, 4096n, 0n, 0n, 0n, 0n, 0n]);
  const { ram } = w.hypervisor.machine;
  ram.write(RAM_BASE, new TextEncoder().encode("first, and second"));
  const add = (type: bigint, data: bigint, size: bigint) =>
    w.ok("addrspace_info_area_add_entry", { addrspace: w.space, type, data, data_info: size | 8n << 32n })[0];
  assert.equal(add(ENTRY, w.buffer, 5n), INFO_AREA + 0xff8n);
  assert.equal(add(ENTRY + 1n, w.buffer + 7n, 10n), INFO_AREA + 0xfe8n);
  const get = (type: bigint) => {
    const [size, of] = w.ok("addrspace_info_area_get_entry", { type, buffer: w.buffer + 0x100n, buf_size: 64n });
    return [new TextDecoder().decode(ram.bytes(RAM_BASE + 0x100, Number(size))), of];
  };
  assert.deepEqual([get(ENTRY), get(ENTRY + 1n)], [["first", ENTRY], ["and second", ENTRY + 1n]]);
  const { base } = w.get<AddressSpace>(w.space).infoArea!.extent;
  const words = new Uint32Array(ram.bytes(base, 48).slice().buffer);
  assert.deepEqual([...words], [Number(ENTRY), 5, 0xff8, 0x8000_0000, Number(ENTRY) + 1, 10, 0xfe8, 0x8000_0000, 0, 0, 0, 0]);
});

Deno.test("H186: private pages are zeroed unless the caller says otherwise, up to the first page that is none", () => {
  const w = new World();
  w.get<AddressSpace>(w.space).configureVmmio(FREE_IPA, 0x10_0000n, 2);
  const extent = w.get<Memextent>(mapped(w));
  const { ram } = w.hypervisor.machine;
  const fill = () => ram.write(extent.base, new Uint8Array(extent.extentSize).fill(7));
  const size = BigInt(extent.extentSize);
  fill();
  assert.equal(w.ok("addrspace_modify_pages", { addrspace: w.space, vbase: FREE_IPA, size, flags: 9n })[0], 0n);
  assert.equal(ram.bytes(extent.base, 1)[0], 7);
  assert.equal(w.ok("addrspace_modify_pages", { addrspace: w.space, vbase: FREE_IPA, size: 4096n, flags: 1n })[0], 0n);
  assert.deepEqual([0, 4095, 4096].map((at) => ram.bytes(extent.base + at, 1)[0]), [0, 0, 7]);
  const beyond = w.call("addrspace_modify_pages", { addrspace: w.space, vbase: FREE_IPA, size: size + 8192n, flags: 0n });
  assert.equal(beyond.results[0], 8192n);
  assert.equal(ram.bytes(extent.base + extent.extentSize - 1, 1)[0], 0);
});

Deno.test("H187: vpm_group_wakeup ends a suspend as an interrupt does, and no WFI", () => {
  const w = new World();
  const [suspended, waiting] = [w.vcpu(), w.vcpu()];
  for (const vcpu of [suspended, waiting]) vcpu.powerOn(w.buffer, 0n);
  suspended.suspend(0, { entry: 0x4000_1000n, context: 0x99n });
  waiting.waitForInterrupt();
  w.ok("vpm_group_wakeup", { vpm_group: w.group });
  assert.deepEqual([suspended.life.isAwake, suspended.registers.pc, suspended.registers.getX(0)], [true, 0x4000_1000n, 0x99n]);
  assert.ok(waiting.life.isBlockedBy(Block.Wfi));
});

Deno.test("H188: a heap grows by what it is given, and shrinks while nobody uses it", () => {
  const w = new World();
  const { rootPartition } = w.hypervisor;
  const { heapSize } = rootPartition;
  const range = { partition: w.partition, arg2: 0n, base: BigInt(w.take(0x1_0000)), size: 0x1_0000n };
  w.ok("partition_donate", { ...range, flags: 1n });
  assert.equal(rootPartition.heapSize, heapSize + 0x1_0000);
  assert.ok(!w.hypervisor.memory.owns(rootPartition, Number(range.base) as never, 0x1_0000));
  w.ok("partition_donate", { ...range, flags: 2n });
  assert.equal(rootPartition.heapSize, heapSize);
  assert.ok(w.hypervisor.memory.owns(rootPartition, Number(range.base) as never, 0x1_0000));
});

Deno.test("H189: without timer wakeups vcpu_run says when to run a sleeping vCPU, which sleeps on until then", () => {
  const due = 1_000_000;
  for (const kept of [true, false]) {
    const machine = new ScriptedMachine(1, undefined, { abi: "newer" });
    let woken = 0;
    const options = VcpuOption.VcpuRunScheduled | (kept ? VcpuOption.NoTimerWakeups : 0n);
    const guest = new ScriptedVm(machine, 0x80, [function* (registers) {
      registers.setRegister("CNTV_CVAL_EL0", BigInt(due / 16));
      registers.setRegister("CNTV_CTL_EL0", 1n);
      yield timerWritten;
      yield wfi;
      woken = machine.machine.time;
    }], { options, affinity: () => CPU_INVALID, group: "independent" });
    const [vcpu] = guest.vcpus;
    let ended = false;
    const host = new ScriptedVm(machine, 3, [function* (registers) {
      const run = function* () {
        [cap, 0n, 0n, 0n, 0n].forEach((value, index) => registers.setX(index, value));
        yield hvc(0x6065);
        return registers.x.slice(0, 5);
      };
      assert.deepEqual(yield* run(), [0n, BigInt(VcpuRunState.ExpectsWakeup), 0n, 1n, kept ? BigInt(due) : 0n]);
      yield { compute: 2 * due };
      assert.equal(vcpu.life.isBlockedBy(Block.Wfi), kept);
      yield* run();
      assert.ok(woken >= 2 * due);
      ended = true;
    }]);
    const cap = host.grant(vcpu);
    guest.start();
    host.start();
    machine.run(10 * due);
    assert.ok(ended);
  }
});
