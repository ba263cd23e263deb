// The oracles that tests compare el2 with. A test whose oracle is missing fails and names it:
// nothing is skipped.

import { nativeLibrary, nativeProgram } from "../../scripts/native-tools.ts";

/** The unicorn CPU emulator as a shared library, for `Deno.dlopen`. */
export function unicornLibrary(): Promise<string> {
  return nativeLibrary("libunicorn.so.2");
}

/** Output of a native program. */
export interface NativeOutput {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a native program to its end with `input` on its standard input. */
export async function runNative(name: Parameters<typeof nativeProgram>[0], args: string[], input?: Uint8Array): Promise<NativeOutput> {
  const command = new Deno.Command(await nativeProgram(name), { args, stdin: input ? "piped" : "null", stdout: "piped", stderr: "piped" });
  const child = command.spawn();
  const output = child.output();
  if (input) {
    const writer = child.stdin.getWriter();
    await writer.write(input);
    await writer.close();
  }
  const { code, stdout, stderr } = await output;
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
