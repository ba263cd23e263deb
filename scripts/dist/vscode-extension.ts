// The extension for VS Code: starts `el2 dap`, and knows the keys of launch.json (docs/editors.md).

import { VERSION } from "../../src/kit/support/version.ts";
import { zip } from "./archives.ts";
import { type Build, ROOT } from "./common.ts";

const DESCRIPTION = "Debug Gunyah guests with el2: source lines, variables, and steps back in time";
const ENGINE = "^1.80.0";
const text = (description: string) => ({ type: "string", description });
const texts = (description: string) => ({ type: "object", additionalProperties: { type: "string" }, description });
const flag = (description: string) => ({ type: "boolean", description });
const BOTH = {
  vm: text("The VM to debug; without it and vms: all"),
  vms: { type: "array", items: { type: "string" }, description: "Several VMs to debug" },
  stopOnEntry: flag("Stay stopped after the start"),
  symbols: texts("ELF files by VM"),
  sourceMap: texts("Folders of the compiler, and where they are here"),
  token: text("With debugServer: what el2 dap --listen printed"),
};
const BOOT = { boot: "${workspaceFolder}/guest.elf", stopOnEntry: true };

const MANIFEST = {
  name: "el2",
  displayName: "el2",
  description: DESCRIPTION,
  version: VERSION,
  publisher: "el2",
  license: "Apache-2.0",
  engines: { vscode: ENGINE },
  categories: ["Debuggers"],
  main: "./extension.cjs",
  activationEvents: ["onDebugResolve:el2"],
  contributes: {
    breakpoints: ["c", "cpp", "rust", "arm64"].map((language) => ({ language })),
    configuration: { title: "el2", properties: { "el2.path": { ...text("The program el2"), default: "el2", scope: "machine" } } },
    debuggers: [{
      type: "el2",
      label: "el2",
      initialConfigurations: [{ name: "boot", type: "el2", request: "launch", ...BOOT }],
      configurationAttributes: {
        launch: {
          properties: {
            boot: text("An image that is the primary VM, as in el2 boot"),
            initrd: text("Of boot: its initial RAM disk"),
            append: text("Of boot: its command line"),
            cpus: { type: "number", description: "Of boot: its CPUs" },
            memory: text("Of boot: its memory, such as 256MiB"),
            what: text("Instead of boot: FILE.toml, an image, debian, demo or a snapshot, as in el2 run"),
            turbo: flag("Skip idle time"),
            ...BOTH,
          },
        },
        attach: { properties: { session: text("The session to attach to; default: the only one"), ...BOTH } },
      },
    }],
  },
};

const TYPES = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="json" ContentType="application/json"/>
  <Default Extension="cjs" ContentType="application/javascript"/>
  <Default Extension="txt" ContentType="text/plain"/>
  <Default Extension="vsixmanifest" ContentType="text/xml"/>
</Types>
`;
const PACKAGE = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${MANIFEST.name}" Version="${VERSION}" Publisher="${MANIFEST.publisher}"/>
    <DisplayName>${MANIFEST.displayName}</DisplayName>
    <Description xml:space="preserve">${DESCRIPTION}</Description>
    <Categories>${MANIFEST.categories}</Categories>
    <License>extension/LICENSE.txt</License>
    <Properties><Property Id="Microsoft.VisualStudio.Code.Engine" Value="${ENGINE}"/></Properties>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>
`;

/** Writes the extension. Returns the file's name. */
export async function vscodeExtension({ folder, time }: Build): Promise<string> {
  const name = `el2-vscode-${VERSION}.vsix`, encoder = new TextEncoder();
  const files = [
    { path: "extension.vsixmanifest", data: encoder.encode(PACKAGE) },
    { path: "[Content_Types].xml", data: encoder.encode(TYPES) },
    { path: "extension/package.json", data: encoder.encode(`${JSON.stringify(MANIFEST, null, 2)}\n`) },
    { path: "extension/extension.cjs", data: await Deno.readFile(`${ROOT}scripts/dist/vscode-extension.cjs`) },
    { path: "extension/LICENSE.txt", data: await Deno.readFile(`${ROOT}LICENSE`) },
  ];
  await Deno.writeFile(`${folder}/${name}`, zip(files, time));
  return name;
}
