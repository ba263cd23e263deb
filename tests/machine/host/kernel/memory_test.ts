// Memory of the host's processes where sizes are out of proportion: mmap and guest memfds
// (docs/spec/vm-manager.md §5.1 and §5.3).

import assert from "node:assert/strict";
import { errnoName } from "../../../../src/machine/abi/ioctl/errno.ts";
import { CREATE_MEM_ARGS, GH, MAP_MEM_ARGS } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { BASE, Client } from "../client.ts";
import { HostStack } from "../host-stack.ts";

const RW = { read: true, write: true };

Deno.test("mmap of more than the address space has left is ENOMEM, of no size EINVAL, and neither leaves anything", () => {
  const vmm = new Client(new HostStack({ device: "v17", scripts: {} }));
  const fd = vmm.kernel((kernel, pid) => kernel.memfd(pid, 2 ** 50));
  const objects = () => vmm.kernel((kernel) => Object.keys(kernel.state.memory.objects).length);
  const before = objects();
  const anonymous = (size: number, contiguous = false) =>
    errnoName(vmm.kernel((kernel, pid) => kernel.mapAnonymous(pid, size, { ...RW, contiguous })));
  const file = (size: number, shared: boolean, offset = 0) =>
    errnoName(vmm.kernel((kernel, pid) => kernel.mapFile(pid, fd, size, { ...RW, private: !shared, offset })));
  for (const size of [2 ** 48, 2 ** 53, 2 ** 63, 2 ** 64, Infinity]) {
    assert.deepEqual([anonymous(size), anonymous(size, true), file(size, true), file(size, false)], Array(4).fill("ENOMEM"), `${size}`);
  }
  for (const size of [0, -1, -8192, NaN]) {
    assert.deepEqual([anonymous(size), anonymous(size, true), file(size, true)], Array(3).fill("EINVAL"), `${size}`);
  }
  assert.equal(file(4096, true, -4096), "EINVAL");
  assert.equal(objects(), before);
  const near = vmm.memory(2 ** 46), next = vmm.memory(4096);
  assert.ok(next > 0 && next + 4096 <= near, "the refused ones took no addresses");
  assert.deepEqual(vmm.write(near + 2 ** 46 - 4, [1, 2, 3, 4]), { ok: true, value: undefined });
});

Deno.test("memfds and eventfds without a free descriptor are EMFILE, and leave nothing", () => {
  const vmm = new Client(new HostStack({ device: "v17", scripts: {} }));
  const state = () => vmm.kernel(({ state: { memory, eventfds, files } }) => structuredClone({ objects: memory.objects, eventfds, files }));
  const device = vmm.open();
  vmm.kernel((kernel, pid) => {
    while (kernel.dup(pid, device) >= 0);
  });
  const before = state();
  const made = [vmm.kernel((kernel, pid) => kernel.memfd(pid, 4096)), vmm.kernel((kernel, pid) => kernel.eventfd(pid, 1))];
  assert.deepEqual(made.map(errnoName), ["EMFILE", "EMFILE"]);
  assert.deepEqual(state(), before);
  assert.deepEqual([-1, NaN].map((size) => errnoName(vmm.kernel((kernel, pid) => kernel.memfd(pid, size)))), ["EINVAL", "EINVAL"]);
});

Deno.test("START of a VM of 128 TiB, of which a page is touched, says at once that the page is mapped, or that memory is used up", () => {
  const vmm = new Client(new HostStack({ device: "v17", scripts: {} }));
  const device = vmm.open(), size = 2 ** 47;
  const vm = vmm.ioctl(device, GH.CREATE_VM);
  const fd = vmm.call(device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: BigInt(size) });
  const address = vmm.kernel((kernel, pid) => kernel.mapFile(pid, fd, size, { ...RW, private: false, offset: 0 }));
  assert.ok(vmm.write(address + size - 1, [1]).ok);
  const binding = { guest_addr: BigInt(BASE), flags: 0x70, guest_mem_fd: fd, offset: 0n, size: BigInt(size) };
  assert.equal(vmm.call(vm, GH.MAP_MEM, MAP_MEM_ARGS, binding), 0);
  assert.equal(vmm.setDevicetree(vm, BASE, size), 0);
  vmm.refused(vmm.ioctl(vm, GH.START), "EPERM", /munmap/);
  vmm.close(vm);
  const again = vmm.ioctl(device, GH.CREATE_VM);
  vmm.kernel((kernel, pid) => kernel.munmap(pid, address));
  assert.equal(vmm.call(again, GH.MAP_MEM, MAP_MEM_ARGS, binding), 0);
  assert.equal(vmm.setDevicetree(again, BASE, size), 0);
  vmm.refused(vmm.ioctl(again, GH.START), "ENOMEM", /all its pages/);
});

Deno.test("a private mapping of a vCPU's run page shows it until it is written, and then keeps its own copy", () => {
  const vmm = new Client(new HostStack({ device: "v17", scripts: {} }));
  const vcpu = vmm.vcpu(vmm.ioctl(vmm.open(), GH.CREATE_VM)), shared = vmm.runPage(vcpu);
  const own = vmm.kernel((kernel, pid) => kernel.mapFile(pid, vcpu, 4096, { ...RW, private: true, offset: 0 }));
  const byte = (address: number) => vmm.read(address, 1)[0];
  assert.ok(vmm.write(shared, [7]).ok);
  assert.deepEqual([byte(shared), byte(own)], [7, 7]);
  assert.ok(vmm.write(own, [1]).ok);
  assert.deepEqual([byte(shared), byte(own)], [7, 1]);
  assert.ok(vmm.write(shared, [8]).ok);
  assert.deepEqual([byte(shared), byte(own)], [8, 1]);
});
