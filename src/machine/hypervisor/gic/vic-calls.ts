// The hypercalls on VICs (docs/spec/hypervisor.md §4.5).

import { ErrorCode } from "../../abi/errors.ts";
import { VicRight } from "../../abi/rights.ts";
import { active, ANY_CAP, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import { Vic } from "./vic.ts";

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_vic", Vic),

  hypercall("vic_configure", {
    caps: { vic: configurable("vic") },
    handler: (_call, { vic, max_vcpus, max_virqs, vic_options, max_msis }) => vic.configure(max_vcpus, max_virqs, vic_options, max_msis),
  }),
  hypercall("vgic_set_mpidr_mapping", {
    caps: { vic: configurable("vic") },
    handler: (_call, { vic, mask, aff0_shift, aff1_shift, aff2_shift, aff3_shift, mt }) =>
      vic.setMpidrMapping(mask, [aff0_shift, aff1_shift, aff2_shift, aff3_shift], mt),
  }),
  hypercall("vic_attach_vcpu", {
    caps: { vic: active("vic", VicRight.AttachVcpu), vcpu: configurable("thread") },
    handler(call, { vic, vcpu, index }) {
      if (!vic.hasIndex(index)) return call.refuse(ErrorCode.ARGUMENT_INVALID, "the VIC has no such index", { index, limit: vic.maxVcpus });
      vcpu.attachments.attachVic(vic, index);
      return ErrorCode.OK;
    },
  }),
  hypercall("vic_bind_msi_source", {
    caps: { vic: active("vic", VicRight.BindSource) },
    handler(call, { vic, msi_source }) {
      const source = call.cspace.lookup(msi_source, ANY_CAP);
      if (typeof source === "number") return source;
      if (source.type === "doorbell" && call.services.hasLpis) return vic.bindMsis((source as ObjectOf<"doorbell">).messages);
      return call.refuse(ErrorCode.CSPACE_WRONG_OBJECT_TYPE, "there is no source of message-signaled interrupts", { target: source.name });
    },
  }),
];
