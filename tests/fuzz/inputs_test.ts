// Every kind of file and text that el2 reads, from grammars with damage: each is accepted, or
// refused with a message; none ends in another exception, takes a second, or memory beyond its
// plan. EL2_LONG=1 has 50,000 of each kind, and 10,000 saved states of each machine.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { assemble, assembleEmpty } from "../../src/assembly/assemble.ts";
import { layoutPrimary } from "../../src/assembly/primary-image.ts";
import { netOption } from "../../src/cli/options/devices.ts";
import { readConfig } from "../../src/configuration/config.ts";
import { checkedDevicetree } from "../../src/configuration/files.ts";
import { KNOWN_KEYS } from "../../src/configuration/schema.ts";
import { lintVm } from "../../src/configuration/vm-lint.ts";
import { readDevicetree } from "../../src/devicetree/reader.ts";
import { withEntries } from "../../src/formats/cpio.ts";
import { readElf } from "../../src/formats/elf.ts";
import type { VmImage } from "../../src/host/plan.ts";
import { boardOf } from "../../src/host/boards.ts";
import { bareMetalImage, firmwareImage, linuxImage } from "../../src/images/images.ts";
import { FaultRuleError, parseFaultRule } from "../../src/inspection/rules/fault-rules.ts";
import { FilterError, parseFilter } from "../../src/queries/filter.ts";
import { TABLE_NAMES, TABLES } from "../../src/queries/tables.ts";
import { ArchiveError } from "../../src/machine/archive.ts";
import { RecordingError } from "../../src/recordings/recording.ts";
import { recordingHeader } from "../../src/recordings/recording-writer.ts";
import { readRecording } from "../../src/recordings/recording-reader.ts";
import { readScenario, ScenarioError, STEPS } from "../../src/scenarios/scenario.ts";
import { readSnapshot, SnapshotError, writeSnapshot } from "../../src/snapshots/file.ts";
import { snapshotOf } from "../../src/snapshots/save.ts";
import { MiB } from "../../src/support/sizes.ts";
import { compactSymbols, readElfSymbols } from "../../src/symbols/elf-symbols.ts";
import type { SessionPlan } from "../../src/plans/plan.ts";
import { contentOf, fileOf, holding, sectionsOf } from "../snapshots/sections.ts";
import { SAVED_MACHINES } from "../snapshots/furnished.ts";
import { bootPlan } from "../snapshots/systems.ts";
import { Random } from "../support/random.ts";
import { chance, cpio, damaged, dtb, edge, elf, exchanged, gzip, image, phrase, toml } from "./grammars.ts";
import { fuzzTest, type Kind, LONG } from "./run.ts";
import { SavedFields } from "./saved-fields.ts";

/** Saved states of a machine: each is loaded into another one, which runs. */
const STATES = LONG ? 10_000 : 40;

/** Memory of the VM that an image is for. */
const ROOM = 16 * MiB;

const folder = Deno.makeTempDirSync({ prefix: "el2-fuzz-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** A refusal: an error with one of el2's messages. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  (error.constructor === Error ||
    [RecordingError, ScenarioError, SnapshotError, ArchiveError, FilterError, FaultRuleError].some((kind) => error instanceof kind) ||
    error.name === "CommanderError" || error.name === "InvalidArgumentError");

const CONFIG_KEYS = [...new Set([...KNOWN_KEYS.machine, ...KNOWN_KEYS.host, ...KNOWN_KEYS.vm, "kind", "mode", "folder", "allow", "deny"])];
const CONFIG_TABLES = ["machine", "host", "rm", "ui", "vm.rt", "vm.guest", "vm.rt.device", "link.a", "inject", "vm"];

const CONFIG = [
  ...["el2 = 1", "[machine]", 'memory = "512MiB"', "cpus = 2", "[vm.rt]", 'image = "a.bin"', 'memory = "16MiB"', "vcpus = 1"],
  ...["[vm.guest]", 'kernel = "Image"', 'memory = "64MiB"', "[[vm.guest.device]]", 'kind = "net"', 'backend = "user"', "host = true"],
];
const SCENARIO = [
  ...["el2_test = 1", 'name = "a"', "seed = 1", "[[step]]", 'boot = "demo"', "[[step]]", 'expect_console = "a"', 'of = "rt"'],
  ...['within = "1s"', "[[step]]", 'expect_rows = "vm.ls"', 'filter = "state=running"', "count = 3"],
];

/** Kinds whose readers return what is wrong instead of throwing it. */
function refuseUnless(ok: boolean): void {
  if (!ok) throw new Error("refused");
}

const { plan, snapshot } = await smallMachine();

async function smallMachine() {
  const plan = await bootPlan();
  const system = assemble(plan);
  system.machine.run(1000);
  const path = `${folder}/whole.snap`;
  for (const _ of writeSnapshot(path, snapshotOf(system, plan, "fuzz"), false));
  return { plan, snapshot: Deno.readFileSync(path) };
}

const KINDS: Readonly<Record<string, Kind>> = {
  TOML: (random) => refuseUnless(readConfig(toml(random, CONFIG, CONFIG_TABLES, CONFIG_KEYS)).ok),
  scenario: (random) =>
    readScenario("a.test.toml", toml(random, SCENARIO, ["step"], ["boot", ...Object.keys(STEPS), "within", "of", "count"])),
  devicetree: (random) => {
    const bytes = dtb(random);
    const read = readDevicetree(bytes);
    lintVm(bytes);
    refuseUnless(read.ok);
    checkedDevicetree(bytes, 64 << 10);
  },
  ELF: (random) => {
    const bytes = elf(random);
    for (const read of [() => readElf(bytes, "position-independent"), () => readElfSymbols(bytes), () => compactSymbols(bytes)]) {
      try {
        read();
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    bounded(bareMetalImage(bytes, 0x8000_0000, ROOM));
  },
  Image: (random) => {
    const bytes = image(random);
    try {
      firmwareImage(bytes);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    layoutPrimary({ image: bytes, initrd: undefined, raw: chance(random, 2) }, 0x4000_0000, ROOM);
    bounded(bareMetalImage(bytes, 0x8000_0000, ROOM));
  },
  gzip: (random) => bounded(linuxImage(gzip(random), ROOM)),
  initrd: (random) => {
    const ramdisk = withEntries(cpio(random), [{ path: "a", kind: "file", permissions: 0o644, data: random.bytes(3) }]);
    layoutPrimary({ image: image(random), initrd: ramdisk }, 0x4000_0000, ROOM);
  },
  snapshot: (random) => readSnapshot("a.snap", chance(random, 4), changedSnapshot(random)),
  "capture options": (random) => {
    const options = [
      "user",
      "none",
      "host",
      "lan",
      "internet",
      "allow",
      "deny",
      "capture",
      "yes",
      "no",
      "10.0.0.0/8",
      "::1",
      "kind",
      "rpc",
      "vm",
    ];
    const readers = [
      () => netOption().parseArg!(phrase(random, options), undefined),
      () => parseFilter(phrase(random, ["kind", "name", "state", "vm", "t", ...options]), TABLES[random.pick(TABLE_NAMES)]),
      () => parseFaultRule(phrase(random, ["rpc", "virq", "msg", "nth", "lose", "NOMEM", "vm", "call", "hvc", "delay", "1ms"])),
    ];
    random.pick(readers)();
  },
};

/** An image that a plan takes lies within the memory that it is for. */
function bounded(image: VmImage): void {
  const { offset, size, bytes, entry } = image;
  refuseUnless(boardOf({}).rules.needs({ image, firmware: undefined, initrd: undefined, base: 0x8000_0000 }) <= ROOM);
  const wrong = [offset, size, entry, bytes.length].find((value) => !Number.isSafeInteger(value) || value < 0 || value > ROOM);
  if (wrong !== undefined) throw new TypeError(`an image is accepted whose place is ${offset} + ${size}, entry ${entry}`);
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

const PLAN_KEYS = ["plan", "version", "cpus", "memory", "what", "kind", "image", "seed", "devices", "behaviour", "host", "vms", "name"];

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

for (const [name, read] of Object.entries(KINDS)) {
  fuzzTest(name, read, isRefusal);
}

fuzzTest("recording", (random) => {
  const path = `${folder}/a.rec`;
  Deno.writeTextFileSync(path, changedRecording(random));
  return readRecording(path);
}, isRefusal);

for (const [what, machine] of Object.entries(SAVED_MACHINES)) {
  let plan: SessionPlan, saved: SavedFields;
  fuzzTest(
    `saved state of ${what}`,
    (random) => {
      const state = saved.changed(random), copy = assembleEmpty(plan);
      copy.load(state, false);
      assert.equal(Buffer.compare(copy.save().fields, state.fields), 0, "a state is accepted, and another one saved");
      // An accepted state is that of a machine that runs: no bug of el2 ends it, or a part of it.
      copy.machine.run(copy.machine.time + 1e6, 100);
      const [bug] = copy.takeBugs();
      if (bug) throw new TypeError(`${bug.where}: ${bug.error instanceof Error ? bug.error.stack : bug.error}`);
    },
    isRefusal,
    STATES,
    async () => {
      plan = { ...await machine.plan(), tier: "interp" };
      saved = new SavedFields(plan, machine.system(plan).save());
    },
  );
}
