// VPM groups: the vCPUs that PSCI treats as the CPUs of one system (docs/spec/hypervisor.md §4.10,
// §5.6, §6.5).

import { ErrorCode } from "../../abi/errors.ts";
import { VicRight, VpmGroupRight } from "../../abi/rights.ts";
import { VpmGroupFlags, VpmState } from "../../abi/words.ts";
import { MAX_CPUS } from "../../machine/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { active, configurable, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { HypervisorObject } from "../capabilities/object.ts";
import type { Partition } from "../memory/partition.ts";
import type { Fields } from "../check/state-dump.ts";
import type { Vcpu } from "./vcpu.ts";
import { VirqSource } from "../gic/vic-source.ts";

/** A VPM group. */
export class VpmGroup extends HypervisorObject {
  static readonly SIZE = 512;
  readonly type = "vpm_group";
  /**
   * Whether power states of the vCPUs are combined: the last one online may not power off by
   * CPU_OFF.
   */
  aggregates = true;
  readonly #vcpus: (Vcpu | undefined)[] = [];
  /** System suspend; nothing asserts it, as this build has no system suspend. */
  readonly virq = new VirqSource(this, "group state", () => false);

  constructor(hypervisor: Hypervisor, partition: Partition) {
    super(hypervisor, partition, VpmGroup.SIZE);
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
    return this.vcpus.every((other) => other === vcpu || other.isPoweredOff);
  }

  /** vpm_state: running if any vCPU is awake. */
  get vpmState(): bigint {
    return this.vcpus.some((vcpu) => vcpu.isAwake) ? VpmState.Running : VpmState.CpusSuspended;
  }

  override virqSources(): VirqSource[] {
    return [this.virq];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.aggregates = archive.bool("aggregates", this.aggregates);
    this.virq.archive("virq", archive);
  }

  protected fields(): Fields {
    return { aggregates: this.aggregates, vcpus: this.vcpus.map((vcpu) => [vcpu.vpmIndex, vcpu.name]), virq: this.virq.dump() };
  }

  protected onActivate(): ErrorCode {
    return ErrorCode.OK;
  }

  protected onDestroy(): void {
    this.virq.unbind();
  }
}

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_vpm_group", VpmGroup),

  hypercall("vpm_group_configure", {
    validate: (call, { flags }) =>
      flags & ~VpmGroupFlags.Defined ? call.refuse(ErrorCode.UNIMPLEMENTED, "unknown flags", { flags }) : ErrorCode.OK,
    caps: { vpm_group: configurable("vpm_group") },
    handler(_call, { vpm_group, flags }) {
      vpm_group.aggregates = (flags & VpmGroupFlags.NoAggregation) === 0n;
      return ErrorCode.OK;
    },
  }),
  hypercall("vpm_group_attach_vcpu", {
    caps: { vpm_group: active("vpm_group", VpmGroupRight.AttachVcpu), vcpu: configurable("thread") },
    handler(call, { vpm_group, vcpu, index }) {
      if (index >= MAX_CPUS) return call.refuse(ErrorCode.ARGUMENT_INVALID, "indices are below 8", { index });
      vcpu.attachVpmGroup(vpm_group, index);
      return ErrorCode.OK;
    },
  }),
  hypercall("vpm_group_bind_virq", {
    caps: { vpm_group: active("vpm_group", VpmGroupRight.BindVirq), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { vpm_group, vic, virq }) => vic.bindShared(vpm_group.virq, virq),
  }),
  hypercall("vpm_group_unbind_virq", {
    caps: { vpm_group: active("vpm_group", VpmGroupRight.BindVirq) },
    handler(_call, { vpm_group }) {
      vpm_group.virq.unbind();
      return ErrorCode.OK;
    },
  }),
  hypercall("vpm_group_get_state", {
    caps: { vpm_group: active("vpm_group", VpmGroupRight.Query) },
    handler: (_call, { vpm_group }) => ({ vpm_state: vpm_group.vpmState }),
  }),
];
