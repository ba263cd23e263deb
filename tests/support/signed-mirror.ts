// A Debian mirror on loopback whose release file is signed with a throw-away key.

import { gzipSync } from "node:zlib";
import { createCleartextMessage, generateKey, type PrivateKey, sign } from "openpgp";
import { sha256 } from "../../src/kit/support/values/sha256.ts";
import { buildRepository, type TestPackage } from "./debian-repository.ts";

/** A key pair for one test. */
export async function throwAwayKey(): Promise<{ privateKey: PrivateKey; publicKey: string }> {
  const { privateKey, publicKey } = await generateKey({
    userIDs: [{ name: "Test archive", email: "archive@el2.invalid" }],
    format: "object",
  });
  return { privateKey, publicKey: publicKey.armor() };
}

/** Signs a text as release files are: inline. */
export async function signed(text: string, key: PrivateKey): Promise<string> {
  return await sign({ message: await createCleartextMessage({ text }), signingKeys: key });
}

/** A release file that names the list of packages. */
export async function releaseText(list: Uint8Array<ArrayBuffer>, ...more: string[]): Promise<string> {
  const line = ` ${await sha256(list)} ${list.length} main/binary-arm64/Packages.gz\n`;
  return [...more, "Suite: stable", `SHA256:\n${line} 00 1 other\n`].join("\n");
}

/** A mirror's files in a folder. */
export interface SignedMirror {
  readonly folder: string;
  /** The packed list of packages. */
  readonly list: Uint8Array<ArrayBuffer>;
  readonly privateKey: PrivateKey;
  /** Armored. */
  readonly publicKey: string;
}

/** Builds a mirror of packages. @param change of the list of packages */
export async function buildMirror(
  folder: string,
  packages: readonly TestPackage[],
  change: (list: string) => string = (list) => list,
): Promise<SignedMirror> {
  await buildRepository(folder, packages);
  const list = Uint8Array.from(gzipSync(change(await Deno.readTextFile(`${folder}/Packages`))));
  const lists = `${folder}/dists/stable/main/binary-arm64`;
  await Deno.mkdir(lists, { recursive: true });
  await Deno.writeFile(`${lists}/Packages.gz`, list);
  const key = await throwAwayKey();
  await Deno.writeTextFile(`${folder}/dists/stable/InRelease`, await signed(await releaseText(list), key.privateKey));
  return { folder, list, ...key };
}

/** Answers with the files of a folder, and parts of them. */
export async function fileAnswer(folder: string, request: Request): Promise<Response> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(folder + new URL(request.url).pathname);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Response(null, { status: 404 });
    throw error;
  }
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
  if (from === 0) return new Response(bytes);
  return new Response(bytes.slice(from), {
    status: 206,
    headers: { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
  });
}

/** Runs `body` with a server on loopback, and its URL. */
export async function serving(
  answer: (request: Request) => Response | Promise<Response>,
  body: (url: string) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  }, answer);
  await body(`http://127.0.0.1:${(server.addr as Deno.NetAddr).port}`);
}
