// Every device under a hostile driver: random registers, rings and descriptors, mostly near what is
// right. No throw, and bounded memory.

import assert from "node:assert/strict";
import { OverlayBacking } from "../../../src/machine/virtio/block/backing.ts";
import { BalloonDevice } from "../../../src/machine/virtio/balloon/balloon.ts";
import { BlockDevice } from "../../../src/machine/virtio/block/block.ts";
import { ConsoleDevice } from "../../../src/machine/virtio/console/console.ts";
import type { VirtioDevice } from "../../../src/machine/virtio/device.ts";
import type { OutsideNetwork, OutsideStream } from "../../../src/machine/virtio/outside-network.ts";
import { VirtioMmioRegister, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { InputDevice } from "../../../src/machine/virtio/input/input.ts";
import { DEFAULT_NET_POLICY, type InputType } from "../../../src/machine/virtio/plan.ts";
import { Nat } from "../../../src/machine/virtio/net/nat/nat.ts";
import { NetDevice } from "../../../src/machine/virtio/net/net.ts";
import { P9Device } from "../../../src/machine/virtio/p9/p9.ts";
import { P9Server } from "../../../src/machine/virtio/p9/server.ts";
import { NetSwitch } from "../../../src/machine/virtio/net/switch.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { SessionFabric } from "../../../src/machine/virtio/vsock/fabric.ts";
import { VsockDevice } from "../../../src/machine/virtio/vsock/vsock.ts";
import { ComputerFolder } from "../../../src/session/outside/shared-folder.ts";
import { Random } from "../../support/random.ts";
import { hostileP9Request } from "./p9-hostile.ts";
import { MEMORY_BASE, QUEUE_SIZE, TestDriver } from "./driver.ts";
import { LONG } from "../../support/long.ts";

const OPERATIONS = LONG ? 10_000_000 : 50_000;
const REGISTERS = Object.values(VirtioMmioRegister);
const MEMORY = 0x10_0000;

const STREAM: OutsideStream = { write: () => {}, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {} };
const NETWORK: OutsideNetwork = {
  connect: () => STREAM,
  datagrams: () => ({ send: () => {}, close: () => {} }),
  listen: () => ({ close: () => {} }),
  datagramPort: () => ({ send: () => {}, close: () => {} }),
  later: () => () => {},
  nameServer: 0x7f00_0001,
};

/** A device, what its surroundings do to it, and what is to be checked and removed at the end. */
interface Subject {
  readonly device: VirtioDevice;
  readonly poke?: (random: Random) => void;
  readonly end?: () => void;
}

const SUBJECTS: Record<string, () => Subject> = {
  block: () => ({ device: new BlockDevice(new OverlayBacking({ size: 1 << 16, read: (_offset, into) => into.fill(1) }), "d", () => {}) }),
  rng: () => ({ device: new RngDevice({ fill: (into) => into.fill(7), save: () => 0, restore: () => {} }) }),
  console: () => {
    const device = new ConsoleDevice({ ports: ["console", "log"], onOutput: () => {} });
    const poke = (random: Random) => {
      if (random.below(2)) device.type(random.below(2), random.bytes(random.below(100)));
      else device.resize(random.below(300), random.below(100));
    };
    return { device, poke };
  },
  net: () => {
    const device = new NetDevice(Uint8Array.of(2, 0, 0, 0, 0, 1));
    device.backend = new Nat({
      device,
      network: NETWORK,
      forward: [],
      policy: { ...DEFAULT_NET_POLICY, host: true, lan: true },
      onProblem: () => {},
    });
    return { device, poke: (random) => device.receive(random.bytes(random.below(1600))) };
  },
  lan: () => {
    // A peer that accepts no offloads: those of the hostile guest are completed for it.
    const [device, neighbour] = [1, 2].map((number) => new NetDevice(Uint8Array.of(2, 0, 0, 0, 0, number)));
    const lan = new NetSwitch();
    for (const card of [device, neighbour]) lan.plug(card);
    const driver = new TestDriver(neighbour);
    const poke = () => {
      driver.initialize((bit) => bit === 32);
      for (let count = 0; count < 8; count++) driver.offer(0, [{ in: 1600 }]);
    };
    poke();
    return { device, poke, end: () => assert.ok(neighbour.metrics().rx_frames > 0, "the neighbour got some") };
  },
  vsock: () => {
    const device = new VsockDevice(3);
    new SessionFabric().plug(device, undefined);
    return { device };
  },
  "9p": () => hostileShare(),
  balloon: () => {
    const device = new BalloonDevice();
    return { device, poke: (random) => random.below(2) ? device.setTarget(random.below(2 ** 31)) : device.askForStats() };
  },
  keyboard: () => inputSubject("keyboard"),
  tablet: () => inputSubject("tablet"),
};

function inputSubject(type: InputType): Subject {
  const device = new InputDevice(type);
  const events = (random: Random) =>
    Array.from({ length: random.below(4) }, () => ({ type: random.below(4), code: random.below(600), value: random.below(2) }));
  return { device, poke: (random) => void device.send(events(random)) };
}

/**
 * A share of a folder of the host. Answers come when the surroundings let them in; beside the
 * folder is what no request may reach.
 */
function hostileShare(): Subject {
  const outside = Deno.makeTempDirSync({ prefix: "el2-fuzz-" });
  Deno.mkdirSync(`${outside}/share/a`, { recursive: true });
  Deno.writeTextFileSync(`${outside}/secret`, "secret");
  Deno.symlinkSync(outside, `${outside}/share/up`);
  const server = new P9Server(new ComputerFolder(`${outside}/share`), false);
  const answers: (() => void)[] = [];
  const device = new P9Device("share", {
    request: (ticket, bytes, room) => {
      const answer = server.serve(bytes, room);
      assert.ok((answer?.length ?? 0) <= room);
      answers.push(() => device.answer(ticket, answer));
    },
    reset: () => server.reset(),
    metrics: () => ({ ...server.counters }),
    save: () => server.save(),
    restore: () => {},
  });
  const poke = () => {
    for (const answer of answers.splice(0)) answer();
  };
  const end = () => {
    poke();
    assert.equal(Deno.readTextFileSync(`${outside}/secret`), "secret");
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name).sort(), ["secret", "share"]);
    assert.ok(server.counters.requests > server.counters.errors, "some requests were right");
    server.reset();
    Deno.removeSync(outside, { recursive: true });
  };
  return { device, poke, end };
}

/** Headers that get past the first check of some device. */
const HEADERS: readonly ((random: Random) => Uint8Array)[] = [
  (random) => Uint8Array.of(random.below(16), 0, 0, 0, 0, 0, 0, 0, random.below(140), 0, 0, 0, 0, 0, 0, 0),
  (random) => Uint8Array.of(...new Array(12).fill(0), ...new Array(12).fill(0xff), 8, random.below(2) * 6, ...random.bytes(40)),
  (random) =>
    Uint8Array.of(
      3,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      2 + random.below(2),
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      ...random.bytes(8),
      0,
      0,
      0,
      0,
      1,
      0,
      random.below(8),
      0,
      ...random.bytes(12),
    ),
  (random) => Uint8Array.of(random.below(3), 0, 0, 0, random.below(8), 0, random.below(2), 0),
  (random) => hostileP9Request(random),
  (random) => longFrame(random),
  (random) => hostileP9Request(random),
  // Page numbers of a balloon, statistics, events of a keyboard's lights.
  (random) => new Uint8Array(Uint32Array.from({ length: random.below(64) }, () => MEMORY_BASE / 4096 + random.below(300)).buffer),
  (random) => Uint8Array.of(random.below(12), 0, ...random.bytes(8)),
  (random) => Uint8Array.of(0x11, 0, random.below(4), 0, random.below(2), 0, 0, 0),
];

/** A frame of TCP that its device is to finish, often nearly right. */
function longFrame(random: Random): Uint8Array {
  const version6 = random.below(3) === 0;
  const tcp = version6 ? 54 : 34;
  const bytes = random.bytes(12 + tcp + 20 + random.below(500));
  bytes.set([random.below(8) ? 1 : 0, random.pick([0, 1, 1, 4, 4, 3]), 0, 0, random.below(256), random.below(3), tcp, 0, 16, 0, 0, 0]);
  bytes.set([...new Array(6).fill(0xff), 2, 0, 0, 0, 0, 1, ...version6 ? [0x86, 0xdd] : [8, 0, 0x45]], 12);
  bytes[12 + 23] = 6;
  bytes[12 + tcp + 12] = random.below(8) ? 0x50 : random.below(256);
  return bytes;
}

function operate(driver: TestDriver, random: Random, fresh: (seed: number) => void, poke: (random: Random) => void): void {
  const queues = driver.device.queueCount;
  switch (random.below(13)) {
    case 12:
      return poke(random);
    case 0:
      return driver.transport.write(
        random.pick(REGISTERS),
        random.pick([1, 2, 4, 8]),
        random.pick([0n, 1n, 16n, 0xffn, BigInt(random.below(2 ** 31))]),
      );
    case 1:
      driver.transport.read(random.below(0x200), random.pick([1, 2, 4, 8]));
      return;
    case 2:
      driver.memory.bytes.set(random.bytes(16), random.below(MEMORY - 16));
      return;
    case 3: {
      const address = random.below(8) === 0 ? random.below(2 ** 31) : MEMORY_BASE + random.below(MEMORY);
      const length = random.below(8) === 0 ? random.below(2 ** 31) : random.below(3000);
      return driver.descriptor(
        random.below(queues),
        random.below(QUEUE_SIZE),
        address,
        length,
        random.below(8),
        random.below(QUEUE_SIZE + 1),
      );
    }
    case 4:
      return driver.set(VirtioMmioRegister.QueueNotify, random.below(queues + 1));
    case 5:
      return random.below(40) === 0 ? fresh(random.below(2 ** 31)) : driver.acknowledge();
    case 6: {
      const index = random.below(queues) * 0x4000 + 0x1002;
      return driver.view.setUint16(index, driver.view.getUint16(index, true) + random.below(4), true);
    }
    default: {
      const header = random.pick(HEADERS)(random);
      const buffers = [{ out: header }, ...random.below(2) ? [{ out: random.bytes(random.below(600)) }] : [], {
        in: 1 + random.below(600),
      }];
      driver.offer(random.below(queues), random.below(3) === 0 ? [{ in: 1 + random.below(2000) }] : buffers);
    }
  }
}

for (const [name, make] of Object.entries(SUBJECTS)) {
  Deno.test(`a hostile driver of the ${name} device makes nothing throw, and the device works after its reset`, () => {
    const random = new Random(0x5eed);
    const { device, poke = () => {}, end } = make();
    const driver = new TestDriver(device);
    const fresh = () => {
      driver.faults.length = 0;
      driver.initialize((bit) => bit === 32 || random.below(4) > 0);
    };
    driver.initialize();
    const count = Math.ceil(OPERATIONS / Object.keys(SUBJECTS).length);
    for (let i = 0; i < count; i++) {
      const broken = (driver.get(VirtioMmioRegister.Status) & VirtioStatus.NEEDS_RESET) !== 0;
      if (broken && random.below(4) === 0) fresh();
      operate(driver, random, fresh, poke);
    }
    end?.();
    const work = Object.values(driver.device.metrics()).reduce((sum, value) => sum + value, 0);
    assert.ok(work > 0, "some of it was served");
    driver.initialize();
    const size = JSON.stringify(driver.transport.save(), (_, value) => value instanceof Uint8Array ? value.length : value).length;
    assert.ok(size < 100_000, `${size} characters of state`);
  });
}
