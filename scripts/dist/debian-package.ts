// The Debian package: deno and the bundle in /usr/lib/el2, manual page, completions. Written
// without root and without dpkg.

import { ENVIRONMENT, PERMISSIONS } from "../../src/app/cli/common/runtime.ts";
import { createHash } from "node:crypto";
import { manualPages } from "../reference/pages.ts";
import { VERSION } from "../../src/kit/support/version.ts";
import { ar, entriesBelow, type Entry, gzip, tarGzip, withFolders } from "./archives.ts";
import { type BundledPackage, isLesser } from "./bundled-packages.ts";
import { type Build, outputOf } from "./common.ts";
import { RUN_FLAGS } from "./one-file.ts";
import { probeEntries } from "../launch/code-probe.ts";
import { codeCheck, launcherHead, startAndWait, trustCheck } from "../launch/shell-checks.ts";
import type { Target } from "./targets.ts";

const SUMMARY = "Gunyah workstation in a terminal";
const DESCRIPTION = `Description: ${SUMMARY}
 Runs arm64 software as virtual machines under a Gunyah-compatible
 hypervisor, with interpreter and translator of its own: no KVM, no root.
 .
 Its screens and commands show what each vCPU does and waits for, and why a
 hypercall was refused. Runs are deterministic: they can be recorded,
 replayed and taken back in time.`;

/**
 * The launcher, for an architecture of Debian's. The engine executes code from its cache.
 * @param lib the folder of the engine and the program
 */
export function debianLauncher(target: string, lib = "/usr/lib/el2"): string {
  return `#!/bin/sh
set -eu
${launcherHead(target)}${codeCheck(target, `${lib}/code-probe`)}if [ -n "\${EL2_CACHE:-}" ]; then export DENO_DIR="$EL2_CACHE/deno"
elif [ -n "\${XDG_CACHE_HOME:-}" ]; then export DENO_DIR="$XDG_CACHE_HOME/el2/deno"
elif [ -n "\${HOME:-}" ]; then export DENO_DIR="$HOME/.cache/el2/deno"
fi
${trustCheck("EL2_CACHE")}if [ -n "\${DENO_DIR:-}" ]; then
  (umask 077 && mkdir -p "$DENO_DIR") 2>&- || true
  if [ -d "$DENO_DIR" ]; then trusted "$DENO_DIR"; fi
fi
export DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1 ${ENVIRONMENT}
${startAndWait(`${lib}/deno run -q ${RUN_FLAGS} ${lib}/el2.js`)}`;
}

/** Libraries in the engine, by name and SPDX license. */
const ENGINE_PARTS = ["V8 (BSD-3-Clause)", "ICU (Unicode-3.0)", "SQLite (public domain)", "AWS-LC (Apache-2.0 OR ISC)", "zlib (Zlib)"];

/** Overrides for lintian: deno is one program built by its authors, with its libraries inside. */
const OVERRIDES = `# The runtime is the binary that its authors publish, with its libraries linked in.
el2: embedded-library *
el2: hardening-no-relro [usr/lib/el2/deno]
`;

/** Writes the package of an architecture. Returns its name. */
export async function debianPackage(
  { folder, bundle, page, time }: Build,
  { target, debian: architecture }: Target,
  deno: Uint8Array,
  packages: readonly BundledPackage[],
): Promise<string> {
  const el2 = async (...args: string[]) =>
    await outputOf(`el2 ${args[0]}`, Deno.execPath(), ["run", "-q", ...PERMISSIONS, "--no-config", bundle, ...args]);
  const text = (value: string) => new TextEncoder().encode(value);
  const packed = (value: string) => gzip(text(value), 9);
  const written = new Date(time * 1000).toUTCString().replace("GMT", "+0000");
  const changes = `el2 (${VERSION}) unstable; urgency=medium\n\n  * New release.\n\n -- ${maintainer()}  ${written}\n`;
  const [bash, zsh, fish] = await Promise.all(["bash", "zsh", "fish"].map((shell) => el2("completion", shell)));
  const files: Entry[] = [
    { path: "./usr/bin/el2", data: text(debianLauncher(target)), executable: true },
    { path: "./usr/lib/el2/deno", data: deno, executable: true },
    ...probeEntries(target, "./usr/lib/el2/code-probe"),
    { path: "./usr/lib/el2/el2.js", data: await Deno.readFile(bundle) },
    ...await entriesBelow(page, "./usr/lib/el2/page/"),
    ...manualPages().map(({ name, text }) => ({ path: `./usr/share/man/man1/${name}.1.gz`, data: packed(text) })),
    { path: "./usr/share/bash-completion/completions/el2", data: text(bash) },
    { path: "./usr/share/zsh/vendor-completions/_el2", data: text(zsh) },
    { path: "./usr/share/fish/vendor_completions.d/el2.fish", data: text(fish) },
    { path: "./usr/share/doc/el2/copyright", data: text(await copyright(packages)) },
    { path: "./usr/share/doc/el2/changelog.gz", data: packed(changes) },
    { path: "./usr/share/lintian/overrides/el2", data: text(OVERRIDES) },
  ];
  const size = Math.ceil(files.reduce((sum, { data }) => sum + data!.length, 0) / 1024);
  const control = `Package: el2
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: ${maintainer()}
Installed-Size: ${size}
Depends: libc6 (>= 2.27), libgcc-s1
Section: misc
Priority: optional
${DESCRIPTION}
`;
  const sums = files.map(({ path, data }) => `${createHash("md5").update(data!).digest("hex")}  ${path.slice(2)}\n`).join("");
  const about: Entry[] = [{ path: "./control", data: text(control) }, { path: "./md5sums", data: text(sums) }];
  const file = `el2_${VERSION}_${architecture}.deb`;
  const members = [
    { name: "debian-binary", data: text("2.0\n") },
    { name: "control.tar.gz", data: tarGzip(withFolders(about), time) },
    { name: "data.tar.gz", data: tarGzip(withFolders(files), time) },
  ];
  await Deno.writeFile(`${folder}/${file}`, ar(members, time));
  return file;
}

/** The package's maintainer: DEBFULLNAME and DEBEMAIL, as Debian's tools have them. */
function maintainer(): string {
  return `${Deno.env.get("DEBFULLNAME") ?? "el2 maintainers"} <${Deno.env.get("DEBEMAIL") ?? "maintainers@el2.invalid"}>`;
}

/** Format: Debian's machine-readable copyright file, 1.0. */
async function copyright(packages: readonly BundledPackage[]): Promise<string> {
  const license = await Deno.readTextFile(new URL("deno-license.txt", import.meta.url));
  const field = (value: string) => value.split("\n").map((line) => line.trim() === "" ? " ." : ` ${line}`).join("\n");
  const notices = packages.map(({ name, version, license, notice }) => `${name} ${version} (${license}):\n\n${notice}`);
  if (packages.some(isLesser)) notices.push("On Debian systems, the text of the GPL-3 is in\n/usr/share/common-licenses/GPL-3.");
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: el2

Files: *
Copyright: the el2 maintainers
License: Apache-2.0
 On Debian systems, the text of the license is in
 /usr/share/common-licenses/Apache-2.0.

Files: usr/lib/el2/deno
Copyright: 2018-2026 the Deno authors
License: MIT
${field(license.trim())}
Comment:
 The program contains ${ENGINE_PARTS.join(", ")}, and
 packages of Rust; Deno's sources name their authors and licenses.
 .
 el2.js contains these packages of npm.
 .
${field(notices.join("\n\n"))}
`;
}
