// Unmodified Debian kernels that are entered at EL2, and guests under their KVM: Debian's QEMU runs
// the same kernel with two vCPUs, a disk and a network, in each mode of KVM. EL2_LONG.

import assert from "node:assert/strict";
import { archiveFile, archiveFolder } from "../../src/app/catalog/busybox-archive.ts";
import type { DebianRelease } from "../../src/app/catalog/catalog.ts";
import { withEntries } from "../../src/kit/formats/cpio.ts";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { type GuestConsole, Guests, ordinaryGuest } from "./guest.ts";

/** Virtual seconds: of a boot, of a command, of a boot in a guest of KVM. */
const BOOT = 60, COMMAND = 30, GUEST_BOOT = 120;

/** Modes of KVM, as the command line asks for them. */
const MODES = { VHE: "", nVHE: "kvm-arm.mode=nvhe", protected: "kvm-arm.mode=protected" } as const;

/** Kernels, modes and CPUs that are tried, and what each kernel calls its mode. */
const CASES: readonly {
  readonly release: DebianRelease;
  readonly mode: keyof typeof MODES;
  readonly cpus: number;
  readonly cpu: string;
  readonly says: string;
}[] = [
  { release: "bookworm", mode: "VHE", cpus: 1, cpu: "v8,+FEAT_VHE", says: "VHE mode" },
  { release: "bookworm", mode: "nVHE", cpus: 2, cpu: "v8", says: "Hyp mode" },
  { release: "bookworm", mode: "protected", cpus: 2, cpu: "v8,+FEAT_VHE", says: "Protected nVHE mode" },
  { release: "trixie", mode: "VHE", cpus: 2, cpu: "v8,+FEAT_VHE", says: "VHE mode" },
  { release: "trixie", mode: "nVHE", cpus: 2, cpu: "v8,+FEAT_VHE", says: "Hyp nVHE mode" },
  // With E2H at its own level alone.
  { release: "trixie", mode: "protected", cpus: 2, cpu: "v8,+FEAT_VHE", says: "Protected hVHE mode" },
  { release: "sid", mode: "VHE", cpus: 2, cpu: "v8,+FEAT_VHE", says: "VHE mode" },
];

const GUEST_FILES = "/guest", DISK = "disk", WRITTEN = "written-by-the-guest";
/** Arguments of Debian's QEMU: a machine of KVM with virtio devices. */
const QEMU = [
  ...["qemu-system-aarch64 -nodefaults -nographic -serial stdio", "-M virt,gic-version=3 -accel kvm -cpu host -m 256 -smp 2"],
  `-kernel ${GUEST_FILES}/Image -initrd ${GUEST_FILES}/initrd -append 'console=ttyAMA0 quiet'`,
  `-drive file=${GUEST_FILES}/${DISK},if=none,format=raw,id=disk -device virtio-blk-device,drive=disk`,
  `-netdev user,id=net,tftp=${GUEST_FILES} -device virtio-net-device,netdev=net`,
].join(" ");

const sha256 = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();

/** The console of a release's kernel at EL2, whose ramdisk has QEMU and files for a guest. */
async function bootAtEl2({ release, mode, cpus, cpu }: typeof CASES[number], disk: Uint8Array, folder: string): Promise<GuestConsole> {
  const { image, initrd, plain } = await ordinaryGuest(release, ["qemu-system-arm"]);
  const files = Object.entries({ Image: image, initrd: plain, [DISK]: disk });
  const entries = files.map(([name, bytes]) => archiveFile(`guest/${name}`, bytes, 0o644));
  await Deno.writeFile(`${folder}/Image`, image);
  await Deno.writeFile(`${folder}/initrd`, withEntries(initrd, [archiveFolder("guest"), ...entries]));
  const cmdline = `console=ttyAMA0 ${MODES[mode]}`;
  const guests = await Guests.configured(
    `
    el2 = 1
    machine = { cpus = ${cpus}, cpu = "${cpu}", memory = "1GiB" }
    host = { kind = "image", el2 = "self", kernel = "Image", initrd = "initrd", cmdline = "${cmdline}" }
    `,
    folder,
  );
  const console = guests.console("host");
  await console.expect(PROMPT, BOOT);
  return console;
}

for (const one of CASES) {
  const { release, mode, cpus, cpu, says } = one;
  longTest(`a guest of KVM in ${mode} mode boots in Debian ${release} at EL2, CPUs: ${cpus} of ${cpu}`, () =>
    inFolder(async (folder) => {
      const disk = Uint8Array.from({ length: 1 << 20 }, (_, at) => at * 7 + (at >> 9)), digest = await sha256(disk);
      const console = await bootAtEl2(one, disk, folder);
      const lines = ["CPU: All CPU(s) started at EL2", "GIC system register CPU interface enabled", `]: ${says} initialized successfully`];
      for (const line of lines) assert.ok(console.text.includes(line), line);

      console.type(QEMU);
      await console.expect(/EL2-READY .* cpus=2\n/, GUEST_BOOT);
      await console.expect(PROMPT, GUEST_BOOT);
      const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
      await command("dmesg | grep KVM", /smccc: KVM: hypervisor services detected/);
      await command("sha256sum /dev/vda", new RegExp(`${digest}  /dev/vda`));
      await command(`cd /tmp; tftp -g -r ${DISK} 10.0.2.2; sha256sum ${DISK}; cd`, new RegExp(`${digest}  ${DISK}`));
      await command(`echo ${WRITTEN} | dd of=/dev/vda bs=512 seek=3 conv=sync,fsync 2>/dev/null; echo wrote-$?`, /wrote-0\n/);
      await command("poweroff -f", /reboot: Power down/);
      await command(`dd if=${GUEST_FILES}/${DISK} bs=512 skip=3 count=1 2>/dev/null`, new RegExp(`^${WRITTEN}$`, "m"));
      console.type("poweroff -f");
      assert.equal(await console.guests.end(BOOT), "SYSTEM_OFF");
    }));
}
