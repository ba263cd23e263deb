// The private apt state against a repository in a folder: no network.

import assert from "node:assert/strict";
import { Apt, debFields, unpackDeb } from "../../src/workstation/apt.ts";
import { sha256 } from "../../src/workstation/cache.ts";

/** A package of the test repository. */
interface TestPackage {
  name: string;
  depends?: string;
  file: string;
}

const PACKAGES: TestPackage[] = [
  { name: "el2-test-kernel", depends: "el2-test-base (>= 1.0)", file: "boot/vmlinuz" },
  { name: "el2-test-base", file: "etc/base" },
];

/** Builds .debs and the list of a flat repository in `folder`. */
async function buildRepository(folder: string): Promise<void> {
  const paragraphs: string[] = [];
  for (const { name, depends, file } of PACKAGES) {
    const tree = `${folder}/tree-${name}`;
    await Deno.mkdir(`${tree}/DEBIAN`, { recursive: true });
    await Deno.mkdir(`${tree}/${file.replace(/\/[^/]*$/, "")}`, { recursive: true });
    await Deno.writeTextFile(`${tree}/${file}`, `contents of ${name}`);
    const fields = ["Package: " + name, "Version: 1:1.0-2", "Architecture: arm64", "Maintainer: el2", "Description: test"];
    if (depends) fields.push(`Depends: ${depends}`);
    await Deno.writeTextFile(`${tree}/DEBIAN/control`, fields.join("\n") + "\n");
    const deb = `${name}_1.0-2_arm64.deb`;
    const { success, stderr } = await new Deno.Command("dpkg-deb", { args: ["--root-owner-group", "-b", tree, `${folder}/${deb}`] })
      .output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const data = await Deno.readFile(`${folder}/${deb}`);
    paragraphs.push([...fields, `Filename: ./${deb}`, `Size: ${data.length}`, `SHA256: ${await sha256(data)}`].join("\n"));
  }
  await Deno.writeTextFile(`${folder}/Packages`, paragraphs.join("\n\n") + "\n");
}

/** Runs `body` with a repository and an apt state that knows it. */
async function withApt(body: (apt: Apt, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-apt-" });
  try {
    await Deno.mkdir(`${folder}/repository`);
    await buildRepository(`${folder}/repository`);
    const sources = [`[trusted=yes] file:${folder}/repository ./`];
    const apt = await Apt.open({ folder: `${folder}/state`, sources, architecture: "arm64" });
    await apt.update();
    await body(apt, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a package is shown, downloaded and unpacked without root and without the machine's own state", () =>
  withApt(async (apt, folder) => {
    assert.equal((await apt.show("el2-test-kernel")).get("Depends"), "el2-test-base (>= 1.0)");
    const [deb] = await apt.download(["el2-test-kernel"], `${folder}/work`);
    assert.equal((await debFields(deb)).get("Version"), "1:1.0-2");
    await unpackDeb(deb, `${folder}/root`);
    assert.equal(await Deno.readTextFile(`${folder}/root/boot/vmlinuz`), "contents of el2-test-kernel");
  }));

Deno.test("the closure of a package is what a machine without anything would install", () =>
  withApt(async (apt) => {
    assert.deepEqual((await apt.closure(["el2-test-kernel"])).sort(), ["el2-test-base", "el2-test-kernel"]);
  }));

Deno.test("a package that is not what the list promises is refused", () =>
  withApt(async (apt, folder) => {
    const path = `${folder}/repository/el2-test-base_1.0-2_arm64.deb`;
    const data = await Deno.readFile(path);
    data[data.length - 1] ^= 1;
    await Deno.writeFile(path, data);
    await assert.rejects(apt.download(["el2-test-base"], `${folder}/work`), /apt-get failed: .*Hash Sum mismatch/s);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/work`), ({ name }) => name), []);
  }));

Deno.test("a package that no source has is refused by apt's own words", () =>
  withApt(async (apt, folder) => {
    await assert.rejects(apt.show("el2-no-such-package"), /No packages found/);
    await assert.rejects(apt.download(["el2-no-such-package"], `${folder}/work`), /el2-no-such-package/);
  }));
