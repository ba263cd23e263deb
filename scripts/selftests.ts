// Linux's selftests for a guest: some of the programs of Debian's source package of its kernel,
// built here as static arm64 programs, and installed as the package's own makefiles do. They are
// built into .state, when first asked for.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Deb } from "../src/app/catalog/deb.ts";
import { exists } from "../src/kit/support/files/cache.ts";
import { wholeFolder } from "./debian-state.ts";
import { nativeProgram } from "./native-tools.ts";
import { command, openApt, sysroot } from "./suites.ts";

const STATE = fileURLToPath(new URL("../.state/suites", import.meta.url));
/** The version of the kernel of bookworm's Debian guest. */
const PACKAGE = "linux-source-6.1";

/**
 * Targets of kselftest, and variables of their makefiles that are empty here. `vm` is the one that
 * is called `mm` since Linux 6.3.
 */
const TARGETS = {
  futex: [],
  // Programs that set the clock; one of them does not link statically.
  timers: ["DESTRUCTIVE_TESTS"],
  arm64: [],
  // Programs that only run_vmtests.sh starts; one of them needs libcap.
  vm: ["TEST_GEN_FILES"],
} as const;

type Selftest = keyof typeof TARGETS;
export const SELFTESTS = Object.keys(TARGETS) as readonly Selftest[];

/** Programs that are not run, as the lists of installed programs name them. */
const LEFT_OUT: readonly string[] = [
  // Each reads the clocks without a pause: 10 s for each of 11 clocks, and 30 s in 8 threads.
  ...["timers:inconsistency-check", "timers:threadtest"],
  // Two minutes for the drift of a clock that has none.
  "timers:raw_skew",
  // Programs for each length of a vector, for 10 s.
  "arm64:fp-stress",
  // A script of bash, which the guest does not have.
  "vm:run_vmtests.sh",
];

/**
 * The folder that `make install` has made of a target: `run_kselftest.sh` and the programs. All
 * targets are built when the first is asked for.
 * @throws Error if the package cannot be fetched, or a target does not build
 */
export async function selftests(target: Selftest): Promise<string> {
  const folder = `${STATE}/selftests`;
  await wholeFolder(folder, async (unfinished) => {
    const work = `${STATE}/selftests-work`;
    if (await exists(work)) await Deno.remove(work, { recursive: true });
    await Deno.mkdir(work, { recursive: true });
    const sources = await source(work);
    for (const one of SELFTESTS) await build(sources, one, `${unfinished}/${one}`);
    await Deno.remove(work, { recursive: true });
  });
  return `${folder}/${target}`;
}

/** Unpacks what the selftests need of the kernel's sources. */
async function source(work: string): Promise<string> {
  const [deb] = await (await openApt()).download([PACKAGE], `${work}/debs`);
  await new Deb(deb).unpack(work);
  // The tests of memory management share headers with the kernel.
  const wanted = ["scripts", "tools", "include", "arch/arm64/include", "mm/gup_test.h", "lib/test_hmm_uapi.h"];
  const archive = `${work}/usr/src/${PACKAGE}.tar.xz`, parts = wanted.map((part) => `${PACKAGE}/${part}`);
  await command("tar", ["xf", archive, "-I", await nativeProgram("xz"), "-C", work, ...parts]);
  return `${work}/${PACKAGE}`;
}

async function build(sources: string, target: Selftest, folder: string): Promise<void> {
  const compiler = await nativeProgram("aarch64-linux-gnu-gcc"), flags = [await sysroot(), "-static"].join(" ").trim();
  const programs = dirname(await nativeProgram("rsync")), path = `PATH=${programs}:${Deno.env.get("PATH") ?? ""}`;
  await command("env", [
    ...[path, await nativeProgram("make"), "-s", "-C", `${sources}/tools/testing/selftests`, "install"],
    ...[`TARGETS=${target}`, `KSFT_INSTALL_PATH=${folder}`, ...TARGETS[target].map((name) => `${name}=`)],
    ...["ARCH=arm64", "MACHINE=arm64", `CC=${compiler} ${flags}`, `CROSS_COMPILE=${compiler.replace(/gcc$/, "")}`],
  ]);
  const list = `${folder}/kselftest-list.txt`, names = (await Deno.readTextFile(list)).split("\n");
  await Deno.writeTextFile(list, names.filter((name) => !LEFT_OUT.includes(name)).join("\n"));
}

if (import.meta.main) { for (const target of SELFTESTS) console.log(await selftests(target)); }
