// Machine, hypervisor, resource manager and a host whose processes are driven by the test: each call of the test becomes an event of the
// host, so that it happens inside the machine at a point of virtual time.

import { WasmCore } from "../../src/core/core.ts";
import { Stage2Pool } from "../../src/core/stage2.ts";
import { HYPERCALLS } from "../../src/abi/hypercalls.ts";
import { NativeGuest, NativeVcpu } from "../../src/abi/native-guest.ts";
import { PacketType, Reassembler, type RpcMessage } from "../../src/abi/rpc/packet.ts";
import type { BrokenRule } from "../../src/abi/trace.ts";
import { writeDevicetree } from "../../src/devicetree/writer.ts";
import { CONSOLE_INPUT_INTID } from "../../src/host/console-input.ts";
import { hostGuest, type HostProgram, type HostServices } from "../../src/host/host-guest.ts";
import type { PersonaName } from "../../src/abi/ioctl/personas.ts";
import { DEFAULT_BEHAVIOUR } from "../../src/hypervisor/behaviour.ts";
import { createHypervisor } from "../../src/hypervisor/create-hypervisor.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../src/hypervisor/root-vm.ts";
import { Machine } from "../../src/machine/machine.ts";
import { CORE_REGION_SIZE, memoryMap, RAM_BASE, RAM_OFFSET } from "../../src/machine/memory-map.ts";
import { createResourceManager } from "../../src/resource-manager/resource-manager.ts";
import { primaryDevicetree } from "../../src/workstation/primary-devicetree.ts";
import { MIB } from "./plans.ts";
import { ScriptedCore, type Scripts } from "./scripted-core.ts";

/** A message between host and resource manager. */
export interface Exchange {
  readonly way: "request" | "reply" | "notification";
  readonly id: number;
  readonly payload: Uint8Array;
}

/** What the test does inside the host. */
type Visit = (host: HostServices) => void;

/** Where a test's processes live. */
export interface Visitor {
  /** Does something inside the host, and gives what it gives. */
  visit<T>(act: (host: HostServices) => T): T;
  /** The result of an ioctl that waits, or undefined when it has none within this virtual time (ns). */
  await(task: number, time: number): number | undefined;
  /** The rule that the last refused operation broke, where reasons are kept. */
  lastRule?(): BrokenRule | undefined;
}

/** The processes of a test: each visit is something that they do. */
export class VisitedProgram implements HostProgram {
  readonly visits: Visit[] = [];
  readonly results = new Map<number, number>();
  readonly problems: string[] = [];
  #host: HostServices | undefined;

  begin(host: HostServices): void {
    this.#host = host;
  }
  finished(task: number, _pid: number, result: number): void {
    this.results.set(task, result);
  }
  input(): void {
    for (let visit = this.visits.shift(); visit !== undefined; visit = this.visits.shift()) visit(this.#host!);
  }
  boot(): void {}
  timer(): void {}
  changed(): void {}
  signalled(): void {}
  problem(message: string): void {
    this.problems.push(message);
  }
  save(): unknown {
    return undefined;
  }
  restore(): void {}
}

/** The guest with its message queues listened to. */
function listened(guest: NativeGuest, hear: (exchange: Exchange) => void, features: bigint | undefined): NativeGuest {
  const sent = new Reassembler(), received = new Reassembler();
  const take = (reassembler: Reassembler, bytes: Uint8Array | undefined) => {
    const result = bytes && reassembler.accept(bytes);
    if (result?.done) hear({ way: wayOf(result.message), id: result.message.id, payload: result.message.payload });
  };
  const vcpus = new WeakMap<NativeVcpu, NativeVcpu>();
  const wrap = (vcpu: NativeVcpu): NativeVcpu => {
    let wrapped = vcpus.get(vcpu);
    if (wrapped !== undefined) return wrapped;
    const hvc: NativeVcpu["hvc"] = (number, ...args) => {
      const result = vcpu.hvc(number, ...args);
      if (number === HYPERCALLS.hypervisor_identify.number && features !== undefined) return [result[0], features, 0n, 0n];
      if (result[0] === 0n && number === HYPERCALLS.msgqueue_send.number) take(sent, vcpu.read(Number(args[2]), Number(args[1])));
      if (result[0] === 0n && number === HYPERCALLS.msgqueue_receive.number) {
        const [error, size, more] = result;
        take(received, vcpu.read(Number(args[1]), Number(size)));
        return [error, size, more];
      }
      return result;
    };
    wrapped = new Proxy(vcpu, {
      get: (target, name) => {
        if (name === "hvc") return hvc;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    vcpus.set(vcpu, wrapped);
    return wrapped;
  };
  return {
    start: (vcpu, entry, x0) => guest.start(wrap(vcpu), entry, x0),
    virq: (vcpu, intid) => guest.virq(wrap(vcpu), intid),
    timer: (vcpu) => guest.timer(wrap(vcpu)),
    runReturned: (vcpu, ...results) => guest.runReturned(wrap(vcpu), ...results),
    save: () => guest.save(),
    restore: (state) => guest.restore(state),
  };
}

function wayOf({ type }: RpcMessage): Exchange["way"] {
  return type === PacketType.Request ? "request" : type === PacketType.Reply ? "reply" : "notification";
}

/** Options of a stack. */
export interface HostStackOptions {
  readonly device?: PersonaName;
  readonly memlock?: number;
  readonly cpus?: number;
  /** Bytes of the primary VM's RAM. */
  readonly memory?: number;
  /** What vCPUs execute instead of instructions; without them there is a real core. */
  readonly scripts?: Scripts;
  /** Whether there is /dev/gzvm. */
  readonly gzvm?: boolean;
  /** Firmware of GenieZone's protected VMs. */
  readonly firmware?: Uint8Array;
  /** Whether the hypervisor checks its invariants after each operation, and stops where one is broken. */
  readonly check?: boolean;
  /** Feature bits of hypervisor_identify in place of the real ones. */
  readonly features?: bigint;
}

/** A running host and its stack. */
export class HostStack implements Visitor {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Messages with the resource manager, in order. */
  readonly exchanges: Exchange[] = [];
  readonly #program = new VisitedProgram();

  constructor(
    { device = "v14", memlock = 65_536, cpus = 2, memory = 64 * MIB, scripts, features, firmware, gzvm = true, check = false }:
      HostStackOptions = {},
  ) {
    const map = memoryMap(memory);
    const pages = map.wasmSize / 0x1_0000;
    const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const scripted = scripts && new ScriptedCore(scripts);
    const real = scripted ? undefined : new WasmCore(wasm, { base: RAM_BASE, size: map.ramEnd - RAM_BASE, host: RAM_OFFSET });
    this.machine = new Machine(wasm, map, scripted ?? real!, cpus);
    const stage2 = scripted?.stage2(new Stage2Pool(wasm, CORE_REGION_SIZE - 16 * MIB, 16 * MIB)) ?? real!.stage2Pool;
    this.hypervisor = createHypervisor(this.machine, {
      ...{ stage2, seed: 1, resourceManager: createResourceManager },
      behaviour: { ...DEFAULT_BEHAVIOUR, check },
    }).hypervisor;
    const tree = primaryDevicetree({
      ...{ cpus, memory, append: undefined, initrd: undefined, virtioSlots: 0 },
      ...{ kaslrSeed: 1n, rngSeed: new Uint8Array(32) },
    });
    this.machine.ram.write(DEFAULT_PRIMARY_IMAGES.devicetree, writeDevicetree(tree));
    const factory = hostGuest({
      device,
      memlock,
      reserved: 32 * MIB,
      vcpus: cpus,
      program: this.#program,
      gzvm: gzvm ? { firmware } : undefined,
    });
    const heard = () => listened(factory(), (exchange) => this.exchanges.push(exchange), features);
    this.hypervisor.natives.register(DEFAULT_PRIMARY_IMAGES.entry, heard);
    this.visit(() => {});
  }

  /** Messages of the host about what should not happen. */
  get problems(): readonly string[] {
    return this.#program.problems;
  }

  /** Does something inside the host, and gives what it gives. */
  visit<T>(act: (host: HostServices) => T): T {
    let outcome: { value: T } | { error: unknown } | undefined;
    this.#program.visits.push((host) => {
      try {
        outcome = { value: act(host) };
      } catch (error) {
        outcome = { error };
      }
    });
    this.machine.interrupt(CONSOLE_INPUT_INTID, true);
    this.machine.interrupt(CONSOLE_INPUT_INTID, false);
    this.#runWhile(() => outcome === undefined, 1e9);
    if (outcome === undefined) throw new Error("the host does not answer");
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Lets virtual time (ns) pass. */
  pass(time: number): void {
    const until = this.machine.time + time;
    this.#runWhile(() => this.machine.time < until, time);
  }

  /** The result of an ioctl that waits, or undefined when it has none within this virtual time (ns). */
  await(task: number, time: number): number | undefined {
    const { results } = this.#program;
    this.#runWhile(() => !results.has(task), time);
    return results.get(task);
  }

  /** An ioctl and its end; waits at most `time` ns. */
  ioctl(pid: number, fd: number, code: number, argument: number | bigint = 0n, time = 1e9): number | undefined {
    const { task, result } = this.visit(({ kernel }) => kernel.ioctl(pid, fd, code, BigInt.asUintN(64, BigInt(argument))));
    return result ?? this.await(task, time);
  }

  lastRule(): BrokenRule | undefined {
    return this.hypervisor.trace.reasons.last;
  }

  #runWhile(goOn: () => boolean, time: number): void {
    const until = this.machine.time + time;
    while (goOn() && this.machine.time < until) {
      const result = this.machine.run(until, 1);
      if (result.kind === "idle") {
        if (result.next === Infinity || result.next >= until) {
          this.machine.skipTo(until);
          return;
        }
        this.machine.skipTo(result.next);
      } else if (result.kind === "stopped") return;
    }
  }
}
