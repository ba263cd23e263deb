// A recording that a program has opened: its run, at any of its places, with the answers that the
// command line has there.

import type { Json, Row } from "../../model/queries/table.ts";

/**
 * A place of a recorded run.
 *
 * ```ts
 * import { openRecording, type RecordedPlace } from "@el2/el2";
 *
 * await using recording = await openRecording(await Deno.readFile("bug.rec"));
 * const place: RecordedPlace = await recording.at("1ms");
 * console.log(place.instructions, place.time >= 1e6); // … true
 * ```
 */
export interface RecordedPlace {
  /** Instructions that guests had retired. */
  readonly instructions: number;
  /** Virtual time in ns. */
  readonly time: number;
}

/**
 * How a recorded run ended, and where.
 *
 * ```ts
 * import { openRecording, type RecordedEnd } from "@el2/el2";
 *
 * await using recording = await openRecording(await Deno.readFile("bug.rec"));
 * const end: RecordedEnd = recording.end;
 * console.log(end.code, end.message, end.time);
 * ```
 */
export interface RecordedEnd extends RecordedPlace {
  /** Exit code of the command that ran it. */
  readonly code: number;
  /** Why it ended, in one line. */
  readonly message: string;
}

/**
 * The rows of a table at a place.
 *
 * ```ts
 * import { openRecording, type RecordedAnswer } from "@el2/el2";
 *
 * await using recording = await openRecording(await Deno.readFile("bug.rec"));
 * const answer: RecordedAnswer = await recording.query("events", { limit: 10 });
 * for (const { id, text } of answer.rows) console.log(id, text);
 * if (answer.dropped) console.log(`${answer.dropped} earlier ones are not kept`);
 * ```
 */
export interface RecordedAnswer {
  /** They have the columns that commands print with `--json` (docs/reference/json.md). */
  readonly rows: readonly Row[];
  /** Rows that were lost before they could be read. */
  readonly dropped: number;
  /**
   * Gaps in them, a sentence each: memory of a guest that could not be read, times that were not
   * recorded.
   */
  readonly gaps: readonly string[];
}

/**
 * A recording that is open. Its methods wait for each other, in the order of their calls.
 *
 * ```ts
 * import { type OpenRecording, openRecording } from "@el2/el2";
 *
 * async function statesAt(recording: OpenRecording, place: string) {
 *   await recording.at(place);
 *   return (await recording.query("vm.ls")).rows.map(({ id, state }) => `${id} ${state}`);
 * }
 *
 * await using recording = await openRecording(await Deno.readFile("bug.rec"));
 * console.log(await statesAt(recording, "1ms"), await statesAt(recording, "20us"));
 * ```
 */
export interface OpenRecording extends AsyncDisposable {
  /** How its run ended: the place at which it is until the first `at`. */
  readonly end: RecordedEnd;
  /**
   * Goes to a place of the run: a count of retired instructions (`120000`), a virtual time
   * (`12.5ms`), or the name of a mark. Tells where that is: the first place with this count, or at
   * this time or later.
   * @throws Error that names what is not a place of this run
   */
  at(place: string): Promise<RecordedPlace>;
  /**
   * The rows of a table there.
   * @param table its name, by docs/reference/json.md: `vm.ls`
   * @param args what its query takes: each takes `filter` and `limit`
   * @throws Error that says why there is no answer
   */
  query(table: string, args?: Readonly<Record<string, Json>>): Promise<RecordedAnswer>;
  /** Releases the machine. */
  [Symbol.asyncDispose](): Promise<void>;
}
