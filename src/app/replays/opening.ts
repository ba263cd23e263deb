// Opens a recording for a program: fetches it, and has its machine made.

import type { OpenRecording } from "./open-recording.ts";
import { cannotRead, readToEnd } from "../../kit/support/files/named-file.ts";
import { exceptionText, UserError } from "../../kit/support/problem.ts";
import { joined } from "../../kit/support/values/bytes.ts";

/**
 * Opens a recording: replays its run once, in the caller's thread, and compares it with what was
 * recorded, so that each of its places is near. A recording of another engine is refused, and so is
 * one whose machine uses disks of this computer. Its large files are in it (`el2 recording pack`),
 * or in el2's cache.
 *
 * It needs Deno, and the right to read el2's sources where it runs from them. In browsers it is in
 * `el2/browser.mjs` of npm's package, one module with all in it; `el2 publish` makes a whole page.
 *
 * ```ts
 * import { openRecording } from "@el2/el2";
 *
 * await using recording = await openRecording(new URL("bug.rec", `file://${Deno.cwd()}/`));
 * await recording.at("1ms");
 * const { rows } = await recording.query("vcpu.ls", { filter: "vm=vm:pong" });
 * for (const { id, state } of rows) console.log(id, state);
 * ```
 *
 * @param from its address (`file:`, `https:`), or its content
 * @throws Error if it cannot be fetched, is not a recording, or its run is another one here
 */
export async function openRecording(from: string | URL | Uint8Array): Promise<OpenRecording> {
  const [name, bytes] = from instanceof Uint8Array ? ["the recording", from] as const : await fetched(from);
  const { RecordedMachine } = await import("./recorded-machine.ts");
  return await RecordedMachine.open(name, bytes);
}

/**
 * The name and the content of a recording at an address.
 * @throws UserError if it does not come whole
 */
async function fetched(from: string | URL): Promise<[name: string, bytes: Uint8Array]> {
  const url = URL.parse(from);
  const isElsewhere = url?.protocol === "file:" && (url.host !== "" || /%2f/i.test(url.pathname));
  if (!url || isElsewhere) throw new UserError(`"${from}" is not an address`, 'use for example new URL("bug.rec", import.meta.url)');
  if (url.protocol !== "file:") return [url.href, await download(url)];
  const path = decodeURIComponent(url.pathname);
  try {
    return [path, readToEnd(path)];
  } catch (error) {
    throw new UserError(cannotRead(error, `recording ${path}`));
  }
}

/** @throws UserError that says how far it got */
async function download({ href }: URL): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0, all: string | null = null;
  try {
    const { body, headers, ok, status } = await fetch(href);
    if (!ok || !body) throw new UserError(`recording ${href}: the server answers ${status}`);
    all = headers.get("content-length");
    for await (const piece of body) {
      pieces.push(piece);
      size += piece.length;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`recording ${href}: ${size} of ${all ?? "its"} bytes have come: ${exceptionText(error)}`);
  }
  return joined(pieces);
}
