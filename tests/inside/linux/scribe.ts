// Debian's kernels with a module of ours, `scribe`, that is built against their headers, and its
// twin, which has functions of the same names. Everything is fetched by apt, once.

import { fileURLToPath } from "node:url";
import { wholeFolder } from "../../../scripts/debian-state.ts";
import { builtModules, packagesOf } from "../../../scripts/kernel-drivers.ts";
import { archiveFile, archiveFolder } from "../../../src/app/catalog/busybox-archive.ts";
import { ARCHITECTURE, fetchBusybox, fetchKernel, initramfs } from "../../../src/app/catalog/debian.ts";
import { VIRTIO_MODULES } from "../../../src/app/catalog/kernel-modules.ts";
import { DEFAULT_CPU } from "../../../src/cpu/isa/cpus/cpus.ts";
import { withEntries } from "../../../src/kit/formats/cpio.ts";
import { withLock } from "../../../src/kit/support/files/cache.ts";
import { NO_SELF_TESTS } from "../../guests/command-line.ts";

const STATE = fileURLToPath(new URL("../../../.state/scribe", import.meta.url));
/** The module's source. */
export const SCRIBE = fileURLToPath(new URL("../../guests/programs/scribe.c", import.meta.url));

/** The number of a line of it. */
export const lineOf = (lines: readonly string[], part: string): number => lines.findIndex((line) => line.includes(part)) + 1;

interface ScribeKernel {
  readonly suite: string;
  /** The end of the names of its packages. */
  readonly flavor: string;
  /** The suite of busybox, if it is another one. */
  readonly programs?: string;
  /** A CPU that has its pages, if v8 does not. */
  readonly cpu?: string;
}

/** Kernels by name, the oldest first. */
export const SCRIBE_KERNELS = {
  "5.10 of bullseye": { suite: "bullseye", flavor: "cloud-arm64" },
  "6.1 of bookworm": { suite: "bookworm", flavor: "cloud-arm64" },
  "6.12 of trixie": { suite: "trixie", flavor: "cloud-arm64" },
  "7.x of sid": { suite: "sid", flavor: "cloud-arm64" },
  "7.x of sid with pages of 16 KiB": { suite: "sid", flavor: "arm64-16k", cpu: "v8.2" },
  "the newest of trixie's backports": { suite: "trixie-backports", flavor: "cloud-arm64", programs: "trixie" },
} as const satisfies Readonly<Record<string, ScribeKernel>>;

export type ScribeKernelName = keyof typeof SCRIBE_KERNELS;

/** A kernel and its ramdisk, which has the modules in /drivers. */
export interface ScribeGuest extends AsyncDisposable {
  /** `vm.toml`, `Image`, `initrd`, `scribe.ko` and `twin.ko`. */
  readonly folder: string;
  readonly scribe: Uint8Array;
  readonly twin: Uint8Array;
}

/** The name of its VM, which has a seed for KASLR. */
export const SCRIBE_VM = "d";

/** @throws Error if a package cannot be fetched, or the module does not build */
export async function scribeGuest(name: ScribeKernelName): Promise<ScribeGuest> {
  const { suite, flavor, programs = suite, cpu = DEFAULT_CPU }: ScribeKernel = SCRIBE_KERNELS[name], text = await Deno.readTextFile(SCRIBE);
  const built = await builtModules(suite, `linux-headers-${flavor}`, { scribe: text, twin: text.replaceAll("scribe", "twin") });
  const folder = `${STATE}/${built.version}`;
  await Deno.mkdir(STATE, { recursive: true });
  await withLock(`${folder}.lock`, () => wholeFolder(folder, (work) => fetchGuest(work, suite, programs, flavor)));
  const guest = { folder: await Deno.makeTempDir({ prefix: "el2-scribe-" }), scribe: built.modules[0].bytes, twin: built.modules[1].bytes };
  const files = built.modules.map(({ file, bytes }) => archiveFile(`drivers/${file}`, bytes, 0o644));
  const ramdisk = withEntries(await Deno.readFile(`${folder}/initrd`), [archiveFolder("drivers"), ...files]);
  await Deno.writeFile(`${guest.folder}/initrd`, ramdisk);
  for (const { file, bytes } of built.modules) await Deno.writeFile(`${guest.folder}/${file}`, bytes);
  await Deno.symlink(`${folder}/Image`, `${guest.folder}/Image`);
  await Deno.writeTextFile(`${guest.folder}/vm.toml`, configuration(cpu));
  return { ...guest, [Symbol.asyncDispose]: () => Deno.remove(guest.folder, { recursive: true }) };
}

const configuration = (cpu: string) =>
  `el2 = 1
[machine]
memory = "512MiB"
cpu = "${cpu}"
[host]
memory = "64MiB"
[vm.${SCRIBE_VM}]
kernel = "Image"
initrd = "initrd"
cmdline = "console=ttyAMA0 quiet ${NO_SELF_TESTS}"
memory = "256MiB"
`;

async function fetchGuest(work: string, suite: string, programs: string, flavor: string): Promise<void> {
  const fetched = `${work}/fetched`, apt = await packagesOf(suite, ARCHITECTURE);
  await Deno.mkdir(fetched);
  const { image } = await fetchKernel(apt, `linux-image-${flavor}`, VIRTIO_MODULES, fetched);
  const { binary } = await fetchBusybox(programs === suite ? apt : await packagesOf(programs, ARCHITECTURE), fetched);
  await Deno.writeFile(`${work}/Image`, image);
  await Deno.writeFile(`${work}/initrd`, initramfs(binary, []));
  await Deno.remove(fetched, { recursive: true });
}
