// Rows of source lines and their code.

import { formatId, vmId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { LINES } from "../../../../model/queries/tables.ts";
import type { LineRange } from "../../../../inside/symbols/debug-info.ts";
import { nameIn } from "../../../../inside/symbols/vm-symbols.ts";
import { QueryError, type View } from "../inspected.ts";
import { codePlace } from "./read-symbols.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** Rows of one answer. */
const MOST = 10_000;

/**
 * The code of a line, `VM:FILE:LINE`; or of any other place, the line that it belongs to, and with
 * `count` the lines of its function from its start.
 * @throws QueryError
 */
export function readLines(view: View, place: string, count: number): RowOf<typeof LINES>[] {
  const { vcpu, address, addresses, tables } = codePlace(view, place);
  const vm = view.vmNameOf(vcpu.addressSpace), { symbols } = view.system;
  const row = ({ file, line, column, statement }: LineRange, start: bigint, end: bigint): RowOf<typeof LINES> => ({
    id: formatId({ kind: "va", vm, address: start }),
    address: hex(start, 16),
    end: hex(end, 16),
    file,
    line,
    column: column === 0 ? null : column,
    statement,
    symbol: nameIn(tables, start) ?? null,
    text: symbols.textOf(file, line) ?? null,
  });
  const lineAt = (at: bigint) => {
    const line = symbols.lineAt(vm, at);
    if (!line) throw new QueryError(`${hex(at)} has no source line: no ELF file of ${vmId(vm)} has debug information for it`);
    return line;
  };
  if (addresses) return addresses.map((at) => ({ ...lineAt(at), at })).map(({ at, ...line }) => row(line, at, line.end));
  const range = wholeLine(lineAt(address), (at) => symbols.lineAt(vm, at));
  if (count <= 1) return [row(range, range.start, range.end)];
  const rows: RowOf<typeof LINES>[] = [];
  for (const { start, end } of symbols.functionAt(vm, address)) {
    for (
      let at = start, line = symbols.lineAt(vm, at);
      line && at < end && rows.length < Math.min(count, MOST);
      line = symbols.lineAt(vm, at)
    ) {
      const whole = wholeLine(line, (next) => symbols.lineAt(vm, next));
      rows.push(row(whole, at, whole.end));
      at = whole.end;
    }
  }
  return rows;
}

/** Rows of the same line that follow each other are one. */
function wholeLine(line: LineRange, at: (address: bigint) => LineRange | undefined): LineRange {
  let { end } = line;
  for (let next = at(end); next && next.end > end && next.line === line.line && next.file === line.file; next = at(end)) end = next.end;
  return { ...line, end };
}
