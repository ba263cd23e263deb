// An ext4 file system in a file, made of a tree of files without root: mke2fs copies the tree,
// debugfs corrects what only root can have.

import type { Owner } from "./debian-root.ts";
import { runTool } from "./tool.ts";

/** Programs of e2fsprogs. */
export interface Ext4Tools {
  readonly mke2fs: string;
  readonly debugfs: string;
}

/** A character device to be in the file system. */
interface DeviceNode {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  readonly permissions: number;
}

interface Ext4Contents {
  /** Folder whose content becomes the root's. */
  readonly tree: string;
  /** Owners other than 0:0, by path from the root. */
  readonly owners: ReadonlyMap<string, Owner>;
  readonly devices: readonly DeviceNode[];
  /** Size of the file system in bytes. */
  readonly size: number;
  readonly inodes: number;
  readonly label: string;
}

const ROOT: Owner = { uid: 0, gid: 0 };
const S_IFCHR = 0o020000;
/** The version line that debugfs always writes to stderr. */
const VERSION_LINE = /^debugfs \d.*$/m;

/**
 * Makes the file `image`.
 * @throws Error with the words of the tool that failed
 */
export async function makeExt4(tools: Ext4Tools, image: string, contents: Ext4Contents): Promise<void> {
  const options = ["-q", "-F", "-t", "ext4", "-L", contents.label, "-N", String(contents.inodes), "-m", "0", "-b", "4096"];
  const extended = ["-E", "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"];
  await runTool([tools.mke2fs, ...options, ...extended, "-d", contents.tree, image, `${contents.size / 1024}k`]);
  const script = `${image}.debugfs`;
  await Deno.writeTextFile(script, [...await ownerCommands(contents), ...deviceCommands(contents)].map((line) => `${line}\n`).join(""));
  // debugfs continues after a command that fails, and reports that only on stderr.
  const { success, stderr } = await new Deno.Command(tools.debugfs, { args: ["-w", "-f", script, image], stdout: "null", stderr: "piped" })
    .output();
  const complaint = new TextDecoder().decode(stderr).replace(VERSION_LINE, "").trim();
  if (!success || complaint !== "") throw new Error(`debugfs failed: ${complaint.slice(0, 500)}`);
  await Deno.remove(script);
}

/** Commands that set owners, as all files in the tree belong to the user who made it. */
async function ownerCommands({ tree, owners }: Ext4Contents): Promise<string[]> {
  const commands: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const { name, isDirectory } of (await Array.fromAsync(Deno.readDir(tree + folder))).sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = `${folder}/${name}`;
      if (/["\n]/.test(path)) throw new Error(`${path}: debugfs takes no such name`);
      const { uid, gid } = await Deno.lstat(tree + path);
      const wanted = owners.get(path) ?? ROOT;
      if (uid !== wanted.uid) commands.push(`set_inode_field "${path}" uid ${wanted.uid}`);
      if (gid !== wanted.gid) commands.push(`set_inode_field "${path}" gid ${wanted.gid}`);
      if (isDirectory) await visit(path);
    }
  };
  await visit("");
  return commands;
}

function deviceCommands({ devices }: Ext4Contents): string[] {
  return devices.flatMap(({ path, major, minor, permissions }) => {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    return [
      `cd "${path.slice(0, slash) || "/"}"`,
      `mknod ${name} c ${major} ${minor}`,
      `set_inode_field ${name} mode 0${(S_IFCHR | permissions).toString(8)}`,
      "cd /",
    ];
  });
}
