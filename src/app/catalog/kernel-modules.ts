// Modules out of an unpacked kernel package: the wanted ones with their dependencies, in an order
// that insmod accepts.

import { exists } from "../../kit/support/files/cache.ts";
import { unxz } from "./xz.ts";

/** A module, ready to be loaded after those before it. */
export interface KernelModule {
  /** `virtio_blk.ko` */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/**
 * Modules for virtio devices, over MMIO and PCI, and for IPv4. Modules that a kernel has built in
 * are not among its files.
 */
export const VIRTIO_MODULES = [
  "virtio_mmio",
  "virtio_pci",
  "virtio_blk",
  "virtio_net",
  "virtio_console",
  "virtio_rng",
  "virtio_balloon",
  "9pnet_virtio",
  "9p",
  "vmw_vsock_virtio_transport",
  "virtio_input",
  "evdev",
  "af_packet",
];

/**
 * Modules with which an initial ramdisk can mount a disk: its driver, ext4 and the checksums that
 * ext4 requests by name.
 */
export const DISK_MODULES = ["virtio_mmio", "virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];

const SUFFIX = /\.ko(\.xz)?$/;

/** The modules named `wanted` that are under `root`, dependencies first. */
export async function kernelModules(root: string, wanted: readonly string[]): Promise<KernelModule[]> {
  const files = new Map<string, string>();
  for (const folder of [`${root}/usr/lib/modules`, `${root}/lib/modules`]) if (await exists(folder)) await collect(folder, files);
  return await orderedModules(files, wanted);
}

/**
 * The modules named `wanted`, dependencies first; those that are not among the files are left out.
 * @param files paths by `moduleName`
 */
export async function orderedModules(files: ReadonlyMap<string, string>, wanted: readonly string[]): Promise<KernelModule[]> {
  const ordered = new Map<string, KernelModule>();
  const add = async (name: string): Promise<void> => {
    const path = files.get(name);
    if (!path || ordered.has(name)) return;
    const bytes = await read(path);
    for (const dependency of dependenciesOf(bytes)) await add(canonical(dependency));
    ordered.set(name, { file: `${name}.ko`, bytes });
  };
  for (const name of wanted) await add(canonical(name));
  return [...ordered.values()];
}

/** The name of a module by its file. */
export function moduleName(path: string): string {
  return canonical(path.slice(path.lastIndexOf("/") + 1).replace(SUFFIX, ""));
}

/** The kernel takes `-` and `_` in module names for the same. */
function canonical(name: string): string {
  return name.replaceAll("-", "_");
}

async function collect(folder: string, files: Map<string, string>): Promise<void> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) await collect(path, files);
    else if (entry.isFile && SUFFIX.test(entry.name)) files.set(moduleName(path), path);
  }
}

/** The names after `depends=` in the section .modinfo, whose strings end in zeros. */
function dependenciesOf(module: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(module);
  const found = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? "";
  return found.split(",").filter((name) => name !== "");
}

async function read(path: string): Promise<Uint8Array> {
  if (!path.endsWith(".xz")) return await Deno.readFile(path);
  const packed = (await Deno.open(path)).readable;
  return new Uint8Array(await new Response(ReadableStream.from(unxz(packed))).arrayBuffer());
}
