// Debian packages read with and without dpkg: the same files, and nothing outside of the folder.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Deb, memberByDpkg, memberOf } from "../../../src/app/catalog/deb.ts";
import { readTar } from "../../../src/kit/formats/tar.ts";
import { joined } from "../../../src/kit/support/values/bytes.ts";
import { buildDeb, controlFields, putFile } from "../../support/debian-repository.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const LONG_NAME = "n".repeat(120);

/** A package with everything that packages have. */
async function everything(folder: string): Promise<string> {
  const deb = `${folder}/everything.deb`;
  await buildDeb(`${folder}/tree`, deb, controlFields("everything", "Description: one", " more"), async (tree) => {
    await putFile(`${tree}/usr/bin/tool`, "tool", 0o4755);
    await putFile(`${tree}/usr/share/größe with space`, "");
    await putFile(`${tree}/usr/share/${LONG_NAME}/${LONG_NAME}`, "deep");
    await putFile(`${tree}/usr/share/large`, "0123456789abcdef".repeat(20_000));
    await Deno.symlink("tool", `${tree}/usr/bin/alias`);
    await Deno.symlink(`../${LONG_NAME}/${LONG_NAME}`, `${tree}/usr/share/far`);
    await Deno.link(`${tree}/usr/bin/tool`, `${tree}/usr/bin/twin`);
    await putFile(`${tree}/DEBIAN/postinst`, "#!/bin/sh\n", 0o755);
  });
  return deb;
}

Deno.test("a package has the same entries and bytes with dpkg's reader and our own", async () => {
  await inFolder(async (folder) => {
    const deb = await everything(folder);
    const read = async (bytes: AsyncIterable<Uint8Array>) => {
      const entries = [];
      for await (const { data, ...entry } of readTar(bytes)) {
        entries.push({ ...entry, content: await new Response(ReadableStream.from(data)).text() });
      }
      return entries;
    };
    for (const member of ["control.tar", "data.tar"] as const) {
      const entries = await read(memberOf(deb, member));
      assert.ok(entries.length >= 3);
      assert.deepEqual(entries, await read(memberByDpkg(deb, member)));
    }
  });
});

Deno.test("an unpacked package has modes, links and long names, and its control files", async () => {
  await inFolder(async (folder) => {
    const deb = new Deb(await everything(folder));
    const entries = await deb.unpack(`${folder}/root`);
    const root = `${folder}/root/usr`;
    assert.equal((await Deno.stat(`${root}/bin/tool`)).mode! & 0o7777, 0o4755);
    assert.equal(await Deno.readLink(`${root}/bin/alias`), "tool");
    assert.equal((await Deno.stat(`${root}/bin/twin`)).ino, (await Deno.stat(`${root}/bin/tool`)).ino);
    assert.equal(await Deno.readTextFile(`${root}/share/${LONG_NAME}/${LONG_NAME}`), "deep");
    assert.equal(await Deno.readLink(`${root}/share/far`), `../${LONG_NAME}/${LONG_NAME}`);
    assert.ok(entries.some(({ path }) => path === "/usr/share/größe with space"));
    assert.equal((await deb.fields()).get("Description"), "one\nmore");
    assert.deepEqual((await deb.controlFiles()).map(({ name }) => name).filter((name) => name !== "md5sums").sort(), [
      "control",
      "postinst",
    ]);
  });
});

/** A tar archive of one entry, without its end. */
function tarOf(name: string, type: string, target = ""): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(512);
  const put = (at: number, text: string) => new TextEncoder().encodeInto(text, block.subarray(at));
  put(0, name);
  put(100, "0000644\0");
  put(124, "00000000000\0");
  put(136, "00000000000\0");
  put(156, type);
  put(157, target);
  put(257, "ustar\0");
  put(148, " ".repeat(8));
  put(148, block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
  return block;
}

/** A package of these entries that no dpkg-deb would build. */
async function hostileDeb(path: string, ...entries: Uint8Array<ArrayBuffer>[]): Promise<Deb> {
  const data = await new Blob([...entries, new Uint8Array(1024)]).bytes();
  const member = (name: string, size: number) => `${name.padEnd(16)}${"0".padEnd(32)}${String(size).padEnd(10)}\`\n`;
  const text = new TextEncoder();
  const parts = [text.encode(`!<arch>\n${member("debian-binary", 4)}2.0\n${member("control.tar", 1024)}`), new Uint8Array(1024)];
  await Deno.writeFile(path, await new Blob([...parts, text.encode(member("data.tar", data.length)), data]).bytes());
  return new Deb(path);
}

Deno.test("a package cannot write outside of the folder that it is unpacked into", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/outside`);
    const refused: [RegExp, ...Uint8Array<ArrayBuffer>[]][] = [
      [/leads out of it/, tarOf("../outside/file", "0")],
      [/leads out of it by a link/, tarOf("./link", "2", `${folder}/outside`), tarOf("./link/file", "0")],
      [/leads out of it by a link/, tarOf("./link", "2", "../outside"), tarOf("./link/file", "0")],
      [/links to a file outside/, tarOf("./link", "2", "/etc/passwd"), tarOf("./hard", "1", "./link")],
      [/has a character \/null/, tarOf("./null", "3")],
    ];
    for (const [message, ...entries] of refused) {
      const deb = await hostileDeb(`${folder}/hostile.deb`, ...entries);
      await assert.rejects(deb.unpack(`${folder}/root-${crypto.randomUUID()}`), message);
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/outside`)), []);
  });
});

Deno.test("a package makes no folder outside of the one that it is unpacked into", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/outside`);
    const entries: Uint8Array<ArrayBuffer>[][] = [
      [tarOf("./link", "2", "../outside"), tarOf("./link/made/file", "0")],
      [tarOf("./link", "2", "../outside"), tarOf("./link/made/folder", "5")],
      // An empty folder that was used before a link replaces it.
      [tarOf("./a/b", "5"), tarOf("./a/b", "2", "../../outside"), tarOf("./a/b/made/file", "0")],
    ];
    for (const [index, hostile] of entries.entries()) {
      const deb = await hostileDeb(`${folder}/hostile.deb`, ...hostile);
      await assert.rejects(deb.unpack(`${folder}/root-${index}`), /leads out of it by a link/);
      assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/outside`)), []);
    }
  });
});

/** An entry whose header has other bytes at a place, and its checksum right again. */
function withField(entry: Uint8Array<ArrayBuffer>, at: number, bytes: readonly number[]): Uint8Array<ArrayBuffer> {
  const block = entry.slice();
  block.set(bytes, at);
  block.fill(0x20, 148, 156);
  new TextEncoder().encodeInto(block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ", block.subarray(148));
  return block;
}

Deno.test("sizes of a package are not believed without their bytes, and an archive unpacks up to a limit", async () => {
  await inFolder(async (folder) => {
    const octal = (size: number) => [...new TextEncoder().encode(size.toString(8).padStart(11, "0"))];
    const cases: [RegExp, Uint8Array<ArrayBuffer>][] = [
      [/negative or too large/, withField(tarOf("./a", "0"), 124, Array(12).fill(0xff))],
      [/cut off/, withField(tarOf("./a", "0"), 124, octal(8 ** 11 - 1))],
      [/cut off/, withField(tarOf("./a", "0"), 124, [0x80, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0])],
    ];
    for (const [message, entry] of cases) {
      const read = async () => {
        for await (const { data } of readTar(ReadableStream.from([entry]))) for await (const _ of data);
      };
      await assert.rejects(read, message);
    }
    // A control archive of a thousand times the bytes of its package.
    const zeros = gzipSync(new Uint8Array(80 << 20), { level: 1 });
    const text = new TextEncoder(), member = (name: string, size: number) => `${name.padEnd(48)}${String(size).padEnd(10)}\`\n`;
    const header = withField(tarOf("./control", "0"), 124, octal(80 << 20));
    const bomb = joined([gzipSync(header), zeros]);
    const head = text.encode(`!<arch>\n${member("debian-binary", 4)}2.0\n${member("control.tar.gz", bomb.length)}`);
    await Deno.writeFile(`${folder}/bomb.deb`, await new Blob([head, bomb, text.encode(bomb.length % 2 ? "\n" : "")]).bytes());
    const before = Deno.memoryUsage().rss;
    await assert.rejects(new Deb(`${folder}/bomb.deb`).fields(), /bomb\.deb unpacks to more than 64MiB/);
    assert.ok(Deno.memoryUsage().rss - before < 256 << 20);
  });
});

Deno.test("a package that is read in part, or is malformed, is closed, and the next one is read", async () => {
  await inFolder(async (folder) => {
    const path = await everything(folder);
    let open = 0;
    const watched = async function* () {
      open++;
      try {
        yield* memberOf(path, "data.tar");
      } finally {
        open--;
      }
    };
    const first = async (archive: AsyncIterable<Uint8Array>) => {
      for await (const { path } of readTar(archive)) return path;
    };
    for (let round = 0; round < 3; round++) {
      assert.equal(await first(watched()), "./");
      await assert.rejects(first(changed(watched())), /checksum is wrong/);
      assert.equal(open, 0);
    }
  });
});

/** The bytes with the first one changed. */
async function* changed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const piece of bytes) {
    if (first) piece[0] ^= 1;
    first = false;
    yield piece;
  }
}

Deno.test("a file that is not a package, or is cut off, is refused by name", async () => {
  await inFolder(async (folder) => {
    const deb = await everything(folder);
    const bytes = await Deno.readFile(deb);
    const collect = async (path: string) => {
      for await (const _ of readTar(memberOf(path, "data.tar")));
    };
    for (const size of [0, 7, 60, 100, bytes.length - 200]) {
      await Deno.writeFile(`${folder}/cut.deb`, bytes.subarray(0, size));
      await assert.rejects(
        collect(`${folder}/cut.deb`),
        /is not a Debian package|has no data.tar|package is truncated|xz failed|[Dd]ecompress/,
      );
    }
    const broken = tarOf("./file", "0");
    broken[0] ^= 1;
    await assert.rejects((await hostileDeb(`${folder}/sum.deb`, broken)).unpack(`${folder}/sum`), /checksum is wrong/);
  });
});
