// The library's host: a process on /dev/gunyah in the caller's own thread, and the example that
// uses it.

import assert from "node:assert/strict";
import { runGuest } from "../../../examples/vmm.ts";
import { HostMachine } from "../../../mod.ts";
import { inFolder } from "../../support/temporary-folder.ts";

Deno.test("the example runs a guest on /dev/gunyah to its SYSTEM_OFF", async () => {
  const printed = runGuest(await Deno.readFile(new URL("../../../assets/guests/hello.bin", import.meta.url)));
  assert.match(printed, /^hello from EL1\r?\n/);
  assert.match(printed, /tick 1\r?\n$/);
});

Deno.test("the example runs in an empty folder, with nothing but the library", () =>
  inFolder(async (folder) => {
    const example = await Deno.readTextFile(new URL("../../../examples/vmm.ts", import.meta.url));
    await Deno.writeTextFile(
      `${folder}/vmm.ts`,
      example.replace('"../mod.ts"', JSON.stringify(new URL("../../../mod.ts", import.meta.url).href)),
    );
    const { runGuest } = await import(`file://${folder}/vmm.ts`);
    assert.match(runGuest(await Deno.readFile(new URL("../../../assets/guests/hello.bin", import.meta.url))), /^hello from EL1/);
  }));

Deno.test("a refused call says why, a descriptor that is closed is EBADF", () => {
  const host = new HostMachine({ device: "v14", memory: 64 << 20 });
  const device = host.open("/dev/gunyah");
  assert.equal(host.ioctl(device, 0xb201), -25);
  const { code = "", section = "", text = "" } = host.reason ?? {};
  assert.deepEqual([code, section], ["ENOTTY", "vm-manager 2"]);
  assert.match(text, /^0xb201 is GH_CREATE_VM \(legacy\) of legacy; this device speaks v14/);
  assert.equal(host.close(device), 0);
  assert.equal(host.ioctl(device, 0x4700), -9);
  assert.equal(host.open("/dev/kvm"), -2);
});

Deno.test("the reason is of the call that ended last: not of one before it, and not of a guest's", () => {
  const host = new HostMachine({ device: "v14", memory: 64 << 20 }), device = host.open("/dev/gunyah");
  const told = () => [host.reason?.call, host.reason?.code];
  assert.deepEqual(told(), [undefined, undefined]);
  host.ioctl(device, 0xb201);
  assert.equal(told()[1], "ENOTTY");
  const vm = host.ioctl(device, 0x4700);
  assert.ok(vm >= 0);
  assert.deepEqual(told(), [undefined, undefined], "the last call was not refused");
  const start = host.start(vm, 0x4703), other = host.start(device, 0xb201);
  assert.equal(host.wait(other, 1e9), -25);
  assert.equal(told()[1], "ENOTTY");
  assert.equal(host.wait(start, 1e9), -22);
  assert.deepEqual(told(), ["GH_VM_START", "EINVAL"]);
  const { text = "", wayOut } = host.reason ?? {};
  assert.deepEqual([text === "", typeof wayOut], [false, "string"]);
  assert.equal(host.ioctl(vm + 100, 0x4703), -9);
  assert.deepEqual(told(), [undefined, undefined], "el2 has no rule for a descriptor that is not open");
});

Deno.test("an ioctl in its own thread can be waited for and signaled", () => {
  const host = new HostMachine({ device: "v14", memory: 64 << 20 });
  const vm = host.ioctl(host.open("/dev/gunyah"), 0x4700);
  const task = host.start(vm, 0x4703);
  assert.equal(host.wait(task, 1e9), -22);
  host.signal(task);
  host.sleep(1e6);
});
