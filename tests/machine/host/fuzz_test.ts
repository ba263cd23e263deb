// Random calls with structures made from their layouts, on every device: nothing throws, every
// refusal has a reason, and a process that has ended leaves nothing.

import assert from "node:assert/strict";
import { RPC_MESSAGES } from "../../../src/machine/abi/rpc/messages/all.ts";
import { VM_DEALLOCATE, VM_EXITED } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { Errno } from "../../../src/machine/abi/ioctl/errno.ts";
import { GZVM_MAGIC, GZVM_REQUESTS } from "../../../src/machine/abi/ioctl/geniezone.ts";
import { FN_IOEVENTFD_ARG, FN_IRQFD_ARG, FN_VCPU_ARG, FunctionType } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { ALL_REQUESTS, PERSONA_NAMES, PERSONAS } from "../../../src/machine/abi/ioctl/personas.ts";
import type { Request } from "../../../src/machine/abi/ioctl/request.ts";
import type { Struct } from "../../../src/machine/abi/ioctl/struct.ts";
import type { HostKernel } from "../../../src/machine/host/kernel/kernel.ts";
import { Random } from "../../support/random.ts";
import { isSection } from "../../support/specification.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { signedVms } from "../../../src/machine/host/signed-vms.ts";
import { MIB, vmPlan } from "./plans.ts";
import { FAKE_MEMORY, FAKE_RESERVED, FakeHost } from "./fake-host.ts";
import { HostStack, type Visitor } from "./host-stack.ts";
import type { Script, Step } from "./scripted-core.ts";
import { LONG } from "../../support/long.ts";

const DEVICES = PERSONA_NAMES.filter((name) => PERSONAS[name].device);
/** Calls over all devices, with a scripted Resource Manager. */
const CALLS = LONG ? 1_000_000 : 16_000;
/**
 * The same with the real hypervisor and Resource Manager below, which are slower, and the
 * hypervisor's checker on.
 */
const STACK_CALLS = LONG ? 1_000_000 : 6_400;
/** Content of the VMs' memory: a devicetree of a VM with one vCPU. */
const DEVICETREE = Deno.readFileSync(new URL("../../conformance/ioctl/guests/vm1.dtb", import.meta.url));
/** The VMs' memory. */
const BASE = 0x8000_0000, MEMORY = 0x8000;
/** Memory of those that the vendor driver loads, which have no accesses that leave RUN. */
const SIGNED_BASE = 0x9000_0000;
/** PSCI calls that end a VM, or one of its CPUs. */
const OFF = [0x8400_0008n, 0x8400_0009n, 0x8400_0002n];
/** Calls of one process. */
const LIFE = 200;

/** Processes, one after the other, of one stack. */
const STACK_LIVES = 20;
/**
 * v6 never sends VM_RESET; v14 and ack-6.1 do not for a VM that could not be configured. The
 * Resource Manager then refuses VM_DEALLOCATE and keeps the VM (docs/spec/observed-ioctl.md §5.2).
 */
const LOSING: readonly string[] = ["v6", "v14", "ack-6.1"];
/** Those whose lost VMs keep memory of the host as well. */
const LOSING_MEMORY: readonly string[] = ["v6"];

/**
 * VMs of the vendor driver: one whose vCPU the hypervisor schedules, and one whose the host runs.
 */
const SCHEDULE = { affinity: "static", affinityMap: [0], priority: -1, timeslice: 5000 } as const;
const SIGNED = signedVms([
  vmPlan("trustedvm", { schedule: SCHEDULE, console: false, memory: MIB, base: SIGNED_BASE }),
  vmPlan("oemvm", { console: false, memory: MIB, base: SIGNED_BASE }),
]);

const REQUESTS = [...ALL_REQUESTS, ...GZVM_REQUESTS];
const NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 0x10, 0x20, 0x70, 0x1000, 0x2000, 0x8000_0000, 0xffff_ffff, 0x6000];
const ARGUMENT_STRUCTS = [FN_VCPU_ARG, FN_IRQFD_ARG, FN_IOEVENTFD_ARG];

/** Names of what makes, loads and starts a VM, whichever a generation has. */
const START_CALLS = [
  ...["GH_CREATE_VM", "GH_VM_SET_USER_MEM_REGION", "GUNYAH_CREATE_GUEST_MEM", "GUNYAH_VM_MAP_MEM", "GH_VM_SET_DTB_CONFIG"],
  ...["GH_VM_SET_FW_NAME", "GH_CREATE_VCPU", "GH_VM_ADD_FUNCTION", "GH_VM_START", "GH_VCPU_RUN"],
];

/** Where the processes live, and what else happens there. */
interface Bed extends Visitor {
  /** Refusals with a reason so far. */
  refusals(): number;
  /** Something that the processes do not do. */
  outside(random: Random): void;
  /**
   * The last process has exited: everything in progress ends. Returns the requests to the Resource
   * Manager since the last time.
   */
  over(random: Random): readonly string[];
  /** Checks that nothing below the host is left of processes that have ended. */
  leaksNothing(): void;
  /** VMs that are lost keep memory of the host. */
  readonly losesMemory: boolean;
  /** Pages that processes have. */
  readonly pages: number;
}

/** A Resource Manager that refuses at random, and a vcpu_run that comes back with anything. */
class FakeBed extends FakeHost implements Bed {
  readonly pages = (FAKE_MEMORY - FAKE_RESERVED) / 4096;
  readonly losesMemory = false;

  constructor(device: typeof DEVICES[number]) {
    super(device, { signed: SIGNED });
  }

  refusals(): number {
    return this.platform.rules.length;
  }

  outside(random: Random): void {
    const { platform, guest } = this;
    switch (random.below(4)) {
      case 0: {
        const name = random.pick(["VM_ALLOCATE", "MEM_SHARE", "VM_INIT", "VM_START", "VM_STOP", "VM_RESET"]);
        // VM_STATE of VM_STOP promises that VM_EXITED comes.
        return void platform.refusals.set(name, random.pick(name === "VM_STOP" ? [1, 3, 5] : [1, 3, 5, 0x14]));
      }
      case 1: {
        const running = this.visit(({ gunyah }) => Object.values(gunyah.state.vms).filter(({ status }) => status === "running"));
        if (running.length === 0) return;
        const exited = { vmid: random.pick(running).vmid, exit_type: random.below(9), reason_size: 4, reason: new Uint8Array(4) };
        return platform.notify(guest, VM_EXITED.id, VM_EXITED.layout.encode(exited));
      }
      case 2:
        return guest.virq(platform.vcpu(0), 962 + random.below(16));
      default: {
        if (!platform.inside.has(0)) return;
        const state = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 0x100]), address = BigInt(random.pick([0x6000, BASE]));
        return this.returnRun(state, address, BigInt(random.pick([1, 2, 4, 8])), 5n, BigInt(random.pick([0, 0, 0, -2, 31, 10])));
      }
    }
  }

  over(random: Random): string[] {
    this.platform.refusals.clear();
    while (this.platform.inside.has(0)) this.returnRun(random.pick([0, 1, 4, 5, 6]), 0x6000n, 4n, 1n);
    this.platform.settle(this.guest);
    const { requests } = this;
    this.platform.forget();
    return requests;
  }

  /** There is nothing below. */
  leaksNothing(): void {}
}

/** The VMs' use of the hypervisor: objects, and bytes of heaps. */
interface Below {
  readonly objects: number;
  readonly heaps: readonly number[];
}

/**
 * The real hypervisor and Resource Manager, with guests that do anything; the hypervisor checks its
 * invariants after each operation, and all of them after each process.
 */
class StackBed extends HostStack implements Bed {
  readonly pages = 32 * 2 ** 20 / 4096;
  readonly losesMemory: boolean;
  readonly #mayLose: boolean;
  #before: Below;
  /** VMs that the Resource Manager kept in the last process's life. */
  #lost = 0;

  constructor(device: typeof DEVICES[number], random: Random) {
    const guest: Script = function* () {
      for (;;) {
        const address = random.pick([0x6000, 0x6004, 0x9000]);
        const size = 4;
        yield random.pick<Step>([
          { do: "hvc", immediate: 0, x: [random.pick(OFF)] },
          ...Array<Step>(3).fill({ do: "load", address, size }),
          ...Array<Step>(3).fill({ do: "work", count: random.below(100_000) }),
          ...Array<Step>(3).fill({ do: "store", address, size, value: BigInt(random.below(4)) }),
        ]);
      }
    };
    const signed: Script = function* () {
      for (;;) {
        for (let turn = random.below(20); turn > 0; turn--) yield { do: "work", count: random.below(100_000) };
        yield { do: "hvc", immediate: 0, x: [random.pick(OFF)] };
      }
    };
    super({
      device,
      check: true,
      signed: SIGNED,
      // Wherever a vCPU starts.
      scripts: new Proxy({}, { get: (_, address) => Number(address) >= SIGNED_BASE ? signed : guest }),
    });
    this.#before = this.#below();
    this.#mayLose = LOSING.includes(device);
    this.losesMemory = LOSING_MEMORY.includes(device);
  }

  leaksNothing(): void {
    if (this.#mayLose && this.#lost > 0) this.#before = this.#below();
    else assert.deepEqual(this.#below(), this.#before);
  }

  #below(): Below {
    const { objects, rootPartition, privatePartition } = this.hypervisor;
    return { objects: objects.size, heaps: [rootPartition.heapUsed, privatePartition.heapUsed] };
  }

  refusals(): number {
    return this.hypervisor.trace.reasons.count;
  }

  outside(random: Random): void {
    this.pass(random.below(1_000_000));
  }

  over(): string[] {
    this.pass(1e9);
    checkInvariants(this.hypervisor);
    assert.deepEqual(this.problems, []);
    // W33: each refusal on the way has a rule, of a section that there is.
    for (const { section, rule, chain } of this.hypervisor.trace.reasons.list()) {
      const whole = isSection(section) && rule !== "no rule was recorded";
      assert.ok(whole, `${section}: ${rule}: ${chain.map(({ name, result }) => `${name} ${result.name}`).join(", ")}`);
    }
    const names = this.exchanges.filter(({ way }) => way === "request").map(({ id }) =>
      RPC_MESSAGES.get(id)?.name ?? `0x${id.toString(16)}`
    );
    this.#lost = this.exchanges.filter(({ way, id, payload }) => way === "reply" && id === VM_DEALLOCATE.id && payload[0] !== 0).length;
    this.exchanges.length = 0;
    return names;
  }
}

class Fuzzer {
  /** Requests to the Resource Manager by name: how deep the calls got. */
  readonly sent = new Map<string, number>();
  readonly #requests: readonly Request[];
  #pid = 0;
  #scratch = 0;
  #memory = 0;
  #argumentSize = 0;
  /** Values are those of a VM that starts. */
  #usual = false;
  /** Descriptors that may be open, and addresses of files that are mapped. */
  #fds: number[] = [];
  #mapped: number[] = [];
  #tasks: number[] = [];

  constructor(readonly bed: Bed, device: typeof DEVICES[number], readonly random: Random) {
    this.#requests = [...PERSONAS[device].requests, ...GZVM_REQUESTS];
  }

  /** One process from its beginning to its end. */
  life(): void {
    this.bed.visit(({ kernel }) => {
      this.#pid = kernel.spawn();
      this.#scratch = kernel.mapAnonymous(this.#pid, 0x1000, { read: true, write: true });
      this.#memory = kernel.mapAnonymous(this.#pid, MEMORY, { read: true, write: true });
      kernel.store(this.#pid, this.#memory, DEVICETREE);
      this.#fds = [kernel.open(this.#pid, "/dev/gunyah"), kernel.open(this.#pid, "/dev/gzvm"), kernel.eventfd(this.#pid, 0)];
    });
    this.#tasks = [];
    this.#mapped = [];
    for (let call = 0; call < LIFE; call++) this.#step();
    this.#end();
  }

  #step(): void {
    if (this.random.below(60) === 0) return this.#startVm();
    switch (this.random.below(12)) {
      case 0:
        return this.#around();
      case 1:
      case 2:
        return this.bed.outside(this.random);
      case 3:
        return void (this.#tasks.length > 0 && this.bed.visit(({ kernel }) => kernel.signal(this.random.pick(this.#tasks))));
      default:
        return this.#ioctl();
    }
  }

  /** Starts a VM, unless something outside fails: random calls alone rarely come so far. */
  #startVm(): void {
    this.#usual = true;
    for (const name of START_CALLS) {
      const request = this.#requests.find((each) => each.name.startsWith(name));
      if (request !== undefined) this.#ioctl(request);
    }
    this.#usual = false;
  }

  /** Mostly what the descriptor's driver knows. */
  #anyRequest(): Request {
    return this.random.pick(this.random.below(8) === 0 ? REQUESTS : this.#requests);
  }

  #ioctl(request = this.#anyRequest()): void {
    const { random, bed } = this;
    const code = !this.#usual && random.below(20) === 0 ? request.code ^ 1 << random.below(31) : request.code;
    const before = bed.refusals();
    const { fd, task, result } = bed.visit(({ kernel }) => {
      const fd = !this.#usual && random.below(8) === 0 ? random.pick(this.#fds) : this.#descriptorFor(kernel, request);
      let argument = this.#usual ? 0n : BigInt(random.pick(NUMBERS));
      if (request.struct !== undefined && (this.#usual || random.below(10) > 0)) {
        const nested = this.#usual ? FN_VCPU_ARG : random.pick(ARGUMENT_STRUCTS);
        this.#argumentSize = nested.size;
        kernel.store(this.#pid, this.#scratch + 0x800, this.#struct(nested));
        kernel.store(this.#pid, this.#scratch, this.#struct(request.struct));
        argument = BigInt(this.#scratch);
      } else if (random.below(3) > 0) {
        kernel.store(this.#pid, this.#scratch, new Uint8Array(0x800));
        argument = request.name === "GZVM_RUN" ? BigInt(this.#scratch) : 0n;
      }
      return { fd, ...kernel.ioctl(this.#pid, fd, code, argument) };
    });
    if (result === undefined) this.#tasks.push(task);
    else if (result > 2) this.#fds.push(result);
    else if (result < 0 && result !== -Errno.EINTR && result !== -Errno.EBADF && this.#drives(fd)) {
      assert.ok(bed.refusals() > before, `${request.name} on ${fd} gave ${result} without a reason`);
    }
  }

  /** The newest or any descriptor of the kind that the request is for. */
  #descriptorFor(kernel: HostKernel, { on, code }: Request): number {
    const driver = (code >>> 8 & 0xff) === GZVM_MAGIC ? "gzvm" : "gunyah";
    const kind = on === "device" ? driver : `${driver}-${on}`;
    const fitting = this.#fds.filter((fd) => kernel.fileOf(this.#pid, fd)?.kind === kind);
    return fitting.length === 0
      ? this.#fds[driver === "gzvm" ? 1 : 0]
      : this.#usual || this.random.below(2) > 0
      ? fitting.at(-1)!
      : this.random.pick(fitting);
  }

  /** Whether the descriptor is one of the drivers' files: others answer ioctls as Linux does. */
  #drives(fd: number): boolean {
    const kind = this.bed.visit(({ kernel }) => kernel.fileOf(this.#pid, fd)?.kind);
    return kind !== undefined && !["eventfd", "memfd", "guest-memfd", "gunyah-mem"].includes(kind);
  }

  #struct(struct: Struct): Uint8Array {
    const values: Record<string, number | bigint | (number | bigint)[]> = {};
    for (const { name, type } of struct.fields) {
      const value = () => this.#value(name);
      values[name] = typeof type === "string"
        ? this.#cut(type, value())
        : name === "name"
        ? [...new TextEncoder().encode(this.random.pick(["trustedvm", "trustedvm", "oemvm", "", "x".repeat(16)]))]
        : Array.from({ length: type.length }, () => this.#cut(type.array, 0n));
    }
    return struct.encode(values);
  }

  #cut(type: string, value: bigint): bigint | number {
    return type === "u64" ? value : Number(value & 0xffff_ffffn);
  }

  #value(name: string): bigint {
    const { random } = this;
    if (/fd/.test(name)) return BigInt(random.pick(this.#fds));
    if (this.#usual || random.below(3) > 0) {
      // A VM that can be started: the same region, devicetree and functions each time.
      const usual: Record<string, number> = {
        flags: 7,
        label: this.#usual ? 0 : random.below(2),
        slot: 0,
        type: this.#usual ? FunctionType.Vcpu : 1 + random.below(3),
        id: this.#usual ? 0 : random.below(2),
        offset: 0,
        reg: 0x100,
      };
      const place: Record<string, number> = {
        guest_phys_addr: BASE,
        guest_addr: BASE,
        memory_size: MEMORY,
        size: random.pick([MEMORY, 0x1000]),
      };
      if (name === "arg_size") return BigInt(this.#argumentSize);
      if (name === "userspace_addr") return BigInt(this.#memory);
      const value = usual[name] ?? place[name];
      if (value !== undefined) return BigInt(value);
    }
    if (/userspace/.test(name)) return BigInt(this.#memory) + BigInt(random.pick([0, 0x1000, 1]));
    if (name === "arg" || name === "addr" && random.below(2) > 0) return BigInt(this.#scratch + 0x800);
    if (/size/.test(name) && random.below(2) > 0) return BigInt(random.pick([0x1000, 0x8000, 4, 16, 32]));
    if (/guest|gpa|address/.test(name)) return BigInt(0x8000_0000 + random.below(16) * 0x1000);
    return random.below(8) === 0 ? BigInt(random.below(0xffff_ffff)) << 32n | 0xfffn : BigInt(random.pick(NUMBERS));
  }

  /** Operations of a process besides ioctls. */
  #around(): void {
    const { random } = this;
    this.bed.visit(({ kernel }) => {
      const fd = random.pick(this.#fds), pid = this.#pid;
      switch (random.below(9)) {
        case 0:
          return void (this.#fds.length > 6 && kernel.close(pid, fd));
        case 1:
          return void this.#keep(kernel.dup(pid, fd));
        case 2:
          return void this.#keep(kernel.eventfd(pid, random.below(2)));
        case 3:
          return void kernel.write(pid, fd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
        case 4:
          return this.#map(kernel, fd);
        case 5:
          return void kernel.store(pid, this.#memory + random.below(MEMORY), Uint8Array.of(1));
        case 6:
          return void (this.#mapped.length > 0 && kernel.munmap(pid, this.#mapped.pop()!));
        case 7:
          return void (this.#mapped.length > 0 && kernel.store(pid, random.pick(this.#mapped) + random.below(0x2000), Uint8Array.of(1)));
        default: {
          const child = kernel.fork(pid);
          kernel.exit(child);
        }
      }
    });
  }

  /** mmap of a descriptor: often more than the file has, or at an unaligned offset. */
  #map(kernel: HostKernel, fd: number): void {
    const { random } = this;
    const size = random.pick([0, 1, 0x1000, 0x2000, 0x8000]), offset = random.pick([0, 0, 0x1000, 8]);
    const access = { read: random.below(8) > 0, write: random.below(4) > 0, private: random.below(2) > 0, offset };
    const address = kernel.mapFile(this.#pid, fd, size, access);
    if (address > 0) this.#mapped.push(address);
  }

  #keep(fd: number): void {
    if (fd > 0) this.#fds.push(fd);
  }

  /**
   * The process closes everything in any order, or leaves that to its end; then it ends, and so do
   * its VMs.
   */
  #end(): void {
    const { bed } = this;
    if (this.random.below(2) > 0) this.#closeAll();
    bed.visit(({ kernel }) => kernel.exit(this.#pid));
    for (const name of bed.over(this.random)) this.sent.set(name, (this.sent.get(name) ?? 0) + 1);
    bed.visit(({ kernel, gunyah, gzvm }) => {
      assert.deepEqual([gunyah.state.vms, gunyah.state.vcpus, gunyah.state.guestMemory, gunyah.state.waiting], [{}, {}, {}, {}]);
      assert.deepEqual([gzvm!.state.vms, gzvm!.state.ofGunyahVm, gzvm!.state.runs], [{}, {}, {}]);
      const { processes, files, tasks, eventfds, memory } = kernel.state;
      assert.deepEqual([processes, files, tasks, eventfds], [{}, {}, {}, {}]);
      if (bed.losesMemory) return;
      assert.deepEqual([memory.objects, memory.spaces], [{}, {}]);
      const zeroPage = memory.zeroPage === undefined ? 0 : 1;
      assert.equal(kernel.memory.pages.available + zeroPage, bed.pages);
    });
    bed.leaksNothing();
  }

  #closeAll(): void {
    const { bed, random } = this;
    bed.visit(({ kernel }) => {
      for (const task of this.#tasks) kernel.signal(task);
      for (const address of this.#mapped) kernel.munmap(this.#pid, address);
      for (const fds = [...new Set(this.#fds)]; fds.length > 0;) kernel.close(this.#pid, fds.splice(random.below(fds.length), 1)[0]);
    });
  }
}

for (const device of DEVICES) {
  Deno.test(`random calls on a host of ${device}, and on its /dev/gzvm, throw nothing and leave nothing`, () => {
    const fuzzer = new Fuzzer(new FakeBed(device), device, new Random(0x5eed + DEVICES.indexOf(device)));
    for (let done = 0; done < CALLS / DEVICES.length; done += LIFE) fuzzer.life();
    const started = fuzzer.sent.get("VM_START") ?? 0;
    assert.ok(started > CALLS / DEVICES.length / 2500, `VMs were started ${started} times`);
  });
}

for (const device of DEVICES) {
  Deno.test(`random calls on ${device} with the real hypervisor below keep its invariants, and leave nothing`, () => {
    const random = new Random(0xb0a7 + DEVICES.indexOf(device));
    let started = 0;
    for (let done = 0; done < STACK_CALLS / DEVICES.length;) {
      const fuzzer = new Fuzzer(new StackBed(device, random), device, random);
      for (let life = 0; life < STACK_LIVES && done < STACK_CALLS / DEVICES.length; life++, done += LIFE) fuzzer.life();
      started += fuzzer.sent.get("VM_START") ?? 0;
    }
    console.log(`${device}: ${STACK_CALLS / DEVICES.length} calls, ${started} VMs started`);
    assert.ok(started > 0, "VMs were started");
  });
}
