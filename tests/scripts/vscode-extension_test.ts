// The extension for VS Code that `deno task dist` makes: its archive, the keys of launch.json that
// it knows, and how it starts `el2 dap`. docs/editors.md says in which VS Code it was tried.

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { vscodeExtension } from "../../scripts/dist/vscode-extension.ts";
import { runIn } from "../dist/programs.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const TIME = Date.UTC(2026, 0, 2, 3, 4, 6) / 1000;

/** The files of a zip archive that is not compressed, by its directory. */
function unzip(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer), end = bytes.length - 22, files = new Map<string, Uint8Array>();
  assert.equal(view.getUint32(end, true), 0x06054b50);
  let at = view.getUint32(end + 16, true);
  assert.equal(at + view.getUint32(end + 12, true), end);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    assert.equal(view.getUint32(at, true), 0x02014b50);
    const [size, length, local] = [view.getUint32(at + 24, true), view.getUint16(at + 28, true), view.getUint32(at + 42, true)];
    const name = (from: number) => new TextDecoder().decode(bytes.subarray(from, from + length));
    assert.equal(view.getUint32(local, true), 0x04034b50);
    assert.equal(name(local + 30), name(at + 46));
    const data = bytes.subarray(local + 30 + length, local + 30 + length + size);
    assert.equal(crc32(data), view.getUint32(at + 16, true));
    assert.equal(view.getUint32(local + 14, true), view.getUint32(at + 16, true));
    files.set(name(at + 46), data);
    at += 46 + length;
  }
  assert.equal(at, end);
  return files;
}

async function withExtension(work: (folder: string, files: Map<string, Uint8Array>) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-vscode-" });
  try {
    const name = await vscodeExtension({ folder, bundle: "", split: "", page: "", time: TIME });
    await work(folder, unzip(await Deno.readFile(`${folder}/${name}`)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const textOf = (files: Map<string, Uint8Array>, name: string) => new TextDecoder().decode(files.get(name));

Deno.test("the extension for VS Code knows the keys of docs/editors.md and of the example, and its files are there", async () => {
  await withExtension(async (_, files) => {
    const { main, contributes: { debuggers: [{ type, configurationAttributes }] } } = JSON.parse(textOf(files, "extension/package.json"));
    assert.ok(files.has(`extension/${main.slice(2)}`));
    const extensions = [...files.keys()].map((name) => name.slice(name.lastIndexOf(".") + 1)).filter((one) => one !== "xml");
    for (const one of extensions) assert.ok(textOf(files, "[Content_Types].xml").includes(`Extension="${one}"`), one);
    const keysOf = (request: "launch" | "attach") => Object.keys(configurationAttributes[request].properties);

    const page = await Deno.readTextFile(`${ROOT}docs/editors.md`), requests = page.slice(page.indexOf("## Requests"));
    const documented = Array.from(requests.matchAll(/^\| (`.*?) +\|(.*)/gm), ([, key, meaning]) => `${key} ${meaning}`);
    const words = (text: string) => Array.from(text.matchAll(/`([a-z]+)`/gi), ([, word]) => word);
    for (const [key] of documented.map(words)) assert.ok(keysOf("launch").includes(key), key);
    for (const key of keysOf("launch")) assert.ok(requests.includes(`\`${key}\``), `${key} is documented`);
    for (const key of keysOf("attach")) assert.ok(requests.includes(`\`${key}\``), `${key} is documented`);

    const example = JSON.parse(await Deno.readTextFile(`${ROOT}examples/editors/launch.json`));
    for (const { name: _, type: own, request, ...keys } of example.configurations) {
      assert.equal(own, type);
      for (const key of Object.keys(keys)) assert.ok(keysOf(request).includes(key), `${request} has ${key}`);
    }
  });
});

Deno.test("the extension for VS Code starts el2 dap, and names a program that does not start", async () => {
  await withExtension(async (folder, files) => {
    await Deno.writeFile(`${folder}/extension.cjs`, files.get("extension/extension.cjs")!);
    await Deno.mkdir(`${folder}/node_modules`);
    await Deno.writeTextFile(
      `${folder}/node_modules/vscode.js`,
      `exports.workspace = { getConfiguration: () => ({ get: () => process.argv[2] }) };
exports.DebugAdapterExecutable = class { constructor(...all) { this.all = all; } };
exports.debug = { registerDebugAdapterDescriptorFactory: (type, factory) => factory.createDebugAdapterDescriptor()
  .then(({ all }) => console.log(type, JSON.stringify(all)), ({ message }) => console.log(message)) };`,
    );
    await Deno.writeTextFile(`${folder}/start.cjs`, 'require("./extension.cjs").activate({ subscriptions: [] });');
    const start = async (program: string) => (await runIn(folder, "node", ["start.cjs", program], Deno.env.toObject())).stdout;
    assert.equal(await start(Deno.execPath()), `el2 ${JSON.stringify([Deno.execPath(), ["dap"]])}\n`);
    assert.equal(
      await start(`${folder}/none`),
      `"${folder}/none" does not start (spawn ${folder}/none ENOENT); set el2.path to the program el2\n`,
    );
  });
});
