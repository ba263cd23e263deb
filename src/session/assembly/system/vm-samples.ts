// The VMs of a machine in a sample: what each vCPU does, and what devices have done.

import { VcpuOption } from "../../../machine/abi/words.ts";
import type { Hypervisor, Vcpu } from "../../../machine/hypervisor/boot.ts";
import { vcpuWord } from "../../inspection/readers/guest-names.ts";
import type { VirtioSlot } from "../../inspection/readers/inspected.ts";
import type { VcpuSample, VmSample } from "../../../model/protocol/protocol.ts";
import type { Consoles } from "../vms/consoles.ts";
import type { SessionVms } from "../vms/session-vms.ts";
import type { VmSampler } from "./system.ts";

/** Requirements on the system. */
interface SampledSystem {
  readonly hypervisor: Pick<Hypervisor, "scheduler">;
  readonly vms: SessionVms;
  readonly consoles: Pick<Consoles, "of">;
  readonly virtio: readonly VirtioSlot[];
}

/** The samples of one machine. */
export class VmSamples implements VmSampler {
  readonly #times = new WeakMap<Vcpu, number>();

  constructor(readonly system: SampledSystem) {}

  sample(elapsed: number): VmSample[] {
    const { hypervisor, vms: known, consoles, virtio } = this.system;
    const vms = new Map<number, Vcpu[]>(known.gone().map((vmid) => [vmid, []]));
    for (const vcpu of hypervisor.scheduler.vcpus) {
      const vmid = vcpu.addressSpace?.vmid;
      if (vmid === undefined) continue;
      const of = vms.get(vmid) ?? [];
      vms.set(vmid, of);
      of.push(vcpu);
    }
    const samples = [...vms].sort(([a], [b]) => a - b).map(([vmid, vcpus]): VmSample => {
      const name = known.nameOf(vmid);
      return {
        name,
        vmid,
        state: known.stateOf(vmid),
        schedule: vcpus.length === 0 ? known.planned(name)?.schedule ?? "own" : scheduleOf(vcpus),
        console: consoles.of(name),
        ...known.runsLinux(name) && { linux: true as const },
        vcpus: vcpus.sort((a, b) => a.index - b.index).map((vcpu) => this.#sample(vcpu, elapsed)),
        devices: virtio.filter(({ vm }) => vm === name)
          .map(({ id, device }) => ({ id, kind: `virtio-${device.name}`, metrics: device.metrics() })),
      };
    });
    return [...samples, ...this.#withoutVmid(new Set(samples.map(({ name }) => name)))];
  }

  #withoutVmid(sampled: ReadonlySet<string>): VmSample[] {
    const { vms: known, consoles } = this.system;
    return known.withoutVmid(sampled).map((name) => ({
      name,
      vmid: 0,
      state: "FAILED",
      schedule: known.planned(name)!.schedule,
      console: consoles.of(name),
      vcpus: [],
      devices: [],
    }));
  }

  #sample(vcpu: Vcpu, elapsed: number): VcpuSample {
    const time = vcpu.usage.time, before = this.#times.get(vcpu) ?? 0;
    this.#times.set(vcpu, time);
    return {
      index: vcpu.index,
      state: vcpuWord(vcpu),
      pcpu: this.system.hypervisor.scheduler.hasCpu(vcpu.settings.affinity) ? vcpu.settings.affinity : undefined,
      instructions: vcpu.usage.instructions,
      load: elapsed > 0 ? (time - before) / elapsed : 0,
      waits: vcpu.life.waits,
      pc: vcpu.native ? "" : `0x${vcpu.registers.pc.toString(16).padStart(16, "0")}`,
    };
  }
}

/**
 * The scheduler of a VM's vCPUs: they are native, a VMM runs them by vcpu_run, or the hypervisor
 * does.
 */
function scheduleOf(vcpus: readonly Vcpu[]): VmSample["schedule"] {
  if (vcpus.some((vcpu) => vcpu.native)) return "native";
  return vcpus.some((vcpu) => vcpu.settings.options & VcpuOption.VcpuRunScheduled) ? "proxy" : "own";
}
