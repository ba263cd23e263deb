// Linux guests whose disks fail or are damaged: file systems that the kernel has stopped writing to
// are a failure as long as they are mounted; an error of a disk is a remark.

import assert from "node:assert/strict";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { once } from "../../src/kit/support/values/once.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import type { ReportKind } from "../../src/model/queries/facts/kernel-report.ts";
import { Debian } from "../inside/linux/debian.ts";
import { assertSick, patch, verdictOn } from "./broken-linux.ts";
import { fits } from "./class-guests.ts";
import { CLOUD_KERNEL } from "../../src/app/catalog/debian.ts";
import { ordinaryGuest } from "../guests/guest.ts";
import { LONG } from "../support/long.ts";

const SIZE = 16 << 20;
const folder = await Deno.makeTempDir({ prefix: "el2-disks-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const inject = ({ system }: Debian, rule: string) => assert.equal(system.inspector.act({ kind: "inject.add", rule }), undefined);

/** It is healthy, and these reports are over. */
function assertOver(debian: Debian, ...kinds: readonly ReportKind[]): void {
  const row = verdictOn(debian);
  assert.ok(row.healthy, diagnosisLines(row).join("\n"));
  for (const kind of kinds) {
    const remark = { code: "kernel", finding: { code: "reported", kind, device: /^vda/, over: true } } as const;
    assert.ok(row.because.some((one) => fits(one, remark)), `${kind}: ${JSON.stringify(row.because)}`);
  }
}

/** One with an ext4 on its disk, which is mounted on /mnt. */
const withExt4 = once(async () => {
  const image = `${folder}/ext4.img`;
  await Deno.writeFile(image, new Uint8Array(SIZE));
  const { success } = await new Deno.Command(await nativeProgram("mke2fs"), { args: ["-q", "-t", "ext4", image] }).output();
  assert.ok(success);
  const debian = (await Debian.start("bookworm", { initrd: "initrd-virtio", devices: [{ kind: "block", image, mode: "overlay" }] }))
    .withShell();
  debian.loadModules();
  debian.command("mdev -s; mkdir /mnt; mount -t ext4 /dev/vda /mnt; echo one > /mnt/one; sync");
  return debian;
});

const ABORTED = { code: "kernel-broken", finding: { code: "reported", kind: "file-system-abort", device: "vda" } } as const;
const LINES = /failed: the kernel reports a file system that it has stopped writing to .*\(vda\)[^]*way out: see the error before it/;

Deno.test("an ext4 whose disk does not take writes is a failure until it is mounted again; reads that fail are remarks", async () => {
  const debian = (await withExt4()).copy(), read = debian.copy();
  assert.ok(verdictOn(debian).healthy);
  inject(read, "dev=host/blk0 op=read nth=1 -> IOERR");
  read.command("dd if=/dev/vda of=/dev/null bs=4k count=1 skip=2000 iflag=direct");
  assertOver(read, "input-output-error");

  inject(debian, "dev=host/blk0 op=write nth=1.. -> IOERR");
  debian.command("echo two > /mnt/two; sync; echo three > /mnt/three");
  assertSick(debian, ABORTED, LINES);
  assert.equal(debian.system.inspector.act({ kind: "inject.remove", rule: "all" }), undefined);
  debian.command("umount /mnt");
  assertOver(debian, "file-system-abort", "file-system-error");
  debian.command("mount -t ext4 /dev/vda /mnt; echo four > /mnt/four; sync");
  assertOver(debian, "file-system-abort", "input-output-error");
});

Deno.test("a program that waits for a disk which has lost its request has a line; one whose disk answers has none", async () => {
  const healthy = (await withExt4()).copy(), lost = healthy.copy();
  inject(lost, "dev=host/blk0 op=read nth=1.. -> lose");
  for (const debian of [lost, healthy]) debian.type(`${READS}\n`);
  for (const debian of [lost, healthy]) debian.run(LATER);
  assert.match(verdictOn(lost).evidence.join("\n"), /program dd \(\d+\) waits for an answer of dev:host\/blk0/);
  assert.match(healthy.shown, /read-2/);
  assert.doesNotMatch(verdictOn(healthy).evidence.join("\n"), /program dd/);
});

Deno.test("a program that writes to a frozen ext4 has a line until it is thawed", async () => {
  const debian = (await withExt4()).copy(), lines = () => verdictOn(debian).evidence.join("\n");
  debian.command("fsfreeze --freeze /mnt; dd if=/init of=/mnt/late & sleep 1");
  assert.match(lines(), /program dd \(\d+\) waits to write to \/mnt, which is frozen \(fsfreeze\)/);
  debian.command("fsfreeze --unfreeze /mnt; sleep 1");
  assert.doesNotMatch(lines(), /frozen|program dd/);
});

Deno.test("an ext4 that is full has a line until a file is removed", async () => {
  const debian = (await withExt4()).copy(), full = () => verdictOn(debian).evidence.join("\n").includes("the file system at /mnt is full");
  assert.ok(!full());
  debian.command("dd if=/dev/zero of=/mnt/large bs=64k; sync");
  assert.ok(full() && verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
  debian.command("rm /mnt/large; sync");
  assert.ok(!full(), verdictOn(debian).evidence.join("\n"));
});

/** MOV W0, #0; RET: the handler of virtio finds nothing. */
const NONE = [0x5280_0000, 0xd65f_03c0], HANDLER = "vm_interrupt";
const READS = "dd if=/dev/vda of=/dev/null bs=4k count=1 skip=2001 iflag=direct && echo read-$((1 + 1))";
const LATER = 1e9;

Deno.test("a disk's interrupt that no handler claims is a failure once Linux has disabled it, and names the program that waits", async () => {
  const debian = (await withExt4()).copy();
  verdictOn(debian);
  const at = debian.system.symbols.all("host").map((table) => table.find(HANDLER)?.address).find((one) => one !== undefined);
  assert.ok(at !== undefined, "the module of virtio is not known");
  const words = debian.system.machine.ram.bytes(debian.placeOf(at), 8).slice();
  patch(debian, at, NONE);
  const soon = debian.copy();
  soon.type(`${READS}\n`);
  const storm = { code: "irq-storm", finding: { code: "storm", source: "dev:host/blk0" } } as const;
  assertSick(soon, storm, /storm: its line is high .*\n {2}way out: acknowledge what dev:host\/blk0 reports in the handler/);
  // It finds its interrupts again before Linux gives them up.
  soon.write(at, words);
  soon.until(/read-2/);
  assert.ok(verdictOn(soon).healthy, diagnosisLines(verdictOn(soon)).join("\n"));

  debian.type(`${READS}\n`);
  debian.until(/Disabling IRQ #/);
  const finding = { code: "reported", kind: "unclaimed-interrupt", at: `${HANDLER} [virtio_mmio]` } as const;
  assertSick(
    debian,
    { code: "kernel-broken", finding },
    /no handler claims, so that it has disabled it: irq \d+, at vm_interrupt \[virtio_mmio\]\n {2}way out: find in vm_interrupt/,
  );
  debian.run(LATER);
  assert.match(
    verdictOn(debian).evidence.join("\n"),
    /program dd \(\d+\) waits for a disk, and Linux has disabled interrupt \d+ of virtio0/,
  );
});

/** File systems of modules, with their programs; and the kernel's watchdog. */
const OTHERS = [["xfs", "mkfs.xfs -q -f /dev/vda"], ["btrfs", "mkfs.btrfs -q -f /dev/vda"]] as const;
const LARGE = 512 << 20, BITES = 10e9;

if (LONG) {
  Deno.test("an XFS and a Btrfs whose disk does not take writes are failures until they are unmounted", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", ["xfsprogs", "btrfs-progs"], CLOUD_KERNEL, ["xfs", "btrfs"]);
    const disk = `${folder}/large.img`;
    await Deno.writeFile(disk, new Uint8Array());
    await Deno.truncate(disk, LARGE);
    const started = Debian.of(image, { initrd, memory: 1 << 30, devices: [{ kind: "block", image: disk, mode: "overlay" }] }).withShell();
    started.loadModules();
    for (const [type, make] of OTHERS) {
      const debian = started.copy();
      debian.command(`mdev -s; mkdir /mnt; ${make}; mount -t ${type} /dev/vda /mnt; echo one > /mnt/one; sync`);
      assert.ok(verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
      inject(debian, "dev=host/blk0 op=write nth=1.. -> IOERR");
      debian.command("echo two > /mnt/two; sync; echo three > /mnt/three; sync");
      assertSick(debian, ABORTED, /failed: the kernel reports a file system that it has stopped writing to /);
      assert.equal(debian.system.inspector.act({ kind: "inject.remove", rule: "all" }), undefined);
      debian.command("umount /mnt");
      assertOver(debian, "file-system-abort");
      debian.command(`mount -t ${type} /dev/vda /mnt`);
      assert.ok(verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
    }
  });

  Deno.test("a Linux that its own watchdog resets has failed; one that writes to it in time is healthy", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", [], CLOUD_KERNEL, ["softdog"]);
    const started = Debian.of(image, { initrd }).withShell();
    started.loadModules();
    const left = started.copy();
    left.command("mdev -s; exec 5> /dev/watchdog");
    assert.ok(!left.run(LATER * 100), "the watchdog has not bitten");
    const bitten = verdictOn(left);
    assert.ok(fits(bitten.fact, { code: "watchdog-bite", by: { by: "watchdog" } }) && !bitten.healthy, bitten.text);
    assert.match(bitten.way_out ?? "", /writes to \/dev\/watchdog/);
    assert.match(bitten.text, /the kernel's watchdog \(softdog\), to which no program has written in time/);
    const kept = started.copy();
    kept.command("mdev -s; exec 5> /dev/watchdog");
    for (let time = 0; time < 8; time++) {
      assert.ok(kept.run(BITES));
      kept.command("echo >&5");
    }
    assert.ok(verdictOn(kept).healthy);
  });
}
