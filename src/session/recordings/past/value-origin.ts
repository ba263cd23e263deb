// The object from which an instruction took a value that it only moved (`el2 who --back`).

import { addressBy, dataFlow, type GeneralRegister } from "../../../cpu/isa/data-flow.ts";
import type { System } from "../../assembly/system/system.ts";
import { stackPointer, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { formatId, paId, parseAs } from "../../../model/queries/ids.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { type PastAccess, vcpuOf, type Watched } from "../looking/looking.ts";

/** An object as a question names it, and its bytes if it is memory. */
export interface Origin {
  readonly target: string;
  readonly size: number;
}

/**
 * The origin of a value that an access has put into the watched object; undefined if the
 * instruction computed it, or it came from neither RAM nor a general register.
 * @param system a machine just before that instruction
 */
export function originOf(
  system: System,
  { target, watched }: { readonly target: string; readonly watched: Watched },
  { instruction, by }: PastAccess,
): Origin | undefined {
  const vcpu = instruction && !by && vcpuOf(system, instruction.vcpu), flow = instruction && dataFlow(instruction.word, instruction.pc);
  if (!vcpu || !flow) return undefined;
  const registerOrigin = (from: GeneralRegister | undefined): Origin | undefined => {
    const place = parseAs("vcpu", instruction.vcpu);
    if (typeof from !== "number" || !place) return undefined;
    return { target: formatId({ kind: "reg", vm: place.vm, index: place.index, name: `x${from}` }), size: 1 };
  };
  if (watched.kind === "memory") {
    if (flow.kind !== "store") return undefined;
    const start = physical(system, vcpu, addressBy(flow.address, (register) => valueOf(vcpu, register)));
    if (start === undefined) return undefined;
    return registerOrigin(flow.registers[Math.max(0, Math.floor((watched.watch.pa - start) / flow.bytes))]);
  }
  const changed = /^x(\d+)$/.exec(parseAs("reg", target)?.name ?? "")?.[1];
  if (changed === undefined) return undefined;
  if (flow.kind === "move") return flow.to === Number(changed) ? registerOrigin(flow.from) : undefined;
  const index = flow.registers.indexOf(Number(changed));
  if (flow.kind !== "load" || index < 0) return undefined;
  const address = addressBy(flow.address, (register) => valueOf(vcpu, register)) + BigInt(index * flow.bytes);
  const pa = physical(system, vcpu, BigInt.asUintN(64, address));
  if (pa === undefined || !system.machine.ram.contains(pa, flow.bytes) || pa % PAGE_SIZE + flow.bytes > PAGE_SIZE) return undefined;
  return { target: paId(pa), size: flow.bytes };
}

function physical({ core }: System, { registers }: Vcpu, address: bigint): number | undefined {
  const translation = core.questions.inspect(registers, address);
  return translation.ok ? translation.pa : undefined;
}

function valueOf(vcpu: Vcpu, register: GeneralRegister): bigint {
  if (register === "zr") return 0n;
  return register === "sp" ? vcpu.registers.getRegister(stackPointer(vcpu)) : vcpu.registers.getX(register);
}
