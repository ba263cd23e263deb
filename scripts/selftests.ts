// Linux's selftests for guests: some of the programs of Debian's source packages of their kernels,
// built here as static arm64 programs, and installed as the package's own makefiles do. They are
// built into .state, when first asked for.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Deb } from "../src/app/catalog/deb.ts";
import { exists } from "../src/kit/support/files/cache.ts";
import { openPackages, wholeFolder } from "./debian-state.ts";
import { nativeProgram } from "./native-tools.ts";
import { command, RELEASE, sysroot } from "./suites.ts";

const STATE = fileURLToPath(new URL("../.state/suites", import.meta.url));

/** A kernel whose selftests run. */
interface Kernel {
  /** The Debian guest that has it. */
  readonly root: string;
  readonly release: string;
  /** Of its sources. */
  readonly package: string;
  /** Targets of kselftest, and variables of their makefiles that are empty here. */
  readonly targets: Readonly<Record<string, readonly string[]>>;
  /** Packages of libraries that its programs need beside libc, of libc's release. */
  readonly libraries: readonly string[];
}

/** Programs that set the clock; one of them does not link statically. */
const TIMERS = ["DESTRUCTIVE_TESTS"];

/** Kernels by their versions. `vm` is called `mm` since Linux 6.3. */
const KERNELS: Readonly<Record<string, Kernel>> = {
  "6.1": {
    root: "debian-bookworm",
    release: "bookworm",
    package: "linux-source-6.1",
    // Programs of vm that only run_vmtests.sh starts; one of them needs libcap.
    targets: { futex: [], timers: TIMERS, arm64: [], vm: ["TEST_GEN_FILES"] },
    libraries: [],
  },
  "6.12": {
    root: "debian-trixie",
    release: "trixie",
    package: "linux-source-6.12",
    targets: { futex: [], timers: TIMERS, arm64: [], mm: [] },
    libraries: ["libcap-dev", "libnuma-dev", "liburing-dev"],
  },
};

/** Selftests of a kernel. */
export interface Selftest {
  readonly version: string;
  /** The Debian guest that has the kernel. */
  readonly root: string;
  readonly target: string;
}

export const SELFTESTS: readonly Selftest[] = Object.entries(KERNELS).flatMap(([version, { root, targets }]) =>
  Object.keys(targets).map((target) => ({ version, root, target }))
);

/** Programs that are not run, as the lists of installed programs name them. */
const LEFT_OUT: readonly string[] = [
  // Each reads the clocks without a pause: 10 s for each of 11 clocks, and 30 s in 8 threads.
  ...["timers:inconsistency-check", "timers:threadtest"],
  // Two minutes for the drift of a clock that has none.
  "timers:raw_skew",
  // Programs for each length of a vector, for 10 s.
  "arm64:fp-stress",
  // It starts programs that are not built.
  "vm:run_vmtests.sh",
];

/**
 * The folder that `make install` has made of a target: `run_kselftest.sh` and the programs. All
 * targets of a kernel are built when the first is asked for.
 * @throws Error if a package cannot be fetched, or a target does not build
 */
export async function selftests({ version, target }: Selftest): Promise<string> {
  const folder = `${STATE}/selftests-${version}`, kernel = KERNELS[version];
  // Of an earlier list of targets.
  if (await exists(folder) && !await exists(`${folder}/${target}`)) await Deno.remove(folder, { recursive: true });
  await wholeFolder(folder, async (unfinished) => {
    const work = `${folder}-work`;
    if (await exists(work)) await Deno.remove(work, { recursive: true });
    await Deno.mkdir(work, { recursive: true });
    const sources = await source(kernel, work);
    for (const one of Object.keys(kernel.targets)) await build(kernel, sources, one, `${unfinished}/${one}`);
    await Deno.remove(work, { recursive: true });
  });
  return `${folder}/${target}`;
}

/**
 * A folder with a static bash as `bin/bash`, of the release of a kernel: scripts of its selftests
 * need one, and a guest's own shell is busybox.
 * @throws Error if its package cannot be fetched
 */
export async function bash({ version }: Selftest): Promise<string> {
  const { release } = KERNELS[version], folder = `${STATE}/bash-${release}`;
  await wholeFolder(folder, async (unfinished) => {
    const work = `${folder}-work`;
    await unpack(release, ["bash-static"], work);
    await Deno.mkdir(`${unfinished}/bin`);
    await Deno.rename(`${work}/${await exists(`${work}/usr/bin/bash-static`) ? "usr/" : ""}bin/bash-static`, `${unfinished}/bin/bash`);
    await Deno.remove(work, { recursive: true });
  });
  return folder;
}

async function unpack(release: string, packages: readonly string[], folder: string): Promise<void> {
  const apt = await openPackages({ release, architecture: "arm64", folder: `${STATE}/apt-${release}` });
  for (const deb of await apt.download(packages, `${folder}/debs`)) await new Deb(deb).unpack(folder);
}

/** Unpacks what the selftests need of the kernel's sources, and the headers that it exports. */
async function source({ release, package: name, libraries }: Kernel, work: string): Promise<string> {
  await unpack(release, [name, "linux-libc-dev"], work);
  if (libraries.length > 0) await unpack(RELEASE, libraries, work);
  // The tests of memory management share headers with the kernel.
  const wanted = ["scripts", "tools", "include", "arch/arm64/include", "mm/gup_test.h", "lib/test_hmm_uapi.h"];
  const archive = `${work}/usr/src/${name}.tar.xz`, parts = wanted.map((part) => `${name}/${part}`);
  await command("tar", ["xf", archive, "-I", await nativeProgram("xz"), "-C", work, ...parts]);
  return `${work}/${name}`;
}

async function build({ targets }: Kernel, sources: string, target: string, folder: string): Promise<void> {
  const compiler = await nativeProgram("aarch64-linux-gnu-gcc"), flags = [await sysroot(), "-static"].join(" ").trim();
  const programs = dirname(await nativeProgram("rsync")), path = `PATH=${programs}:${Deno.env.get("PATH") ?? ""}`;
  const unpacked = `${dirname(sources)}/usr`, headers = `${unpacked}/include`;
  const libraries = `-isystem ${headers} -L${unpacked}/lib/aarch64-linux-gnu`;
  await command("env", [
    ...[path, await nativeProgram("make"), "-s", "-C", `${sources}/tools/testing/selftests`, "install"],
    ...[`TARGETS=${target}`, `KSFT_INSTALL_PATH=${folder}`, ...targets[target].map((name) => `${name}=`)],
    `KHDR_INCLUDES=-isystem ${headers} -isystem ${headers}/aarch64-linux-gnu`,
    // 6.12's mm/khugepaged.c lacks the header that has it.
    "EXTRA_CFLAGS=-DKSFT_SKIP=4",
    ...["ARCH=arm64", "MACHINE=arm64", `CC=${compiler} ${flags} ${libraries}`, `CROSS_COMPILE=${compiler.replace(/gcc$/, "")}`],
  ]);
  const list = `${folder}/kselftest-list.txt`, names = (await Deno.readTextFile(list)).split("\n");
  await Deno.writeTextFile(list, names.filter((name) => !LEFT_OUT.includes(name)).join("\n"));
}

if (import.meta.main) { for (const selftest of SELFTESTS) console.log(await selftests(selftest)); }
