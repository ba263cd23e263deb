// A debugger of the session: its reads and writes, its stops, and its travel back through the run.

import { answerDebugger, type DebugControl, type DebugStop } from "../../machine/hypervisor/interface.ts";
import type { DebugAnswer, DebugRequest, DebugStopped, SessionDebugAccess } from "../../model/protocol/protocol.ts";
import { BackTo } from "../recordings/past/back-to.ts";
import type { Past } from "../recordings/past/past.ts";
import { stopOf, stoppedAt, wayBack } from "../recordings/past/rewind.ts";
import type { SymbolTable } from "../../inside/symbols/symbol-table.ts";
import { stopAtEvents } from "../inspection/rules/stop-rules.ts";
import { inPieces, MOVE_SLICE } from "./loop.ts";
import { PAST } from "../../model/protocol/protocol.ts";
import type { EngineParts } from "./parts.ts";
import { vcpuId } from "../../model/queries/ids.ts";
import type { DebuggedVms } from "../../model/queries/debugged-vms.ts";
import { asProblem, problemText } from "../../kit/support/problem.ts";

/** The debugger's side of one session. */
export class Debugging {
  #held = false;
  #changed = false;
  /** Continues the debugger's travel through the past. */
  #way: (() => DebugStopped | undefined) | undefined;
  /** Events at which it stops. */
  #events: string | undefined;

  /** Kernels at which it has stopped, by VM. */
  readonly #kernels = new Map<string, SymbolTable>();

  constructor(readonly parts: EngineParts) {}

  /** It has stopped the machine. */
  get held(): boolean {
    return this.#held;
  }

  /** It has written memory or registers. */
  get changed(): boolean {
    return this.#changed;
  }

  handle(request: DebugRequest): void {
    const { parts, parts: { shown, port } } = this;
    if (request.kind === "debug-attach") {
      const error = parts.slices.isDone ? "the machine has ended" : shown.system.debugger.attach(request.vms);
      return port.post({ kind: "debug-attached", error: asProblem(error) });
    }
    if (parts.slices.isDone) return;
    const control = shown.system.debugger.control;
    if (!control) throw new Error("no VM of this session has a debugger");
    switch (request.kind) {
      case "debug":
        return port.post({ kind: "debug-answer", answer: this.#answer(control, request.access) });
      case "debug-stop":
        if (this.#way) return this.#hold(stopOf(control, "asked"));
        if (this.#held) return;
        parts.slices.wake();
        control.goOn(undefined);
        return this.#hold(stopOf(control, "asked"));
      case "debug-continue":
        control.goOn(control.vcpu(request.step), request.range);
        return shown.past ? this.#goOn(shown.past) : this.#release();
      case "debug-back":
        return this.#back(control, request.step);
      case "debug-detach":
        shown.past = undefined;
        shown.present.debugger.control?.clear();
        return this.#release();
      case "debug-release":
        shown.past = undefined;
        shown.present.debugger.release();
        return this.#release();
    }
  }

  /** Whether names of kernels may have places that it waits for. */
  get awaitsKernels(): boolean {
    return this.parts.shown.present.debugger.control?.hasStopsAtStarts === true;
  }

  /**
   * Stops where the kernel of a VM has become known: before it loads modules, as names have places
   * from then on.
   * @throws SymbolSearch
   */
  stopAtKernel(): void {
    const { present } = this.parts.shown, { control } = present.debugger;
    if (!control || this.#held) return;
    for (const vcpu of control.vcpus()) {
      if (!vcpu.addressSpace) continue;
      const vm = control.services.names.vm(vcpu.addressSpace.vmid), kernel = present.symbols.kernelOf(vm);
      if (!kernel || this.#kernels.get(vm) === kernel) continue;
      this.#kernels.set(vm, kernel);
      return this.#hold(stopOf(control, "kernel", vcpu));
    }
  }

  /**
   * The machine has stopped where the debugger wants: it stays stopped until the debugger continues
   * it.
   */
  stopped(stop: DebugStop, control: DebugControl): void {
    this.#hold(stoppedAt(stop, control));
  }

  /**
   * A debugger's write makes a different run: the past cannot be changed, and travel before a
   * change is impossible.
   */
  #answer(control: DebugControl, access: SessionDebugAccess): DebugAnswer {
    if (access.kind === "stop-at-events") {
      const answer = stopAtEvents(control, access.filter);
      if (answer.kind === "done") this.#events = access.filter;
      return answer;
    }
    const writes = access.kind === "write" || access.kind === "write-register";
    if (writes && this.parts.shown.past) return { kind: "refused", message: problemText(PAST) };
    this.#changed ||= writes;
    return answerDebugger(control, access);
  }

  /** Goes back to where the debugger wants, in another machine. */
  #back(control: DebugControl, step: number | undefined): void {
    const { shown, shown: { system }, run } = this.parts;
    const { vms } = system.debugger;
    const stay = (note: string) => this.#hold({ ...stopOf(control, "asked"), note });
    if (!this.#held || vms === undefined) return;
    if (run.lost !== undefined) return stay(`cannot go back: ${run.lost}`);
    if (this.#changed) return stay("cannot go back: the debugger wrote memory or registers since");
    if (control.debuggee.only === undefined && step === undefined && control.empty) {
      const filter = this.#events;
      return filter === undefined ? stay("no event to go back to; set one with monitor events FILTER") : this.#backTo(control, vms, filter);
    }
    const way = wayBack({ rerun: run, instructions: system.instructions(), vms, control }, step);
    this.#goPiecewise(() => {
      const stop = way.advance(MOVE_SLICE);
      if (stop) shown.past = way.past;
      return stop;
    });
  }

  /** Goes back to the last event that a debugger of several VMs wants. */
  #backTo(control: DebugControl, vms: DebuggedVms, filter: string): void {
    const { shown, run } = this.parts;
    const way = new BackTo(run.upTo(shown.system), { kind: "event", filter }, shown.reached);
    this.#goPiecewise(() => {
      const reached = way.advance(MOVE_SLICE);
      if (reached === undefined) return undefined;
      if (reached === "none") {
        return { ...stopOf(control, "history-start"), note: `no such event or instruction between ${run.start} and here` };
      }
      shown.show(reached);
      const there = reached.past.system.debugger.give(vms, false);
      there.adopt(control);
      const vcpu = there.vcpus().find((one) => reached.text.includes(` ${vcpuId(there.services.names.vcpu(one))} `));
      return { ...stopOf(there, "event", vcpu), note: reached.text };
    });
  }

  /** Continues in the past, at most to where the machine really is. */
  #goOn(past: Past): void {
    const { shown } = this.parts;
    let stop: DebugStopped | undefined;
    past.onStop = (reached) => {
      stop = stoppedAt(reached, past.system.debugger.control!);
      return true;
    };
    this.#goPiecewise(() => {
      const end = shown.present.instructions(), there = past.advance(end, MOVE_SLICE);
      // A stop at the present leaves the past, so that the next step moves on.
      if (stop && past.system.instructions() >= end) this.#leave(past);
      return stop ?? (there ? stopOf(this.#leave(past), "history-end") : undefined);
    });
  }

  /** Back to the present, with the debugger's breakpoints. */
  #leave(past: Past): DebugControl {
    const { shown } = this.parts, { control } = shown.present.debugger;
    shown.past = undefined;
    if (!control) throw new Error("a debugger continued in the past of a machine that it is not attached to");
    control.clear();
    if (past.system.debugger.control) control.adopt(past.system.debugger.control);
    return control;
  }

  /** Does something piece by piece until it gives a stop, or the debugger asks for one. */
  #goPiecewise(piece: () => DebugStopped | undefined): void {
    this.#way = piece;
    inPieces(this.parts.port, () => {
      if (this.#way !== piece || this.parts.slices.isDone) return true;
      const stop = piece();
      if (stop) this.#hold(stop);
      return stop !== undefined;
    });
  }

  #hold(stop: DebugStopped): void {
    const { parts } = this;
    this.#held = true;
    this.#way = undefined;
    parts.output.flush();
    parts.sampler.sample();
    parts.port.post({ kind: "debug-stopped", stop });
  }

  #release(): void {
    this.#held = false;
    this.parts.slices.schedule();
  }
}
