// The hypercalls on VPM groups (docs/spec/hypervisor.md §4.10, §4.14).

import { ErrorCode } from "../../abi/errors.ts";
import { NewerVpmGroupRight, VicRight, VpmGroupRight } from "../../abi/rights.ts";
import { VpmGroupFlags } from "../../abi/words.ts";
import { MAX_CPUS } from "../../hardware/memory-map.ts";
import { active, ANY_CAP, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { VpmGroup } from "./vpm-group.ts";

/** No object has the type that a call on power asks for. */
function refusePower(call: Call, cap: bigint): ErrorCode {
  const object = call.cspace.lookup(cap, ANY_CAP);
  if (typeof object === "number") return object;
  return call.refuse(ErrorCode.CSPACE_WRONG_OBJECT_TYPE, "this build has no power objects", { power: object.name });
}

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_vpm_group", VpmGroup),

  hypercall("vpm_group_configure", {
    validate: (call, { flags }) =>
      flags & ~VpmGroupFlags.Defined ? call.refuse(ErrorCode.UNIMPLEMENTED, "unknown flags", { flags }) : ErrorCode.OK,
    caps: { vpm_group: configurable("vpm_group") },
    handler(_call, { vpm_group, flags }) {
      vpm_group.configure((flags & VpmGroupFlags.NoAggregation) === 0n);
      return ErrorCode.OK;
    },
  }),
  hypercall("vpm_group_attach_vcpu", {
    caps: { vpm_group: active("vpm_group", VpmGroupRight.AttachVcpu), vcpu: configurable("thread") },
    handler(call, { vpm_group, vcpu, index }) {
      if (index >= MAX_CPUS) return call.refuse(ErrorCode.ARGUMENT_INVALID, "indices are below 8", { index });
      vcpu.attachments.attachVpmGroup(vpm_group, index);
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
  hypercall("vpm_group_wakeup", {
    caps: { vpm_group: active("vpm_group", NewerVpmGroupRight.Wakeup) },
    handler(_call, { vpm_group }) {
      for (const vcpu of vpm_group.vcpus) vcpu.endSuspend();
      return ErrorCode.OK;
    },
  }),
  hypercall("vpm_group_bind_power", {
    caps: { vpm_group: active("vpm_group", NewerVpmGroupRight.BindPower) },
    handler: (call, { power }) => refusePower(call, power),
  }),
  hypercall("power_system_suspend", {
    handler: (call, { system_power }) => refusePower(call, system_power),
  }),
];
