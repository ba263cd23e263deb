import assert from "node:assert/strict";
import { catalogPath } from "../../../../../src/app/catalog/catalog.ts";
import { readConfig } from "../../../../../src/app/configuration/config.ts";
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

for (const [program, options] of Object.entries(LINES)) {
  longTest(`an unmodified Debian comes to its prompt by a line of ${program}`, async () => {
    const initrd = await catalogPath("catalog:debian/initrd-virtio"), image = await catalogPath("catalog:debian/Image");
    const line = `${program} ${options.replace("INITRD", initrd).replace("IMAGE", image)}`;
    const [command, ...args] = el2Command("run", "--from", line, "--stdio", "--turbo");
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode("echo prompt-of-$((6 * 7)); poweroff -f\n"));
    await input.close();
    const { stdout } = await child.output();
    assert.match(new TextDecoder().decode(stdout), /prompt-of-42/);
  });
}
