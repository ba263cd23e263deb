// `el2 rpc send MESSAGE FIELD=VALUE ..`: a request to the Resource Manager on behalf of the host
// VM.

import { runner } from "../../common/argv.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { fieldsText, output, printAnswer } from "../../common/print.ts";
import type { RunOptions } from "../../common/run-command.ts";
import { openSession } from "../../common/session.ts";
import type { ValuesOf } from "../../../../model/commands/argument.ts";
import { ANSWER_TIME, composed, REQUEST, RPC_SEND } from "../../../../model/commands/rpc.ts";
import { RESUME } from "../../../../model/commands/time.ts";
import { lineFor } from "../../../../model/commands/words.ts";
import { TABLES } from "../../../../model/queries/tables.ts";

/** Wall time (ms) between two looks. */
const LOOK = 20;

export const runSend = runner(RPC_SEND, { run: (values, options) => sendRpc(values, options) });

async function sendRpc(values: ValuesOf<typeof RPC_SEND.args>, options: RunOptions): Promise<number> {
  const { timeout = ANSWER_TIME } = values;
  const { message, id, bytes } = composed(values.message, values.fields, values.payload);
  using open = await openSession(options);
  const { asker, session } = open;
  if (session.info.paused) throw failed("the machine is paused and cannot answer", `continue it with ${lineFor(RESUME, {})}`);
  const newest = async (after?: string) => await asker.ask({ table: "rpc.ls", args: { filter: `vm=host msg=${message}`, after } });
  const { cursor } = await newest();
  const error = await asker.act(REQUEST.of({ id, payload: bytes }));
  if (error !== undefined) throw failed(error);
  for (const limit = performance.now() + timeout / 1e6;;) {
    const answer = await newest(cursor);
    const [row] = answer.rows;
    if (row) {
      if (options.json) printAnswer(session.info.name, { ...answer, rows: [row] }, true);
      else output(fieldsText(TABLES["rpc.ls"], row));
      return row.refused ? ExitCode.Failed : ExitCode.Done;
    }
    if (performance.now() > limit) throw new Failure(`no reply within ${timeout / 1e9} s`, undefined, ExitCode.TimedOut);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}
