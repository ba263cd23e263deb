// The defect of an interrupt, as a card: the sentence, the reason, and the remedy; and the path
// that an interrupt takes from its source to its vCPU.

import { countText, grouped } from "../look/numbers.ts";
import type { Line } from "./pane.ts";
import { chipPiece, type Piece, wrapPieces } from "../look/pieces.ts";
import { wrap } from "./row-lines.ts";
import type { Look } from "../look/theme.ts";
import type { Row } from "../../queries/table.ts";

/** A step on the path of an interrupt. */
export type Step = "source" | "enabled" | "priority" | "group" | "route" | "pending" | "taken";

/** A finding taken apart. */
interface Finding {
  /** The sentence after the interrupt's name. */
  readonly sentence: string;
  readonly because?: string;
  readonly wayOut?: string;
  /** The step that stops it. */
  readonly stops?: Step;
}

const RULES: readonly (readonly [pattern: RegExp, finding: (match: RegExpExecArray, row: Row) => Finding])[] = [
  [/^storm: \S+ over (\d+)/, ([, limit], row) => ({
    sentence: `storms: ${countOf(row)} per second, the limit is ${grouped(limit)}`,
    because: row.line === "high" ? `its line from ${row.source} is high: it pends again after each EOI` : `${row.source} raises it`,
    wayOut: row.source === "vtimer" ? "the handler sets CNTV_CVAL_EL0, or masks the timer" : "the handler makes its source lower the line",
    stops: "taken",
  })],
  [/disabled \(ISENABLER(\d+) bit (\d+)\)/, ([, register, bit]) => ({
    sentence: "cannot be delivered: it is pending and disabled",
    because: `bit ${bit} of ISENABLER${register} is 0`,
    wayOut: "enable it, or make its source stop",
    stops: "enabled",
  })],
  [/level-triggered while/, () => ({
    sentence: "cannot be delivered: it is level-triggered",
    because: "its source is edge-triggered",
    wayOut: "configure it as edge-triggered (ICFGR)",
    stops: "pending",
  })],
  [/nothing raises it/, () => ({ sentence: "is enabled, but nothing raises it", because: "no source is bound to it", stops: "source" })],
  [/IROUTER/, () => ({
    sentence: "cannot be delivered: it has no target",
    because: "IROUTER names no vCPU",
    wayOut: "write the affinity of a vCPU into its IROUTER",
    stops: "route",
  })],
  [/group (\d) is disabled/, ([, group]) => ({
    sentence: `cannot be delivered: group ${group} is disabled`,
    because: `EnableGrp${group} of GICD_CTLR is 0`,
    wayOut: `set EnableGrp${group} in GICD_CTLR`,
    stops: "group",
  })],
  [/priority (\S+) is masked by PMR (\S+)/, ([, priority, mask]) => ({
    sentence: "cannot be delivered: its priority is masked",
    because: `priority ${priority} is not below ICC_PMR_EL1 ${mask}`,
    wayOut: `write more than ${priority} to ICC_PMR_EL1`,
    stops: "priority",
  })],
  [/vCPU (\d+) does not exist/, ([, vcpu]) => ({
    sentence: "cannot be delivered: its target does not exist",
    because: `the VM has no vCPU ${vcpu}`,
    wayOut: "write the affinity of a vCPU into its IROUTER",
    stops: "route",
  })],
  [/(vcpu:\S+) is powered off/, ([, vcpu]) => ({
    sentence: "waits: its vCPU is powered off",
    because: `${vcpu} is off`,
    wayOut: "start it with PSCI CPU_ON",
    stops: "route",
  })],
];

function countOf({ rate }: Row): string {
  const value = Number(rate);
  return value < 1e6 ? grouped(String(Math.round(value))) : countText(value);
}

function findingOf(row: Row): Finding | undefined {
  if (typeof row.finding !== "string") return undefined;
  for (const [pattern, finding] of RULES) {
    const match = pattern.exec(row.finding);
    if (match) return finding(match, row);
  }
  return { sentence: row.finding };
}

function namePieces(id: string, look: Look): Piece[] {
  const [, vm, rest] = /^irq:([^/]+)(\/.*)$/.exec(id)!;
  const mark = look.vm(vm);
  return [chipPiece(mark), { text: ` ${vm}`, role: "text" }, { text: rest, role: "strong", bold: true }];
}

/** A card for each interrupt with which something is wrong. */
export function findingLines(rows: readonly Row[], look: Look, width: number): Line[] {
  const cards = rows.flatMap((row): Line[][] => {
    const finding = findingOf(row);
    if (!finding) return [];
    const { sentence, because, wayOut } = finding;
    const side: Piece = { text: `${look.glyphs.frame.side} `, role: "border" };
    const lines = (name: string, text: string, role: Piece["role"]): Line[] =>
      wrapPieces([{ text: `${name} `, role: "dim" }, { text, role }], 0, width - 3).map((pieces) => ({
        text: "",
        pieces: [side, ...pieces],
      }));
    const named: Piece[] = [{ text: "! ", role: "bad", bold: true }, ...namePieces(row.id, look), { text: ` ${sentence}`, role: "text" }];
    return [[
      ...wrapPieces(named, 2, width - 1).map((pieces): Line => ({ text: "", tint: "badbg", pieces })),
      ...because ? lines("because", because, "text") : [],
      ...wayOut ? lines("way out", wayOut, "ok") : [],
    ]];
  });
  if (!cards.length) {
    const about = wrap("Storms and interrupts that cannot be delivered are listed here.", 0, width);
    return [{ text: "No problems found." }, ...about.map((text): Line => ({ text, role: "dim" }))];
  }
  return cards.flatMap((card, index) => index ? [{ text: "" }, ...card] : card);
}

/** The steps of an interrupt, with a shape each; the step that blocks it is marked. */
export function pathLines(row: Row, look: Look): Line[] {
  const stops = findingOf(row)?.stops;
  const { shapes } = look.glyphs;
  const state = row.act ? "active" : row.pend ? "pending" : "not pending";
  const steps: readonly (readonly [step: Step, text: string, done: boolean])[] = [
    ["source", String(row.source || "none") + (row.line ? `, line ${row.line}` : ""), row.source !== ""],
    ["enabled", row.en ? "yes" : "no", row.en === true],
    ["priority", String(row.priority), true],
    ...stops === "group" ? [["group", "disabled in GICD_CTLR", true] as const] : [],
    ["route", String(row.route ?? "its own vCPU") + (row.vcpu ? `: ${String(row.vcpu).slice("vcpu:".length)}` : ""), row.vcpu !== null],
    ["pending", `${state}, ${row.trigger}`, row.pend === true || row.act === true],
    ["taken", `${countOf(row)}/s, ${grouped(String(row.count))} in all`, Number(row.rate) > 0],
  ];
  const stopped = steps.findIndex(([step]) => step === stops);
  return steps.map(([step, text, done], index): Line => {
    const wrong = index === stopped;
    const beyond = stopped >= 0 && index > stopped;
    const shape = wrong ? shapes.fault : done && !beyond ? shapes.runs : shapes.ready;
    return {
      text: "",
      tint: wrong ? "badbg" : undefined,
      pieces: [
        { text: `${shape} `, role: wrong ? "bad" : done && !beyond ? "ok" : "dim" },
        { text: step.padEnd(10), role: wrong ? "text" : "dim" },
        { text, role: wrong ? "bad" : beyond || !done ? "dim" : "text" },
      ],
    };
  });
}
