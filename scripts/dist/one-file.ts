// The one file: el2 for machines that have no Deno. `deno compile` makes it if its runtime is there
// (DENORT_BIN names it, or Deno's cache holds it). Otherwise it is a shell script with the deno
// binary and the program appended, which unpacks itself once into the user's cache folder.

import { ALONE, ENVIRONMENT, PERMISSIONS } from "../../src/app/cli/common/runtime.ts";
import { VERSION } from "../../src/kit/support/version.ts";
import { entriesBelow, tarGzip, withFolders } from "./archives.ts";
import { probeEntries } from "../launch/code-probe.ts";
import { codeCheck, launcherHead, startAndWait, trustCheck } from "../launch/shell-checks.ts";
import { CONDITIONS } from "../../src/kit/support/computer/needs.ts";
import { type Build, digest, DistError, run } from "./common.ts";
import { joined } from "../../src/kit/support/values/bytes.ts";

export const RUN_FLAGS = [...PERMISSIONS, ...ALONE].join(" ");

/** Name of the file for a platform. */
export const programName = (target: string) => `el2-${VERSION}-${target}`;

/**
 * The runtime of `deno compile`: the one that DENORT_BIN names, or in Deno's cache; undefined if
 * there is none.
 */
export async function compileRuntime(): Promise<string | undefined> {
  const named = Deno.env.get("DENORT_BIN");
  if (named) {
    const file = await Deno.stat(named).catch(() => undefined);
    if (!file?.isFile) throw new DistError(`DENORT_BIN=${named}: no such file; name denort ${Deno.version.deno}, or unset it`);
    return `DENORT_BIN=${named}`;
  }
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"], stdin: "null" }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout)) as { denoDir: string };
  const cached = `${denoDir}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  return (await Deno.stat(cached).catch(() => undefined))?.isFile ? cached : undefined;
}

/** The file of `deno compile`. Returns a description of how it was made. */
export async function compile({ folder, bundle, page }: Build, runtime: string): Promise<string> {
  const program = `${folder}/${programName(Deno.build.target)}`;
  const wayOut = `${runtime} is not denort ${Deno.version.deno}; without it the program is a file that unpacks itself`;
  const args = ["compile", "-q", ...PERMISSIONS, "--no-check", "--include", bundle, "--include", page, "-o", program, bundle];
  await run("deno compile", Deno.execPath(), args).catch((error) => {
    throw new DistError(`${error.message}; ${wayOut}`);
  });
  // Some binaries that `deno compile` accepts are not runtimes, and ignore the program in them.
  const { stdout } = await new Deno.Command(program, { args: ["--version"], stdout: "piped", stderr: "null", stdin: "null" }).output();
  if (new TextDecoder().decode(stdout).trim() !== VERSION) throw new DistError(`what deno compile made does not run el2; ${wayOut}`);
  // A runtime that does not know the flag for workers' rights ends when it is asked for such a
  // worker, as each run of a guest does.
  const { code } = await new Deno.Command(program, { args: ["doctor", "--rights"], stdout: "null", stderr: "null", stdin: "null" })
    .output();
  if (code !== 0) {
    throw new DistError(`what deno compile made cannot give its worker rights of its own (doctor --rights ends with ${code}); ${wayOut}`);
  }
  return `by deno compile with ${runtime}`;
}

/** A header, then a compressed tar with `deno` and the program. Returns a description. */
export async function pack({ folder, split, page }: Build, target: string, deno: Uint8Array): Promise<string> {
  const files = [...await entriesBelow(split, ""), ...await entriesBelow(page, "page/")];
  const programs = [{ path: "deno", data: deno, executable: true }, ...probeEntries(target, "code-probe")];
  const payload = tarGzip(withFolders([...programs, ...files]), 0);
  const header = new TextEncoder().encode(
    launcher(
      (await digest(payload)).slice(0, 16),
      target,
      Math.ceil((deno.length + files.reduce((sum, { data }) => sum + data!.length, 0)) / 1e6),
    ),
  );
  const file = joined([header, payload]);
  const program = `${folder}/${programName(target)}`;
  await Deno.writeFile(program, file, { mode: 0o755 });
  await Deno.chmod(program, 0o755);
  return `self-extracting, ${(file.length / 1e6).toFixed(1)} MB`;
}

/** The message where the file system of the runtime folder is mounted noexec. */
const NOEXEC = "programs in $base cannot be executed: it is mounted noexec; name another folder with EL2_RUNTIME";

/**
 * The script in front of the payload. It unpacks beside its final place and renames, so that
 * several first starts at once end with one good copy. It removes older versions that are not
 * running.
 * @param size of what it unpacks, MB
 */
function launcher(hash: string, target: string, size: number): string {
  return `#!/bin/sh
# el2 ${VERSION} for ${target}. What follows this script is a gzip archive.
set -eu
${launcherHead(target, true)}if [ -n "\${EL2_RUNTIME:-}" ]; then base=$EL2_RUNTIME
elif [ -n "\${XDG_CACHE_HOME:-}" ]; then base=$XDG_CACHE_HOME/el2/runtime
elif [ -n "\${HOME:-}" ]; then base=$HOME/.cache/el2/runtime
else fail "no folder to unpack into: HOME is not set; name one with EL2_RUNTIME"
fi
home="$base/el2-${VERSION}-${hash}"
${trustCheck("EL2_RUNTIME")}if [ ! -x "$home/deno" ]; then
  (umask 077 && mkdir -p "$base" 2>/dev/null) || fail "cannot write to $base; name a writable folder with EL2_RUNTIME"
  trusted "$base" sticky
  part=$(mktemp -d "$base/.part-XXXXXX" 2>/dev/null) || fail "cannot write to $base; name a writable folder with EL2_RUNTIME"
  trap 'rm -rf "$part"' EXIT INT TERM HUP
  lines=$(awk '/^exit 0 # payload$/ { print NR + 1; exit }' "$0")
  tail -n +"$lines" "$0" | tar -xzf - -C "$part" 2>/dev/null ||
    fail "cannot unpack ${size} MB into $base: there is no room, or this file is damaged; name another folder with EL2_RUNTIME"
  [ -x "$part/deno" ] || fail "${NOEXEC}"
  # The loader prints a line for each symbol that this glibc lacks.
  said=$("$part/deno" --version 2>&1) || fail "the engine does not start here: $(echo "$said" | head -n 1); ${CONDITIONS.loader.wayOut}"
  mv "$part" "$home" 2>/dev/null || [ -x "$home/deno" ] || fail "cannot make $home"
  trap - EXIT INT TERM HUP
  rm -rf "$part"
  # Unpacking that was killed leaves its part.
  find "$base" -maxdepth 1 -name '.part-??????' -user "$(id -u)" -mtime +0 -exec rm -rf {} + 2>/dev/null || true
  # Sessions of other versions may go on: what they run from stays, and is found by the next version.
  used=$(ls -l /proc/[0-9]*/exe 2>/dev/null || true)
  for old in "$base"/el2-*-????????????????; do
    # Without /proc nothing says who runs from where, and all of them stay.
    [ -d /proc/self ] && [ "$old" != "$home" ] && [ -f "$old/el2.js" ] || continue
    case "$used" in *" -> $(cd "$old" && pwd -P)/"*) ;; *) rm -rf "$old" ;; esac
  done
fi
trusted "$base" sticky
trusted "$home"
[ -x "$home/deno" ] || fail "${NOEXEC}"
${codeCheck(target, '"$home/code-probe"')}DENO_DIR="$home/deno-dir" DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
export DENO_DIR DENO_NO_UPDATE_CHECK DENO_NO_PACKAGE_JSON ${ENVIRONMENT}
${startAndWait(`"$home/deno" run -q ${RUN_FLAGS} "$home/el2.js"`)}exit 0 # payload
`;
}
