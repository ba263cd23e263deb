// Coverage as Cobertura's XML (coverage-04.dtd), for CI services: a package per VM, a class per
// source file.

import type { ExecutedLine, ExecutedVm } from "../../inspection/execution/executed.ts";
import { xmlText } from "../../support/xml-text.ts";

interface Sum {
  readonly valid: number;
  readonly covered: number;
}

export function* cobertura(vms: readonly ExecutedVm[]): Generator<string> {
  const all = vms.flatMap(({ files }) => [...files.values()]);
  const lines = sum(all.map(linesOf)), branches = sum(all.map(branchesOf));
  yield '<?xml version="1.0"?>\n<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">\n';
  yield `<coverage ${rates(lines, branches)} lines-covered="${lines.covered}" lines-valid="${lines.valid}"` +
    ` branches-covered="${branches.covered}" branches-valid="${branches.valid}" complexity="0" version="el2" timestamp="0">\n`;
  yield "<sources/>\n<packages>\n";
  for (const { vm, files } of vms) {
    const ofFiles = [...files.values()];
    yield `<package name="${xmlText(vm)}" ${rates(sum(ofFiles.map(linesOf)), sum(ofFiles.map(branchesOf)))} complexity="0">\n<classes>\n`;
    for (const [file, lines] of files) yield* classOf(file, lines);
    yield "</classes>\n</package>\n";
  }
  yield "</packages>\n</coverage>\n";
}

function* classOf(file: string, lines: ReadonlyMap<number, ExecutedLine>): Generator<string> {
  const name = xmlText(file.split("/").at(-1) ?? file);
  yield `<class name="${name}" filename="${xmlText(file)}" ${
    rates(linesOf(lines), branchesOf(lines))
  } complexity="0">\n<methods/>\n<lines>\n`;
  for (const [number, line] of [...lines].sort(([a], [b]) => a - b)) {
    const { valid, covered } = branchesOf(new Map([[number, line]]));
    const branch = valid
      ? ` branch="true" condition-coverage="${Math.floor(100 * covered / valid)}% (${covered}/${valid})"`
      : ' branch="false"';
    yield `<line number="${number}" hits="${line.executions}"${branch}/>\n`;
  }
  yield "</lines>\n</class>\n";
}

function linesOf(lines: ReadonlyMap<number, ExecutedLine>): Sum {
  let covered = 0;
  for (const { executions } of lines.values()) covered += Number(executions > 0);
  return { valid: lines.size, covered };
}

function branchesOf(lines: ReadonlyMap<number, ExecutedLine>): Sum {
  let valid = 0, covered = 0;
  for (const { branches } of lines.values()) {
    for (const { taken, passed } of branches.values()) {
      valid += 2;
      covered += Number(taken > 0) + Number(passed > 0);
    }
  }
  return { valid, covered };
}

const sum = (sums: readonly Sum[]): Sum => ({
  valid: sums.reduce((total, { valid }) => total + valid, 0),
  covered: sums.reduce((total, { covered }) => total + covered, 0),
});

const rates = (lines: Sum, branches: Sum): string => `line-rate="${rate(lines)}" branch-rate="${rate(branches)}"`;
const rate = ({ valid, covered }: Sum): string => (valid ? covered / valid : 0).toFixed(4);
