// The target description for gdb (GDB manual, appendix G; G.5.1 has AArch64's features), made of
// `DEBUG_REGISTERS`, and values of registers as packets have them. A register's number is its index
// there.

import { DEBUG_REGISTERS, type DebugRegister } from "../../machine/hypervisor/interface.ts";
import { fromHex, toHex } from "./packets.ts";
import { fromLittleEndian } from "../../kit/support/values/bytes.ts";

/** Registers of a `g` packet: gdb fetches the others one by one. */
export const GENERAL_REGISTERS = DEBUG_REGISTERS.filter(({ group }) => group === "core" || group === "fp").length;

/** Registers that every vCPU has. */
const COMMON_REGISTERS = DEBUG_REGISTERS.filter(({ group }) => group !== "el2").length;

/** Whether a vCPU with that many registers has EL2's. */
export const describesEl2 = (registers = COMMON_REGISTERS): boolean => registers > COMMON_REGISTERS;

/** Fields of CPSR: name, lowest and highest bit. */
const CPSR_FIELDS = [
  ["SP", 0, 0],
  ["EL", 2, 3],
  ["F", 6, 6],
  ["I", 7, 7],
  ["A", 8, 8],
  ["D", 9, 9],
  ["IL", 20, 20],
  ["SS", 21, 21],
  ["PAN", 22, 22],
  ["V", 28, 28],
  ["C", 29, 29],
  ["Z", 30, 30],
  ["N", 31, 31],
] as const;

const FEATURES: readonly (readonly [group: DebugRegister["group"], name: string, types: string])[] = [
  ["core", "org.gnu.gdb.aarch64.core", flagsType()],
  ["fp", "org.gnu.gdb.aarch64.fpu", vectorTypes()],
  ["system", "org.el2.aarch64.system", ""],
  ["pauth", "org.gnu.gdb.aarch64.pauth_v2", ""],
  ["el2", "org.el2.aarch64.hypervisor", ""],
];

function flagsType(): string {
  const fields = CPSR_FIELDS.map(([name, start, end]) => `<field name="${name}" start="${start}" end="${end}"/>`);
  return ['<flags id="cpsr_flags" size="4">', ...fields, "</flags>"].join("\n");
}

/**
 * Each view of a vector register: its letter, gdb's types of an element, and how many there are.
 */
function vectorTypes(): string {
  const views = [
    ["d", 2, ["ieee_double", "uint64", "int64"]],
    ["s", 4, ["ieee_single", "uint32", "int32"]],
    ["h", 8, ["ieee_half", "uint16", "int16"]],
    ["b", 16, ["uint8", "int8"]],
    ["q", 1, ["uint128", "int128"]],
  ] as const;
  const letter = (type: string) => type.startsWith("ieee") ? "f" : type[0];
  const lines: string[] = [];
  for (const [view, count, types] of views) {
    for (const type of types) lines.push(`<vector id="v${view}_${letter(type)}" type="${type}" count="${count}"/>`);
    const fields = types.map((type) => `<field name="${letter(type)}" type="v${view}_${letter(type)}"/>`);
    lines.push(`<union id="v${view}">${fields.join("")}</union>`);
  }
  const fields = views.map(([view]) => `<field name="${view}" type="v${view}"/>`);
  lines.push(`<union id="aarch64v">${fields.join("")}</union>`);
  return lines.join("\n");
}

function typeOf({ name, bits, group }: DebugRegister): string {
  if (name === "PC") return "code_ptr";
  if (name === "SP") return "data_ptr";
  if (name === "CPSR") return "cpsr_flags";
  return bits === 128 ? "aarch64v" : group === "fp" ? "int" : `uint${bits}`;
}

function describe(register: DebugRegister, number: number): string {
  const system = register.group === "system" || register.group === "el2";
  const name = system ? register.name : register.name.toLowerCase();
  const group = system || register.group === "pauth" ? ' group="system" save-restore="no"' : "";
  return `<reg name="${name}" bitsize="${register.bits}" type="${typeOf(register)}" regnum="${number}"${group}/>`;
}

/** The document `target.xml`. @param count registers that the vCPU has, by default all but EL2's */
export function targetDescription(count = COMMON_REGISTERS): string {
  const all = DEBUG_REGISTERS.slice(0, count);
  const features = FEATURES.flatMap(([wanted, name, types]) => {
    const registers = all.flatMap((register, number) => register.group === wanted ? [describe(register, number)] : []);
    return registers.length ? [[`<feature name="${name}">`, types, ...registers, "</feature>"].filter(Boolean).join("\n")] : [];
  });
  return `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0">
<architecture>aarch64</architecture>
${features.join("\n")}
</target>
`;
}

/** A register's value in the order of memory, as hexadecimal digits. */
export function encodeRegister(number: number, value: bigint): string {
  const bytes = DEBUG_REGISTERS[number].bits / 8;
  return toHex(Array.from({ length: bytes }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn)));
}

/** The value; undefined when these are not the digits of such a register, or there is none. */
export function decodeRegister(number: number, text: string): bigint | undefined {
  const register = DEBUG_REGISTERS[number];
  const bytes = fromHex(text);
  if (!register || bytes?.length !== register.bits / 8) return undefined;
  return fromLittleEndian(bytes);
}
