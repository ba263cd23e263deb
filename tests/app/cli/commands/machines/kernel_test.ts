import assert from "node:assert/strict";
import { el2Refused } from "../../program.ts";
import { fetchKernel, ORDINARY_KERNEL, withDebianArchive } from "../../../../../src/app/catalog/debian.ts";
import { VIRTIO_MODULES } from "../../../../../src/app/catalog/kernel-modules.ts";
import { el2Command } from "../../../../support/el2.ts";
import { longTest } from "../../../../support/long.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const BUILT_IN = ["BLK_DEV_INITRD", "DEVTMPFS", "SERIAL_AMBA_PL011_CONSOLE"].map((option) => `CONFIG_${option}=y\n`).join("");
const MODULES = ["VIRTIO_MMIO", "NET_9P", "NET_9P_VIRTIO", "9P_FS"];
const settings = (value: "y" | "m") => `CONFIG_ARM64=y\n${BUILT_IN}${MODULES.map((option) => `CONFIG_${option}=${value}\n`).join("")}`;

Deno.test("a folder that is not a build tree, or lacks something, is refused with what to do", () =>
  inFolder(async (folder) => {
    const refused = async (says: RegExp) => {
      const { code, stdout, stderr } = await el2Refused(["kernel", folder]);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, says);
    };
    const write = (text: string) => Deno.writeTextFile(`${folder}/.config`, text);
    await refused(
      /^el2: .*: not a build tree of Linux: it has no \.config; name the folder in which the kernel was built, and build it there: make/,
    );
    await write("CONFIG_X86=y\n");
    await refused(/\/\.config: not for arm64; build the kernel with ARCH=arm64$/m);
    await write(settings("y").replace("CONFIG_9P_FS=y", "# CONFIG_9P_FS is not set").replace("CONFIG_DEVTMPFS=y", "CONFIG_DEVTMPFS=m"));
    await refused(
      /\/\.config: lacks CONFIG_DEVTMPFS, CONFIG_9P_FS; in the tree: scripts\/config -e DEVTMPFS -e 9P_FS, make ARCH=arm64 olddefconfig Image$/m,
    );
    await write(settings("y"));
    await refused(/: no arch\/arm64\/boot\/Image; build it: make ARCH=arm64 Image$/m);
    await Deno.mkdir(`${folder}/arch/arm64/boot`, { recursive: true });
    await Deno.writeTextFile(`${folder}/arch/arm64/boot/Image`, "");
    await write(settings("m"));
    await refused(/: CONFIG_VIRTIO_MMIO is a module, and virtio_mmio\.ko is not built; build it: make ARCH=arm64 modules$/m);
    await write(settings("y"));
    await refused(/arch\/arm64\/boot\/Image: not an arm64 Linux Image/);
  }));

/** Debian's ordinary kernel in the places of a build tree, and modules as `make` leaves them. */
async function makeTree(folder: string): Promise<void> {
  const { image, modules } = await withDebianArchive(
    { release: "trixie" },
    (archive, work) => fetchKernel(archive, ORDINARY_KERNEL, VIRTIO_MODULES, work),
  );
  for (const path of ["arch/arm64/boot", "drivers", "kselftest_install"]) await Deno.mkdir(`${folder}/${path}`, { recursive: true });
  await Deno.writeFile(`${folder}/arch/arm64/boot/Image`, image);
  for (const { file, bytes } of modules) await Deno.writeFile(`${folder}/drivers/${file}`, bytes);
  await Deno.writeTextFile(`${folder}/modules.order`, modules.map(({ file }) => `drivers/${file.replace(/ko$/, "o")}\n`).join(""));
  await Deno.writeTextFile(`${folder}/.config`, settings("m"));
  await Deno.writeTextFile(`${folder}/kselftest_install/run_kselftest.sh`, "#!/bin/sh\necho tests $((40 + 2))\n", { mode: 0o755 });
}

longTest("the kernel of a tree comes to a prompt that has the tree, its modules and its kselftests", () =>
  inFolder(async (folder) => {
    await makeTree(folder);
    const [command, ...args] = el2Command("kernel", folder);
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("cd /mnt/kselftest_install && ./run_kselftest.sh; ls /mnt/arch/arm64/boot; poweroff -f\r"));
    const { code, stdout, stderr } = await child.output();
    await writer.close().catch(() => {});
    const shown = new TextDecoder().decode(stdout);
    assert.equal(code, 0, shown + new TextDecoder().decode(stderr));
    assert.match(shown, /the tree is in \/mnt, with \d\d modules; kselftests: cd \/mnt\/kselftest_install; \.\/run_kselftest\.sh/);
    assert.match(shown, /^tests 42\r?\n.*Image/m);
  }));
