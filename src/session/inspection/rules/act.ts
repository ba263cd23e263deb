// Performs users' actions: each is something that a VM could have done through a hypercall, and
// input to the run like typing.

import { DEBUG_REGISTERS, Intid, LPI_FIRST, type Vcpu, type Vgic } from "../../../machine/hypervisor/inspect.ts";
import { BalloonDevice } from "../../../machine/virtio/balloon/balloon.ts";
import { InputDevice } from "../../../machine/virtio/input/input.ts";
import { checkNames, FaultRuleError, readFaultRule } from "../../../model/queries/fault-rule.ts";
import { parseAs, vcpuId, vcpuName, vmId, withKind, withoutKind } from "../../../model/queries/ids.ts";
import type { Action } from "../../../model/commands/actions.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { needGunyah, needGunyahForFault } from "./other-hypervisor.ts";
import { readIrqs } from "../readers/objects/read-irqs.ts";
import { addressAt } from "../readers/guest/read-symbols.ts";
import { writeBytes } from "../readers/objects/read-memory.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { problemOf } from "../../../kit/support/problem.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** An action of a kind. */
type Fields<K extends Action["kind"]> = Extract<Action, { readonly kind: K }>;

/** How each kind of action is carried out; a QueryError has the reason if it cannot be. */
const DOING: { readonly [K in Action["kind"]]: (view: View, action: Fields<K>) => void } = {
  "vm.stop": ({ system }, { vm, force }) => system.control.stop(withoutKind("vm", vm), force),
  "vm.start": ({ system }, { vm }) => system.control.start(withoutKind("vm", vm), "start"),
  "vm.create": ({ system }, { vm }) => system.control.start(withoutKind("vm", vm), "create"),
  "vm.reset": ({ system }, { vm }) => system.control.start(withoutKind("vm", vm), "reset"),
  "balloon.set": setBalloon,
  "vcpu.set": setRegister,
  "vcpu.kill": (view, { vcpu: id }) => {
    const vcpu = view.findVcpu(id);
    if (vcpu.life.isDead) throw new QueryError(`${id} is already ${vcpu.life.stage}`);
    if (vcpu.settings.isCritical) throw new QueryError(`${id} cannot be killed: the system depends on it`);
    vcpu.kill();
  },
  "irq.raise": (view, { irq }) => raise(view, irq),
  "irq.clear": (view, { irq }) => {
    const { vcpu, intid } = findIrq(view, irq);
    if (intid >= Intid.SpiEnd) throw new QueryError(`${irq}: an LPI is cleared by its device or the guest's ITS commands`);
    vcpu.gic.gic.clearPending(vcpu.gic, intid);
  },
  "mem.write": (view, { at, bytes }) => writeBytes(view, addressAt(view, at, bytes.length).at, bytes),
  "queue.send": (view, { queue: id, bytes }) => {
    const queue = findQueue(view, id);
    if (queue.isFull) throw new QueryError(`${id} is full: ${queue.count} of ${queue.depth}`);
    if (bytes.length === 0 || bytes.length > queue.maximumSize) {
      throw new QueryError(`${id} takes messages of 1..${queue.maximumSize} bytes, not ${bytes.length}`);
    }
    queue.append(bytes, true);
  },
  "queue.flush": (view, { queue }) => findQueue(view, queue).flush(),
  "doorbell.ring": (view, { doorbell: id, flags }) => {
    const wanted = withKind("db", id);
    const doorbell = view.objects("doorbell").find((one) => view.object(one) === wanted);
    if (!doorbell) throw new QueryError(`no queue called "${wanted}"`, way`list them with ${hint("queue ls")}`);
    doorbell.send(flags);
  },
  "rpc.send": ({ system }, { id, payload }) => system.control.sendRpc(id, payload),
  "console.break": ({ system }, { console }) => system.control.sendBreak(console),
  "input.send": sendInput,
  "inject.add": addFault,
  "inject.remove": removeFault,
};

/**
 * Performs it.
 * @throws QueryError with the reason if it cannot.
 */
export function act<K extends Action["kind"]>(view: View, action: Fields<K>): void {
  needGunyah(view, action.kind);
  DOING[action.kind](view, action);
}

function addFault(view: View, { rule: text }: Fields<"inject.add">): void {
  try {
    const rule = readFaultRule(text);
    needGunyahForFault(view, rule);
    checkNames(rule, view.system.vms.known);
    view.hypervisor.faults.add(rule);
  } catch (error) {
    if (!(error instanceof FaultRuleError)) throw error;
    throw new QueryError(problemOf(error));
  }
}

function removeFault({ hypervisor: { faults } }: View, { rule: id }: Fields<"inject.remove">): void {
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

function setBalloon(view: View, { vm, bytes }: Fields<"balloon.set">): void {
  const [balloon] = devicesOf(view, vm, BalloonDevice, "balloon", '{ kind = "balloon" } in its devices');
  balloon.setTarget(bytes);
}

function sendInput(view: View, { vm, events }: Fields<"input.send">): void {
  const devices = devicesOf(view, vm, InputDevice, "keyboard and no tablet", '{ kind = "input" } in its devices');
  for (const together of events) {
    const device = devices.find((one) => together.every((event) => one.has(event)));
    if (!device) throw new QueryError(`${vmId(vm)} has a ${devices.map(({ type }) => type).join(" and a ")}, which cannot send this`);
    if (!device.send(together)) throw new QueryError(`${vmId(vm)} does not read its ${device.type}: it has no driver, or is slow`);
  }
}

function setRegister(view: View, { vcpu: id, register: name, value }: Fields<"vcpu.set">): void {
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
