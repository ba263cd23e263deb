// Imports point downward (docs/architecture.md, "Layers"): this is that picture as a table.

import assert from "node:assert/strict";
import { MACHINE } from "../src/session/snapshots/instant.ts";
import { circles, folderOf, importsBelow, importsOf, twoWayPairs } from "../scripts/structure/imports.ts";

/**
 * The permitted imports of each room of src/, types included; importing from the same room is
 * always allowed. From the ground up: a room may import only rooms above it in this table.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  support: [],
  formats: ["support"],
  isa: ["support"],
  devices: [],
  devicetree: ["support"],
  abi: ["support"],
  core: ["isa", "support"],
  machine: ["abi", "core", "support"],
  hypervisor: ["abi", "machine", "core", "devices", "isa", "support"],
  "resource-manager": ["abi", "devicetree", "support"],
  virtio: ["devices", "formats", "support"],
  host: ["abi", "devices", "devicetree", "virtio", "support"],
  images: ["host", "formats", "isa", "support"],
  symbols: ["hypervisor", "machine", "core", "formats", "support"],
  queries: ["virtio", "abi", "support"],
  linux: ["queries", "symbols", "formats", "support"],
  plans: ["queries", "host", "hypervisor", "virtio", "core", "isa", "abi", "support"],
  protocol: ["plans", "queries", "hypervisor", "abi"],
  state: ["hypervisor", "machine", "support"],
  outside: ["state", "virtio", "machine", "formats", "support"],
  inspection: [
    ...["protocol", "linux", "queries", "symbols", "host", "resource-manager", "devicetree", "hypervisor", "virtio", "core", "isa", "abi"],
    ...["formats", "support"],
  ],
  assembly: [
    ...["inspection", "outside", "state", "protocol", "plans", "queries", "symbols", "images", "host", "resource-manager", "hypervisor"],
    ...["virtio", "devices", "devicetree", "machine", "core", "isa", "abi", "formats", "support"],
  ],
  library: ["assembly", "plans", "host", "machine", "abi", "support"],
  catalog: ["library", "plans", "images", "virtio", "formats", "support"],
  configuration: [
    ...["catalog", "assembly", "plans", "images", "symbols", "host", "resource-manager", "hypervisor", "virtio", "machine"],
    ...["devicetree", "isa", "abi", "support"],
  ],
  snapshots: ["assembly", "state", "plans", "queries", "virtio", "machine", "core", "support"],
  recordings: ["snapshots", "assembly", "state", "protocol", "plans", "queries", "hypervisor", "core", "isa", "abi", "formats", "support"],
  scenarios: ["recordings", "configuration", "assembly", "inspection", "plans", "queries", "hypervisor", "abi", "support"],
  export: ["inspection", "queries", "abi", "formats", "support"],
  engine: [
    ...["recordings", "snapshots", "assembly", "inspection", "outside", "state", "protocol", "plans", "queries", "symbols", "hypervisor"],
    ...["abi", "support"],
  ],
  session: [
    "engine",
    "recordings",
    "snapshots",
    "assembly",
    "outside",
    "state",
    "protocol",
    "plans",
    "queries",
    "virtio",
    "formats",
    "support",
  ],
  control: ["session", "outside", "protocol", "queries", "abi", "support"],
  debug: ["queries", "hypervisor", "core", "support"],
  tui: ["control", "session", "configuration", "protocol", "queries", "abi", "formats", "support"],
  cli: [
    ...["tui", "debug", "control", "session", "engine", "export", "scenarios", "recordings", "snapshots", "configuration", "catalog"],
    ...["assembly", "inspection", "protocol", "plans", "queries", "symbols", "images", "devicetree", "machine", "isa", "abi"],
    ...["formats", "support"],
  ],
};

/**
 * Floors inside a house (a folder of src/): what each of its rooms may import, types included.
 * Every folder is a room by itself, a parent and its child too; "." is the house's own folder. A
 * room may always import itself, and no two rooms may import each other.
 */
const FLOORS: Record<string, Record<string, readonly string[]>> = {
  abi: { ".": [], ioctl: [], geniezone: ["ioctl"], rpc: [], "rpc/messages": ["rpc", "."], "rpc/text": ["rpc/messages", "rpc"] },
  virtio: {
    ".": [],
    balloon: ["."],
    block: ["."],
    console: ["."],
    input: ["."],
    net: ["."],
    "net/nat": ["net", "."],
    p9: ["."],
    rng: ["."],
    vsock: ["."],
  },
  core: {
    wasm: [],
    architecture: [],
    state: ["wasm"],
    fp: ["state", "wasm"],
    simd: ["fp", "state", "wasm"],
    debug: ["architecture"],
    exceptions: ["architecture", "state", "wasm"],
    memory: ["debug", "exceptions", "architecture", "state", "wasm"],
    registers: ["memory", "debug", "exceptions", "simd", "fp", "architecture", "state", "wasm"],
    decoded: ["architecture", "state", "wasm"],
    interpreter: ["decoded", "exceptions", "architecture", "state", "wasm"],
    translator: ["interpreter", "decoded", "fp", "architecture", "state", "wasm"],
    waits: ["translator", "interpreter", "decoded", "registers", "architecture", "state"],
    outlook: ["translator", "interpreter", "registers", "memory", "architecture", "state"],
    ".": [
      ...["outlook", "waits", "translator", "interpreter", "decoded", "registers", "memory", "exceptions", "debug", "simd"],
      ...["architecture", "state", "wasm"],
    ],
  },
  hypervisor: {
    trace: [],
    archive: [],
    random: ["archive"],
    services: ["trace"],
    capabilities: ["trace", "archive", "random", "services"],
    memory: ["trace", "archive", "random", "services", "capabilities"],
    "gic/its": [],
    gic: ["gic/its", "archive", "services", "capabilities", "memory"],
    ipc: ["archive", "services", "capabilities", "memory", "gic"],
    virtio: ["archive", "services", "capabilities", "memory", "gic"],
    scheduling: ["trace", "archive", "random", "services", "capabilities", "memory", "gic", "virtio"],
    firmware: ["capabilities", "gic", "scheduling"],
    traps: ["capabilities", "gic", "scheduling", "firmware"],
    debug: ["trace", "scheduling"],
    calls: [
      ...["trace", "services", "capabilities", "memory", "gic", "ipc", "virtio"],
      ...["scheduling", "firmware", "traps"],
    ],
    geniezone: ["archive", "services", "capabilities", "memory", "gic", "ipc", "scheduling"],
    check: ["services", "capabilities", "memory", "gic", "ipc", "virtio", "scheduling"],
    native: ["archive", "capabilities", "memory", "gic", "scheduling", "firmware", "traps"],
    ".": [
      ...["trace", "archive", "random", "services", "capabilities", "memory", "gic/its", "gic", "ipc", "virtio"],
      ...["scheduling", "firmware", "traps", "debug", "calls", "geniezone", "check", "native"],
    ],
  },
  "resource-manager": {
    calls: [],
    config: ["calls"],
    state: ["config", "calls"],
    rpc: ["state", "calls"],
    memory: ["rpc", "state", "config", "calls"],
    vm: ["memory", "rpc", "state", "config", "calls"],
    handlers: ["vm", "memory", "rpc", "state", "config", "calls"],
    ".": ["handlers", "vm", "memory", "rpc", "state", "config", "calls"],
  },
  host: {
    kernel: [],
    gunyah: ["kernel"],
    geniezone: ["gunyah", "kernel"],
    boards: [],
    "boards/el2": ["boards"],
    "boards/crosvm": ["boards"],
    "boards/qemu-virt": ["boards"],
    ".": ["boards/qemu-virt", "boards/crosvm", "boards/el2", "boards", "geniezone", "gunyah", "kernel"],
  },
  queries: { facts: [], ".": ["facts"] },
  inspection: {
    trace: [],
    readers: ["trace"],
    causes: ["readers", "trace"],
    linux: ["causes", "readers", "trace"],
    kernels: ["linux", "readers"],
    verdicts: ["kernels", "causes", "readers", "trace"],
    rules: ["readers", "trace"],
    execution: [],
    ".": ["rules", "verdicts", "kernels", "linux", "causes", "readers", "trace"],
  },
  assembly: {
    code: [],
    layout: [],
    vms: [],
    system: ["vms"],
    devices: ["system", "layout"],
    ".": ["devices", "system", "layout"],
  },
  tui: {
    terminal: [],
    actions: ["terminal"],
    look: ["actions", "terminal"],
    panes: ["look", "actions", "terminal"],
    screens: ["panes", "look", "actions", "terminal"],
    app: ["screens", "panes", "look", "actions", "terminal"],
  },
  cli: {
    common: [],
    "start/plans": ["common"],
    "start/look": ["common"],
    "start/headless": ["common"],
    "start/debuggers": ["start/plans", "common"],
    "start/screens": ["start/plans", "start/look", "common"],
    start: ["start/screens", "start/debuggers", "start/headless", "start/look", "start/plans", "common"],
    options: ["start", "start/debuggers", "start/plans", "common"],
    mcp: ["common"],
    jobs: ["common"],
    commands: [
      ...["jobs", "mcp", "options", "start", "start/screens", "start/debuggers", "start/headless", "start/look", "start/plans", "common"],
    ],
    ".": ["commands", "jobs", "options", "start/screens", "common"],
  },
};

/**
 * Faces of a house: all that other rooms of src/ may import of it. The narrow ones load little, for
 * programs that start without a machine.
 */
const FACES: Record<string, readonly string[]> = {
  hypervisor: ["boot.ts", "inspect.ts", "interface.ts", "options.ts"],
  core: ["boot.ts", "interface.ts", "tiers.ts"],
  "resource-manager": ["resource-manager.ts", "interface.ts", "config/limits.ts"],
  host: ["boot.ts", "interface.ts", "boards/flash-size.ts"],
};

const SOURCE = new URL("../src/", import.meta.url);
/** Folders whose files are embedded: data, of no layer. */
const EMBEDDED = ["assets", "docs"].map((folder) => new URL(`../${folder}/`, import.meta.url));

/** Packages that the import map names. */
const PACKAGES = Object.keys(JSON.parse(await Deno.readTextFile(new URL("../import-map.json", import.meta.url))).imports);

async function* sourceFiles(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sourceFiles(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}

/** The first folder below src/, or "" for a file outside of it. */
function layerOf(file: URL): string {
  return file.href.startsWith(SOURCE.href) ? file.href.slice(SOURCE.href.length).split("/")[0] : "";
}

Deno.test("every folder of src/ is a layer and imports only layers below it", async () => {
  const wrong: string[] = [];
  for await (const file of sourceFiles(SOURCE)) {
    const layer = layerOf(file);
    const allowed = MAY_IMPORT[layer];
    assert.ok(allowed, `src/${layer} is no layer; add it to docs/architecture.md and to this table`);
    for (const specifier of importsOf(await Deno.readTextFile(file))) {
      if (!specifier.startsWith(".") || specifier.endsWith("/deno.json")) continue;
      if (EMBEDDED.some((folder) => new URL(specifier, file).href.startsWith(folder.href))) continue;
      const target = layerOf(new URL(specifier, file));
      if (target !== layer && !allowed.includes(target)) wrong.push(`${file.href.slice(SOURCE.href.length)} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Violations of a house's floors: imports that its table does not allow, and missing rooms. */
function wrongFloors(floors: Record<string, readonly string[]>, imports: readonly { from: string; to: string }[]): string[] {
  const wrong = imports.flatMap(({ from, to }) => {
    const [room, target] = [folderOf(from), folderOf(to)];
    if (!floors[room]) return [`${room} is not in the table`];
    return room === target || floors[room].includes(target) ? [] : [`${from} imports ${to}`];
  });
  const rooms = Object.keys(floors);
  for (const room of rooms) {
    for (const below of floors[room]) {
      if (!floors[below]) wrong.push(`${room} may import ${below}, which is not in the table`);
      else if (floors[below].includes(room)) wrong.push(`${room} and ${below} may import each other`);
    }
  }
  return [...new Set(wrong)];
}

for (const [house, floors] of Object.entries(FLOORS)) {
  Deno.test(`every room of src/${house} imports only rooms on floors below it`, () => {
    const imports = importsBelow(new URL(house, SOURCE).pathname);
    assert.ok(imports.length > 0, `src/${house} has no imports of its own`);
    assert.deepEqual(wrongFloors(floors, imports), []);
    const rooms = new Set(imports.flatMap(({ from, to }) => [folderOf(from), folderOf(to)]));
    assert.deepEqual(Object.keys(floors).filter((room) => !rooms.has(room)), [], "rooms of the table that are not there");
  });
}

Deno.test("an import up a floor, an unknown room, and rooms that may import each other are found", () => {
  const floors = { ground: [], upper: ["ground"], left: ["right"], right: ["left"] };
  assert.deepEqual(
    wrongFloors({ ground: [], upper: ["ground"] }, [
      { from: "upper/a.ts", to: "ground/b.ts" },
      { from: "ground/b.ts", to: "upper/a.ts" },
      { from: "upper/inner/c.ts", to: "upper/a.ts" },
    ]),
    ["ground/b.ts imports upper/a.ts", "upper/inner is not in the table"],
  );
  assert.deepEqual(wrongFloors(floors, []), ["left and right may import each other", "right and left may import each other"]);
});

/** Imports of a house by other rooms that do not end at one of its faces. */
function pastFaces(faces: typeof FACES, imports: readonly { from: string; to: string }[]): string[] {
  const houseOf = (file: string) => file.split("/")[0];
  return imports.flatMap(({ from, to }) => {
    const house = houseOf(to);
    const free = !faces[house] || houseOf(from) === house || faces[house].some((face) => to === `${house}/${face}`);
    return free ? [] : [`${from} imports ${to}`];
  });
}

Deno.test("rooms above a house with faces import only these", () => {
  const imports = importsBelow(new URL("../src", import.meta.url).pathname);
  assert.deepEqual(pastFaces(FACES, imports), []);
  for (const [house, faces] of Object.entries(FACES)) {
    for (const face of faces) {
      const used = imports.some(({ from, to }) => to === `${house}/${face}` && !from.startsWith(`${house}/`));
      assert.ok(used, `nothing imports ${house}/${face}`);
    }
  }
});

Deno.test("an import past the faces of a house is found", () => {
  const imports = [
    { from: "above/a.ts", to: "house/face.ts" },
    { from: "above/b.ts", to: "house/inner/room.ts" },
    { from: "above/c.ts", to: "house/beside.ts" },
    { from: "house/face.ts", to: "house/inner/room.ts" },
    { from: "above/d.ts", to: "open/inner/room.ts" },
  ];
  assert.deepEqual(pastFaces({ house: ["face.ts"] }, imports), [
    ...["above/b.ts imports house/inner/room.ts", "above/c.ts imports house/beside.ts"],
  ]);
});

/** Names in the braces of `import {..} from` and `export {..} from`, by specifier. */
function namesFrom(text: string, keyword: "import" | "export" | "import|export"): { name: string; specifier: string }[] {
  const statements = text.matchAll(new RegExp(`^(?:${keyword}) (?:type )?\\{([^}]*)\\} from "([^"]+)";`, "gm"));
  return [...statements].flatMap(([_, names, specifier]) =>
    names.split(",").map((name) => name.trim().replace(/^type | as .*$/g, "")).filter(Boolean).map((name) => ({ name, specifier }))
  );
}

Deno.test("the faces of a house show nothing that no room above imports", async () => {
  const imported = new Map<string, Set<string>>();
  for await (const file of sourceFiles(SOURCE)) {
    for (const { name, specifier } of namesFrom(await Deno.readTextFile(file), "import|export")) {
      const target = new URL(specifier, file);
      if (layerOf(target) === layerOf(file)) continue;
      if (!imported.has(target.href)) imported.set(target.href, new Set());
      imported.get(target.href)!.add(name);
    }
  }
  const faces = Object.entries(FACES).flatMap(([house, files]) => files.map((file) => new URL(`${house}/${file}`, SOURCE)));
  const unused: string[] = [];
  for (const face of faces) {
    for (const { name } of namesFrom(await Deno.readTextFile(face), "export")) {
      if (!imported.get(face.href)?.has(name)) unused.push(`${face.href.slice(SOURCE.href.length)} shows ${name}`);
    }
  }
  assert.deepEqual(unused, []);
});

Deno.test("the names of imports and re-exports are found", () => {
  const text = `import { a, type B } from "./a.ts";
import type { C as D } from "./c.ts";
export { e } from "./e.ts";
export type {
  F,
  G,
} from "./f.ts";
import "./h.ts";`;
  assert.deepEqual(namesFrom(text, "import").map(({ name, specifier }) => `${name} ${specifier}`), ["a ./a.ts", "B ./a.ts", "C ./c.ts"]);
  assert.deepEqual(namesFrom(text, "export").map(({ name, specifier }) => `${name} ${specifier}`), ["e ./e.ts", "F ./f.ts", "G ./f.ts"]);
});

Deno.test("no two folders of src/ import each other, and no circle has more than three files", () => {
  const imports = importsBelow(new URL("../src", import.meta.url).pathname);
  assert.ok(imports.length > 0, "the imports of src/ are found");
  assert.deepEqual(twoWayPairs(imports).map(({ a, b }) => `${a} and ${b}`), []);
  assert.deepEqual(circles(imports).filter(({ length }) => length > 3), []);
});

Deno.test("circles of files and two-way pairs of folders are found", () => {
  const imports = [["a/1", "b/1"], ["b/1", "b/2"], ["b/2", "a/1"], ["a/1", "c/1"]].map(([from, to]) => ({ from, to }));
  assert.deepEqual(circles(imports), [["a/1", "b/1", "b/2"]]);
  assert.deepEqual(twoWayPairs(imports).map(({ a, b }) => [a, b]), [["a", "b"]]);
});

Deno.test("a snapshot for --instant is of the program that the worker may import, whole", () => {
  const rooms = new Set(["session"]);
  for (const room of rooms) MAY_IMPORT[room].forEach((below) => rooms.add(below));
  assert.deepEqual([...MACHINE].sort(), [...rooms].sort());
});

Deno.test("the table of layers has no circle: a room imports only rooms listed above it", () => {
  const rooms = Object.keys(MAY_IMPORT);
  const wrong = rooms.flatMap((room, index) =>
    MAY_IMPORT[room].filter((below) => !rooms.slice(0, index).includes(below)).map((b) => `${room}: ${b}`)
  );
  assert.deepEqual(wrong, []);
});

/**
 * Specifiers of the modules whose values a module has before its own code runs: its static imports,
 * but for types.
 */
function valueImportsOf(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\s+(?!type\b)(?:([^;"']*?)\bfrom\s*)?"([^"]+)"/gm);
  const isTypes = (names: string) => /^\s*\{(\s*type\s[^,}]*,?)+\s*\}\s*$/.test(names);
  return [...statements].filter(([, names]) => names === undefined || !isTypes(names)).map((match) => match[2]);
}

Deno.test("no module waits for the values of one that waits for its own", async () => {
  const imports = new Map<string, string[]>();
  for await (const file of sourceFiles(SOURCE)) {
    const targets = valueImportsOf(await Deno.readTextFile(file)).map((specifier) => new URL(specifier, file).href);
    imports.set(file.href, targets.filter((target) => target.startsWith(SOURCE.href)));
  }
  // A file that imports none of the remaining ones cannot be in a circle.
  for (let before = Infinity; before > imports.size;) {
    before = imports.size;
    for (const [file, targets] of imports) if (!targets.some((target) => imports.has(target))) imports.delete(file);
  }
  assert.deepEqual([...imports.keys()].map((file) => file.slice(SOURCE.href.length)), []);
});

/** The files that files load before their own code runs, and the modules of Node among those. */
async function loadedBy(...paths: string[]): Promise<{ needed: ReadonlySet<string>; ofNode: string[] }> {
  const needed = new Set(paths.map((path) => new URL(`../${path}`, import.meta.url).href));
  const ofNode: string[] = [];
  for (const file of needed) {
    for (const specifier of valueImportsOf(await Deno.readTextFile(new URL(file)))) {
      if (specifier.startsWith("node:")) ofNode.push(`${file.slice(file.lastIndexOf("/") + 1)} imports ${specifier}`);
      else if (/^\..*\.ts$/.test(specifier)) needed.add(new URL(specifier, file).href);
    }
  }
  return { needed, ofNode };
}

Deno.test("neither the demo's first frame nor a machine waits for a module of Node, which take longer to load than all others", async () => {
  const frame = await loadedBy("main.ts", "src/app/cli/start/screens/opening.ts"),
    worker = await loadedBy("src/session/worker/worker-main.ts");
  assert.deepEqual([...frame.ofNode, ...worker.ofNode], []);
  assert.ok(frame.needed.has(new URL("app/tui/app/frame/frame.ts", SOURCE).href), "the imports of the frame are followed");
  assert.ok(worker.needed.has(new URL("cpu/core/core.ts", SOURCE).href), "the imports of the worker are followed");
});

Deno.test("faces for programs without a machine load none", async () => {
  const paths = [
    "machine/hypervisor/interface.ts",
    "machine/hypervisor/options.ts",
    "machine/resource-manager/interface.ts",
    "machine/host/interface.ts",
  ];
  const { needed } = await loadedBy(...paths.map((path) => `src/${path}`));
  const objects = ["capabilities", "gic", "memory", "ipc"].map((room) => new URL(`hypervisor/${room}/`, SOURCE).href);
  const guests = ["cpu/core/boot.ts", "machine/host/kernel/kernel.ts", "machine/resource-manager/dispatch.ts"].map((file) =>
    new URL(file, SOURCE).href
  );
  assert.deepEqual([...needed].filter((file) => [...objects, ...guests].some((start) => file.startsWith(start))), []);
  assert.ok((await loadedBy("src/machine/hypervisor/boot.ts")).needed.size > 2 * needed.size);
});

Deno.test("src/ imports packages only by the names of the import map, and Node built-ins", async () => {
  const wrong: string[] = [];
  for await (const file of sourceFiles(SOURCE)) {
    for (const specifier of importsOf(await Deno.readTextFile(file))) {
      const known = specifier.startsWith(".") || specifier.startsWith("node:") || PACKAGES.includes(specifier);
      if (!known) wrong.push(`${file.href.slice(SOURCE.href.length)} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the imports of a file are found however they are written", () => {
  const text = `import type { A } from "./a.ts";
import {
  b,
  c,
} from "./b.ts";
export * from "./c.ts";
import "./d.ts";
const e = await import("./e.ts");
new Worker(new URL("./f.ts", import.meta.url));
const text = "import from nowhere";`;
  assert.deepEqual(importsOf(text), ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts"]);
  assert.deepEqual(valueImportsOf(`${text}\nimport { type G, type H } from "./g.ts";\nimport { i, type J } from "./i.ts";`), [
    ...["./b.ts", "./c.ts", "./d.ts", "./i.ts"],
  ]);
});
