// Guests that gcc has instrumented (`--coverage`), and gcc's own verdict of a run of one: its
// counters are read from the guest's memory, written as the data files that its run-time library
// would write, and read by gcov.

import { normalize } from "node:path/posix";
import assert from "node:assert/strict";
import { basename } from "node:path";
import { nativeProgram } from "../../../../scripts/native-tools.ts";
import { runNative } from "../../../support/oracles.ts";

const GUESTS = new URL("../../../../assets/guests", import.meta.url).pathname;
/** Where the native host loads a guest. */
const LOADED_AT = "0x80000000";

/** As in scripts/guests.ts, but for gdb and gcov: no optimization, debug information. */
const COMPILE = [
  ["-std=gnu17", "-g", "-O0", "-ffreestanding", "-nostdlib", "-fno-builtin", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"],
  ["-fpie", "-fvisibility=hidden", "-fno-jump-tables", "-march=armv8-a", "-mgeneral-regs-only", "-mstrict-align"],
  ["-mbranch-protection=none", "-I."],
].flat();
const LINK = ["-static", "-no-pie", "-nostdlib", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"];

/** The run-time library of instrumented code. It is never called: nothing runs constructors. */
const STUBS = "void __gcov_init(void) {}\nvoid __gcov_exit(void) {}\nvoid __gcov_merge_add(void) {}\n";

async function run(program: Parameters<typeof nativeProgram>[0], args: readonly string[], cwd = GUESTS): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(await nativeProgram(program), { args: [...args], cwd }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** An instrumented guest of assets/guests. */
export class GcovGuest {
  private constructor(readonly folder: string, readonly name: string, readonly objects: readonly string[]) {}

  /** Builds NAME.bin and NAME.elf, which is linked where it runs: debug information cannot move. */
  static async build(folder: string, name: string): Promise<GcovGuest> {
    const sources = [...Deno.readDirSync(`${GUESTS}/common`)].map((entry) => entry.name).filter((file) => file.endsWith(".c"))
      .map((file) => `common/${file}`);
    const objects: string[] = [];
    for (const source of [...sources.sort(), `${name}/${name}.c`]) {
      const object = `${folder}/${name}-${basename(source, ".c")}.o`;
      await run("aarch64-linux-gnu-gcc", [...COMPILE, "--coverage", "-c", "-o", object, source]);
      objects.push(object);
    }
    await Deno.writeTextFile(`${folder}/stubs.c`, STUBS);
    const elf = `${folder}/${name}.elf`, script = `${folder}/guest.ld`;
    const linked = (await Deno.readTextFile(`${GUESTS}/common/guest.ld`)).replace(". = 0;", `. = ${LOADED_AT};`);
    await Deno.writeTextFile(script, linked.replace("ALIGN(4096);", `ALIGN(4096) - ${LOADED_AT};`));
    await run("aarch64-linux-gnu-gcc", [
      ...COMPILE,
      ...LINK,
      `-Wl,-T,${script}`,
      "-o",
      elf,
      "common/start.S",
      `${folder}/stubs.c`,
      ...objects,
    ]);
    await run("aarch64-linux-gnu-objcopy", ["-O", "binary", elf, `${folder}/${name}.bin`]);
    return new GcovGuest(folder, name, objects);
  }

  /**
   * gcov's executions of lines, by source file and line, after a run.
   * @param memory the guest's
   */
  async lines(memory: (address: number, length: number) => Uint8Array): Promise<Map<string, Map<number, number>>> {
    const counters = await this.#counters(), files = new Map<string, Map<number, number>>();
    for (const object of this.objects) {
      const notes = object.replace(/\.o$/, ".gcno"), data = object.replace(/\.o$/, ".gcda");
      const places = counters.get(basename(object).slice(this.name.length + 1, -2)) ?? new Map();
      await Deno.writeFile(
        data,
        dataFile(await Deno.readFile(notes), (name) => {
          const place = places.get(name);
          assert.ok(place, `${object}: counters of ${name}`);
          return memory(place.address, place.size);
        }),
      );
      const { code, stdout, stderr } = await runNative("aarch64-linux-gnu-gcov", ["--json-format", "--stdout", data]);
      assert.equal(code, 0, stderr);
      for (const { file: path, lines } of JSON.parse(stdout).files as { file: string; lines: { line_number: number; count: number }[] }[]) {
        const file = normalize(path), known = files.get(file) ?? new Map<number, number>();
        // A header's functions are in several objects.
        for (const { line_number: line, count } of lines) known.set(line, (known.get(line) ?? 0) + count);
        files.set(file, known);
      }
    }
    return files;
  }

  /** Where the counters of each function are, by source file and function. */
  async #counters(): Promise<Map<string, Map<string, { readonly address: number; readonly size: number }>>> {
    const found = new Map<string, Map<string, { address: number; size: number }>>();
    let file = "";
    for (const line of (await run("aarch64-linux-gnu-objdump", ["--syms", `${this.folder}/${this.name}.elf`])).split("\n")) {
      const source = / df \*ABS\*\s+\S+\s+(\S+)\.[cS]$/.exec(line)?.[1];
      if (source !== undefined) file = source;
      const symbol = /^(\S+) l +O \S+\s+(\S+) __gcov0\.(\S+)$/.exec(line);
      if (!symbol) continue;
      const places = found.get(file) ?? new Map();
      places.set(symbol[3], { address: parseInt(symbol[1], 16), size: parseInt(symbol[2], 16) });
      found.set(file, places);
    }
    return found;
  }
}

/** Tags and magic numbers of gcc's gcov-io.h, version 12: lengths are in bytes. */
const NOTES = 0x67636e6f, DATA = 0x67636461, FUNCTION = 0x0100_0000, ARCS = 0x01a1_0000;

/** The data file for a notes file. */
function dataFile(notes: Uint8Array, countersOf: (name: string) => Uint8Array): Uint8Array {
  const view = new DataView(notes.buffer, notes.byteOffset, notes.byteLength);
  assert.equal(view.getUint32(0, true), NOTES);
  const words: number[] = [DATA, view.getUint32(4, true), view.getUint32(8, true), 0];
  // Magic number, version, stamp, checksum; the folder's name; whether blocks are unexecuted.
  for (let at = 16 + 4 + view.getUint32(16, true) + 4; at < notes.length;) {
    const tag = view.getUint32(at, true), length = view.getUint32(at + 4, true), body = at + 8;
    if (tag === FUNCTION) {
      const name = new TextDecoder().decode(notes.subarray(body + 16, body + 16 + view.getUint32(body + 12, true) - 1));
      const counters = countersOf(name), values = new DataView(counters.buffer, counters.byteOffset, counters.length);
      words.push(FUNCTION, 12, view.getUint32(body, true), view.getUint32(body + 4, true), view.getUint32(body + 8, true));
      words.push(ARCS, counters.length);
      for (let i = 0; i < counters.length; i += 4) words.push(values.getUint32(i, true));
    }
    at = body + length;
  }
  return new Uint8Array(Uint32Array.from([...words, 0]).buffer);
}
