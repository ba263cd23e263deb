import assert from "node:assert/strict";
import { NetDevice } from "../../../src/machine/virtio/net/net.ts";
import { captureFile, captureFrames } from "../../../src/session/outside/capture.ts";
import { optionText, readBlocks, readPackets } from "../../kit/formats/read-pcapng.ts";
import { TestDriver } from "../../machine/virtio/driver.ts";

Deno.test("a capture has the frames of both directions at their virtual times", async () => {
  const path = await Deno.makeTempFile({ suffix: ".pcapng" });
  try {
    const device = new NetDevice(new Uint8Array(6));
    let now = 5_000_000_001;
    const onProblem = (message: string) => assert.fail(message);
    captureFrames(device, { name: "dev:host/net0", now: () => now, begin: (start) => captureFile(path, start), onProblem });
    const driver = new TestDriver(device);
    driver.initialize();
    const frame = Uint8Array.from({ length: 60 }, (_, index) => index);
    driver.offer(1, [{ out: new Uint8Array(12) }, { out: frame }]);
    now += 250.5;
    driver.offer(0, [{ in: 100 }]);
    device.receive(frame.toReversed());
    const file = await Deno.readFile(path);
    const [, { body, options }] = readBlocks(file);
    assert.equal(body.getUint16(0, true), 1, "Ethernet");
    assert.equal(optionText(options, 2), "dev:host/net0");
    const packets = readPackets(file);
    const direction = ({ options }: typeof packets[number]) => options.find(({ code }) => code === 2)!.value[0];
    assert.deepEqual(packets.map((packet) => [packet.time, direction(packet)]), [[5_000_000_001n, 2], [5_000_000_251n, 1]]);
    assert.deepEqual(packets.map(({ bytes }) => [...bytes]), [[...frame], [...frame.toReversed()]]);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a capture whose file cannot be written to ends, says so once, and the guest's network continues", () => {
  const device = new NetDevice(new Uint8Array(6));
  const problems: string[] = [];
  const frames: Uint8Array[] = [];
  device.backend = { send: (frame) => void frames.push(frame), drained: () => {} };
  let room = 2;
  const write = () => {
    if (room-- === 0) throw new Error("No space left on device");
  };
  captureFrames(device, { name: "net", now: () => 0, begin: () => write, onProblem: (message) => problems.push(message) });
  const driver = new TestDriver(device);
  driver.initialize();
  for (let count = 0; count < 3; count++) driver.offer(1, [{ out: new Uint8Array(12) }, { out: new Uint8Array(60) }]);
  assert.equal(frames.length, 3);
  assert.deepEqual(problems, ["the capture ends here: No space left on device"]);
  assert.equal(room, -1);
  assert.throws(() => captureFile("/nowhere/at/all.pcapng", new Uint8Array()), Deno.errors.NotFound);
});
