// Makes the catalogue's Debian guests: an unmodified arm64 cloud kernel of a release, and an initramfs around its busybox.

import { Apt, debFields, debianMirror, debianSource, unpackDeb } from "./apt.ts";
import { cacheFolder, exists, sha256, withLock } from "./cache.ts";
import { addToCatalog, catalogFiles, type CatalogPackage, type DebianRelease, type Manifest } from "./catalog.ts";
import { type CpioEntry, writeCpio } from "./cpio.ts";
import { type KernelModule, kernelModules, VIRTIO_MODULES } from "./kernel-modules.ts";
import { unwrapImage } from "./kernel-image.ts";

const ARCHITECTURE = "arm64";
/** Depends on the newest kernel of its release. */
const KERNEL_METAPACKAGE = `linux-image-cloud-${ARCHITECTURE}`;

/**
 * PID 1 of the initramfs. Its first line says that user space runs. The kernel's command line may hold `el2=poweroff`;
 * otherwise there is a shell on the console, whose end powers the machine off.
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
[ -x /lib/virtio ] && [ -n "$(ls -d /proc/device-tree/virtio_mmio@* 2>/dev/null)" ] && /lib/virtio
cd /root
setsid cttyhack sh
poweroff -f
`;

/** Loads the modules of virtio devices and takes an address where there is a network: for the initramfs that has them. */
const VIRTIO = `#!/bin/sh
while read module; do insmod /lib/modules/$module || echo "$module: not loaded"; done < /lib/modules/order
mdev -s
[ -d /sys/class/net/eth0 ] || exit 0
ip link set lo up
ip link set eth0 up
udhcpc -q -n -t 5 -i eth0 -s /lib/lease >/dev/null && ip -4 addr show eth0 | grep inet
`;

/** What udhcpc calls when it has got a lease. */
const LEASE = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev $interface
ip addr add $ip/$mask dev $interface
ip route add default via $router dev $interface
echo nameserver $dns > /etc/resolv.conf
`;

/** What to fetch, from where, and whom to tell. */
export interface FetchOptions {
  release: DebianRelease;
  /** Debian mirror; by default the one of the machine's apt. */
  mirror?: string;
  /** Called with 0..100 and what is being fetched. */
  progress?: (percent: number, what: string) => void;
}

/**
 * Fetches kernel and busybox of a Debian release and adds them to the catalogue as `debian-RELEASE`: files `Image`, `initrd`, and
 * `initrd-virtio`, which has the modules for virtio devices as well.
 * An interrupted fetch leaves the catalogue as it was.
 */
export async function fetchDebian(options: FetchOptions): Promise<Manifest> {
  const { release, progress } = options;
  const name = `debian-${release}`;
  const state = `${cacheFolder()}/apt/${release}-${ARCHITECTURE}`;
  await Deno.mkdir(state, { recursive: true });
  return await withLock(`${state}/fetch.lock`, async () => {
    const source = await debianSource(await debianMirror(options.mirror), release);
    const apt = await Apt.open({ folder: state, sources: [source], architecture: ARCHITECTURE, progress });
    await apt.update();

    const work = `${state}/work`;
    if (await exists(work)) await Deno.remove(work, { recursive: true }); // what an interrupted fetch left
    await Deno.mkdir(work);
    const kernel = await fetchKernel(apt, work);
    const busybox = await fetchBusybox(apt, work);

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
    await Deno.remove(work, { recursive: true });
    return manifest;
  });
}

interface Kernel {
  /** The raw Image. */
  image: Uint8Array;
  /** `uname -r`. */
  version: string;
  container: string;
  /** What virtio devices need, in the order of loading. */
  modules: KernelModule[];
  packages: CatalogPackage[];
}

/** The kernel that the release's metapackage depends on. In newer releases vmlinuz and modules are in packages that the image's depends on. */
async function fetchKernel(apt: Apt, work: string): Promise<Kernel> {
  const metapackage = await apt.show(KERNEL_METAPACKAGE);
  const image = dependencies(metapackage.get("Depends")).find((name) => name.startsWith("linux-image-"));
  if (!image) throw new Error(`${KERNEL_METAPACKAGE} depends on no kernel: ${metapackage.get("Depends")}`);

  const root = `${work}/kernel`;
  await Deno.mkdir(root);
  const packages: CatalogPackage[] = [];
  const names = [image];
  let found: string | undefined;
  for (;;) {
    found ??= await vmlinuz(root);
    const modules = found ? await kernelModules(root, VIRTIO_MODULES) : [];
    if (found && modules.length > 0) {
      return { ...unwrapImage(await Deno.readFile(found)), version: found.replace(/^.*vmlinuz-/, ""), modules, packages };
    }
    const name = names.shift();
    if (!name) throw new Error(`no ${found ? "virtio modules" : "vmlinuz"} in ${image} or the kernel packages that it depends on`);
    const [deb] = await apt.download([name], work);
    packages.push(await describe(deb));
    await unpackDeb(deb, root);
    if (name === image) {
      const depends = dependencies((await debFields(deb)).get("Depends"));
      names.push(...depends.filter((dependency) => /^linux-(base|binary|image|modules)-/.test(dependency)));
    }
  }
}

/** The kernel file among unpacked packages; modules folders hold it under the version, /boot with the version behind it. */
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

async function fetchBusybox(apt: Apt, work: string): Promise<{ binary: Uint8Array; package: CatalogPackage }> {
  const [deb] = await apt.download(["busybox-static"], work);
  const root = `${work}/busybox`;
  await Deno.mkdir(root);
  await unpackDeb(deb, root);
  for (const path of [`${root}/bin/busybox`, `${root}/usr/bin/busybox`]) {
    if (await exists(path)) return { binary: await Deno.readFile(path), package: await describe(deb) };
  }
  throw new Error("busybox-static holds no busybox in /bin or /usr/bin");
}

/** Package names of a Depends field: first alternatives, versions left out. */
function dependencies(field = ""): string[] {
  return field.split(",").map((item) => item.split("|")[0].replace(/\(.*/, "").trim());
}

async function describe(deb: string): Promise<CatalogPackage> {
  const fields = await debFields(deb);
  return { name: fields.get("Package") ?? "", version: fields.get("Version") ?? "", sha256: await sha256(await Deno.readFile(deb)) };
}

/** An initramfs with busybox as its only program, and these modules. The kernel's console needs its device node before /dev is mounted. */
function initramfs(busybox: Uint8Array, modules: readonly KernelModule[]): Uint8Array {
  const folder = (path: string): CpioEntry => ({ path, kind: "folder", permissions: 0o755 });
  const file = (path: string, data: Uint8Array | string, permissions: number): CpioEntry => ({
    path,
    kind: "file",
    permissions,
    data: typeof data === "string" ? new TextEncoder().encode(data) : data,
  });
  const order = modules.map((module) => `${module.file}\n`).join("");
  const virtio: CpioEntry[] = modules.length === 0 ? [] : [
    ...["etc", "lib", "lib/modules"].map(folder),
    ...modules.map((module) => file(`lib/modules/${module.file}`, module.bytes, 0o644)),
    file("lib/modules/order", order, 0o644),
    file("lib/virtio", VIRTIO, 0o755),
    file("lib/lease", LEASE, 0o755),
  ];
  return writeCpio([
    ...["bin", "dev", "proc", "root", "sys", "tmp"].map(folder),
    file("bin/busybox", busybox, 0o755),
    { path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 },
    { path: "dev/null", kind: "device", permissions: 0o666, major: 1, minor: 3 },
    file("init", INIT, 0o755),
    ...virtio,
  ]);
}
