// Looking at the value of an expression: it is read again after each write to the words from which
// it was read, and then others may be its words.

import type { MemoryWatch } from "../../../cpu/core/interface.ts";
import type { RamWriter } from "../../../machine/abi/ram-writer.ts";
import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import { vcpuId } from "../../../model/queries/ids.ts";
import type { System } from "../../assembly/system/system.ts";
import { instructionOf, type Looking, type Noted, type PastAccess, UNSEEN } from "./looking.ts";

/** A write that may change the value. */
type ValueWrite = Pick<PastAccess, "at" | "time" | "by" | "instruction">;

const wordsOf = (watch: MemoryWatch | undefined): readonly number[] => watch ? [watch.pa, ...watch.more ?? []] : [];
const sameWords = (one: MemoryWatch | undefined, other: MemoryWatch | undefined) => wordsOf(one).join() === wordsOf(other).join();

export function lookAtExpression(system: System, expression: string, noted: Noted): Looking {
  const { machine, core } = system, control = system.debugger.give(EVERY_VM, false);
  const here = () => ({ at: system.instructions(), time: machine.time });
  const accesses: PastAccess[] = [];
  const read = () => system.inspector.valueOf(expression);
  let value = read(), begun: ValueWrite | undefined, ends = false;
  const first = value.text;
  /** A write of others is heard before it happens: its effect is seen at the next look. */
  let heard: ValueWrite | undefined;
  const compare = (write: ValueWrite) => {
    const before = value;
    value = read();
    if (value.text !== before.text && !(value.problem && before.problem)) {
      const access = { ...write, before: before.text, after: value.text };
      accesses.push(access);
      ends = noted(access) || ends;
    }
    if (!sameWords(value.watch, before.watch)) watch();
  };
  const settle = () => {
    const write = heard;
    heard = undefined;
    if (write) compare(write);
  };
  const hear = (by: RamWriter, pa: number, size: number) => {
    settle();
    if (!wordsOf(value.watch).some((word) => word < pa + size && word + (value.watch?.length ?? 0) > pa)) return;
    heard = { at: Math.max(0, system.instructions() - 1), time: machine.time, by: { ...by } };
  };
  const watch = () => {
    const words = wordsOf(value.watch);
    core.stops.watchMemory(value.watch);
    if (value.watch) machine.ram.watch(words[0], words[words.length - 1] + value.watch.length - words[0], hear);
  };
  watch();
  control.stopAtStarts();
  const stopped = ({ cause, vcpu }: DebugStop) => {
    settle();
    if (cause === "watchpoint") {
      begun = { ...here(), instruction: instructionOf(system, vcpu, vcpuId(control.services.names.vcpu(vcpu))) };
      control.goOn(vcpu);
    } else {
      control.goOn(undefined);
      compare(cause === "step" && begun ? begun : { ...here(), by: UNSEEN });
      begun = undefined;
    }
    return ends;
  };
  return {
    stopped,
    turns() {
      // No word tells when there will be a value: the VM or its kernel is not there yet.
      if (!value.watch) compare({ ...here(), by: UNSEEN });
    },
    end() {
      settle();
      compare({ ...here(), by: UNSEEN });
      return { accesses, first };
    },
  };
}
