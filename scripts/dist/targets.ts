// The platforms that el2 is built for, and the deno binary of each, from its npm package.

import { readTar } from "../../src/kit/formats/tar.ts";
import { DistError } from "./common.ts";

/** A platform. */
export interface Target {
  /** Deno's name of it. */
  readonly target: string;
  /** `@deno/NAME` on npm. */
  readonly npm: string;
  /** Debian's architecture. */
  readonly debian?: string;
}

/** All platforms of Deno's npm packages. */
export const TARGETS: readonly Target[] = [
  { target: "x86_64-unknown-linux-gnu", npm: "linux-x64-glibc", debian: "amd64" },
  { target: "aarch64-unknown-linux-gnu", npm: "linux-arm64-glibc", debian: "arm64" },
  { target: "x86_64-apple-darwin", npm: "darwin-x64" },
  { target: "aarch64-apple-darwin", npm: "darwin-arm64" },
  { target: "x86_64-pc-windows-msvc", npm: "win32-x64" },
  { target: "aarch64-pc-windows-msvc", npm: "win32-arm64" },
];

/**
 * The deno binary of a platform: this program's own for this platform, else from npm. A string is
 * the reason why there is none.
 * @throws DistError if npm cannot be asked
 */
export async function denoOf({ target, npm }: Target, folder: string): Promise<Uint8Array | string> {
  if (target === Deno.build.target) return await Deno.readFile(await Deno.realPath(Deno.execPath()));
  const name = `@deno/${npm}@${Deno.version.deno}`;
  const answer = await npmPack(["pack", name, "--json", "--prefer-offline", "--pack-destination", folder]);
  if ("error" in answer) {
    if (["E404", "ETARGET"].includes(answer.error.code)) return `npm does not have ${name}`;
    throw new DistError(`npm pack ${name}: ${answer.error.summary}`);
  }
  const archive = `${folder}/${answer[0].filename}`;
  using file = await Deno.open(archive);
  for await (const { path, data } of readTar(file.readable.pipeThrough(new DecompressionStream("gzip")))) {
    if (path !== "package/deno") continue;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of data) pieces.push(new Uint8Array(piece));
    return new Uint8Array(await new Blob(pieces).arrayBuffer());
  }
  throw new DistError(`${name} has no file deno`);
}

/** Output of `npm pack --json`. */
type PackAnswer = [{ readonly filename: string }] | { readonly error: { readonly code: string; readonly summary: string } };

async function npmPack(args: readonly string[]): Promise<PackAnswer> {
  const command = new Deno.Command("npm", { args: [...args], stdin: "null", stdout: "piped", stderr: "null" });
  const { stdout } = await command.output().catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new DistError("npm is missing; install it, or name the parts to build with --only");
  });
  return JSON.parse(new TextDecoder().decode(stdout));
}
