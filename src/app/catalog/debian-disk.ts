// Makes the catalog's Debian with a disk: a release's ordinary kernel, an initramfs that mounts the
// disk, and a root file system made of packages. All is unpacked here; the packages' own scripts
// run in the guest, in a first boot that ends with a disk to keep.

import { busyboxArchive } from "./busybox-archive.ts";
import { exists } from "../../kit/support/files/cache.ts";
import { addToCatalog, catalogFiles, type CatalogSource, diskGuestName, type Manifest } from "./catalog.ts";
import { fetchBusybox, fetchKernel, type FetchOptions, type Kernel, ORDINARY_KERNEL, withDebianArchive } from "./debian.ts";
import { CONFIGURE_SCRIPT, configureScript, DISK_INIT } from "./debian-first-boot.ts";
import type { FirstBoot } from "./debian-first-run.ts";
import { makeTreeFolder, writeTreeFile } from "./deb.ts";
import { type RootTree, unpackRoot } from "./debian-root.ts";
import { type Ext4Tools, makeExt4 } from "./ext4-image.ts";
import { DISK_MODULES } from "./kernel-modules.ts";
import type { MirrorArchive } from "./mirror-archive.ts";
import { NatAddress } from "../../machine/virtio/net/nat/addresses.ts";
import { ipText } from "../../kit/formats/ip-addresses.ts";
import { findProgram, SYSTEM_FOLDERS } from "../../kit/support/computer/installed-programs.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";

/** Packages in addition to those that every system needs: init, devices, network. */
const PACKAGES = ["apt", "usr-is-merged", "systemd-sysv", "udev", "kmod", "login", "iproute2", "iputils-ping", "netbase"];

/** Bytes of the disk, mostly holes in the file. */
const DISK_SIZE = 2048 * MiB;
const DISK_INODES = 131072;

/**
 * Kinds of modules, below kernel/ in a modules folder, that can do something on a machine without
 * PCI, USB and the like.
 */
const MODULES = [
  ...["arch", "block", "crypto", "fs", "lib", "mm", "net", "security", "virt"],
  ...["block", "char", "cdrom", "dax", "firmware", "input", "md", "net", "ptp", "rtc", "vfio", "vhost", "virt", "virtio", "watchdog"]
    .map((kind) => `drivers/${kind}`),
];
/**
 * Drivers of network cards, which are most of drivers/net and of all modules, and the layers above
 * radios.
 */
const CARDS = [
  /^drivers\/net\/(appletalk|arcnet|can|dsa|ethernet|fddi|hamradio|hippi|ieee802154|mdio|pcs|phy|plip|usb|wireless|wwan)\//,
  /^net\/(ax25|bluetooth|can|ieee802154|mac80211|mac802154|nfc|netrom|rfkill|rose|wireless)\//,
];

/**
 * Makes the guest `debian-RELEASE-disk`: files `Image`, `initrd` and `root.img`. Takes minutes and
 * reports its progress. An interrupted run does not change the catalog.
 * @param boot runs the first boot
 */
export async function fetchDebianDisk(
  options: FetchOptions,
  boot: (first: FirstBoot) => void | Promise<void>,
): Promise<Manifest> {
  const { release, progress } = options;
  const tools = ext4Tools((name) => findProgram(name, SYSTEM_FOLDERS));
  return await withDebianArchive(options, async (archive, work) => {
    const kernel = await fetchKernel(archive, ORDINARY_KERNEL, DISK_MODULES, work);
    const busybox = await fetchBusybox(archive, work);
    const tree = await rootTree(archive, work, progress);
    await copyModules(kernel, tree.folder);
    await Deno.remove(kernel.root, { recursive: true });
    await configureTree(tree.folder, release);

    const image = `${work}/root.img`;
    progress?.(0, "making the file system");
    await makeExt4(tools, image, {
      tree: tree.folder,
      owners: tree.owners,
      devices: [
        { path: "/dev/console", major: 5, minor: 1, permissions: 0o600 },
        { path: "/dev/null", major: 1, minor: 3, permissions: 0o666 },
      ],
      size: DISK_SIZE,
      inodes: DISK_INODES,
      label: "debian",
    });
    progress?.(100, "making the file system");
    await Deno.remove(tree.folder, { recursive: true });
    const initrd = busyboxArchive(busybox.binary, DISK_INIT, kernel.modules);
    await boot({ image: kernel.image, initrd, disk: image, packages: tree.packages.length, progress });

    const files = new Map<string, CatalogSource>([["Image", kernel.image], ["initrd", initrd], ["root.img", { path: image }]]);
    const manifest: Manifest = {
      schema: "el2.guest/1",
      name: diskGuestName(release),
      about: `Debian ${release} on a disk, Linux ${kernel.version} (${kernel.container}), ${tree.packages.length} packages`,
      fetched: new Date().toISOString(),
      files: await catalogFiles(files),
      packages: [...kernel.packages, busybox.package, ...tree.packages],
    };
    await addToCatalog(manifest, files);
    return manifest;
  });
}

/**
 * mke2fs and debugfs of the computer.
 * @param find the path of a program
 * @throws Error if they are missing
 */
export function ext4Tools(find: (name: string) => string | undefined): Ext4Tools {
  const mke2fs = find("mke2fs"), debugfs = find("debugfs");
  if (!mke2fs || !debugfs) throw new UserError("mke2fs and debugfs are missing on this machine", "install e2fsprogs");
  return { mke2fs, debugfs };
}

async function rootTree(archive: MirrorArchive, work: string, progress: FetchOptions["progress"]): Promise<RootTree> {
  const names = await archive.closure(PACKAGES, true);
  const debs = await archive.download(names, `${work}/debs`);
  const tree = await unpackRoot(debs, `${work}/tree`, progress);
  await Deno.remove(`${work}/debs`, { recursive: true });
  return tree;
}

/** Whether a module can be useful, by its path below kernel/. */
export function isUsefulModule(path: string): boolean {
  return !CARDS.some((cards) => cards.test(path)) && MODULES.some((kind) => path.startsWith(`${kind}/`));
}

/**
 * The kernel's modules and their lists, without the drivers of devices that no machine of el2 has.
 */
async function copyModules(kernel: Kernel, tree: string): Promise<void> {
  const folders = [`${kernel.root}/usr/lib/modules/${kernel.version}`, `${kernel.root}/lib/modules/${kernel.version}`];
  for (const source of folders) {
    if (!await exists(source)) continue;
    const target = `${tree}/usr/lib/modules/${kernel.version}`;
    const visit = async (folder: string): Promise<void> => {
      for (const { name, isDirectory } of await Array.fromAsync(Deno.readDir(source + folder))) {
        const path = `${folder}/${name}`;
        if (isDirectory) await visit(path);
        else if (!path.startsWith("/kernel/") || isUsefulModule(path.slice("/kernel/".length))) {
          await makeTreeFolder(target + folder);
          await Deno.rename(source + path, target + path);
        }
      }
    };
    await visit("");
  }
}

/** Settings that an administrator would make: names, mounts, network, sources of packages. */
async function configureTree(tree: string, release: string): Promise<void> {
  const files: Record<string, string> = {
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/fstab":
      "/dev/vda / ext4 errors=remount-ro 0 1\nshare /mnt/share 9p trans=virtio,version=9p2000.L,noauto,x-systemd.automount 0 0\n",
    "etc/resolv.conf": `nameserver ${ipText(NatAddress.Dns)}\n`,
    "etc/systemd/network/80-ethernet.network": "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n",
    "etc/apt/sources.list": `deb http://deb.debian.org/debian ${release} main\n`,
    [CONFIGURE_SCRIPT.slice(1)]: configureScript(),
  };
  await makeTreeFolder(`${tree}/mnt/share`);
  for (const [path, text] of Object.entries(files)) await writeTreeFile(`${tree}/${path}`, text);
}
