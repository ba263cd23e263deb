import assert from "node:assert/strict";
import { guests } from "../../scripts/guests.ts";
import { imageHeader } from "../../src/inside/images/kernel-image.ts";
import { runNative } from "../support/oracles.ts";

const FOLDER = new URL("../../assets/guests", import.meta.url).pathname;
const NAMES = ["blackboard", "bounce", "faulty", "firmware", "hello", "ping", "pong", "teletype"];

Deno.test("the committed guest images are bit for bit what their sources give", async () => {
  assert.equal(await guests(["--check"]), 0);
});

Deno.test("each guest image has an arm64 Image header that covers its bytes, .bss and stack", async () => {
  for (const name of NAMES) {
    const image = await Deno.readFile(`${FOLDER}/${name}.bin`);
    const header = imageHeader(image);
    assert.ok(header, name);
    assert.equal(header.textOffset, 0);
    assert.ok(header.imageSize >= image.length + 0x4000, name);
    assert.equal(header.imageSize % 4096, 0);
  }
});

Deno.test("hello runs on QEMU's virt machine: it says that there is no Gunyah, ticks, and powers off", async () => {
  const { code, stdout } = await runNative("qemu-system-aarch64", [
    ...["-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-nographic", "-nic", "none", "-no-reboot"],
    ...["-kernel", `${FOLDER}/hello.bin`, "-append", "ticks=2 ms=50"],
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /hello from EL1\r\n/);
  assert.match(stdout, /no Gunyah VM\r\ntick 1\r\ntick 2\r\n$/);
});
