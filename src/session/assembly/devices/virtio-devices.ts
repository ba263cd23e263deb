// Makes the virtio devices of a plan, with their backends on the host: files, sockets, consoles.

import * as v from "valibot";
import type { SavedPart } from "../../state/parts.ts";
import { RandomGenerator } from "../../../machine/hypervisor/boot.ts";
import { BalloonDevice } from "../../../machine/virtio/balloon/balloon.ts";
import { BlockDevice } from "../../../machine/virtio/block/block.ts";
import { type BlockBacking, OverlayBacking } from "../../../machine/virtio/block/backing.ts";
import { partitionedDisk } from "../../../machine/virtio/block/partitioned-disk.ts";
import { ConsoleDevice } from "../../../machine/virtio/console/console.ts";
import type { VirtioDevice } from "../../../machine/virtio/device.ts";
import { InputDevice } from "../../../machine/virtio/input/input.ts";
import { Nat } from "../../../machine/virtio/net/nat/nat.ts";
import { NetDevice } from "../../../machine/virtio/net/net.ts";
import { NetSwitch } from "../../../machine/virtio/net/switch.ts";
import { P9Device } from "../../../machine/virtio/p9/p9.ts";
import { P9Server } from "../../../machine/virtio/p9/server.ts";
import { DEFAULT_NET_POLICY, deviceName, type DevicePlan, type DiskImage } from "../../../machine/virtio/plan.ts";
import { type RandomBytes, RngDevice } from "../../../machine/virtio/rng/rng.ts";
import { captureFile, captureFrames } from "../../outside/capture.ts";
import { computer, machineDisk } from "../../outside/computer.ts";
import { DiskError } from "../../outside/disk-file.ts";
import { givenDisk } from "../../outside/given-disk.ts";
import { type PastDisk, WrittenDisk } from "../../outside/written-disk.ts";
import type { SharedFolder } from "../../../machine/virtio/p9/folder.ts";
import { PlanError } from "../../../model/plans/plan.ts";
import { SessionFabric } from "../../../machine/virtio/vsock/fabric.ts";
import { OutsideEndpoint } from "../../../machine/virtio/vsock/outside-endpoint.ts";
import { VsockDevice } from "../../../machine/virtio/vsock/vsock.ts";
import { outsideNetwork, outsideUnixSockets } from "../../outside/network.ts";
import { KeptStatuses } from "../../outside/kept-statuses.ts";
import { OutsideShare } from "../../outside/share.ts";
import type { OutsideDoor } from "../../outside/outside.ts";
import { devId } from "../../../model/queries/ids.ts";
import { problemOf, UserError } from "../../../kit/support/problem.ts";

/** Locally administered, and unique to el2: the last two bytes number VM and device. */
const MAC_PREFIX = [0x52, 0x54, 0x00, 0xe1];

const NUMBER = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const NAT = v.strictObject({ guestMac: v.pipe(v.instance(Uint8Array), v.length(6)), forwarded: NUMBER, sequence: NUMBER });
/** Four words of 32 bits. */
const WORD = v.pipe(NUMBER, v.maxValue(0xffff_ffff));
const GENERATOR = v.strictTuple([WORD, WORD, WORD, WORD]);
const ADDRESSES = v.array(v.tuple([NUMBER, NUMBER]));

/** The session's services to devices. */
export interface DeviceSession {
  /** Virtual time in ns, for captures. */
  now(): number;
  /** A guest has written to a console. */
  output(console: string, bytes: Uint8Array): void;
  /** Adds a console; `type` takes its input. */
  input(console: string, type: (bytes: Uint8Array) => void): void;
  /** A device draws from a generator. */
  generator(generator: RandomGenerator): RandomGenerator;
  /** A disk keeps its changes in memory. */
  overlay(disk: OverlayBacking): void;
  /** Guests write a disk through to its file. */
  written(disk: WrittenDisk): void;
  /** The same in a machine of the past, whose changes are in memory. */
  past(disk: PastDisk): void;
  /** Something fails on the host's side. */
  problem(device: string, message: string): void;
}

/** Makes devices. One maker serves all VMs of a session: its switches connect them. */
export class DeviceMaker {
  readonly #switches = new Map<string, NetSwitch>();
  readonly #fabric = new SessionFabric();
  /** Saved parts of the devices' surroundings. */
  readonly parts: SavedPart[] = [];
  #made = 0;

  /**
   * @param seed of what the devices draw, 32 bits
   * @param present the disks that the machine of the present writes, for a machine of its past
   */
  constructor(
    readonly seed: number,
    readonly outside: OutsideDoor,
    readonly session: DeviceSession,
    readonly present?: readonly WrittenDisk[],
  ) {}

  /**
   * The device number `index` of VM `vm`.
   * @throws Error if a file cannot be used.
   */
  make(plan: DevicePlan, vm: string, index: number): VirtioDevice {
    const name = devId(vm, deviceName(plan.kind, index));
    const number = this.#made++;
    switch (plan.kind) {
      case "block":
        return this.#disk(plan, index, `el2-${vm}-${index}`, (message) => this.session.problem(name, message));
      case "rng":
        return new RngDevice(bytesOf(this.session.generator(new RandomGenerator(this.seed + number >>> 0))));
      case "vsock": {
        const device = new VsockDevice(plan.cid);
        const host = plan.path === undefined ? undefined : new OutsideEndpoint({
          cid: plan.cid,
          path: plan.path,
          sockets: outsideUnixSockets(this.outside),
          deliver: (packet) => device.receive(packet),
          onProblem: (message) => this.session.problem(name, message),
        });
        if (host) {
          this.outside.add(host);
          this.parts.push({ name: `${name}, host`, save: () => host.save(), restore: (state) => host.restore(v.parse(NUMBER, state)) });
        }
        this.#fabric.plug(device, host);
        return device;
      }
      case "console": {
        const device = new ConsoleDevice({
          ports: plan.ports,
          onOutput: (port, bytes) => this.session.output(`${vm}/${plan.ports[port]}`, bytes),
        });
        plan.ports.forEach((port, index) => {
          this.session.input(`${vm}/${port}`, this.outside.taker((bytes) => void device.type(index, bytes as Uint8Array)));
        });
        return device;
      }
      case "net": {
        const device = new NetDevice(Uint8Array.of(...MAC_PREFIX, number >> 8, number & 0xff));
        if (plan.capture !== undefined && !this.outside.replayed) {
          const { capture } = plan, begin = (start: Uint8Array) => captureFile(capture, start);
          captureFrames(device, { name, now: this.session.now, begin, onProblem: (message) => this.session.problem(name, message) });
        }
        if (plan.backend === "user") {
          const nat = new Nat({
            device,
            network: outsideNetwork(this.outside),
            forward: plan.forward,
            policy: plan.policy ?? DEFAULT_NET_POLICY,
            onProblem: (message) => this.session.problem(name, message),
          });
          device.backend = nat;
          this.outside.add(nat);
          this.parts.push({ name: `${name}, NAT`, save: () => nat.save(), restore: (state) => nat.restore(v.parse(NAT, state)) });
        } else if (plan.backend !== "none") {
          this.#switch(plan.backend.slice("pair:".length)).plug(device);
        }
        return device;
      }
      case "9p": {
        const statuses = this.outside.replayed ? undefined : new KeptStatuses(sharedFolder(plan.folder));
        const share = new OutsideShare(
          this.outside,
          statuses && new P9Server(statuses, plan.mode === "ro", (message) => this.session.problem(name, message)),
          statuses,
        );
        const device = new P9Device(plan.tag, share);
        share.answer = (ticket, bytes) => device.answer(ticket, bytes);
        return device;
      }
      case "balloon":
        return new BalloonDevice();
      case "input":
        return new InputDevice(plan.type);
    }
  }

  /** A disk. Parts that its guest will not find are problems at the start. */
  #disk(plan: DevicePlan & { kind: "block" }, slot: number, serial: string, problem: (message: string) => void): BlockDevice {
    const { sector } = plan, backing = "partitions" in plan ? this.#partitioned(plan, slot) : this.#backing(plan);
    const name = "partitions" in plan ? "of partitions" : plan.image;
    const device = new BlockDevice(backing, serial, problem, sector);
    for (const text of device.unseen()) problem(`disk ${name} ${text}`);
    return device;
  }

  #partitioned({ partitions, sector }: Extract<DevicePlan, { readonly partitions: unknown }>, slot: number): BlockBacking {
    try {
      return partitionedDisk(partitions, (image, room) => this.#backing(image, room), { sector, slot });
    } catch (error) {
      throw error instanceof UserError ? new PlanError(problemOf(error)) : error;
    }
  }

  /**
   * @param room bytes that a disk of so many has; changes in memory may be in all of them
   * @throws PlanError if the disk cannot be used
   */
  #backing({ image, mode, content }: DiskImage, room = (bytes: number) => bytes): BlockBacking {
    const past = mode === "rw" ? this.present?.find(({ path }) => path === image)?.past() : undefined;
    if (past) {
      this.session.past(past);
      return past;
    }
    try {
      const disk = content ? givenDisk(image, content, mode) : machineDisk(image, mode !== "rw", this.outside);
      if (mode === "rw") {
        const written = new WrittenDisk(image, disk);
        this.session.written(written);
        return written;
      }
      if (mode === "ro") return disk;
      const overlay = new OverlayBacking(disk, room(disk.size));
      this.session.overlay(overlay);
      return overlay;
    } catch (error) {
      throw error instanceof DiskError ? new PlanError(problemOf(error)) : error;
    }
  }

  #switch(name: string): NetSwitch {
    const found = this.#switches.get(name);
    if (found) return found;
    const made = new NetSwitch();
    this.#switches.set(name, made);
    this.parts.push({ name: `switch ${name}`, save: () => made.save(), restore: (state) => made.restore(v.parse(ADDRESSES, state)) });
    return made;
  }
}

/** Bytes of a generator of 32-bit numbers. */
function bytesOf(generator: RandomGenerator): RandomBytes {
  return {
    fill(into) {
      for (let at = 0; at < into.length; at += 4) {
        const word = generator.next();
        for (let byte = 0; byte < 4 && at + byte < into.length; byte++) into[at + byte] = word >>> 8 * byte;
      }
    },
    save: () => generator.dump(),
    restore: (state) => generator.restore(v.parse(GENERATOR, state)),
  };
}

/** @throws PlanError if the folder cannot be used */
function sharedFolder(path: string): SharedFolder {
  const { Busy, NotFound, NotADirectory, PermissionDenied } = Deno.errors;
  try {
    return computer().folder(path);
  } catch (error) {
    if (error instanceof NotFound || error instanceof NotADirectory) throw new PlanError(`folder ${path}: no such folder`);
    if (error instanceof PermissionDenied) throw new PlanError(`folder ${path}: permission denied (read)`);
    if (error instanceof Busy) throw new PlanError(`folder ${path}: ${error.message}`);
    throw error;
  }
}
