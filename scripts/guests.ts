// Builds our own bare-metal guests (assets/guests) with the cross compiler, bit for bit:
//
//     deno task guests           rebuild the images
//     deno task guests --check   rebuild elsewhere and compare; exit 1 names what differs
//
// Bits depend on the compiler: assets/guests/compiler.txt keeps its version, and --check refuses
// another one by name.

import { fileURLToPath } from "node:url";
import { nativeProgram } from "./native-tools.ts";

const GUESTS = ["blackboard", "bounce", "faulty", "firmware", "hello", "ping", "pong", "teletype"] as const;
/** Guests of the demo and the tutorials: their symbols are committed, and screens name code. */
const WITH_SYMBOLS: readonly string[] = ["faulty", "hello", "ping", "pong"];
/** Where the native host loads a guest: images are linked at 0 and run anywhere. */
const LOADED_AT = "0x80000000";
const FILES = GUESTS.flatMap((guest) => WITH_SYMBOLS.includes(guest) ? [`${guest}.bin`, `${guest}.elf`] : [`${guest}.bin`]);
const FOLDER = fileURLToPath(new URL("../assets/guests", import.meta.url));
const COMPILER_FILE = `${FOLDER}/compiler.txt`;

/**
 * No libc, no FP, no unaligned accesses (the MMU is off), nothing that would need relocation when
 * the image is loaded.
 */
const COMPILE = [
  ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror"],
  ["-ffreestanding", "-nostdlib", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-fno-stack-protector"],
  ["-fno-asynchronous-unwind-tables", "-fpie", "-fvisibility=hidden", "-fno-jump-tables"],
  ["-march=armv8-a", "-mgeneral-regs-only", "-mstrict-align", "-mbranch-protection=none"],
].flat();
const LINK = ["-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments"];

async function run(program: Parameters<typeof nativeProgram>[0], args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(await nativeProgram(program), { args, cwd: FOLDER }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}\n${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** Version of compiler and linker, as compiler.txt has it. */
async function compilerVersion(): Promise<string> {
  const [compiler, linker] = [await run("aarch64-linux-gnu-gcc", ["--version"]), await run("aarch64-linux-gnu-ld", ["--version"])];
  return [compiler, linker].map((text) => text.split("\n")[0] + "\n").join("");
}

/** Builds all images into `folder` as NAME.bin, and the symbols of some as NAME.elf. */
async function build(folder: string): Promise<void> {
  for (const guest of GUESTS) {
    const elf = `${folder}/${guest}.elf`;
    await buildGuest(`${guest}/${guest}.c`, elf, `${folder}/${guest}.bin`);
    const loaded = ["--only-keep-debug", `--change-addresses=${LOADED_AT}`];
    if (WITH_SYMBOLS.includes(guest)) await run("aarch64-linux-gnu-objcopy", [...loaded, elf]);
  }
}

/**
 * Builds one guest on the common run-time system.
 * @param source in `assets/guests`, or an absolute path
 */
export async function buildGuest(source: string, elf: string, image: string): Promise<void> {
  const common: string[] = [];
  for await (const { name } of Deno.readDir(`${FOLDER}/common`)) if (/\.[cS]$/.test(name)) common.push(`common/${name}`);
  common.sort();
  await run("aarch64-linux-gnu-gcc", [...COMPILE, ...LINK, "-Wl,-T,common/guest.ld", "-I.", "-o", elf, ...common, source]);
  await run("aarch64-linux-gnu-objcopy", ["-O", "binary", elf, image]);
}

/** The differences between the committed images and those in `folder`. */
async function differences(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of FILES) {
    const [committed, built] = [await Deno.readFile(`${FOLDER}/${file}`), await Deno.readFile(`${folder}/${file}`)];
    const at = committed.findIndex((byte, index) => byte !== built[index]);
    if (at >= 0 || committed.length !== built.length) found.push(`${file} differs at byte ${at >= 0 ? at : committed.length}`);
  }
  return found;
}

/** Runs the command; returns the exit code. */
export async function guests(args: readonly string[]): Promise<number> {
  const check = args.includes("--check");
  const version = await compilerVersion();
  const expected = await Deno.readTextFile(COMPILER_FILE).catch((error) => {
    if (error instanceof Deno.errors.NotFound && !check) return undefined;
    throw error;
  });
  if (check && version !== expected) {
    console.error(
      `guests: the committed images are built with\n${expected}this machine has\n${version}Build with that compiler, or rebuild and commit.`,
    );
    return 1;
  }
  const folder = await Deno.makeTempDir();
  try {
    await build(folder);
    const found = check ? await differences(folder) : [];
    for (const line of found) console.error(`guests: ${line}; run: deno task guests`);
    if (!check) {
      for (const file of FILES) await Deno.writeFile(`${FOLDER}/${file}`, await Deno.readFile(`${folder}/${file}`));
      await Deno.writeTextFile(COMPILER_FILE, version);
    }
    console.log(found.length > 0 ? "guests: images differ" : check ? "guests: images are what the sources give" : "guests: built");
    return found.length > 0 ? 1 : 0;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await guests(Deno.args));
