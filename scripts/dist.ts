// `deno task dist`: el2 as one file, for machines that have no Deno, and as a bundle for those that do.
//
//   dist/el2.js                     the bundle: deno run -A el2.js
//   dist/el2-VERSION-TARGET         one executable file
//   dist/SHA256SUMS
//
// The executable comes from `deno compile` where its runtime is at hand (DENORT_BIN names it, or Deno's cache holds it); otherwise it is a
// shell script with the deno binary and the bundle behind it, which unpacks itself once into the user's cache folder.

import { VERSION } from "../src/workstation/version.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const DIST = `${ROOT}dist`;
const BUNDLE = `${DIST}/el2.js`;
const TARGET = Deno.build.target;
const PROGRAM = `${DIST}/el2-${VERSION}-${TARGET}`;
/** A program that loads nothing from elsewhere: no configuration of the folder where it is started, no network, no package. */
const RUN_FLAGS = "-A --no-config --no-lock --no-npm --no-remote --cached-only";

await Deno.mkdir(DIST, { recursive: true });
await run("bundle", Deno.execPath(), "bundle", "-q", "--platform", "deno", "--minify", "-o", BUNDLE, `${ROOT}main.ts`);
const runtime = Deno.env.get("DENORT_BIN");
if (runtime) await compile();
else await pack();
await checksums();

/** The real thing: `deno compile` with the runtime that DENORT_BIN names. */
async function compile(): Promise<void> {
  const tried = `${PROGRAM}.tried`;
  await run("compile", Deno.execPath(), "compile", "-q", "-A", "--no-check", "--include", BUNDLE, "-o", tried, BUNDLE);
  // Some binaries that `deno compile` takes are no runtime, and ignore the program in them.
  const { stdout } = await new Deno.Command(tried, { args: ["--version"], stdout: "piped", stdin: "null" }).output();
  if (new TextDecoder().decode(stdout).trim() !== VERSION) {
    await Deno.remove(tried);
    throw new Error(`dist: the result of deno compile does not run el2; DENORT_BIN=${runtime} is not denort ${Deno.version.deno}`);
  }
  await Deno.rename(tried, PROGRAM);
  console.log(`${PROGRAM}: by deno compile`);
}

/** Header, then gzip of a tar with `deno` and `el2.js`. */
async function pack(): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "el2-dist-" });
  try {
    await Deno.copyFile(await Deno.realPath(Deno.execPath()), `${work}/deno`);
    await Deno.copyFile(BUNDLE, `${work}/el2.js`);
    await Deno.chmod(`${work}/deno`, 0o755);
    const archive = `${work}/payload.tar.gz`;
    const options = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    await run("tar", "tar", ...options, "--use-compress-program=gzip -9n", "-cf", archive, "-C", work, "deno", "el2.js");
    const payload = await Deno.readFile(archive);
    const header = new TextEncoder().encode(launcher((await digest(payload)).slice(0, 16)));
    const file = new Uint8Array(header.length + payload.length);
    file.set(header);
    file.set(payload, header.length);
    await Deno.writeFile(PROGRAM, file, { mode: 0o755 });
    await Deno.chmod(PROGRAM, 0o755);
    console.log(`${PROGRAM}: self-extracting, ${(file.length / 1e6).toFixed(1)} MB (no runtime for deno compile: DENORT_BIN is not set)`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * The script in front of the payload. It unpacks beside its final place and renames, so that several first starts at once end with one good
 * copy, and leaves no older versions behind.
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
  for old in "$base"/el2-*-????????????????; do
    [ "$old" = "$home" ] || [ ! -f "$old/el2.js" ] || rm -rf "$old"
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
  for (const path of [BUNDLE, PROGRAM]) lines.push(`${await digest(await Deno.readFile(path))}  ${path.slice(DIST.length + 1)}\n`);
  await Deno.writeTextFile(`${DIST}/SHA256SUMS`, lines.join(""));
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function run(what: string, program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, stdin: "null", stdout: "inherit", stderr: "inherit" }).output();
  if (!success) throw new Error(`dist: ${what} failed`);
}
