// Data that entered a recorded run from networks, sockets and shared folders: how many bytes, the
// host names that resolvers gave answers about (RFC 1035), and the names of shared files.

import * as v from "valibot";
import type { RecordedInput } from "../../../model/plans/recorded-run.ts";
import { namesInAnswer } from "../../outside/share.ts";

const bytes = v.instance(Uint8Array);
/** The data of such inputs by their forms (`session/outside/`); others, as of timers, have none. */
const FORMS = [
  { from: "shared folders", data: v.pipe(v.object({ ticket: v.number(), bytes }), v.transform((answer) => answer.bytes)) },
  { from: "connections", data: v.pipe(v.object({ kind: v.literal("data"), bytes }), v.transform((word) => word.bytes)) },
  { from: "datagrams", data: v.union([bytes, v.pipe(v.object({ peer: v.unknown(), bytes }), v.transform((sent) => sent.bytes))]) },
] as const;

/** Fields of a message, its flag of an answer, and sizes. */
const Header = { Flags: 2, Questions: 4, Size: 12 } as const;
const ANSWER = 0x8000, LABEL_MAX = 63, NAME_MAX = 253;
const HOST_NAME = /^[\w-]+(?:\.[\w-]+)*$/;

interface Brought {
  readonly data: readonly { readonly from: typeof FORMS[number]["from"]; readonly bytes: number }[];
  /** Host names, each once, in their order. */
  readonly hosts: readonly string[];
  /** Names in shared folders, and where their symbolic links lead: each once, in their order. */
  readonly shared: readonly string[];
}

/** @param namesMax how many host names are listed, and how many names of files */
export function broughtBy(inputs: readonly RecordedInput[], namesMax: number): Brought {
  const sums = new Map<Brought["data"][number]["from"], number>(), hosts = new Set<string>(), shared = new Set<string>();
  for (const { input } of inputs) {
    if (input.kind !== "outside") continue;
    for (const { from, data } of FORMS) {
      const parsed = v.safeParse(data, input.data);
      if (!parsed.success) continue;
      sums.set(from, (sums.get(from) ?? 0) + parsed.output.length);
      const host = from === "datagrams" && hosts.size < namesMax ? nameIn(parsed.output) : undefined;
      if (host !== undefined) hosts.add(host);
      if (from === "shared folders" && shared.size < namesMax) { for (const name of namesInAnswer(parsed.output)) shared.add(name); }
      break;
    }
  }
  return { data: [...sums].map(([from, bytes]) => ({ from, bytes })), hosts: [...hosts], shared: [...shared].slice(0, namesMax) };
}

/** The name in the question of a resolver's answer; undefined for other datagrams. */
function nameIn(message: Uint8Array): string | undefined {
  if (message.length < Header.Size) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if ((view.getUint16(Header.Flags) & ANSWER) === 0 || view.getUint16(Header.Questions) !== 1) return undefined;
  const labels: string[] = [], decoder = new TextDecoder();
  let at: number = Header.Size;
  for (let size = message[at]; size !== 0; size = message[at]) {
    if (size === undefined || size > LABEL_MAX || at > Header.Size + NAME_MAX) return undefined;
    labels.push(decoder.decode(message.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
  const name = labels.join(".");
  return HOST_NAME.test(name) ? name : undefined;
}
