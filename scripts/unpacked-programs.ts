// Programs of the machine's own distribution, unpacked into a folder without root and started with
// the libraries unpacked with them.

import { Apt, machineSources } from "./apt.ts";
import { Deb } from "../src/app/catalog/deb.ts";
import { exists, withLock } from "../src/kit/support/files/cache.ts";
import { findProgram, SYSTEM_FOLDERS } from "../src/kit/support/computer/installed-programs.ts";
import { writeWhole } from "../src/kit/support/files/whole-file.ts";

/** Never unpacked: a second C library cannot work with the machine's dynamic loader. */
const MACHINES_OWN = /^(libc6|libc-bin|libc-l10n|libcrypt1)$/;

/** GNU multiarch name of library folders, by Deno's name of the machine's architecture. */
export const MULTIARCH = `${Deno.build.arch}-linux-gnu`;

/** Folders of programs in a package; those of browsers in usr/bin start the machine's own. */
const PROGRAM_FOLDERS = ["usr/lib/chromium", "usr/lib/firefox-esr", "usr/bin", "usr/sbin", "bin", "sbin"];

/**
 * Folders of libraries in a tree of packages. PulseAudio's library, which Chromium loads, names the
 * folder of the one that it needs by a path of the machine.
 */
function librariesBelow(root: string): string[] {
  return [`usr/lib/${MULTIARCH}`, `lib/${MULTIARCH}`, "usr/lib", `usr/lib/${MULTIARCH}/pulseaudio`].map((folder) => `${root}/${folder}`);
}

/** A folder of unpacked packages. */
export class UnpackedPrograms {
  /**
   * @param folder holds `root`, the unpacked packages as one tree, and `bin`, scripts that start
   * programs of it
   * @param state apt's state folder
   */
  constructor(readonly folder: string, readonly state: string) {}

  /** The path of a program: the machine's own where it has one, else the unpacked one. */
  find(name: string): Promise<string | undefined> {
    return Promise.resolve(findProgram(name, [...SYSTEM_FOLDERS, `${this.folder}/bin`]));
  }

  /** The tree of unpacked packages. */
  get root(): string {
    return `${this.folder}/root`;
  }

  /** Folders of the unpacked libraries. */
  libraryFolders(): string[] {
    return librariesBelow(this.root);
  }

  /**
   * Fetches `packages` and whatever they need.
   * @param programs what to start out of them
   * @param installed names of packages that the machine has already
   * @throws Error if apt is missing or knows no archive
   */
  async fetch(
    packages: readonly string[],
    programs: readonly string[],
    installed: ReadonlySet<string>,
    progress?: (percent: number, what: string) => void,
  ): Promise<void> {
    const sources = await machineSources();
    if (sources.length === 0) throw new Error("apt on this machine has no distribution archive to fetch native tools from");
    const architecture = sources[0].architecture;
    const lines = sources.filter((source) => source.architecture === architecture).map(({ uri, suite, component }) =>
      `${uri} ${suite} ${component}`
    );
    const { folder, root } = this, downloads = `${folder}/downloads`;
    await Deno.mkdir(folder, { recursive: true });
    await withLock(`${folder}/fetch.lock`, async () => {
      const apt = await Apt.open({ folder: this.state, sources: [...new Set(lines)], architecture, progress });
      await apt.update();
      const lacking = (await apt.closure(packages)).filter((name) => !installed.has(name) && !MACHINES_OWN.test(name));
      // Remains of an interrupted run.
      if (await exists(downloads)) await Deno.remove(downloads, { recursive: true });
      const debs = await apt.download(lacking, downloads);
      // An interrupted unpacking leaves no script in `bin`, so the next run does it again over the
      // same tree.
      await Deno.mkdir(root, { recursive: true });
      for (const [index, deb] of debs.entries()) {
        progress?.(Math.round(100 * index / debs.length), "unpacking");
        await new Deb(deb).unpack(root);
      }
      progress?.(100, "unpacking");
      await this.writeStarters(programs);
      await Deno.remove(downloads, { recursive: true });
    });
  }

  /**
   * Writes scripts that start unpacked programs with their libraries, wherever the folder is moved.
   */
  async writeStarters(programs: readonly string[]): Promise<void> {
    await Deno.mkdir(`${this.folder}/bin`, { recursive: true });
    const libraries = `${librariesBelow("$root").join(":")}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`;
    for (const name of programs) {
      for (const place of PROGRAM_FOLDERS) {
        if (!await exists(`${this.root}/${place}/${name}`)) continue;
        const start = `LD_LIBRARY_PATH="${libraries}" exec "$root/${place}/${name}" "$@"`;
        writeWhole(`${this.folder}/bin/${name}`, `#!/bin/sh\nroot=$(cd "$(dirname "$0")/.." && pwd)/root\n${start}\n`, { mode: 0o700 });
        break;
      }
    }
  }
}

/** The packages that dpkg has installed on this machine. */
const DPKG_STATUS = "/var/lib/dpkg/status";

/** Names of the packages that dpkg has installed on this machine; none without dpkg. */
export async function installedPackages(): Promise<Set<string>> {
  if (!await exists(DPKG_STATUS)) return new Set();
  const status = await Deno.readTextFile(DPKG_STATUS);
  const installed = status.split("\n\n").filter((paragraph) => /^Status: .* installed$/m.test(paragraph));
  return new Set(installed.map((paragraph) => /^Package: (.*)$/m.exec(paragraph)?.[1] ?? ""));
}
