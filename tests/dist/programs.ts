// Programs that tests of build products start: in a folder, with an environment that is named in
// full.

/** Result of a program. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with nothing on stdin. `deno` is the one that runs this. */
export async function runIn(cwd: string, program: string, args: readonly string[], env: Record<string, string>): Promise<Outcome> {
  const path = program === "deno" ? Deno.execPath() : program;
  const command = new Deno.Command(path, { args: [...args], cwd, env, clearEnv: true, stdin: "null", stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}
