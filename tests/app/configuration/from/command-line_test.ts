import assert from "node:assert/strict";
import { machineOfLine } from "../../../../src/app/configuration/from/command-line.ts";
import type { Table } from "../../../../src/app/configuration/config.ts";
import { planOf } from "../../../../src/app/configuration/plan-run.ts";
import { problemText } from "../../../../src/kit/support/problem.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { makePublicFiles, PUBLIC_LINES, type PublicLine } from "./public-lines.ts";

function deviceText({ kind, image, mode, sector, backend, forward, folder, tag, cid, ports, type, log }: Record<string, unknown>): string {
  return [kind, mode, image ?? folder, sector, tag, backend, forward, cid, ports, type, log].filter((part) => part !== undefined).join(" ");
}

function at(table: Table, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Table | undefined)?.[key], table);
}

function devicesOf(table: Table): readonly Record<string, unknown>[] {
  const [owner] = [table.host as Table | undefined, ...Object.values(table.vm ?? {}) as Table[]].filter((one) =>
    one?.kind === "image" || one?.platform
  );
  return (owner?.devices ?? []) as Record<string, unknown>[];
}

type Expected = Pick<PublicLine, "devices" | "keys" | "absent">;

async function checkMachine(line: string, folder: string, { devices, keys, absent }: Expected): Promise<void> {
  const places = (text: string) => text.replaceAll("@/", `${folder}/`);
  const machine = machineOfLine(places(line)), table = machine.table();
  assert.deepEqual(devicesOf(table).map(deviceText), devices.map(places));
  for (const [path, value] of Object.entries(keys)) {
    assert.deepEqual(at(table, path), typeof value === "string" ? places(value) : value, path);
  }
  const named = [...machine.text(table).matchAll(/^# absent: (.*)$/gm)].map(([, text]) => text);
  assert.equal(named.length, absent.length, named.join("\n"));
  absent.forEach((option, index) => assert.ok(named[index].startsWith(`${places(option)}: `), `${named[index]} is not about ${option}`));
  const planned = await planOf(table);
  assert.ok(planned.ok, planned.ok ? "" : planned.problems.map(problemText).join("\n"));
}

Deno.test("command lines of READMEs, books and scripts are machines that can start, and name what is absent", async (context) => {
  await inFolder(async (folder) => {
    await makePublicFiles(folder);
    for (const { of, line, ...expected } of PUBLIC_LINES) await context.step(of, () => checkMachine(line, folder, expected));
  });
});

const REFUSED: readonly (readonly [line: string, says: RegExp])[] = [
  ["crosvm run --mem 512 --initrd @/none @/Image", /^--initrd .*\/none: no such file$/],
  ["crosvm run --initrd @/a @/b", /^--initrd .*\/a: no such file\n +kernel .*\/b: no such file$/],
  ["crosvm run --initdr x @/Image", /^crosvm run has no option --initdr; did you mean "--initrd"\?$/],
  ["crosvm run --mem @/Image", /^--mem: ".*" is not a whole number from 1 up$/],
  ["crosvm run @/Image --mem", /^crosvm run: --mem needs MIB$/],
  ["crosvm run --block ro=true @/Image", /^--block ro=true: no path$/],
  ["crosvm run --root @/root.img --rwroot @/root.img @/Image", /^--rwroot: there is a root disk already$/],
  ["crosvm run", /^crosvm run names no kernel and no firmware$/],
  ["crosvm stop socket", /^crosvm: no run; give a line of crosvm run$/],
  ["crosvm run @/Image @/Image", /^kernel .*: there is a kernel already$/],
  ['crosvm run "${KERNEL_PATH}"', /^\$\{KERNEL_PATH\} has no value here: only the shell of the line knows it; write the value/],
  ["crosvm run -m $(nproc) x", /^\$\(nproc\) has no value here/],
  ["crosvm run 'Image", /^the quote ' has no end, from 'Image; close it with '$/],
  ["firecracker --api-sock x", /^no command of crosvm, QEMU or kvmtool, and no vm_config.json; give one, such as/],
  ["qemu-system-x86_64 -m 1G", /^qemu-system-x86_64: not for arm64; give a line of qemu-system-aarch64$/],
  ["qemu-system-aarch64 -kernel @/Image -device virtio-blk-pci,drive=hd0", /^-device virtio-blk-pci: no drive "hd0"; name one with -drive/],
  ["qemu-system-aarch64 -kernel @/Image -m 1X", /^-m: "1X" is not a size; use for example 512 or 2G$/],
  ["lkvm run -k @/Image -m huge", /^--?m: "huge" is not a size/],
];

Deno.test("a line that describes no machine is refused with its option, its word or its file", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    for (const [line, says] of REFUSED) {
      assert.throws(() => machineOfLine(line.replaceAll("@/", `${folder}/`)), { message: says }, line);
    }
  }));

Deno.test("a pipe as a disk or kernel is not opened: its writer may never come", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    const pipe = `${folder}/pipe`;
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const ofQemu = machineOfLine(`qemu-system-aarch64 -kernel ${folder}/Image -drive file=${pipe}`);
    assert.ok(devicesOf(ofQemu.table()).some(({ image }) => image === pipe));
    assert.equal(machineOfLine(`crosvm run ${pipe}`).keys.kernel, pipe);
  }));

/** Files of phones, as AOSP's documents and projects have them, with other paths. */
const FILES: readonly (Omit<PublicLine, "line"> & { readonly file: Record<string, unknown> })[] = [
  {
    of: "AOSP's page on custom VMs: Debian with graphics",
    file: {
      name: "debian",
      bootloader: "u-boot.bin",
      disks: [{ image: "/data/local/tmp/debian.img", partitions: [], writable: true }],
      protected: false,
      cpu_topology: "match_host",
      platform_version: "~1.0",
      memory_mib: 8096,
      debuggable: true,
      console_out: true,
      connect_console: true,
      console_input_device: "ttyS0",
      network: true,
      input: { touchscreen: true, keyboard: true, mouse: false },
      audio: { speaker: true, microphone: true },
      gpu: { backend: "virglrenderer", context_types: ["virgl2"] },
      display: { refresh_rate: "30" },
    },
    devices: ["console hvc0", "block rw @/debian.img", "net user", "input keyboard", "rng", "balloon"],
    keys: { "vm.debian.bios": "@/u-boot.bin", "vm.debian.vcpus": 8, "vm.debian.memory": "2936MiB", "vm.debian.platform": "crosvm" },
    absent: ["/data/local/tmp/debian.img", "input.touchscreen", "audio", "gpu", "display", "memory of 8096MiB"],
  },
  {
    of: "a VM launcher: a kernel and several images",
    file: {
      name: "Android",
      kernel: "$PAYLOAD_DIR/Image",
      initrd: "initrd",
      params: "androidboot.hardware=virtio",
      disks: [{ image: "root.img", writable: true }, { image: "disk.img", writable: false }],
      protected: true,
      platform_version: "~1.0",
      memory_mib: 1024,
      sharedPath: [{ sharedPath: "/storage/emulated" }, { sharedPath: "$APP_DATA_DIR/shared" }],
    },
    devices: ["console hvc0", "block rw @/root.img", "block ro @/disk.img", "9p rw @/shared internal", "rng", "balloon"],
    keys: { "vm.android.kernel": "@/Image", "vm.android.cmdline": "androidboot.hardware=virtio", "vm.android.vcpus": 1 },
    absent: ["protected", "sharedPath /storage/emulated", "sharedPath $APP_DATA_DIR/shared"],
  },
];

Deno.test("a vm_config.json of a phone is a machine that can start, with the files beside it", async (context) => {
  await inFolder(async (folder) => {
    await makePublicFiles(folder);
    const path = `${folder}/vm_config.json`;
    for (const { of, file, ...expected } of FILES) {
      await context.step(of, async () => {
        await Deno.writeTextFile(path, JSON.stringify(file));
        for (const line of [path, `/apex/com.android.virt/bin/vm run ${path}`]) await checkMachine(line, folder, expected);
      });
    }
  });
});

Deno.test("a vm_config.json that is wrong is refused with the key", () =>
  inFolder((folder) => {
    const path = `${folder}/vm_config.json`;
    const cases: readonly (readonly [text: string, says: RegExp])[] = [
      ['{"disks": [{"partitions": [{"label": "a"}]}]}', /^disks\[0\]\.partitions\[0\]\.path is missing$/],
      ['{"sharedPath": [{}]}', /^sharedPath\[0\]\.sharedPath is missing$/],
      ['{"disks": [{"partitions": [{"label": "a", "path": "none"}]}]}', /^disks\[0\]\.partitions\[0\] .*\/none: no such file$/],
      ["[", /vm_config\.json: .*JSON/],
      ["[1]", /vm_config\.json is not a table of JSON/],
      ["{}", /vm_config\.json names no kernel and no firmware$/],
      ['{"kernel": 1}', /^kernel is not a text$/],
      ['{"kernel": "none"}', /^kernel .*\/none: no such file$/],
      ['{"memory_mib": -1}', /^memory_mib is below 1$/],
      ['{"cpu_topology": "x"}', /^cpu_topology is neither one_cpu nor match_host$/],
      ['{"disks": [{"image": 3}]}', /^disks\[0\]\.image is not a text$/],
      ['{"disks": [{}]}', /^disks\[0\]: needs either image or partitions$/],
    ];
    for (const [text, says] of cases) {
      Deno.writeTextFileSync(path, text);
      assert.throws(() => machineOfLine(path), { message: says }, text);
    }
    assert.throws(() => machineOfLine(`${folder}/other.json`), /other\.json: no such file/);
  }));

/** A file as crosvm's book has it: a base to which a line adds. */
const BASE = {
  kernel: "@/Image",
  cpus: { "num-cores": 8 },
  mem: { size: 2048 },
  params: ["debug"],
  block: [{ path: "@/root.img", ro: true, root: true }, { path: "@/disk.img", "block-size": 4096 }],
  serial: [{ type: "stdout", hardware: "virtio-console", console: true, stdin: true }],
  net: [{ "tap-name": "crosvm_tap" }],
  vsock: { cid: 3 },
  "no-balloon": true,
  "no-rng": false,
  protected_vm: null,
  gpu: [{ backend: "2d", displays: [["a", 1]] }],
};

Deno.test("a configuration file of crosvm is read where the line names it, and the line adds to it", () =>
  inFolder(async (folder) => {
    await makePublicFiles(folder);
    await Deno.writeTextFile(`${folder}/vm.json`, JSON.stringify(BASE).replaceAll("@/", `${folder}/`));
    await checkMachine("crosvm run --mem 512 --cfg @/vm.json --cpus 2 --rwdisk @/debian.img", folder, {
      devices: ["block ro @/root.img", "block rw @/disk.img 4096", "console hvc0", "net user", "vsock 3", "block rw @/debian.img", "rng"],
      keys: {
        "vm.guest.kernel": "@/Image",
        "vm.guest.vcpus": 2,
        "vm.guest.memory": "2GiB",
        "vm.guest.cmdline": "console=hvc0 root=/dev/vda ro debug",
      },
      absent: ["--net tap-name=crosvm_tap", "--gpu backend=2d,displays=[[a,1]]"],
    });
    const cases: readonly (readonly [text: string, says: RegExp])[] = [
      ["{", /^.*vm\.json: .*JSON/],
      ['{"kernell": "x"}', /^.*vm\.json: crosvm run has no option --kernell/],
      ['{"cfg": "vm.json"}', /^.*vm\.json: a configuration file names no other one$/],
      ['{"cpus": {"num-cores": {"x": 1}}}', /^.*vm\.json: cpus\.num-cores has a value that the option does not have$/],
      ['{"mem": {"size": "much"}}', /^.*vm\.json: --mem: "much" is not a whole number from 1 up$/],
      [`{"block": [{"path": "${"a,b'".replaceAll('"', "")}\\""}]}`, /^.*vm\.json: .* has quotes of both kinds$/],
    ];
    for (const [text, says] of cases) {
      Deno.writeTextFileSync(`${folder}/vm.json`, text);
      assert.throws(() => machineOfLine(`crosvm run --cfg ${folder}/vm.json`), { message: says }, text);
    }
    assert.throws(() => machineOfLine(`crosvm run --cfg ${folder}/none.json`), /none\.json: no such file/);
  }));
