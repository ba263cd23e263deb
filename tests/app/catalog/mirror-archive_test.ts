// Packages from a mirror, against a repository on loopback.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { sha256 } from "../../../src/kit/support/values/sha256.ts";
import { MirrorArchive } from "../../../src/app/catalog/mirror-archive.ts";
import { DEBIAN_KEYS, readRelease } from "../../../src/app/catalog/release-file.ts";
import { withKeptMirror } from "../../dist/kept-mirror.ts";
import type { TestPackage } from "../../support/debian-repository.ts";
import { buildMirror, fileAnswer, releaseText, serving, signed, type SignedMirror, throwAwayKey } from "../../support/signed-mirror.ts";

const PACKAGES: readonly TestPackage[] = [
  { name: "el2-kernel", depends: "el2-base (>= 1.0), el2-other | el2-absent, virtual", file: "boot/vmlinuz" },
  { name: "el2-base", depends: "el2-kernel", file: "etc/base" },
  { name: "el2-other", file: "etc/other" },
  { name: "el2-provider", file: "etc/provider" },
  { name: "el2-broken", depends: "el2-absent | el2-nowhere", file: "etc/broken" },
];

const OPTIONS = { suite: "stable", architecture: "arm64" };

/** Runs `body` with an archive of a mirror. */
async function withMirror(body: (archive: MirrorArchive, mirror: SignedMirror, url: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-mirror-" });
  try {
    const mirror = await buildMirror(`${folder}/repository`, PACKAGES, (list) =>
      list
        .replace("Package: el2-provider\n", "Package: el2-provider\nProvides: virtual (= 2)\n")
        .replace("Package: el2-other\n", "Package: el2-other\nPriority: required\n"));
    await serving((request) => fileAnswer(mirror.folder, request), async (url) => {
      await body(new MirrorArchive({ ...OPTIONS, mirror: `${url}/`, keys: mirror.publicKey }), mirror, url);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a mirror's packages are listed, followed through their dependencies and downloaded", () =>
  withMirror(async (archive, { folder }) => {
    await archive.update();
    assert.equal((await archive.show("el2-base")).get("Depends"), "el2-kernel");
    const closure = await archive.closure(["el2-kernel"]);
    assert.deepEqual(closure, ["el2-kernel", "el2-base", "el2-other", "el2-provider"]);
    assert.deepEqual(await archive.closure([], true), ["el2-other"]);
    const [path] = await archive.download(["el2-base"], `${folder}/downloads`);
    assert.equal(await sha256(await Deno.readFile(path)), (await archive.show("el2-base")).get("SHA256"));
  }));

Deno.test("what a mirror does not have, and what nothing can serve, is named", () =>
  withMirror(async (archive, { publicKey: keys }, mirror) => {
    await archive.update();
    await assert.rejects(archive.show("el2-absent"), /stable has no package el2-absent/);
    await assert.rejects(archive.closure(["el2-broken"]), /el2-broken depends on el2-absent or el2-nowhere, which stable does not have/);
    const other = new MirrorArchive({ ...OPTIONS, mirror, keys, suite: "unstable" });
    await assert.rejects(other.update(), /dists\/unstable\/InRelease: the mirror answers 404/);
    const foreign = new MirrorArchive({ ...OPTIONS, mirror, keys, architecture: "m68k" });
    await assert.rejects(foreign.update(), /stable has no list of packages for m68k/);
    const nowhere = new MirrorArchive({ ...OPTIONS, mirror: "http://127.0.0.1:65533/debian", keys });
    await assert.rejects(nowhere.update(), /^Error: http:\/\/127\.0\.0\.1:65533\/debian\/dists\/stable\/InRelease: .*Connect/);
  }));

Deno.test("a list or a package that is not what was promised is refused and not kept", () =>
  withMirror(async (archive, { folder }) => {
    await archive.update();
    const deb = `${folder}/el2-base_1.0-2_arm64.deb`;
    const bytes = await Deno.readFile(deb);
    await Deno.writeFile(deb, Uint8Array.of(1), { append: true });
    await assert.rejects(archive.download(["el2-base"], `${folder}/downloads`), /sends more than the \d+ bytes that its lists say/);
    bytes[bytes.length - 1] ^= 1;
    await Deno.writeFile(deb, bytes);
    await assert.rejects(archive.download(["el2-base"], `${folder}/downloads`), /is not what the mirror's lists say/);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/downloads`)), []);
    await Deno.writeFile(`${folder}/dists/stable/main/binary-arm64/Packages.gz`, new Uint8Array(40));
    await assert.rejects(archive.update(), /40 of \d+ bytes|is not what the mirror's lists say/);
  }));

Deno.test("a release file that the archive has not signed is refused", () =>
  withMirror(async (archive, { folder, list, privateKey }, mirror) => {
    const file = `${folder}/dists/stable/InRelease`;
    const good = await Deno.readTextFile(file), text = await releaseText(list);
    const refused = async (sent: string, reason: RegExp) => {
      await Deno.writeTextFile(file, sent);
      await assert.rejects(archive.update(), reason);
    };
    await refused(text, /is not a signed message/);
    await refused("", /is not a signed message/);
    await refused(good.slice(0, -200), /is not a signed message|no valid signature/);
    await refused(good.replace(/[0-9a-f]{64}/, "0".repeat(64)), /no valid signature of the Debian archive: /);
    await refused(
      await signed(text, (await throwAwayKey()).privateKey),
      /no valid signature of the Debian archive: Could not find signing key/,
    );
    await refused(
      await signed(await releaseText(list, "Valid-Until: Sat, 01 Jan 2022 00:00:00 UTC"), privateKey),
      /was valid until .*2022/,
    );
    await refused("x".repeat(5 << 20), /sends more than 4194304 bytes/);
    // A hash before the signed text does not count: by it the list would be refused.
    await Deno.writeTextFile(file, `SHA256:\n ${"0".repeat(64)} 1 main/binary-arm64/Packages.gz\n\n${good}`);
    await archive.update();
    await Deno.writeTextFile(file, await signed(await releaseText(list, "Valid-Until: Sat, 01 Jan 2101 00:00:00 UTC"), privateKey));
    await archive.update();
    // Without keys, an archive accepts only Debian's.
    await assert.rejects(new MirrorArchive({ ...OPTIONS, mirror }).update(), /no valid signature of the Debian archive/);
  }));

Deno.test("the release file of Debian's own archive is signed by a key that el2 has", () =>
  withKeptMirror(async (url) => {
    const file = await (await fetch(`${url}/dists/bookworm/InRelease`)).text(), name = "main/binary-arm64/Packages.xz";
    assert.match((await readRelease(file, DEBIAN_KEYS)).get(name)?.sha256 ?? "", /^[0-9a-f]{64}$/);
    await assert.rejects(readRelease(file.replace(/[0-9a-f]{64}/, "0".repeat(64)), DEBIAN_KEYS), /no valid signature/);
  }));

Deno.test("a list cannot make files elsewhere", () =>
  withMirror(async (_archive, { folder, privateKey, publicKey: keys }, mirror) => {
    for (const path of ["../../evil.deb", "pool/../../evil.deb", "/evil.deb", "pool/..", "a b.deb"]) {
      const list = `Package: evil\nFilename: ${path}\nSize: 1\nSHA256: ${"0".repeat(64)}\n`;
      const packed = Uint8Array.from(gzipSync(list));
      await Deno.writeFile(`${folder}/dists/stable/main/binary-arm64/Packages.gz`, packed);
      await Deno.writeTextFile(`${folder}/dists/stable/InRelease`, await signed(await releaseText(packed), privateKey));
      const archive = new MirrorArchive({ ...OPTIONS, mirror, keys });
      await archive.update();
      await assert.rejects(archive.download(["evil"], `${folder}/downloads`), /is not the path of a file/, path);
    }
  }));

Deno.test("what is kept is a mirror for a computer without a network", () =>
  withMirror(async (_archive, { folder, publicKey: keys }, mirror) => {
    const keep = `${folder}/kept`;
    const online = new MirrorArchive({ ...OPTIONS, mirror, keys, keep });
    await online.update();
    const [fetched] = await online.download(["el2-base"], `${folder}/one`);
    const offline = new MirrorArchive({ ...OPTIONS, mirror: keep, keys });
    await offline.update();
    const [copied] = await offline.download(["el2-base"], `${folder}/two`);
    assert.deepEqual(await Deno.readFile(copied), await Deno.readFile(fetched));
    await assert.rejects(offline.download(["el2-other"], `${folder}/two`), /el2-other_1\.0-2_arm64\.deb: no such file/);
  }));

Deno.test("a package list that has not changed is fetched once, and a damaged one again", () =>
  withMirror(async (_archive, { folder, publicKey: keys }) => {
    const asked: string[] = [];
    await serving((request) => {
      asked.push(new URL(request.url).pathname.replace(/^.*\//, ""));
      return fileAnswer(folder, request);
    }, async (url) => {
      const unfinished = `${folder}/unfinished`;
      const update = async () => {
        const archive = new MirrorArchive({ ...OPTIONS, mirror: url, keys, unfinished });
        await archive.update();
        assert.equal((await archive.show("el2-other")).get("Priority"), "required");
        return asked.splice(0);
      };
      const [, list] = await update();
      assert.deepEqual(await update(), ["InRelease"]);
      const [kept] = [...Deno.readDirSync(`${unfinished}/lists`)].map(({ name }) => `${unfinished}/lists/${name}`);
      const bytes = await Deno.readFile(kept);
      bytes[10] ^= 1;
      await Deno.writeFile(kept, bytes);
      assert.deepEqual(await update(), ["InRelease", list]);
    });
  }));
