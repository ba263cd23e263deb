import assert from "node:assert/strict";
import { catalogPath } from "../../../../../src/app/catalog/catalog.ts";
import { readConfig } from "../../../../../src/app/configuration/config.ts";
import { gptEnd, gptTables } from "../../../../../src/kit/formats/gpt.ts";
import { KiB } from "../../../../../src/kit/support/values/sizes.ts";
import { compositeDisk } from "../../../../support/composite-disk.ts";
import { el2Command } from "../../../../support/el2.ts";
import { longTest } from "../../../../support/long.ts";
import { printingImage } from "../../../../support/printing-image.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { el2, el2Refused } from "../../program.ts";

Deno.test("a line of QEMU prints its configuration and what is absent, and runs", () =>
  inFolder(async (folder) => {
    const image = `${folder}/Image`;
    await Deno.writeFile(image, printingImage("printed by the guest\n"));
    const line = `qemu-system-aarch64 -M virt -m 64 -nodefaults -vga none -usb \\\n -kernel '${image}'`;
    const { code, stdout, stderr } = await el2("run", "--from", line, "--headless", "--turbo", "--set", "machine.cpus=2");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /printed by the guest/);
    assert.match(stderr, /^# qemu-system-aarch64, as a machine of el2\n# absent: -vga none: .*\n# absent: -usb: no USB\nel2 = 1\n/);
    const { ok } = readConfig(stderr.slice(0, stderr.lastIndexOf("\nel2: ")));
    assert.ok(ok, "what was printed is a configuration");
  }));

Deno.test("a line beside WHAT or devices, one without files, and neither are refused with code 2", async () => {
  const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [["run"], /^el2: missing required argument 'what'; for example el2 run demo; --help shows more, and --from\n$/],
    [["run", "demo", "--from", "crosvm run x"], /^el2: demo and --from; give one\n$/],
    [["run", "--from", "crosvm run x", "--net", "user"], /^el2: --net: the command line of --from lists the devices; add it there\n$/],
    [
      ["run", "--from", "crosvm run --initrd no/file no/kernel"],
      /^el2: --from: --initrd no\/file: no such file\n +kernel no\/kernel: no such file\n$/,
    ],
    [
      ["run", "--from", "crosvm run $KERNEL"],
      /^el2: --from: \$KERNEL has no value here: .*; write the value in its place, or give the line in double quotes/,
    ],
  ];
  for (const [args, says] of cases) {
    const { code, stdout, stderr } = await el2Refused([...args]);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, says);
  }
});

/** Lines that boot Debian to a prompt, by the console that they choose. */
const LINES: Readonly<Record<string, string>> = {
  "crosvm run": "--mem 512 --cpus 2 --no-balloon --vsock cid=3 --initrd INITRD IMAGE",
  "qemu-system-aarch64":
    "-M virt,gic-version=3 -cpu cortex-a57 -m 512 -nic none -nographic -append console=ttyAMA0 -initrd INITRD -kernel IMAGE",
  "lkvm run": "-k IMAGE -i INITRD -m 512 -c 1 --rng --network mode=none",
};

/** The output of Debian by a line, where its shell gets commands and then powers it off. */
async function shellOf(line: string, commands: string): Promise<string> {
  const [command, ...args] = el2Command("run", "--from", line, "--stdio", "--turbo");
  const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(`${commands}; poweroff -f\n`));
  await input.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
}

for (const [program, options] of Object.entries(LINES)) {
  longTest(`an unmodified Debian comes to its prompt by a line of ${program}`, async () => {
    const initrd = await catalogPath("catalog:debian/initrd-virtio"), image = await catalogPath("catalog:debian/Image");
    const line = `${program} ${options.replace("INITRD", initrd).replace("IMAGE", image)}`;
    assert.match(await shellOf(line, "echo prompt-of-$((6 * 7))"), /prompt-of-42/);
  });
}

longTest("an unmodified Debian reads and writes the files of a composite disk on crosvm's board", () =>
  inFolder(async (folder) => {
    const initrd = await catalogPath("catalog:debian/initrd-virtio"), image = await catalogPath("catalog:debian/Image");
    const sector = 512, from = 64 * KiB, size = 64 * KiB, [first, second] = [from, from + size];
    const length = second + size + gptEnd(sector);
    const tables = gptTables({
      ...{ sector, size: length, guid: "0f1e2d3c-0102-0304-0506-0708090a0b0c" },
      entries: [
        { label: "kept", guid: "0f1e2d3c-0102-0304-0506-0708090a0b0d", offset: first, size },
        { label: "written", guid: "0f1e2d3c-0102-0304-0506-0708090a0b0e", offset: second, size },
      ],
    });
    const files = {
      "start.img": tables.start,
      "kept.img": new Uint8Array(size).fill(0x6b),
      "written.img": new Uint8Array(size),
      "end.img": tables.end,
    };
    for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, bytes);
    const components = [
      { path: "start.img", offset: 0 },
      { path: "kept.img", offset: first },
      { path: "written.img", offset: second, writable: true },
      { path: "end.img", offset: length - gptEnd(sector) },
    ];
    await Deno.writeFile(`${folder}/disk.img`, compositeDisk({ version: 2, length, components }));
    const shown = await shellOf(
      `crosvm run --mem 512 --no-balloon --block path=${folder}/disk.img --initrd ${initrd} ${image}`,
      [
        "grep -h PARTNAME /sys/block/vda/vda?/uevent",
        "echo kept-$(tr -d k < /dev/vda1 | wc -c)",
        "echo by-the-guest | dd of=/dev/vda2 bs=4096 seek=3 conv=sync,fsync 2> /dev/null",
        "echo refused-$(dd if=/dev/zero of=/dev/vda1 bs=4096 count=1 conv=fsync 2>&1 | grep -c 'I/O\\|Input/output')",
        "dmesg | grep -ci 'gpt:\\|alternate gpt' | sed s/^/complaints-/",
      ].join("; "),
    );
    assert.match(shown, /PARTNAME=kept\r?\nPARTNAME=written\r?\n/, shown);
    for (const word of ["kept-0", "refused-1", "complaints-0"]) assert.match(shown, new RegExp(`^${word}\\r?$`, "m"), shown);
    const written = await Deno.readFile(`${folder}/written.img`);
    assert.equal(new TextDecoder().decode(written.subarray(12_288, 12_300)), "by-the-guest");
    assert.deepEqual(await Deno.readFile(`${folder}/kept.img`), files["kept.img"]);
  }));
