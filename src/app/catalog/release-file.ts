// The release file of a Debian archive (InRelease): its signature, and the hashes in it.

import keys from "../../../assets/debian-archive-keys.asc" with { type: "text" };
import { UserError } from "../../kit/support/problem.ts";

/** A file of the archive, as its release file describes it. */
interface ReleasedFile {
  readonly size: number;
  /** Hex digits. */
  readonly sha256: string;
}

/** The keys with which Debian signs bookworm, trixie and sid. */
export const DEBIAN_KEYS: string = keys;

/** A release file that the archive has not signed. */
class NotSigned extends UserError {}

/**
 * The files of a release by their paths, below its folder in `dists`.
 * @param inRelease the mirror's file
 * @param armoredKeys one of which must have signed it
 * @throws NotSigned
 */
export async function readRelease(inRelease: string, armoredKeys: string): Promise<ReadonlyMap<string, ReleasedFile>> {
  const text = await signedText(inRelease, armoredKeys);
  const until = /^Valid-Until: (.*)$/m.exec(text)?.[1];
  if (until !== undefined && Date.parse(until) < Date.now()) {
    throw new NotSigned(
      `the mirror's release file was valid until ${until}`,
      "the mirror is not up to date, or somebody holds back updates",
    );
  }
  const section = /^SHA256:\n((?: .*\n?)+)/m.exec(text)?.[1] ?? "";
  return new Map(
    section.split("\n").filter((line) => line !== "").map((line) => {
      const [sha256, size, path] = line.trim().split(/\s+/);
      return [path, { size: Number(size), sha256 }];
    }),
  );
}

/** The text inside a signed message: nothing around it counts. */
async function signedText(message: string, armoredKeys: string): Promise<string> {
  // Loaded by who fetches: it is larger than all else that a start needs.
  const { readCleartextMessage, readKeys, verify } = await import("openpgp");
  const verificationKeys = await readKeys({ armoredKeys });
  try {
    const { data, signatures } = await verify({ message: await readCleartextMessage({ cleartextMessage: message }), verificationKeys });
    const results = await Promise.allSettled(signatures.map(({ verified }) => verified));
    if (results.some(({ status }) => status === "fulfilled")) return data;
    const said = results.map((result) => result.status === "rejected" ? reasonOf(result.reason) : "").join("; ");
    throw new NotSigned(`the mirror's release file has no valid signature of the Debian archive: ${said}`);
  } catch (error) {
    if (error instanceof NotSigned) throw error;
    throw new NotSigned(`the mirror's release file is not a signed message: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
