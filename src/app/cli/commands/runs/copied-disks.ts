// The disks that a recorded run opens by their paths, for a copy of its recording: by consent.

import { contentsOf } from "./recording-contents.ts";
import { report } from "../../common/print.ts";
import { mayCopy } from "../../start/plans/consent.ts";
import { type HostPath, hostPathOf } from "../../../../model/plans/host-resources.ts";
import { statIfReadable } from "../../../../kit/support/files/named-file.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { terminalWord } from "../../../../kit/support/text/terminal-text.ts";
import { way, wayOutText } from "../../../../kit/support/text/way-out.ts";

/** Disks of a run. */
interface CopiedDisks {
  /** Those that may be copied. */
  readonly disks: readonly HostPath[];
  /** Paths of the others. */
  readonly absent: readonly string[];
}

/**
 * The disks of a run that may be copied.
 * @param copy the command and its copy, as the question names them
 */
export function copiedDisks(file: string, bytes: Uint8Array, copy: string, allowed?: readonly string[]): CopiedDisks {
  const paths = new Set(contentsOf(file, bytes).uses.flatMap(({ kind, path }) => kind === "disk" ? [path] : []));
  const all = [...paths].map((path) => hostPathOf("disk", path, false));
  const disks = mayCopy(copy, all.filter(({ place }) => statIfReadable(place)?.isFile), allowed);
  return { disks, absent: all.filter((disk) => !disks.includes(disk)).map(({ path }) => path) };
}

/** Says which disks a copy lacks. */
export function reportAbsent(copy: string, file: string, absent: readonly string[]): void {
  for (const path of absent) {
    const packing = way`${hint("recording pack", file, "copy.rec", { "allow-host": path })} puts it into a copy`;
    report(`el2: ${copy}: without disk ${terminalWord(path)}; ${wayOutText(packing)}`);
  }
}
