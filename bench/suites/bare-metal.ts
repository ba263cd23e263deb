// Builds the suites' bare-metal programs with the cross compiler: `mark` and the random-instruction
// programs, over mark's start code.

import { fileURLToPath } from "node:url";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { randomProgram } from "./random-program.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

const COMPILE = [
  ["-w", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-pic", "-fno-pie", "-static", "-nostdlib"],
  ["-Wl,--build-id=none,--no-warn-rwx-segments,-z,noexecstack", `-Wl,-T,${FOLDER}mark/mark.ld`, `${FOLDER}mark/start.S`],
].flat();

async function build(elf: string, args: string[]): Promise<string> {
  const compiler = await nativeProgram("aarch64-linux-gnu-gcc");
  const { success, stderr } = await new Deno.Command(compiler, { args: [...COMPILE, ...args, "-o", elf] }).output();
  if (!success) throw new Error(`building ${elf} failed:\n${new TextDecoder().decode(stderr)}`);
  return elf;
}

/**
 * Builds `mark` with its work multiplied by `scale` (1 is 0.37 G instructions) into `folder`.
 * Returns the path of the ELF.
 * @param architecture what it is compiled for
 */
export function buildMark(folder: string, scale: number, architecture = ["-march=armv8-a"]): Promise<string> {
  const language = ["-O2", "-fno-math-errno", "-ffp-contract=off", "-fno-strict-aliasing", ...architecture, "-mno-outline-atomics"];
  return build(`${folder}/mark-${scale}${architecture.join("")}.elf`, [...language, `-DSCALE=${scale}`, `${FOLDER}mark/mark.c`]);
}

/** Builds the random program of a seed into `folder`. Returns the path of the ELF. */
export async function buildRandomProgram(folder: string, seed: number): Promise<string> {
  const include = `${folder}/random-${seed}`;
  await Deno.mkdir(include, { recursive: true });
  await Deno.writeTextFile(`${include}/blocks.h`, randomProgram(seed));
  const language = ["-O1", "-march=armv8-a+crc+crypto", "-mgeneral-regs-only", "-DSCALE=1", `-I${include}`];
  return build(`${folder}/random-${seed}.elf`, [...language, `${FOLDER}random/harness.c`]);
}
