// A session without a machine: answers from a dump. Requests that need a machine are refused by
// name.

import { Dump, type NamedDump } from "../../inside/dumps/dump.ts";
import { DumpError } from "../../inside/dumps/file-memory.ts";
import { DumpInspector, withoutMachine } from "../inspection/dumps/dump-inspector.ts";
import { DUMP, DumpSystem } from "../inspection/dumps/dump-system.ts";
import type { Standing } from "../engine/standing.ts";
import { type Problem, problemOf } from "../../kit/support/problem.ts";
import { whole } from "../../kit/support/values/work.ts";
import type { MachineSample, Request, SessionEvent, VmSample } from "../../model/protocol/protocol.ts";
import { noAnswer } from "../../model/queries/query.ts";

export class DumpServer {
  readonly #inspector: DumpInspector;

  private constructor(system: DumpSystem, readonly post: (event: SessionEvent) => void, readonly standing: Standing) {
    this.#inspector = new DumpInspector(system);
  }

  /** Opens a dump, and reports that it answers. If it cannot be opened, the reason is returned. */
  static open(
    files: readonly NamedDump[],
    post: (event: SessionEvent) => void,
    standing: Standing,
  ): DumpServer | { readonly refused: Problem } {
    try {
      const server = new DumpServer(whole(DumpSystem.of(Dump.open(files))), post, standing);
      post({ kind: "sample", sample: server.#sample() });
      post({ kind: "paused", paused: true, past: false });
      return server;
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      return { refused: error.problem };
    }
  }

  /** The one picture that there is. CPUs that do nothing have no word in it: lists have them. */
  #sample(): MachineSample {
    const { cpus, kernel } = this.#inspector.system;
    const vm: VmSample = { name: DUMP, vmid: 0, state: "saved", schedule: "own", ...kernel && { linux: true }, vcpus: [], devices: [] };
    return { time: 0, instructions: 0, reasons: 0, mips: 0, physicalCpus: cpus.length, vms: [vm] };
  }

  serve(request: Exclude<Request, { kind: "start" | "prepare" | "forget" | "open" }>): void {
    switch (request.kind) {
      case "query":
        return this.#answer(request);
      case "symbols":
        return this.#give(request);
      case "taken":
      case "watch":
      case "pause":
      case "input-ended":
        return;
      case "stop":
        return this.post({ kind: "ended", end: { code: 0, message: "the dump is closed" } });
      case "debug-attach":
        return this.post({ kind: "debug-attached", error: withoutMachine("a debugger") });
      default:
        if ("id" in request) this.post({ kind: "answer", id: request.id, answer: noAnswer(withoutMachine(request.kind)) });
        else this.post({ kind: "undone", request: request.kind, problem: withoutMachine(request.kind) });
    }
  }

  #answer({ id, query }: Extract<Request, { kind: "query" }>): void {
    const answer = this.standing.answer(id, query, this.#inspector);
    if (answer) this.post({ kind: "answer", id, answer });
  }

  #give({ id, vm, file }: Extract<Request, { kind: "symbols" }>): void {
    try {
      this.#inspector.give(vm, file);
      this.post({ kind: "acted", id });
    } catch (error) {
      this.post({ kind: "acted", id, error: problemOf(error) });
    }
  }
}
