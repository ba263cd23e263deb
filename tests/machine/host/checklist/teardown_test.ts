// Lines 72 to 83 of the checklist of docs/spec/vm-manager.md §17: the end of VMs, probing, and what
// VMMs in the field do.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import { cells, cells64, devicetree, findNode, node, readCells, readStrings, walk } from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import { FN_IOEVENTFD_ARG, FunctionType, GH, GH_V6, IoeventfdFlags } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import type { PersonaName } from "../../../../src/machine/abi/ioctl/personas.ts";
import { BASE, Client, DTB } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { lintVm } from "../../../../src/app/configuration/vm-lint.ts";
import { HostStack } from "../host-stack.ts";

const SECOND = 1e9;

Deno.test("V72: a VM lives as long as one descriptor of its vCPUs is open", () => {
  const vmm = new Client(new FakeHost("v14"));
  const { vm } = vmm.loadedVm();
  const vcpu = vmm.vcpu(vm);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  vmm.close(vm);
  assert.equal(vmm.begin(vcpu, GH.RUN).result, undefined);
  assert.ok(!(vmm.host as FakeHost).requests.includes("VM_STOP"));
});

Deno.test("V73: the last close of a VM that runs stops, resets, takes memory back and gives the VMID up, in its generation's order", () => {
  const orders: readonly [PersonaName, readonly string[]][] = [
    ["v6", ["VM_STOP", "MEM_RECLAIM", "VM_DEALLOCATE"]],
    ["v9", ["VM_STOP", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]],
    ["v14", ["VM_STOP", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]],
    ["ack-6.12", ["VM_STOP", "VM_RESET", "VM_DEALLOCATE"]],
    ["v17", ["VM_STOP", "VM_RESET", "VM_DEALLOCATE"]],
  ];
  for (const [name, order] of orders) {
    const fake = new FakeHost(name);
    const vmm = new Client(fake);
    const { vm } = name === "v6" ? vmm.loadedVmV6() : name === "v17" ? vmm.guestMemoryVm() : vmm.loadedVm();
    assert.equal(vmm.ioctl(vm, name === "v6" ? GH_V6.START : GH.START), 0);
    const before = fake.requests.length;
    vmm.close(vm);
    assert.deepEqual(fake.requests.slice(before), order, name);
    const stop = fake.platform.requests.find((each) => each.name === "VM_STOP")!;
    assert.deepEqual([stop.value.flags, stop.value.reason], [1, 3]);
  }
});

Deno.test("V74: after the end lent pages are readable again, and the hypervisor's objects are as before", () => {
  const stack = new HostStack({ scripts: {} });
  const caps = () => stack.hypervisor.objects.size;
  const vmm = new Client(stack);
  const before = caps();
  const { vm, memory } = vmm.loadedVm({ lend: true, code: [1, 2, 3, 4] });
  vmm.vcpu(vm);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  assert.deepEqual(vmm.kernel((kernel, pid) => kernel.load(pid, memory, 4)), { ok: false, signal: 7 });
  const copy = memory;
  vmm.kernel((kernel, pid) => Object.keys(kernel.state.processes[pid].descriptors).forEach((fd) => kernel.close(pid, Number(fd))));
  stack.pass(SECOND);
  assert.deepEqual([...vmm.read(copy, 4)], [1, 2, 3, 4]);
  assert.equal(caps(), before);
  assert.deepEqual(stack.visit(({ gunyah }) => gunyah.state.vms), {});
});

Deno.test("V75: a VM that was never started closes without STOP and RESET", () => {
  for (const name of ["v9", "v14"] as const) {
    const fake = new FakeHost(name);
    const vmm = new Client(fake);
    vmm.close(vmm.loadedVm().vm);
    assert.deepEqual(fake.requests, name === "v9" ? ["VM_ALLOCATE", "VM_GET_VMID", "VM_DEALLOCATE"] : ["VM_GET_VMID"]);
  }
});

Deno.test("V76: closing during START is safe: the VM is taken down when START is over", () => {
  const stack = new HostStack({ scripts: {} });
  const vmm = new Client(stack);
  const { vm } = vmm.loadedVm();
  const { result } = vmm.begin(vm, GH.START);
  assert.equal(result, undefined);
  vmm.exit();
  stack.pass(SECOND);
  stack.visit(({ kernel, gunyah }) => {
    assert.deepEqual([gunyah.state.vms, kernel.state.tasks, kernel.state.files, kernel.state.memory.objects], [{}, {}, {}, {}]);
  });
  assert.deepEqual(stack.problems, []);
});

Deno.test("a VMM may be killed at any moment of START, whose pages count as locked", () => {
  for (let after = 0; after < 10_000; after += 500) {
    const stack = new HostStack({ scripts: {}, device: "union" });
    const vmm = new Client(stack);
    const { result } = vmm.begin(vmm.guestMemoryVm().vm, GH.START);
    assert.equal(result, undefined);
    stack.pass(after);
    vmm.exit();
    stack.pass(SECOND);
    stack.visit(({ gunyah, kernel }) => assert.deepEqual([gunyah.state.vms, kernel.state.tasks], [{}, {}], `${after} ns`));
    assert.deepEqual(stack.problems, []);
  }
});

Deno.test("V77: the UID call answers the four words of section 13", () => {
  const stack = new HostStack({ scripts: {} });
  const words = stack.visit(({ kernel }) => kernel.cpu.smc(0x8600_ff01).slice(0, 4).map((word) => Number(word & 0xffff_ffffn)));
  assert.deepEqual(words, [0xcd8f_d5c1, 0xdb5f_53a4, 0x36ce_6592, 0x145f_3d67]);
});

Deno.test("V78: identify says version 1, 64 bits, and the features that the driver uses", () => {
  const stack = new HostStack({ scripts: {} });
  const [api, flags] = stack.visit(({ kernel }) => [...kernel.cpu.hvc(HYPERCALLS.hypervisor_identify.number)]);
  assert.deepEqual([api & 0x3fffn, api >> 14n & 3n], [1n, 2n]);
  for (const bit of [1n, 2n, 5n, 6n]) assert.ok(flags >> bit & 1n, `feature ${bit}`);
});

Deno.test("V79: the driver passes 0 in reserved trailing arguments, and each call that it makes refuses anything else", () => {
  // The scripted platform checks the arguments of each call.
  const vmm = new Client(new FakeHost("ack-6.12"));
  const { vm } = vmm.loadedVm({ lend: true });
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  vmm.exit();
  const stack = new HostStack({ scripts: {} });
  for (
    const name of ["doorbell_send", "doorbell_receive", "doorbell_mask", "msgqueue_send", "msgqueue_receive", "memextent_donate"] as const
  ) {
    const kinds = Object.values(HYPERCALLS[name].arguments);
    assert.equal(kinds.at(-1), "res0", name);
    const args = kinds.map((kind) => kind === "res0" ? 1n : 0n);
    const [error] = stack.visit(({ kernel }) => [...kernel.cpu.hvc(HYPERCALLS[name].number, ...args)]);
    assert.notEqual(BigInt.asIntN(32, error), 0n, name);
    assert.match(stack.lastRule()?.rule ?? "", /reserved/, name);
  }
});

Deno.test("V80: unknown functions of the vendor's range answer -1", () => {
  const stack = new HostStack({ scripts: {} });
  for (const id of [0xc600_8fff, 0x8600_3f02]) {
    const [result] = stack.visit(({ kernel }) => [...kernel.cpu.smc(id)]);
    assert.equal(BigInt.asIntN(32, result), -1n, id.toString(16));
  }
});

Deno.test("V81: the guest's devicetree has the hypervisor node and the Resource Manager's, its TX capability and interrupt first", () => {
  const errors: bigint[] = [];
  let caps: readonly bigint[] = [];
  const vmm = new Client(
    new HostStack({
      scripts: {
        [BASE]: function* () {
          for (const cap of caps) {
            const x = [cap, BigInt(BASE + 0x1000), 240n];
            errors.push(yield { do: "hvc", immediate: 0x6000 + HYPERCALLS.msgqueue_receive.number, x });
          }
          yield { do: "hvc", immediate: 0, x: [0x8400_0008n] };
        },
      },
    }),
  );
  const { vm, memory } = vmm.loadedVm();
  const vcpu = vmm.vcpu(vm);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  const read = readDevicetree(vmm.read(memory + DTB - BASE, 0x4000));
  assert.ok(read.ok);
  const hypervisor = findNode(read.tree.root, "/hypervisor")!;
  assert.ok(readStrings(hypervisor, "compatible")?.includes("gunyah-hypervisor"));
  const [{ node: rm }] = [...walk(read.tree.root)].filter(({ node }) =>
    readStrings(node, "compatible")?.includes("gunyah-resource-manager")
  );
  const reg = readCells(rm, "reg")!, interrupts = readCells(rm, "interrupts")!;
  assert.deepEqual([reg.length, interrupts.length], [4, 6]);
  assert.ok(interrupts[1] < interrupts[4], "the TX interrupt was allocated first");
  // The first capability is to send by, the second to receive by.
  caps = [reg[1], reg[3]].map(BigInt);
  assert.equal(vmm.ioctl(vcpu, GH.RUN), 0);
  assert.deepEqual(errors.map(Number), [ErrorCode.CSPACE_INSUFFICIENT_RIGHTS, ErrorCode.MSGQUEUE_EMPTY]);
});

/** The groups of gunyah-test-vmm one by one: `../test-vmm`. */
Deno.test("V82: what gunyah-test-vmm tests holds here: 100 VMs in turn, many ioeventfds and datamatches, vCPU numbers", () => {
  const fake = new FakeHost("v14");
  const vmm = new Client(fake);
  for (let turn = 0; turn < 100; turn++) {
    const device = vmm.open();
    const vm = vmm.ioctl(device, GH.CREATE_VM);
    const memory = vmm.memory(0x2000);
    assert.equal(vmm.region(vm, { memory_size: 0x2000n, userspace_addr: BigInt(memory) }), 0);
    assert.equal(vmm.setDevicetree(vm, BASE, 0x1000), 0);
    assert.equal(vmm.ioctl(vm, GH.START), 0);
    for (const fd of [vm, device]) vmm.close(fd);
    vmm.kernel((kernel, pid) => kernel.munmap(pid, memory));
  }
  const vm = vmm.createVm(), fd = vmm.kernel((kernel, pid) => kernel.eventfd(pid, 0));
  const add = (addr: bigint, datamatch?: bigint) =>
    vmm.add(vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, {
      ...{ fd, addr, len: 4, datamatch: datamatch ?? 0n },
      flags: datamatch === undefined ? 0 : IoeventfdFlags.Datamatch,
    });
  for (let index = 0n; index < 64n; index++) assert.deepEqual([add(0x6000n + 8n * index), add(0x8000n, index)], [0, 0]);
  for (const id of [2, 4, 7, 8, 16]) assert.ok(vmm.vcpu(vm, id) > 0);
});

/** A devicetree as a VMM of the field writes it, with its names of the interrupt's property. */
function vmmTree(imageName: string, clear: string, vcpus: string): Uint8Array {
  return writeDevicetree(
    devicetree(node("", { "#address-cells": 2, "#size-cells": 2, "interrupt-parent": 1, compatible: "linux,dummy-virt" }, [
      node("memory", { device_type: "memory", reg: cells64(BASE, 0x20_0000) }),
      node("cpus", { "#address-cells": 1, "#size-cells": 0 }, [
        node("cpu@0", { device_type: "cpu", compatible: "arm,armv8", reg: 0, "enable-method": "psci" }),
      ]),
      node("psci", { compatible: "arm,psci-1.0", method: "hvc" }),
      node("chosen", {}),
      node("intc", {
        ...{ compatible: "arm,gic-v3", "#interrupt-cells": 3, "interrupt-controller": true, phandle: 1 },
        reg: cells64(0x3fff_0000, 0x1_0000, 0x3ffb_0000, 0x2_0000),
      }),
      node("gunyah-vm-config", { "#address-cells": 2, "#size-cells": 2, "image-name": imageName, "os-type": "linux" }, [
        node("memory", { "base-address": cells64(BASE) }),
        node("interrupts", { config: "/intc" }),
        node("vcpus", { affinity: vcpus }),
        node("vdevices", { generate: "/hypervisor" }, [
          node("bell-4", {
            ...{ "vdevice-type": "doorbell", generate: "/hypervisor/bell-4", label: 4, "qcom,label": 4, "peer-default": true },
            ...{ [clear]: true, interrupts: cells(0, 4, 1) },
          }),
        ]),
      ]),
    ])),
  );
}

Deno.test("V83: the configuration nodes of crosvm and of gunyah-test-vmm, misspelt property included, are both accepted", () => {
  for (const [name, clear] of [["crosvm-vm", "source-can-clear"], ["gunyah-vmm-vm", "source-can-clean"]] as const) {
    const stack = new HostStack({ scripts: {} });
    const vmm = new Client(stack);
    const { vm, memory } = vmm.loadedVm();
    vmm.write(memory + DTB - BASE, vmmTree(name, clear, "proxy"));
    assert.equal(vmm.ioctl(vm, GH.START), 0, `${name}: ${stack.lastRule()?.rule}`);
    const reply = stack.exchanges.findLast(({ way, id }) => way === "reply" && id === VM_GET_HYP_RESOURCES.id)!;
    assert.equal(new DataView(reply.payload.buffer, reply.payload.byteOffset).getUint32(4, true), 2, "a vCPU and a doorbell");
    const warned = lintVm(vmmTree(name, clear, "proxy")).filter(({ what }) => /misspelling of source-can-clear/.test(what)).length;
    assert.equal(warned, clear === "source-can-clean" ? 1 : 0, "the lint warns of the misspelt one");
  }
});
