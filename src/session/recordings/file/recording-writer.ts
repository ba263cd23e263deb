// Writes recordings.

import { files, type GrowingFile, type PendingFile } from "../../../kit/support/files/files.ts";
import type { SessionPlan } from "../../../model/plans/plan.ts";
import { savedPlan } from "../../../model/plans/saved-plan.ts";
import { encodePlain } from "../../../kit/support/values/plain-json.ts";
import { writeAll, writing } from "../../../kit/support/files/write-all.ts";
import type { Check, EndState, Input, RecordedInput, TurnPlace } from "../../../model/plans/recorded-run.ts";
import type { Mark } from "../../../model/queries/move.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { storeFiles } from "./plan-files.ts";
import { SCHEMA } from "./recording.ts";

/**
 * The text of a recording's first line. It contains the snapshot that the run began with, as its
 * file may be gone when the run is replayed. Large files of the plan go to the cache.
 * @throws UserError for a plan without a table
 */
export async function recordingHeader(plan: SessionPlan): Promise<string> {
  const { from } = plan, begin = from && { from: { spare: from.spare, bytes: from.bytes } };
  const whole = { ...savedPlan(plan, "run"), ...begin };
  return `${encodePlain({ schema: SCHEMA, ...files().maker(), plan: await storeFiles(whole) })}\n`;
}

/** The last line, with the checksum of all lines before. */
const sealLine = (sum: string): string => `${encodePlain({ sha256: sum })}\n`;

/** The text of a whole recording, of its lines up to the end. */
export const sealed = (lines: string): string => lines + sealLine(node.crypto.createHash("sha256").update(lines).digest("hex"));

/**
 * Writes a recording, line by line: of a run, so that the lines so far survive the end of the
 * program; of a past run, as a whole. An older file stays until the first line, which has all of
 * the plan, is written.
 */
export class RecordingWriter implements Disposable {
  /** Its file, if it has its name when it is whole. */
  readonly #pending: PendingFile | undefined;
  /** Its file, if it grows. */
  readonly #growing: GrowingFile | undefined;
  readonly #sum = node.crypto.createHash("sha256");

  /** @throws Error if the file cannot be written. */
  constructor(readonly path: string, header: string, whole = false) {
    if (!whole) {
      const start = this.#summed(header);
      this.#growing = writing(this.#option, () => files().begun(path, start));
      return;
    }
    this.#pending = files().whole(path);
    try {
      this.#write(header);
    } catch (error) {
      // Nobody has the object yet, and could dispose of it.
      this[Symbol.dispose]();
      throw error;
    }
  }

  input(place: TurnPlace, input: Input): void {
    this.#line({ ...place, input });
  }

  /** @param at virtual time (ns) at which it was made */
  mark(at: number, mark: Mark): void {
    this.#line({ at, mark });
  }

  check(at: number, check: Check): void {
    this.#line({ at, check });
  }

  /** Seals it. Returns the SHA-256 of the file in hexadecimal digits. */
  end(at: number, end: EndState): string {
    this.#line({ at, end });
    this.#write(sealLine(this.#sum.copy().digest("hex")));
    this.#pending?.commit();
    this.#growing?.close();
    return this.#sum.copy().digest("hex");
  }

  /** One that is written as a whole and was not sealed leaves nothing. */
  [Symbol.dispose](): void {
    this.#pending?.[Symbol.dispose]();
  }

  #line(value: unknown): void {
    this.#write(`${encodePlain(value)}\n`);
  }

  #write(text: string): void {
    const bytes = this.#summed(text);
    // A past run is written to a file that its client names.
    this.#pending?.write(bytes);
    if (this.#growing) writeAll(this.#growing, bytes, this.#option);
  }

  #summed(text: string): Uint8Array {
    const bytes = new TextEncoder().encode(text);
    this.#sum.update(bytes);
    return bytes;
  }

  /** The option that names the file of a run. */
  get #option(): string {
    return `--record ${this.path}`;
  }
}

/** A run's inputs, and its end at a virtual time (ns). */
export interface PastRun {
  readonly inputs: readonly RecordedInput[];
  readonly at: number;
  readonly end: EndState;
}

/** Writes the past run of a plan as a recording. */
export async function recordPast(path: string, plan: SessionPlan, { inputs, at, end }: PastRun): Promise<void> {
  using writer = new RecordingWriter(path, await recordingHeader(plan), true);
  for (const { at, settled, input } of inputs) writer.input({ at, settled }, input);
  writer.end(at, end);
}
