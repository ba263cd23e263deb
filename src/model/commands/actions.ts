// All actions of users on a machine: their schema and type, for the protocol and for recordings.

import * as v from "valibot";
import type { AnyAction } from "./command.ts";
import { CONSOLE_BREAK } from "./consoles.ts";
import { INJECT_ADD, INJECT_REMOVE } from "./faults.ts";
import { INPUT_SEND } from "./input.ts";
import { CLEAR, RAISE } from "./irq.ts";
import { WRITE } from "./mem.ts";
import { FLUSH, RING, SEND } from "./queue.ts";
import { REQUEST } from "./rpc.ts";
import { KILL, SET } from "./vcpu.ts";
import { BALLOON, CREATE, RESET, START, STOP } from "./vm.ts";
import { firstIssue } from "../queries/fields.ts";
import type { Problem } from "../../kit/support/problem.ts";

export const anyAction = v.variant("kind", [
  STOP.schema,
  START.schema,
  CREATE.schema,
  RESET.schema,
  BALLOON.schema,
  SET.schema,
  KILL.schema,
  RAISE.schema,
  CLEAR.schema,
  WRITE.schema,
  SEND.schema,
  FLUSH.schema,
  RING.schema,
  REQUEST.schema,
  CONSOLE_BREAK.schema,
  INPUT_SEND.schema,
  INJECT_ADD.schema,
  INJECT_REMOVE.schema,
]);
export type Action = Readonly<v.InferOutput<typeof anyAction>>;

/** Takes actions for a session. */
interface Actor {
  /** Performs one. Resolves to undefined on success. */
  act(action: Action): Promise<Problem | undefined>;
}

/**
 * Performs the action of a command, unless a field of it is wrong. Resolves to undefined on
 * success.
 */
export async function actOn(actor: Actor, given: AnyAction): Promise<Problem | undefined> {
  const { success, output, issues } = v.safeParse(anyAction, given);
  return success ? await actor.act(output) : { what: `${given.kind}: ${firstIssue(issues)}` };
}
