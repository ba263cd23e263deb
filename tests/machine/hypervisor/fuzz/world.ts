// A 64 MiB machine on which three hostile VMs, with capabilities to most of what there is, run
// against each other for one epoch at a time. Afterwards everything of theirs is taken away, and
// nothing may be left.

import assert from "node:assert/strict";
import type { HypercallName } from "../../../../src/machine/abi/hypercalls.ts";
import { Access, CPU_INVALID, ExtentType, VcpuOption } from "../../../../src/machine/abi/words.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { ObjectArchive } from "../../../../src/machine/hypervisor/archive/archive.ts";
import { archiveHypervisor, violationOf } from "../../../../src/machine/hypervisor/hypervisor-archive.ts";
import { Checker } from "../../../../src/machine/hypervisor/check/check.ts";
import { describeViolation } from "../../../../src/machine/hypervisor/check/violation.ts";
import { Cspace } from "../../../../src/machine/hypervisor/capabilities/cspace.ts";
import type { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { Hwirq } from "../../../../src/machine/hypervisor/gic/hwirq.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { Block } from "../../../../src/machine/hypervisor/scheduling/vcpu-life.ts";
import { PL011_INTID, RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { attributes, RW_NORMAL, RWX_NORMAL, TestGuest } from "../fixture.ts";
import { ScriptedMachine, type ScriptedState } from "../scripted.ts";
import { type Action, Ipa, toStep } from "./actions.ts";

const VMS = 3;
/** Two vCPUs each; the third VM's are run by the others, with vcpu_run. */
const VCPUS = 2;
const PROXY_VM = 2;
/** Memory of a VM: a BASIC extent that is mapped, and a SPARSE one after it. Bytes. */
const BASIC_SIZE = 0x1_0000;
const SPARSE_SIZE = 0x8_0000;
const RIGHTS = 0xffff_ffffn;
/** Virtual time (ns) after which an epoch in which nothing happens is over. */
const PATIENCE = 50_000_000;

/** Chooses a vCPU's next action; undefined ends the epoch. */
export type Director = (vcpu: Vcpu, ordinal: number) => Action | undefined;

/** The sum of what there is, to be the same after each epoch. */
interface Census {
  readonly heapUsed: number;
  readonly objects: number;
  readonly tables: number;
  readonly addressSpaces: number;
  readonly vcpus: number;
  readonly virtioPages: number;
  readonly owners: string;
}

/** The machine of the hostile VMs. */
export class HostileWorld {
  readonly machine: ScriptedMachine;
  readonly hypervisor: Hypervisor;
  readonly checker: Checker;
  readonly #keeper: TestGuest;
  readonly #census: Census;
  readonly #behaviour: Partial<Behaviour>;
  /** The keeper's capability to a hardware interrupt. */
  readonly #interrupt: bigint;
  #director: Director = () => undefined;
  #over = false;
  /** Objects whose numbers are below this are older than the epoch. */
  #firstSerial = 0;
  readonly #vcpus = new Map<ScriptedState, Vcpu>();

  constructor(behaviour: Partial<Behaviour> = {}) {
    // deno-lint-ignore no-this-alias
    const world = this;
    this.#behaviour = behaviour;
    this.machine = new ScriptedMachine(2, function* (registers) {
      for (;;) yield world.#act(registers);
    }, behaviour);
    this.hypervisor = this.machine.hypervisor;
    this.#keeper = new TestGuest(this.hypervisor);
    this.#interrupt = this.#createInterrupt();
    this.checker = this.hypervisor.checker = new Checker(this.hypervisor);
    this.#census = this.#count();
  }

  /** Why the machine stopped, which it must not. */
  get failure(): string | undefined {
    const reason = this.hypervisor.machine.stopReason;
    return reason && (reason.kind === "crash" ? reason.message : reason.kind);
  }

  /**
   * Three fresh VMs do what `director` says, until it says no more or nobody can do anything; then
   * they are taken away. Gives the violation that ended it early, or what a sweep found afterwards.
   */
  epoch(director: Director): string | undefined {
    this.#director = director;
    this.#over = false;
    this.#vcpus.clear();
    const kept = this.#keeper.cspace.used;
    this.#firstSerial = this.hypervisor.nextSerial();
    this.#build();
    const failure = this.#run() ?? this.#sweep("the epoch") ?? this.#saved();
    if (failure) return failure;
    this.#clear(kept);
    return this.failure ?? this.#sweep("everything was taken away") ?? this.#growth();
  }

  /**
   * The defect of a snapshot of the state, which must load, break no invariant, and be the same
   * when saved again.
   */
  #saved(): string | undefined {
    try {
      const archive = new ObjectArchive();
      archiveHypervisor(this.hypervisor, archive);
      const bytes = archive.saved;
      const { hypervisor } = new ScriptedMachine(2, undefined, this.#behaviour);
      const loading = new ObjectArchive(bytes);
      archiveHypervisor(hypervisor, loading);
      loading.finish();
      const again = new ObjectArchive();
      archiveHypervisor(hypervisor, again);
      assert.deepEqual(again.saved, bytes);
      return violationOf(hypervisor);
    } catch (error) {
      return `after a snapshot: ${(error as Error).stack}`;
    }
  }

  /** A line for each thing that there is more or less of than at the start. */
  #growth(): string | undefined {
    const now = this.#count();
    try {
      assert.deepEqual(now, this.#census);
      return undefined;
    } catch (error) {
      const left = [...this.hypervisor.objects].filter(({ serial }) => serial >= this.#firstSerial).map((
        { name, references },
      ) => [name, references]);
      return `something is left: ${(error as Error).message}\n${left.join("\n")}`;
    }
  }

  #createInterrupt(): bigint {
    const { rootPartition, hwirqs } = this.hypervisor;
    assert.ok(rootPartition.allocate(Hwirq.SIZE));
    const hwirq = new Hwirq(this.hypervisor, rootPartition, PL011_INTID);
    hwirqs.set(PL011_INTID, hwirq);
    const cap = this.#keeper.cspace.insertMaster(hwirq);
    assert.ok(typeof cap === "bigint");
    return cap;
  }

  #count(): Census {
    const { hypervisor } = this;
    return {
      heapUsed: hypervisor.rootPartition.heapUsed,
      objects: hypervisor.objects.size,
      tables: hypervisor.options.stage2.available,
      addressSpaces: hypervisor.addressSpaces.size,
      vcpus: hypervisor.scheduler.vcpus.size,
      virtioPages: hypervisor.virtioPages.size,
      owners: [...hypervisor.memory.all()].map(({ pa, size, owner }) => `${pa} ${size} ${owner.name}`).join(),
    };
  }

  #sweep(when: string): string | undefined {
    const [violation] = this.checker.sweep();
    return violation && `after ${when}: ${describeViolation(violation)}`;
  }

  #act(registers: ScriptedState) {
    const vcpu = this.#vcpuOf(registers);
    const action = this.#over ? undefined : this.#director(vcpu, vcpu.serial - this.#firstSerial);
    if (action) return toStep(action, registers);
    this.#over = true;
    this.hypervisor.machine.suspend();
    return { compute: 1 };
  }

  #vcpuOf(registers: ScriptedState): Vcpu {
    let vcpu = this.#vcpus.get(registers);
    if (!vcpu) {
      vcpu = [...this.hypervisor.objects].find((object) => object instanceof Vcpu && object.registers === registers) as Vcpu;
      this.#vcpus.set(registers, vcpu);
    }
    return vcpu;
  }

  #build(): void {
    const keeper = this.#keeper;
    const shared: bigint[] = [this.#interrupt];
    const make = (name: HypercallName, ...args: bigint[]) => keeper.ok(name, ...args);
    const active = (type: Parameters<TestGuest["create"]>[0], configure: (cap: bigint) => void = () => {}) => {
      const cap = keeper.create(type);
      configure(cap);
      make("object_activate", cap);
      return cap;
    };
    for (let i = 0; i < 2; i++) {
      shared.push(active("doorbell"), active("msgqueue", (cap) => make("msgqueue_configure", cap, BigInt(2 + i) | 64n << 16n)));
    }
    const vms = Array.from({ length: VMS }, (_, index) => {
      const cspace = active("cspace", (cap) => make("cspace_configure", cap, 100n));
      const space = active("addrspace", (cap) => make("addrspace_configure", cap, BigInt(index + 1)));
      const vic = active("vic", (cap) => make("vic_configure", cap, BigInt(VCPUS), 40n));
      const group = active("vpm_group");
      const base = RAM_BASE + index * 0x100_0000;
      const memory = keeper.extent(base, BASIC_SIZE);
      make("addrspace_map", space, memory, BigInt(Ipa.Ram), RWX_NORMAL);
      const sparse = active("memextent", (cap) => {
        make(
          "memextent_configure",
          cap,
          BigInt(base + BASIC_SIZE),
          BigInt(SPARSE_SIZE),
          attributes(Access.RWX, 0) | BigInt(ExtentType.Sparse) << 16n,
        );
      });
      make("memextent_donate", 0n, 1n, sparse, 0n, BigInt(SPARSE_SIZE));
      const page = keeper.extent(base + 0x20_0000, 0x1000, Access.RW);
      make("addrspace_map", space, page, BigInt(Ipa.Virtio), RW_NORMAL & ~0x22n);
      const device = keeper.one("partition_create_virtio_mmio", 1n, 0n);
      // One VM's is an input device.
      make("virtio_mmio_configure", device, page, 2n, index === 0 ? 0x40n : 0n, index === 0 ? 18n : 0n);
      make("object_activate", device);
      if (index === 0) make("virtio_input_configure", device, 1n, 2n, 3n, 4n);
      make("addrspace_configure_vmmio", space, BigInt(Ipa.Vmmio), 0x1_0000n);
      const vcpus = Array.from({ length: VCPUS }, (_, at) => {
        const thread = keeper.create("thread");
        make("cspace_attach_thread", cspace, thread);
        make("addrspace_attach_thread", space, thread);
        make("vic_attach_vcpu", vic, thread, BigInt(at));
        make("vpm_group_attach_vcpu", group, thread, BigInt(at));
        make("vcpu_configure", thread, index === PROXY_VM ? VcpuOption.VcpuRunScheduled : 0n);
        make("vcpu_set_affinity", thread, index === PROXY_VM ? BigInt(CPU_INVALID) : BigInt(at));
        make("object_activate", thread);
        return thread;
      });
      const loose = (["doorbell", "msgqueue", "memextent", "thread", "vic", "addrspace"] as const).map((type) => keeper.create(type));
      const revoked = keeper.create("doorbell");
      return { cspace, caps: [cspace, space, vic, group, memory, sparse, page, device, ...vcpus, ...loose, revoked], vcpus, revoked };
    });
    for (const { cspace, revoked } of vms) {
      make("cspace_copy_cap_from", 0n, 1n, cspace, RIGHTS);
      for (const cap of [...shared, ...vms.flatMap(({ caps }) => caps)]) make("cspace_copy_cap_from", 0n, cap, cspace, RIGHTS);
      make("cspace_revoke_caps_from", 0n, revoked);
    }
    for (const { vcpus } of vms) for (const vcpu of vcpus) make("vcpu_poweron", vcpu, BigInt(Ipa.Ram), 0n);
  }

  #run(): string | undefined {
    const { machine } = this.hypervisor;
    let last = this.#actions(), waited = 0;
    while (!this.#over && !this.failure && waited < PATIENCE) {
      this.machine.run(1_000_000);
      const now = this.#actions();
      waited = now === last ? waited + 1_000_000 : 0;
      last = now;
      if (waited > 0) this.#revive();
    }
    if (machine.suspended) this.machine.run(1000);
    return this.failure;
  }

  /** Exits of all vCPUs of the epoch. */
  #actions(): number {
    let sum = 0;
    for (const vcpu of this.#mine(Vcpu)) sum += vcpu.usage.exits;
    return sum;
  }

  /** Continues vCPUs that sleep or are off, as another VM's call would. */
  #revive(): void {
    for (const vcpu of this.#mine(Vcpu)) {
      if (vcpu.state !== "active" || vcpu.life.isDead) continue;
      if (vcpu.settings.affinity === CPU_INVALID && !vcpu.life.isBlockedBy(Block.Run)) this.hypervisor.scheduler.migrate(vcpu, 0);
      if (vcpu.life.isPoweredOff) vcpu.powerOn(BigInt(Ipa.Ram), 0n);
      else if (vcpu.life.isBlockedBy(Block.Wfi | Block.Suspend)) vcpu.unblock(Block.Wfi | Block.Suspend);
    }
  }

  *#mine<T>(type: new (...args: never[]) => T): Generator<T> {
    for (const object of [...this.hypervisor.objects]) if (object.serial > this.#firstSerial && object instanceof type) yield object;
  }

  /** Kills every vCPU, lets each come to its end, and deletes every capability. */
  #clear(kept: number): void {
    const { scheduler } = this.hypervisor;
    for (const vcpu of this.#mine(Vcpu)) {
      if (vcpu.state !== "active") continue;
      vcpu.kill();
      if (vcpu.settings.affinity === CPU_INVALID) scheduler.migrate(vcpu, 0);
      if (!vcpu.turn.donor) vcpu.unblock(Block.Run);
    }
    for (
      let round = 0;
      round < 100 && [...this.#mine(Vcpu)].some((vcpu) => vcpu.state === "active" && vcpu.life.stage !== "exited");
      round++
    ) {
      this.machine.run(1_000_000);
      for (const vcpu of this.#mine(Vcpu)) {
        if (vcpu.state === "active" && !vcpu.turn.donor && vcpu.life.stage === "killed") vcpu.unblock(Block.Run);
      }
    }
    for (const cspace of this.#mine(Cspace)) for (const [slot] of [...cspace.capabilities()]) cspace.delete(BigInt(slot));
    const { cspace } = this.#keeper;
    for (const [slot] of [...cspace.capabilities()].slice(kept)) cspace.delete(BigInt(slot));
    this.checker.verify();
  }
}
