// Native programs and libraries that tests, benches and the guests' build need, and el2 itself does not: oracles and a cross compiler.
// Each is the machine's own where it has one, else unpacked from the distribution's packages into .state/tools, without root.

import { Apt, machineSources, unpackDeb } from "../src/workstation/apt.ts";
import { exists, withLock, writeWhole } from "../src/workstation/cache.ts";

/** Programs by name, with the Debian package that holds each. */
const PROGRAMS = {
  "qemu-system-aarch64": "qemu-system-arm",
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
  "aarch64-linux-gnu-as": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-ld": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-objcopy": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-objdump": "binutils-aarch64-linux-gnu",
  dtc: "device-tree-compiler",
  "gdb-multiarch": "gdb-multiarch",
  debugfs: "e2fsprogs",
  e2fsck: "e2fsprogs",
  make: "make",
  tmux: "tmux",
  xz: "xz-utils",
} as const;

/** Shared libraries by file name, with the Debian package that holds each. */
const LIBRARIES = { "libunicorn.so.2": "libunicorn2" } as const;

/** A program that `nativeProgram` knows. */
export type NativeProgram = keyof typeof PROGRAMS;

/** A library that `nativeLibrary` knows. */
export type NativeLibrary = keyof typeof LIBRARIES;

const STATE = new URL("../.state", import.meta.url).pathname;
/** Unpacked packages, one tree. */
const ROOT = `${STATE}/tools/root`;
/** Shell scripts that start programs of `ROOT` with its libraries. */
const BIN = `${STATE}/tools/bin`;

/** GNU multiarch names of library folders, by Deno's name of the machine's architecture. */
const MULTIARCH = `${Deno.build.arch}-linux-gnu`;

/** Never unpacked: a second C library beside the machine's dynamic loader cannot work. */
const MACHINES_OWN = /^(libc6|libc-bin|libc-l10n|libcrypt1)$/;

/**
 * The path of a native program.
 * @throws Error that names the program and how to get it when neither the machine nor .state/tools has it.
 */
export async function nativeProgram(name: NativeProgram): Promise<string> {
  const path = await findProgram(name);
  if (path) return path;
  throw new Error(`${name} is missing; run: deno task setup (or install the package ${PROGRAMS[name]})`);
}

/**
 * The path of a native library, for `Deno.dlopen`.
 * @throws Error that names the library and how to get it when neither the machine nor .state/tools has it.
 */
export async function nativeLibrary(name: NativeLibrary): Promise<string> {
  const path = await findLibrary(name);
  if (path) return path;
  throw new Error(`${name} is missing; run: deno task setup (or install the package ${LIBRARIES[name]})`);
}

/** Packages of the programs and libraries that this machine and .state/tools lack. */
export async function missingPackages(): Promise<string[]> {
  const missing = new Set<string>();
  for (const [name, packageName] of Object.entries(PROGRAMS)) if (!await findProgram(name)) missing.add(packageName);
  for (const [name, packageName] of Object.entries(LIBRARIES)) if (!await findLibrary(name)) missing.add(packageName);
  return [...missing];
}

/**
 * Fetches `packages` and whatever they need into .state/tools.
 * @param installed names of packages that the machine has already.
 */
export async function fetchNativePackages(
  packages: readonly string[],
  installed: ReadonlySet<string>,
  progress?: (percent: number, what: string) => void,
): Promise<void> {
  const sources = await machineSources();
  if (sources.length === 0) throw new Error("apt on this machine has no distribution archive to fetch native tools from");
  const architecture = sources[0].architecture;
  const lines = sources.filter((source) => source.architecture === architecture).map(({ uri, suite, component }) =>
    `${uri} ${suite} ${component}`
  );
  await Deno.mkdir(`${STATE}/tools`, { recursive: true });
  await withLock(`${STATE}/tools/fetch.lock`, async () => {
    const apt = await Apt.open({ folder: `${STATE}/apt-tools`, sources: [...new Set(lines)], architecture, progress });
    await apt.update();
    const lacking = (await apt.closure(packages)).filter((name) => !installed.has(name) && !MACHINES_OWN.test(name));
    const downloads = `${STATE}/tools/downloads`;
    if (await exists(downloads)) await Deno.remove(downloads, { recursive: true }); // what an interrupted run left
    const debs = await apt.download(lacking, downloads);
    // An interrupted unpacking leaves no script in BIN, so the next run does it again over the same tree.
    await Deno.mkdir(ROOT, { recursive: true });
    for (const [index, deb] of debs.entries()) {
      progress?.(Math.round(100 * index / debs.length), "unpacking");
      await unpackDeb(deb, ROOT);
    }
    progress?.(100, "unpacking");
    await Deno.mkdir(BIN, { recursive: true });
    for (const name of Object.keys(PROGRAMS)) {
      if (await exists(`${ROOT}/usr/bin/${name}`)) await writeWhole(`${BIN}/${name}`, starter(name), 0o755);
    }
    await Deno.remove(downloads, { recursive: true });
  });
}

function starter(name: string): string {
  return `#!/bin/sh
LD_LIBRARY_PATH=${libraryFolders().join(":")}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec ${ROOT}/usr/bin/${name} "$@"
`;
}

function libraryFolders(): string[] {
  return [`${ROOT}/usr/lib/${MULTIARCH}`, `${ROOT}/lib/${MULTIARCH}`, `${ROOT}/usr/lib`];
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin", BIN]) {
    if (folder !== "" && await exists(`${folder}/${name}`)) return `${folder}/${name}`;
  }
}

async function findLibrary(name: string): Promise<string | undefined> {
  for (const folder of [`/usr/lib/${MULTIARCH}`, `/lib/${MULTIARCH}`, "/usr/lib64", "/usr/lib", ...libraryFolders()]) {
    if (await exists(`${folder}/${name}`)) return `${folder}/${name}`;
  }
}
