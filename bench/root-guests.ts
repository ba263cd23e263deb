// Builds programs for the root VM (`guest/root`): a runtime that all share, and one application
// each, as position-independent ELF files.

import { fileURLToPath } from "node:url";
import { nativeProgram } from "../scripts/native-tools.ts";

const SOURCES = fileURLToPath(new URL("guest/root", import.meta.url));

const COMPILE = [
  ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fpie", "-fno-stack-protector", "-fno-jump-tables"],
  ["-fno-tree-loop-distribute-patterns", "-fno-toplevel-reorder", "-fno-asynchronous-unwind-tables", "-fvisibility=hidden"],
  ["-march=armv8-a", "-mgeneral-regs-only", "-mbranch-protection=none"],
].flat();
const LINK = [
  ["-nostdlib", "-static-pie", "-Wl,--no-dynamic-linker,--build-id=none", "-Wl,-z,max-page-size=4096,-z,separate-code,-z,norelro"],
].flat();

/** Paths of the files of one root VM. */
export interface RootGuest {
  readonly runtime: string;
  readonly app: string;
}

/**
 * Builds the runtime and the application NAME.c, with `defines` (NAME=VALUE), into `folder`.
 * @throws Error with the compiler's message
 */
export async function buildRootGuest(name: string, folder: string, defines: readonly string[] = []): Promise<RootGuest> {
  const compiler = await nativeProgram("aarch64-linux-gnu-gcc");
  const build = async (output: string, sources: string[]) => {
    const { success, stderr } = await new Deno.Command(compiler, { args: [...COMPILE, ...LINK, ...sources, "-o", output], cwd: SOURCES })
      .output();
    if (!success) throw new Error(`building ${output} failed:\n${new TextDecoder().decode(stderr)}`);
    return output;
  };
  return {
    runtime: await build(`${folder}/runtime.elf`, ["runtime.S"]),
    app: await build(`${folder}/${name}.elf`, [...defines.map((define) => `-D${define}`), "root.c", `${name}.c`]),
  };
}
