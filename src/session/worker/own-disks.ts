// The files of the disks of a plan, which the worker of guests opens by itself. If another thread
// did that for it, each read and write would wake two idle processors, which takes longer than the
// read or write itself.

import { COMPUTER_FILES, DiskError, type DiskFiles, DiskInUse } from "../outside/disk-file.ts";
import { pause } from "../../kit/support/files/open-file.ts";
import { leadsTo } from "../../kit/support/files/real-place.ts";
import { plannedImages, plannedVariables, type SessionPlan } from "../../model/plans/plan.ts";

/**
 * Milliseconds to wait for a disk that another session uses. A session that was ended has its
 * files until its last thread is gone, which takes a second.
 */
const PATIENCE = 3000, PAUSE = 20;

/** Open files, which stay open when the right to open them is gone. */
export class OwnDisks implements DiskFiles {
  /** Files by mode and path, and why one could not be opened. */
  readonly #files = new Map<string, Deno.FsFile | Error>();
  /** Files that a disk writes. */
  readonly #written = new Set<Deno.FsFile>();
  /** The places that paths had when the user consented to them. */
  #consented: Readonly<Record<string, string>> = {};

  /** Opens the files of a plan. A file that cannot be opened is reported when a disk needs it. */
  openAll(plan: SessionPlan): void {
    this.#consented = plan.places ?? {};
    // A replay has the variables that were recorded.
    for (const path of plan.replay ? [] : plannedVariables(plan)) {
      this.#open(path, false, COMPUTER_FILES.open);
      // A machine that reboots reads what was written; the writer holds the lock.
      this.#open(path, true, (path) => Deno.openSync(path, { read: true }));
    }
    for (const { image, mode, content } of plannedImages(plan)) if (!content) this.#open(image, mode !== "rw", COMPUTER_FILES.open);
  }

  open(path: string, readOnly: boolean): Deno.FsFile {
    const file = this.#files.get(key(path, readOnly));
    if (file === undefined) throw new Deno.errors.NotCapable(`${path} is not one of this machine's disks`);
    if (file instanceof Error) throw file;
    if (readOnly) return file;
    if (this.#written.has(file)) throw new DiskInUse(path);
    this.#written.add(file);
    return file;
  }

  close(file: Deno.FsFile): void {
    this.#written.delete(file);
  }

  #open(path: string, readOnly: boolean, open: DiskFiles["open"]): void {
    const name = key(path, readOnly);
    for (let waited = 0; !this.#files.has(name); waited += PAUSE) {
      try {
        this.#files.set(name, this.#atPlace(path, readOnly, open));
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (error instanceof DiskInUse && waited < PATIENCE) pause(PAUSE);
        else this.#files.set(name, error);
      }
    }
  }

  /** @throws DiskError if the place was replaced by a link */
  #atPlace(path: string, readOnly: boolean, open: DiskFiles["open"]): Deno.FsFile {
    if (!Object.hasOwn(this.#consented, path)) return open(path, readOnly);
    const place = this.#consented[path], file = open(place, readOnly);
    if (leadsTo(place) === place) return file;
    file.close();
    throw new DiskError(`disk ${path} leads elsewhere since it was named`, "name its place");
  }
}

const key = (path: string, readOnly: boolean) => `${readOnly ? "ro" : "rw"} ${path}`;
