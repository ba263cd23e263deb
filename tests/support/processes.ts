// Processes as the computer lists them.

/** Whether a process runs; one that has ended may still be waited for. */
export function runs(pid: number): boolean {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", String(pid)] }).outputSync();
  return /^[^Z\s]/.test(new TextDecoder().decode(stdout).trim());
}
