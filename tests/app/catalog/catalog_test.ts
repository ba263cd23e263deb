import assert from "node:assert/strict";
import {
  addToCatalog,
  catalogEntries,
  catalogEntry,
  catalogFiles,
  catalogPath,
  damagedFiles,
  type Manifest,
} from "../../../src/app/catalog/catalog.ts";
import { inCache } from "../../support/temporary-folder.ts";

/** Runs `body` with the folder of an empty cache. */
const withCache = (body: (folder: string) => Promise<void>) => inCache((folder) => body(`${folder}/cache`));

async function add(name: string, contents: string): Promise<void> {
  const files = new Map([["Image", new TextEncoder().encode(contents)]]);
  const manifest: Manifest = {
    schema: "el2.guest/1",
    name,
    about: contents,
    fetched: "2026-01-01T00:00:00.000Z",
    files: await catalogFiles(files),
    packages: [],
  };
  await addToCatalog(manifest, files);
}

Deno.test("an empty cache has no guests", () => withCache(async () => assert.deepEqual(await catalogEntries(), [])));

Deno.test("a guest that was added is found by name and by file", () =>
  withCache(async () => {
    await add("debian-bookworm", "kernel");
    assert.equal(await Deno.readTextFile(await catalogPath("catalog:debian/Image")), "kernel");
    assert.equal(await Deno.readTextFile(await catalogPath("catalog:debian-bookworm/Image")), "kernel");
    assert.deepEqual(await damagedFiles(await catalogEntry("debian")), []);
  }));

Deno.test("a newer version replaces an older one, of which nothing stays", () =>
  withCache(async (folder) => {
    await add("debian-sid", "old");
    await add("debian", "other guest with a name that is a prefix");
    await add("debian-sid", "new");
    assert.equal(await Deno.readTextFile(await catalogPath("catalog:debian-sid/Image")), "new");
    const versions = (await Array.fromAsync(Deno.readDir(`${folder}/guests/.versions`))).map(({ name }) =>
      name.replace(/-[0-9a-f-]{36}$/, "")
    );
    assert.deepEqual(versions.sort(), ["debian", "debian-sid"]);
  }));

Deno.test("a damaged file is named", () =>
  withCache(async () => {
    await add("debian-trixie", "kernel");
    const entry = await catalogEntry("debian-trixie");
    await Deno.writeTextFile(`${entry.folder}/Image`, "kernex");
    assert.deepEqual(await damagedFiles(entry), ["Image"]);
  }));

Deno.test("a guest without a manifest, or with half of one, is named with the way out", () =>
  withCache(async (folder) => {
    await add("debian-sid", "kernel");
    const link = `${folder}/guests/debian-sid`,
      message = `guest debian-sid has no manifest that can be read; remove ${link}, and fetch or add the guest again`;
    await Deno.writeTextFile(`${link}/manifest.json`, '{"schema":');
    await assert.rejects(catalogEntry("debian-sid"), { message });
    await Deno.remove(await Deno.realPath(link), { recursive: true });
    await assert.rejects(catalogEntries(), { message });
  }));

Deno.test("a guest that is not in the catalog is refused with the command that fetches it", () =>
  withCache(async () => {
    await add("debian-sid", "kernel");
    await assert.rejects(catalogPath("catalog:debian/Image"), {
      message: "catalog:debian/Image is not in the cache; run: el2 guests fetch debian",
    });
    await assert.rejects(catalogEntry("debian-trixie"), {
      message: "guest debian-trixie is not in the cache; run: el2 guests fetch debian --release trixie",
    });
    await assert.rejects(catalogPath("catalog:debian-sid/vmlinuz"), /has no file vmlinuz; it has Image/);
    await assert.rejects(catalogPath("debian/Image"), /not of the form catalog:GUEST\/FILE/);
  }));
