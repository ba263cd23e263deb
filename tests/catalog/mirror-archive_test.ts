// Packages from a mirror without apt, against a repository on loopback.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { sha256 } from "../../src/support/cache.ts";
import { MirrorArchive } from "../../src/catalog/mirror-archive.ts";
import { buildRepository, type TestPackage } from "../support/debian-repository.ts";

const PACKAGES: readonly TestPackage[] = [
  { name: "el2-kernel", depends: "el2-base (>= 1.0), el2-other | el2-absent, virtual", file: "boot/vmlinuz" },
  { name: "el2-base", depends: "el2-kernel", file: "etc/base" },
  { name: "el2-other", file: "etc/other" },
  { name: "el2-provider", file: "etc/provider" },
  { name: "el2-broken", depends: "el2-absent | el2-nowhere", file: "etc/broken" },
];

/** Runs `body` with an archive of a mirror, whose files are in `repository`. */
async function withMirror(body: (archive: MirrorArchive, repository: string, mirror: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-mirror-" });
  try {
    const repository = `${folder}/repository`;
    await buildRepository(repository, PACKAGES);
    const list = (await Deno.readTextFile(`${repository}/Packages`))
      .replace("Package: el2-provider\n", "Package: el2-provider\nProvides: virtual (= 2)\n")
      .replace("Package: el2-other\n", "Package: el2-other\nPriority: required\n");
    const packed = Uint8Array.from(gzipSync(list));
    const lists = `${repository}/dists/stable/main/binary-arm64`;
    await Deno.mkdir(lists, { recursive: true });
    await Deno.writeFile(`${lists}/Packages.gz`, packed);
    const line = ` ${await sha256(packed)} ${packed.length} main/binary-arm64/Packages.gz\n`;
    await Deno.writeTextFile(`${repository}/dists/stable/InRelease`, `Suite: stable\nSHA256:\n${line} 00 1 other\n`);
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      try {
        return new Response(await Deno.readFile(repository + new URL(request.url).pathname));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return new Response(null, { status: 404 });
        throw error;
      }
    });
    const mirror = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/`;
    await body(new MirrorArchive({ mirror, suite: "stable", architecture: "arm64" }), repository, mirror);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a mirror's packages are listed, followed through their dependencies and downloaded", () =>
  withMirror(async (archive, repository) => {
    await archive.update();
    assert.equal((await archive.show("el2-base")).get("Depends"), "el2-kernel");
    const closure = await archive.closure(["el2-kernel"]);
    assert.deepEqual(closure, ["el2-kernel", "el2-base", "el2-other", "el2-provider"]);
    assert.deepEqual(await archive.closure([], true), ["el2-other"]);
    const [path] = await archive.download(["el2-base"], `${repository}/downloads`);
    assert.equal(await sha256(await Deno.readFile(path)), (await archive.show("el2-base")).get("SHA256"));
  }));

Deno.test("what a mirror does not have, and what nothing can serve, is named", () =>
  withMirror(async (archive, _repository, mirror) => {
    await archive.update();
    await assert.rejects(archive.show("el2-absent"), /stable has no package el2-absent/);
    await assert.rejects(archive.closure(["el2-broken"]), /el2-broken depends on el2-absent or el2-nowhere, which stable does not have/);
    const other = new MirrorArchive({ mirror, suite: "unstable", architecture: "arm64" });
    await assert.rejects(other.update(), /dists\/unstable\/InRelease: the mirror answers 404/);
    const foreign = new MirrorArchive({ mirror, suite: "stable", architecture: "m68k" });
    await assert.rejects(foreign.update(), /stable has no list of packages for m68k/);
  }));

Deno.test("a list or a package that is not what was promised is refused and not kept", () =>
  withMirror(async (archive, repository) => {
    await archive.update();
    const deb = `${repository}/el2-base_1.0-2_arm64.deb`;
    await Deno.writeFile(deb, Uint8Array.of(1), { append: true });
    await assert.rejects(archive.download(["el2-base"], `${repository}/downloads`), /is not what its list says/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${repository}/downloads`)), []);
    await Deno.writeFile(`${repository}/dists/stable/main/binary-arm64/Packages.gz`, Uint8Array.of(1), { append: true });
    await assert.rejects(archive.update(), /is not what its release file says/);
  }));

Deno.test("a mirror that anybody on the way could change is refused", () => {
  const options = { suite: "stable", architecture: "arm64" };
  assert.throws(() => new MirrorArchive({ ...options, mirror: "http://mirror.example/debian" }), /name an https mirror/);
  new MirrorArchive({ ...options, mirror: "https://mirror.example/debian" });
});
