// The contents of a recording, as somebody sees them who gets its file: images, uses of the
// computer, typed input, names and paths. The machine is not made, so images may be missing.

import { dirname } from "node:path";
import * as v from "valibot";
import { node } from "../../../../kit/support/node-modules.ts";
import { textsOf } from "../../../configuration/keys/host-paths.ts";
import { Schema } from "../../../configuration/schema.ts";
import type { RecordedInput } from "../../../../model/plans/recorded-run.ts";
import { RecordingError } from "../../../../session/recordings/file/recording.ts";
import { broughtBy } from "../../../../session/recordings/file/brought.ts";
import { namedSources } from "../../../../session/recordings/file/named-sources.ts";
import { readRecordingLines } from "../../../../session/recordings/file/recording-reader.ts";
import { readToEnd } from "../../../../kit/support/files/named-file.ts";
import { storedFile } from "../../../../kit/support/files/files.ts";
import { type Maker, makerText } from "../../../../kit/support/files/maker.ts";
import { formatSize } from "../../../../kit/support/text/units.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";

/** Bytes of typed text that are shown of a console, and entries of each list. */
const TYPED_MAX = 4096, LISTED_MAX = 1000;

const content = v.union([v.instance(Uint8Array), v.object({ $file: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) })]);
/** The parts of a plan that are looked at. */
const plan = v.object({
  table: v.object({
    keys: v.record(v.string(), v.unknown()),
    files: v.record(v.string(), content),
    variables: v.optional(v.record(v.string(), content), {}),
    disks: v.optional(v.record(v.string(), content), {}),
  }),
  run: v.optional(v.object({ symbols: v.optional(v.record(v.string(), v.array(content)), {}) }), {}),
  from: v.optional(v.object({ bytes: content })),
});
type Content = v.InferOutput<typeof content>;
type FromOutside = ReturnType<typeof broughtBy>;

/** A file that the run needs. */
export type ContainedFile = {
  readonly kind: "image" | "disk" | "firmware variables" | "symbols" | "snapshot";
  /** As the configuration names it, or the VM of symbols. */
  readonly name: string;
  readonly sha256: string;
  /** null if it is not here. */
  readonly bytes: number | null;
  /** `recording`, `cache`, or null: it is missing. */
  readonly in: "recording" | "cache" | null;
};

/** An object of the computer that the run uses by its path. */
type UsedPath = {
  readonly kind: string;
  readonly path: string;
};

export type RecordingContents = {
  readonly bytes: number;
  readonly maker: Maker;
  /** Its end: virtual time (ns) and instructions; null if it was cut off. */
  readonly end: { readonly ns: string; readonly insn: string } | null;
  readonly files: readonly ContainedFile[];
  readonly uses: readonly UsedPath[];
  readonly typed: readonly { readonly console: string; readonly bytes: number; readonly text: string }[];
  /** Actions of users by their kinds, and events of sockets and timers. */
  readonly inputs: Readonly<Record<string, number>>;
  /** VMs: the run prints on their consoles again. */
  readonly consoles: readonly string[];
  readonly marks: readonly { readonly name: string; readonly text: string | null; readonly by: string | null }[];
  /** Source files by the names that debug information has for them. */
  readonly sources: readonly { readonly path: string; readonly bytes: number }[];
  /** Data that entered from networks, sockets and shared folders. */
  readonly data: FromOutside["data"];
  /** Host names that guests asked for. */
  readonly hosts: FromOutside["hosts"];
  /** Names of files that guests read in shared folders. */
  readonly shared: FromOutside["shared"];
  /** Absolute paths, which may have names of people. */
  readonly paths: readonly string[];
  /** Folders in which programs were built, by their debug information. */
  readonly folders: readonly string[];
};

/** @throws RecordingError */
export function contentsOf(path: string, bytes: Uint8Array): RecordingContents {
  const { maker, inputs, marks, end, plan: written, sources } = readRecordingLines(path, bytes), parsed = v.safeParse(plan, written);
  if (!parsed.success) throw new RecordingError(`${path}:1: its plan does not make a machine`);
  const { table: { keys, files, variables, disks }, run: { symbols = {} }, from } = parsed.output;
  const listed = (kind: ContainedFile["kind"], all: Readonly<Record<string, Content>>) =>
    Object.entries(all).slice(0, LISTED_MAX).map(([name, one]) => contained(kind, name, one));
  const uses = [...textsOf(Schema, keys)].flatMap(({ use, value }): UsedPath[] => {
    if (use === undefined || typeof value !== "string" || value === use.none) return [];
    // A disk is not opened by the name of an image, which can be unpacked.
    const inside = use.kind === "disk" ? [disks] : [files, variables];
    return inside.some((all) => Object.hasOwn(all, value)) ? [] : [{ kind: use.kind, path: value }];
  }).slice(0, LISTED_MAX);
  const contents = [
    ...[...listed("image", files), ...listed("disk", disks), ...listed("firmware variables", variables)],
    ...Object.entries(symbols).flatMap(([vm, all]) => all.map((one) => contained("symbols", vm, one))).slice(0, LISTED_MAX),
    ...from ? [contained("snapshot", "snapshot", from.bytes)] : [],
  ];
  const counted = new Map<string, number>();
  for (const { input } of inputs) {
    const kind = input.kind === "act" ? input.action.kind : input.kind;
    counted.set(kind, (counted.get(kind) ?? 0) + 1);
  }
  const built = [...Object.values(files), ...Object.values(symbols).flat()].flatMap((one) => bytesOf(one) ?? []);
  const named = [...contents.map(({ name }) => name), ...uses.map((one) => one.path)];
  const folders = namedSources(path, built).map((name) => dirname(name));
  return {
    bytes: bytes.length,
    maker,
    end: end ? { ns: String(end.at), insn: String(end.end.instructions) } : null,
    files: contents,
    uses,
    typed: typedIn(inputs),
    inputs: Object.fromEntries([...counted].slice(0, LISTED_MAX)),
    consoles: Object.keys(typeof keys.vm === "object" && keys.vm !== null ? keys.vm : {}).slice(0, LISTED_MAX),
    marks: marks.map(({ name, text = null, by = null }) => ({ name, text, by })),
    sources: Object.entries(sources).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text).length })),
    ...broughtBy(inputs, LISTED_MAX),
    paths: [...new Set(named.filter(isWhole))],
    folders: [...new Set(folders.filter(isWhole))].slice(0, LISTED_MAX),
  };
}

/** Whether a path says where on its computer something is. */
const isWhole = (path: string) => path.startsWith("/");

/** A file of the run; undefined if it is not here. */
function bytesOf(one: Content): Uint8Array | undefined {
  if (one instanceof Uint8Array) return one;
  const stored = storedFile(one.$file);
  return lstatIfThere(stored)?.isFile ? readToEnd(stored) : undefined;
}

function contained(kind: ContainedFile["kind"], name: string, one: Content): ContainedFile {
  if (one instanceof Uint8Array) {
    return { kind, name, sha256: node.crypto.createHash("sha256").update(one).digest("hex"), bytes: one.length, in: "recording" };
  }
  const size = lstatIfThere(storedFile(one.$file))?.size;
  return { kind, name, sha256: one.$file, bytes: size ?? null, in: size === undefined ? null : "cache" };
}

function typedIn(inputs: readonly RecordedInput[]): RecordingContents["typed"] {
  const consoles = new Map<string, { bytes: number; pieces: Uint8Array[] }>();
  for (const { input } of inputs) {
    if (input.kind !== "console") continue;
    const typed = consoles.get(input.console) ?? { bytes: 0, pieces: [] };
    consoles.set(input.console, typed);
    if (typed.bytes < TYPED_MAX) typed.pieces.push(input.bytes.subarray(0, TYPED_MAX - typed.bytes));
    typed.bytes += input.bytes.length;
  }
  const decoder = new TextDecoder();
  return [...consoles].slice(0, LISTED_MAX).map(([console, { bytes, pieces }]) => ({
    console,
    bytes,
    text: pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode(),
  }));
}

/** Contents as JSON. */
export function contentsJson({ maker, ...rest }: RecordingContents) {
  const { version, engine, commit } = maker;
  return { ...rest, version, engine: engine || null, commit: commit || null };
}

/** Bytes below a KiB as they are. */
const size = (bytes: number): string => bytes < 1024 ? `${bytes} bytes` : formatSize(bytes);

/** Contents in lines. */
export function contentsText(file: string, contents: RecordingContents): string {
  const { bytes, maker, end, files, uses, typed, inputs, consoles, marks, sources, data, hosts, shared, paths, folders } = contents;
  const title = `${file}: ${size(bytes)}, ${end ? `t=${Number(end.ns) / 1e9}, ${end.insn} instructions` : "cut off"}; ${makerText(maker)}`;
  const section = (name: string, lines: readonly string[], none: string) =>
    lines.length ? [name, ...lines.map((line) => `  ${line}`)] : [`${name}: ${none}`];
  const place = (one: ContainedFile) => one.in === null ? "missing" : `${size(one.bytes ?? 0)} in the ${one.in}`;
  return [
    title,
    ...section("images", files.map((one) => `${one.kind} ${one.name}  ${place(one)}  sha256 ${one.sha256}`), "none"),
    ...section("disks, folders, sockets and logs, by path", uses.map(({ kind, path }) => `${kind} ${path}`), "none"),
    ...section("typed input", typed.map(({ console, bytes, text }) => `${console}  ${bytes} bytes  ${JSON.stringify(text)}`), "none"),
    ...section("all input", Object.entries(inputs).map(([kind, count]) => `${count} ${kind}`), "none"),
    ...section("data from outside", data.map(({ from, bytes }) => `${from}  ${size(bytes)}`), "none"),
    `console output: not in the file; a replay prints that of ${consoles.join(", ") || "the guests"} again`,
    ...section(
      "marks",
      marks.map(({ name, text, by }) => [name, ...text === null ? [] : [text], ...by === null ? [] : [`(${by})`]].join("  ")),
      "none",
    ),
    ...section("sources", sources.map(({ path, bytes }) => `${path}  ${size(bytes)}`), "none"),
    ...section("host names", hosts, "none"),
    ...section("names in shared folders", shared.map((name) => JSON.stringify(name)), "none"),
    ...section("absolute paths", paths, "none"),
    ...section("folders in debug information", folders, "none"),
    "",
  ].join("\n");
}
