// Coverage as Cobertura's XML (coverage-04.dtd), for CI services: a package per VM, a class per
// source file.

import { type Covered, coveredBranches, coveredLines } from "./covered.ts";
import type { ExecutedLine, ExecutedVm } from "../../inspection/execution/executed.ts";
import { xmlText } from "../../../kit/support/text/xml-text.ts";

export function* cobertura(vms: readonly ExecutedVm[]): Generator<string> {
  const all = vms.flatMap(linesOf), lines = coveredLines(all), branches = coveredBranches(all);
  yield '<?xml version="1.0"?>\n<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">\n';
  yield `<coverage ${rates(lines, branches)} lines-covered="${lines.covered}" lines-valid="${lines.valid}"` +
    ` branches-covered="${branches.covered}" branches-valid="${branches.valid}" complexity="0" version="el2" timestamp="0">\n`;
  yield "<sources/>\n<packages>\n";
  for (const vm of vms) {
    const ofVm = linesOf(vm);
    yield `<package name="${xmlText(vm.vm)}" ${rates(coveredLines(ofVm), coveredBranches(ofVm))} complexity="0">\n<classes>\n`;
    for (const [file, lines] of vm.files) yield* classOf(file, lines);
    yield "</classes>\n</package>\n";
  }
  yield "</packages>\n</coverage>\n";
}

function* classOf(file: string, lines: ReadonlyMap<number, ExecutedLine>): Generator<string> {
  const name = xmlText(file.split("/").at(-1) ?? file);
  yield `<class name="${name}" filename="${xmlText(file)}" ${
    rates(coveredLines(lines.values()), coveredBranches(lines.values()))
  } complexity="0">\n<methods/>\n<lines>\n`;
  for (const [number, line] of [...lines].sort(([a], [b]) => a - b)) {
    const { valid, covered } = coveredBranches([line]);
    const branch = valid
      ? ` branch="true" condition-coverage="${Math.floor(100 * covered / valid)}% (${covered}/${valid})"`
      : ' branch="false"';
    yield `<line number="${number}" hits="${line.executions}"${branch}/>\n`;
  }
  yield "</lines>\n</class>\n";
}

const linesOf = ({ files }: ExecutedVm): ExecutedLine[] => [...files.values()].flatMap((lines) => [...lines.values()]);

const rates = (lines: Covered, branches: Covered): string => `line-rate="${rate(lines)}" branch-rate="${rate(branches)}"`;
const rate = ({ valid, covered }: Covered): string => (valid ? covered / valid : 0).toFixed(4);
