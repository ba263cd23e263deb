// `el2 rpc`: requests to the Resource Manager.

import { option, word, words } from "./argument.ts";
import { act, action, BACK, command, type Group, MESSAGE_MAX } from "./command.ts";
import { asTyped, bytes, duration, text } from "./kinds.ts";
import { listOfVm } from "./lists.ts";
import {
  ComposeError,
  composeRequest,
  fieldNames,
  findRequest,
  splitFields,
  UnknownRequestError,
} from "../../machine/abi/rpc/text/compose.ts";
import { requestNames } from "../../machine/abi/rpc/text/compose.ts";
import { ArgumentError } from "./argument.ts";
import { bytes as someBytes, count } from "../queries/fields.ts";
import { nameOf } from "../queries/ids.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { hint, hintText } from "../../kit/support/text/hint.ts";

/** Wall time (ns) to wait for the answer. */
export const ANSWER_TIME = 10e9;

export const REQUESTS_OF_VMS: Group = { name: "rpc", doc: "requests to the Resource Manager" };

export const RPC_LS = listOfVm("rpc.ls", {
  ofGunyah: "requests to the Resource Manager",
  doc: "list requests to the Resource Manager, and its notifications",
  table: "rpc.ls",
  examples: ["rpc ls", "rpc ls --filter 'about=ping res!=ok'"],
});

/** Sends a request to the Resource Manager in the host's name: a message's id, and its payload. */
export const REQUEST = action("rpc.send", { id: count(0xffff_ffff), payload: someBytes(MESSAGE_MAX) });
export const RPC_SEND = command("rpc.send", {
  ofGunyah: "requests to the Resource Manager",
  doc: "send a request to the Resource Manager as the host VM, and print the reply",
  args: {
    message: word(asTyped({ words: requestNames }), "its name or id, such as VM_GET_STATE"),
    fields: words(text, "FIELD=VALUE: numbers, bytes in hexadecimal or text:TEXT, lists as JSON; without any, list the fields"),
    payload: option(bytes, "raw bytes of the payload instead of fields, valid or not", { value: "hex" }),
    timeout: option(duration, `wall time for the reply; exits with 4 after it (default: ${ANSWER_TIME / 1e9}s)`, {
      value: "time",
      lineOnly: true,
    }),
  },
  right: "changes",
  excludes: [["payload", "fields"]],
  notes: "Exits with 1 if the request is refused; el2 why shows the reason. The host's drivers are not informed of the change.",
  examples: [
    "rpc send VM_GET_STATE vmid=0x80",
    "rpc send MEM_LEND                            list its fields",
    "rpc send MEM_RECLAIM handle=0x3 flags=0",
    "rpc send 0x56000001 --payload 00000000",
  ],
  steps: ({ message, fields, payload }) => {
    const { id, bytes } = composed(message, fields, payload);
    return act(REQUEST.of({ id, payload: bytes }));
  },
  menus: [{
    name: "mem.reclaim",
    on: ["parcel"],
    key: "r",
    label: "reclaim it",
    of: (id) => ({ message: "MEM_RECLAIM", fields: [`handle=${nameOf(id)}`, "flags=0"] }),
    asks: (id) => ({
      question: `Ask the Resource Manager, as the host, to reclaim ${id}?`,
      act: `reclaim ${id}`,
      effect: "The host gets the memory back. The Resource Manager refuses while a VM still has it mapped.",
      lost: "the parcel and its handle; its contents stay unless you request sanitizing",
      stays: BACK,
      taken: `asked the Resource Manager to reclaim ${id}`,
    }),
  }],
});

/**
 * A request by its name or id, with its payload.
 * @throws ArgumentError that names the error
 */
export function composed(name: string, fields: readonly string[], payload: Uint8Array | undefined) {
  try {
    const message = findRequest(name);
    if (payload) return { message: message.name, id: message.id, bytes: payload };
    const takes = fieldNames(message);
    if (!fields.length && takes.length) throw new ArgumentError(`rpc send ${message.name}: its fields are ${takes.join(", ")}`);
    return { message: message.name, id: message.id, bytes: composeRequest(message, splitFields(message, fields)) };
  } catch (error) {
    if (!(error instanceof ComposeError)) throw error;
    const example = `use for example ${hintText(hint("rpc send", "VM_GET_STATE", "vmid=0x80"))}`;
    const wayOut = error instanceof UnknownRequestError ? didYouMean(name.toUpperCase(), requestNames(), example) : error.problem.wayOut;
    throw new ArgumentError(`rpc send: ${error.problem.what}`, wayOut);
  }
}

export const RPC_COMMANDS = [RPC_LS, RPC_SEND];
