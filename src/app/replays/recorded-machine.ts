// The machine of a recording that a program has opened: it replays to its end, then shows any place
// of its run. It runs in the caller's thread, and uses nothing of the computer.

import type { OpenRecording, RecordedAnswer, RecordedEnd, RecordedPlace } from "./open-recording.ts";
import { placeIn, recordingOf } from "./planned-recording.ts";
import * as v from "valibot";
import { placeOfRun } from "../../model/commands/kinds.ts";
import { outsideResources, withoutConnections } from "../../model/plans/host-resources.ts";
import type { Request, SessionEnd, SessionEvent } from "../../model/protocol/protocol.ts";
import { GAPS } from "../../model/queries/facts/gap.ts";
import { firstIssue } from "../../model/queries/fields.ts";
import type { Move, PlainPlace } from "../../model/queries/move.ts";
import { problemIn, query as QUERY } from "../../model/queries/query.ts";
import type { Json } from "../../model/queries/table.ts";
import { isTableName, TABLE_NAMES } from "../../model/queries/tables.ts";
import { gapSentences } from "../../model/queries/texts/row-gaps.ts";
import { Asker } from "../../session/control/asker.ts";
import { type Recording, RecordingError } from "../../session/recordings/file/recording.ts";
import { MachineServer } from "../../session/worker/machine-server.ts";
import { Outbox } from "../../session/worker/outbox.ts";
import { otherEngine } from "../../kit/support/files/maker.ts";
import { UserError } from "../../kit/support/problem.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { timeText } from "../../kit/support/text/number-text.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** A recording's machine, at a place of its run. */
export class RecordedMachine implements OpenRecording {
  readonly #asker: Asker;
  /** When the calls until now have their results. */
  #last: Promise<unknown> = Promise.resolve();
  /** The machine, until it is released; then why there is none. */
  #server: MachineServer | UserError;
  /** Ends what is being awaited. */
  #fail: (why: Error) => void = () => {};
  #end: RecordedEnd | undefined;

  private constructor(readonly name: string, readonly recording: Recording) {
    this.#server = new MachineServer(new Outbox((events) => events.forEach((event) => this.#hear(event))), () => false);
    this.#asker = new Asker({ send: (request) => this.#send(request) });
  }

  /** @throws UserError if it is not a recording, or its run is another one here */
  static async open(name: string, bytes: Uint8Array): Promise<RecordedMachine> {
    const recording = await recordingOf(name, bytes, (maker) => {
      const what = otherEngine(name, maker);
      return what === undefined ? undefined : { what, wayOut: "open it with the el2 that made it" };
    });
    const [used] = withoutConnections(outsideResources(recording.plan)).filter((resource) => "path" in resource);
    if (used) {
      throw new RecordingError(
        `${name}: its machine uses ${used.kind} ${used.path} of the computer`,
        way`${hint("replay", name)} replays it`,
      );
    }
    const machine = new RecordedMachine(name, recording);
    await machine.#replay();
    return machine;
  }

  get end(): RecordedEnd {
    if (!this.#end) throw new Error("the run has not ended");
    return this.#end;
  }

  at(place: string): Promise<RecordedPlace> {
    return this.#inTurn(async () => {
      const to = placeIn(this.recording, this.name, placeOfRun.parse(place));
      this.#checkPlace(to);
      return await this.#move(to);
    });
  }

  query(table: string, args: Readonly<Record<string, Json>> = {}): Promise<RecordedAnswer> {
    return this.#inTurn(async () => {
      if (!isTableName(table)) throw new UserError(`there is no table "${table}"`, didYouMean(table, TABLE_NAMES, `use for example vm.ls`));
      const { success, output, issues } = v.safeParse(QUERY, { table, args });
      if (!success) throw new UserError(`${table}: ${firstIssue(issues)}`);
      const answer = await this.#asker.ask(output), problem = problemIn(answer);
      if (problem) throw new UserError(problem);
      const { rows, dropped, gaps = [], unrecorded = [] } = answer;
      return { rows, dropped, gaps: [...gaps.map((gap) => GAPS.text(gap)), ...gapSentences(unrecorded, rows)] };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    this.#server = new UserError(`${this.name} is closed`);
  }

  /** Runs to the end of the recording, and compares. */
  async #replay(): Promise<void> {
    const { plan, ...recording } = this.recording;
    const ended = await this.#inTurn(() =>
      new Promise<SessionEnd>((resolve) => {
        this.#ended = resolve;
        this.#send({ kind: "start", plan: { ...plan, history: true, replay: { recording, verify: true, to: undefined } } });
      })
    );
    if (ended.differs) throw new RecordingError(`${this.name}: ${ended.message}`);
    if (ended.problem) throw new RecordingError(ended.problem);
    const { code, message } = recording.end?.end ?? ended;
    this.#end = { code, message, ...await this.#inTurn(() => this.#move({ kind: "now" })) };
  }

  /** Called at the end of the replay. */
  #ended: (end: SessionEnd) => void = () => {};

  async #move(to: Move): Promise<RecordedPlace> {
    const moved = await this.#asker.move(to);
    if ("error" in moved) throw new UserError(moved.error);
    const { instructions, time = this.end.time } = moved;
    return { instructions, time };
  }

  /** @throws UserError for a place after the end */
  #checkPlace(to: PlainPlace): void {
    const { instructions, time } = this.end;
    if (to.kind === "time" ? to.at <= time : to.count <= instructions) return;
    const place = to.kind === "time" ? `t=${timeText(to.at)}s` : `instruction ${to.count}`;
    throw new UserError(`${place} is after the end of the run, instruction ${instructions} at t=${timeText(time)}s`);
  }

  /** Does some work after all that was asked for before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() =>
      new Promise<T>((resolve, reject) => {
        this.#fail = reject;
        work().then(resolve, reject);
      })
    );
    // An error goes to the caller.
    this.#last = turn.then(() => {}, () => {});
    return turn;
  }

  #send(request: Request): void {
    if (this.#server instanceof UserError) throw this.#server;
    this.#server.receive([request], () => {});
  }

  #hear(event: SessionEvent): void {
    if (this.#asker.receive(event)) return;
    if (event.kind === "console") this.#send({ kind: "taken", bytes: event.bytes.length });
    else if (event.kind === "ended") this.#ended(event.end);
    else if (event.kind === "failed") this.#fail(new Error(event.message));
  }
}
