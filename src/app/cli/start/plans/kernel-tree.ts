// A build tree of Linux for arm64: its Image, configuration, modules and kselftests; and the
// ramdisk with which it comes to a prompt that has the tree.

import { archiveFile, archiveFolder, moduleFiles } from "../../../catalog/busybox-archive.ts";
import { catalogPath } from "../../../catalog/catalog.ts";
import { type KernelModule, moduleName, orderedModules } from "../../../catalog/kernel-modules.ts";
import { Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { exists } from "../../../../kit/support/files/cache.ts";
import { withEntries } from "../../../../kit/formats/cpio.ts";
import { DEFAULT_TAG } from "../../../../model/plans/plan.ts";

const IMAGE = "arch/arm64/boot/Image";
/** Where `make install` of the selftests puts them by default, and where people put them. */
const KSELFTESTS = ["tools/testing/selftests/kselftest_install", "kselftest_install"];
const RUN_KSELFTEST = "run_kselftest.sh";
/** Place of the tree in the guest. */
const MOUNTED = "/mnt";

/** Options without which there is no prompt, or no tree in it; a module will do for some. */
const OPTIONS: readonly { readonly option: string; readonly module?: string }[] = [
  { option: "BLK_DEV_INITRD" },
  { option: "DEVTMPFS" },
  { option: "SERIAL_AMBA_PL011_CONSOLE" },
  { option: "VIRTIO_MMIO", module: "virtio_mmio" },
  { option: "NET_9P", module: "9pnet" },
  { option: "NET_9P_VIRTIO", module: "9pnet_virtio" },
  { option: "9P_FS", module: "9p" },
];

/** The parts of a build tree. */
interface KernelTree {
  readonly image: string;
  /** Modules of the tree that mount it, in the order of loading. */
  readonly modules: readonly KernelModule[];
  /** How many modules it has. */
  readonly built: number;
  /** Folder of its kselftests in the guest. */
  readonly kselftests: string | undefined;
}

/**
 * Finds the parts of a tree.
 * @throws Failure that names what is missing, and how to make it
 */
export async function kernelTree(folder: string): Promise<KernelTree> {
  const image = `${folder}/${IMAGE}`, settings = `${folder}/.config`;
  if (!await exists(settings)) {
    const wayOut = "name the folder in which the kernel was built, and build it there: make ARCH=arm64 defconfig Image modules";
    throw new Failure(`${folder}: not a build tree of Linux: it has no .config`, wayOut);
  }
  const text = new TextDecoder().decode(readNamedFile(settings, "configuration"));
  if (!/^CONFIG_ARM64=y$/m.test(text)) throw new Failure(`${settings}: not for arm64`, "build the kernel with ARCH=arm64");
  const values = OPTIONS.map(({ option, module }) => ({
    option,
    module,
    value: new RegExp(`^CONFIG_${option}=([ym])$`, "m").exec(text)?.[1],
  }));
  const isLacking = ({ module, value }: typeof values[number]) => value === undefined || value === "m" && module === undefined;
  const lacking = values.filter(isLacking).map(({ option }) => option);
  if (lacking.length > 0) {
    const wayOut = `in the tree: scripts/config ${lacking.map((option) => `-e ${option}`).join(" ")}, make ARCH=arm64 olddefconfig Image`;
    throw new Failure(`${settings}: lacks ${lacking.map((option) => `CONFIG_${option}`).join(", ")}`, wayOut);
  }
  if (!await exists(image)) throw new Failure(`${folder}: no ${IMAGE}`, "build it: make ARCH=arm64 Image");
  const files = await builtModules(folder);
  const modules = await orderedModules(files, OPTIONS.flatMap(({ module }) => module ?? []));
  const missing = values.find(({ module, value }) => value === "m" && module !== undefined && !files.has(module));
  if (missing) {
    throw new Failure(
      `${folder}: CONFIG_${missing.option} is a module, and ${missing.module}.ko is not built`,
      "build it: make ARCH=arm64 modules",
    );
  }
  return { image, modules, built: files.size, kselftests: await kselftestsOf(folder) };
}

/** Paths of the modules that the tree has built, by name. */
async function builtModules(folder: string): Promise<Map<string, string>> {
  const order = `${folder}/modules.order`, files = new Map<string, string>();
  if (!await exists(order)) return files;
  for (const line of new TextDecoder().decode(readNamedFile(order, "list of modules")).split("\n")) {
    // Before Linux 5.3 paths began with kernel/, and since 6.3 objects are listed.
    const path = `${folder}/${line.replace(/^kernel\//, "").replace(/\.o$/, ".ko")}`;
    if (path.endsWith(".ko") && await exists(path)) files.set(moduleName(path), path);
  }
  return files;
}

async function kselftestsOf(folder: string): Promise<string | undefined> {
  for (const place of KSELFTESTS) if (await exists(`${folder}/${place}/${RUN_KSELFTEST}`)) return `${MOUNTED}/${place}`;
  return undefined;
}

/**
 * The ramdisk of the catalog's Debian with the tree's modules, whose script mounts the tree.
 * @throws UserError if the catalog does not have the Debian
 */
export async function treeRamdisk({ modules, built, kselftests }: KernelTree): Promise<Uint8Array> {
  const ramdisk = await Deno.readFile(await catalogPath("catalog:debian/initrd-virtio"));
  const tests = kselftests === undefined
    ? "no kselftests: make -C tools/testing/selftests install"
    : `kselftests: cd ${kselftests}; ./${RUN_KSELFTEST}`;
  const script = `#!/bin/sh
while read module; do insmod /lib/modules/$module || echo "$module: not loaded"; done < /lib/modules/order
mount -t 9p -o trans=virtio,version=9p2000.L ${DEFAULT_TAG} ${MOUNTED} || exit
echo "the tree is in ${MOUNTED}, with ${built} modules; ${tests}"
`;
  return withEntries(ramdisk, [archiveFolder(MOUNTED.slice(1)), ...moduleFiles(modules), archiveFile("lib/virtio", script, 0o755)]);
}
