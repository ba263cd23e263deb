// The screen Queues: message queues and doorbells, the flow of one, its content, and its receiver.

import type { Activity } from "../panes/overview/activity.ts";
import { inspector } from "../panes/inspector.ts";
import type { Pane } from "../panes/pane.ts";
import { queueColumns } from "../panes/queues/queue-columns.ts";
import { FlowPane, QueueWaitsPane } from "../panes/queues/queue-flow.ts";
import { packetLines } from "../panes/row-lines.ts";
import { below, beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { TextPane } from "../panes/text-pane.ts";
import { isGuest, isOf } from "../../../model/queries/ids.ts";
import { MESSAGES, QUEUES } from "../../../model/queries/tables.ts";

/** Rows of the list and of the flow, and columns of the messages, of all. */
const LIST_SHARE = 0.38, LOW_LIST_SHARE = 0.5;
const FLOW_ROWS = 8;
const MESSAGES_SHARE = 0.63;
/** Columns from which on the flow is shown next to the list. */
const WIDE = 180;
const WIDE_LIST_SHARE = 0.55;

/** @param clock wall time in ms */
export function queueScreen(activity: Activity, clock: () => number): ScreenPanes {
  const histories = activity.newHistories();
  const queues = new TablePane({
    name: "queues",
    table: QUEUES,
    title: "Message queues and doorbells",
    columns: () => queueColumns(histories),
    first: (rows) => rows.find(({ from, to }) => isGuest(from) && isGuest(to)) ?? rows.find(({ from, to }) => isGuest(from) || isGuest(to)),
    taken(rows) {
      histories.add(clock(), rows.map(({ id, rate }): [string, number] => [id, rate]));
      histories.keep(new Set(rows.map(({ id }) => id)));
    },
  });
  const messages = new TablePane({
    name: "messages",
    table: MESSAGES,
    title: "Messages",
    unasked: "select a message queue: a doorbell has flags, no messages",
    right: () => [{ text: "oldest first", role: "dim" }],
    args: () => queues.selectedId && isOf("mq", queues.selectedId) ? { queue: queues.selectedId } : undefined,
  });
  const rpc = rpcFields(messages), fields = inspector("fields", queues);
  const flow = new FlowPane(queues), waits = new QueueWaitsPane(queues);
  const underList = below("under-list"), besideList = beside("beside-list"), besideMessages = beside("beside-messages");
  let shown: Pane = messages;

  function boxes(body: Body): Placed[] {
    const wide = body.width >= WIDE;
    const [above, under] = underList.cut(body, body.height * LIST_SHARE);
    const [list, beside] = wide ? besideList.cut(above, above.width * WIDE_LIST_SHARE) : [above, undefined];
    const flowRows = Math.min(FLOW_ROWS, Math.max(under.height - 4, 0));
    const rest = beside ? under : { ...under, y: under.y + flowRows, height: under.height - flowRows };
    const [left, right] = besideMessages.cut(rest, rest.width * MESSAGES_SHARE);
    return [
      { pane: queues, area: list },
      { pane: flow, area: beside ?? { ...under, height: flowRows } },
      { pane: shown, area: left },
      { pane: waits, area: right },
    ];
  }

  return {
    panes: [queues, messages, rpc, fields],
    views: [[messages, rpc, fields]],
    dividers: [underList, besideList, besideMessages],
    layout(body, focused) {
      if (focused === messages || focused === rpc || focused === fields) shown = focused;
      if (body.boxed) return boxes(body);
      const [above, under] = underList.cut(body, body.height * LOW_LIST_SHARE);
      return [{ pane: queues, area: above }, { pane: shown, area: under }];
    },
  };
}

/** Decoded messages between a VM and the Resource Manager. */
function rpcFields(messages: TablePane<typeof MESSAGES>): TextPane {
  return new TextPane({
    name: "rpc",
    title: () => ({ text: "RM RPC", right: [[{ text: "decoded messages", role: "dim" }]] }),
    lines(width) {
      const lines = packetLines(messages.rows, width);
      if (lines.length) return lines;
      return [{ text: messages.rows.length ? "neither end is the Resource Manager: v shows bytes" : messages.emptyText, role: "dim" }];
    },
    queries: () => messages.queries(),
    receive: (answer) => messages.receive(answer),
  });
}
