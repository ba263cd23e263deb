// The devicetree that a kernel has unpacked (drivers/of/base.c in its sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { BadMemory, textOf } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const OF = "devicetree";
const NAME_MAX = 255, VALUE_MAX = 4096, NODES_MAX = 65_536, PROPERTIES_MAX = 1024, LEVELS_MAX = 64;
/** Characters of a path that are one step. */
const CHARACTERS = 16;

interface Node {
  readonly node: Struct;
  readonly path: string;
}

/** The nodes, each before those below it. */
function* nodesOf(reading: Reading): Generator<Node> {
  const root = reading.memory.u64(reading.address("of_root"));
  if (root === 0n) return;
  let count = 0;
  function* walk(node: Struct, above: string, level: number): Generator<Node> {
    if (++count > NODES_MAX || level === LEVELS_MAX) throw new BadMemory("invalid", "a devicetree without end", node.address);
    const path = level === 0 ? "/" : `${above === "/" ? "" : above}/${node.textAt("full_name", NAME_MAX) ?? ""}`;
    // A path is as long as all names above it.
    reading.spend(path.length / CHARACTERS | 0);
    yield { node, path };
    for (let child = node.at("child", "device_node"); child; child = child.at("sibling", "device_node")) {
      yield* walk(child, path, level + 1);
    }
  }
  yield* walk(reading.struct("device_node", root), "", 0);
}

/** The properties of a node by name. */
export function propertiesOf(node: Struct): ReadonlyMap<string, Struct> {
  const found = new Map<string, Struct>();
  for (let one = node.at("properties", "property"), count = 0; one; one = one.at("next", "property")) {
    if (++count > PROPERTIES_MAX) throw new BadMemory("invalid", "a node with too many properties", node.address);
    found.set(one.textAt("name", NAME_MAX) ?? "", one);
  }
  return found;
}

/** The nodes right below one. */
function* below(reading: Reading, node: Struct): Generator<Struct> {
  let count = 0;
  for (let child = node.at("child", "device_node"); child; child = child.at("sibling", "device_node")) {
    if (++count > NODES_MAX) throw new BadMemory("invalid", "a devicetree without end", child.address);
    reading.spend();
    yield child;
  }
}

interface Reserved {
  readonly properties: ReadonlyMap<string, Struct>;
  /** Cells of an address and of a size in `reg`. */
  readonly cells: { readonly address: number; readonly size: number };
}

/** The nodes of reserved memory that are compatible with a binding. */
export function* reservedNodes(reading: Reading, binding: string): Generator<Reserved> {
  const root = reading.memory.u64(reading.address("of_root"));
  if (root === 0n) return;
  for (const parent of below(reading, reading.struct("device_node", root))) {
    if (parent.textAt("full_name", NAME_MAX) !== "reserved-memory") continue;
    const own = propertiesOf(parent), count = (name: string) => cellsOf(own.get(name))[0] ?? 1;
    const cells = { address: count("#address-cells"), size: count("#size-cells") };
    for (const node of below(reading, parent)) {
      const properties = propertiesOf(node);
      if (textsOf(properties.get("compatible")).includes(binding)) yield { properties, cells };
    }
  }
}

function textsOf(property: Struct | undefined): string[] {
  const size = property ? Math.min(property.number("length"), VALUE_MAX) : 0;
  if (!property || size === 0) return [];
  const bytes = property.memory.bytes(property.pointer("value"), size), texts: string[] = [];
  for (let at = 0; at < size;) {
    const end = bytes.indexOf(0, at), next = end < 0 ? size : end;
    property.memory.work.spend();
    texts.push(textOf(bytes.subarray(at, next)));
    at = next + 1;
  }
  return texts;
}

const CELL = 4;

/** The cells of a property. */
export function cellsOf(property: Struct | undefined): number[] {
  const size = property ? Math.min(property.number("length"), VALUE_MAX) : 0;
  if (!property || size < CELL) return [];
  const bytes = property.memory.bytes(property.pointer("value"), size), view = new DataView(bytes.buffer);
  return Array.from({ length: Math.floor(size / CELL) }, (_, index) => view.getUint32(CELL * index));
}

export function readNodes(reading: Reading): RowOf<LinuxTables["linux.dt"]>[] {
  return reading.rows(OF, () => nodesOf(reading), ({ node, path }) => {
    const properties = propertiesOf(node);
    return {
      id: formatId({ kind: "dtnode", vm: reading.vm, path }),
      vm: vmId(reading.vm),
      path,
      compatible: textsOf(properties.get("compatible")),
      status: textsOf(properties.get("status"))[0] ?? null,
      properties: [...properties.keys()],
    };
  });
}
