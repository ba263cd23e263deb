// Linux drivers that Debian does not build, as modules for its arm64 kernels: from its package of
// kernel sources, against its headers, by the cross compiler. All by apt into .state, without root,
// when first asked for.

import { fileURLToPath } from "node:url";
import type { Apt } from "./apt.ts";
import type { DebianRelease } from "../src/app/catalog/catalog.ts";
import { Deb } from "../src/app/catalog/deb.ts";
import { ARCHITECTURE } from "../src/app/catalog/debian.ts";
import type { KernelModule } from "../src/app/catalog/kernel-modules.ts";
import { runTool } from "../src/app/catalog/tool.ts";
import { exists, withLock } from "../src/kit/support/files/cache.ts";
import { lastPart } from "../src/model/queries/texts/format.ts";
import { sha256 } from "../src/kit/support/values/sha256.ts";
import { openPackages, wholeFolder } from "./debian-state.ts";
import { nativeProgram } from "./native-tools.ts";

/** Drivers by module, with their files in the kernel's tree. */
const SOURCES = {
  "rtc-pl030": ["drivers/rtc/rtc-pl030.c"],
  pvpanic: ["drivers/misc/pvpanic/pvpanic.c", "drivers/misc/pvpanic/pvpanic.h"],
  "pvpanic-pci": ["drivers/misc/pvpanic/pvpanic-pci.c"],
  vcpu_stall_detector: ["drivers/misc/vcpu_stall_detector.c"],
  goldfish_battery: ["drivers/power/supply/goldfish_battery.c"],
  gunyah_wdt: ["drivers/watchdog/gunyah_wdt.c"],
  "virtual-cpufreq": ["drivers/cpufreq/virtual-cpufreq.c"],
} as const;

/** A driver, by its module. */
export type Driver = keyof typeof SOURCES;

/** Built modules. */
export interface BuiltDrivers {
  /** `uname -r` of their kernel. */
  readonly version: string;
  readonly modules: readonly KernelModule[];
}

const STATE = fileURLToPath(new URL("../.state/drivers", import.meta.url));
/** Debian's name of this machine's architecture, whose programs the headers need. */
const MACHINE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
/** Programs of the kernel's build that run on this machine, by the file that is started. */
const PROGRAMS = [["basic/fixdep", "basic/fixdep"], ["genksyms/genksyms", "genksyms/genksyms"], ["mod/modpost", "mod/modpost.real-lsb-64"]];
/**
 * Settings of the kernel that need its own compiler or a program that nothing else uses, without
 * effect on whether it accepts a module.
 */
const SETTINGS = ["CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=", "CONFIG_DEBUG_INFO_BTF_MODULES="];
/** Tracing patches code before each function, whose place depends on the kernel's own compiler. */
const UNTRACED = "ccflags-remove-y := $(CC_FLAGS_FTRACE)\n";
/** Older headers do not say it. */
const CROSS = "CROSS_COMPILE=aarch64-linux-gnu-";
/** Programs of the cross compiler that the build starts by their names. */
const TOOLS = ["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ld", "aarch64-linux-gnu-nm", "aarch64-linux-gnu-objcopy"] as const;

/**
 * Builds drivers for the newest ordinary kernel of a release, in an order that insmod accepts.
 * @param own further modules: their sources
 * @throws Error if a package cannot be fetched, the sources lack a driver, or one does not build
 */
export async function debianDrivers(
  release: DebianRelease,
  drivers: readonly Driver[],
  own: Readonly<Record<string, string>> = {},
): Promise<BuiltDrivers> {
  const headers = await headersOf(release, `linux-headers-${ARCHITECTURE}`), source = `${STATE}/source-${headers.version}`;
  await locked(release, () => wholeFolder(source, async (work) => fetchSources(await packagesOf(release, ARCHITECTURE), work)));
  const files: Record<string, string> = {};
  for (const path of drivers.flatMap((driver) => SOURCES[driver])) files[lastPart(path)] = await Deno.readTextFile(`${source}/${path}`);
  for (const [name, text] of Object.entries(own)) files[`${name}.c`] = text;
  return await built(headers, [...drivers, ...Object.keys(own)], files);
}

/**
 * Builds modules of one source each for a kernel of a suite.
 * @param headers a package that depends on the kernel's, such as `linux-headers-arm64-16k`
 * @throws Error if a package cannot be fetched, or a module does not build
 */
export async function builtModules(suite: string, headers: string, sources: Readonly<Record<string, string>>): Promise<BuiltDrivers> {
  const files = Object.fromEntries(Object.entries(sources).map(([name, text]) => [`${name}.c`, text]));
  return await built(await headersOf(suite, headers), Object.keys(sources), files);
}

const locked = <T>(suite: string, work: () => Promise<T>) => withLock(`${STATE}/${suite}.lock`, work);

/** A suite's packages, for kernels that modules are built for. */
export const packagesOf = (suite: string, architecture: string) =>
  openPackages({ release: suite, architecture, folder: `${STATE}/apt-${suite}-${architecture}` });

/** A kernel's headers, with the programs that build modules against them. */
interface Headers {
  readonly suite: string;
  /** `uname -r`. */
  readonly version: string;
  readonly folder: string;
}

async function headersOf(suite: string, metapackage: string): Promise<Headers> {
  await Deno.mkdir(STATE, { recursive: true });
  return await locked(suite, async () => {
    const apt = await packagesOf(suite, ARCHITECTURE);
    const headers = packageOf((await apt.show(metapackage)).get("Depends"), /linux-headers-[^ ,]+/);
    const version = headers.replace("linux-headers-", ""), folder = `${STATE}/${version}`;
    await wholeFolder(folder, async (work) => {
      await fetchHeaders(apt, suite, headers, work);
      await Deno.remove(`${work}/debs`, { recursive: true });
    });
    return { suite, version, folder };
  });
}

/** The modules, built once of these files. */
async function built({ suite, version, folder }: Headers, modules: readonly string[], files: Readonly<Record<string, string>>) {
  const key = await sha256(new TextEncoder().encode(JSON.stringify([modules, files, SETTINGS, UNTRACED])));
  const made = `${folder}/built-${key.slice(0, 16)}`, headers = `linux-headers-${version}`;
  await locked(suite, () =>
    wholeFolder(made, async (work) => {
      for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${work}/${name}`, text);
      await useHeaders(`${folder}/root`, headers);
      await build(`${folder}/root/usr/src/${headers}`, work, modules);
    }));
  const read = async (name: string) => ({ file: `${name}.ko`, bytes: await Deno.readFile(`${made}/${name}.ko`) });
  return { version, modules: await Promise.all(modules.map(read)) };
}

function packageOf(depends: string | undefined, name: RegExp): string {
  const found = name.exec(depends ?? "")?.[0];
  if (found === undefined) throw new Error(`no ${name} in the dependencies ${depends}`);
  return found;
}

/** The headers in `work`/root, with the programs that they need. */
async function fetchHeaders(apt: Apt, suite: string, headers: string, work: string): Promise<void> {
  const downloads = `${work}/debs`, depends = (await apt.show(headers)).get("Depends"), machine = await packagesOf(suite, MACHINE);
  const common = packageOf(depends, /linux-headers-[^ ,]+-common/), kbuild = packageOf(depends, /linux-kbuild-[^ ,]+/);
  // The programs may need a newer C library than this machine has; backports have none.
  const base = suite.replace(/-backports$/, ""), libraries = base === suite ? machine : await packagesOf(base, MACHINE);
  const debs = [
    ...await apt.download([headers, common], downloads),
    ...await machine.download([kbuild], downloads),
    ...await libraries.download(["libc6"], downloads),
  ];
  for (const deb of debs) await new Deb(deb).unpack(`${work}/root`);
}

/** Makes headers and programs usable where they are. */
async function useHeaders(root: string, headers: string): Promise<void> {
  const makefile = `${root}/usr/src/${headers}/Makefile`;
  await Deno.writeTextFile(makefile, (await Deno.readTextFile(makefile)).replaceAll(/(?<=[ =])\S*\/usr\/src\//g, `${root}/usr/src/`));
  const libraries = `${root}${await exists(`${root}/lib`) ? "" : "/usr"}/lib/${Deno.build.arch}-linux-gnu`;
  const [loader] = (await names(libraries)).filter((name) => name.startsWith("ld-linux-"));
  const scripts = `${root}/usr/src/${headers}/scripts`;
  for (const [name, started] of PROGRAMS) {
    const program = `${scripts}/${started}.program`;
    if (!await exists(program)) await Deno.rename(`${scripts}/${started}`, program);
    await Deno.writeTextFile(`${scripts}/${name}`, `#!/bin/sh\nexec ${libraries}/${loader} --library-path ${libraries} ${program} "$@"\n`);
    await Deno.chmod(`${scripts}/${name}`, 0o755);
  }
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

/** The folders of the drivers in `work`, from Debian's package of kernel sources. */
async function fetchSources(apt: Apt, work: string): Promise<void> {
  const name = packageOf((await apt.show("linux-source")).get("Depends"), /linux-source-[^ ,]+/);
  const [deb] = await apt.download([name], `${work}/debs`);
  await new Deb(deb).unpack(`${work}/debs/source`);
  const folders = new Set(Object.values(SOURCES).flat().map((file) => `${name}/${file.replace(/\/[^/]*$/, "")}`));
  const archive = `${work}/debs/source/usr/src/${name}.tar.xz`;
  const extract = ["tar", "xf", archive, "-I", await nativeProgram("xz"), "-C", work, "--strip-components=1"];
  await runTool([...extract, ...folders]);
  await Deno.remove(`${work}/debs`, { recursive: true });
}

/** Builds `NAME.ko` of each `NAME.c` in `folder`. */
async function build(headers: string, folder: string, modules: readonly string[]): Promise<void> {
  await Deno.writeTextFile(`${folder}/Kbuild`, UNTRACED + modules.map((name) => `obj-m += ${name}.o\n`).join(""));
  await runTool([...await makeWords(), "-C", headers, `M=${folder}`, CROSS, "modules"]);
}

/** `make` with what it needs to build a module by the cross compiler: words of a command line. */
async function makeWords(): Promise<string[]> {
  const programs = await Promise.all(TOOLS.map((name) => nativeProgram(name)));
  const folders = new Set(programs.map((path) => path.replace(/\/[^/]*$/, "")));
  const path = `PATH=${[...folders, Deno.env.get("PATH")].join(":")}`;
  return ["env", path, await nativeProgram("make"), `CC=${programs[0]}`, "KCFLAGS=-w", ...SETTINGS];
}

/**
 * The headers of a kernel, where a reader has them: a folder for `make -C`, and that make.
 * @param headers a package that depends on the kernel's, such as `linux-headers-cloud-arm64`
 */
export async function headersForMake(
  suite: string,
  headers: string,
): Promise<{ readonly folder: string; readonly make: readonly string[] }> {
  const { folder, version } = await headersOf(suite, headers), name = `linux-headers-${version}`;
  await locked(suite, () => useHeaders(`${folder}/root`, name));
  return { folder: `${folder}/root/usr/src/${name}`, make: [...await makeWords(), "CC_FLAGS_FTRACE="] };
}
