// Files requested while a machine runs: snapshots, which are written a piece at a time, and
// recordings of the run so far.

import { asProblem, exceptionText, type Problem, problemOf, type Said } from "../../kit/support/problem.ts";
import { isOfSystem } from "../../kit/support/system-error.ts";
import { RecordingError } from "../recordings/file/recording.ts";
import { cannotWrite } from "../../kit/support/files/named-file.ts";
import { savedHeader, writeStartImages } from "../recordings/file/save.ts";
import type { StartImage } from "../outside/written-disk.ts";
import { writeSnapshot } from "../snapshots/file.ts";
import { isForTheUser, snapshotOf } from "../snapshots/save.ts";
import { WriteFailure } from "../../kit/support/files/write-all.ts";
import { inPieces } from "./loop.ts";
import { PAST } from "../../model/protocol/protocol.ts";
import type { EngineParts } from "./parts.ts";
import type { Debugging } from "./debugging.ts";
import { placeOf } from "./session-run.ts";

/** Snapshots that are written at a time: each holds a copy of the machine's pages. */
const AT_A_TIME = 4;

/** Called with the number of pages written, at the end, and with errors of the computer. */
type Progress = (done: number, whole: boolean, error?: Problem) => void;

/** A file that is being written. */
interface Writing {
  /** The request; undefined: the session's own. */
  readonly id: number | undefined;
  /** Writes a piece; true: complete. */
  readonly step: () => boolean;
  /** An older file stays. */
  readonly giveUp: () => void;
}

/** The files of one session that are being written. */
export class Saving {
  readonly #writing = new Set<Writing>();

  constructor(readonly parts: EngineParts, readonly debugging: Debugging) {}

  /**
   * Writes a snapshot of what is shown, a piece at a time. The machine continues meanwhile. A
   * `passing` file is not recorded as a place of the run.
   */
  snapshot(id: number, path: string, title: string, passing: boolean): void {
    const { port: { post }, shown: { system }, run, plan } = this.parts;
    let total = 0;
    const tell: Progress = (done, whole, error) => post({ kind: "snapshotted", id, done, total, whole, error });
    // A request may come between a machine's stop and the session's end.
    if (system.ended()) return tell(0, false, { what: "the machine has ended" });
    if (this.#writing.size >= AT_A_TIME) {
      const what = `${AT_A_TIME} snapshots are being written already`;
      return tell(0, false, { what, wayOut: "try again when one is done" });
    }
    this.parts.output.flush();
    const place = placeOf("snapshot", system, path);
    this.write(() => {
      const snapshot = snapshotOf(system, plan, title);
      total = snapshot.header.pages;
      return writeSnapshot(path, snapshot);
    }, (done, whole, error) => {
      const stays = whole && !passing;
      if (stays) run.written(place);
      tell(done, whole, error);
      if (stays) post({ kind: "saved", path });
    }, id);
  }

  /** Gives up the snapshot of a request. */
  forget(id: number): void {
    for (const one of this.#writing) {
      if (one.id !== id) continue;
      this.#writing.delete(one);
      one.giveUp();
    }
  }

  /**
   * Has a snapshot written between slices. Errors of the computer are reported, not thrown; so is a
   * bug of el2, which costs the file and not the machine.
   */
  write(begin: () => Generator<number>, tell: Progress, id?: number): void {
    let steps: Generator<number> | undefined;
    const step = () => {
      try {
        steps ??= begin();
        const { done, value } = steps.next();
        tell(value ?? 0, done === true);
        return done === true;
      } catch (error) {
        tell(0, false, this.#problem(error));
        return true;
      }
    };
    const giveUp = () => {
      steps?.return(undefined);
      tell(0, false, { what: "canceled" });
    };
    const one: Writing = { id, step, giveUp };
    this.#writing.add(one);
    inPieces(this.parts.port, () => {
      if (!this.#writing.has(one)) return true;
      const over = step();
      if (over) this.#writing.delete(one);
      return over;
    });
  }

  #problem(error: unknown): Problem {
    if (isForTheUser(error)) return fileProblem(error);
    this.parts.port.contained({ where: "the snapshot", error });
    const what = `the machine cannot be saved: ${exceptionText(error)}, an exception in el2 itself`;
    return { what, wayOut: "the machine continues" };
  }

  /** Whether a snapshot is being written. */
  get busy(): boolean {
    return this.#writing.size > 0;
  }

  /** Snapshots that are being written are written to their end: the machine goes. */
  finish(): void {
    for (const { step } of this.#writing) while (!step());
    this.#writing.clear();
  }

  /** Writes a recording of the run so far, which may continue. */
  recording(id: number, path: string, images: boolean): void {
    const { plan, port } = this.parts;
    const acted = (error?: Said) => port.post({ kind: "acted", id, error: asProblem(error) });
    const off = this.#unrecordable();
    if (off !== undefined) return acted(off);
    const write = (header: string) => {
      const recorded = this.#recorded(path, header, images);
      if (!(recorded instanceof Array)) return acted(recorded);
      if (recorded.length === 0) return acted();
      this.write(
        () => writeStartImages(path, recorded),
        (_done, whole, error) => whole || error ? acted(error) : undefined,
      );
    };
    savedHeader(plan, images ? path : undefined).then((header) => port.guarded(() => write(header)), (error) => {
      port.guarded(() => {
        if (!(error instanceof RecordingError) && !isForTheUser(error)) throw error;
        acted(problemOf(error));
      });
    });
  }

  /** Why what has happened cannot be a recording. */
  #unrecordable(): Said | undefined {
    if (this.parts.replaying) return "a replay is already a recording";
    if (this.parts.shown.past) return PAST;
    if (this.parts.run.lost !== undefined) return this.parts.run.lost;
    if (this.debugging.changed) return "the debugger wrote memory or registers, which is not recorded";
    return undefined;
  }

  /** The content of the images to write beside it; or why it was not written. */
  #recorded(path: string, header: string, images: boolean): Said | readonly StartImage[] {
    const off = this.#unrecordable();
    if (off !== undefined) return off;
    try {
      const starts = images ? this.parts.shown.present.disks.map((disk) => disk.startImage()) : [];
      this.parts.recording.save(path, header);
      return starts;
    } catch (error) {
      if (!(error instanceof WriteFailure) && !isForTheUser(error)) throw error;
      return fileProblem(error);
    }
  }
}

/** An error of the computer or of the plan. */
function fileProblem(error: Error): Problem {
  return isOfSystem(error) ? { ...cannotWrite(error), ofFile: true } : problemOf(error);
}
