// Readers of bytes that anybody may have written: symbols of kernels and ELF files, debug
// information, images, ramdisks, devicetrees, disks, archives, compressed files, snapshots,
// recordings, TOML and JSON. Mutants know the structure of their format. Each is accepted, or
// refused by its reader, with steps and heap in proportion to its size (run.ts). EL2_LONG=1 has
// 100,000 of each. Those of a kernel's memory: kernel-readers_test.ts.

import { layoutPrimary } from "../../src/session/assembly/layout/primary-image.ts";
import { unpackedImage } from "../../src/app/catalog/added-files.ts";
import { memberOf } from "../../src/app/catalog/deb.ts";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { readConfig } from "../../src/app/configuration/config.ts";
import { checkedDevicetree } from "../../src/app/configuration/files.ts";
import { KNOWN_KEYS } from "../../src/app/configuration/schema.ts";
import { lintVm } from "../../src/app/configuration/vm-lint.ts";
import { readDevicetree } from "../../src/machine/devicetree/reader.ts";
import { withEntries } from "../../src/kit/formats/cpio.ts";
import { Attribute, Form, Tag } from "../../src/kit/formats/dwarf/constants.ts";
import { DEBUG_SECTIONS, debugSections, type DwarfSections } from "../../src/kit/formats/dwarf/sections.ts";
import { readElf } from "../../src/kit/formats/elf.ts";
import { type ElfSection, readElfSections } from "../../src/kit/formats/elf-sections.ts";
import { BadQcow2, Qcow2 } from "../../src/kit/formats/qcow2.ts";
import { readTar } from "../../src/kit/formats/tar.ts";
import type { VmImage } from "../../src/machine/host/data/plan.ts";
import { boardOf } from "../../src/machine/host/boards.ts";
import type { Vcpu } from "../../src/machine/hypervisor/scheduling/vcpu.ts";
import { bareMetalImage, firmwareImage, linuxImage } from "../../src/inside/images/images.ts";
import { RecordingError } from "../../src/session/recordings/file/recording.ts";
import { plannedRecording, snapshotPlan } from "../../src/app/cli/start/plans/saved-plans.ts";
import { recordingHeader } from "../../src/session/recordings/file/recording-writer.ts";
import { readSnapshot, SnapshotError, writeSnapshot } from "../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../src/session/snapshots/save.ts";
import { decodePlain, encodePlain } from "../../src/kit/support/values/plain-json.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { isOfSystem } from "../../src/kit/support/system-error.ts";
import { whole } from "../../src/kit/support/values/work.ts";
import { DebugInfo } from "../../src/inside/symbols/debug-info.ts";
import { compactSymbols, readElfSymbols, writeElfSymbols } from "../../src/inside/symbols/elf-symbols.ts";
import { FrameValues } from "../../src/inside/symbols/guest-values.ts";
import { readKallsyms } from "../../src/inside/symbols/kallsyms.ts";
import { SymbolTable } from "../../src/inside/symbols/symbol-table.ts";
import { unwind } from "../../src/inside/symbols/unwind.ts";
import { buildProgram } from "../session/debug/programs.ts";
import { contentOf, fileOf, holding, sectionsOf } from "../session/snapshots/sections.ts";
import { bootPlan } from "../session/snapshots/systems.ts";
import type { Random } from "../support/random.ts";
import { CODE, dwarf, type Kind, little, uleb } from "../inside/symbols/dwarf.ts";
import { BASE, exampleSymbols, kernelImage, LAYOUTS } from "../inside/symbols/kernel-tables.ts";
import { deb, packed, qcow2 } from "./archives.ts";
import { chance, cpio, damaged, dtb, edge, elf, exchanged, gzip, image, json, patched, toml } from "./grammars.ts";
import { type Reader, readerTest, refuseUnless } from "./run.ts";
import { isTold } from "../../src/kit/support/problem.ts";

/** Memory of the VM that an image is for. */
const ROOM = 16 * MiB;

const folder = Deno.makeTempDirSync({ prefix: "el2-fuzz-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const isOf = (kind: new (message: string) => Error) => (error: unknown) => error instanceof kind;

/** Calls each, and passes over refusals. */
function eachRefused(...reads: (() => unknown)[]): void {
  for (const read of reads) {
    try {
      read();
    } catch (error) {
      if (!isTold(error)) throw error;
    }
  }
}

// ---- Symbols and debug information ----

const KERNELS = LAYOUTS.map((layout) => kernelImage(exampleSymbols(), layout));
/** Where the tables of these images are. */
const TABLES = { start: 0x1_f000, size: 0x1_8000 };

const kallsyms: Reader<Uint8Array> = {
  input(random) {
    const kernel = random.pick(KERNELS);
    const tables = patched(random, kernel.subarray(TABLES.start, TABLES.start + TABLES.size), 3), bytes = kernel.slice();
    bytes.set(tables, TABLES.start);
    // Digits of the tokens again, elsewhere.
    if (chance(random, 4)) {
      for (let at = random.below(4096); at + 20 < bytes.length; at += 20 * (1 + random.below(2000))) bytes.set(DIGITS, at);
    }
    return chance(random, 8) ? bytes.subarray(random.below(TABLES.start), bytes.length - random.below(4096)) : bytes;
  },
  read(bytes) {
    const symbols = whole(readKallsyms({ base: BASE, bytes }));
    refuseUnless(symbols !== undefined);
    for (let index = 0; index < symbols!.length; index++) {
      const { name, address } = symbols!.symbol(index);
      if (name.length > 512 || address < 0n) throw new TypeError(name);
      if (index % 97 === 0) symbols!.find(name);
    }
  },
  steps: (size) => size / 16 + 65 * MiB,
};
const DIGITS = Uint8Array.from({ length: 20 }, (_, index) => index % 2 ? 0 : 0x30 + index / 2);

const SYMBOL_FILE = writeElfSymbols(
  Array.from({ length: 200 }, (_, index) => ({ name: `symbol_${index}`, type: "TtBWA"[index % 5], address: BigInt(0x1000 * index) })),
);

const symbols: Reader<Uint8Array> = {
  input: (random) => chance(random, 4) ? elf(random) : damaged(random, patched(random, SYMBOL_FILE)),
  read(bytes) {
    compactSymbols(bytes);
    const table = new SymbolTable(readElfSymbols(bytes), "test");
    for (let at = 0n; at < 0x10_0000n; at += 0x800n) table.nameOf(at);
  },
  steps: (size) => 4 * (MiB + 5 * size),
};

let compiled: readonly ElfSection[] = [];

async function compile(): Promise<void> {
  compiled = readElfSections(compactSymbols(await buildProgram("calls", `${folder}/calls.elf`, { optimize: "-O2" }))!);
}

/** Sections of a compiler with one exchanged, or a unit with any abbreviations and entries. */
function debugSectionsOf(random: Random): DwarfSections {
  if (chance(random, 2)) return randomUnit(random);
  const name = random.pick(DEBUG_SECTIONS);
  return debugSections(
    compiled.map((section) => section.name === name ? { ...section, bytes: damaged(random, patched(random, section.bytes)) } : section),
  );
}

const TAGS = Object.values(Tag), ATTRIBUTES = Object.values(Attribute), FORMS = Object.values(Form);

function randomUnit(random: Random): DwarfSections {
  const count = 1 + random.below(8);
  const kinds = Array.from({ length: count }, (): Kind => {
    const attributes = Array.from({ length: random.below(5) }, () => [random.pick(ATTRIBUTES), random.pick(FORMS)] as const);
    return [random.pick(TAGS), chance(random, 3), ...attributes];
  });
  const number = () => chance(random, 3) ? uleb(Number(edge(random) & 0xffff_ffffn)) : little(random.below(200), random.pick([1, 2, 4, 8]));
  const entries = Array.from({ length: random.below(60) }, () => [random.below(count + 2), ...number(), ...number()]).flat();
  const lists = Uint8Array.from({ length: 64 }, () => random.below(chance(random, 2) ? 9 : 256));
  return dwarf(kinds, entries, { ".debug_str": random.bytes(64), ".debug_rnglists": lists, ".debug_loclists": lists });
}

/** All sections as one input, which has their length. */
class SectionBytes extends Uint8Array {
  sections: DwarfSections | undefined;
}

const debugInformation: Reader<SectionBytes> = {
  input(random) {
    const sections = debugSectionsOf(random);
    const bytes = new SectionBytes(DEBUG_SECTIONS.reduce((sum, name) => sum + sections.bytes(name).length, 0));
    bytes.sections = sections;
    return bytes;
  },
  read({ sections }) {
    const info = new DebugInfo(sections!), read = (_at: bigint, size: number) => new Uint8Array(size).fill(1);
    info.files();
    info.codeOf("calls.c", 31);
    for (const at of [CODE.start, 0x4020_0040n, 0x4020_0080n]) {
      info.lineAt(at);
      info.scopeAt(at);
      const registers = { getRegister: () => 0n, getX: () => 0x4022_0000n, pc: at, pstate: 5 };
      const [frame] = unwind({ registers } as unknown as Vcpu, 0x4022_0000n, read, [info]);
      const values = new FrameValues(info, frame, 0, read, () => undefined);
      for (const one of info.tried(() => values.variables()) ?? []) info.tried(() => [one.type.name, values.text(one), values.count(one)]);
    }
    refuseUnless(info.defects.length === 0);
  },
  steps: () => 40e6,
};

// ---- Images, devicetrees, disks, archives ----

const elfImage: Reader<Uint8Array> = {
  input: elf,
  read(bytes) {
    eachRefused(() => readElf(bytes, "position-independent"));
    bounded(bareMetalImage(bytes, 0x8000_0000, ROOM));
  },
  heap: (size) => 64 * MiB + 2 * ROOM + 512 * size,
};

const linux: Reader<Uint8Array> = {
  input: image,
  read(bytes, random) {
    eachRefused(() => firmwareImage(bytes));
    layoutPrimary({ image: bytes, initrd: undefined, raw: chance(random, 2) }, 0x4000_0000, ROOM);
    bounded(bareMetalImage(bytes, 0x8000_0000, ROOM));
  },
};

const packedLinux: Reader<Uint8Array> = { input: gzip, read: (bytes) => bounded(linuxImage(bytes, ROOM)), heap: () => 64 * MiB + 4 * ROOM };

const ramdisk: Reader<Uint8Array> = {
  input: cpio,
  read(bytes, random) {
    const initrd = withEntries(bytes, [{ path: "a", kind: "file", permissions: 0o644, data: random.bytes(3) }]);
    layoutPrimary({ image: image(random), initrd }, 0x4000_0000, ROOM);
  },
};

const devicetree: Reader<Uint8Array> = {
  input: dtb,
  read(bytes) {
    const read = readDevicetree(bytes);
    lintVm(bytes);
    refuseUnless(read.ok);
    checkedDevicetree(bytes, 64 << 10);
  },
};

/** Bytes that the reader of a disk asked for. */
let asked = 0;

const disk: Reader<Uint8Array> = {
  input: qcow2,
  read(file) {
    asked = 0;
    const readAt = (offset: number, size: number) => {
      asked += size;
      return file.subarray(offset, offset + size);
    };
    const image = new Qcow2(readAt, file.length);
    let data = 0;
    for (const [at, bytes] of image.clusters()) {
      data += bytes.length;
      if (at + bytes.length > image.size) throw new TypeError(`a cluster at ${at} of a disk of ${image.size} bytes`);
    }
    // Clusters of zeros may be packed a thousand to one; others have their places in the file.
    if (data > 2000 * file.length) throw new TypeError(`${data} bytes of a file of ${file.length}`);
    if (asked > 64 * MiB + 600 * file.length) throw new TypeError(`${asked} bytes were asked of a file of ${file.length}`);
  },
  heap: (size) => 256 * MiB + 2000 * size,
};

const archive: Reader<Uint8Array> = {
  input: deb,
  async read(bytes, random) {
    const path = `${folder}/a.deb`;
    Deno.writeFileSync(path, bytes);
    for await (const { data } of readTar(memberOf(path, chance(random, 2) ? "control.tar" : "data.tar"))) {
      if (chance(random, 2)) { for await (const _ of data); }
    }
  },
};

const compressed: Reader<Uint8Array<ArrayBuffer>> = {
  input: packed,
  read: (bytes) => unpackedImage(bytes),
  heap: () => 256 * MiB,
};

// ---- Snapshots, recordings, texts ----

const { plan, snapshot } = await smallMachine();

async function smallMachine() {
  const plan = await bootPlan();
  const system = assemble(plan);
  system.machine.run(1000);
  const path = `${folder}/whole.snap`;
  for (const _ of writeSnapshot(path, snapshotOf(system, plan, "fuzz"), false));
  return { plan, snapshot: Deno.readFileSync(path) };
}

/** The snapshot with its parts changed, and its checksums right again, most often. */
function changedSnapshot(random: Random): Uint8Array {
  const sections = sectionsOf(snapshot);
  const changes = 1 + random.below(3);
  for (let i = 0; i < changes && sections.length; i++) {
    const at = random.below(sections.length), section = sections[at], content = contentOf(section);
    switch (random.below(5)) {
      case 0:
        sections.splice(at, 1);
        break;
      case 1:
        sections.splice(random.below(sections.length), 0, section);
        break;
      case 2:
        sections[at] = { ...section, kind: random.below(8) };
        break;
      default:
        sections[at] = holding(section, section.kind <= 2 ? changedJson(random, content) : damaged(random, content), chance(random, 5));
    }
  }
  const lie = (value: number) => chance(random, 40) ? Number(edge(random) & 0xffff_ffffn) : value;
  const lying = sections.map((section) => ({
    ...section,
    coding: chance(random, 40) ? random.word() : section.coding,
    storedSize: lie(section.storedSize),
    size: lie(section.size),
  }));
  return damaged(random, fileOf(lying, chance(random, 4)));
}

const PLAN_KEYS = ["plan", "version", "table", "keys", "files", "run", "cpus", "memory", "kind", "image", "seed", "devices", "host", "vm"];

function changedJson(random: Random, bytes: Uint8Array): Uint8Array {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return damaged(random, bytes);
  }
  return new TextEncoder().encode(JSON.stringify(exchanged(random, value, PLAN_KEYS)));
}

const header = await recordingHeader(plan);

/** Lines of a recording: its plan, inputs of any kind, checks, an end. */
function changedRecording(random: Random): string {
  const inputs = [
    "console",
    "bytes",
    "kind",
    "at",
    "settled",
    "input",
    "check",
    "end",
    "sha256",
    "paused",
    "registers",
    "memory",
    "code",
    "message",
  ];
  const first = chance(random, 3) ? `${JSON.stringify(exchanged(random, JSON.parse(header), PLAN_KEYS))}\n` : header;
  const lines = Array.from({ length: random.below(8) }, (_, i) => {
    const usual = { at: i * 10, settled: true, input: { kind: "console", console: "a", bytes: [1] } };
    const line = random.pick([usual, { at: i * 10, check: { registers: "00" } }, { at: i * 10, end: { code: 0 } }, { sha256: "00" }]);
    return JSON.stringify(chance(random, 4) ? line : exchanged(random, line, inputs));
  });
  const text = first + lines.map((line) => `${line}\n`).join("");
  return new TextDecoder().decode(damaged(random, new TextEncoder().encode(text)));
}

const recording: Reader<string> = {
  input: changedRecording,
  read(text) {
    const path = `${folder}/a.rec`;
    Deno.writeTextFileSync(path, text);
    return plannedRecording(path);
  },
};

const CONFIG_KEYS = [...new Set([...KNOWN_KEYS.machine, ...KNOWN_KEYS.host, ...KNOWN_KEYS.vm, "kind", "mode", "folder", "allow", "deny"])];
const CONFIG_TABLES = ["machine", "host", "rm", "ui", "vm.rt", "vm.guest", "vm.rt.device", "link.a", "inject", "vm"];

const CONFIG = [
  ...["el2 = 1", "[machine]", 'memory = "512MiB"', "cpus = 2", "[vm.rt]", 'image = "a.bin"', 'memory = "16MiB"', "vcpus = 1"],
  ...["[vm.guest]", 'kernel = "Image"', 'memory = "64MiB"', "[[vm.guest.device]]", 'kind = "net"', 'backend = "user"', "host = true"],
];
const configuration: Reader<string> = {
  input: (random) => toml(random, CONFIG, CONFIG_TABLES, CONFIG_KEYS),
  read: (text) => refuseUnless(readConfig(text).ok),
  heap: (size) => 64 * MiB + 4096 * size,
};

const plainJson: Reader<string> = {
  input(random) {
    const text = encodePlain(json(random, ["$bytes", "$bigint", "a", "plan"], 6));
    const depth = chance(random, 20) ? random.below(20_000) : 0;
    const deep = "[".repeat(depth) + text + "]".repeat(depth - (chance(random, 3) ? random.below(depth + 1) : 0));
    return new TextDecoder().decode(damaged(random, new TextEncoder().encode(deep)));
  },
  read: (text) => decodePlain(text),
};

/** An image that a plan takes lies within the memory that it is for. */
function bounded(image: VmImage): void {
  const { offset, size, bytes, entry } = image;
  refuseUnless(boardOf({}).rules.needs({ image, firmware: undefined, initrd: undefined, base: 0x8000_0000 }) <= ROOM);
  const wrong = [offset, size, entry, bytes.length].find((value) => !Number.isSafeInteger(value) || value < 0 || value > ROOM);
  if (wrong !== undefined) throw new TypeError(`an image is accepted whose place is ${offset} + ${size}, entry ${entry}`);
}

readerTest("kernel symbols", kallsyms, isTold);
readerTest("ELF symbols", symbols, isTold);
readerTest("debug information", debugInformation, isTold, compile);
readerTest("ELF images", elfImage, isTold);
readerTest("arm64 Images", linux, isTold);
readerTest("gzip and zboot", packedLinux, isTold);
readerTest("ramdisks", ramdisk, isTold);
readerTest("devicetrees", devicetree, isTold);
readerTest("qcow2", disk, isOf(BadQcow2));
readerTest("tar in packages", archive, (error) => isTold(error) || isOfSystem(error));
readerTest("gzip, xz and zstd", compressed, (error) => isTold(error) || isOfSystem(error));
readerTest("snapshots", {
  input: changedSnapshot,
  read: (bytes: Uint8Array, random) => snapshotPlan("a.snap", readSnapshot("a.snap", chance(random, 4), bytes)),
  heap: (size) => 128 * MiB + 512 * size,
}, isOf(SnapshotError));
readerTest("recordings", recording, isOf(RecordingError));
readerTest("TOML", configuration, isTold);
readerTest("JSON", plainJson, isOf(SyntaxError));
