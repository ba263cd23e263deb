import assert from "node:assert/strict";
import zlib from "node:zlib";
import { sha256 } from "../../../../../src/kit/support/values/sha256.ts";
import { DISK, QCOW2 } from "../../../../support/disk-images.ts";
import { runNative } from "../../../../support/oracles.ts";
import { buildMirror, fileAnswer, serving } from "../../../../support/signed-mirror.ts";
import { el2, el2With } from "../../program.ts";

Deno.test("guests fetch of what cannot be fetched is a usage error", async () => {
  const { code, stdout, stderr } = await el2("guests", "fetch", "windows");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^el2: guests fetch: "windows" is not a guest that can be fetched; there is debian\n$/);
});

Deno.test("guests fetch from a mirror that does not answer fails with the reason and leaves the catalog as it was", async () => {
  const cache = await Deno.makeTempDir({ prefix: "el2-guests-" });
  const before = Deno.env.get("EL2_CACHE");
  Deno.env.set("EL2_CACHE", cache);
  try {
    const { code, stdout, stderr } = await el2("guests", "fetch", "debian", "--mirror", "http://127.0.0.1:9/debian");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /el2: guests fetch: .*127\.0\.0\.1:9/);
    assert.doesNotMatch(stderr, /\bat .*\.ts:\d+/, "no stack trace");
    const listed = await el2("guests", "ls");
    assert.deepEqual([listed.code, listed.stdout], [0, ""]);
    assert.equal(listed.stderr, "el2: no guest is in the cache; fetch one with el2 guests fetch debian\n");
  } finally {
    if (before === undefined) Deno.env.delete("EL2_CACHE");
    else Deno.env.set("EL2_CACHE", before);
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("guests fetch takes nothing that Debian has not signed", async () => {
  const empty = await Deno.makeTempDir({ prefix: "el2-guests-" });
  const run = (...args: string[]) => el2With({ PATH: empty, EL2_CACHE: empty, EL2_MIRROR: "" }, "guests", "fetch", "debian", ...args);
  try {
    const mirror = await buildMirror(`${empty}/mirror`, [{ name: "linux-image-cloud-arm64", file: "boot/vmlinuz" }]);
    await Deno.symlink("stable", `${mirror.folder}/dists/bookworm`);
    await serving((request) => fileAnswer(mirror.folder, request), async (url) => {
      for (const where of [url, mirror.folder]) {
        const { code, stderr } = await run("--mirror", where);
        assert.equal(code, 1);
        assert.match(stderr, /^el2: guests fetch: the mirror's release file has no valid signature of the Debian archive: /m);
      }
    });
  } finally {
    await Deno.remove(empty, { recursive: true });
  }
});

Deno.test("guests ls --json names every file with its size and hash", async () => {
  const { code, stdout } = await el2("guests", "ls", "--json");
  assert.equal(code, 0);
  const manifests = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const bookworm = manifests.find(({ name }) => name === "debian-bookworm");
  assert.ok(bookworm, "deno task setup fetches it");
  assert.deepEqual(bookworm.files.map(({ name }: { name: string }) => name), ["Image", "initrd", "initrd-virtio"]);
  for (const { size, sha256 } of bookworm.files) assert.ok(size > 1e6 && /^[0-9a-f]{64}$/.test(sha256));
});

Deno.test("guests add keeps an image under a name that run takes, with its command line", async () => {
  const cache = await Deno.makeTempDir({ prefix: "el2-guests-" });
  const image = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;
  const run = (...args: string[]) => el2With({ EL2_CACHE: cache }, ...args);
  try {
    const added = await run("guests", "add", "mine", image, "--append", "hello there", "--about", "a guest", "--json");
    assert.equal(added.code, 0, added.stderr);
    const manifest = JSON.parse(added.stdout);
    assert.deepEqual([manifest.name, manifest.about, manifest.added], ["mine", "a guest", { cmdline: "hello there" }]);
    assert.deepEqual(manifest.files.map(({ name, size }: { name: string; size: number }) => [name, size]), [[
      "image",
      Deno.statSync(image).size,
    ]]);
    assert.match((await run("guests", "ls", "--check")).stdout, /^mine {2}a guest/);
    const ran = await run("run", "mine", "--turbo", "--for", "100ms");
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /hello from EL1[^]*VM "mine"/);
    const packed = `${cache}/hello.bin.zst`, disk = `${cache}/disk.qcow2`, bytes = Deno.readFileSync(image);
    await Deno.writeFile(packed, zlib.zstdCompressSync(bytes));
    await Deno.writeFile(disk, QCOW2.zstd);
    await serving((request) => fileAnswer(cache, request), async (url) => {
      const fetched = await run(
        "guests",
        "add",
        "other",
        `${url}/hello.bin.zst#sha256=${await sha256(Deno.readFileSync(packed))}`,
        "--disk",
        disk,
        "--json",
      );
      assert.equal(fetched.code, 0, fetched.stderr);
      const { about, added: how, files } = JSON.parse(fetched.stdout);
      assert.deepEqual([about, how.cmdline], ["hello.bin.zst", "console=ttyAMA0 root=/dev/vda"]);
      assert.deepEqual(files.map(({ name, size }: { name: string; size: number }) => [name, size]), [["image", bytes.length], [
        "disk",
        DISK.length,
      ]]);
      assert.deepEqual([...Deno.readDirSync(`${cache}/downloads`)], []);
      const unnamed = await run("guests", "add", "other", `${url}/hello.bin.zst`);
      assert.deepEqual([unnamed.code, unnamed.stdout], [1, ""]);
      assert.match(unnamed.stderr, /a URL needs its checksum/);
    });
    const withDisk = await run("run", "other", "--turbo", "--for", "100ms");
    assert.equal(withDisk.code, 0, withDisk.stderr);
    assert.match(withDisk.stdout, /VM "other"/);
    const own = `${cache}/own.qcow2`, exported = await run("guests", "export", "other", own);
    assert.equal(exported.stdout, `${own}: the disk of other, 205312 bytes\n`, exported.stderr);
    const compared = await runNative("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", own, disk]);
    assert.equal(compared.stdout, "Images are identical.\n", compared.stderr);
    assert.match((await run("guests", "export", "other", own)).stderr, /own\.qcow2: exists; name another file, or remove it$/m);
    const nowhere = await run("guests", "export", "other", `${cache}/none/x.img`);
    assert.match(nowhere.stderr, /^el2: guests export \S+none\/x\.img: no such folder$/m);
    assert.equal(nowhere.code, 2);
    assert.match((await run("guests", "export", "mine", `${cache}/x.img`)).stderr, /guest mine has no disk; it has image/);
    // A VM opens it for writing, through the process that may.
    const file = `${cache}/own.toml`, device = `{ kind = "block", image = "own.qcow2" }`;
    await Deno.writeTextFile(file, `el2 = 1\n[vm.own]\nimage = "${image}"\nmemory = "4MiB"\ndevices = [${device}]\n`);
    const writable = await run("run", file, "--allow-host", "all", "--turbo", "--for", "50ms");
    assert.equal(writable.code, 0, writable.stderr);
    await Deno.writeFile(own, Deno.readFileSync(own).fill(0xff, 40, 48));
    const broken = await run("run", file, "--allow-host", "all", "--turbo", "--for", "50ms");
    assert.notEqual(broken.code, 0);
    assert.match(broken.stderr, /disk .*own\.qcow2: a table at \d+ lies outside of the file/);
    const damaged = await run("guests", "add", "other", image, "--disk", packed.replace("hello.bin.zst", "none"));
    assert.match(damaged.stderr, /disk .*none: no such file/);
    for (const [name, message] of [["Mine", /lower case/], ["debian-mine", /guests fetch/], ["rm", /el2's own/]] as const) {
      const wrong = await run("guests", "add", name, image);
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, message);
    }
    assert.match((await run("guests", "add", "x", "/no/such")).stderr, /image \/no\/such: no such file/);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});
