// Performs users' actions: each is something that a VM could have done through a hypercall, and
// input to the run like typing.

import { DEBUG_REGISTERS, Intid, LPI_FIRST, type Vcpu, type Vgic } from "../../../machine/hypervisor/inspect.ts";
import { BalloonDevice } from "../../../machine/virtio/balloon/balloon.ts";
import { InputDevice, type InputEvent } from "../../../machine/virtio/input/input.ts";
import { checkNames, FaultRuleError, readFaultRule } from "../../../model/queries/fault-rule.ts";
import { parseAs, vcpuId, vcpuName, vmId, withKind, withoutKind } from "../../../model/queries/ids.ts";
import type { Action } from "../../../model/queries/action.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { readIrqs } from "../readers/objects/read-irqs.ts";
import { writeBytes } from "../readers/objects/read-memory.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { problemOf } from "../../../kit/support/problem.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/**
 * Performs it.
 * @throws QueryError with the reason if it cannot.
 */
export function act(view: View, action: Action): void {
  switch (action.kind) {
    case "vm.stop":
      return view.system.control.stop(withoutKind("vm", action.vm), action.force);
    case "vm.start":
      return view.system.control.start(withoutKind("vm", action.vm), "start");
    case "vm.create":
      return view.system.control.start(withoutKind("vm", action.vm), "create");
    case "vm.reset":
      return view.system.control.start(withoutKind("vm", action.vm), "reset");
    case "console.break":
      return view.system.control.sendBreak(action.console);
    case "rpc.send":
      return view.system.control.sendRpc(action.id, action.payload);
    case "queue.send": {
      const queue = findQueue(view, action.queue);
      if (queue.isFull) throw new QueryError(`${action.queue} is full: ${queue.count} of ${queue.depth}`);
      if (action.bytes.length === 0 || action.bytes.length > queue.maximumSize) {
        throw new QueryError(`${action.queue} takes messages of 1..${queue.maximumSize} bytes, not ${action.bytes.length}`);
      }
      return queue.append(action.bytes, true);
    }
    case "queue.flush":
      return findQueue(view, action.queue).flush();
    case "doorbell.ring": {
      const wanted = withKind("db", action.doorbell);
      const doorbell = view.objects("doorbell").find((one) => view.object(one) === wanted);
      if (!doorbell) throw new QueryError(`no queue called "${wanted}"`, way`list them with ${hint("queue ls")}`);
      doorbell.send(action.flags);
      return;
    }
    case "inject.add":
      return addFault(view, action.rule);
    case "inject.remove":
      return removeFault(view, action.rule);
    case "irq.raise":
      return raise(view, action.irq);
    case "irq.clear": {
      const { vcpu, intid } = findIrq(view, action.irq);
      if (intid >= Intid.SpiEnd) throw new QueryError(`${action.irq}: an LPI is cleared by its device or the guest's ITS commands`);
      return vcpu.gic.gic.clearPending(vcpu.gic, intid);
    }
    case "mem.write":
      return writeBytes(view, action.at, action.bytes);
    case "vcpu.set":
      return setRegister(view, action.vcpu, action.register, action.value);
    case "balloon.set":
      return setBalloon(view, action.vm, action.bytes);
    case "input.send":
      return sendInput(view, action.vm, action.events);
    case "vcpu.kill": {
      const vcpu = view.findVcpu(action.vcpu);
      if (vcpu.life.isDead) throw new QueryError(`${action.vcpu} is already ${vcpu.life.stage}`);
      if (vcpu.settings.isCritical) throw new QueryError(`${action.vcpu} cannot be killed: the system depends on it`);
      return vcpu.kill();
    }
  }
}

function addFault({ hypervisor, system: { vms } }: View, text: string): void {
  try {
    const rule = readFaultRule(text);
    checkNames(rule, vms.known);
    hypervisor.faults.add(rule);
  } catch (error) {
    if (!(error instanceof FaultRuleError)) throw error;
    throw new QueryError(problemOf(error));
  }
}

function removeFault({ hypervisor: { faults } }: View, id: string): void {
  if (id === "all") return faults.clear();
  if (!faults.remove(withKind("inject", id))) {
    throw new QueryError(`no rule called "${withKind("inject", id)}"`, way`list them with ${hint("inject", { list: true })}`);
  }
}

function findQueue(view: View, id: string) {
  const wanted = withKind("mq", id);
  const queue = view.objects("msgqueue").find((one) => view.object(one) === wanted && one.state === "active");
  if (!queue) throw new QueryError(`no queue called "${wanted}"`, way`list them with ${hint("queue ls")}`);
  return queue;
}

/**
 * The virtio devices of a VM that are of one class.
 * @throws QueryError if it has none
 */
function devicesOf<D>(view: View, vm: string, type: new (...args: never[]) => D, device: string, option: string): D[] {
  const name = withoutKind("vm", vm);
  const found = view.system.virtio.filter((slot) => slot.vm === name).flatMap(({ device }) => device instanceof type ? [device] : []);
  const known = [...view.system.vms.names.values()];
  if (!known.includes(name)) throw new QueryError(`no ${vmId(name)}`, `there are ${known.map((one) => vmId(one)).join(", ")}`);
  if (found.length === 0) throw new QueryError(`${vmId(name)} has no ${device}`, `add one with ${option}`);
  return found;
}

function setBalloon(view: View, vm: string, bytes: number): void {
  const [balloon] = devicesOf(view, vm, BalloonDevice, "balloon", '{ kind = "balloon" } in its devices');
  balloon.setTarget(bytes);
}

function sendInput(view: View, vm: string, events: readonly (readonly InputEvent[])[]): void {
  const devices = devicesOf(view, vm, InputDevice, "keyboard and no tablet", '{ kind = "input" } in its devices');
  for (const together of events) {
    const device = devices.find((one) => together.every((event) => one.has(event)));
    if (!device) throw new QueryError(`${vmId(vm)} has a ${devices.map(({ type }) => type).join(" and a ")}, which cannot send this`);
    if (!device.send(together)) throw new QueryError(`${vmId(vm)} does not read its ${device.type}: it has no driver, or is slow`);
  }
}

function setRegister(view: View, id: string, name: string, value: bigint): void {
  const vcpu = view.findVcpu(id);
  if (vcpu.native) throw new QueryError(`${id} executes no instructions: el2's own code runs there`);
  const register = DEBUG_REGISTERS.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (!register?.write) {
    const names = DEBUG_REGISTERS.filter(({ write }) => write).map((one) => one.name.toLowerCase());
    throw new QueryError(
      `${name} is not a register that can be set`,
      `use ${names[0]} to ${names[30]}, ${names.slice(31, 34).join(", ")}, v0 to v31`,
    );
  }
  if (value >> BigInt(register.bits) || !register.write(vcpu, value)) throw new QueryError(`${hex(value)} is not a value of ${name}`);
}

/**
 * The interrupt that an id or, where one VM has it in use, an INTID names.
 * @throws QueryError
 */
function findIrq(view: View, text: string): { readonly vcpu: Vcpu; readonly intid: number } {
  const found = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? readIrqs(view).filter(({ intid }) => intid === Number(text)) : [];
  const ids = found.map(({ id }) => id);
  if (ids.length > 1) throw new QueryError(`${text} is ambiguous`, `name one of ${ids.join(", ")}`);
  const irq = parseAs("irq", ids[0] ?? text);
  if (!irq) throw new QueryError(`${JSON.stringify(text)} is not an interrupt in use`, "use for example irq:debian/960");
  return { vcpu: view.findVcpu(vcpuId(vcpuName(irq.vm, irq.vcpu ?? 0))), intid: irq.intid };
}

function raise(view: View, id: string): void {
  const { vcpu, intid } = findIrq(view, id);
  const gic: Vgic = vcpu.gic.gic;
  if (intid >= LPI_FIRST && vcpu.gic.lpis?.enabled) {
    vcpu.gic.lpis.set(intid);
    return vcpu.gic.settleLpis();
  }
  if (intid >= Intid.SpiEnd) throw new QueryError(`${id}: INTIDs are 0..${Intid.SpiEnd - 1}`);
  gic.setPending(vcpu.gic, intid);
}
