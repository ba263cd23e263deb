import assert from "node:assert/strict";
import { el2 } from "../../program.ts";

const GUEST = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;

Deno.test("vmm prints each ioctl of the sample VMM with its result, from CREATE_VM on, beside what the guest prints", async () => {
  const { code, stdout, stderr } = await el2("vmm", GUEST, "--for", "10ms");
  assert.equal(code, 0, stderr);
  const lines = stdout.split("\n").filter((line) => line.startsWith("["));
  assert.match(lines[0], /^\[\d+\.\d{6}\] GH_CREATE_VM\(fd \d+.*\) = \d+$/);
  assert.ok(lines.some((line) => / GH_VM_START\(/.test(line)), stdout);
  assert.match(stdout, /hello from EL1/);
});

Deno.test("the ioctls of several VMs name the VM whose VMM asks", async () => {
  const { code, stdout, stderr } = await el2("vmm", "demo", "--for", "200us");
  assert.equal(code, 0, stderr);
  const callers = stdout.matchAll(/^\[\d+\.\d{6}\] (\S+): GH_CREATE_VM\(/gm).map(([, name]) => name).toArray();
  assert.deepEqual(callers, ["hello", "ping", "pong"]);
});
