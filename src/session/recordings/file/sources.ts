// Source files in a recording, by the names that the debug information of its programs has for
// them: so lines have their text where the sources are not.

import * as v from "valibot";
import { beginningOf, statIfReadable } from "../../../kit/support/files/named-file.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import { KiB, MiB } from "../../../kit/support/values/sizes.ts";
import { type HostPath, hostPathOf } from "../../../model/plans/host-resources.ts";
import type { Sources } from "../../../model/plans/recorded-run.ts";
import { RecordingError } from "./recording.ts";

/** Obtains the user's consent that files of this computer are copied, or throws. */
export type SourceConsent = (files: readonly HostPath[]) => void;

/** Files of one recording, and bytes of one and of all. A kernel is built from some thousand. */
const FILES_MAX = 8192, FILE_MAX = 4 * MiB, ALL_MAX = 64 * MiB;
/** Characters of a name. */
const NAME_MAX = 4 * KiB;

/** The path of a source file, relative in programs that name no folder of their computer. */
export const NAME = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX));

/** The sources in the header of a recording, which anybody may have written. */
const SOURCES = v.pipe(
  v.unknown(),
  // A list would pass as a record, by its indices.
  v.check((all) => !Array.isArray(all)),
  v.record(NAME, v.pipe(v.string(), v.maxLength(FILE_MAX))),
  v.check((all) => Object.keys(all).length <= FILES_MAX && Object.values(all).reduce((sum, { length }) => sum + length, 0) <= ALL_MAX),
);

/**
 * The sources of a header.
 * @throws RecordingError
 */
export function sourcesIn(path: string, header: unknown): Sources {
  const parsed = v.safeParse(v.optional(SOURCES, {}), header, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new RecordingError(`${path}:1: its source files are invalid`);
}

/**
 * Adds the texts of source files that are on this computer; relative names begin in the working
 * folder. Files that are not text are left out.
 * @param known those that are in the recording already
 * @param consent checks that files may be read
 * @throws RecordingError for too many files or bytes
 */
export function readSources(path: string, known: Sources, names: readonly string[], consent: SourceConsent): Sources {
  const files = names.filter((name) => !Object.hasOwn(known, name)).map((name) => hostPathOf("source", name, false)).filter(({ place }) =>
    statIfReadable(place)?.isFile
  );
  consent(files);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const texts = Object.entries(known);
  let size = texts.reduce((sum, [, text]) => sum + text.length, 0);
  for (const { path: name, place } of files) {
    const bytes = beginningOf(place, FILE_MAX + 1), text = bytes && bytes.length <= FILE_MAX && textOf(decoder, bytes);
    if (typeof text !== "string") continue;
    texts.push([name, text]);
    size += bytes?.length ?? 0;
    if (texts.length > FILES_MAX || size > ALL_MAX) {
      throw new RecordingError(
        `${path}: its source files are too many for a recording, which takes ${FILES_MAX} with ${formatSize(ALL_MAX)}`,
        "pack it without --with-sources",
      );
    }
  }
  return Object.fromEntries(texts);
}

function textOf(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}
