// A driver that asks for as much work as it can: each queue of each device gets 256 chains that all
// name the same 4 MiB, readable, writable, or after a header that gets past the device's first
// check. A turn is short, the heap does not grow, the state can be saved and restored in between,
// and the work ends.

import assert from "node:assert/strict";
import { BalloonDevice } from "../../../src/machine/virtio/balloon/balloon.ts";
import { OverlayBacking } from "../../../src/machine/virtio/block/backing.ts";
import { BlockDevice } from "../../../src/machine/virtio/block/block.ts";
import { ConsoleDevice } from "../../../src/machine/virtio/console/console.ts";
import type { VirtioDevice } from "../../../src/machine/virtio/device.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { InputDevice } from "../../../src/machine/virtio/input/input.ts";
import type { GuestMemory, VirtioFault } from "../../../src/machine/virtio/memory.ts";
import { MmioTransport } from "../../../src/machine/virtio/mmio-transport.ts";
import { NetDevice } from "../../../src/machine/virtio/net/net.ts";
import { NetSwitch } from "../../../src/machine/virtio/net/switch.ts";
import { P9Device } from "../../../src/machine/virtio/p9/p9.ts";
import { P9Server } from "../../../src/machine/virtio/p9/server.ts";
import { Outside } from "../../../src/session/outside/outside.ts";
import { OutsideShare } from "../../../src/session/outside/share.ts";
import { ComputerFolder } from "../../../src/session/outside/shared-folder.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { SessionFabric } from "../../../src/machine/virtio/vsock/fabric.ts";
import { VsockDevice } from "../../../src/machine/virtio/vsock/vsock.ts";
import { GiB, MiB } from "../../../src/kit/support/values/sizes.ts";
import { heap } from "../../support/heap.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const BASE = 0x4000_0000, SIZE = 16 * MiB;
/** Entries of a ring, and where the parts of the tested queue are. */
const ENTRIES = 256, TABLE = 0, DRIVER = 0x1_0000, DEVICE = 0x2_0000, HEADER = 0x3_0000, STATUS = 0x4_0000;
/** The buffer that all chains name. */
const BUFFER = 4 * MiB, BUFFER_SIZE = 4 * MiB, STATUS_SIZE = 64;
const NEXT = 1, WRITE = 2;
/** Bytes that a turn may move: the longest one, and a chain more. */
const TURN_MAX = 8 * MiB + 16 * MiB;
const HEAP_MAX = 16 * MiB;
/** Features without EVENT_IDX. */
const accept = (bit: number) => bit !== 29;

/** Memory that counts what devices move. */
class CountingMemory implements GuestMemory {
  readonly bytes = new Uint8Array(SIZE);
  moved = 0;

  read(address: number, into: Uint8Array): boolean {
    return this.#access(address, into.length, (at) => into.set(this.bytes.subarray(at, at + into.length)));
  }

  write(address: number, from: Uint8Array): boolean {
    return this.#access(address, from.length, (at) => this.bytes.set(from, at));
  }

  #access(address: number, size: number, move: (at: number) => void): boolean {
    const at = address - BASE;
    if (!(at >= 0 && at + size <= SIZE)) return false;
    this.moved += size;
    move(at);
    return true;
  }
}

/** The form of 256 chains. */
interface Chains {
  readonly header: Uint8Array | undefined;
  readonly writable: boolean;
  /** Bytes after the header. */
  readonly size: number;
}

class HostileDriver {
  readonly memory = new CountingMemory();
  readonly view = new DataView(this.memory.bytes.buffer);
  readonly later: (() => void)[] = [];
  readonly faults: VirtioFault[] = [];
  readonly transport: MmioTransport;

  constructor(readonly device: VirtioDevice) {
    this.transport = new MmioTransport(device, {
      memory: this.memory,
      later: (act) => this.later.push(act),
      onInterrupt: () => {},
      onFault: (fault) => this.faults.push(fault),
    });
  }

  set(register: number, value: number): void {
    this.transport.write(register, 4, BigInt(value >>> 0));
  }

  /** Brings the device up with one queue, full of chains. */
  begin(queue: number, { header, writable, size }: Chains): void {
    this.set(R.Status, 0);
    this.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
    for (const word of [0, 1]) {
      this.set(R.DeviceFeaturesSel, word);
      let features = Number(this.transport.read(R.DeviceFeatures, 4));
      for (let bit = 0; bit < 32; bit++) if (!accept(32 * word + bit)) features &= ~(1 << bit);
      this.set(R.DriverFeaturesSel, word);
      this.set(R.DriverFeatures, features);
    }
    this.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK);
    this.set(R.QueueSel, queue);
    this.set(R.QueueNum, ENTRIES);
    this.set(R.QueueDescLow, BASE + TABLE);
    this.set(R.QueueDriverLow, BASE + DRIVER);
    this.set(R.QueueDeviceLow, BASE + DEVICE);
    this.set(R.QueueReady, 1);
    const parts: [at: number, size: number, flags: number][] = [[BUFFER, size, writable ? WRITE : 0]];
    if (header) parts.unshift([HEADER, header.length, 0]);
    if (!writable) parts.push([STATUS, STATUS_SIZE, WRITE]);
    if (header) this.memory.bytes.set(header, HEADER);
    parts.forEach(([at, size, flags], index) => {
      this.view.setBigUint64(16 * index, BigInt(BASE + at), true);
      this.view.setUint32(16 * index + 8, size, true);
      this.view.setUint16(16 * index + 12, flags | (index + 1 < parts.length ? NEXT : 0), true);
      this.view.setUint16(16 * index + 14, index + 1, true);
    });
    for (let entry = 0; entry < ENTRIES; entry++) this.view.setUint16(DRIVER + 4 + 2 * entry, 0, true);
    this.view.setUint16(DRIVER + 2, ENTRIES, true);
    this.view.setUint16(DEVICE + 2, 0, true);
    this.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK | VirtioStatus.DRIVER_OK);
  }

  get used(): number {
    return this.view.getUint16(DEVICE + 2, true);
  }
}

/** A device, and how work outside of it is done. */
interface Subject {
  readonly make: () => VirtioDevice;
  /** Bytes that get past its first check. */
  readonly headers?: readonly Uint8Array[];
  /** Content of the 4 MiB. */
  readonly content?: Uint8Array;
  readonly settle?: () => Promise<void>;
}

const block = (type: number) => Uint8Array.of(type, ...new Array(15).fill(0));
/** Ranges of 64 MiB each. */
const ranges = (count: number) =>
  new Uint8Array(
    Uint32Array.from({ length: 4 * count }, (_, index) => [Math.floor(index / 4) * 0x2_0000, 0, 0x2_0000, 0][index % 4]).buffer,
  );

function vsockPacket(destination: number): Uint8Array {
  const bytes = new Uint8Array(44), view = new DataView(bytes.buffer);
  view.setUint32(0, 3, true);
  view.setUint32(8, destination, true);
  view.setUint32(24, 65_536, true);
  view.setUint16(28, 1, true);
  view.setUint16(30, 5, true);
  return bytes;
}

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

function subjects(folder: string): Record<string, Subject> {
  const outside = new Outside();
  const answers: (() => void)[] = [];
  outside.takeOver((source, data) => void answers.push(() => outside.deliver(source, data)));
  return {
    block: {
      make: () => new BlockDevice(new OverlayBacking({ size: 64 * GiB, read: (_, into) => into.fill(1) }), "d", () => {}),
      headers: [block(0), block(1), new Uint8Array([...block(11), ...ranges(15)]), new Uint8Array([...block(13), ...ranges(15)])],
    },
    rng: { make: () => new RngDevice({ fill: (into) => into.fill(7), save: () => 0, restore: () => {} }) },
    console: { make: () => new ConsoleDevice({ ports: ["console", "log"], onOutput: () => {} }) },
    net: {
      make: () => {
        const lan = new NetSwitch(), [device, other] = [new NetDevice(MAC), new NetDevice(MAC.with(5, 2))];
        for (const card of [device, other]) lan.plug(card);
        new HostileDriver(other).begin(0, { header: undefined, writable: true, size: 4096 });
        return device;
      },
      headers: [Uint8Array.of(...new Array(12).fill(0), ...new Array(12).fill(0xff), 8, 0)],
    },
    vsock: {
      make: () => {
        const fabric = new SessionFabric(), [device, other] = [new VsockDevice(3), new VsockDevice(4)];
        for (const each of [device, other]) fabric.plug(each, undefined);
        new HostileDriver(other).begin(2, { header: undefined, writable: true, size: 4096 });
        return device;
      },
      headers: [vsockPacket(4), vsockPacket(3), vsockPacket(9)],
    },
    "9p": {
      make: () => {
        const share = new OutsideShare(outside, new P9Server(new ComputerFolder(folder), false));
        const device = new P9Device("share", share);
        share.answer = (ticket, bytes) => device.answer(ticket, bytes);
        return device;
      },
      headers: [Uint8Array.of(0, 0, 8, 0, 100, 0xff, 0xff, 0, 0, 8, 0, 8, 0, ...new TextEncoder().encode("9P2000.L"))],
      async settle() {
        await new Promise((resolve) => setTimeout(resolve, 0));
        for (const answer of answers.splice(0)) answer();
      },
    },
    balloon: {
      make: () => new BalloonDevice(),
      content: new Uint8Array(Uint32Array.from({ length: 4096 }, (_, index) => (BASE + BUFFER) / 4096 + index % 1024).buffer),
    },
    keyboard: { make: () => new InputDevice("keyboard") },
  };
}

/** Chains that are too long for a device, the longest that it takes, and a list of pages. */
function* chainsOf({ headers = [] }: Subject, most: number): Generator<Chains> {
  for (const writable of [false, true]) {
    for (const header of [undefined, ...headers]) {
      const room = most - (header?.length ?? 0) - STATUS_SIZE;
      yield { header, writable, size: BUFFER_SIZE };
      yield { header, writable, size: Math.min(room, BUFFER_SIZE - 4096) };
      yield { header, writable, size: 16_384 };
    }
  }
}

/** A device that has work left is saved, and its copy has the same work left. */
async function restores({ make, settle }: Subject, queue: number, chains: Chains): Promise<void> {
  const driver = new HostileDriver(make());
  driver.begin(queue, chains);
  await settle?.();
  driver.later.shift()?.();
  await settle?.();
  if (driver.later.length === 0) return;
  const state = structuredClone(driver.transport.save()), copy = new HostileDriver(make());
  copy.transport.restore(state);
  assert.equal(copy.later.length, 1, "a restored device continues");
  assert.deepEqual(structuredClone(copy.transport.save()), state);
}

/** Does all that a queue asks for, and checks each turn. */
async function exhaust(name: string, { make, settle, content }: Subject, queue: number, chains: Chains) {
  const device = make(), driver = new HostileDriver(device), { memory } = driver;
  if (content) { for (let at = 0; at < BUFFER_SIZE; at += content.length) memory.bytes.set(content, BUFFER + at); }
  const before = heap(), what = `${name}, queue ${queue}, ${Deno.inspect(chains)}`;
  let turns = 1;
  const turn = (act: () => void) => {
    memory.moved = 0;
    act();
    assert.ok(memory.moved <= TURN_MAX, `${what}: ${memory.moved} bytes in a turn`);
    if (turns > 4 && !Number.isInteger(Math.log2(turns))) return;
    const grown = heap(before + HEAP_MAX) - before;
    assert.ok(grown < HEAP_MAX, `${what}: the heap grows by ${grown} bytes`);
  };
  turn(() => driver.begin(queue, chains));
  for (;; turns++) {
    assert.ok(turns < 100_000, `${what}: it ends`);
    await settle?.();
    const act = driver.later.shift();
    if (!act) break;
    turn(act);
  }
  return { turns, used: driver.used, faults: driver.faults };
}

Deno.test("256 chains of the same 4 MiB in any queue of any device cost turns, and neither time nor memory", () =>
  inFolder(async (folder) => {
    const several = new Set<string>();
    for (const [name, subject] of Object.entries(subjects(folder))) {
      const device = subject.make();
      for (let queue = 0; queue < device.queueCount; queue++) {
        for (const chains of chainsOf(subject, device.limits(queue).chain)) {
          const { turns } = await exhaust(name, subject, queue, chains);
          await restores(subject, queue, chains);
          if (turns > 1) several.add(`${name} ${queue}`);
        }
      }
    }
    // Devices whose drivers may ask for more than a turn.
    for (const place of ["block 0", "rng 0", "console 1", "console 5", "9p 0", "balloon 0", "balloon 3"]) {
      assert.ok(several.has(place), place);
    }
  }));
