// Readers of what a kernel's memory brings, and of the user's own file: BTF, VMCOREINFO, ui.toml.
// Each mutant is accepted, or refused by its reader, with heap in proportion to its size (run.ts).
// EL2_LONG=1 has 100,000 of each. Kernel symbols and files: readers_test.ts.

import { DEFAULT_UI, KNOWN_KEYS } from "../../src/app/configuration/schema.ts";
import { COMMAND_KEYS } from "../../src/app/configuration/keys/commands.ts";
import { readUserFile } from "../../src/app/configuration/user-file.ts";
import { Btf } from "../../src/inside/linux/kernel/btf.ts";
import { VmCoreInfo } from "../../src/inside/linux/kernel/vmcoreinfo.ts";
import { PAGE_SIZE } from "../../src/kit/support/values/sizes.ts";
import { whole, Work } from "../../src/kit/support/values/work.ts";
import { BtfWriter, exampleBtf, STRUCT } from "../inside/linux/btf-types.ts";
import type { Random } from "../support/random.ts";
import { chance, damaged, damagedText, edge, patched, toml } from "./grammars.ts";
import { readerTest, refuseUnless } from "./run.ts";

const WORK = new Work(Infinity, () => new Error("too much"));
const isRefusal = (error: unknown): boolean => error instanceof Error && error.constructor === Error;

const PATHS = ["x[1].b", "next", "wide", "x[2]", "a", "b.b.b", "x[4294967295]", "x[0][1][2]"];
const NAMES = ["outer", "inner", "a", "b"];

/** Types of any kind, which lead to each other, and to none. */
function randomTypes(random: Random): Uint8Array<ArrayBuffer> {
  const writer = new BtfWriter(), types = 1 + random.below(12);
  const type = () => chance(random, 12) ? Number(edge(random) & 0xffff_ffffn) : random.below(types + 2);
  for (let number = 0; number < types; number++) {
    const kind = random.below(21), parts = random.below(chance(random, 20) ? 400 : 5);
    const name = chance(random, 3) ? "" : random.pick(NAMES), flag = chance(random, 4) ? 0x80 : 0;
    const member = () => [chance(random, 2) ? 0 : writer.string(random.pick(NAMES)), type(), Number(edge(random) & 0xffff_ffffn)];
    const words = kind === STRUCT || kind === STRUCT + 1
      ? Array.from({ length: parts }, member).flat()
      : Array.from({ length: random.below(5) }, type);
    writer.type(name, kind | flag, parts, type(), ...words);
  }
  return new Uint8Array(writer.bytes());
}

readerTest("BTF", {
  steps: (size) => 1000 + 16 * size,
  input: (random) => chance(random, 2) ? randomTypes(random) : damaged(random, patched(random, exampleBtf(), 3)),
  read(bytes: Uint8Array) {
    const btf = whole(Btf.read(bytes, WORK));
    refuseUnless(btf !== undefined);
    for (const name of NAMES) {
      const size = btf!.sizeOf(name);
      for (const path of PATHS) {
        const field = btf!.field(name, path, WORK);
        const numbers = [size ?? 0, ...field ? [field.offset, field.size, btf!.lengthOf(field)] : []];
        if (!numbers.every((number) => number >= 0)) throw new TypeError(`${name}.${path}: ${numbers}`);
      }
      btf!.constant(name, WORK);
    }
  },
}, isRefusal);

/** Lines of a kernel. */
const LINES = [
  ...["OSRELEASE=6.1.0-50-cloud-arm64", "BUILD-ID=3a6e", "PAGESIZE=4096", "SYMBOL(prb)=ffff800009838358", "SYMBOL(swapper_pg_dir)=0"],
  ...["SIZE(printk_ringbuffer)=80", "OFFSET(printk_ringbuffer.desc_ring)=0", "OFFSET(prb_desc_ring.count_bits)=0", "NUMBER(VA_BITS)=48"],
  ...["OFFSET(printk_info.text_len)=16", "SIZE(atomic_long_t)=8", "OFFSET(prb_desc_ring.head_id)=24", "KERNELOFFSET=2a0000", "CRASHTIME=1"],
];
const MEMBERS = ["desc_ring.head_id", "desc_ring.count_bits", "text_data_ring.size_bits", "text_len", "level", "facility", "nothing.here"];

function coreInfo(random: Random): Uint8Array<ArrayBuffer> {
  const lines = LINES.map((line) => {
    if (!chance(random, 6)) return line;
    const value = random.pick([
      `${edge(random)}`,
      `0x${edge(random).toString(16)}`,
      "-1",
      "1e9",
      "NaN",
      "",
      "x".repeat(random.below(3000)),
    ]);
    return chance(random, 3) ? damagedText(random, line) : line.replace(/=.*/, `=${value}`);
  });
  const page = new Uint8Array(PAGE_SIZE);
  new TextEncoder().encodeInto(lines.join("\n"), page);
  return damaged(random, page);
}

readerTest("VMCOREINFO", {
  steps: () => 64,
  input: coreInfo,
  read(bytes: Uint8Array) {
    const info = VmCoreInfo.find({ ranges: () => [{ ipa: 0, size: PAGE_SIZE }], page: () => bytes }, WORK);
    refuseUnless(info !== undefined);
    for (const struct of ["printk_ringbuffer", "printk_info", "prb_desc_ring"]) {
      const numbers = [info!.sizeOf(struct) ?? 0, ...MEMBERS.map((path) => info!.field(struct, path)?.offset ?? 0)];
      if (!numbers.every((number) => Number.isSafeInteger(number) && number >= 0)) throw new TypeError(`${struct}: ${numbers}`);
    }
    info!.number("VA_BITS");
    for (const address of info!.symbols.values()) if (address < 0n || address >= 1n << 64n) throw new TypeError(`${address}`);
  },
}, isRefusal);

const USER_FILE = [
  ...["[ui]", 'theme = "nord"', "mouse = false", 'keys = { "list.sort" = "O" }', 'columns = { "vm.ls" = ["id", "state"] }'],
  ...["[[ui.command]]", 'name = "b"', 'run = ["y", "{id}"]', 'timeout = "10s"', 'where = ["vm"]'],
];

readerTest("ui.toml", {
  input: (random) =>
    toml(random, USER_FILE, ["ui", "ui.command", "ui.columns", "ui.keys", "ui.themes.a", "vm.a"], [
      ...KNOWN_KEYS.ui,
      ...COMMAND_KEYS,
      "columns",
      "based_on",
    ]),
  read(text: string) {
    const { file, errors } = readUserFile(text);
    // Wrong settings are left out; the others are whole.
    for (const key of Object.keys(DEFAULT_UI)) if (!(key in file.ui)) throw new TypeError(`without ${key}`);
    refuseUnless(errors.found.length === 0);
  },
  heap: (size) => (64 << 20) + 4096 * size,
}, isRefusal);
