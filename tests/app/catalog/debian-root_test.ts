// A Debian's files from packages, and the file system made of them: owners, links, devices and
// dpkg's record, without root.

import assert from "node:assert/strict";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import { OPTIONS } from "../../../scripts/test.ts";
import { ext4Tools, isUsefulModule } from "../../../src/app/catalog/debian-disk.ts";
import { unpackRoot } from "../../../src/app/catalog/debian-root.ts";
import { makeExt4 } from "../../../src/app/catalog/ext4-image.ts";
import { writeTreeFile } from "../../../src/app/catalog/deb.ts";
import { buildDeb, controlFields, putFile, VERSION } from "../../support/debian-repository.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** Runs a program and returns its standard output. */
async function output(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Builds `folder`/NAME.deb from a tree that `fill` makes. */
async function build(folder: string, name: string, fields: string[], fill: (tree: string) => Promise<void>): Promise<string> {
  const deb = `${folder}/${name}.deb`;
  await buildDeb(`${folder}/${name}`, deb, controlFields(name, ...fields, "Description: one", " more"), fill);
  return deb;
}

/**
 * Packages as a release before trixie has them: /bin in one, /usr/bin in another, ids in a third.
 */
async function packages(folder: string): Promise<string[]> {
  return [
    await build(folder, "base-passwd", [], async (tree) => {
      await putFile(`${tree}/usr/share/base-passwd/passwd.master`, "root::0:0:root:/root:/bin/bash\nman:*:6:12:man:/:/\n");
      await putFile(`${tree}/usr/share/base-passwd/group.master`, "root:*:0:\nshadow:*:42:\n");
    }),
    await build(folder, "tool", ["Multi-Arch: foreign"], async (tree) => {
      await putFile(`${tree}/bin/tool`, "tool", 0o4755);
      await putFile(`${tree}/etc/tool.conf`, "setting\n");
      await putFile(`${tree}/etc/with space`, "");
      await putFile(`${tree}/etc/größe`, "");
      await Deno.symlink("tool", `${tree}/bin/alias`);
      await Deno.link(`${tree}/bin/tool`, `${tree}/bin/twin`);
      await putFile(`${tree}/DEBIAN/conffiles`, "/etc/tool.conf\n");
      await putFile(`${tree}/DEBIAN/postinst`, "#!/bin/sh\n", 0o755);
    }),
    await build(folder, "library", ["Multi-Arch: same"], async (tree) => {
      await putFile(`${tree}/usr/bin/other`, "other", 0o755);
      await putFile(`${tree}/lib/library.so`, "library");
    }),
  ];
}

Deno.test("a tree of packages has a merged /usr, and dpkg's record says unpacked", async () => {
  await inFolder(async (folder) => {
    const { folder: tree, packages: listed } = await unpackRoot(await packages(folder), `${folder}/root`);
    assert.deepEqual([await Deno.readLink(`${tree}/bin`), await Deno.readLink(`${tree}/lib`)], ["usr/bin", "usr/lib"]);
    for (const path of ["usr/bin/tool", "bin/other", "lib/library.so"]) assert.ok((await Deno.stat(`${tree}/${path}`)).isFile, path);
    assert.equal((await Deno.stat(`${tree}/bin/tool`)).ino, (await Deno.stat(`${tree}/bin/twin`)).ino, "hard links stay");
    assert.deepEqual(listed.map(({ name, version }) => [name, version]), [["base-passwd", VERSION], ["tool", VERSION], [
      "library",
      VERSION,
    ]]);

    const database = `${tree}/var/lib/dpkg`;
    const status = await Deno.readTextFile(`${database}/status`);
    const tool = status.split("\n\n").find((paragraph) => paragraph.startsWith("Package: tool\n"))!;
    assert.match(tool, /^Status: install ok unpacked$/m);
    assert.match(tool, /^Description: one\n more$/m);
    assert.match(tool, /^Conffiles:\n \/etc\/tool\.conf 2c1d4f59f062ce424618f4d25961fb76$/m);
    const list = (await Deno.readTextFile(`${database}/info/tool.list`)).split("\n");
    for (const path of ["/.", "/bin", "/bin/tool", "/etc/with space", "/etc/größe", "/bin/alias"]) assert.ok(list.includes(path), path);
    assert.ok((await Deno.stat(`${database}/info/tool.postinst`)).mode! & 0o100);
    assert.ok((await Deno.stat(`${database}/info/library:arm64.list`)).isFile);
    assert.equal(
      (await output("dpkg-query", `--admindir=${database}`, "-W", "-f", "${Package} ${db:Status-Abbrev}\\n")).trim(),
      ["base-passwd iU ", "library iU ", "tool iU"].join("\n"),
    );
  });
});

const AS_PLANNED = "the file system has owners, modes and devices as in the plan, whoever made it";

Deno.test(`${AS_PLANNED} with whatever umask`, async () => {
  const test = [Deno.execPath(), "test", "-q", ...OPTIONS, "--no-check", `--filter=${AS_PLANNED} alone`, new URL(import.meta.url).pathname];
  await output("sh", "-c", 'umask 077 && exec "$@"', "sh", ...test);
});

Deno.test(`${AS_PLANNED} alone`, async () => {
  await inFolder(async (folder) => {
    const { folder: tree } = await unpackRoot(await packages(folder), `${folder}/root`);
    await writeTreeFile(`${tree}/etc/new/hosts`, "");
    await Deno.mkdir(`${tree}/dev`);
    const image = `${folder}/image`;
    const debugfs = await nativeProgram("debugfs");
    await makeExt4({ mke2fs: await nativeProgram("mke2fs"), debugfs }, image, {
      tree,
      owners: new Map([["/usr/bin/tool", { uid: 6, gid: 42 }], ["/etc/with space", { uid: 0, gid: 42 }]]),
      devices: [{ path: "/dev/console", major: 5, minor: 1, permissions: 0o600 }],
      size: 16 << 20,
      inodes: 1024,
      label: "test",
    });
    const stat = async (path: string) => {
      const text = await output(debugfs, "-R", `stat "${path}"`, image);
      const field = (name: string) => new RegExp(`${name}:\\s+(\\S+)`).exec(text)?.[1];
      return [field("Type"), field("Mode"), field("User"), field("Group")];
    };
    assert.deepEqual(await stat("/usr/bin/tool"), ["regular", "04755", "6", "42"]);
    assert.deepEqual(await stat("/etc/with space"), ["regular", "0644", "0", "42"]);
    assert.deepEqual(await stat("/etc/tool.conf"), ["regular", "0644", "0", "0"]);
    for (const path of ["/", "/usr", "/usr/bin", "/usr/lib", "/etc/new", "/var/lib/dpkg/info"]) {
      assert.deepEqual(await stat(path), ["directory", "0755", "0", "0"], path);
    }
    for (const path of ["/etc/new/hosts", "/var/lib/dpkg/status", "/var/lib/dpkg/info/tool.list"]) {
      assert.deepEqual(await stat(path), ["regular", "0644", "0", "0"], path);
    }
    assert.deepEqual(await stat("/bin"), ["symlink", "0777", "0", "0"]);
    assert.deepEqual(await stat("/dev/console"), ["character", "0600", "0", "0"]);
    assert.match(await output(debugfs, "-R", "stat /dev/console", image), /5:1|05:01/);
    await output(await nativeProgram("e2fsck"), "-fn", image);
  });
});

Deno.test("a tree that cannot become a file system is refused with the tool's own words", async () => {
  await inFolder(async (folder) => {
    await putFile(`${folder}/tree/file`, "x".repeat(1 << 20));
    const tools = { mke2fs: await nativeProgram("mke2fs"), debugfs: await nativeProgram("debugfs") };
    const plan = { tree: `${folder}/tree`, owners: new Map(), devices: [], inodes: 64, label: "test" };
    await assert.rejects(makeExt4(tools, `${folder}/small`, { ...plan, size: 1 << 19 }), /mke2fs failed: .*[Nn]o.*/s);
    const lost = [{ path: "/nowhere/node", major: 1, minor: 1, permissions: 0o600 }];
    await assert.rejects(makeExt4(tools, `${folder}/lost`, { ...plan, size: 16 << 20, devices: lost }), /debugfs failed: .*nowhere/s);
  });
});

Deno.test("modules that are kept are those that a machine without PCI and USB can use", () => {
  const kept = [
    "fs/9p/9p.ko",
    "drivers/virtio/virtio_balloon.ko",
    "drivers/net/tun.ko",
    "drivers/net/wireguard/wireguard.ko",
    "net/9p/9pnet.ko",
  ];
  const left = [
    "drivers/net/ethernet/intel/e1000/e1000.ko",
    "drivers/gpu/drm/drm.ko",
    "sound/core/snd.ko",
    "drivers/net/wireless/ath/ath.ko",
  ];
  assert.deepEqual([...kept, ...left].filter(isUsefulModule), kept);
});

Deno.test("mke2fs and debugfs are the machine's; where one is missing, e2fsprogs is named", () => {
  const machine = (...has: string[]) => (name: string) => has.includes(name) ? `/sbin/${name}` : undefined;
  assert.deepEqual(ext4Tools(machine("mke2fs", "debugfs")), { mke2fs: "/sbin/mke2fs", debugfs: "/sbin/debugfs" });
  for (const has of [["mke2fs"], ["debugfs"], []]) {
    assert.throws(() => ext4Tools(machine(...has)), /^Error: mke2fs and debugfs are missing on this machine; install e2fsprogs$/);
  }
});
