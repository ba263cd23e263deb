// Injected faults of a virtio device: each fate of a request, as the driver sees it.

import assert from "node:assert/strict";
import { OverlayBacking } from "../../../src/machine/virtio/block/backing.ts";
import { BlockDevice, BlockStatus } from "../../../src/machine/virtio/block/block.ts";
import { BlockRequest } from "../../../src/machine/virtio/block/requests.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import type { DeviceFaults, InjectedFate } from "../../../src/machine/virtio/transport.ts";
import { TestDriver } from "./driver.ts";

/**
 * A disk whose requests of one kind meet a fate; what was delayed happens when the test says so.
 */
class Rig implements DeviceFaults {
  armed = true;
  readonly asked: string[] = [];
  readonly waiting: { readonly ns: number; readonly act: () => void }[] = [];
  readonly writes: number[] = [];
  readonly driver: TestDriver;

  constructor(readonly of: string, readonly meets: InjectedFate) {
    const backing = new OverlayBacking({ size: 64 * 1024, read: (_offset, into) => void into.fill(0x55) });
    const write = backing.write.bind(backing);
    backing.write = (offset, from) => {
      this.writes.push(offset);
      write(offset, from);
    };
    this.driver = new TestDriver(new BlockDevice(backing, "disk", () => {}), this);
    this.driver.initialize();
  }

  fate(operation: string): InjectedFate | undefined {
    this.asked.push(operation);
    return operation === this.of ? this.meets : undefined;
  }

  later(ns: number, act: () => void): void {
    this.waiting.push({ ns, act });
  }

  /** Offers a write of a sector; gives its status byte where it has come back. */
  write(sector: number): () => number | undefined {
    const header = new Uint8Array(16);
    new DataView(header.buffer).setUint32(0, BlockRequest.OUT, true);
    new DataView(header.buffer).setUint32(8, sector, true);
    const addresses = this.driver.offer(0, [{ out: header }, { out: new Uint8Array(512).fill(sector) }, { in: 1 }]);
    this.driver.memory.bytes[addresses[2]] = 0xff;
    return () => this.driver.used(0).length > 0 ? this.driver.memory.bytes[addresses[2]] : undefined;
  }
}

Deno.test("a request that is to fail is answered with the device's error, and does nothing", () => {
  const rig = new Rig("write", { kind: "error" });
  // The status is written before the test looks: it is there when the chain is back.
  const header = new Uint8Array(16);
  new DataView(header.buffer).setUint32(0, BlockRequest.OUT, true);
  assert.deepEqual([...rig.driver.request([{ out: header }, { out: new Uint8Array(512) }, { in: 1 }])], [BlockStatus.IOERR]);
  assert.deepEqual(rig.writes, []);
  assert.deepEqual(rig.asked, ["write"]);
  const read = new Uint8Array(16);
  assert.equal(rig.driver.request([{ out: read }, { in: 512 }, { in: 1 }]).at(-1), BlockStatus.OK, "others are served");
});

Deno.test("a request that is lost never comes back, and those behind it do", () => {
  const rig = new Rig("write", { kind: "lose" });
  assert.equal(rig.write(1)(), undefined);
  const read = new Uint8Array(16);
  assert.equal(rig.driver.request([{ out: read }, { in: 512 }, { in: 1 }]).at(-1), BlockStatus.OK);
});

Deno.test("a request that is doubled is done twice and answered once", () => {
  const rig = new Rig("write", { kind: "double" });
  rig.write(3);
  assert.deepEqual(rig.writes, [3 * 512, 3 * 512]);
  assert.equal(rig.driver.used(0).length, 1);
  assert.deepEqual(rig.driver.faults, []);
});

Deno.test("a request that is delayed is served when its time has come, unless the device was reset meanwhile", () => {
  const rig = new Rig("write", { kind: "delay", ns: 5_000 });
  const answer = rig.write(2);
  assert.equal(answer(), undefined);
  assert.deepEqual(rig.waiting.map(({ ns }) => ns), [5_000]);
  const { interrupts } = rig.driver;
  rig.waiting.pop()!.act();
  assert.equal(rig.driver.used(0).length, 1);
  assert.equal(rig.driver.interrupts, interrupts + 1);
  rig.driver.acknowledge();
  rig.write(4);
  rig.driver.initialize();
  rig.waiting.pop()!.act();
  assert.deepEqual(rig.writes, [2 * 512], "what was begun before a reset is void");
});

Deno.test("a device that dies needs a reset, and says why", () => {
  const rig = new Rig("write", { kind: "die", why: "the fault of inject:1 was injected" });
  rig.write(1);
  assert.ok(rig.driver.get(R.Status) & VirtioStatus.NEEDS_RESET);
  assert.match(rig.driver.faults[0].message, /inject:1/);
  rig.armed = false;
  rig.driver.initialize();
  rig.write(1);
  assert.deepEqual(rig.writes, [512], "a reset brings it back");
});

Deno.test("without rules nobody is asked", () => {
  const rig = new Rig("write", { kind: "lose" });
  rig.armed = false;
  rig.write(1);
  assert.deepEqual([rig.asked, rig.writes], [[], [512]]);
});
