// A flattened devicetree among the files: a VM's, by the rules of `el2 vm lint`; or a phone's, in
// which a hypervisor's node is there or not.

import { lintVm } from "../configuration/vm-lint.ts";
import type { Explained, LinePlace, Sign, SignValues } from "./forms/sign.ts";
import { readDevicetree } from "../../machine/devicetree/reader.ts";
import { findChild, readStrings, walk } from "../../machine/devicetree/tree.ts";

/** Findings that are explained; a tree of strangers may have thousands. */
const FINDINGS_MAX = 100;

export function explainTree(file: string, bytes: Uint8Array): Explained[] {
  const explained = (where: string, says: string, kind: Sign["kind"], values: SignValues, more: Partial<Explained> = {}): Explained => {
    const at: LinePlace = { file, line: 0 };
    return { at, text: where, by: "a devicetree", says, count: 1, sign: { kind, values, at }, ...more };
  };
  const read = readDevicetree(bytes);
  if (!read.ok) return [explained("the header", `not a devicetree that can be read: ${read.problem}`, "lint", { kind: "refused" })];
  const { root } = read.tree, compatible = [...walk(root)].flatMap(({ node }) => readStrings(node, "compatible") ?? []);
  const memory = findChild(root, "memory");
  const size: SignValues = { bytes: bytes.length, memory: memory ? "yes" : "no" };
  const own = compatible.includes("linux,dummy-virt");
  const all = [explained("/", `a devicetree of ${bytes.length} bytes${own ? " for a VM" : ""}`, "tree", size, { quiet: true })];
  if (compatible.some((one) => one.startsWith("mediatek,")) && !compatible.some((one) => one.startsWith("mediatek,geniezone"))) {
    all.push(
      explained("/", "the tree of a MediaTek phone without GenieZone's node: its driver is never asked", "no-gz-node", {}, {
        book: ["geniezone", "1"],
      }),
    );
  }
  for (const { kind, path, property, what, does } of lintVm(bytes).slice(0, FINDINGS_MAX)) {
    const where = property === undefined ? path : `${path} ${property}`;
    all.push(
      explained(where, `${what}: ${does}`, "lint", { kind, node: path.startsWith("/reserved-memory/") ? "reserved-memory" : "other" }, {
        book: ["resource-manager", "7.1"],
        ...kind !== "refused" && { quiet: true },
      }),
    );
  }
  return all;
}
