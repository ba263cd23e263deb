// Answers for VMs that have ended: their owners take vCPUs and memory away at once. The state of
// the machine is kept as it was when the first vCPU of a VM stopped for good, and another machine
// in that state answers questions about the VM. The run itself does not change.

import { type Answer, type Query, rowsOf } from "../../model/queries/query.ts";
import type { AnyArguments } from "../../model/queries/query-arguments.ts";
import { HOST, parseAs, parsePlace, vmId, withoutKind } from "../../model/queries/ids.ts";
import { IRQS, VCPUS } from "../../model/queries/tables.ts";
import type { Searching } from "../../inside/symbols/vm-symbols.ts";
import { KeptState, type Milestone } from "../recordings/past/history.ts";
import type { EndedRows } from "../inspection/readers/inspected.ts";
import type { System } from "../assembly/system/system.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { exceptionText } from "../../kit/support/problem.ts";
import type { SessionRun } from "./session-run.ts";
import type { Shown } from "./shown.ts";

/** VMs whose ends are kept: the latest. */
const MOST = 16;

/** Why a run of the present returned; `vm-ended`: within a turn, which the next run continues. */
export type PresentRun = ReturnType<System["machine"]["run"]> | { readonly kind: "vm-ended" };

/** The end of one VM. */
interface Kept {
  readonly milestone: Milestone;
  /** Bytes of the state. */
  readonly bytes: number;
  readonly rows: EndedRows;
  /** A machine in that state, once somebody has asked. */
  machine?: System;
}

/** The ended VMs of one session, by name. */
export class EndedVms {
  readonly #kept = new Map<string, Kept>();
  /** VMs that have ended in the run in progress, and whether it watches for ends. */
  readonly #ending: string[] = [];
  #watches = false;

  /** @param keeps whether clients can ask later */
  constructor(readonly shown: Shown, readonly run: SessionRun, readonly keeps: boolean) {
    const { present } = shown;
    const knowledge = { endedRows: () => this.#rows() };
    present.inform(knowledge);
    run.observe({ past: (system) => system.inform(knowledge) });
    present.ends.onChange((vm, now) => {
      if (now === "begins") this.#kept.delete(vm);
      else if (this.#watches && vm !== HOST && this.#ending.push(vm)) present.machine.suspend();
    });
  }

  /** Runs the present up to a virtual time (ns), or to the end of a VM, whose state is kept. */
  runPresent(until: number, turns: number): PresentRun {
    const { present } = this.shown;
    this.#watches = this.keeps;
    const result = present.machine.run(until, turns);
    this.#watches = false;
    const ended = this.#ending.splice(0);
    for (const vm of ended) this.#keep(vm);
    return ended.length && result.kind === "suspended" ? { kind: "vm-ended" } : result;
  }

  /** The answer about a VM that has ended, to a question that the shown machine cannot answer. */
  answer(query: Query, searching: Searching): Answer | undefined {
    const vm = vmOf(query);
    if (vm === undefined) return undefined;
    const kept = this.#kept.get(vm);
    if (!kept || !this.#isPast(kept, vm)) return undefined;
    const { inspector, symbols } = this.#machine(kept);
    return symbols.asked(searching, () => inspector.answer(query));
  }

  /** Instructions that had been retired when a VM ended, if it is gone now. */
  endOf(vm: string): number | undefined {
    const kept = this.#kept.get(vm);
    return kept && this.#isPast(kept, vm) ? kept.milestone.instructions : undefined;
  }

  #rows(): EndedRows {
    const rows = [...this.#kept].filter(([vm, kept]) => this.#isPast(kept, vm)).map(([, kept]) => kept.rows);
    return { vcpus: rows.flatMap(({ vcpus }) => vcpus), irqs: rows.flatMap(({ irqs }) => irqs) };
  }

  get #used(): number {
    return [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #keep(vm: string): void {
    const { present } = this.shown;
    const milestone = this.run.presentState();
    if (!milestone) return;
    const vcpus = rowsOf(VCPUS, present.inspector.answer({ table: VCPUS.name, args: {} })).filter((row) => row.vm === vmId(vm));
    const irqs = rowsOf(IRQS, present.inspector.answer({ table: IRQS.name, args: {} })).filter((row) => row.vm === vmId(vm));
    const state = KeptState.of(milestone.state);
    this.#kept.delete(vm);
    this.#kept.set(vm, {
      milestone: { ...milestone, state },
      bytes: state.size + state.pages.size * PAGE_SIZE,
      rows: {
        vcpus: vcpus.map((row) => ({ ...row, cpu: 0, exits_rate: 0, wakes: [], waits: [] })),
        irqs: irqs.map((row) => ({ ...row, rate: 0 })),
      },
    });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST && this.run.reserve(this.#used)) return;
      this.#kept.delete(oldest);
    }
    this.run.reserve(0);
  }

  /** Whether the shown place is after this end of a VM, and before the VM starts again. */
  #isPast({ milestone }: Kept, vm: string): boolean {
    const { system } = this.shown;
    const isAfter = system.machine.boundary >= milestone.at && system.instructions() >= milestone.instructions;
    return isAfter && !system.isAlive(vm);
  }

  #machine(kept: Kept): System {
    try {
      return kept.machine ??= this.run.machineAt(kept.milestone);
    } catch (error) {
      throw new Error(`the state that was kept cannot be restored: ${exceptionText(error)}`, { cause: error });
    }
  }
}

/** The VM that a question is about, if it is about one. */
function vmOf({ args }: Query): string | undefined {
  const { vm, vcpu, at }: AnyArguments = args;
  if (vm !== undefined) return withoutKind("vm", vm);
  if (vcpu !== undefined) return parseAs("vcpu", vcpu)?.vm;
  if (at === undefined) return undefined;
  return parseAs("ipa", at)?.vm ?? parseAs("va", at)?.vm ?? parsePlace(at)?.vm;
}
