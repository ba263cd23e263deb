// Makes the catalog's Debian guests: an unmodified arm64 cloud kernel of a release, and an
// initramfs around its busybox.

import { type FetchProgress, MirrorArchive } from "./mirror-archive.ts";
import { Deb } from "./deb.ts";
import { cacheFolder, exists, withLock } from "../../kit/support/files/cache.ts";
import { sha256 } from "../../kit/support/values/sha256.ts";
import { addToCatalog, catalogFiles, type CatalogPackage, damagedFiles, type DebianRelease, findEntry, type Manifest } from "./catalog.ts";
import { archiveFile, archiveFolder, busyboxArchive } from "./busybox-archive.ts";
import { type KernelModule, kernelModules, VIRTIO_MODULES } from "./kernel-modules.ts";
import { unwrapImage } from "../../inside/images/kernel-image.ts";

export const DEBIAN_MIRROR = "https://deb.debian.org/debian";
/** Debian's name of the guests' architecture. */
export const ARCHITECTURE = "arm64";
const BUSYBOX = "busybox-static";
/** Depends on the newest kernel of its release for virtual machines. */
export const CLOUD_KERNEL = `linux-image-cloud-${ARCHITECTURE}`;
/** The ordinary kernel: unlike the cloud one it has 9p, input devices and all of virtio. */
export const ORDINARY_KERNEL = `linux-image-${ARCHITECTURE}`;

/**
 * PID 1 of the initramfs. Its first line says that user space runs. The kernel's command line may
 * hold `el2=poweroff`; otherwise there is a shell on the console, whose end powers the machine off.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
echo "EL2-READY $(uname -r) cpus=$(grep -c ^processor /proc/cpuinfo)"
grep -qw el2=poweroff /proc/cmdline && poweroff -f
[ -x /lib/virtio ] && [ -n "$(ls -d /proc/device-tree/virtio_mmio@* 2>/dev/null; grep -ls 0x1af4 /sys/bus/pci/devices/*/vendor)" ] && /lib/virtio
cd /root
setsid cttyhack sh
poweroff -f
`;

/**
 * Loads the modules of virtio devices and requests an address on a network: for the initramfs that
 * has them.
 */
const VIRTIO = `#!/bin/sh
while read module; do insmod /lib/modules/$module || echo "$module: not loaded"; done < /lib/modules/order
mdev -s
[ -d /sys/class/net/eth0 ] || exit 0
ip link set lo up
ip link set eth0 up
udhcpc -q -n -t 5 -i eth0 -s /lib/lease >/dev/null && ip -4 addr show eth0 | grep inet
`;

/** Script that udhcpc calls when it has a lease. */
const LEASE = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip -4 addr flush dev $interface
ip addr add $ip/$mask dev $interface
ip route add default via $router dev $interface
echo nameserver $dns > /etc/resolv.conf
`;

/** Whether a fetched guest's ramdisk has the scripts that this version writes into ramdisks. */
export function isCurrentRamdisk(ramdisk: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(ramdisk);
  return [INIT, VIRTIO, LEASE].every((script) => text.includes(script));
}

/** Releases and files to fetch, the mirror, and the report of progress. */
export interface FetchOptions {
  release: DebianRelease;
  /** URL or folder of a Debian mirror; default: that of `EL2_MIRROR`, or Debian's own. */
  mirror?: string;
  /** A folder that becomes a mirror of what is fetched. */
  keep?: string;
  /** Called with 0..100 and what is being fetched. */
  progress?: FetchProgress;
  /** Called if the guest in the catalog has the packages of today, and is used as it is. */
  unchanged?: (manifest: Manifest) => void;
}

/**
 * Fetches kernel and busybox of a Debian release and adds them to the catalog as
 * `debian-RELEASE`: files `Image`, `initrd`, and `initrd-virtio`, which has the modules for virtio
 * devices as well. An interrupted fetch leaves the catalog as it was, and so does one that would
 * make the same guest again.
 */
export async function fetchDebian(options: FetchOptions): Promise<Manifest> {
  const { release } = options;
  const name = `debian-${release}`;
  return await withDebianArchive(options, async (archive, work) => {
    const present = options.keep === undefined ? await currentGuest(name, archive) : undefined;
    if (present) {
      options.unchanged?.(present);
      return present;
    }
    const kernel = await fetchKernel(archive, CLOUD_KERNEL, VIRTIO_MODULES, work);
    const busybox = await fetchBusybox(archive, work);

    const files = new Map([
      ["Image", kernel.image],
      ["initrd", initramfs(busybox.binary, [])],
      ["initrd-virtio", initramfs(busybox.binary, kernel.modules)],
    ]);
    const manifest: Manifest = {
      schema: "el2.guest/1",
      name,
      about: `Debian ${release}, Linux ${kernel.version} (${kernel.container}), busybox`,
      fetched: new Date().toISOString(),
      files: await catalogFiles(files),
      packages: [...kernel.packages, busybox.package],
    };
    await addToCatalog(manifest, files);
    return manifest;
  });
}

/**
 * The guest of the catalog, if this version of el2 would make it of the archive's packages today;
 * undefined also if a file is missing or damaged.
 */
export async function currentGuest(name: string, archive: Pick<MirrorArchive, "show">): Promise<Manifest | undefined> {
  const entry = await findEntry(name);
  if (!entry) return undefined;
  const { manifest, folder } = entry, { packages } = manifest;
  const names = [await kernelPackage(archive, CLOUD_KERNEL), BUSYBOX];
  if (!names.every((wanted) => packages.some(({ name }) => name === wanted))) return undefined;
  for (const { name, sha256 } of packages) {
    const newest = await archive.show(name).catch(() => undefined);
    if (newest?.get("SHA256") !== sha256) return undefined;
  }
  if ((await damagedFiles(entry)).length || !isCurrentRamdisk(await Deno.readFile(`${folder}/initrd-virtio`))) return undefined;
  return manifest;
}

/** The package of the kernel that a metapackage depends on. */
async function kernelPackage(archive: Pick<MirrorArchive, "show">, metapackage: string): Promise<string> {
  const depends = (await archive.show(metapackage)).get("Depends");
  const image = dependencies(depends).find((name) => name.startsWith("linux-image-"));
  if (!image) throw new Error(`${metapackage} depends on no kernel: ${depends}`);
  return image;
}

/**
 * Runs `work` with the release's package lists and an empty folder, alone among all sessions; what
 * an interrupted one left is removed.
 */
export async function withDebianArchive<T>(
  { release, mirror, keep, progress }: FetchOptions,
  work: (archive: MirrorArchive, folder: string) => Promise<T>,
): Promise<T> {
  const state = `${cacheFolder()}/packages/${release}-${ARCHITECTURE}`;
  await Deno.mkdir(state, { recursive: true });
  return await withLock(`${state}/fetch.lock`, async () => {
    const archive = new MirrorArchive({
      mirror: mirror ?? (Deno.env.get("EL2_MIRROR") || DEBIAN_MIRROR),
      suite: release,
      architecture: ARCHITECTURE,
      progress,
      keep,
      unfinished: `${state}/unfinished`,
    });
    await archive.update();
    const folder = `${state}/work`;
    if (await exists(folder)) await Deno.remove(folder, { recursive: true });
    await Deno.mkdir(folder);
    const result = await work(archive, folder);
    await Deno.remove(folder, { recursive: true });
    return result;
  });
}

/** The part of an archive that kernel and busybox need. */
type Packages = Pick<MirrorArchive, "show" | "download">;

/** A kernel out of its packages. */
export interface Kernel {
  /** The raw Image. */
  image: Uint8Array;
  /** `uname -r`. */
  version: string;
  container: string;
  /** The modules that were asked for, in the order of loading. */
  modules: KernelModule[];
  /** Folder into which its packages are unpacked. */
  root: string;
  packages: CatalogPackage[];
}

/**
 * The kernel that a metapackage depends on. In newer releases vmlinuz and modules are in packages
 * that the image's depends on.
 */
export async function fetchKernel(archive: Packages, metapackage: string, wanted: readonly string[], work: string): Promise<Kernel> {
  const image = await kernelPackage(archive, metapackage);
  const root = `${work}/kernel`;
  await Deno.mkdir(root);
  const packages: CatalogPackage[] = [];
  const names = [image];
  let found: string | undefined;
  for (;;) {
    found ??= await vmlinuz(root);
    const modules = found ? await kernelModules(root, wanted) : [];
    if (found && modules.length > 0) {
      return { ...unwrapImage(await Deno.readFile(found)), version: found.replace(/^.*vmlinuz-/, ""), modules, root, packages };
    }
    const name = names.shift();
    if (!name) throw new Error(`no ${found ? "modules" : "vmlinuz"} in ${image} or the kernel packages that it depends on`);
    const [deb] = await archive.download([name], work);
    packages.push(await describe(deb));
    await new Deb(deb).unpack(root);
    if (name === image) {
      const depends = dependencies((await new Deb(deb).fields()).get("Depends"));
      names.push(...depends.filter((dependency) => /^linux-(base|binary|image|modules)-/.test(dependency)));
    }
  }
}

/**
 * The kernel file among unpacked packages; modules folders hold it under the version, /boot with
 * the version after it.
 */
async function vmlinuz(root: string): Promise<string | undefined> {
  const boot = `${root}/boot`;
  if (await exists(boot)) {
    for await (const { name } of Deno.readDir(boot)) if (name.startsWith("vmlinuz-")) return `${boot}/${name}`;
  }
  for (const modules of [`${root}/usr/lib/modules`, `${root}/lib/modules`]) {
    if (!await exists(modules)) continue;
    for await (const { name } of Deno.readDir(modules)) {
      const path = `${modules}/${name}/vmlinuz`;
      if (await exists(path)) {
        const named = `${root}/vmlinuz-${name}`;
        await Deno.rename(path, named);
        return named;
      }
    }
  }
}

/** The program of busybox-static. */
export async function fetchBusybox(archive: Packages, work: string): Promise<{ binary: Uint8Array; package: CatalogPackage }> {
  const [deb] = await archive.download([BUSYBOX], work);
  const root = `${work}/busybox`;
  await Deno.mkdir(root);
  await new Deb(deb).unpack(root);
  for (const path of [`${root}/bin/busybox`, `${root}/usr/bin/busybox`]) {
    if (await exists(path)) return { binary: await Deno.readFile(path), package: await describe(deb) };
  }
  throw new Error(`${BUSYBOX} holds no busybox in /bin or /usr/bin`);
}

/** Package names of a Depends field: first alternatives, versions left out. */
function dependencies(field = ""): string[] {
  return field.split(",").map((item) => item.split("|")[0].replace(/\(.*/, "").trim());
}

async function describe(deb: string): Promise<CatalogPackage> {
  const fields = await new Deb(deb).fields();
  return { name: fields.get("Package") ?? "", version: fields.get("Version") ?? "", sha256: await sha256(await Deno.readFile(deb)) };
}

/** A busybox shell with these modules. */
export function initramfs(busybox: Uint8Array, modules: readonly KernelModule[]): Uint8Array {
  return busyboxArchive(
    busybox,
    INIT,
    modules,
    modules.length === 0 ? [] : [
      archiveFolder("etc"),
      archiveFile("lib/virtio", VIRTIO, 0o755),
      archiveFile("lib/lease", LEASE, 0o755),
    ],
  );
}
