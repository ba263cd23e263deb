// VPM groups: the vCPUs that PSCI treats as the CPUs of one system (docs/spec/hypervisor.md §4.10,
// §5.6, §6.5).

import { ErrorCode } from "../../abi/errors.ts";
import { VpmState } from "../../abi/words.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import { VirqSource } from "../gic/vic-source.ts";
import type { Machine } from "../../hardware/machine.ts";
import { MAX_CPUS } from "../../hardware/memory-map.ts";
import type { Services } from "../services/services.ts";
import { Watchdog } from "./watchdog.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    vpm_group: VpmGroup;
  }
  interface EveryService extends WatchdogServices {}
}

/** Requirements of watchdogs on the hypervisor. */
interface WatchdogServices {
  readonly machine: Machine;
}

type Vcpu = ObjectOf<"thread">;

/** A CPU_ON that was refused: who asked, at which PC, and the error. */
export interface RefusedStart {
  readonly mpidr: bigint;
  readonly vcpu: number;
  readonly pc: bigint;
  readonly status: string;
}

export class VpmGroup extends HypervisorObject {
  static readonly SIZE = 512;
  readonly type = "vpm_group";
  #aggregates = true;
  #refusedStart: RefusedStart | undefined;
  readonly #vcpus: (Vcpu | undefined)[] = [];
  /** System suspend; nothing asserts it, as this build has no system suspend. */
  readonly virq = new VirqSource(this, "group state", () => false);

  /** The watchdog of the VM whose CPUs these are. */
  readonly watchdog: Watchdog;

  constructor(services: Services & WatchdogServices, partition: Heap) {
    super(services, partition, VpmGroup.SIZE);
    this.watchdog = new Watchdog(() => services.machine, () => this.#bitten());
  }

  /**
   * Whether power states of the vCPUs are combined: the last one online may not power off by
   * CPU_OFF.
   */
  get aggregates(): boolean {
    return this.#aggregates;
  }

  /** Sets whether power states are combined, while in state INIT. */
  configure(aggregates: boolean): void {
    this.#aggregates = aggregates;
  }

  /** The last CPU_ON that was refused, unless one with its MPIDR has succeeded since: evidence. */
  get refusedStart(): RefusedStart | undefined {
    return this.#refusedStart;
  }

  /** CPU_ON of this MPIDR was refused, or succeeded. */
  noteStart(mpidr: bigint, refused: Omit<RefusedStart, "mpidr"> | undefined): void {
    if (refused) this.#refusedStart = { mpidr, ...refused };
    else if (this.#refusedStart?.mpidr === mpidr) this.#refusedStart = undefined;
  }

  /** Active vCPUs in the order of their indices. */
  get vcpus(): readonly Vcpu[] {
    return this.#vcpus.filter((vcpu) => vcpu !== undefined);
  }

  /** A vCPU's activation takes its index; DENIED where another has it. */
  occupy(vcpu: Vcpu, index: number): ErrorCode {
    const holder = this.#vcpus[index];
    if (holder) return this.refuse(ErrorCode.DENIED, "another vCPU has this index", { index, holder: holder.name });
    this.#vcpus[index] = vcpu;
    return ErrorCode.OK;
  }

  /** The vCPU is gone. */
  vacate(vcpu: Vcpu, index: number): void {
    if (this.#vcpus[index] === vcpu) this.#vcpus[index] = undefined;
  }

  /** Whether no other vCPU of the group is powered on. */
  isLastOnline(vcpu: Vcpu): boolean {
    return this.vcpus.every((other) => other === vcpu || other.life.isPoweredOff);
  }

  /** vpm_state: running if any vCPU is awake. */
  get vpmState(): bigint {
    return this.vcpus.some((vcpu) => vcpu.life.isAwake) ? VpmState.Running : VpmState.CpusSuspended;
  }

  /** The first vCPU that lives halts with a fault, the others are killed. */
  #bitten(): void {
    const [first, ...others] = this.vcpus.filter(({ life }) => !life.isDead);
    for (const other of others) other.kill();
    first?.bite(this.watchdog.bite);
  }

  virqSources(): VirqSource[] {
    return [this.virq];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#aggregates = archive.bool("aggregates", this.#aggregates);
    this.#refusedStart = archive.maybe("refusedStart", this.#refusedStart, (start) => ({
      mpidr: archive.word("mpidr", start?.mpidr),
      vcpu: archive.integer("vcpu", start?.vcpu, 0, MAX_CPUS - 1),
      pc: archive.word("pc", start?.pc),
      status: archive.text("status", start?.status),
    }));
    this.virq.archive("virq", archive);
    archive.within("watchdog", () => this.watchdog.archive(archive));
  }

  protected onActivate(): ErrorCode {
    return ErrorCode.OK;
  }

  protected onDestroy(): void {
    this.virq.unbind();
    this.watchdog.release();
  }
}
