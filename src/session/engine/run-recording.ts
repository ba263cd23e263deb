// The recording of a run in progress: each input at its place, registers at intervals, and how it
// ended (`--record`).

import type { Check, EndState, Input } from "../../model/plans/recorded-run.ts";
import type { Mark } from "../../model/queries/move.ts";
import { RecordingWriter } from "../recordings/file/recording-writer.ts";
import { saveRecording } from "../recordings/file/save.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { RunningSystem, System } from "../assembly/system/system.ts";
import type { Output } from "./output.ts";
import type { SessionRun } from "./session-run.ts";

/** Retired instructions between two checks of a recording. */
const CHECK_INTERVAL = 10_000_000;

/** The data of a run for recordings; written to a file if the plan names one. */
export class RunRecording {
  readonly #writer: RecordingWriter | undefined;
  #nextCheck = CHECK_INTERVAL;

  /** How the run ended, once it has. */
  #ended: Pick<EndState, "code" | "message" | "own"> | undefined;

  /** @throws WriteFailure */
  constructor(
    { record }: SessionPlan,
    readonly present: RunningSystem & Pick<System, "hashes" | "stops">,
    readonly run: SessionRun,
    readonly output: Output,
  ) {
    this.#writer = record && new RecordingWriter(record.path, record.header);
  }

  /** It is written to a file. */
  get written(): boolean {
    return this.#writer !== undefined;
  }

  /**
   * Records an input at the present place.
   * @throws WriteFailure
   */
  enter(input: Input): void {
    const { machine } = this.present;
    this.endTurn();
    const place = { at: machine.boundary, settled: machine.settled };
    this.run.enter(place, input);
    this.#writer?.input(place, input);
  }

  /**
   * Records a mark, wherever in the run it is.
   * @throws WriteFailure
   */
  mark(mark: Mark): void {
    this.#writer?.mark(this.present.machine.boundary, mark);
  }

  /**
   * A step may have left the machine in the middle of a turn, where a recording cannot have a
   * place.
   */
  endTurn(): void {
    const { machine } = this.present;
    if (machine.inTurn) this.present.stops.muted(() => machine.run(Infinity, 1));
  }

  /**
   * Records registers for replays when they are due.
   * @throws WriteFailure
   */
  check(): void {
    const { machine } = this.present;
    if (!this.#writer || machine.inTurn || this.present.instructions() < this.#nextCheck) return;
    const check = this.state();
    this.#writer.check(machine.boundary, check);
    this.#nextCheck = check.instructions + CHECK_INTERVAL;
  }

  /** Registers now. */
  state(): Check {
    return { instructions: this.present.instructions(), registers: this.present.hashes.registers() };
  }

  /** Everything now, at an end; `own`: the machine's, not one from outside. */
  endState(code: number, message: string, own: boolean): EndState {
    return { ...this.state(), code, message, own, memory: this.present.hashes.memory(), console: this.output.digest };
  }

  /**
   * Ends the recording at a virtual time (ns). Returns the SHA-256 of its file, if there is one.
   * @throws WriteFailure
   */
  end(at: number, code: number, message: string, own: boolean): string | undefined {
    this.#ended = { code, message, own };
    return this.#writer?.end(at, this.endState(code, message, own));
  }

  /**
   * Writes the run so far, or to its end, to another file.
   * @throws Error if it cannot be written
   */
  save(path: string, header: string): void {
    if (!this.#ended) this.endTurn();
    this.output.flush();
    const { code, message, own } = this.#ended ?? { code: 0, message: "the run continued", own: false };
    saveRecording(path, header, this.run, this.present.machine.boundary, this.endState(code, message, own));
  }
}
