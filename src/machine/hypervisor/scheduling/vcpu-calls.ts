// The hypercalls on vCPUs but for vcpu_run (docs/spec/hypervisor.md §4.9, §5.6).

import { X_REGISTERS } from "../../../cpu/core/interface.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { ThreadRight, VicRight } from "../../abi/rights.ts";
import { CPU_INVALID, PoweroffFlags, PoweronFlags, RegisterSet, VcpuOption, VcpuVirqType } from "../../abi/words.ts";
import { active, anyState, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { type Call, DEFERRED, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { Vic } from "../gic/vic.ts";
import { Vcpu } from "./vcpu.ts";
import { Block } from "./vcpu-life.ts";
import { LONGEST_TIMESLICE, SHORTEST_TIMESLICE } from "./vcpu-settings.ts";

/** Options of the newer drop, and of the recorded build. */
const NEWER_OPTIONS = Object.values(VcpuOption).reduce((mask, bit) => mask | bit, 0n);
const RECORDED_OPTIONS = NEWER_OPTIONS & ~VcpuOption.NoTimerWakeups;
/** Priority 63 is the hypervisor's own. */
const HIGHEST_PRIORITY = 62;

function powerOn(call: Call, vcpu: Vcpu, entry: bigint, context: bigint, flags: bigint): ErrorCode {
  if (flags & ~PoweronFlags.Defined) return call.refuse(ErrorCode.ARGUMENT_INVALID, "unknown flags", { flags });
  if (vcpu.life.isDead) return call.refuse(ErrorCode.FAILURE, "the vCPU was killed", { target: vcpu.name });
  if (!vcpu.life.isPoweredOff) return call.refuse(ErrorCode.BUSY, "the vCPU is powered on", { target: vcpu.name });
  vcpu.powerOn(flags & PoweronFlags.PreserveEntry ? undefined : entry, flags & PoweronFlags.PreserveContext ? undefined : context);
  return ErrorCode.OK;
}

function powerOff(call: Call, vcpu: Vcpu, flags: bigint): ErrorCode | typeof DEFERRED {
  if (flags & ~PoweroffFlags.Defined) return call.refuse(ErrorCode.ARGUMENT_INVALID, "unknown flags", { flags });
  if (vcpu !== call.caller) return call.refuse(ErrorCode.ARGUMENT_INVALID, "a vCPU powers off itself only", { target: vcpu.name });
  const group = vcpu.attachments.vpmGroup;
  const last = (flags & PoweroffFlags.LastVcpu) !== 0n;
  const allowed = group ? !group.aggregates || last === group.isLastOnline(vcpu) : last;
  if (!allowed) return call.refuse(ErrorCode.DENIED, "the flag says whether it is the last vCPU online", { last });
  vcpu.powerOff();
  return DEFERRED;
}

function setAffinity(call: Call, vcpu: Vcpu, affinity: number): ErrorCode {
  const { scheduler, names } = vcpu.services;
  const values = { object: names.object(vcpu), affinity };
  if (affinity !== CPU_INVALID && !scheduler.hasCpu(affinity)) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "there is no such CPU", values);
  }
  if (affinity === vcpu.settings.affinity) return ErrorCode.OK;
  if (vcpu.state === "active" && vcpu.settings.isPinned) return call.refuse(ErrorCode.DENIED, "a pinned vCPU stays", values);
  scheduler.migrate(vcpu, affinity);
  return ErrorCode.OK;
}

function writeRegister(call: Call, vcpu: Vcpu, set: number, index: number, value: bigint): ErrorCode {
  const values = { register_set: set, index, value };
  const isX = set === RegisterSet.X && index < X_REGISTERS;
  const isPc = set === RegisterSet.PC && index === 0 && value % 4n === 0n;
  const isSp = set === RegisterSet.SpEl && index <= 1 && value % 16n === 0n;
  if (!isX && !isPc && !isSp) return call.refuse(ErrorCode.ARGUMENT_INVALID, "no such register, or a misaligned value", values);
  if (vcpu.life.isDead) return call.refuse(ErrorCode.OBJECT_STATE, "the vCPU was killed", { target: vcpu.name });
  if (!vcpu.life.isPoweredOff) return call.refuse(ErrorCode.BUSY, "the vCPU is powered on", { target: vcpu.name });
  if (isX) vcpu.registers.setX(index, value);
  else if (isPc) vcpu.registers.pc = value;
  else vcpu.registers.setRegister(index === 0 ? "SP_EL0" : "SP_EL1", value);
  return ErrorCode.OK;
}

function bindVirq(call: Call, vcpu: Vcpu, vic: Vic, virq: number, kind: number): ErrorCode {
  switch (kind) {
    case VcpuVirqType.Halt:
      return vic.bindShared(vcpu.haltVirq, virq);
    case VcpuVirqType.VcpuRunWakeup: {
      if (!vcpu.life.isBlockedBy(Block.Run) && vcpu.life.isRunnable) {
        return call.refuse(ErrorCode.BUSY, "the vCPU is running", { target: vcpu.name });
      }
      const error = vic.bindShared(vcpu.wakeupVirq, virq);
      // Inside vcpu_run it is proxy-scheduled already, and blocked again when that comes back.
      if (error !== ErrorCode.OK || vcpu.turn.donor?.turn.insideRun) return error;
      vcpu.block(Block.Run);
      vcpu.services.scheduler.leavePlace(vcpu);
      return error;
    }
    default:
      return call.refuse(ErrorCode.ARGUMENT_INVALID, "a vCPU has a halt and a wakeup vIRQ", { virq_type: kind });
  }
}

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_thread", Vcpu),

  hypercall("vcpu_configure", {
    validate(call, { vcpu_options }) {
      const known = call.caller.services.hasNewerAbi ? NEWER_OPTIONS : RECORDED_OPTIONS;
      return vcpu_options & ~known ? call.refuse(ErrorCode.ARGUMENT_INVALID, "unknown options", { vcpu_options }) : ErrorCode.OK;
    },
    caps: { cap: configurable("thread") },
    handler(_call, { cap, vcpu_options }) {
      cap.settings.setOptions(vcpu_options);
      return ErrorCode.OK;
    },
  }),
  hypercall("vcpu_poweron", {
    caps: { cap: active("thread", ThreadRight.Power) },
    handler: (call, { cap, entry_point, context, flags }) => powerOn(call, cap, entry_point, context, flags),
  }),
  hypercall("vcpu_poweroff", {
    caps: { cap: active("thread", ThreadRight.Power) },
    handler: (call, { cap, flags }) => powerOff(call, cap, flags),
  }),
  hypercall("vcpu_kill", {
    caps: { cap: active("thread", ThreadRight.Lifecycle) },
    handler(call, { cap }) {
      cap.kill();
      return cap === call.caller ? DEFERRED : ErrorCode.OK;
    },
  }),
  hypercall("vcpu_set_affinity", {
    handler(call, { cap, affinity }) {
      const rights = affinity === CPU_INVALID ? ThreadRight.Affinity | ThreadRight.Disable : ThreadRight.Affinity;
      const vcpu = call.lookup(cap, anyState("thread", rights));
      return typeof vcpu === "number" ? vcpu : setAffinity(call, vcpu, affinity);
    },
  }),
  hypercall("vcpu_set_priority", {
    caps: { cap: anyState("thread", ThreadRight.Priority) },
    handler(call, { cap, priority }) {
      if (priority > HIGHEST_PRIORITY) return call.refuse(ErrorCode.DENIED, "priorities of vCPUs are 0 to 62", { priority });
      if (cap.state !== "init") return call.refuse(ErrorCode.OBJECT_STATE, "the vCPU is no longer configurable", { target: cap.name });
      cap.settings.setPriority(priority);
      return ErrorCode.OK;
    },
  }),
  hypercall("vcpu_set_timeslice", {
    caps: { cap: anyState("thread", ThreadRight.Timeslice) },
    handler(call, { cap, timeslice }) {
      if (timeslice < SHORTEST_TIMESLICE || timeslice > LONGEST_TIMESLICE) {
        return call.refuse(ErrorCode.ARGUMENT_INVALID, "timeslices are 100 us to 100 ms", { timeslice });
      }
      if (cap.state !== "init") return call.refuse(ErrorCode.OBJECT_STATE, "the vCPU is no longer configurable", { target: cap.name });
      cap.settings.setTimeslice(Number(timeslice));
      return ErrorCode.OK;
    },
  }),
  hypercall("vcpu_register_write", {
    caps: { vcpu: anyState("thread", ThreadRight.WriteContext) },
    handler: (call, { vcpu, register_set, index, value }) => writeRegister(call, vcpu, register_set, index, value),
  }),
  hypercall("vcpu_bind_virq", {
    caps: { vcpu: active("thread", ThreadRight.BindVirq), vic: active("vic", VicRight.BindSource) },
    handler: (call, { vcpu, vic, virq, virq_type }) => bindVirq(call, vcpu, vic, virq, virq_type),
  }),
  hypercall("vcpu_unbind_virq", {
    caps: { vcpu: active("thread", ThreadRight.BindVirq) },
    handler(call, { vcpu, virq_type }) {
      if (virq_type === VcpuVirqType.Halt) vcpu.haltVirq.unbind();
      else if (virq_type === VcpuVirqType.VcpuRunWakeup) vcpu.wakeupVirq.unbind();
      else return call.refuse(ErrorCode.ARGUMENT_INVALID, "a vCPU has a halt and a wakeup vIRQ", { virq_type });
      return ErrorCode.OK;
    },
  }),
];
