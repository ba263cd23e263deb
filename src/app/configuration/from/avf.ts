// `vm_config.json` of Android's Virtualization Framework: its keys, as libs/vmconfig and the
// Terminal app of packages/modules/Virtualization read them, and their keys of el2. crosvm runs
// such a VM.

import { dirname, isAbsolute, join } from "node:path";
import * as v from "valibot";
import { GPT_NAME } from "../../../kit/formats/gpt.ts";
import { statIfReadable } from "../../../kit/support/files/named-file.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { MAX_CPUS } from "../../../model/plans/limits.ts";
import { type ForeignMachine, NO_ASSIGNMENT, NO_DISPLAY, NO_USB, NOT_PROTECTED, OWN_DEBUGGER } from "./foreign-machine.ts";
import type { Table } from "../config.ts";
import { addCrosvmDisk, checkImage } from "./composite-disk.ts";
import { readTable } from "./json-file.ts";

/** Memory of a VM that names none. */
const MEMORY = 256 * MiB;
/** Variables that the Terminal app replaces with its folders. */
const APP_FOLDERS = /^\$(?:PAYLOAD_DIR|APP_DATA_DIR)\//;

const text = v.string("is not a text");
const Partition = v.looseObject({
  label: text,
  path: text,
  writable: v.optional(v.boolean("is not true or false"), false),
  guid: v.nullish(text),
}, "is not a table");
const Disk = v.looseObject({
  image: v.optional(text),
  partitions: v.optional(v.array(Partition, "is not a list")),
  writable: v.optional(v.boolean("is not true or false"), false),
}, "is not a table");
const Input = v.record(text, v.unknown(), "is not a table");

/** A key: its effect, or its absence; without either it is about the phone's processes. */
interface AvfKey {
  readonly put?: (reader: AvfReader, name: string, value: unknown) => void;
  readonly absent?: string;
}

/** A key with the form of its value. */
function key<T extends v.GenericSchema>(type: T, becomes: (reader: AvfReader, value: v.InferOutput<T>) => void): AvfKey {
  return {
    put(reader, name, value) {
      const read = v.safeParse(type, value);
      if (read.success) return becomes(reader, read.output);
      const [{ path = [], message, received }] = read.issues;
      const inside = path.map(({ key }) => typeof key === "number" ? `[${key}]` : `.${key}`).join("");
      throw new UserError(`${name}${inside} ${received === "undefined" ? "is missing" : message}`);
    },
  };
}

const KEYS: Readonly<Record<string, AvfKey>> = {
  name: key(text, ({ machine }, name) => machine.name = name),
  kernel: key(text, (reader, path) => reader.machine.image("kernel", reader.path(path))),
  initrd: key(text, (reader, path) => reader.put("initrd", "initrd", path)),
  bootloader: key(text, (reader, path) => reader.put("bios", "bootloader", path)),
  params: key(text, ({ machine }, params) => machine.cmdline.push(params)),
  disks: key(v.array(Disk, "is not a list"), (reader, disks) => disks.forEach((disk, index) => reader.disk(`disks[${index}]`, disk))),
  protected: key(v.boolean("is not true or false"), ({ machine }, set) => {
    if (set) machine.absent("protected", NOT_PROTECTED);
  }),
  memory_mib: key(
    v.pipe(v.number("is not a number"), v.integer("is not a whole number"), v.minValue(1, "is below 1")),
    ({ machine }, size) => {
      machine.memory = size * MiB;
    },
  ),
  cpu_topology: key(v.picklist(["one_cpu", "match_host"], "is neither one_cpu nor match_host"), ({ machine }, topology) => {
    machine.cpus = topology === "one_cpu" ? 1 : MAX_CPUS;
  }),
  network: key(v.boolean("is not true or false"), ({ machine }, set) => {
    if (set) machine.device("network", { kind: "net", backend: "user" });
  }),
  input: key(Input, ({ machine }, input) => {
    for (const [kind, set] of Object.entries(input)) {
      if (set !== true) continue;
      if (kind === "keyboard") machine.device("input.keyboard", { kind: "input", type: "keyboard" });
      else machine.absent(`input.${kind}`, "virtio has a keyboard and a tablet here");
    }
  }),
  sharedPath: key(v.array(v.looseObject({ sharedPath: text }, "is not a table"), "is not a list"), (reader, paths) => {
    for (const { sharedPath: path } of paths) reader.share(path);
  }),
  gpu: { absent: NO_DISPLAY },
  display: { absent: NO_DISPLAY },
  audio: { absent: "no sound" },
  usb_config: { absent: NO_USB },
  devices: { absent: NO_ASSIGNMENT },
  gdb_port: { absent: OWN_DEBUGGER },
  platform_version: {},
  debuggable: {},
  console_out: {},
  connect_console: {},
  console_input_device: {},
  hugepages: {},
  auto_memory_balloon: {},
  task_profiles: {},
  boost_uclamp: {},
};

class AvfReader {
  #shares = 0;

  constructor(readonly machine: ForeignMachine, readonly folder: string) {}

  /**
   * The place of a path in the file, relative to the file's folder. If nothing is there, as for
   * most paths of a phone, it is that of a file of the same name in this folder.
   */
  path(path: string): string {
    const own = path.replace(APP_FOLDERS, ""), place = isAbsolute(own) ? own : join(this.folder, own);
    const beside = join(this.folder, own.split("/").at(-1) ?? "");
    if (isThere(place) || !isThere(beside)) return place;
    this.machine.absent(path, `it is not here: ${terminalWord(beside)} is taken`);
    return beside;
  }

  put(key: string, named: string, path: string): void {
    this.machine.keys[key] = this.machine.file(named, this.path(path));
  }

  disk(option: string, { image, partitions = [], writable }: v.InferOutput<typeof Disk>): void {
    if ((image === undefined) === (partitions.length === 0)) throw new UserError(`${option}: needs either image or partitions`);
    if (image !== undefined) return addCrosvmDisk(this.machine, { option, path: this.path(image), mode: writable ? "rw" : "ro" });
    const parts = partitions.map((one, index) => this.#partition(`${option}.partitions[${index}]`, one, writable));
    this.machine.partitionedDisk({ option }, parts);
  }

  #partition(option: string, { label, path, writable, guid }: v.InferOutput<typeof Partition>, ofDisk: boolean): Table {
    const place = this.path(path);
    checkImage(this.machine, option, place);
    if (label === "") throw new UserError(`${option}.label is empty`);
    if (label.length > GPT_NAME) this.machine.absent(`${option} ${JSON.stringify(label)}`, `names have ${GPT_NAME} characters: it is cut`);
    const named = { label: label.slice(0, GPT_NAME), ...typeof guid === "string" && { guid } };
    return { ...named, image: this.machine.file(option, place), mode: ofDisk && writable ? "rw" : "ro" };
  }

  /** A shared folder; the Terminal app tags the phone's storage `android`, its own `internal`. */
  share(path: string): void {
    const tag = path.startsWith("/storage") ? "android" : this.#shares++ === 0 ? "internal" : `internal${this.#shares}`;
    const folder = this.path(path);
    if (!isThere(folder)) return this.machine.absent(`sharedPath ${path}`, "the folder is the phone's: it is not shared");
    this.machine.absent(`sharedPath ${path}`, `no virtiofs: mount it with -t 9p -o trans=virtio ${tag}`);
    this.machine.share("sharedPath", folder, tag);
  }
}

const isThere = (path: string): boolean => statIfReadable(path) !== undefined;

/**
 * The machine of a file.
 * @throws UserError that names the file and the key
 */
export function avfMachine(machine: ForeignMachine, path: string): void {
  const table = readTable(path), reader = new AvfReader(machine, dirname(path));
  machine.memory = MEMORY;
  // AVF's first console besides the serial ports.
  machine.virtioConsole("console");
  for (const [name, value] of Object.entries(table)) {
    const known = Object.hasOwn(KEYS, name) ? KEYS[name] : { absent: "el2 does not know this key" };
    if (value === null || value === false && known.absent !== undefined) continue;
    if (known.absent !== undefined) machine.absent(name, known.absent);
    else known.put?.(reader, name, value);
  }
  machine.device("rng", { kind: "rng" });
  if (table.auto_memory_balloon !== false) machine.device("balloon", { kind: "balloon" });
}
