// `deno task dist [FOLDER]`: el2 as one file, for machines that have no Deno, and as a bundle for
// those that do. Without a folder, in dist/:
//
//   el2.js                     the bundle: deno run -A el2.js
//   el2-VERSION-TARGET         one executable file
//   SHA256SUMS
//
// The executable comes from `deno compile` where its runtime is at hand (DENORT_BIN names it, or
// Deno's cache holds it); otherwise it is a shell script with the deno binary and the bundle behind
// it, which unpacks itself once into the user's cache folder. What was in the folder stays until
// all of it is there.

import { resolve } from "node:path";
import { VERSION } from "../src/support/version.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const DIST = resolve(Deno.args[0] ?? `${ROOT}dist`);
const TARGET = Deno.build.target;
const PROGRAM_NAME = `el2-${VERSION}-${TARGET}`;
const FRESH = await Deno.makeTempDir({ prefix: "el2-dist-" });
const BUNDLE = `${FRESH}/el2.js`;
const PROGRAM = `${FRESH}/${PROGRAM_NAME}`;
/**
 * A program that loads nothing from elsewhere: no configuration of the folder where it is started,
 * no network, no package.
 */
const RUN_FLAGS = "-A --no-config --no-lock --no-npm --no-remote --cached-only";

/** What is wrong is the surroundings' to mend. */
class DistError extends Error {}

try {
  // Not minified: the minifier puts what a `using` declares in the place of its one use, and
  // nothing is disposed of any more: a lock stays locked. It would save 0.3 MB of 42 and 10 ms of a
  // start, and take the names out of stacks.
  await run("bundle", Deno.execPath(), "bundle", "-q", "--platform", "deno", "-o", BUNDLE, `${ROOT}main.ts`);
  const runtime = await compileRuntime();
  const how = runtime === undefined ? await pack() : await compile(runtime);
  await checksums();
  await Deno.mkdir(DIST, { recursive: true });
  for (const name of ["el2.js", PROGRAM_NAME, "SHA256SUMS"]) await replace(`${FRESH}/${name}`, `${DIST}/${name}`);
  console.log(`${DIST}/${PROGRAM_NAME}: ${how}`);
} catch (error) {
  if (!(error instanceof DistError)) throw error;
  console.error(`dist: ${error.message}`);
  Deno.exitCode = 1;
} finally {
  await Deno.remove(FRESH, { recursive: true });
}

/**
 * The runtime of `deno compile`: the one that DENORT_BIN names, or in Deno's cache; undefined where
 * neither is.
 */
async function compileRuntime(): Promise<string | undefined> {
  const named = Deno.env.get("DENORT_BIN");
  if (named) {
    const file = await Deno.stat(named).catch(() => undefined);
    if (!file?.isFile) throw new DistError(`DENORT_BIN=${named}: no such file; name denort ${Deno.version.deno}, or unset it`);
    return `DENORT_BIN=${named}`;
  }
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stdin: "null" }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout)) as { denoDir: string };
  const cached = `${denoDir}/dl/release/v${Deno.version.deno}/denort-${TARGET}.zip`;
  return (await Deno.stat(cached).catch(() => undefined))?.isFile ? cached : undefined;
}

/** The real thing: `deno compile`. Says how it was done. */
async function compile(runtime: string): Promise<string> {
  const wayOut = `${runtime} is not denort ${Deno.version.deno}; without it the program is a file that unpacks itself`;
  await run("deno compile", Deno.execPath(), "compile", "-q", "-A", "--no-check", "--include", BUNDLE, "-o", PROGRAM, BUNDLE)
    .catch(() => fail(`deno compile failed; ${wayOut}`));
  // Some binaries that `deno compile` takes are no runtime, and ignore the program in them.
  const { stdout } = await new Deno.Command(PROGRAM, { args: ["--version"], stdout: "piped", stderr: "null", stdin: "null" }).output();
  if (new TextDecoder().decode(stdout).trim() !== VERSION) fail(`what deno compile made does not run el2; ${wayOut}`);
  return `by deno compile with ${runtime}`;
}

function fail(message: string): never {
  throw new DistError(message);
}

/** Moves a file into another folder, in one step there. */
async function replace(from: string, to: string): Promise<void> {
  const part = `${to}.part`;
  await Deno.copyFile(from, part);
  await Deno.rename(part, to);
}

/** Header, then gzip of a tar with `deno` and `el2.js`. Says what it is. */
async function pack(): Promise<string> {
  await Deno.copyFile(await Deno.realPath(Deno.execPath()), `${FRESH}/deno`);
  await Deno.chmod(`${FRESH}/deno`, 0o755);
  const archive = `${FRESH}/payload.tar.gz`;
  const options = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  await run("tar", "tar", ...options, "--use-compress-program=gzip -9n", "-cf", archive, "-C", FRESH, "deno", "el2.js");
  const payload = await Deno.readFile(archive);
  const header = new TextEncoder().encode(launcher((await digest(payload)).slice(0, 16)));
  const file = new Uint8Array(header.length + payload.length);
  file.set(header);
  file.set(payload, header.length);
  await Deno.writeFile(PROGRAM, file, { mode: 0o755 });
  await Deno.chmod(PROGRAM, 0o755);
  const size = (file.length / 1e6).toFixed(1);
  return `self-extracting, ${size} MB (no runtime for deno compile: DENORT_BIN is not set, and Deno's cache has none)`;
}

/**
 * The script in front of the payload. It unpacks beside its final place and renames, so that
 * several first starts at once end with one good copy, and leaves no older versions behind but
 * those that run.
 */
function launcher(hash: string): string {
  return `#!/bin/sh
# el2 ${VERSION} for ${TARGET}. What follows this script is a gzip archive.
set -eu
fail() { echo "el2: $1" >&2; exit 1; }
if [ -n "\${EL2_RUNTIME:-}" ]; then base=$EL2_RUNTIME
elif [ -n "\${XDG_CACHE_HOME:-}" ]; then base=$XDG_CACHE_HOME/el2/runtime
elif [ -n "\${HOME:-}" ]; then base=$HOME/.cache/el2/runtime
else fail "no folder to unpack into: HOME is not set; name one with EL2_RUNTIME"
fi
home="$base/el2-${VERSION}-${hash}"
if [ ! -x "$home/deno" ]; then
  mkdir -p "$base" 2>/dev/null || fail "cannot write to $base; name a writable folder with EL2_RUNTIME"
  part=$(mktemp -d "$base/.part-XXXXXX" 2>/dev/null) || fail "cannot write to $base; name a writable folder with EL2_RUNTIME"
  trap 'rm -rf "$part"' EXIT INT TERM HUP
  lines=$(awk '/^exit 0 # payload$/ { print NR + 1; exit }' "$0")
  tail -n +"$lines" "$0" | tar -xzf - -C "$part" || fail "cannot unpack into $base: is there room? name another folder with EL2_RUNTIME"
  mv "$part" "$home" 2>/dev/null || [ -x "$home/deno" ] || fail "cannot make $home"
  trap - EXIT INT TERM HUP
  rm -rf "$part"
  # Sessions of other versions may go on: what they run from stays, and is found by the next version.
  used=$(ls -l /proc/[0-9]*/exe 2>/dev/null || true)
  for old in "$base"/el2-*-????????????????; do
    [ "$old" != "$home" ] && [ -f "$old/el2.js" ] || continue
    case "$used" in *" -> $(cd "$old" && pwd -P)/"*) ;; *) rm -rf "$old" ;; esac
  done
fi
[ -x "$home/deno" ] || fail "$home/deno cannot be executed; is $base mounted noexec? name another folder with EL2_RUNTIME"
DENO_DIR="$home/deno-dir" DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
export DENO_DIR DENO_NO_UPDATE_CHECK DENO_NO_PACKAGE_JSON
exec "$home/deno" run -q ${RUN_FLAGS} "$home/el2.js" "$@"
exit 0 # payload
`;
}

async function checksums(): Promise<void> {
  const lines: string[] = [];
  for (const path of [BUNDLE, PROGRAM]) lines.push(`${await digest(await Deno.readFile(path))}  ${path.slice(FRESH.length + 1)}\n`);
  await Deno.writeTextFile(`${FRESH}/SHA256SUMS`, lines.join(""));
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function run(what: string, program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, stdin: "null", stdout: "inherit", stderr: "inherit" }).output();
  if (!success) fail(`${what} failed`);
}
