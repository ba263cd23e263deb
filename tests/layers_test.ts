// Imports point downward (docs/architecture.md, "Floors"): this is that picture as a table.

import assert from "node:assert/strict";
import { GENERATING } from "../src/session/assembly/code/generating-program.ts";
import { MACHINE } from "../src/session/snapshots/instant.ts";
import { circles, folderOf, type Import, importsBelow, importsOf, twoWayPairs } from "../scripts/structure/imports.ts";

/**
 * The permitted imports of each room of src/, types included; importing from the same room is
 * always allowed. From the ground up: a floor may import only floors above it in this table, a room
 * only rooms above it.
 */
const FLOORS: Record<string, Record<string, readonly string[]>> = {
  kit: {
    support: [],
    formats: ["support"],
  },
  cpu: {
    isa: ["support"],
    core: ["isa", "support"],
  },
  machine: {
    abi: ["support"],
    devices: [],
    devicetree: ["support"],
    hardware: ["abi", "core", "support"],
    hypervisor: ["hardware", "devices", "abi", "core", "isa", "support"],
    "resource-manager": ["devicetree", "abi", "support"],
    virtio: ["devices", "formats", "support"],
    host: ["virtio", "devicetree", "devices", "abi", "support"],
    platform: ["host", "hardware", "devicetree", "devices"],
  },
  model: {
    queries: ["virtio", "abi", "support"],
    commands: ["queries", "abi", "support"],
    plans: ["commands", "queries", "host", "virtio", "hypervisor", "abi", "core", "isa", "support"],
    protocol: ["plans", "commands", "queries", "hypervisor", "abi", "support"],
  },
  inside: {
    images: ["host", "abi", "isa", "formats", "support"],
    expressions: ["formats", "support"],
    symbols: ["expressions", "hypervisor", "hardware", "core", "formats", "support"],
    linux: ["expressions", "symbols", "queries", "formats", "support"],
    dumps: ["linux", "symbols", "formats", "support"],
  },
  session: {
    state: ["hypervisor", "hardware", "support"],
    outside: ["state", "virtio", "hardware", "formats", "support"],
    inspection: [
      ...[
        "dumps",
        "linux",
        "symbols",
        "expressions",
        "protocol",
        "commands",
        "queries",
        "host",
        "virtio",
        "resource-manager",
        "hypervisor",
        "devicetree",
      ],
      ...["abi", "core", "isa", "formats", "support"],
    ],
    assembly: [
      ...["inspection", "outside", "state", "symbols", "images", "protocol", "plans", "queries", "platform", "host", "virtio"],
      ...["resource-manager", "hypervisor", "hardware", "devicetree", "devices", "abi", "core", "isa", "formats"],
      ...["support"],
    ],
    snapshots: ["assembly", "state", "plans", "queries", "hardware", "core", "support"],
    recordings: [
      ...["snapshots", "assembly", "outside", "state", "symbols", "protocol", "plans", "commands", "queries", "hypervisor", "abi"],
      ...["core", "isa", "formats", "support"],
    ],
    engine: [
      ...["recordings", "snapshots", "assembly", "inspection", "outside", "state", "symbols", "protocol", "plans"],
      ...["commands", "queries", "hypervisor", "abi", "support"],
    ],
    worker: [
      ...["engine", "recordings", "snapshots", "assembly", "inspection", "dumps", "outside", "state", "protocol", "plans", "queries"],
      ...["virtio", "core", "formats", "support"],
    ],
    batch: [
      ...["worker", "recordings", "snapshots", "assembly", "inspection", "plans", "queries", "hardware", "abi", "formats"],
      ...["support"],
    ],
    control: ["worker", "outside", "protocol", "commands", "queries", "abi", "support"],
    debug: ["queries", "hypervisor", "core", "support"],
    export: ["inspection", "queries", "abi", "formats", "support"],
  },
  app: {
    library: ["assembly", "plans", "queries", "host", "hardware", "abi", "support"],
    catalog: ["library", "images", "virtio", "formats", "support"],
    configuration: [
      ...["catalog", "assembly", "symbols", "images", "plans", "queries", "host", "virtio", "resource-manager", "hypervisor"],
      ...["hardware", "devicetree", "abi", "isa", "formats", "support"],
    ],
    scenarios: [
      ...["configuration", "catalog", "recordings", "snapshots", "assembly", "inspection", "plans", "commands", "queries"],
      ...["hypervisor", "abi", "formats", "support"],
    ],
    explain: ["configuration", "queries", "devicetree", "abi", "isa", "support"],
    jobs: ["scenarios", "catalog", "batch", "recordings", "snapshots", "inspection", "images", "isa", "formats", "support"],
    tui: ["configuration", "control", "worker", "commands", "protocol", "queries", "abi", "support"],
    replays: ["jobs", "configuration", "control", "worker", "recordings", "plans", "commands", "protocol", "queries", "support"],
    web: ["tui", "replays", "worker", "recordings", "outside", "commands", "protocol", "formats", "support"],
    cli: [
      ...["web", "tui", "replays", "jobs", "explain", "scenarios", "configuration", "catalog", "export", "debug", "control", "worker"],
      ...["recordings", "snapshots", "symbols", "commands", "protocol", "plans", "queries"],
      ...["devicetree", "abi", "formats", "support"],
    ],
  },
};

/** The rooms by their names, which are unlike each other on all floors. */
const MAY_IMPORT: Record<string, readonly string[]> = Object.assign({}, ...Object.values(FLOORS));
/** Where each room is, below src/. */
const FOLDER_OF = new Map(Object.entries(FLOORS).flatMap(([floor, rooms]) => Object.keys(rooms).map((room) => [room, `${floor}/${room}`])));

/**
 * The folders inside a room: what each may import of the room, types included. Every folder counts
 * by itself, a parent and its child too; "." is the room's own folder. No two may import each
 * other.
 */
const INSIDE: Record<string, Record<string, readonly string[]>> = {
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
    architecture: [],
    debug: ["architecture"],
    wasm: [],
    state: ["wasm"],
    decoded: ["state", "wasm", "architecture"],
    exceptions: ["state", "wasm", "architecture"],
    interpreter: ["exceptions", "decoded", "state", "wasm", "architecture"],
    memory: ["exceptions", "state", "wasm", "debug", "architecture"],
    fp: ["state", "wasm"],
    simd: ["fp", "state", "wasm"],
    registers: ["simd", "fp", "memory", "exceptions", "state", "wasm", "debug", "architecture"],
    "translator/code": ["interpreter", "decoded", "state", "wasm"],
    outlook: ["translator/code", "registers", "memory", "interpreter", "state", "architecture"],
    "translator/regions": ["translator/code", "state", "architecture"],
    "translator/emission": ["translator/regions", "translator/code", "fp", "interpreter", "decoded", "state", "wasm", "architecture"],
    "translator/compiler": ["translator/emission"],
    translator: [
      "translator/compiler",
      "translator/emission",
      "translator/regions",
      "translator/code",
      "interpreter",
      "decoded",
      "state",
      "wasm",
    ],
    waits: ["translator/code", "interpreter", "decoded", "state", "architecture"],
    ".": [
      "waits",
      "translator",
      "translator/compiler",
      "translator/emission",
      "outlook",
      "translator/code",
      "registers",
      "simd",
      "memory",
      "interpreter",
      "exceptions",
      "decoded",
      "state",
      "wasm",
      "debug",
      "architecture",
    ],
  },
  hypervisor: {
    trace: [],
    archive: [],
    random: [],
    services: ["trace"],
    capabilities: ["archive", "random", "services"],
    memory: ["archive", "services", "capabilities"],
    "gic/its": [],
    gic: ["gic/its", "archive", "services", "capabilities", "memory"],
    ipc: ["archive", "services", "capabilities", "memory", "gic"],
    virtio: ["archive", "capabilities", "memory", "gic"],
    scheduling: ["trace", "archive", "random", "services", "capabilities", "memory", "gic", "virtio"],
    firmware: ["capabilities", "gic", "scheduling"],
    semihosting: ["services", "memory", "scheduling", "firmware"],
    traps: ["capabilities", "gic", "scheduling", "firmware", "semihosting"],
    debug: ["trace", "scheduling"],
    calls: [
      ...["services", "capabilities", "memory", "gic", "ipc", "virtio"],
      ...["scheduling", "firmware", "traps"],
    ],
    geniezone: ["archive", "capabilities", "memory", "gic", "ipc", "scheduling"],
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
    boards: [],
    "boards/crosvm": ["boards"],
    "boards/el2": ["boards"],
    "boards/qemu-virt": ["boards"],
    data: ["boards"],
    kernel: [],
    gunyah: ["kernel"],
    geniezone: ["gunyah", "kernel"],
    primary: ["geniezone", "gunyah", "kernel", "data", "boards"],
    ".": ["primary", "gunyah", "kernel", "data", "boards/qemu-virt", "boards/el2", "boards/crosvm", "boards"],
  },
  queries: {
    facts: [],
    ".": ["facts"],
    texts: [".", "facts"],
    filters: ["texts", "."],
  },
  inspection: {
    trace: [],
    readers: ["trace"],
    "readers/objects": ["readers", "trace"],
    "readers/guest": ["readers/objects", "readers"],
    causes: ["readers/guest", "readers/objects", "readers"],
    linux: ["causes", "readers/guest", "readers/objects", "readers", "trace"],
    kernels: ["linux", "trace", "readers/guest", "readers/objects", "readers"],
    rules: ["readers/guest", "readers/objects", "readers"],
    verdicts: ["kernels", "causes", "readers/guest", "readers/objects", "readers", "trace"],
    boards: ["causes", "readers/guest", "readers"],
    expressions: ["linux", "readers/guest", "readers"],
    ".": ["expressions", "verdicts", "rules", "kernels", "readers/guest", "readers/objects", "readers", "trace"],
    dumps: [".", "expressions", "verdicts", "linux", "readers/guest", "readers", "trace"],
    execution: [],
  },
  assembly: {
    code: [],
    layout: [],
    vms: [],
    system: ["vms"],
    devices: ["system", "layout"],
    building: ["devices", "system", "layout"],
    ".": ["building", "devices", "system", "layout", "code"],
  },
  explain: { forms: [], ".": ["forms"] },
  tui: {
    terminal: [],
    actions: ["terminal"],
    look: ["actions", "terminal"],
    panes: ["look", "actions", "terminal"],
    "app/overlays": ["panes", "look", "actions", "terminal"],
    "app/guide": ["look", "actions"],
    "panes/consoles": ["panes", "look", "terminal"],
    "panes/memory": ["panes", "look", "terminal"],
    "panes/vcpus": ["panes", "look", "terminal"],
    "panes/queues": ["panes/vcpus", "panes", "look", "terminal"],
    "panes/overview": ["panes/queues", "panes/vcpus", "panes", "look", "actions", "terminal"],
    screens: ["panes/overview", "panes/queues", "panes/vcpus", "panes/memory", "panes/consoles", "panes", "look", "actions", "terminal"],
    "app/frame": ["screens", "app/guide", "app/overlays", "panes", "look", "actions", "terminal"],
    "app/services": ["app/frame", "screens", "panes/overview", "panes/consoles", "app/overlays", "panes", "look", "actions"],
    "app/doing": ["app/services", "screens", "panes/overview", "panes/vcpus", "panes/memory", "app/overlays", "panes", "look", "actions"],
    "app/start": ["app/frame", "app/overlays", "panes", "look", "terminal"],
    app: [
      "app/start",
      "app/doing",
      "app/services",
      "app/frame",
      "screens",
      "panes/overview",
      "panes/consoles",
      "app/guide",
      "app/overlays",
      "panes",
      "look",
      "actions",
      "terminal",
    ],
  },
  cli: {
    common: [],
    mcp: ["start/plans", "common"],
    "start/plans": ["common"],
    "start/debuggers": ["start/plans", "common"],
    "start/headless": ["common"],
    "start/look": ["common"],
    "start/screens": ["start/look", "start/plans", "common"],
    start: ["start/screens", "start/look", "start/headless", "start/debuggers", "start/plans", "common"],
    options: ["start", "start/plans", "common"],
    "commands/clients": ["options", "start/debuggers", "mcp", "common"],
    "commands/machines": ["options", "start", "start/screens", "start/look", "start/debuggers", "start/plans", "common"],
    "commands/reference": ["options", "start/look", "common"],
    "commands/screens": ["commands/reference", "options", "start", "start/screens", "start/look", "start/plans", "common"],
    "commands/runs": ["options", "start", "start/plans", "common"],
    "commands/scenarios": ["options", "start/plans", "common"],
    "commands/session": ["options", "start/look", "start/headless", "start/plans", "common"],
    ".": [
      "commands/session",
      "commands/scenarios",
      "commands/runs",
      "commands/screens",
      "commands/reference",
      "commands/machines",
      "commands/clients",
      "options",
      "start/screens",
      "common",
    ],
  },
  support: {
    text: ["values"],
    ".": ["text"],
    values: ["."],
    computer: ["values"],
    files: ["text", "computer", "values", "."],
  },
  isa: {
    cpus: [],
    names: [],
    notation: ["cpus"],
    general: ["notation", "names", "cpus"],
    vectors: ["general", "notation"],
    ".": ["vectors", "general", "notation", "names", "cpus"],
  },
  recordings: {
    file: [],
    looking: [],
    past: ["looking"],
    runs: ["past", "looking", "file"],
  },
  linux: {
    kernel: [],
    structures: ["kernel"],
    pstore: ["structures", "kernel"],
    waits: ["structures", "kernel"],
    ".": ["waits", "pstore", "structures", "kernel"],
    events: ["structures", "kernel"],
    verdicts: ["events", "waits", "structures", "kernel"],
  },
};

/**
 * Faces of a room: all that other rooms of src/ may import of it. The narrow ones load little, for
 * programs that start without a machine.
 */
const FACES: Record<string, readonly string[]> = {
  hypervisor: ["boot.ts", "inspect.ts", "interface.ts", "options.ts"],
  core: ["boot.ts", "compiling.ts", "interface.ts", "tiers.ts"],
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

/** The room of a path below src/: the folder below a floor. */
const roomOf = (path: string): string => path.split("/")[1] ?? "";

/** The room of a file; "" outside of src/. */
function layerOf(file: URL): string {
  return file.href.startsWith(SOURCE.href) ? roomOf(file.href.slice(SOURCE.href.length)) : "";
}

Deno.test("every room of src/ lies on its floor and imports only rooms below it", async () => {
  const wrong: string[] = [];
  for await (const file of sourceFiles(SOURCE)) {
    const layer = layerOf(file);
    const allowed = MAY_IMPORT[layer];
    const folder = FOLDER_OF.get(layer);
    assert.ok(
      folder !== undefined && file.href.startsWith(`${SOURCE.href}${folder}/`),
      `${file.pathname} is in no room; add it to docs/architecture.md and to this table`,
    );
    for (const specifier of importsOf(await Deno.readTextFile(file))) {
      if (!specifier.startsWith(".") || specifier.endsWith("/deno.json")) continue;
      if (EMBEDDED.some((folder) => new URL(specifier, file).href.startsWith(folder.href))) continue;
      const target = layerOf(new URL(specifier, file));
      if (target !== layer && !allowed.includes(target)) wrong.push(`${file.href.slice(SOURCE.href.length)} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Violations of a room's table: imports that it does not allow, and folders that it lacks. */
function wrongFolders(floors: Record<string, readonly string[]>, imports: readonly { from: string; to: string }[]): string[] {
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

for (const [room, folders] of Object.entries(INSIDE)) {
  Deno.test(`every folder of ${room} imports only folders of it that are below`, () => {
    const imports = importsBelow(new URL(FOLDER_OF.get(room)!, SOURCE).pathname);
    assert.ok(imports.length > 0, `${room} has no imports of its own`);
    assert.deepEqual(wrongFolders(folders, imports), []);
    const there = new Set(imports.flatMap(({ from, to }) => [folderOf(from), folderOf(to)]));
    assert.deepEqual(Object.keys(folders).filter((folder) => !there.has(folder)), [], "folders of the table that are not there");
  });
}

/** Imports that a table allows and no file has: entries that are no longer needed. */
function unneeded(table: Record<string, readonly string[]>, roomOf: (file: string) => string, imports: readonly Import[]): string[] {
  const used = new Set(imports.map(({ from, to }) => `${roomOf(from)} ${roomOf(to)}`));
  return Object.entries(table).flatMap(([room, allowed]) =>
    allowed.filter((below) => !used.has(`${room} ${below}`)).map((below) => `${room} may import ${below}, and does not`)
  );
}

Deno.test("the tables allow no import that no file has", () => {
  const rooms = unneeded(MAY_IMPORT, roomOf, importsBelow(new URL("../src", import.meta.url).pathname));
  const folders = Object.entries(INSIDE).flatMap(([room, table]) =>
    unneeded(table, folderOf, importsBelow(new URL(FOLDER_OF.get(room)!, SOURCE).pathname)).map((one) => `${room}: ${one}`)
  );
  assert.deepEqual([...rooms, ...folders], []);
  const imports = [{ from: "upper/a.ts", to: "ground/b.ts" }];
  assert.deepEqual(unneeded({ ground: [], upper: ["ground", "cellar"] }, folderOf, imports), ["upper may import cellar, and does not"]);
});

/** Rooms by which people and agents use a session, and those that they do not know. */
const FACES_OF_PEOPLE = ["tui", "cli"],
  UNKNOWN = ["inspection", "assembly", "engine", "isa", "core", ...Object.keys(FLOORS.machine)]
    .filter((room) => !["abi", "devicetree"].includes(room));

/** Imports of parts of a session or machine by screens, commands and the agents' server. */
function pastTheSession(imports: readonly Import[]): string[] {
  return imports.filter(({ from, to }) => FACES_OF_PEOPLE.includes(roomOf(from)) && UNKNOWN.includes(roomOf(to)))
    .map(({ from, to }) => `${from} imports ${to}`);
}

Deno.test("screens, commands and the agents' server import no machine, and nothing that reads, builds or runs one", () => {
  assert.deepEqual(pastTheSession(importsBelow(new URL("../src", import.meta.url).pathname)), []);
  const planted = [
    ["app/cli/mcp/tools.ts", "session/inspection/inspector.ts"],
    ["app/cli/commands/machines/boot.ts", "session/assembly/assemble.ts"],
    ["app/tui/panes/pane.ts", "machine/hypervisor/boot.ts"],
    ["app/cli/options/behavior.ts", "cpu/isa/cpus/cpus.ts"],
    ["app/tui/run.ts", "session/engine/engine.ts"],
  ].map(([from, to]) => ({ from, to }));
  assert.deepEqual(pastTheSession(planted), planted.map(({ from, to }) => `${from} imports ${to}`));
  const others = [["app/cli/a.ts", "machine/abi/trace.ts"], ["app/jobs/a.ts", "cpu/isa/a.ts"]].map(([from, to]) => ({ from, to }));
  assert.deepEqual(pastTheSession(others), []);
});

Deno.test("an import upward, an unknown folder, and folders that may import each other are found", () => {
  const floors = { ground: [], upper: ["ground"], left: ["right"], right: ["left"] };
  assert.deepEqual(
    wrongFolders({ ground: [], upper: ["ground"] }, [
      { from: "upper/a.ts", to: "ground/b.ts" },
      { from: "ground/b.ts", to: "upper/a.ts" },
      { from: "upper/inner/c.ts", to: "upper/a.ts" },
    ]),
    ["ground/b.ts imports upper/a.ts", "upper/inner is not in the table"],
  );
  assert.deepEqual(wrongFolders(floors, []), ["left and right may import each other", "right and left may import each other"]);
});

/** Imports of a room by other rooms that do not end at one of its faces. */
function pastFaces(faces: typeof FACES, imports: readonly { from: string; to: string }[]): string[] {
  return imports.flatMap(({ from, to }) => {
    const room = roomOf(to);
    const free = !faces[room] || roomOf(from) === room || faces[room].some((face) => to.endsWith(`/${room}/${face}`));
    return free ? [] : [`${from} imports ${to}`];
  });
}

Deno.test("rooms above a room with faces import only these", () => {
  const imports = importsBelow(new URL("../src", import.meta.url).pathname);
  assert.deepEqual(pastFaces(FACES, imports), []);
  for (const [room, faces] of Object.entries(FACES)) {
    for (const face of faces) {
      const used = imports.some(({ from, to }) => to.endsWith(`/${room}/${face}`) && roomOf(from) !== room);
      assert.ok(used, `nothing imports ${face} of ${room}`);
    }
  }
});

Deno.test("an import past the faces of a room is found", () => {
  const imports = [
    { from: "floor/above/a.ts", to: "ground/room/face.ts" },
    { from: "floor/above/b.ts", to: "ground/room/inner/part.ts" },
    { from: "floor/above/c.ts", to: "ground/room/beside.ts" },
    { from: "ground/room/face.ts", to: "ground/room/inner/part.ts" },
    { from: "floor/above/d.ts", to: "ground/open/inner/part.ts" },
  ];
  assert.deepEqual(pastFaces({ room: ["face.ts"] }, imports), [
    ...["floor/above/b.ts imports ground/room/inner/part.ts", "floor/above/c.ts imports ground/room/beside.ts"],
  ]);
});

/** Names in the braces of `import {..} from` and `export {..} from`, by specifier. */
function namesFrom(text: string, keyword: "import" | "export" | "import|export"): { name: string; specifier: string }[] {
  const statements = text.matchAll(new RegExp(`^(?:${keyword}) (?:type )?\\{([^}]*)\\} from "([^"]+)";`, "gm"));
  return [...statements].flatMap(([_, names, specifier]) =>
    names.split(",").map((name) => name.trim().replace(/^type | as .*$/g, "")).filter(Boolean).map((name) => ({ name, specifier }))
  );
}

Deno.test("the faces of a room show nothing that no room above imports", async () => {
  const imported = new Map<string, Set<string>>();
  for await (const file of sourceFiles(SOURCE)) {
    for (const { name, specifier } of namesFrom(await Deno.readTextFile(file), "import|export")) {
      const target = new URL(specifier, file);
      if (layerOf(target) === layerOf(file)) continue;
      if (!imported.has(target.href)) imported.set(target.href, new Set());
      imported.get(target.href)!.add(name);
    }
  }
  const faces = Object.entries(FACES).flatMap(([room, files]) => files.map((file) => new URL(`${FOLDER_OF.get(room)}/${file}`, SOURCE)));
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
  const rooms = new Set(["worker"]);
  for (const room of rooms) MAY_IMPORT[room].forEach((below) => rooms.add(below));
  assert.deepEqual([...MACHINE].sort(), [...rooms].map((room) => FOLDER_OF.get(room)).sort());
});

Deno.test("generated code is of all rooms that the core may import", () => {
  assert.deepEqual([...GENERATING].sort(), ["core", ...MAY_IMPORT.core].map((room) => FOLDER_OF.get(room)).sort());
});

Deno.test("the table has no circle: a floor, and a room, imports only what is listed above it", () => {
  const rooms = Object.keys(MAY_IMPORT);
  assert.equal(rooms.length, Object.values(FLOORS).flatMap((floor) => Object.keys(floor)).length, "no two rooms have one name");
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

Deno.test("a command waits for no module of Node but those for paths", async () => {
  const roots = ["main", "boot", "run", "attach", "test"].map((name) => `src/app/cli/${name}.ts`);
  const { needed, ofNode } = await loadedBy(...roots);
  assert.deepEqual(ofNode.filter((line) => !/ imports node:(path|url)$/.test(line)), []);
  assert.ok(needed.has(new URL("session/control/server.ts", SOURCE).href), "the imports of the commands are followed");
});

Deno.test("faces for programs without a machine load none", async () => {
  const paths = [
    "machine/hypervisor/interface.ts",
    "machine/hypervisor/options.ts",
    "machine/resource-manager/interface.ts",
    "machine/host/interface.ts",
  ];
  const { needed } = await loadedBy(...paths.map((path) => `src/${path}`));
  const objects = ["capabilities", "gic", "memory", "ipc"].map((room) => new URL(`machine/hypervisor/${room}/`, SOURCE).href);
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
