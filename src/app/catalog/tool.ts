// Programs of the machine that el2 runs to fetch and make guests.

import { LineCutter } from "../../kit/support/text/line-cutter.ts";
import { UserError } from "../../kit/support/problem.ts";

/**
 * Runs a tool and returns its standard output, without the lines that `consumed` takes.
 * @throws Error with the tool's own words when it fails or is not there.
 */
export async function runTool(command: string[], cwd?: string, consumed?: (line: string) => boolean): Promise<string> {
  const [tool, ...args] = command;
  const child = spawn(tool, args, cwd);
  const kept: string[] = [];
  const cutter = new LineCutter();
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      for (const line of cutter.add(text)) if (!consumed?.(line)) kept.push(line);
    }
    if (cutter.rest !== "") kept.push(cutter.rest);
  })();
  const complaining = new Response(child.stderr).text();
  const [status, complaint] = await Promise.all([child.status, complaining, reading]);
  if (!status.success) throw new Error(`${tool} failed: ${complaint.trim() || kept.join("\n").trim() || `exit code ${status.code}`}`);
  return kept.join("\n");
}

/**
 * The output of a tool, piece by piece.
 * @throws Error with the tool's own words when it fails or is missing
 */
export async function* throughTool(command: string[]): AsyncGenerator<Uint8Array> {
  const [tool, ...args] = command;
  const child = spawn(tool, args);
  const complaint = new Response(child.stderr).text();
  yield* child.stdout;
  const { success, code } = await child.status;
  if (!success) throw new Error(`${tool} failed: ${(await complaint).trim() || `exit code ${code}`}`);
}

function spawn(tool: string, args: string[], cwd?: string): Deno.ChildProcess {
  try {
    return new Deno.Command(tool, { args, cwd, stdin: "null", stdout: "piped", stderr: "piped", env: { LC_ALL: "C" } }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`${tool} is not installed on this machine`, "el2 fetches Debian packages with it");
    }
    throw error;
  }
}
