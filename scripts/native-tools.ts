// Native programs and libraries that tests, benches and the guests' build need, and el2 itself does
// not: oracles and a cross compiler. Each is the machine's own where it has one, else unpacked from
// the distribution's packages into .state/tools, without root.

import { fileURLToPath } from "node:url";
import { exists } from "../src/kit/support/files/cache.ts";
import { installedPackages, MULTIARCH, UnpackedPrograms } from "./unpacked-programs.ts";

/** Programs by name, with the Debian package that holds each. */
const PROGRAMS = {
  "qemu-system-aarch64": "qemu-system-arm",
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
  "aarch64-linux-gnu-gcov": "gcc-aarch64-linux-gnu",
  "aarch64-linux-gnu-as": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-ld": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-nm": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-objcopy": "binutils-aarch64-linux-gnu",
  "aarch64-linux-gnu-objdump": "binutils-aarch64-linux-gnu",
  cpio: "cpio",
  dtc: "device-tree-compiler",
  partx: "util-linux",
  "qemu-img": "qemu-utils",
  "gdb-multiarch": "gdb-multiarch",
  debugfs: "e2fsprogs",
  mke2fs: "e2fsprogs",
  e2fsck: "e2fsprogs",
  fish: "fish",
  make: "make",
  mandoc: "mandoc",
  parallel: "parallel",
  prove: "perl",
  rsync: "rsync",
  screen: "screen",
  tmux: "tmux",
  tshark: "tshark",
  xz: "xz-utils",
  zsh: "zsh",
} as const;

/** Shared libraries by file name, with the Debian package that holds each. */
const LIBRARIES = { "libunicorn.so.2": "libunicorn2" } as const;

/** Firmware of QEMU's `virt` by name: the file, and the Debian package that holds it. */
const FIRMWARE = {
  "U-Boot": { file: "usr/lib/u-boot/qemu_arm64/u-boot.bin", package: "u-boot-qemu" },
  EDK2: { file: "usr/share/qemu-efi-aarch64/QEMU_EFI.fd", package: "qemu-efi-aarch64" },
} as const;

/** Browsers without a window, the first of which is unpacked where the machine has none. */
const BROWSERS = ["chromium-headless-shell", "chromium"] as const;

/** A second browser, which is unpacked when it is first asked for: few tests need it. */
const FIREFOX = "firefox-esr";

/** A program that `nativeProgram` knows. */
export type NativeProgram = keyof typeof PROGRAMS;

/** Firmware that `nativeFirmware` knows. */
export type NativeFirmware = keyof typeof FIRMWARE;

/** A library that `nativeLibrary` knows. */
export type NativeLibrary = keyof typeof LIBRARIES;

const STATE = fileURLToPath(new URL("../.state", import.meta.url));
const UNPACKED = new UnpackedPrograms(`${STATE}/tools`, `${STATE}/apt-tools`);

/**
 * The path of a native program.
 * @throws Error that names the program and how to get it when neither the machine nor .state/tools
 * has it.
 */
export async function nativeProgram(name: NativeProgram): Promise<string> {
  const path = await UNPACKED.find(name);
  if (path) return path;
  throw new Error(`${name} is missing; run: deno task setup (or install the package ${PROGRAMS[name]})`);
}

/** Where Debian's gdb finds its Python modules. */
const GDB_DATA = "/usr/share/gdb";

/**
 * The command line of gdb without a person's settings. The package `gdb` holds the Python modules;
 * where the machine has it installed, it is not unpacked beside gdb-multiarch, which then complains
 * at each stop unless it is told where they are.
 */
export async function gdbCommand(): Promise<string[]> {
  const program = await nativeProgram("gdb-multiarch");
  const apart = !await exists(`${STATE}/tools/root${GDB_DATA}/python`) && await exists(`${GDB_DATA}/python`);
  return [program, ...apart ? [`--data-directory=${GDB_DATA}`] : [], "-nx", "-quiet"];
}

/**
 * The command line of tshark that takes Lua scripts. As root it loads none, so it becomes another
 * user, who may still run what is root's alone. Unpacked, it must be told where its scripts are.
 */
export async function tsharkCommand(): Promise<string[]> {
  const data = `${STATE}/tools/root/usr/share/wireshark`;
  const environment = await exists(`${STATE}/tools/root/etc/wireshark/init.lua`) ? await luaFolder(data) : [];
  const ordinary = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_override"];
  const user = Deno.uid() === 0 ? [...ordinary, "--ambient-caps=+dac_override"] : [];
  return [...user, "env", "HOME=/nonexistent", ...environment, await nativeProgram("tshark")];
}

/** The variable that names Wireshark's folder of Lua scripts, whose links lead nowhere unpacked. */
async function luaFolder(data: string): Promise<string[]> {
  const folder = `${STATE}/tools/wireshark`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.copyFile(`${STATE}/tools/root/etc/wireshark/init.lua`, `${folder}/init.lua`);
  for (const name of ["console.lua", "dtd_gen.lua"]) {
    if (await exists(`${data}/${name}`)) await Deno.copyFile(`${data}/${name}`, `${folder}/${name}`);
  }
  return [`WIRESHARK_DATA_DIR=${folder}`];
}

/**
 * The command line of fish without a person's settings. Unpacked, it must be told where its
 * functions are.
 */
export async function fishCommand(): Promise<string[]> {
  const program = await nativeProgram("fish"), functions = `${UNPACKED.root}/usr/share/fish/functions`;
  const settings = isUnpacked(program) ? ["--init-command", `set -g fish_function_path ${functions}`] : [];
  return [program, "--no-config", ...settings];
}

/** The command line of perl with TAP::Parser. Unpacked, it must be told where its modules are. */
export async function tapParserCommand(): Promise<string[]> {
  if (!isUnpacked(await nativeProgram("prove"))) return ["perl"];
  const modules = `${UNPACKED.root}/usr/share/perl`, names = await Array.fromAsync(Deno.readDir(modules), ({ name }) => name);
  return ["env", `PERL5LIB=${names.map((name) => `${modules}/${name}`).join(":")}`, "perl"];
}

/** Lines of a `.zshenv` with which zsh, if it is unpacked, finds its modules and functions. */
export async function zshSettings(): Promise<string> {
  if (!isUnpacked(await nativeProgram("zsh"))) return "";
  const { root } = UNPACKED;
  return `module_path=(${root}/usr/lib/${MULTIARCH}/zsh/*(/))\nfpath=(${root}/usr/share/zsh/functions/**/*(/))\n`;
}

function isUnpacked(program: string): boolean {
  return program.startsWith(`${UNPACKED.folder}/`);
}

/**
 * The path of a Chromium that draws pages without a window.
 * @throws Error that names the package and how to get it
 */
export async function nativeBrowser(): Promise<string> {
  const path = await findBrowser();
  if (path) return path;
  throw new Error(`no browser is there; run: deno task setup (or install the package ${BROWSERS.join(" or ")})`);
}

/**
 * The path of a Firefox, which is fetched if neither the machine nor .state/tools has it.
 * @throws Error if it cannot be fetched
 */
export async function fetchedFirefox(): Promise<string> {
  const path = await UNPACKED.find(FIREFOX);
  if (path) return path;
  await fetchNativePackages([FIREFOX], await installedPackages());
  const fetched = await UNPACKED.find(FIREFOX);
  if (fetched) return fetched;
  throw new Error(`${FIREFOX} has no program of that name`);
}

/**
 * The path of a native library, for `Deno.dlopen`.
 * @throws Error that names the library and how to get it when neither the machine nor .state/tools
 * has it.
 */
export async function nativeLibrary(name: NativeLibrary): Promise<string> {
  const path = await findLibrary(name);
  if (path) return path;
  throw new Error(`${name} is missing; run: deno task setup (or install the package ${LIBRARIES[name]})`);
}

/**
 * The path of a firmware.
 * @throws Error that names the firmware and how to get it when neither the machine nor .state/tools
 * has it.
 */
export async function nativeFirmware(name: NativeFirmware): Promise<string> {
  const path = await findFirmware(name);
  if (path) return path;
  throw new Error(`${name} is missing; run: deno task setup (or install the package ${FIRMWARE[name].package})`);
}

/** Packages of the programs and libraries that this machine and .state/tools lack. */
export async function missingPackages(): Promise<string[]> {
  const missing = new Set<string>();
  for (const [name, packageName] of Object.entries(PROGRAMS)) if (!await UNPACKED.find(name)) missing.add(packageName);
  for (const [name, packageName] of Object.entries(LIBRARIES)) if (!await findLibrary(name)) missing.add(packageName);
  return [...missing];
}

/**
 * The package of a browser, if none is there. Not every distribution has it: it is fetched apart.
 */
export async function missingBrowser(): Promise<string[]> {
  return await findBrowser() ? [] : [BROWSERS[0]];
}

/**
 * Packages of the firmware that this machine and .state/tools lack. Not every distribution has
 * them: they are fetched apart.
 */
export async function missingFirmware(): Promise<string[]> {
  const missing: string[] = [];
  for (const name of Object.keys(FIRMWARE) as NativeFirmware[]) if (!await findFirmware(name)) missing.push(FIRMWARE[name].package);
  return missing;
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
  await UNPACKED.fetch(packages, [...Object.keys(PROGRAMS), ...BROWSERS, FIREFOX], installed, progress);
}

async function findBrowser(): Promise<string | undefined> {
  for (const name of BROWSERS) {
    const path = await UNPACKED.find(name);
    if (path) return path;
  }
}

async function findLibrary(name: string): Promise<string | undefined> {
  for (const folder of [`/usr/lib/${MULTIARCH}`, `/lib/${MULTIARCH}`, "/usr/lib64", "/usr/lib", ...UNPACKED.libraryFolders()]) {
    if (await exists(`${folder}/${name}`)) return `${folder}/${name}`;
  }
}

async function findFirmware(name: NativeFirmware): Promise<string | undefined> {
  for (const root of ["", UNPACKED.root]) {
    const path = `${root}/${FIRMWARE[name].file}`;
    if (await exists(path)) return path;
  }
}
