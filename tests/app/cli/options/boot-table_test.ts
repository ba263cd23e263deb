// `el2 boot` makes a configuration of its options; printed, saved and run it is the same machine.

import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { bootPlan, bootTable, tomlOf } from "../../../../src/app/cli/options/boot-table.ts";
import { planRun } from "../../../../src/app/configuration/plan-run.ts";
import { addToCatalog, catalogFiles, type CatalogSource } from "../../../../src/app/catalog/catalog.ts";
import { el2, imageOf } from "../program.ts";
import { TRUSTED } from "../../../support/trusted.ts";
import { assertPlanned } from "../../../support/planned.ts";

const ROOT = new URL("../../../../", import.meta.url).pathname;

/** The plan of a configuration, in the folder of the files that it names. */
async function planOfFile(text: string, folder: string) {
  const file = `${folder}/el2.toml`;
  await Deno.writeTextFile(file, text);
  const planned = await planRun(file, TRUSTED);
  assertPlanned(planned);
  const { ui: _, recordTo: _recordTo, ...plan } = planned.run;
  return plan;
}

Deno.test("the configuration that el2 boot --print-config prints is the same plan when it is run", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-boot-table-" }), file = (name: string) => `${folder}/${name}`;
  try {
    await Deno.writeFile(file("Image"), imageOf([]));
    for (const name of ["initrd", "disk.img"]) await Deno.writeFile(file(name), new Uint8Array(4096).fill(name.length));
    const elf = `${ROOT}assets/guests/hello.elf`;
    const args = [
      ...[
        "boot",
        file("Image"),
        "--initrd",
        file("initrd"),
        "--append",
        'quiet x="y z"',
        "--set",
        `host.symbols=${elf}`,
        "--memory",
        "96MiB",
      ],
      ...["--cpus", "3", "--cpu", "v8.4", "--turbo", "--disk", `${file("disk.img")},overlay`, "--share", `${folder},ro,tag=in`],
      ...["--net", "user,lan=yes,deny=10.1.0.0/16", "--forward", "2222:22", "--set", "machine.seed=7", "--set", "machine.phone=sm8650"],
      ...["--set", "machine.check=true", "--set", "host.uart=16550a", "--set", "host.bus=pci", "--set", "machine.msi=its"],
      ...["--set", "host.rtc=2026-01-31T12:00:00Z", "--set", 'host.devices=[{ kind = "balloon" }, { kind = "input", type = "tablet" }]'],
    ];
    const printed = await el2(...args, "--print-config");
    assert.deepEqual([printed.code, printed.stderr], [0, ""]);
    const plan = await bootPlan(parse(printed.stdout));
    assert.deepEqual(await planOfFile(printed.stdout, folder), plan);
    const { what, cpus, memory, turbo, seed, behaviour } = plan;
    assert.ok(what.kind === "boot" && what.image && what.initrd);
    assert.deepEqual([cpus, memory, turbo, seed, behaviour?.check, behaviour?.msi], [3, 96 << 20, true, 7, true, "its"]);
    assert.deepEqual([what.append, what.bus, what.uart, what.clock], ['quiet x="y z"', "pci", "16550a", 1_769_860_800]);
    assert.deepEqual(what.devices?.map(({ kind }) => kind), ["block", "9p", "net", "balloon", "input"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("el2 boot debian is the configuration of the catalog's guest, with the options added", async () => {
  const cache = await Deno.makeTempDir({ prefix: "el2-test-" }), before = Deno.env.get("EL2_CACHE");
  Deno.env.set("EL2_CACHE", cache);
  try {
    const files = new Map<string, CatalogSource>(["Image", "initrd", "root.img"].map((name) => [name, imageOf([])]));
    const manifest = { schema: "el2.guest/1", name: "debian-bookworm-disk", about: "a", fetched: "" } as const;
    await addToCatalog({ ...manifest, packages: [], files: await catalogFiles(files) }, files);
    const set = ["host.uart=16550a", "host.rtc=2026-01-31T12:00:00Z"];
    const table = await bootTable("debian", { cpus: 2, memory: "128MiB", append: "quiet", set });
    const plan = await bootPlan(table);
    assert.deepEqual(await planOfFile(tomlOf(table), cache), plan);
    assert.ok(plan.what.kind === "boot");
    assert.equal(plan.what.append, "console=ttyS0 root=/dev/vda quiet");
    assert.deepEqual(plan.what.devices?.map(({ kind }) => kind), ["block", "net"]);
    await assert.rejects(bootTable("debian", { cpus: 1, memory: "1GiB", initrd: "x" }), /the guest has its own images; remove --initrd/);
  } finally {
    if (before === undefined) Deno.env.delete("EL2_CACHE");
    else Deno.env.set("EL2_CACHE", before);
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("el2 boot of a guest that runs as a secondary VM says how to run it", async () => {
  const options = { cpus: 1, memory: "1GiB" };
  await assert.rejects(bootTable("debian-trixie", options), /debian-trixie: .* runs as a secondary VM; use el2 run debian-trixie$/);
});

Deno.test("el2 boot --el2 self needs an image, or firmware that finds one", async () => {
  const options = { cpus: 1, memory: "256MiB", el2: "self" };
  await assert.rejects(bootTable(undefined, options), /--el2 self enters the image at EL2; name the image, or use --firmware$/);
  const { host } = await bootTable(undefined, { ...options, firmware: "u-boot.bin" }) as { host: Record<string, unknown> };
  assert.deepEqual([host.el2, host.firmware, host.kernel], ["self", "u-boot.bin", undefined]);
});

Deno.test("el2 boot has at most 36 options, grouped by noun", async () => {
  const { stdout } = await el2("boot", "--help");
  const groups = [...stdout.matchAll(/^([A-Z]\w+):$/gm)].map(([, name]) => name);
  assert.deepEqual(groups.filter((name) => !["Options", "Arguments", "Examples"].includes(name)), [
    ...["Image", "Machine", "Devices", "Run", "Core", "Display"],
  ]);
  const options = [...stdout.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, name]) => name).filter((name) => name !== "--help");
  assert.ok(options.length > 0 && options.length <= 36, `${options.length}: ${options.join(" ")}`);
});
