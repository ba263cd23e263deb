// The private apt state against a repository in a folder: no network.

import assert from "node:assert/strict";
import { Apt } from "../../scripts/apt.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { buildRepository, type TestPackage } from "../support/debian-repository.ts";

const PACKAGES: readonly TestPackage[] = [
  { name: "el2-test-kernel", depends: "el2-test-base (>= 1.0)", file: "boot/vmlinuz" },
  { name: "el2-test-base", file: "etc/base" },
];

/** Runs `body` with a repository and an apt state that knows it. */
async function withApt(body: (apt: Apt, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-apt-" });
  try {
    await buildRepository(`${folder}/repository`, PACKAGES);
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
    assert.equal((await new Deb(deb).fields()).get("Version"), "1:1.0-2");
    await new Deb(deb).unpack(`${folder}/root`);
    assert.equal(await Deno.readTextFile(`${folder}/root/boot/vmlinuz`), "contents of el2-test-kernel");
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
