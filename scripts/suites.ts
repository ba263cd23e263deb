// Images of the suites: initramfs archives of Debian's own arm64 programs for the userland benches,
// stress-ng, and programs of Debian's source package qemu (its tests/tcg, and its copy of Berkeley
// TestFloat) built here. All by apt into .state, without root, when first asked for.

import { fileURLToPath } from "node:url";
import type { Apt } from "./apt.ts";
import { Deb } from "../src/app/catalog/deb.ts";
import { exists, withLock } from "../src/kit/support/files/cache.ts";
import { writeWhole } from "../src/kit/support/files/whole-file.ts";
import { type CpioEntry, writeCpio } from "../src/kit/formats/cpio.ts";
import { openPackages, wholeFolder } from "./debian-state.ts";
import { nativeProgram } from "./native-tools.ts";

/**
 * Debian packages of each set, in addition to busybox. The guest's packages follow the suite's day,
 * so digests are compared with a peer's.
 */
const PACKAGES = {
  base: ["openssl", "7zip", "bc", "python3-minimal", "sqlite3", "perl-base", "lua5.4", "zstd"],
  cc: ["gcc-12", "libc6-dev"],
  jit: ["nodejs", "luajit"],
  // Language runtimes and compilers, text tools, solvers, compressors, media, a server. Nothing in
  // el2 has been tuned to them (bench/userland.ts).
  wide: [
    ...["erlang-base", "fp-compiler", "gawk", "gforth", "mawk", "nasm", "php8.2-cli", "ruby", "sbcl", "swi-prolog-nox"],
    ...["tcc", "tcl8.6", "fzf", "git", "groff-base", "jq", "ripgrep", "shellcheck", "xsltproc", "minisat", "pari-gp", "z3"],
    ...["brotli", "bzip2", "lzip", "xz-utils", "flac", "libjpeg-turbo-progs", "redis-server"],
  ],
  stress: ["stress-ng"],
  disk: ["fio"],
  conformance: [],
} as const;

/** A set of programs. `conformance` is TestFloat and tests/tcg. */
export type Suite = keyof typeof PACKAGES;

/** The release of the C library that programs are linked with. */
export const RELEASE = "bookworm";
const STATE = fileURLToPath(new URL("../.state/suites", import.meta.url));
const SCRIPTS = fileURLToPath(new URL("../bench/suites/guest", import.meta.url));
const HALF_SUBJECT = fileURLToPath(new URL("../bench/suites/testfloat", import.meta.url));

/** Dependencies that no program of ours runs: what installs and starts a whole system. */
const NOT_UNPACKED = /^(dpkg|apt|debconf|adduser|passwd|systemd|udev|e2fsprogs|util-linux)/;
/** Files that nothing of ours reads. */
const NOT_ARCHIVED =
  /^usr\/(share\/(doc|man|locale|lintian|bash-completion|info|common-licenses)|lib\/aarch64-linux-gnu\/(gconv|perl-base\/unicore\/lib))\//;
/** The same of one suite: all of its files, unpacked, lie in a guest's RAM. */
const NOT_ARCHIVED_OF: Partial<Record<Suite, RegExp>> = {
  // Of fio's package the scripts in Perl and Python.
  disk: /^usr\/(lib\/(python|valgrind)|share\/|lib\/aarch64-linux-gnu\/(perl|libperl|libpython)|bin\/(?!fio$|busybox$))/,
  wide: new RegExp([
    "^usr/(lib/aarch64-linux-gnu|share)/perl/",
    "^usr/lib/aarch64-linux-gnu/fpc/[^/]+/units/aarch64-linux/rtl-",
    "^usr/lib/(file|ruby/gems|git-core/(scalar|git-(imap|remote|http|daemon|shell|sh-i18n)))",
    "^usr/bin/(aarch64-linux-gnu-(ld.gold|dwp|gp)|redis-check-aof|scalar|git-shell|perl)",
    "/libgprofng",
  ].join("|")),
};
/** Folders of the root that bookworm has as links into usr. */
const MERGED = /^(bin|sbin|lib)\//;

/**
 * The initramfs of a suite: a cpio archive whose init runs /bench/NAME.sh for `el2=run:NAME`.
 * Fetched and built when it is not there.
 * @throws Error when a package cannot be fetched or a program does not build.
 */
export async function suiteInitrd(suite: Suite): Promise<string> {
  await Deno.mkdir(STATE, { recursive: true });
  const file = `${STATE}/${suite}.cpio`;
  await withLock(`${STATE}/${suite}.lock`, async () => {
    if (await exists(file) && !await scriptsChanged(file)) return;
    const root = `${STATE}/${suite}`;
    await wholeFolder(root, async (work) => {
      await unpack(await openApt(), ["busybox-static", ...PACKAGES[suite]], work);
      if (suite === "conformance") await buildConformance(`${work}/bench/tcg`);
    });
    writeWhole(file, writeCpio(await archiveEntries(suite, root)));
  });
  return file;
}

/** The folder with a suite's unpacked packages. */
export async function suiteRoot(suite: Suite): Promise<string> {
  await suiteInitrd(suite);
  return `${STATE}/${suite}`;
}

/** Whether a script of the guest is newer than the archive. */
async function scriptsChanged(archive: string): Promise<boolean> {
  const made = (await Deno.stat(archive)).mtime!;
  for await (const { name } of Deno.readDir(SCRIPTS)) if ((await Deno.stat(`${SCRIPTS}/${name}`)).mtime! > made) return true;
  return false;
}

let opened: Promise<Apt> | undefined;

/** The release's arm64 packages and its sources, with fresh lists. */
export function openApt(): Promise<Apt> {
  return opened ??= openPackages({ release: RELEASE, architecture: "arm64", folder: `${STATE}/apt`, sourcePackages: true });
}

/** Unpacks packages with their dependencies into a folder. */
async function unpack(apt: Apt, packages: readonly string[], folder: string): Promise<void> {
  const names = (await apt.closure(packages)).filter((name) => !NOT_UNPACKED.test(name));
  const downloads = `${folder}.debs`;
  if (await exists(downloads)) await Deno.remove(downloads, { recursive: true });
  await Deno.mkdir(folder, { recursive: true });
  for (const deb of await apt.download(names, downloads)) await new Deb(deb).unpack(folder);
  await Deno.remove(downloads, { recursive: true });
}

/**
 * Everything in `root` as members of an archive, with /usr merged, the scripts in /bench, and the
 * devices that init needs.
 */
async function archiveEntries(suite: Suite, root: string): Promise<CpioEntry[]> {
  const entries = new Map<string, CpioEntry>();
  const folder = (path: string) => {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (parent && !entries.has(parent)) folder(parent);
    if (!entries.has(path)) entries.set(path, { path, kind: "folder", permissions: 0o755 });
  };
  const add = (entry: CpioEntry) => {
    folder(entry.path.slice(0, entry.path.lastIndexOf("/")));
    entries.set(entry.path, entry);
  };
  for (const path of ["usr/bin", "usr/sbin", "usr/lib", "proc", "sys", "dev", "tmp", "root", "etc", "run", "bench"]) folder(path);
  for (const name of ["bin", "sbin", "lib"]) entries.set(name, { path: name, kind: "link", target: `usr/${name}` });
  const walk = async (relative: string) => {
    const names = (await Array.fromAsync(Deno.readDir(`${root}/${relative}`), ({ name }) => name)).sort();
    for (const name of names) {
      const inside = relative ? `${relative}/${name}` : name, path = inside.replace(MERGED, "usr/$1/");
      if (NOT_ARCHIVED.test(`${path}/`) || NOT_ARCHIVED_OF[suite]?.test(path)) continue;
      const status = await Deno.lstat(`${root}/${inside}`);
      if (status.isSymlink) add({ path, kind: "link", target: await Deno.readLink(`${root}/${inside}`) });
      else if (status.isDirectory) await walk(inside);
      else if (status.isFile) {
        add({ path, kind: "file", permissions: status.mode! & 0o777, data: await Deno.readFile(`${root}/${inside}`) });
      }
    }
  };
  await walk("");
  if (entries.has("usr/bin/gcc-12")) add({ path: "usr/bin/gcc", kind: "link", target: "gcc-12" });
  for await (const { name } of Deno.readDir(SCRIPTS)) {
    const data = await Deno.readFile(`${SCRIPTS}/${name}`);
    add({ path: name === "init.sh" ? "init" : `bench/${name}`, kind: "file", permissions: 0o755, data });
  }
  add({ path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 });
  add({ path: "dev/null", kind: "device", permissions: 0o666, major: 1, minor: 3 });
  return [...entries.values()];
}

/**
 * Flags of TestFloat's and SoftFloat's own makefiles for a 64-bit machine, with Arm's rules for
 * NaNs.
 */
const SOFTFLOAT = "-DSOFTFLOAT_ROUND_ODD -DINLINE_LEVEL=5 -DSOFTFLOAT_FAST_DIV32TO16 -DSOFTFLOAT_FAST_DIV64TO32 -DSOFTFLOAT_FAST_INT64 " +
  "-I. -I../../source/ARM-VFPv2 -I../../source/include";
const TESTFLOAT = "-DFLOAT16 -DFLOAT64 -DFLOAT128 -DFLOAT_ROUND_ODD -DLONG_DOUBLE_IS_FLOAT128 -DSOFTFLOAT_FAST_INT64 " +
  "-Dslowfloat_exceptionFlags=softfloat_exceptionFlags -I. -I../../source/subj-C -I../../source -I../../../berkeley-softfloat-3/source/include";

/** Programs of tests/tcg that bench/suites/guest/tcg.sh runs, as paths below tests/tcg. */
const TCG_PROGRAMS = [
  ...["sha1", "sha512", "overflow", "munmap-pthread", "test-mmap", "threadcount", "testthread", "sigbus", "signals", "linux-test"],
  ...["linux-madvise", "pcalign-a64", "float_convs", "float_convd", "float_madds"],
];

/** Builds static arm64 programs of the source package qemu into `folder`. */
async function buildConformance(folder: string): Promise<void> {
  const source = `${STATE}/qemu`;
  if (await exists(source)) await Deno.remove(source, { recursive: true });
  await Deno.mkdir(source, { recursive: true });
  const archives = await (await openApt()).downloadSource("qemu", `${STATE}/qemu-source`);
  const archive = archives.find((file) => file.endsWith(".orig.tar.xz"));
  if (!archive) throw new Error(`the source package qemu has no original archive: ${archives}`);
  const wanted = ["*/tests/tcg/*", "*/tests/fp/*", "*/include/qemu/*"];
  await command("tar", ["xf", archive, "-I", await nativeProgram("xz"), "-C", source, "--strip-components=1", "--wildcards", ...wanted]);

  const compiler = `${await nativeProgram("aarch64-linux-gnu-gcc")} ${await sysroot()}`.trim();
  const make = await nativeProgram("make");
  const fp = `${source}/tests/fp`, build = (library: string) => `${fp}/berkeley-${library}-3/build/A64`;
  for (const library of ["softfloat", "testfloat"]) {
    await command("cp", ["-r", `${fp}/berkeley-${library}-3/build/Linux-x86_64-GCC`, build(library)]);
  }
  const common = "-c -w -ffp-contract=off";
  await command(make, [
    ...["-s", "-C", build("softfloat"), "-j2", "SPECIALIZE_TYPE=ARM-VFPv2"],
    `COMPILE_C=${compiler} ${common} ${SOFTFLOAT} -O2 -o $@`,
  ]);
  await command(make, [
    ...["-s", "-C", build("testfloat"), "-j2", "PLATFORM=A64", "testfloat"],
    `COMPILE_C=${compiler} ${common} -frounding-math ${TESTFLOAT} -O2 -o $@`,
    `COMPILE_SLOWFLOAT_C=${compiler} -c -w ${TESTFLOAT} -O3 -o $@`,
    `LINK=${compiler} -static -o $@`,
  ]);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.copyFile(`${build("testfloat")}/testfloat`, `${folder}/testfloat`);
  // Half precision, whose subject is ours: it needs other instructions than the rest.
  await command("rm", ["testfloat", "testfloat.o", "subjfloat.o", "subjfloat_functions.o"], build("testfloat"));
  await command(make, [
    ...["-s", "-C", build("testfloat"), "PLATFORM=A64", `SUBJ_SOURCE_DIR=${HALF_SUBJECT}`, "testfloat"],
    `COMPILE_C=${compiler} ${common} -march=armv8.2-a+fp16 ${TESTFLOAT.replace("../../source/subj-C", HALF_SUBJECT)} -O2 -o $@`,
    `LINK=${compiler} -static -o $@`,
  ]);
  await Deno.copyFile(`${build("testfloat")}/testfloat`, `${folder}/testfloat16`);

  const tcg = `${source}/tests/tcg`;
  for (const name of TCG_PROGRAMS) {
    const candidates = [`multiarch/${name}.c`, `multiarch/linux/${name}.c`, `aarch64/${name}.c`];
    const found = (await Promise.all(candidates.map((file) => exists(`${tcg}/${file}`)))).indexOf(true);
    if (found < 0) throw new Error(`qemu's tests/tcg has no ${name}.c`);
    const isFloat = name.startsWith("float_");
    // Optimized, the compiler would compute what the program is to test.
    const flags = isFloat ? ["-O0", "multiarch/libs/float_helpers.c", "-Imultiarch"] : ["-O2"];
    const options = ["-w", "-static", "-march=armv8-a", "-pthread", "-I.", "-I../../include/qemu", ...flags, "-o", `${folder}/${name}`];
    const [program, ...args] = compiler.split(" ");
    await command(program, [...args, ...options, candidates[found], "-lm"], tcg);
    if (isFloat) await Deno.copyFile(`${tcg}/aarch64/${name}.ref`, `${folder}/${name}.ref`);
  }
}

/**
 * Flags by which the cross compiler finds the C library: none if the machine has the one for
 * cross compilation.
 */
export async function sysroot(): Promise<string> {
  if (await exists("/usr/aarch64-linux-gnu/lib/libc.a")) return "";
  const folder = `${STATE}/sysroot`;
  await wholeFolder(folder, async (work) => await unpack(await openApt(), ["libc6-dev"], work));
  return `--sysroot=${folder}`;
}

/** @throws Error with the end of its output if it fails */
export async function command(program: string, args: string[], cwd?: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}\n${(text.decode(stdout) + text.decode(stderr)).slice(-2000)}`);
}

if (import.meta.main) { for (const suite of Object.keys(PACKAGES) as Suite[]) console.log(await suiteInitrd(suite)); }
