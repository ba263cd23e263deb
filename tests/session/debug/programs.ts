// Programs with debug information, built from C for tests of debuggers.

import assert from "node:assert/strict";
import { nativeProgram } from "../../../scripts/native-tools.ts";

const FOLDER = new URL("programs/", import.meta.url).pathname;
const FLAGS = [
  "-std=gnu17",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffreestanding",
  "-nostdlib",
  "-static",
  "-fno-pic",
  "-no-pie",
  "-mstrict-align",
];
const LINK = ["-mgeneral-regs-only", "-fno-stack-protector", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"];
const BOOT = 0x4020_0000;

/** How a program is built. */
export interface BuildOptions {
  /** The version of DWARF. */
  readonly dwarf?: number;
  readonly optimize?: "-O0" | "-O1" | "-O2";
  readonly more?: readonly string[];
  /** Where it is linked to, instead of where `el2 boot` puts it. */
  readonly at?: number;
}

/** Runs a native program. */
export async function native(name: Parameters<typeof nativeProgram>[0], ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(await nativeProgram(name), { args }).output();
  assert.equal(code, 0, `${name} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** The source of the program whose name it is. */
export function sourceOf(name: string): string {
  return `${FOLDER}${name}.c`;
}

/** Programs by how they were built: many tests debug the same one. */
const built = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** Builds a program into a file; returns its contents. */
export async function buildProgram(
  name: string,
  file: string,
  { dwarf = 5, optimize = "-O1", more = [], at = BOOT }: BuildOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const how = [
    ...FLAGS,
    ...LINK,
    `-Wl,-Ttext=0x${at.toString(16)}`,
    optimize,
    `-gdwarf-${dwarf}`,
    ...more,
    `${FOLDER}calls.S`,
    sourceOf(name),
  ];
  const build = async () => {
    await native("aarch64-linux-gnu-gcc", ...how, "-o", file);
    return await Deno.readFile(file);
  };
  const key = how.join(" "), building = built.get(key) ?? build();
  built.set(key, building);
  const bytes = await building;
  await Deno.writeFile(file, bytes);
  return bytes.slice();
}

/** Does something with a folder that is removed after it. */
export async function withTempFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-dwarf-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
