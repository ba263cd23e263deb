// Images of a recorded run, by hash: whether one is another than in an earlier run
// (docs/spec/phones.md §B, number 34).

import { node } from "../../../kit/support/node-modules.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { decodePlain } from "../../../kit/support/values/plain-json.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";
import { RECORDING_START } from "../../../kit/support/files/written-files.ts";

const PIECE = 64 * KiB;

/**
 * SHA-256 of each file in a recording's plan that a VM executes or reads at its start, by its place
 * in the plan. Empty for what is not a recording.
 * @throws the system's error on the file
 */
export function recordedImages(path: string): ReadonlyMap<string, string> {
  return imagesOf(firstLine(path));
}

/** The same by the first line of a file. */
export function imagesOf(header: string): ReadonlyMap<string, string> {
  if (!header.startsWith(RECORDING_START)) return new Map();
  try {
    const { plan } = decodePlain(header) as { plan?: { table?: { files?: unknown }; from?: unknown } };
    return new Map(sums([plan?.table?.files, plan?.from], ""));
  } catch (error) {
    if (error instanceof SyntaxError) return new Map();
    throw error;
  }
}

/** Files in a value; large ones are in the cache, and have their hash in their place. */
function* sums(value: unknown, place: string): Generator<[place: string, sha256: string]> {
  if (value instanceof Uint8Array) yield [place, node.crypto.createHash("sha256").update(value).digest("hex")];
  else if (typeof value === "object" && value !== null) {
    if ("$file" in value) yield [place, String(value.$file)];
    else for (const [name, part] of Object.entries(value)) yield* sums(part, `${place}/${name}`);
  }
}

function firstLine(path: string): string {
  using file = Deno.openSync(path);
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = new Uint8Array(PIECE);
    const read = file.readSync(piece);
    const end = piece.subarray(0, read ?? 0).indexOf(0x0a);
    if (read !== null && end < 0) pieces.push(piece.subarray(0, read));
    else return new TextDecoder().decode(joined([...pieces, piece.subarray(0, Math.max(end, 0))]));
  }
}
