// Debian's archive on loopback: files come from a folder in .state, and from the network if the
// folder lacks them. Remove the folder to get a newer archive.

import { fileAnswer, serving } from "../support/signed-mirror.ts";

const FOLDER = new URL("../../.state/mirror", import.meta.url).pathname;
const SOURCE = Deno.env.get("EL2_MIRROR") ?? "http://deb.debian.org/debian";

/** Runs `body` with the URL of the mirror. */
export function withKeptMirror(body: (url: string) => Promise<void>): Promise<void> {
  return serving(async (request) => {
    const kept = await fileAnswer(FOLDER, request);
    if (kept.status !== 404) return kept;
    const { pathname } = new URL(request.url), answer = await fetch(SOURCE + pathname);
    if (!answer.ok) return new Response(answer.body, { status: answer.status });
    const path = FOLDER + pathname, partial = `${path}.${crypto.randomUUID()}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(partial, answer.body!);
    await Deno.rename(partial, path);
    return fileAnswer(FOLDER, request);
  }, body);
}
