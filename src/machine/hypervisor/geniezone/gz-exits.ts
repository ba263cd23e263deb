// Exits of a vCPU as GenieZone's driver sees them: the run structure, and the state of interrupts
// and timer, in the two shared pages (docs/spec/geniezone.md §4 and §6).

import { GzvmException } from "../../abi/geniezone/calls.ts";
import { GZVM_HW_STATE, GZVM_RUN_HYPERCALL } from "../../abi/geniezone/messages.ts";
import {
  GZVM_EXIT_BASE,
  GZVM_RUN,
  GZVM_RUN_EXCEPTION,
  GZVM_RUN_MMIO,
  GZVM_RUN_SYSTEM_EVENT,
  GzvmExit,
  GzvmSystemEvent,
} from "../../abi/ioctl/geniezone.ts";
import { VcpuRunState } from "../../abi/words.ts";
import { AbortSyndrome } from "../../../cpu/core/interface.ts";
import { NS_PER_TICK } from "../../hardware/clock.ts";
import { Intid } from "../gic/gic-registers.ts";
import { Irq } from "../gic/irq-bank.ts";
import { Block } from "../scheduling/vcpu-life.ts";
import type { RunState } from "../scheduling/vcpu-services.ts";
import type { Vic } from "../gic/vic.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { GzVcpu, GzVm } from "./gz-vm.ts";
import { fromLittleEndian } from "../../../kit/support/values/bytes.ts";

/** An exit: its reason, and the run structure. */
interface GzExit {
  /** `GZVM_EXIT_BASE` + one of `GzvmExit`. */
  readonly reason: number;
  readonly run: Uint8Array;
}

/** The arguments of a call are X0 to X7, its results X0 to X3. */
const CALL_REGISTERS = 8, RESULT_REGISTERS = 4;
/** List registers of a CPU. */
const LIST_REGISTERS = 16;
/** Fields of ICH_LR<n>_EL2. */
const Lr = { Pending: 1n << 62n, Active: 1n << 63n, Group1: 1n << 60n, PriorityShift: 48n } as const;

/** The exit of a vCPU that stopped in this state. Notes what the next RUN depends on. */
export function exitOf(vm: GzVm, one: GzVcpu, state: RunState): GzExit {
  const { vcpu } = one;
  switch (state.vcpu_state) {
    case VcpuRunState.AddrspaceVmmioRead:
    case VcpuRunState.AddrspaceVmmioWrite: {
      if (!vcpu.life.vmmio) throw new Error(`${vcpu.name} has no access to answer`);
      const { ipa, size, write, value, esr } = vcpu.life.vmmio;
      const data = new Uint8Array(8);
      new DataView(data.buffer).setBigUint64(0, BigInt.asUintN(8 * size, value), true);
      const reg_nr = esr >>> AbortSyndrome.SrtShift & 0x1f;
      const access = { phys_addr: BigInt(ipa), data: [...data], size: BigInt(size), reg_nr, is_write: Number(write) };
      return exit(GzvmExit.Mmio, GZVM_RUN_MMIO.encode(access));
    }
    case VcpuRunState.PageFault: {
      const fault = { exception: GzvmException.PageFault, error_code: 0, fault_gpa: state.state_data_0 };
      return exit(GzvmExit.Exception, GZVM_RUN_EXCEPTION.encode(fault));
    }
    case VcpuRunState.ExpectsWakeup:
      if (!vm.idles) return exit(GzvmExit.Gz);
      one.idle = true;
      return exit(GzvmExit.Idle);
    case VcpuRunState.PsciSystemReset:
      return systemEvent(GzvmSystemEvent.Reset);
    case VcpuRunState.Fault:
      return systemEvent(GzvmSystemEvent.Crash);
    case VcpuRunState.PoweredOff:
      if (vcpu.life.stage !== "exited" && !vm.isOff) {
        if (!vm.idles) return exit(GzvmExit.Gz);
        one.idle = true;
        return exit(GzvmExit.Idle);
      }
      return systemEvent(vm.vcpus.some((other) => other?.vcpu.life.systemReset) ? GzvmSystemEvent.Reset : GzvmSystemEvent.Shutdown);
    default:
      return passing(vm, one);
  }
}

/** The exit of a vCPU that could continue, or that made a call of the driver's. */
function passing(vm: GzVm, one: GzVcpu): GzExit {
  const { registers } = one.vcpu;
  if (one.calls) {
    const args = Array.from({ length: CALL_REGISTERS }, (_, index) => registers.getX(index));
    return exit(GzvmExit.Hypercall, GZVM_RUN_HYPERCALL.encode({ args }));
  }
  const woken = vm.vcpus.flatMap((other) => other?.idle && other.vcpu.life.isRunnableByProxy ? [other] : []);
  if (woken.length === 0) return exit(GzvmExit.Irq);
  for (const other of woken) other.idle = false;
  return exit(GzvmExit.Ipi);
}

const systemEvent = (type: number): GzExit => exit(GzvmExit.SystemEvent, GZVM_RUN_SYSTEM_EVENT.encode({ type, ndata: 0 }));

function exit(kind: number, bytes?: Uint8Array): GzExit {
  const run = new Uint8Array(GZVM_RUN.size);
  if (bytes) run.set(bytes);
  const reason = (GZVM_EXIT_BASE + kind) >>> 0;
  new DataView(run.buffer).setUint32(0, reason, true);
  return { reason, run };
}

/** The second page: interrupts in list registers, and when a sleeping vCPU's timer is due. */
export function hwState(vcpu: Vcpu, vic: Vic): Uint8Array {
  const lr: bigint[] = [];
  const { gic } = vcpu;
  const vgic = vic.gic;
  for (let intid = 0; intid < Intid.PrivateEnd + vic.maxVirqs && lr.length < LIST_REGISTERS; intid++) {
    const bank = vgic.bank(gic, intid);
    const active = (bank.flags[intid] & Irq.Active) !== 0;
    const pending = bank.isPending(intid);
    if (!active && !(pending && vgic.isReadyFor(gic, intid))) continue;
    const group = bank.flags[intid] & Irq.Group1 ? Lr.Group1 : 0n;
    lr.push(
      (active ? Lr.Active : 0n) | (pending ? Lr.Pending : 0n) | group | BigInt(bank.priority[intid]) << Lr.PriorityShift | BigInt(intid),
    );
  }
  const { due } = vcpu.timers;
  const sleeps = vcpu.life.isBlockedBy(Block.Wfi | Block.Suspend) && due !== Infinity;
  return GZVM_HW_STATE.encode({
    nr_lrs: lr.length,
    lr: [...lr, ...Array<bigint>(LIST_REGISTERS - lr.length).fill(0n)],
    vtimer_delay: sleeps ? BigInt(Math.ceil(Math.max(0, due - vcpu.services.now) / NS_PER_TICK)) : 0n,
    vtimer_migrate: Number(sleeps),
  });
}

/** The data that the driver has for a load, from the run structure. */
export function loadedValue(run: Uint8Array, size: number): bigint {
  const { data } = GZVM_RUN_MMIO.decode(run);
  return fromLittleEndian(data.slice(0, size));
}

/** X0 to X3 after a call that the driver has answered. */
export function answeredRegisters(run: Uint8Array): readonly bigint[] {
  return GZVM_RUN_HYPERCALL.decode(run).args.slice(0, RESULT_REGISTERS);
}
