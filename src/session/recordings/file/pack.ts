// A recording for others: with the files of its run inside, beside it or absent, with source files,
// and without paths.

import { RecordingError } from "./recording.ts";
import { readRecordingLines } from "./recording-reader.ts";
import { sealed } from "./recording-writer.ts";
import { LARGE, loadFiles, mapped, SHARED } from "./plan-files.ts";
import { readDisks } from "./packed-disks.ts";
import { namedSources } from "./named-sources.ts";
import { readSources, type SourceConsent } from "./sources.ts";
import type { HostPath } from "../../../model/plans/host-resources.ts";
import { decodePlain, encodePlain } from "../../../kit/support/values/plain-json.ts";
import { sha256 } from "../../../kit/support/values/sha256.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { formatSize } from "../../../kit/support/text/units.ts";

/** Bytes of files that one recording may contain, which is read as one text, or a page. */
export const INSIDE_MAX = 256 * MiB;

/**
 * Where the files of the run go. Large ones go apart, for a folder of recordings (`beside`),
 * or for a page (`apart`), which has as much room as a recording.
 */
interface PackWish {
  readonly images: "inside" | "apart" | "beside" | "absent";
  /** Names of files lose their folders. */
  readonly withoutPaths: boolean;
  /** Disks that its plan names by path, whose images get into it. */
  readonly disks?: readonly HostPath[];
  /** Source files of this computer that its programs name get into it, if they may. */
  readonly sources?: SourceConsent | undefined;
}

/** A packed recording, and its files that are not in it, by their paths beside it. */
interface PackedRecording {
  readonly text: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** How many source files are in it. */
  readonly sources: number;
}

/** The part of a plan that names files. */
interface NamingPlan {
  readonly table?: { readonly keys?: unknown; readonly files?: object; readonly variables?: object; readonly disks?: object };
}

/**
 * Packs a recording.
 * @throws RecordingError if a file of its run is missing, they are too large, or a path has to stay
 */
export async function packedRecording(path: string, bytes: Uint8Array, wish: PackWish): Promise<PackedRecording> {
  const { images, withoutPaths, disks } = wish,
    { end, plan: written, sources: before } = readRecordingLines(path, bytes),
    lines = new TextDecoder().decode(bytes).split("\n").slice(0, end ? -2 : -1);
  const whole = withDisks(path, await loadFiles(path, written), disks), files = new Map<string, Uint8Array>();
  let inside = 0;
  const placed = async (value: unknown): Promise<unknown> => {
    if (!(value instanceof Uint8Array)) return typeof value === "object" && value !== null ? await mapped(value, placed) : value;
    if (images === "inside" || images === "apart") inside += value.length;
    if (images === "absent" || images !== "inside" && value.length >= LARGE) {
      const hash = await sha256(value);
      files.set(`${SHARED}/${hash}`, value);
      return { $file: hash };
    }
    return value;
  };
  if (withoutPaths && images !== "absent") checkDebugInfo(path, whole);
  const plan = await placed(withoutPaths ? withoutFolders(path, whole) : whole);
  if (inside > INSIDE_MAX) {
    throw new RecordingError(
      `${path}: its files have ${formatSize(inside)}, and ${formatSize(INSIDE_MAX)} fit into one recording`,
      "pack it into a folder, or use --without-images",
    );
  }
  const copied = wish.sources ? readSources(path, before, namedSources(path, whole), wish.sources) : before;
  const sources = withoutPaths ? {} : copied, count = Object.keys(sources).length;
  const { sources: _, ...header } = Object(decodePlain(lines[0])), kept = count ? { sources } : {};
  const text = [encodePlain({ ...header, plan, ...kept }), ...lines.slice(1)].map((line) => `${line}\n`).join("");
  return { text: end ? sealed(text) : text, files, sources: count };
}

/** A plan with images of disks. @throws RecordingError if one cannot be in it */
function withDisks(path: string, plan: NamingPlan, disks: readonly HostPath[] = []): NamingPlan {
  const { table } = plan;
  return disks.length ? { ...plan, table: { ...table, disks: { ...table?.disks, ...readDisks(path, disks, INSIDE_MAX) } } } : plan;
}

/** @throws RecordingError for paths in programs, whose bytes are those of the run */
function checkDebugInfo(path: string, plan: object): void {
  const [first, ...others] = namedSources(path, plan).filter((name) => name.startsWith("/"));
  if (first === undefined) return;
  const all = others.length ? ` and ${others.length} other source files` : "";
  throw new RecordingError(
    `${path}: the debug information of its programs names ${first}${all}`,
    "use --without-images, or record a run of programs that are built with -ffile-prefix-map=FOLDER=.",
  );
}

/**
 * A plan whose files have names without folders.
 * @throws RecordingError for a path that is opened again at each replay
 */
function withoutFolders(path: string, plan: NamingPlan): NamingPlan {
  const { keys, files = {}, variables = {}, disks } = plan.table ?? {}, names = new Map<string, string>();
  for (const name of Object.keys({ ...files, ...variables, ...disks })) {
    const base = name.slice(name.lastIndexOf("/") + 1), taken = new Set(names.values());
    let short = base;
    for (let number = 2; taken.has(short); number++) short = `${number}-${base}`;
    names.set(name, short);
  }
  const renamed = (value: unknown): unknown => {
    if (typeof value === "string") {
      const known = names.get(value);
      if (known === undefined && value.startsWith("/")) {
        throw new RecordingError(`${path}: the path ${value} has to stay`, "each replay opens it: record a run that does not use it");
      }
      return known ?? value;
    }
    if (Array.isArray(value)) return value.map(renamed);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, renamed(part)]));
  };
  const short = (all: object) => Object.fromEntries(Object.entries(all).map(([name, one]) => [names.get(name) ?? name, one]));
  const named = { files: short(files), variables: short(variables), ...disks && { disks: short(disks) } };
  return { ...plan, table: { ...plan.table, keys: renamed(keys), ...named } };
}
