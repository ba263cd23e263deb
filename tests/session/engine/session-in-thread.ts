// A session whose engine runs in the thread of its test.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { Engine } from "../../../src/session/engine/engine.ts";
import type { EnginePort } from "../../../src/session/engine/loop.ts";
import type { Again } from "../../../src/session/engine/session-run.ts";
import { Standing } from "../../../src/session/engine/standing.ts";
import { alone, type SessionPlan } from "../../../src/model/plans/plan.ts";
import type { Move } from "../../../src/model/queries/move.ts";
import type { SessionEvent } from "../../../src/model/protocol/protocol.ts";
import type { Answer, Query } from "../../../src/model/queries/query.ts";
import type { Row } from "../../../src/model/queries/table.ts";
import { type Moment, Past } from "../../../src/session/recordings/past/past.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { problemText } from "../../../src/kit/support/problem.ts";
import { LONG } from "../../support/long.ts";

/** Instructions that a session has executed at least when it is paused. */
export const LENGTH = LONG ? 3_000_000 : 600_000;

export function hashesOf(system: System): string {
  return `${system.instructions()} ${system.hashes.registers()} ${system.hashes.memory()}`;
}

/** Machines of a plan without what enters its session. */
export function machinesOf(plan: SessionPlan): Again {
  const second = alone(plan);
  return (state, left, disks) => state ? loaded(second, state, left, disks) : assemble(second, undefined, false, disks);
}

/** The port of an engine in this thread: a bug of el2 fails the test. */
export function portOf(
  again: EnginePort["again"],
  post: EnginePort["post"],
  requested: EnginePort["requested"] = () => false,
): EnginePort {
  return {
    post,
    together: (work) => work(),
    standing: new Standing(),
    guarded: (work) => work(),
    contained: ({ error }) => {
      throw error;
    },
    requested,
    lags: () => false,
    again,
  };
}

/**
 * Starts an engine in this thread, which posts to a client that takes all output at once.
 * @param requested whether a request of the client waits
 */
export function startEngine(
  plan: SessionPlan,
  again: EnginePort["again"],
  post: EnginePort["post"],
  requested: EnginePort["requested"] = () => false,
): Engine {
  const engine: Engine = new Engine(
    assemble(plan),
    plan,
    portOf(again, (event) => {
      if (event.kind === "console") engine.taken(event.bytes.length);
      post(event);
    }, requested),
  );
  engine.start();
  return engine;
}

/** A session in this thread. */
export class Session {
  readonly engine: Engine;
  readonly again: () => System;
  readonly #events: SessionEvent[] = [];
  #wake: () => void = () => {};

  constructor(plan: SessionPlan) {
    this.again = machinesOf(plan);
    this.engine = startEngine(plan, this.again, (event) => {
      this.#events.push(event);
      this.#wake();
    });
  }

  get hashes(): string {
    return hashesOf(this.engine.system);
  }

  /** Waits for an event that passes. */
  async event<K extends SessionEvent["kind"]>(kind: K): Promise<Extract<SessionEvent, { kind: K }>> {
    for (;;) {
      const at = this.#events.findIndex((event) => event.kind === kind);
      if (at >= 0) return this.#events.splice(0, at + 1)[at] as Extract<SessionEvent, { kind: K }>;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Whether such an event is there that nobody has waited for. */
  heard(kind: SessionEvent["kind"]): boolean {
    return this.#events.some((event) => event.kind === kind);
  }

  /** The hashes of another machine that runs to a moment from the start, with the same inputs. */
  fromStart(moment: Moment, inputs = this.engine.inputs): string {
    const past = new Past(this.again(), inputs);
    while (!past.advance(moment, Infinity));
    return hashesOf(past.system);
  }

  rows(table: "stop.ls" | "time.ls"): readonly Row[] {
    return this.engine.present.inspector.answer({ table, args: {} }).rows;
  }

  /** The answer to a question, as a client gets it. */
  async ask(query: Query): Promise<Answer> {
    this.engine.query(1, query);
    return (await this.event("answer")).answer;
  }

  async move(to: Move): Promise<string | undefined> {
    this.engine.move(1, to);
    const { error } = await this.event("moved");
    return error && problemText(error);
  }

  /**
   * Lets it run, types on the way, and pauses it. Without states on the way it goes no further, as
   * all that is asked then begins at the start.
   */
  async runAWhile(length = LENGTH): Promise<void> {
    if (this.engine.plan.history) await this.#runTo(length / 2);
    else {
      this.engine.pause(true);
      await this.event("paused");
      assert.equal(await this.move({ kind: "step", by: length / 2 }), undefined);
    }
    this.engine.input("hello", new TextEncoder().encode("t"));
    if (!this.engine.plan.history) return void assert.equal(await this.move({ kind: "step", by: length / 2 }), undefined);
    await this.#runTo(length);
    this.engine.pause(true);
    await this.event("paused");
  }

  /** Runs it for this many instructions more. */
  runOn(instructions: number): Promise<void> {
    return this.#runTo(this.engine.system.instructions() + instructions);
  }

  async #runTo(instructions: number): Promise<void> {
    while (this.engine.system.instructions() < instructions) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
