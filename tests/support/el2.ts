// The el2 program as tests start it, with the permissions of the task `el2`, and QEMU as its peer.

import { PERMISSIONS } from "../../src/app/cli/common/runtime.ts";
import { nativeProgram } from "../../scripts/native-tools.ts";

const PROGRAM = new URL("../../main.ts", import.meta.url).pathname;

// Failed runs keep their recordings in the user's state folder, and screens their layout: those of
// tests go to a folder that is removed after the file's tests.
const STATE = Deno.makeTempDirSync({ prefix: "el2-test-state-" });
Deno.env.set("XDG_STATE_HOME", STATE);
addEventListener("unload", () => Deno.removeSync(STATE, { recursive: true }));

/** Deno's folder of loaded packages, for programs with their own cache folder. */
export function denoFolder(): string {
  const { DENO_DIR, XDG_CACHE_HOME, HOME } = Deno.env.toObject();
  return DENO_DIR ?? `${XDG_CACHE_HOME ?? `${HOME}/.cache`}/deno`;
}

/**
 * The command line of `el2 ARGS`; of the program that EL2_PROGRAM names, where it names one:
 * `deno task test:dist` tests the one file so.
 */
export function el2Command(...args: string[]): string[] {
  const own = Deno.env.get("EL2_PROGRAM");
  if (own) return [own, ...args];
  return [Deno.execPath(), "run", "-q", "--no-check", ...PERMISSIONS, PROGRAM, ...args];
}

/** The command line of QEMU's virt machine with a Cortex-A57, console on its standard streams. */
export async function qemuCommand(...args: string[]): Promise<string[]> {
  const platform = ["-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-nographic", "-nic", "none", "-no-reboot"];
  return [await nativeProgram("qemu-system-aarch64"), ...platform, ...args];
}

/** Whether a process runs; one that has ended may still be waited for. */
export function runs(pid: number): boolean {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", String(pid)] }).outputSync();
  return /^[^Z\s]/.test(new TextDecoder().decode(stdout).trim());
}
