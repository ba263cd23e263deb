// States of devices from a damaged snapshot: fields of another kind, or out of range, are refused.

import assert from "node:assert/strict";
import { OutsideShare } from "../../../src/session/outside/share.ts";
import { Outside } from "../../../src/session/outside/outside.ts";
import { ComputerFolder } from "../../../src/session/outside/shared-folder.ts";
import { BalloonDevice } from "../../../src/machine/virtio/balloon/balloon.ts";
import { OverlayBacking } from "../../../src/machine/virtio/block/backing.ts";
import { BlockDevice } from "../../../src/machine/virtio/block/block.ts";
import { ConsoleDevice } from "../../../src/machine/virtio/console/console.ts";
import type { VirtioDevice } from "../../../src/machine/virtio/device.ts";
import { InputDevice } from "../../../src/machine/virtio/input/input.ts";
import { NetDevice } from "../../../src/machine/virtio/net/net.ts";
import { P9Device } from "../../../src/machine/virtio/p9/p9.ts";
import { P9Server } from "../../../src/machine/virtio/p9/server.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { VsockDevice } from "../../../src/machine/virtio/vsock/vsock.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import type { ChainState } from "../../../src/machine/virtio/virtqueue.ts";
import { TestDriver } from "./driver.ts";

/** A disk of two chunks. */
const SECTORS = 4096;
const random = { fill: () => {}, save: () => 0, restore: (state: unknown) => assert.equal(state, 0) };
const chain = { head: 1, readable: [[0x4000_0000, 16]], writable: [[0x4000_1000, 64]], read: 16, written: 1, done: 8 };
const counters = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 1]));

/** Devices, each with a state in which nothing is empty. */
function devices(folder: string): (readonly [make: () => VirtioDevice, state: Record<string, unknown>])[] {
  const outside = new Outside();
  outside.takeOver(() => {});
  const share = () => new P9Device("tag", new OutsideShare(outside, new P9Server(new ComputerFolder(folder), false)));
  const disk = () => new BlockDevice(new OverlayBacking({ size: SECTORS * 512, read: () => {} }), "serial", () => {});
  const open = { read: true, write: false, append: false, folder: true, names: ["b"] };
  return [
    [disk, {
      metrics: counters("reads", "writes", "read_bytes", "written_bytes", "flushes", "errors"),
      backing: { blocks: [{ number: 0, bytes: new Uint8Array(4096) }], zeroed: [1] },
    }],
    [() => new NetDevice(new Uint8Array(6)), {
      waiting: [{ frame: new Uint8Array(64), offload: { checksum: { start: 1, offset: 2 }, segments: { type: 1, size: 64 } } }],
      metrics: counters("rx_frames", "rx_bytes", "tx_frames", "tx_bytes", "rx_dropped", "tx_dropped"),
    }],
    [share, {
      next: 2,
      pending: [{ ticket: 1, chain }],
      backend: {
        server: { messageSize: 8192, fids: [{ fid: 0, path: ["a"], open }, { fid: 1, path: [], open: undefined }] },
        underWay: [{ ticket: 1, bytes: new Uint8Array(8) }],
      },
    }],
    [() => new VsockDevice(3), {
      waiting: [new Uint8Array(44)],
      metrics: counters("rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "malformed", "dropped"),
    }],
    [() => new ConsoleDevice({ ports: ["a"], onOutput: () => {} }), {
      ports: [{ input: [new Uint8Array(3)], open: true }],
      control: [new Uint8Array(8)],
      size: [80, 24],
      metrics: counters("in_bytes", "out_bytes", "control_dropped"),
    }],
    [() => new RngDevice(random), { bytes: 1, generator: 0 }],
    [() => new InputDevice("keyboard"), {
      ...{ select: 1, subselect: 1, waiting: [{ type: 1, code: 2, value: 1 }] },
      metrics: counters("events", "refused", "leds"),
    }],
    [() => new BalloonDevice(), {
      ...{ target: 1, actual: 1, stats: [["free_bytes", 4096]], statsChain: chain },
      metrics: counters("inflated_pages", "deflated_pages", "reported_bytes", "unreachable_pages"),
    }],
  ];
}

/** Values of other kinds, or out of every range. */
const WRONG: readonly unknown[] = ["..", -1, 1.5, NaN, null, undefined, true, [[]], { x: 1 }, new Map([[1, 2]])];
/** Whether that value may be there: it is optional, negative, or another truth. */
const mayBe = (before: unknown, wrong: unknown, path: string) =>
  typeof before === typeof wrong && typeof before === "boolean" || path.endsWith("value") && wrong === -1 ||
  wrong === undefined && /(open|bytes|server|statsChain|current|checksum|segments)$/.test(path);

/** Each copy of a value in which one part, named by its path, is another. */
function* damaged(value: unknown, path: string): Generator<readonly [path: string, value: unknown]> {
  for (const wrong of WRONG) if (!mayBe(value, wrong, path)) yield [`${path} as ${Deno.inspect(wrong)}`, wrong];
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    const changed = (part: unknown) => Array.isArray(value) ? value.with(Number(key), part) : { ...value, [key]: part };
    for (const [place, other] of damaged(part, `${path}.${key}`)) yield [place, changed(other)];
  }
  if (!Array.isArray(value)) yield [`${path} with more`, { ...value, more: 1 }];
}

Deno.test("a device takes no state with a field of another kind, and its own without a loss", () =>
  inFolder((folder) => {
    for (const [make, device] of devices(folder)) {
      const began = new TestDriver(make());
      began.initialize();
      const saved = began.transport.save(), queues = saved.queues.with(0, { ...saved.queues[0], current: chain as unknown as ChainState });
      const good = { ...saved, queues, turns: [0], device };
      const restored = (state: unknown) => {
        const driver = new TestDriver(make());
        driver.transport.restore(structuredClone(state) as typeof good);
        return driver.transport.save();
      };
      assert.deepEqual(restored(good), good, began.device.name);
      let count = 0;
      for (const [place, state] of damaged(good, began.device.name)) {
        // The transport is one part of several that share an object.
        if (!place.endsWith(" with more") || place.includes(".")) assert.throws(() => restored(state), Error, place);
        count++;
      }
      assert.ok(count > 100);
    }
  }));

Deno.test("a state that leads out of a disk or a shared folder is refused", () =>
  inFolder((folder) => {
    const [[disk, blocks], , [share, shared]] = devices(folder);
    const refused = (make: () => VirtioDevice, device: unknown, rule: RegExp) => {
      const driver = new TestDriver(make());
      driver.initialize();
      assert.throws(() => driver.transport.restore({ ...driver.transport.save(), device }), rule);
    };
    const backing = blocks.backing as Record<string, unknown>, block = { number: SECTORS / 8, bytes: new Uint8Array(4096) };
    refused(disk, { ...blocks, backing: { ...backing, blocks: [block] } }, /it is not on the disk/);
    refused(disk, { ...blocks, backing: { ...backing, zeroed: [2] } }, /it is not on the disk/);
    const backend = shared.backend as { readonly server: { readonly fids: readonly Record<string, unknown>[] } };
    for (const path of [[".."], ["a", ".."], ["a/../../b"], ["."], [""], ["a\0"]]) {
      const server = { ...backend.server, fids: [{ ...backend.server.fids[0], path }] };
      refused(share, { ...shared, backend: { ...backend, server } }, /fids\.0\.path\.\d: it is not a file name/);
    }
    const twice = { ...backend.server, fids: [backend.server.fids[0], backend.server.fids[0]] };
    refused(share, { ...shared, backend: { ...backend, server: twice } }, /two have one number/);
  }));
