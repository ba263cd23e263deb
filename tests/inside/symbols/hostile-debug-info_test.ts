// Debug information that anybody may have written: damaged, it is left out, and never makes el2
// throw, hang or grow.

import assert from "node:assert/strict";
import { DebugInfo } from "../../../src/inside/symbols/debug-info.ts";
import { compactSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { DEBUG_SECTIONS, debugSections } from "../../../src/kit/formats/dwarf/sections.ts";
import { readElfSections } from "../../../src/kit/formats/elf-sections.ts";
import { GuestType } from "../../../src/inside/symbols/guest-types.ts";
import { FrameValues } from "../../../src/inside/symbols/guest-values.ts";
import { unwind } from "../../../src/inside/symbols/unwind.ts";
import type { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { buildProgram, withTempFolder } from "../../session/debug/programs.ts";
import { Random } from "../../support/random.ts";
import { cpuTime } from "../../support/cpu-time.ts";
import { Attribute, Encoding, Form, Tag } from "../../../src/kit/formats/dwarf/constants.ts";
import type { DwarfSections } from "../../../src/kit/formats/dwarf/sections.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { CODE, dwarf, FIRST_ENTRY, type Kind, little, uleb } from "./dwarf.ts";
import { LONG } from "../../support/long.ts";

const ROUNDS = LONG ? 20_000 : 40;
/** CPU time (ms) of one file: a thousand times what a good one takes. */
const PATIENCE = 10_000;
const START = 0x4020_0000n, SIZE = 0x180n;

/** Everything that el2 does with debug information, at every instruction. */
function use(info: DebugInfo): number {
  let found = 0;
  const read = (address: bigint, size: number) => address < 0x1_0000_0000n && size < 10_000 ? new Uint8Array(size).fill(1) : undefined;
  info.files();
  info.codeOf("calls.c", 31);
  for (let at = START; at < START + SIZE; at += 4n) {
    found += Number(info.lineAt(at) !== undefined);
    info.scopeAt(at);
    const registers = { getRegister: () => 0n, getX: () => 0x4022_0000n, pc: at, pstate: 5 };
    const frames = unwind({ registers } as unknown as Vcpu, 0x4022_0000n, read, [info]);
    assert.ok(frames.length >= 1 && frames.length <= 64);
    const values = new FrameValues(info, frames[0], 0, read, () => undefined);
    for (const one of values.variables()) {
      info.tried(() => {
        assert.ok(one.type.name.length <= 1025);
        values.text(one);
        values.parts(one, one.path).length;
        assert.ok(one.type instanceof GuestType);
      });
    }
  }
  return found;
}

for (const dwarf of [4, 5]) {
  Deno.test(`damaged DWARF ${dwarf} gives fewer lines, and no exception`, async () => {
    await withTempFolder(async (folder) => {
      const file = compactSymbols(await buildProgram("calls", `${folder}/calls.elf`, { dwarf, optimize: "-O2" }))!;
      const sections = readElfSections(file), random = new Random(dwarf);
      const whole = use(DebugInfo.of(file)!);
      assert.ok(whole > 60, `${whole} lines`);
      for (let round = 0; round < ROUNDS; round++) {
        const name = DEBUG_SECTIONS[random.word() % DEBUG_SECTIONS.length];
        const damaged = sections.map((section) => {
          if (section.name !== name || section.bytes.length === 0) return section;
          const bytes = section.bytes.slice(0, random.word() % 4 ? undefined : random.word() % section.bytes.length);
          for (let changes = 1 + random.word() % 6; changes > 0 && bytes.length; changes--) {
            bytes[random.word() % bytes.length] = random.word() % 3 ? random.word() : 0xff;
          }
          return { ...section, bytes };
        });
        const begun = cpuTime();
        const info = new DebugInfo(debugSections(damaged));
        use(info);
        assert.ok(cpuTime() - begun < PATIENCE, `round ${round}: ${name}`);
      }
    });
  });
}

/** Function of the whole unit, kind 2, and an argument, kind 3: its type and a known place. */
const FUNCTION: Kind = [Tag.Subprogram, true, [Attribute.LowPc, Form.Address], [Attribute.HighPc, Form.Data4]];
const ARGUMENT: Kind = [Tag.FormalParameter, false, [Attribute.Name, Form.String], [Attribute.Type, Form.Reference4], [
  Attribute.Location,
  Form.Expression,
]];
const FUNCTION_ENTRY = [2, ...little(CODE.start, 8), ...little(CODE.size, 4)];
/** DW_OP_addr 0x2000. */
const PLACE = [9, 0x03, ...little(0x2000, 8)];
/** An argument "a" of the type at an offset; the types begin after it. */
const argument = (type: number) => [...FUNCTION_ENTRY, 3, 0x61, 0, ...little(type, 4), ...PLACE, 0];
const TYPES = FIRST_ENTRY + argument(0).length;

/** The values of a frame in the function. */
function valuesOf(sections: DwarfSections): FrameValues {
  const read = (_address: bigint, size: number) => new Uint8Array(size).fill(0xff);
  const info = new DebugInfo(sections), registers = { getRegister: () => 0n, getX: () => 0x2000n, pc: CODE.start, pstate: 5 };
  return new FrameValues(info, unwind({ registers } as unknown as Vcpu, 0x2000n, read, [info])[0], 0, read, () => undefined);
}

/** MiB of heap that `work` takes and keeps or leaves behind. */
function heapOf(work: () => unknown): number {
  const before = Deno.memoryUsage().heapUsed, kept = work();
  return kept === undefined ? NaN : (Deno.memoryUsage().heapUsed - before) / MiB;
}

Deno.test("a text of 1 MiB that all entries name is not read for each of them", () => {
  const entries = Array.from({ length: 1000 }, () => [2, ...little(0, 4)]).flat();
  const text = new Uint8Array(MiB).fill(0x61);
  text[text.length - 1] = 0;
  const sections = dwarf([[Tag.Variable, false, [Attribute.Name, Form.StringPointer]]], entries, { ".debug_str": text });
  const grown = heapOf(() => new DebugInfo(sections).scopeAt(CODE.start) ?? "none");
  assert.ok(grown < 16, `${grown} MiB`);
  const named = dwarf([FUNCTION, [Tag.Variable, false, [Attribute.Name, Form.StringPointer]]], [...FUNCTION_ENTRY, 3, ...little(0, 4), 0], {
    ".debug_str": text,
  });
  const values = valuesOf(named);
  assert.deepEqual([values.variables(), values.info.defects], [[], [".debug_str: a text does not end within 4096 bytes"]]);
});

Deno.test("attributes without bytes are kept once, not for each entry", () => {
  const flags = Array.from({ length: 199 }, (_, index) => [0x2000 + index, Form.FlagPresent] as const);
  const sections = dwarf([[Tag.Variable, false, ...flags]], Array.from({ length: 20_000 }, () => 2));
  const info = new DebugInfo(sections), grown = heapOf(() => info.scopeAt(CODE.start) ?? info);
  assert.ok(grown < 16, `${grown} MiB`);
});

Deno.test("a list of ranges that all functions name is not read for each of them", () => {
  // 20,000 functions, and 20,000 ranges that do not have the address.
  const ranges = [...Array.from({ length: 20_000 }, () => [0x07, ...little(0x9000, 8), 1]).flat(), 0];
  const entries = Array.from({ length: 20_000 }, () => [2, ...little(0, 4)]).flat();
  const info = new DebugInfo(
    dwarf([[Tag.Subprogram, false, [Attribute.Ranges, Form.SectionOffset]]], entries, { ".debug_rnglists": Uint8Array.from(ranges) }),
  );
  assert.equal(info.scopeAt(CODE.start), undefined);
  assert.deepEqual(info.defects, ["more than 1000000 ranges of functions or variables"]);
});

Deno.test("types that are made of themselves have a short name, a size or none, and few members", () => {
  const own = [Attribute.Type, Form.Reference4] as const;
  const at = little(TYPES, 4);
  // A function of three functions of its own kind; a structure of a hundred of itself.
  const recursive = dwarf([FUNCTION, ARGUMENT, [Tag.SubroutineType, true, own], [Tag.FormalParameter, false, own]], [
    ...argument(TYPES),
    ...[4, ...at, 5, ...at, 5, ...at, 5, ...at, 0],
  ]);
  const [first] = valuesOf(recursive).variables();
  assert.ok(first.type.name.length <= 1025 && first.type.name.endsWith("…"), first.type.name);
  const members = dwarf([FUNCTION, ARGUMENT, [Tag.StructureType, true], [Tag.Member, false, own]], [
    ...argument(TYPES),
    ...[4, ...Array.from({ length: 100 }, () => [5, ...at]).flat(), 0],
  ]);
  const values = valuesOf(members), [structure] = values.variables();
  assert.throws(() => values.parts(structure, "a"), /a structure of more than 65536 members/);
  assert.throws(() => values.text(structure), /a structure of more than 65536 members/);
});

Deno.test("a bit field of 2^48 bits, or far into its structure, is not read as a whole", () => {
  const kinds: Kind[] = [
    ...[FUNCTION, ARGUMENT, [Tag.StructureType, true, [Attribute.ByteSize, Form.Data1]]] as const,
    [
      ...[Tag.Member, false, [Attribute.Name, Form.String], [Attribute.Type, Form.Reference4]] as const,
      ...[[Attribute.BitSize, Form.Unsigned], [Attribute.DataBitOffset, Form.Unsigned]] as const,
    ],
    [Tag.BaseType, false, [Attribute.ByteSize, Form.Data1], [Attribute.Encoding, Form.Data1]],
  ];
  const base = [6, 4, Encoding.Unsigned];
  const bits = (size: number, offset: number) => {
    const member = [5, 0x62, 0, ...little(TYPES, 4), ...uleb(size), ...uleb(offset)];
    const values = valuesOf(dwarf(kinds, [...argument(TYPES + base.length), ...base, 4, 8, ...member, 0]));
    const [structure] = values.variables();
    return values.number(values.parts(structure, "a")[0]);
  };
  assert.equal(bits(3, 2), 7n);
  assert.equal(bits(3, 2 ** 47), 7n);
  assert.equal(bits(2 ** 47, 0), undefined);
});
