import assert from "node:assert/strict";
import { machineOfLine } from "../../../../src/app/configuration/from/command-line.ts";
import type { Table } from "../../../../src/app/configuration/config.ts";
import { planOf } from "../../../../src/app/configuration/plan-run.ts";
import { problemText } from "../../../../src/kit/support/problem.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { makePublicFiles, PUBLIC_LINES } from "./public-lines.ts";

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

Deno.test("command lines of READMEs, books and scripts are machines that can start, and name what is absent", async (context) => {
  await inFolder(async (folder) => {
    await makePublicFiles(folder);
    const places = (text: string) => text.replaceAll("@/", `${folder}/`);
    for (const { of, line, devices, keys, absent } of PUBLIC_LINES) {
      await context.step(of, async () => {
        const machine = machineOfLine(places(line)), table = machine.table();
        assert.deepEqual(devicesOf(table).map(deviceText), devices.map(places));
        for (const [path, value] of Object.entries(keys)) {
          assert.deepEqual(at(table, path), typeof value === "string" ? places(value) : value, path);
        }
        const named = [...machine.text(table).matchAll(/^# absent: (.*)$/gm)].map(([, text]) => text);
        assert.equal(named.length, absent.length, named.join("\n"));
        absent.forEach((option, index) =>
          assert.ok(named[index].startsWith(`${places(option)}: `), `${named[index]} is not about ${option}`)
        );
        const planned = await planOf(table);
        assert.ok(planned.ok, planned.ok ? "" : planned.problems.map(problemText).join("\n"));
      });
    }
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
  ["crosvm run", /^the command line of crosvm run names no kernel and no firmware$/],
  ["crosvm stop socket", /^crosvm: no run; give a line of crosvm run$/],
  ["crosvm run @/Image @/Image", /^kernel .*: there is a kernel already$/],
  ['crosvm run "${KERNEL_PATH}"', /^\$\{KERNEL_PATH\} has no value here: only the shell of the line knows it; write the value/],
  ["crosvm run -m $(nproc) x", /^\$\(nproc\) has no value here/],
  ["crosvm run 'Image", /^the quote ' has no end, from 'Image; close it with '$/],
  ["firecracker --api-sock x", /^no command of crosvm, QEMU or kvmtool; give one, such as/],
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
