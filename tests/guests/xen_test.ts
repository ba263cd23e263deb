// Debian's Xen at EL2, with Debian's kernel as dom0 by modules of the devicetree, and a domU that
// its `xl` makes. EL2_LONG.

import assert from "node:assert/strict";
import { archiveFile, archiveFolder } from "../../src/app/catalog/busybox-archive.ts";
import type { DebianRelease } from "../../src/app/catalog/catalog.ts";
import { withDebianArchive } from "../../src/app/catalog/debian.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { withEntries } from "../../src/kit/formats/cpio.ts";
import { LINUX_TABLES } from "../../src/model/queries/linux-tables.ts";
import { rowsOf } from "../../src/model/queries/query.ts";
import { SYMBOLS } from "../../src/model/queries/tables.ts";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { type GuestConsole, Guests, ordinaryGuest } from "./guest.ts";

/** Virtual seconds. */
const BOOT = 120, COMMAND = 30;

/** Releases, their versions of Xen, and CPUs. */
const CASES: readonly { readonly release: DebianRelease; readonly version: string; readonly cpus: number }[] = [
  { release: "bookworm", version: "4.17", cpus: 1 },
  { release: "bookworm", version: "4.17", cpus: 2 },
  { release: "bookworm", version: "4.17", cpus: 4 },
  { release: "trixie", version: "4.20", cpus: 1 },
  { release: "trixie", version: "4.20", cpus: 2 },
  { release: "trixie", version: "4.20", cpus: 4 },
  { release: "sid", version: "4.20", cpus: 1 },
  { release: "sid", version: "4.20", cpus: 2 },
  { release: "sid", version: "4.20", cpus: 4 },
];

/** Files of packages besides programs and libraries: those of the version, scripts of devices. */
const TOOLS = /^etc\/xen\/|^usr\/lib\/xen-[^/]*\/bin\//;
/** Drivers of dom0 and of a domU. */
const DRIVERS = ["xen_evtchn", "xen_gntdev", "xen_gntalloc", "xenfs", "xen_privcmd", "xen_blkback", "xen_blkfront"];
const FILES = "/guest", WRITTEN = "written-by-the-domU";
/** MiB. With 128, the later kernels with two CPUs do nothing but look for memory. */
const MEMORY = 256;
const DOMAIN = `name = "guest"
kernel = "${FILES}/Image"
ramdisk = "${FILES}/initrd"
memory = ${MEMORY}
vcpus = 2
extra = "console=hvc0 quiet"
disk = ["phy:/dev/vda,xvda,w"]
`;

/** The hypervisor of a release: an arm64 Image. */
async function fetchXen(release: DebianRelease, version: string): Promise<Uint8Array> {
  return await withDebianArchive({ release }, async (archive, work) => {
    const [deb] = await archive.download([`xen-hypervisor-${version}-arm64`], work);
    await new Deb(deb).unpack(`${work}/xen`);
    return await Deno.readFile(`${work}/xen/boot/xen-${version}-arm64`);
  });
}

/** The console of dom0, whose ramdisk has Xen's tools, and files for a domU; its disk is `disk`. */
async function bootDom0({ release, version, cpus }: typeof CASES[number], disk: Uint8Array, folder: string): Promise<GuestConsole> {
  const packages = [`xen-utils-${version}`, "xenstore-utils", "bash", "util-linux"];
  const { image, initrd, plain } = await ordinaryGuest(release, packages, undefined, DRIVERS, TOOLS);
  const files = Object.entries({ Image: image, initrd: plain, "guest.cfg": DOMAIN });
  const entries = files.map(([name, data]) => archiveFile(`${FILES.slice(1)}/${name}`, data, 0o644));
  await Deno.writeFile(`${folder}/xen`, await fetchXen(release, version));
  await Deno.writeFile(`${folder}/Image`, image);
  await Deno.writeFile(`${folder}/initrd`, withEntries(initrd, [archiveFolder(FILES.slice(1)), ...entries]));
  await Deno.writeFile(`${folder}/disk`, disk);
  const guests = await Guests.configured(
    `
    el2 = 1
    machine = { cpus = ${cpus}, cpu = "v8", memory = "2GiB" }
    [host]
    kind = "image"
    el2 = "xen"
    el2_args = "dom0_mem=768M"
    kernel = "Image"
    initrd = "initrd"
    cmdline = "console=hvc0"
    devices = [{ kind = "block", image = "disk", mode = "rw" }]
    `,
    folder,
  );
  const console = guests.console("host");
  await console.expect(PROMPT, BOOT);
  return console;
}

/** Xen's code and dom0's kernel have names without files, and dom0's processes are read. */
function checkNames({ guests: { system: { inspector } } }: GuestConsole): void {
  const named = rowsOf(SYMBOLS, inspector.answer({ table: "symbols", args: { vm: "host" } }));
  assert.ok(named.some(({ name }) => name === "do_trap_guest_sync"), `${named.length} symbols`);
  const processes = rowsOf(LINUX_TABLES["linux.ps"], inspector.answer({ table: "linux.ps", args: { vm: "host" } }));
  assert.ok(processes.some(({ name, pid }) => name === "init" && pid === 1), JSON.stringify(processes.slice(0, 3)));
}

/** Starts the daemons of Xen's tools. A line has to fit into the ring of Xen's console. */
async function startTools(console: GuestConsole, version: string): Promise<void> {
  const lines = [
    "mkdir -p /var/log/xen /var/lib/xen /run/xen /run/xenstored /run/lock /dev/pts",
    "ln -s /run /var/run; ln -s /run/lock /var/lock; mount -t devpts pts /dev/pts",
    "ln -s /proc/self/fd /dev/fd; ln -s /proc/self/fd/0 /dev/stdin; mount -t xenfs xenfs /proc/xen",
    // Scripts name it there, where trixie's package does not have it.
    "[ -e /bin/bash ] || ln -s /usr/bin/bash /bin/bash",
    `export PATH=/usr/lib/xen-${version}/bin:$PATH`,
    "xenstored --pid-file /run/xenstore.pid && xen-init-dom0 && xenconsoled; echo tools-$?",
  ];
  for (const line of lines) await console.command(line, line.includes("tools-") ? /^tools-0$/m : /\n/, COMMAND);
}

/** An interrupt of dom0's disk moves to its second CPU. */
async function moveInterrupt(console: GuestConsole): Promise<void> {
  await console.command("irq=$(grep virtio /proc/interrupts | cut -d: -f1); grep virtio /proc/interrupts", /: +\d+ +0 .*virtio/, COMMAND);
  await console.command(
    "echo 2 > /proc/irq/$((irq))/smp_affinity; echo 3 > /proc/sys/vm/drop_caches; echo moved-$?",
    /^moved-0$/m,
    COMMAND,
  );
  await console.command(
    "dd if=/dev/vda of=/dev/null bs=64k 2>/dev/null; grep virtio /proc/interrupts",
    /: +\d+ +[1-9]\d* .*virtio/,
    COMMAND,
  );
}

/** A domU boots with a disk and a console, uses the disk, and ends; another one is destroyed. */
async function makeDomains(console: GuestConsole, digest: string): Promise<void> {
  const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
  await command(`xl create ${FILES}/guest.cfg; echo created-$?`, /^created-0$/m);
  await command("xl list", new RegExp(`^guest +1 +${MEMORY} `, "m"));
  console.type("xl console guest");
  await console.expect(/EL2-READY .* cpus=2\n/, BOOT);
  await console.expect(PROMPT, BOOT);
  await command("sh /lib/virtio; dmesg | grep Xen", /Xen [\d.]+ support found/);
  await command("sha256sum /dev/xvda", new RegExp(`^${digest}  /dev/xvda$`, "m"));
  await command(`echo ${WRITTEN} | dd of=/dev/xvda bs=512 seek=3 conv=sync,fsync 2>/dev/null; echo wrote-$?`, /^wrote-0$/m);
  // The console ends with the domain.
  await command("poweroff -f", /reboot: Power down/);
  await command("while xl domid guest 2>/dev/null; do sleep 1; done; echo gone", /^gone$/m);
  await command("dd if=/dev/vda bs=512 skip=3 count=1 2>/dev/null", new RegExp(`^${WRITTEN}$`, "m"));
  await command(`xl create ${FILES}/guest.cfg; xl destroy guest; echo destroyed-$?`, /^destroyed-0$/m);
  await command("xl list | tail -n +2 | wc -l", /^1$/m);
}

for (const one of CASES) {
  const { release, version, cpus } = one;
  longTest(
    `Xen ${version} of Debian ${release} boots at EL2 with Debian as dom0, which makes domains by xl, CPUs: ${cpus}`,
    () =>
      inFolder(async (folder) => {
        const disk = Uint8Array.from({ length: 1 << 20 }, (_, at) => at * 7 + (at >> 9));
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", disk)).toHex();
        const console = await bootDom0(one, disk, folder);
        for (const line of [`Xen version ${version}.`, `Brought up ${cpus} CPUs`, "*** LOADING DOMAIN 0 ***"]) {
          assert.ok(console.text.includes(`(XEN) ${line}`), line);
        }
        await console.command("dmesg | grep Xen", new RegExp(`Xen ${version.replace(".", "\\.")} support found`), COMMAND);
        await console.command("cat /proc/interrupts", /xen-dyn +Edge +-virq +hvc_console/, COMMAND);
        checkNames(console);
        await startTools(console, version);
        if (cpus > 1) await moveInterrupt(console);
        await makeDomains(console, digest);
        console.type("poweroff -f");
        assert.equal(await console.guests.end(BOOT), "SYSTEM_OFF");
      }),
  );
}
