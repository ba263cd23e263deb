// Tools that read core files of Linux, and kernels with the debug information that they need.
// Everything is fetched into a folder of the caller.

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import type { DebianRelease } from "../../../src/app/catalog/catalog.ts";
import { Deb, memberOf } from "../../../src/app/catalog/deb.ts";
import { CLOUD_KERNEL, DEBIAN_MIRROR, fetchBusybox, fetchKernel, initramfs, withDebianArchive } from "../../../src/app/catalog/debian.ts";
import { VIRTIO_MODULES } from "../../../src/app/catalog/kernel-modules.ts";
import { MirrorArchive } from "../../../src/app/catalog/mirror-archive.ts";
import { readTar } from "../../../src/kit/formats/tar.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { TableName } from "../../../src/model/queries/tables.ts";
import type { Debian } from "./debian.ts";
import type { Row } from "./rows.ts";

/** The release whose drgn reads the kernels of a release: a newer kernel may need a newer one. */
const DRGN_RELEASES: Readonly<Record<DebianRelease, DebianRelease>> = { bookworm: "trixie", trixie: "trixie", sid: "sid" };

/** How Debian names this computer's programs. */
const COMPUTERS: Readonly<
  Record<typeof Deno.build.arch, { readonly architecture: string; readonly triplet: string; readonly loader: string }>
> = {
  x86_64: { architecture: "amd64", triplet: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" },
  aarch64: { architecture: "arm64", triplet: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" },
};

const archiveOf = (suite: string, architecture: string) =>
  new MirrorArchive({ mirror: Deno.env.get("EL2_MIRROR") || DEBIAN_MIRROR, suite, architecture });

/** A kernel and its ramdisk, and the path of its file with debug information. */
export interface DebugKernel {
  readonly image: Uint8Array;
  readonly initrd: Uint8Array;
  readonly vmlinux: string;
}

/**
 * The newest kernel of a release.
 * @param more modules that its ramdisk loads beside those for virtio
 * @param kernel the package that depends on it
 */
export async function debugKernel(
  release: DebianRelease,
  folder: string,
  more: readonly string[] = [],
  kernel = CLOUD_KERNEL,
): Promise<DebugKernel> {
  return await withDebianArchive({ release }, async (archive, work) => {
    const { image, version, modules } = await fetchKernel(archive, kernel, [...VIRTIO_MODULES, ...more], work);
    const { binary } = await fetchBusybox(archive, work);
    const [deb] = await archive.download([`linux-image-${version}-dbg`], work), vmlinux = `${folder}/vmlinux`;
    // One of them is the file, and the other a link to it: since 7.x it is the first.
    const debug = "./usr/lib/debug", paths = [`${debug}/lib/modules/${version}/vmlinux`, `${debug}/boot/vmlinux-${version}`];
    await writeFileOf(deb, paths, vmlinux);
    return { image, initrd: initramfs(binary, modules), vmlinux };
  });
}

/** Writes one file of a package, by its paths: others have gigabytes, and are not unpacked. */
async function writeFileOf(deb: string, paths: readonly string[], to: string): Promise<void> {
  for await (const entry of readTar(memberOf(deb, "data.tar"))) {
    if (entry.kind !== "file" || !paths.includes(entry.path)) continue;
    using file = await Deno.open(to, { create: true, write: true });
    for await (const piece of entry.data) for (let done = 0; done < piece.length;) done += await file.write(piece.subarray(done));
    return;
  }
  throw new Error(`${deb} has no ${paths.join(" or ")}`);
}

/** Adds gdb's index to a file with debug information: what is in gdb reads that instead of all. */
export async function withIndex(vmlinux: string): Promise<void> {
  const folder = dirname(vmlinux), gdb = await nativeProgram("gdb-multiarch"), objcopy = await nativeProgram("aarch64-linux-gnu-objcopy");
  await ran(gdb, ["-nx", "-batch", vmlinux, "-ex", `save gdb-index ${folder}`]);
  const index = `${vmlinux}.gdb-index`;
  await ran(objcopy, ["--add-section", `.gdb_index=${index}`, "--set-section-flags", ".gdb_index=readonly", vmlinux]);
  await Deno.remove(index);
}

async function ran(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** A core file as drgn reads it. */
export interface DrgnView {
  readonly log: string;
  readonly tasks: readonly {
    readonly pid: number;
    readonly comm: string;
    readonly state: string;
    readonly ppid: number;
    readonly uid: number;
    /** Its arguments; null for threads of the kernel. */
    readonly command: string | null;
    /** Number, path, position and flags of its open files. */
    readonly files: readonly (readonly [fd: number, path: string, position: number, flags: number])[];
    /** Whether it waits for a lock of the kernel, by its stack. */
    readonly waits: boolean;
    /** Functions, the innermost first, with those that were inlined. */
    readonly stack: readonly string[];
  }[];
  /** The stack of what each CPU runs. */
  readonly cpus: readonly (readonly string[])[];
  readonly devices: readonly { readonly name: string; readonly mtu: number; readonly up: boolean; readonly addresses: readonly string[] }[];
  /** Of each lock that it was asked about, the thread that holds it alone, and those that wait. */
  readonly locks: readonly { readonly owner: number | null; readonly waiters: readonly number[] }[];
}

/** A machine or a dump whose Linux is asked. */
export interface Asked {
  ask(table: TableName, args?: AnyArguments): Answer;
  /** The rows of a table, of which nothing may be missing. */
  rows<N extends TableName>(table: N, args?: AnyArguments): readonly Row<N>[];
}

/** drgn with its own Python, which do not depend on those of this computer. */
export class Drgn {
  private constructor(readonly command: string, readonly args: readonly string[], readonly env: Readonly<Record<string, string>>) {}

  /** The one for kernels of a release. */
  static async fetched(release: DebianRelease, folder: string): Promise<Drgn> {
    const { architecture, triplet, loader } = COMPUTERS[Deno.build.arch], archive = archiveOf(DRGN_RELEASES[release], architecture);
    await archive.update();
    const root = `${folder}/root`, libraries = `${root}/usr/lib/${triplet}`;
    for (const deb of await archive.download(await archive.closure(["python3-drgn"]), `${folder}/debs`)) await new Deb(deb).unpack(root);
    const python = [...Deno.readDirSync(`${root}/usr/bin`)].find(({ name }) => /^python3\.\d+$/.test(name))?.name ?? assert.fail();
    return new Drgn(`${libraries}/${loader}`, ["--library-path", libraries, `${root}/usr/bin/${python}`], {
      PYTHONHOME: `${root}/usr`,
      PYTHONPATH: `${root}/usr/lib/python3/dist-packages`,
      // Nothing is fetched from elsewhere.
      DEBUGINFOD_URLS: "",
    });
  }

  /** @param locks types and addresses, such as `mutex 0x…` */
  async read(core: string, vmlinux: string, locks: readonly string[] = []): Promise<DrgnView> {
    return JSON.parse(await this.#run("read-core.py", [core, vmlinux], locks.join("\n")));
  }

  /**
   * The values of expressions in Python: numbers in decimal, texts, and lists of these; null where
   * nothing is mapped.
   */
  async evaluate(core: string, vmlinux: string, expressions: readonly string[]): Promise<readonly (string | null | readonly string[])[]> {
    return JSON.parse(await this.#run("evaluate-core.py", [core, vmlinux], expressions.join("\n")));
  }

  async #run(name: string, args: readonly string[], input = ""): Promise<string> {
    const script = fileURLToPath(new URL(name, import.meta.url));
    const child = new Deno.Command(this.command, {
      args: [...this.args, script, ...args],
      env: this.env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter(), output = child.output();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { success, stdout, stderr } = await output;
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }
}

/** Commands of a Debian before it waits for another. */
type Work = (debian: Debian) => void;

/** A Debian that boots, waits for a command, and has panicked. */
export function* threeInstants(debian: Debian, work: Work = () => {}): Generator<readonly [name: string, debian: Debian]> {
  debian.until(/Run \/init as init process/);
  yield ["boots", debian];
  debian.until(/EL2-READY[^]*# /);
  work(debian);
  yield ["waits", debian];
  debian.type("echo c > /proc/sysrq-trigger\n");
  debian.until(/end Kernel panic/);
  yield ["dead", debian];
}

/** A function without its offset, module, and what the compiler has added to its name. */
export const functionOf = (place: string): string => place.replace(/[+. ].*/, "");

/** Lines of a text that are not empty, without the spaces around them. */
export const linesOf = (text: string): string[] => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

/** Whether all of some texts are in others, in this order. */
export function isWithin(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of all) if (one === some[at]) at++;
  return at === some.length;
}

/** The log as makedumpfile and crash print it, without what they indent later lines with. */
export function dmesgOf(asked: Asked): string[] {
  return asked.rows("linux.log").flatMap(({ t, text }) => {
    const us = BigInt(t) / 1000n, time = `[${String(us / 1_000_000n).padStart(5)}.${String(us % 1_000_000n).padStart(6, "0")}]`;
    return text.split("\n").map((line, index) => index === 0 ? `${time} ${line}` : line);
  }).map((line) => line.trim());
}
