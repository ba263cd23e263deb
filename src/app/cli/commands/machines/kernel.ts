// `el2 kernel [TREE]`: the kernel of a build tree, at a prompt that has the tree.

import { Argument, type Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { type Exits, exitsText, offering, withExits } from "../../common/command-tree.ts";
import { displayed, showSession } from "../../start/show.ts";
import { checked } from "../../start/plans/planned.ts";
import { planOf } from "../../../configuration/plan-run.ts";
import { PRIMARY_CONSOLE } from "../../../../model/plans/plan.ts";

const EXITS: Exits = {
  codes: {
    0: "the shell ended, or powered off",
    1: "a crash, a panic or a reset",
    2: "the folder is not a build tree, or lacks something",
  },
};

/** The name of the ramdisk in the machine's configuration. */
const RAMDISK = "ramdisk";

export function registerKernel(program: Command, { entry, exit }: CommandContext): void {
  withExits(program.command("kernel"), EXITS)
    .description("boot the kernel of a build tree to a prompt on this terminal, with the tree in /mnt (read-only)")
    .addArgument(offering(new Argument("[tree]", "folder in which Linux was built for arm64").default("."), "files"))
    .addHelpText(
      "after",
      `
The root is the ramdisk of the catalog's Debian (el2 guests fetch debian). Modules of the tree that mount it are loaded; load others with insmod.
The kernel needs a 9p file system over virtio: what its configuration lacks is named. ctrl-] d ends the run.

${exitsText(EXITS)}

Examples:
  el2 kernel
  el2 kernel ../linux/build`,
    )
    .action(async (folder) => {
      const { kernelTree, treeRamdisk } = await import("../../start/plans/kernel-tree.ts");
      const tree = await kernelTree(folder), ramdisk = await treeRamdisk(tree);
      const devices = [{ kind: "9p", folder, mode: "ro" }];
      const host = { kind: "image", kernel: tree.image, initrd: RAMDISK, cmdline: "console=ttyAMA0", devices };
      const table = { machine: { memory: "1GiB" }, host };
      const { plan } = checked(await planOf(table, undefined, { folder: ".", given: { [RAMDISK]: ramdisk } }));
      exit(await showSession(entry, plan, { ...displayed({ stdio: true }), title: folder, names: false, console: PRIMARY_CONSOLE }));
    });
}
