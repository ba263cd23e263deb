// Sampled stacks as a flame graph: one SVG that any browser shows. A box is a function, as wide as
// its share of the samples, above its caller; pointing at it shows its name and numbers.

import type { SampledStack } from "../../inspection/execution/stack-samples.ts";
import { xmlText } from "../../../kit/support/text/xml-text.ts";

/** Pixels: the picture, a row, a character, and the narrowest box that is drawn. */
const WIDTH = 1200, ROW = 17, CHARACTER = 7, NARROWEST = 0.3;

interface Box {
  readonly name: string;
  samples: number;
  readonly callees: Map<string, Box>;
}

export function* flameGraph(stacks: readonly SampledStack[]): Generator<string> {
  const root: Box = { name: "all", samples: 0, callees: new Map() };
  for (const { frames, samples } of stacks) {
    root.samples += samples;
    let box = root;
    for (const name of frames) {
      let callee = box.callees.get(name);
      if (!callee) box.callees.set(name, callee = { name, samples: 0, callees: new Map() });
      callee.samples += samples;
      box = callee;
    }
  }
  const rows = stacks.reduce((most, { frames }) => Math.max(most, frames.length + 1), 1), height = rows * ROW;
  yield `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="12">\n`;
  yield* draw(root, root, { x: 0, y: height - ROW });
  yield "</svg>\n";
}

function* draw(box: Box, root: Box, { x, y }: { readonly x: number; readonly y: number }): Generator<string> {
  const width = root.samples ? WIDTH * box.samples / root.samples : 0;
  if (width < NARROWEST) return;
  const share = `${(100 * box.samples / root.samples).toFixed(2)} %`, room = Math.floor((width - 4) / CHARACTER);
  const label = room < 2 ? "" : box.name.length > room ? `${box.name.slice(0, room - 1)}…` : box.name;
  yield `<g><title>${xmlText(`${box.name}: ${box.samples} samples, ${share}`)}</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colorOf(box.name)}"/>` +
    `<text x="${(x + 2).toFixed(1)}" y="${y + ROW - 5}">${xmlText(label)}</text></g>\n`;
  let at = x;
  for (const callee of [...box.callees.values()].sort((a, b) => a.name < b.name ? -1 : 1)) {
    yield* draw(callee, root, { x: at, y: y - ROW });
    at += WIDTH * callee.samples / root.samples;
  }
}

/** A warm color that depends on the name alone. */
function colorOf(name: string): string {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash, 31) + name.charCodeAt(i) | 0;
  return `hsl(${(hash >>> 0) % 55}, 80%, ${65 + (hash >>> 8) % 12}%)`;
}
