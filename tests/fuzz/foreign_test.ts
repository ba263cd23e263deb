// Files and messages of others in use: packages that are unpacked, disks that a guest writes,
// results of tests, packets of gdb, calls of an agent's tools. EL2_LONG=1 has 50,000 of each. Their
// readers: readers_test.ts.

import assert from "node:assert/strict";
import { toolsOf } from "../../src/app/cli/mcp/tools.ts";
import { commandTree } from "../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../src/app/cli/main.ts";
import { durationsOf } from "../../src/app/cli/commands/scenarios/test-junit.ts";
import { readShard } from "../../src/app/cli/commands/scenarios/test-results.ts";
import { BadArgument } from "../../src/app/cli/common/values.ts";
import { ArgumentError } from "../../src/model/commands/argument.ts";
import { Failure } from "../../src/app/cli/common/failure.ts";
import { rawDisk } from "../../src/app/catalog/added-files.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { NoPlace } from "../../src/session/control/places.ts";
import { encodePacket } from "../../src/session/debug/packets.ts";
import { BadQcow2 } from "../../src/kit/formats/qcow2.ts";
import { type ImageBytes, Qcow2Disk } from "../../src/kit/formats/qcow2-disk.ts";
import { isOfSystem } from "../../src/kit/support/system-error.ts";
import { joined } from "../../src/kit/support/values/bytes.ts";
import { A64 } from "../app/cli/program.ts";
import { CODE, DebuggedVm, ENTRY } from "../session/debug/debugged-vm.ts";
import type { Random } from "../support/random.ts";
import { deb, packed, qcow2 } from "./archives.ts";
import { chance, damaged, damagedText, edge, exchanged, json, phrase, word } from "./grammars.ts";
import { fuzzTest, type Kind } from "./run.ts";
import { isTold } from "../../src/kit/support/problem.ts";

const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "el2-fuzz-" }));
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const outside = `${folder}/outside`;
Deno.mkdirSync(outside);
Deno.writeTextFileSync(`${outside}/canary`, "canary");
/** The folders of an input: other tests of this process have those of the computer. */
const OWN_FOLDERS: Readonly<Record<string, string>> = { EL2_CACHE: `${folder}/cache`, XDG_RUNTIME_DIR: `${folder}/run` };

/** `fuzzTest` with those folders. */
function foreignTest(name: string, read: Kind, isRefusal: (error: unknown) => boolean): void {
  fuzzTest(name, async (random) => {
    using restored = new DisposableStack();
    for (const [name, value] of Object.entries(OWN_FOLDERS)) {
      const before = Deno.env.get(name);
      restored.defer(() => before === undefined ? Deno.env.delete(name) : Deno.env.set(name, before));
      Deno.env.set(name, value);
    }
    await read(random);
  }, isRefusal);
}

/** A refusal: an error with a message of el2's, of the system's on a file, or of a decompressor. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  (isTold(error) || error instanceof BadQcow2 || error instanceof Failure || error instanceof NoPlace || isOfSystem(error) ||
    error instanceof ArgumentError || error instanceof BadArgument || error.name === "InvalidArgumentError");

/** Nothing was made or changed beside the folder that was written to. */
function nothingOutside(): void {
  const names = [...Deno.readDirSync(outside)].map(({ name }) => name);
  if (
    names.join() !== "canary" || Deno.readTextFileSync(`${outside}/canary`) !== "canary" || Deno.lstatSync(`${outside}/canary`).nlink !== 1
  ) {
    throw new TypeError(`outside: ${names}`);
  }
}

foreignTest("package, unpacked", async (random) => {
  const path = `${folder}/a.deb`, root = `${folder}/root`, programs = Deno.env.get("PATH")!;
  Deno.writeFileSync(path, deb(random));
  // Without dpkg-deb, which takes milliseconds.
  Deno.env.set("PATH", "");
  try {
    if (chance(random, 4)) await new Deb(path).fields();
    await new Deb(path).unpack(root);
  } finally {
    Deno.env.set("PATH", programs);
    nothingOutside();
    Deno.removeSync(root, { recursive: true });
  }
}, (error) => isRefusal(error) || error instanceof Error && /NUL|nul byte/i.test(error.message));

/** An image in memory. */
class Memory implements ImageBytes {
  constructor(public bytes: Uint8Array<ArrayBuffer>) {}

  read(offset: number, size: number): Uint8Array {
    return this.bytes.slice(offset, offset + size);
  }

  write(offset: number, bytes: Uint8Array): void {
    // A write after the end makes the file longer, by a place that was handed out.
    if (offset > this.bytes.length + (4 << 20)) throw new TypeError(`a write at ${offset}`);
    if (offset + bytes.length > this.bytes.length) {
      this.bytes = joined([this.bytes, new Uint8Array(offset + bytes.length - this.bytes.length)]);
    }
    this.bytes.set(bytes, offset);
  }

  flush(): void {}

  size(): number {
    return this.bytes.length;
  }
}

foreignTest("disk image, as a guest uses it", (random) => {
  const file = new Memory(qcow2(random)), readOnly = chance(random, 3), disk = new Qcow2Disk(file, readOnly);
  for (let access = random.below(12); access > 0 && disk.size >= 512; access--) {
    const sectors = Math.floor(disk.size / 512), size = 512 * (1 + random.below(Math.min(64, sectors)));
    const at = 512 * Math.floor(random.below(2 ** 32) / 2 ** 32 * (sectors - size / 512 + 1));
    const what = random.below(readOnly ? 1 : 4);
    try {
      if (what === 0) disk.read(at, new Uint8Array(size));
      else if (what === 1) disk.write(at, new Uint8Array(size).fill(access));
      else if (what === 2) disk.zero(at, size);
      else disk.flush();
    } catch (error) {
      // The guest gets an error of its device, and may try again.
      if (!(error instanceof BadQcow2)) throw error;
    }
  }
}, isRefusal);

/** The cache has no file that was not asked for. */
function nothingLeft(): void {
  const left = [...Deno.readDirSync(`${folder}/cache/downloads`)].map(({ name }) => name);
  if (left.length) throw new TypeError(`left: ${left}`);
}

foreignTest("packed disk", async (random) => {
  const path = `${folder}/a.disk`;
  Deno.writeFileSync(path, packed(random));
  try {
    Deno.removeSync(await rawDisk(path));
  } finally {
    nothingLeft();
  }
}, isRefusal);

const SHARD = {
  schema: "el2.shard/1",
  index: 1,
  count: 1,
  files: ["a.test.toml"],
  results: [{
    scenario: { name: "a", file: "a.test.toml" },
    seed: 1,
    ok: false,
    elapsed: 1,
    recording: "r/a.rec",
    steps: [{ step: { line: 2 }, text: "boot", result: "failed", at: 1, message: "m", details: ["d"] }],
  }],
};
const SHARD_KEYS = [
  "schema",
  "index",
  "count",
  "files",
  "results",
  "scenario",
  "name",
  "file",
  "recording",
  "steps",
  "ok",
  "toString",
  "__proto__",
];

foreignTest("results of a part", (random) => {
  Deno.writeTextFileSync(
    `${folder}/shard.json`,
    damagedText(random, JSON.stringify(chance(random, 4) ? SHARD : exchanged(random, SHARD, SHARD_KEYS))),
  );
  const { count, index, results } = readShard(folder)!;
  if (!(count <= 99_999 && index <= count)) throw new TypeError(`part ${index} of ${count}`);
  for (const { recording } of results) if (recording !== undefined && !/[^\\/]\.rec$/.test(recording)) throw new TypeError(recording);
}, isRefusal);

foreignTest("report of tests", (random) => {
  const marks = [
    "<testsuites>",
    "<testsuite ",
    "<testcase ",
    "</testsuite>",
    ' time="1.5"',
    ' file="a"',
    ' time="',
    "&amp;",
    ">",
    "/>",
    "\n",
  ];
  const found = durationsOf(phrase(random, marks));
  if (!found) throw new Error("not a report");
  for (const time of found.values()) if (!(time >= 0 && time < Infinity)) throw new TypeError(`${time} s`);
}, isRefusal);

const PACKETS =
  ("qSupported:swbreak+ QStartNoAckMode qXfer:features:read:target.xml: qAttached qC qfThreadInfo qThreadExtraInfo, ? g G p P m M X Z0, Z1, Z2, " +
    "Z3, Z4, z0, z2, Hg Hc T qRcmd, bc bs vCont? vCont;c vCont;s: vCont;r vCont vKill c s D k").split(" ");

/** Bytes of a hostile gdb: packets, also broken ones, and bytes between them. */
function gdbBytes(random: Random): Uint8Array<ArrayBuffer> {
  const number = () => chance(random, 3) ? random.pick([ENTRY, CODE, CODE + 2]).toString(16) : edge(random).toString(16);
  const part = () => chance(random, 2) ? number() : random.pick([",", ":", ";", "=", "-1", "*", "}", "#", "$", word(random)]);
  const parts = Array.from({ length: 1 + random.below(6) }, () => {
    switch (random.below(8)) {
      case 0:
        return random.bytes(random.below(8));
      case 1:
        return Uint8Array.of(random.pick([0x2b, 0x2d, 3, 0x24]));
      case 2:
        return encodePacket(
          `qRcmd,${
            new TextEncoder().encode(random.pick(["help", "space pa", "space ", "symbols /etc/x", "events ~(a+)+$", "\0"])).toHex()
          }`,
        );
      case 3:
        return encodePacket(
          random.pick(["m", "M", "X"]) + `${number()},${number()}` + (chance(random, 2) ? `:${"00".repeat(random.below(8200))}` : ""),
        );
      default: {
        // Packets that end the session are one way out of many.
        const [first] = [random.pick(PACKETS)].map((packet) => /^(?:k|D|vKill)$/.test(packet) && !chance(random, 20) ? "?" : packet);
        return encodePacket(first + Array.from({ length: random.below(5) }, part).join(""));
      }
    }
  });
  return damaged(random, joined(parts));
}

let vm: DebuggedVm | undefined;
foreignTest("packets of gdb", async (random) => {
  if (!vm || random.below(500) === 0) vm = new DebuggedVm([0x91000400, A64.branch(-1)], 2);
  await vm.raw(gdbBytes(random));
  if (vm.done.some((what) => what === "close" || what === "kill" || what === "detach")) {
    vm = undefined;
    throw new Error("the session is over");
  }
  // A packet that was not whole ends, the last answer is acknowledged, and another one is answered.
  await vm.raw(new TextEncoder().encode("#00+"));
  vm.session.stopped({ cause: "asked", vcpu: 0, pc: 0n });
  assert.equal(await vm.ask("qAttached"), "1");
}, isRefusal);

const TOOLS = toolsOf(commandTree(makeProgram(new URL(import.meta.url), () => {})), true);

foreignTest("calls of tools", async (random) => {
  const tool = random.pick(TOOLS), names = Object.keys(tool.args);
  const value = (): unknown => {
    switch (random.below(5)) {
      case 0:
        return random.pick(["--help", "-v", "--", "--session=/tmp/x", "../../etc/passwd", "\0", "", "a\nb", "demo"]);
      case 1:
        return chance(random, 2);
      case 2:
        return Array.from({ length: random.below(4) }, () => chance(random, 5) ? 1 : random.pick(["--force", "a", "--"]));
      case 3:
        return random.below(100);
      default:
        return json(random, names.length ? names : ["a"], 2);
    }
  };
  const given = Object.fromEntries(names.filter(() => !chance(random, 3)).map((name) => [name, value()]));
  if (chance(random, 10)) Object.assign(given, JSON.parse(`{"${random.pick(["__proto__", "constructor", "x"])}": 1}`));
  // Nothing is written: what a tool would do is a command line.
  await tool.call(given, {
    signal: new AbortController().signal,
    host: ["all"],
    el2: (words) => {
      const end = words.indexOf("--"), options = end < 0 ? words : words.slice(0, end);
      // A value is in the word of its option, and never a word by itself.
      const wrong = options.find((word) =>
        word.startsWith("-") && !/^--[a-z-]+(=|$)/s.test(word) || typeof word === "string" && word === "--help"
      );
      if (wrong !== undefined) throw new TypeError(`${tool.name}: ${JSON.stringify(wrong)} is taken for an option`);
      if (words.some((word) => typeof word !== "string" || word.includes("\0"))) {
        throw new TypeError(`${tool.name}: ${JSON.stringify(words)}`);
      }
      return Promise.resolve({ text: "", failed: false });
    },
  });
}, isRefusal);
