// Machine, hypervisor, Resource Manager and a host whose processes are driven by the test: each
// call of the test becomes an event of the host, so that it happens inside the machine at a point
// of virtual time.

import type { CallRegisters } from "../../../src/machine/abi/call-registers.ts";
import type { HypervisorNode } from "../../../src/machine/abi/hypervisor-node.ts";
import { HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import { NativeGuest, NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { PacketType, Reassembler, type RpcMessage } from "../../../src/machine/abi/rpc/packet.ts";
import type { BrokenRule } from "../../../src/machine/abi/trace.ts";
import { hostGuest } from "../../../src/machine/host/primary/host-guest.ts";
import type { SignedVm } from "../../../src/machine/host/gunyah/signed-vm.ts";
import type { DriverQuirks } from "../../../src/machine/host/data/plan.ts";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import type { Visit } from "../../../src/machine/host/primary/visited-program.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../../src/machine/hypervisor/root-vm.ts";
import type { Machine } from "../../../src/machine/hardware/machine.ts";
import { VisitedHost } from "../../../src/app/library/visited-host.ts";
import { MIB } from "./plans.ts";
import type { Scripts } from "./scripted-core.ts";
import { stackMachine } from "./stack-machine.ts";
import { callByList } from "../../support/listed-call.ts";

/** A message between host and Resource Manager. */
export interface Exchange {
  readonly way: "request" | "reply" | "notification";
  readonly id: number;
  readonly payload: Uint8Array;
}

/** Where a test's processes live. */
export interface Visitor {
  /** Does something inside the host, and gives what it gives. */
  visit<T>(act: Visit<T>): T;
  /**
   * The result of an ioctl that waits, or undefined when it has none within this virtual time (ns).
   */
  await(task: number, time: number): number | undefined;
  /** The rule that the last refused operation broke, where reasons are kept. */
  lastRule?(): BrokenRule | undefined;
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
        if (name === "call") return (number: number, registers: CallRegisters) => callByList(hvc, number, registers);
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
  /** Scripts that vCPUs execute instead of instructions; without them there is a real core. */
  readonly scripts?: Scripts;
  /** Whether there is /dev/gzvm. */
  readonly gzvm?: boolean;
  /** VMs that the vendor driver loads by name. */
  readonly signed?: readonly SignedVm[];
  /** Firmware of GenieZone's protected VMs. */
  readonly firmware?: Uint8Array;
  /** Form of /hypervisor in the host's devicetree. */
  readonly hypervisorNode?: HypervisorNode;
  /**
   * Whether the hypervisor checks its invariants after each operation, and stops where one is
   * broken.
   */
  readonly check?: boolean;
  /** Feature bits of hypervisor_identify instead of the real ones. */
  readonly features?: bigint;
  /** The kernel's differences from others of its generation. */
  readonly quirks?: DriverQuirks;
  /** Rules of the Resource Manager. */
  readonly parcels?: number;
  readonly reservedMemory?: "any" | "must-match" | "never";
}

/** A running host and its stack. */
export class HostStack implements Visitor {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Messages with the Resource Manager, in order. */
  readonly exchanges: Exchange[] = [];
  readonly #host = new VisitedHost(() => this.machine);

  constructor(
    {
      device = "v14",
      memlock = 65_536,
      cpus = 2,
      memory = 64 * MIB,
      scripts,
      features,
      firmware,
      signed,
      quirks,
      gzvm = true,
      ...behaviour
    }: HostStackOptions = {},
  ) {
    ({ machine: this.machine, hypervisor: this.hypervisor } = stackMachine(cpus, memory, scripts, behaviour));
    const factory = hostGuest({
      device,
      memlock,
      reserved: 32 * MIB,
      vcpus: cpus,
      program: this.#host.program,
      gzvm: gzvm ? { firmware } : undefined,
      signed,
      quirks,
    });
    const heard = () => listened(factory(), (exchange) => this.exchanges.push(exchange), features);
    this.hypervisor.natives.register(DEFAULT_PRIMARY_IMAGES.entry, heard);
    this.visit(() => {});
  }

  /** Messages of the host about what should not happen. */
  get problems(): readonly string[] {
    return this.#host.program.problems;
  }

  /** Does something inside the host, and gives what it gives. */
  visit<T>(act: Visit<T>): T {
    return this.#host.visit(act);
  }

  /** Lets virtual time (ns) pass. */
  pass(time: number): void {
    this.#host.pass(time);
  }

  await(task: number, time: number): number | undefined {
    return this.#host.await(task, time);
  }

  /** An ioctl and its end; waits at most `time` ns. */
  ioctl(pid: number, fd: number, code: number, argument: number | bigint = 0n, time = 1e9): number | undefined {
    const { task, result } = this.visit(({ kernel }) => kernel.ioctl(pid, fd, code, BigInt.asUintN(64, BigInt(argument))));
    return result ?? this.await(task, time);
  }

  lastRule(): BrokenRule | undefined {
    return this.hypervisor.trace.reasons.last;
  }
}
