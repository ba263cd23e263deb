// `el2 rpc send MESSAGE FIELD=VALUE ..`: a request to the resource manager on behalf of the host
// VM.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { fieldsText, output, printAnswer } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parseBytes, parseDuration } from "../../common/values.ts";
import {
  ComposeError,
  composeRequest,
  fieldNames,
  findRequest,
  requestNames,
  splitFields,
  UnknownRequestError,
} from "../../../../machine/abi/rpc/text/compose.ts";
import { TABLES } from "../../../../model/queries/tables.ts";
import { didYouMean } from "../../../../kit/support/text/did-you-mean.ts";

/** Wall time (ns) to wait for the answer. */
const ANSWER_TIME = 10e9;
/** Wall time (ms) between two looks. */
const LOOK = 20;

/** Adds the command to the group `rpc`. */
export function addSend(rpc: Command, { exit }: CommandContext): void {
  const command = withSessionOptions(
    rpc.command("send").description("send a request to the resource manager as the host VM, and print the reply; changes the machine"),
  )
    .argument("<message>", "its name or id, such as VM_GET_STATE")
    .argument("[fields...]", "FIELD=VALUE: numbers, bytes in hexadecimal or text:TEXT, lists as JSON; without any, list the fields")
    .option("--payload <hex>", "raw bytes of the payload instead of fields, valid or not", parseBytes)
    .option("--timeout <time>", `wall time for the reply; exits with 4 after it (default: ${ANSWER_TIME / 1e9}s)`, parseDuration)
    .addHelpText(
      "after",
      `
Exits with 1 if the request is refused; el2 why shows the reason. The host's drivers are not informed of the change.

Examples:
  el2 rpc send VM_GET_STATE vmid=0x80
  el2 rpc send MEM_LEND                            list its fields
  el2 rpc send MEM_RECLAIM handle=0x3 flags=0
  el2 rpc send 0x56000001 --payload 00000000`,
    );
  command.action(async (name, fields) => exit(await sendRpc(name, fields, command.opts())));
}

interface SendOptions {
  readonly payload?: Uint8Array;
  readonly timeout?: number;
  readonly json?: boolean;
  readonly session?: string;
  readonly readOnly?: boolean;
}

async function sendRpc(name: string, fields: readonly string[], options: SendOptions): Promise<number> {
  const { timeout = ANSWER_TIME } = options;
  const { message, payload } = composed(name, fields, options.payload);
  using open = await openSession(options);
  const { asker, session } = open;
  if (session.info.paused) throw failed("the machine is paused and cannot answer", "continue it with el2 resume");
  const newest = async (after?: string) => await asker.ask({ table: "rpc.ls", args: { filter: `vm=host msg=${message}`, after } });
  const { cursor } = await newest();
  const error = await asker.act({ kind: "rpc.send", ...payload });
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

/** @throws Failure that names the error */
function composed(name: string, fields: readonly string[], bytes: Uint8Array | undefined) {
  try {
    const message = findRequest(name);
    if (bytes) {
      if (fields.length) throw new Failure("rpc send: --payload and fields are mutually exclusive", "give one");
      return { message: message.name, payload: { id: message.id, payload: bytes } };
    }
    const takes = fieldNames(message);
    if (!fields.length && takes.length) throw new Failure(`rpc send ${message.name}: its fields are ${takes.join(", ")}`);
    return { message: message.name, payload: { id: message.id, payload: composeRequest(message, splitFields(message, fields)) } };
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    const example = "use for example el2 rpc send VM_GET_STATE vmid=0x80";
    const wayOut = error instanceof UnknownRequestError ? didYouMean(name.toUpperCase(), requestNames(), example) : error.problem.wayOut;
    throw new Failure(`rpc send: ${error.problem.what}`, wayOut);
  }
}
