// Makes the catalogue's Debian guests: an unmodified arm64 cloud kernel of a release, and an initramfs around its busybox.

import { Apt, debFields, debianMirror, debianSource, unpackDeb } from "./apt.ts";
import { cacheFolder, exists, sha256, withLock } from "./cache.ts";
import { addToCatalog, catalogFiles, type CatalogPackage, type DebianRelease, type Manifest } from "./catalog.ts";
import { type CpioEntry, writeCpio } from "./cpio.ts";
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
cd /root
setsid cttyhack sh
poweroff -f
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
 * Fetches kernel and busybox of a Debian release and adds them to the catalogue as `debian-RELEASE`, files `Image` and `initrd`.
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

    const files = new Map([["Image", kernel.image], ["initrd", initramfs(busybox.binary)]]);
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
  packages: CatalogPackage[];
}

/** The kernel that the release's metapackage depends on. In newer releases vmlinuz is in a package that the image's depends on. */
async function fetchKernel(apt: Apt, work: string): Promise<Kernel> {
  const metapackage = await apt.show(KERNEL_METAPACKAGE);
  const image = dependencies(metapackage.get("Depends")).find((name) => name.startsWith("linux-image-"));
  if (!image) throw new Error(`${KERNEL_METAPACKAGE} depends on no kernel: ${metapackage.get("Depends")}`);

  const root = `${work}/kernel`;
  await Deno.mkdir(root);
  const packages: CatalogPackage[] = [];
  const names = [image];
  for (let found = await vmlinuz(root);; found = await vmlinuz(root)) {
    if (found) return { ...unwrapImage(await Deno.readFile(found)), version: found.replace(/^.*vmlinuz-/, ""), packages };
    const name = names.shift();
    if (!name) throw new Error(`no vmlinuz in ${image} or the kernel packages that it depends on`);
    const [deb] = await apt.download([name], work);
    packages.push(await describe(deb));
    await unpackDeb(deb, root);
    if (name === image) {
      const depends = dependencies((await debFields(deb)).get("Depends"));
      names.push(...depends.filter((dependency) => /^linux-(base|binary|image)-/.test(dependency)));
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

/** An initramfs with busybox as its only program. The kernel's console needs its device node before /dev is mounted. */
function initramfs(busybox: Uint8Array): Uint8Array {
  const folder = (path: string): CpioEntry => ({ path, kind: "folder", permissions: 0o755 });
  return writeCpio([
    ...["bin", "dev", "proc", "root", "sys", "tmp"].map(folder),
    { path: "bin/busybox", kind: "file", permissions: 0o755, data: busybox },
    { path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 },
    { path: "dev/null", kind: "device", permissions: 0o666, major: 1, minor: 3 },
    { path: "init", kind: "file", permissions: 0o755, data: new TextEncoder().encode(INIT) },
  ]);
}
