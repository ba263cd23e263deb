// Lives of VMs with random configurations, a failure at a random request or hypercall, and a random
// order of taking them down: two VMs at a time, which may be peers. Whatever happens, their owner
// gets everything back, and nothing is left of them (issue: 10,000 lives).

import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Hypercall } from "../../../src/machine/abi/hypercalls.ts";
import type { Fields, Values } from "../../../src/machine/abi/rpc/layout.ts";
import type { NativeGuest } from "../../../src/machine/abi/native-guest.ts";
import { encodeRequest, type RpcRequest } from "../../../src/machine/abi/rpc/message.ts";
import {
  MEM_ACCEPT,
  MEM_APPEND,
  MEM_DONATE,
  MEM_LEND,
  MEM_NOTIFY,
  MEM_RECLAIM,
  MEM_SHARE,
} from "../../../src/machine/abi/rpc/messages/memory.ts";
import { FW_MILESTONE, FW_SET_VM_FIRMWARE, VM_SET_FIRMWARE_MEM } from "../../../src/machine/abi/rpc/messages/platform.ts";
import { VM_GET_HYP_RESOURCES } from "../../../src/machine/abi/rpc/messages/resources.ts";
import { VM_AUTH_IMAGE, VM_CONFIG_IMAGE, VM_INIT } from "../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_EXIT, VM_RESET, VM_START, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE, VM_SET_CRASH_MSG } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { AuthType, VmState } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { encodePackets, PacketType } from "../../../src/machine/abi/rpc/packet.ts";
import { Cspace } from "../../../src/machine/hypervisor/capabilities/cspace.ts";
import { cells64, devicetree, type DevicetreeNode, findNode, node, setProperties } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { parseFaultRule } from "../../../src/model/queries/fault-rule.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { Random } from "../../support/random.ts";
import { DT_OFFSET, DT_SIZE, guestRoot, Machine, MEMORY } from "./machine.ts";
import { LONG } from "../../support/long.ts";

const LIVES = LONG ? 10_000 : 300;
/** Pairs of lives between two checks of every page and mapping. */
const SWEEP = LONG ? 100 : 30;

/**
 * Where the primary keeps the memory of the two VMs: each has room for its image and four pages
 * beside it.
 */
const PLACES = [0x4600_0000, 0x4680_0000] as const;
const EXTRA_OFFSET = 0x40_0000;
const FIRMWARE = 0x4700_0000;
/** Where it goes in a VM's memory. */
const FIRMWARE_OFFSET = 0x18_0000;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * Failures that are injected. Calls that carry the messages themselves are left alone, as a lost
 * reply is another test's subject. So are calls that take time.
 */
const SPARED = "msgqueue_send,msgqueue_receive,vcpu_run";
const CODES = ["NOMEM", "NORESOURCES", "DENIED", "BUSY", "ARGUMENT_INVALID", "ADDR_INVALID", "OBJECT_STATE"] as const;

const PSCI_SYSTEM_OFF = 0x8400_0008, PSCI_SYSTEM_RESET = 0x8400_0009;

/** A guest that waits for ever. */
class Idle implements NativeGuest {
  start(): void {}
  virq(): void {}
  timer(): void {}
  runReturned(): void {}
  restore(): void {}
  save(): unknown {
    return undefined;
  }
}

/** A machine that counts everything that a VM is made of. */
class Site extends Machine {
  constructor() {
    super();
    const sgl = [{ address: BigInt(FIRMWARE), size: 0x1000n }];
    const { handle } = this.primary.get(MEM_DONATE, {
      mem_type: 0,
      flags: 0,
      label: 0,
      acl: [{ vmid: 255, rights: 7 }],
      sgl,
      attributes: [],
    });
    this.primary.get(FW_SET_VM_FIRMWARE, { auth_type: AuthType.Android, handle, offset: 0n, size: 0x1000n });
    this.primary.get(FW_MILESTONE, {});
    // Code of a vCPU that gets time: it waits. Images are entered at their first byte, firmware
    // where it was put.
    for (const place of PLACES) {
      for (const entry of [place, place + FIRMWARE_OFFSET]) this.system.hypervisor.natives.register(entry, () => new Idle());
    }
  }

  /** Empties what the test's own core and consoles record. */
  forget(): void {
    this.system.log.invalidated.length = 0;
    this.system.log.written.length = 0;
  }

  /**
   * Objects by type, capabilities by cspace, memory by owner, and what the Resource Manager has in
   * use.
   */
  count(): unknown {
    const { hypervisor } = this.system;
    const objects: Record<string, number> = {};
    const caps: Record<string, number> = {};
    for (const object of hypervisor.objects) {
      objects[object.type] = (objects[object.type] ?? 0) + 1;
      if (object instanceof Cspace) caps[object.name] = [...object.capabilities()].length;
    }
    const memory: Record<string, number> = {};
    for (const { size, owner } of hypervisor.memory.all()) memory[owner.name] = (memory[owner.name] ?? 0) + size;
    const peers = this.system.rm.state.vms.map((vm) => vm.peers.length);
    const { exits, assigned } = this.system.rm.state;
    return { objects, caps, memory, peers, rm: this.usage(), exits: exits.length, assigned: assigned.length };
  }
}

/** The tree of one VM. */
function randomTree(random: Random, name: string, peer: string): DevicetreeNode {
  const chance = (percent: number) => random.below(100) < percent;
  const labels = [1, 2, 3, 4, 5, 6];
  const vdevices: DevicetreeNode[] = [];
  const add = (type: string, properties: Record<string, string | number | true>, children: DevicetreeNode[] = []) => {
    const path = `/hypervisor/${type}-${vdevices.length}`;
    const label = labels[random.below(labels.length)];
    vdevices.push(node(`v${vdevices.length}`, { "vdevice-type": type, generate: path, "qcom,label": label, ...properties }, children));
  };
  const other = (): Record<string, string | true> => chance(50) ? { "peer-default": true } : { peer: `vm-name:${peer}` };
  if (chance(70)) add("rm-rpc", chance(50) ? { "console-dev": true } : {});
  for (let left = random.below(5); left > 0; left--) {
    const kind = random.below(8);
    if (kind < 2) add("doorbell", { ...other(), ...(chance(50) ? { "source-can-clear": true } : {}) });
    else if (kind === 2) add("doorbell-source", other());
    else if (kind === 3) add("message-queue", { "peer-default": true, [chance(50) ? "is-sender" : "is-receiver"]: true });
    else if (kind < 6) add("message-queue-pair", { ...other(), "message-size": chance(90) ? 64 : 4096, "queue-depth": chance(90) ? 4 : 0 });
    else if (kind === 6) {
      const optional: Record<string, true> = chance(80) ? { optional: true } : {};
      const buffer = node("memory", { "#address-cells": 2, label: random.below(3), base: cells64(0x9000_0000), ...optional });
      add(chance(50) ? "shm" : "shm-doorbell", { "peer-default": true }, [buffer]);
    } else {
      const buffer = node("memory", { "#address-cells": 2, label: random.below(3), "allocate-base": true });
      add("virtio-mmio", { "peer-default": true, "vqs-num": 2 }, [buffer]);
    }
  }
  const cpus = chance(95) ? 1 + random.below(4) : 6;
  const root = guestRoot(name, vdevices, cpus);
  // Where native guests, which the idle ones are, expect it.
  setProperties(findNode(root, "/interrupt-controller")!, { reg: cells64(0x0800_0000, 0x1_0000, 0x080a_0000, 0x2_0000 * cpus) });
  const vcpus = findNode(root, "/gunyah-vm-config/vcpus")!;
  if (chance(40)) {
    const map = Array.from({ length: chance(90) ? cpus : 1 }, () => random.below(4));
    setProperties(vcpus, {
      affinity: ["static", "sticky", "pinned"][random.below(3)],
      "affinity-map": map,
      "sched-priority": (chance(90) ? -1 - random.below(32) : 3) >>> 0,
      "sched-timeslice": chance(90) ? 2000 : 5,
    });
  }
  if (chance(10)) root.children.splice(root.children.findIndex((each) => each.name === "psci"), 1);
  if (chance(5)) root.children.push(node("hypervisor"));
  if (chance(5)) findNode(root, "/gunyah-vm-config")!.properties.delete("image-name");
  return root;
}

/** One VM from the allocation on, as its owner drives it: a step at a time. */
class Life {
  readonly #site: Site;
  readonly #random: Random;
  readonly #place: number;
  readonly #auth: number;
  readonly #tree: Uint8Array;
  readonly #parcels: number[] = [];
  #vmid = 0;
  #step = 0;
  /** The step before which the owner gives up. */
  readonly #last: number;
  #ending = false;
  gone = false;

  constructor(site: Site, random: Random, place: number, name: string, peer: string) {
    this.#site = site;
    this.#random = random;
    this.#place = place;
    this.#auth = random.below(4) === 0 ? AuthType.Android : random.below(10) === 0 ? AuthType.Platform : AuthType.None;
    this.#tree = writeDevicetree(devicetree(randomTree(random, name, peer)));
    this.#last = random.below(3) === 0 ? random.below(10) : 10;
  }

  /** Does the next thing. */
  step(): void {
    if (this.gone) return;
    if (this.#ending) this.#end();
    else if (this.#step >= this.#last || !this.#forward(this.#step++)) this.#ending = true;
  }

  #ask<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>): { error: string; value: Values<R> | undefined } {
    return this.#site.primary.ask(message, value);
  }

  #give(share: boolean, rights: number, label: number, address: number, size: number, flags = 0): boolean {
    const acl = [{ vmid: this.#vmid, rights }, ...(share ? [{ vmid: 3, rights: 7 }] : [])];
    const sgl = [{ address: BigInt(address), size: BigInt(size) }];
    const made = this.#ask(share ? MEM_SHARE : MEM_LEND, { mem_type: 0, flags, label, acl, sgl, attributes: [] });
    if (made.value === undefined) return false;
    this.#parcels.push(made.value.handle);
    return true;
  }

  /** The steps of docs/spec/resource-manager.md §4.5 and §4.6. False when one was refused. */
  #forward(step: number): boolean {
    const random = this.#random;
    const vmid = this.#vmid;
    const extra = this.#place + EXTRA_OFFSET;
    switch (step) {
      case 0: {
        const made = this.#ask(VM_ALLOCATE, { vmid: 0 });
        this.#vmid = made.value?.vmid ?? 0;
        return made.value !== undefined;
      }
      case 1:
        this.#site.system.act((vcpu) => assert.ok(vcpu.write(this.#place + DT_OFFSET, this.#tree)));
        return this.#give(random.below(4) === 0, 7, 0, this.#place, MEMORY);
      case 2: {
        const flags = random.below(4);
        if (random.below(2) === 0) return true;
        if (!this.#give(random.below(2) === 0, [4, 5, 6, 7][random.below(4)], random.below(4), extra, 0x1000, flags)) return false;
        const sgl = [{ address: BigInt(extra + 0x2000), size: 0x1000n }];
        if (flags & 2) this.#ask(MEM_APPEND, { handle: this.#parcels.at(-1)!, flags: random.below(2), sgl });
        return true;
      }
      case 3: {
        const image = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
        return this.#ask(VM_CONFIG_IMAGE, { vmid, auth_type: this.#auth, handle: this.#parcels[0], ...image }).error === "OK";
      }
      case 4:
        if (this.#auth === AuthType.Platform) return this.#ask(VM_AUTH_IMAGE, { vmid, parameters: [] }).error === "OK";
        if (this.#auth !== AuthType.Android || random.below(10) === 0) return true;
        return this.#ask(VM_SET_FIRMWARE_MEM, { vmid, handle: this.#parcels[0], offset: BigInt(FIRMWARE_OFFSET), size: 0x2000n }).error ===
          "OK";
      case 5:
        return this.#ask(VM_INIT, { vmid }).error === "OK";
      case 6:
        if (this.#parcels.length > 1 && random.below(2) === 0) {
          this.#ask(MEM_NOTIFY, { handle: this.#parcels[1], flags: 1, mem_info_tag: 1, vmids: [{ vmid }] });
        }
        return this.#ask(VM_GET_HYP_RESOURCES, { vmid }).error === "OK";
      case 7:
        return this.#ask(VM_START, { vmid }).error === "OK";
      case 8:
        this.#act();
        return true;
      default:
        return false;
    }
  }

  /** Actions of the guest itself: it takes memory, crashes, or exits. */
  #act(): void {
    const { system } = this.#site;
    const vm = system.rm.state.vms.find((each) => each.vmid === this.#vmid)!;
    if (vm.link === undefined || vm.state !== VmState.Running) return;
    const guest = this.#site.guest(this.#vmid);
    const choice = this.#random.below(6);
    if (choice === 0) {
      const handle = this.#parcels.at(-1)!;
      guest.ask(MEM_ACCEPT, {
        handle,
        mem_type: 0,
        trans_type: 1,
        flags: 0x80,
        label: 0,
        acl: [],
        sgl: { annotation: 0, entries: [] },
        attributes: [],
      });
    } else if (choice === 1) guest.ask(VM_SET_CRASH_MSG, { text: new TextEncoder().encode("ow") });
    else if (choice === 2) {
      // The requester is gone, and does not take the reply.
      const [packet] = encodePackets({
        type: PacketType.Request,
        sequence: 0,
        id: VM_EXIT.id,
        payload: encodeRequest(VM_EXIT, { exit_flags: 0, exit_code: 1 }),
      });
      guest.on((vcpu) => {
        vcpu.write(guest.place.buffer, packet);
        vcpu.hvc(Hypercall.msgqueue_send, 0n, BigInt(packet.length), BigInt(guest.place.buffer), 1n);
      });
      system.wait(1_000_000);
    } else if (choice < 5) guest.on((vcpu) => vcpu.smc(choice === 3 ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET));
  }

  /**
   * The next thing that its owner can do to be rid of it, with mistakes in between that must change
   * nothing for good.
   */
  #end(): void {
    const vmid = this.#vmid;
    if (vmid === 0) {
      this.gone = true;
      return;
    }
    const state = this.#ask(VM_GET_STATE, { vmid }).value!.vm_state;
    if (this.#random.below(4) === 0) this.#mistake(vmid);
    switch (state) {
      case VmState.Running:
        this.#ask(VM_STOP, { vmid, flags: 1, reason: 0 });
        return;
      case VmState.Auth:
        this.#ask(VM_AUTH_IMAGE, { vmid, parameters: [] });
        return;
      case VmState.Init:
        this.#ask(VM_INIT, { vmid });
        return;
      case VmState.Ready:
      case VmState.InitFailed:
      case VmState.Exited:
        if (this.#ask(VM_RESET, { vmid }).error === "OK") return;
        break;
      case VmState.Resetting:
        this.#site.system.wait(100_000);
        return;
    }
    const at = this.#random.below(this.#parcels.length);
    if (this.#parcels.length > 0) {
      if (this.#ask(MEM_RECLAIM, { handle: this.#parcels[at], flags: this.#random.below(2) }).error === "OK") this.#parcels.splice(at, 1);
    } else if (this.#ask(VM_DEALLOCATE, { vmid }).error === "OK") this.gone = true;
  }

  #mistake(vmid: number): void {
    switch (this.#random.below(4)) {
      case 0:
        this.#ask(VM_START, { vmid });
        return;
      case 1:
        this.#ask(VM_RESET, { vmid });
        return;
      case 2:
        this.#ask(VM_STOP, { vmid, flags: 1, reason: 0 });
        return;
      case 3:
        if (this.#parcels.length === 0) return;
        if (this.#ask(MEM_RECLAIM, { handle: this.#parcels.at(-1)!, flags: 0 }).error === "OK") this.#parcels.pop();
        return;
    }
  }
}

/**
 * Has one of the Resource Manager's next hypercalls fail, or one of its next orders to the
 * platform's firmware.
 */
function inject(site: Site, random: Random): void {
  const nth = 1 + random.below(random.below(5) === 0 ? 4 : random.below(2) === 0 ? 60 : 250);
  const rule = nth <= 4 && random.below(2) === 0
    ? `assign nth=${nth} -> DENIED`
    : `hvc vm=vm-0xff name!=${SPARED} nth=${nth} -> ${CODES[random.below(CODES.length)]}`;
  site.system.hypervisor.faults.add(parseFaultRule(rule));
}

/** The injected failure. */
function injected(site: Site): string {
  return site.system.hypervisor.faults.entries.map(({ rule, hits }) => `${rule.text}: ${hits}`).join();
}

/** Bytes in use after a collection. */
function memory(): number {
  collect();
  return Deno.memoryUsage().heapUsed;
}

Deno.test(`${LIVES} VM life cycles with random failures leave no object, capability, vIRQ, page or memory behind`, () => {
  const site = new Site();
  const before = site.count();
  let settled = 0;
  for (let pair = 0; pair < LIVES / 2; pair++) {
    const random = new Random(pair);
    const lives = PLACES.map((place, index) => new Life(site, random, place, `vm-${index}`, `vm-${1 - index}`));
    if (random.below(10) < 7) inject(site, random);
    for (let patience = 0; lives.some(({ gone }) => !gone); patience++) {
      assert.ok(patience < 500, `seed ${pair}: the VMs do not go (${injected(site)})`);
      lives[random.below(2)].step();
    }
    const what = injected(site);
    site.system.hypervisor.faults.clear();
    site.system.wait(1_000_000);
    site.primary.receive();
    site.primary.notifications.length = 0;
    site.forget();
    assert.deepEqual(site.count(), before, `seed ${pair}: something is left (${what})`);
    if (pair % SWEEP === 0) checkInvariants(site.system.hypervisor);
    // By then everything has run often enough to be compiled, and bounded rings are full.
    if (pair === LIVES / 4) settled = memory();
  }
  checkInvariants(site.system.hypervisor);
  const grown = memory() / settled - 1;
  assert.ok(grown < 0.01, `memory grew by ${(grown * 100).toFixed(2)} %`);
});
