// A Wireshark dissector, in Lua, for the captures that `el2 trace export FILE.pcapng` writes
// (docs/captures.md): messages of queues, rings of doorbells, and RM RPC with every field. It is
// generated from the declarations of the messages, so that it knows what el2 knows.

import { RmError } from "../../machine/abi/rpc/errors.ts";
import type { Shape, Shapes } from "../../machine/abi/rpc/layout.ts";
import { RPC_MESSAGES, RPC_UNIMPLEMENTED } from "../../machine/abi/rpc/messages/all.ts";
import { PacketType, RPC_HEADER_SIZE } from "../../machine/abi/rpc/packet.ts";
import { MESSAGE_HEADER, MESSAGE_HEADER_SIZE, MessageType } from "./message-capture.ts";
import { hint, hintText } from "../../kit/support/text/hint.ts";

/** A field of the dissector: its filter name, and the type that Wireshark gives it. */
interface LuaField {
  readonly filter: string;
  readonly title: string;
  readonly type: string;
}

/** Collects the fields while shapes become Lua tables. */
class Fields {
  readonly all: LuaField[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number (from 1) of a field in the table `F` of the dissector. */
  number(filter: string, title: string, type: string): number {
    const known = this.#numbers.get(filter);
    if (known !== undefined) return known;
    this.all.push({ filter, title, type });
    this.#numbers.set(filter, this.all.length);
    return this.all.length;
  }
}

function luaShapes(shapes: Shapes, prefix: string, fields: Fields): string {
  return `{${Object.entries(shapes).map(([name, shape]) => luaShape(name, shape, prefix, fields)).join(",")}}`;
}

/** A shape as a Lua table: `k` its kind, `n` its name, `f` its field; sizes are bytes. */
function luaShape(name: string, shape: Shape, prefix: string, fields: Fields): string {
  const filter = `${prefix}.${name}`;
  switch (shape.kind) {
    case "unsigned":
      return `{k="u",n="${name}",s=${shape.size},f=${fields.number(filter, name, `uint${shape.size * 8}`)}}`;
    case "reserved":
      return `{k="skip",s=${shape.size}}`;
    case "bytes":
      return `{k="bytes",n="${name}",s=${shape.size},f=${fields.number(filter, name, "bytes")}}`;
    case "rest":
      return `{k="rest",n="${name}",f=${fields.number(filter, name, "bytes")}}`;
    case "counted": {
      const text = shape.gap > 0 ? "string" : "bytes";
      return `{k="counted",n="${name}",g=${shape.gap},p=${shape.padded},f=${fields.number(filter, name, text)}}`;
    }
    case "list": {
      const note = shape.rpcList?.annotated ? `,a=${fields.number(`${filter}.annotation`, `${name}.annotation`, "uint16")}` : "";
      const optional = shape.rpcList === undefined ? "" : ",o=true";
      return `{k="list",n="${name}",s=${shape.counter}${optional}${note},f=${
        fields.number(`${filter}.count`, `${name}.count`, `uint${shape.counter * 8}`)
      },` +
        `e=${luaShapes(shape.entry, filter, fields)}}`;
    }
    case "when":
      return `{k="when",n="${shape.selector}",v={${shape.values.map((value) => `[${value}]=true`).join(",")}},` +
        `e=${luaShape(name, shape.shape, prefix, fields)}}`;
  }
}

const hex = (value: number) => `0x${(value >>> 0).toString(16)}`;

/** A Lua table of texts by number. */
function luaNames(entries: Iterable<readonly [number, string]>): string {
  return `{${[...entries].map(([number, name]) => `[${hex(number)}]="${name}"`).join(",")}}`;
}

/** The dissector's source. */
export function dissectorLua(version: string): string {
  const fields = new Fields();
  const messages = [...RPC_MESSAGES].map(([id, message]) => {
    const prefix = `rmrpc.${message.name.toLowerCase()}`;
    const request = luaShapes((message.kind === "request" ? message.request : message.layout).shapes, prefix, fields);
    const reply = message.kind === "request" ? `,reply=${luaShapes(message.reply.shapes, `${prefix}.reply`, fields)}` : "";
    return `  [${hex(id)}]={name="${message.name}",request=${request}${reply}},\n`;
  });
  const declared = fields.all.map(({ filter, title, type }) => {
    const base = type.startsWith("uint") ? ", base.HEX_DEC" : "";
    return `  ProtoField.${type}("${filter}", "${title}"${base}),\n`;
  });
  const { version: versionField, type, length, from, to, queue, flags } = MESSAGE_HEADER;
  const names = new Map([...[...RPC_MESSAGES].map(([id, { name }]) => [id, name] as const), ...RPC_UNIMPLEMENTED]);
  return `-- Wireshark dissector for captures of el2 ${version}: messages of Gunyah's queues, rings of doorbells,
-- and RPC of the Resource Manager. Made by: ${hintText(hint("trace dissector"))}
--
--   wireshark -X lua_script:el2.lua FILE.pcapng
--   tshark -X lua_script:el2.lua -r FILE.pcapng -Y rmrpc.error

local el2 = Proto("gunyah", "Gunyah message")
local rpc = Proto("rmrpc", "Gunyah Resource Manager RPC")

local VMIDS = {[0xffff]="unknown",[3]="primary",[0xff]="Resource Manager"}
local KINDS = {[${MessageType.Queue}]="message",[${MessageType.Rpc}]="RM RPC",[${MessageType.Doorbell}]="doorbell"}
local TYPES = {[${PacketType.Continuation}]="continuation",[${PacketType.Request}]="request",[${PacketType.Reply}]="reply",[${PacketType.Notification}]="notification"}
local ERRORS = ${luaNames(Object.entries(RmError).map(([name, code]) => [code, name]))}
local NAMES = ${luaNames(names)}

local h = {
  version = ProtoField.uint8("gunyah.version", "Version"),
  kind = ProtoField.uint8("gunyah.kind", "Kind", base.DEC, KINDS),
  length = ProtoField.uint16("gunyah.header_length", "Header length"),
  from = ProtoField.uint16("gunyah.from", "From VMID", base.HEX, VMIDS),
  to = ProtoField.uint16("gunyah.to", "To VMID", base.HEX, VMIDS),
  queue = ProtoField.uint32("gunyah.queue", "Object", base.DEC),
  push = ProtoField.bool("gunyah.push", "Push flag", 32, nil, 1),
  bytes = ProtoField.bytes("gunyah.bytes", "Message"),
  bell = ProtoField.uint64("gunyah.doorbell_flags", "Doorbell flags", base.HEX),
}
el2.fields = {h.version, h.kind, h.length, h.from, h.to, h.queue, h.push, h.bytes, h.bell}

local p = {
  type = ProtoField.uint8("rmrpc.type", "Type", base.DEC, TYPES, 3),
  fragments = ProtoField.uint8("rmrpc.fragments", "Continuation packets", base.DEC, nil, 0xfc),
  sequence = ProtoField.uint16("rmrpc.sequence", "Sequence", base.DEC),
  id = ProtoField.uint32("rmrpc.id", "Message", base.HEX, NAMES),
  error = ProtoField.uint32("rmrpc.error", "Error", base.HEX, ERRORS),
  error_detail = ProtoField.uint32("rmrpc.error_detail", "Error detail", base.HEX),
  request_in = ProtoField.framenum("rmrpc.request_in", "Request in", base.NONE, frametype.REQUEST),
  reply_in = ProtoField.framenum("rmrpc.reply_in", "Reply in", base.NONE, frametype.RESPONSE),
  rest = ProtoField.bytes("rmrpc.rest", "Bytes after the last field"),
}
local F = {
${declared.join("")}}
local all = {p.type, p.fragments, p.sequence, p.id, p.error, p.error_detail, p.request_in, p.reply_in, p.rest}
for _, field in ipairs(F) do all[#all + 1] = field end
rpc.fields = all

local short = ProtoExpert.new("rmrpc.short", "The payload ends before its last field", expert.group.MALFORMED, expert.severity.ERROR)
local lost = ProtoExpert.new("rmrpc.lost", "Continuation of no message", expert.group.SEQUENCE, expert.severity.WARN)
rpc.experts = {short, lost}

-- Shapes of each message: k kind, n name, s size, f field, e entry or shape.
local MESSAGES = {
${messages.join("")}}

local walk

-- Reads one shape at offset "at"; returns the offset after it, nil where the bytes end.
local function read(shape, tvb, at, tree, values)
  local left = tvb:len() - at
  if shape.k == "u" then
    if left < shape.s then return nil end
    tree:add_le(F[shape.f], tvb(at, shape.s))
    values[shape.n] = shape.s == 8 and 0 or tvb(at, shape.s):le_uint()
    return at + shape.s
  elseif shape.k == "skip" then
    if left < shape.s then return nil end
    return at + shape.s
  elseif shape.k == "bytes" then
    if left < shape.s then return nil end
    tree:add(F[shape.f], tvb(at, shape.s))
    return at + shape.s
  elseif shape.k == "rest" then
    if left > 0 then tree:add(F[shape.f], tvb(at, left)) end
    return tvb:len()
  elseif shape.k == "counted" then
    if left < 2 + shape.g then return nil end
    local size = tvb(at, 2):le_uint()
    at = at + 2 + shape.g
    local whole = shape.p and size + (4 - size % 4) % 4 or size
    if tvb:len() - at < whole then return nil end
    if size > 0 then tree:add(F[shape.f], tvb(at, size)) end
    return at + whole
  elseif shape.k == "list" then
    if shape.o and left == 0 then return at end
    if left < shape.s then return nil end
    local count = tvb(at, shape.s):le_uint()
    tree:add_le(F[shape.f], tvb(at, shape.s))
    at = at + shape.s
    if shape.o then
      if tvb:len() - at < 2 then return nil end
      if shape.a then tree:add_le(F[shape.a], tvb(at, 2)) end
      at = at + 2
    end
    for index = 0, count - 1 do
      if at >= tvb:len() then return nil end
      local entry = tree:add(rpc, tvb(at), shape.n .. "[" .. index .. "]")
      local next = walk(shape.e, tvb, at, entry, {})
      if next == nil then return nil end
      entry:set_len(next - at)
      at = next
    end
    return at
  end
  if not shape.v[values[shape.n]] then return at end
  return read(shape.e, tvb, at, tree, values)
end

walk = function(shapes, tvb, at, tree, values)
  for _, shape in ipairs(shapes) do
    at = read(shape, tvb, at, tree, values)
    if at == nil then return nil end
  end
  return at
end

-- What earlier packets said: messages in pieces by queue, whole ones and pairs by frame.
local pieces, whole, requests, request_of, reply_of = {}, {}, {}, {}, {}

function el2.init()
  pieces, whole, requests, request_of, reply_of = {}, {}, {}, {}, {}
end

local function remember(frame, queue, from, to, kind, fragments, sequence, payload)
  if kind ~= ${PacketType.Continuation} then
    pieces[queue] = {kind = kind, left = fragments, parts = {payload}}
    local vm = kind == ${PacketType.Request} and from or to
    if kind == ${PacketType.Request} then requests[vm .. ":" .. sequence] = frame
    elseif kind == ${PacketType.Reply} then
      local asked = requests[vm .. ":" .. sequence]
      if asked then request_of[frame] = asked; reply_of[asked] = frame end
    end
  elseif pieces[queue] then
    local piece = pieces[queue]
    piece.parts[#piece.parts + 1] = payload
    piece.left = piece.left - 1
  end
  local piece = pieces[queue]
  if piece and piece.left == 0 then
    local bytes = ByteArray.new()
    for _, part in ipairs(piece.parts) do bytes:append(part) end
    whole[frame] = {kind = piece.kind, bytes = bytes, joined = #piece.parts > 1}
    pieces[queue] = nil
  end
end

local function content(message, kind, tvb, tree, pinfo)
  local at, shapes = 0, message and message.request
  if kind == ${PacketType.Reply} then
    if tvb:len() < 4 then tree:add_proto_expert_info(short); return end
    local code = tvb(0, 4):le_uint()
    tree:add_le(p.error, tvb(0, 4))
    pinfo.cols.info:append(" " .. (ERRORS[code] or string.format("error 0x%x", code)))
    at = 4
    if code ~= 0 then
      if tvb:len() >= 8 then tree:add_le(p.error_detail, tvb(4, 4)) end
      return
    end
    shapes = message and message.reply
    if at == tvb:len() then return end
  end
  if shapes then
    at = walk(shapes, tvb, at, tree, {})
    if at == nil then tree:add_proto_expert_info(short); return end
  end
  if at < tvb:len() then tree:add(p.rest, tvb(at)) end
end

local function rm_rpc(tvb, pinfo, root, queue, from, to)
  pinfo.cols.protocol = "RM RPC"
  local tree = root:add(rpc, tvb())
  if tvb:len() < ${RPC_HEADER_SIZE} then tree:add_proto_expert_info(short); return end
  local word = tvb(1, 1):uint()
  local kind, fragments = word % 4, math.floor(word / 4)
  local sequence, id = tvb(2, 2):le_uint(), tvb(4, 4):le_uint()
  tree:add(p.type, tvb(1, 1))
  tree:add(p.fragments, tvb(1, 1))
  tree:add_le(p.sequence, tvb(2, 2))
  tree:add_le(p.id, tvb(4, 4))
  local frame = pinfo.number
  if not pinfo.visited then
    local payload = tvb:len() > ${RPC_HEADER_SIZE} and tvb(${RPC_HEADER_SIZE}):bytes() or ByteArray.new()
    if kind == ${PacketType.Continuation} and not pieces[queue] then tree:add_proto_expert_info(lost) end
    remember(frame, queue, from, to, kind, fragments, sequence, payload)
  end
  local name = NAMES[id] or string.format("0x%08x", id)
  pinfo.cols.info = string.format("%s %s #%d", TYPES[kind], name, sequence)
  if request_of[frame] then tree:add(p.request_in, request_of[frame]):set_generated() end
  if reply_of[frame] then tree:add(p.reply_in, reply_of[frame]):set_generated() end
  local message = whole[frame]
  if not message then
    if tvb:len() > ${RPC_HEADER_SIZE} then tree:add(p.rest, tvb(${RPC_HEADER_SIZE})):append_text(" (piece of a message)") end
  elseif message.joined then
    content(MESSAGES[id], message.kind, message.bytes:tvb("RM RPC message"), tree, pinfo)
  elseif tvb:len() > ${RPC_HEADER_SIZE} then
    content(MESSAGES[id], message.kind, tvb(${RPC_HEADER_SIZE}):tvb(), tree, pinfo)
  end
end

function el2.dissector(tvb, pinfo, root)
  if tvb:len() < ${MESSAGE_HEADER_SIZE} or tvb(${versionField.offset}, ${versionField.size}):uint() ~= 1 then return 0 end
  local tree = root:add(el2, tvb(0, ${MESSAGE_HEADER_SIZE}))
  local kind = tvb(${type.offset}, ${type.size}):uint()
  local size = tvb(${length.offset}, ${length.size}):le_uint()
  local from, to = tvb(${from.offset}, ${from.size}):le_uint(), tvb(${to.offset}, ${to.size}):le_uint()
  local queue = tvb(${queue.offset}, ${queue.size}):le_uint()
  tree:add(h.version, tvb(${versionField.offset}, ${versionField.size}))
  tree:add(h.kind, tvb(${type.offset}, ${type.size}))
  tree:add_le(h.length, tvb(${length.offset}, ${length.size}))
  tree:add_le(h.from, tvb(${from.offset}, ${from.size}))
  tree:add_le(h.to, tvb(${to.offset}, ${to.size}))
  tree:add_le(h.queue, tvb(${queue.offset}, ${queue.size}))
  tree:add_le(h.push, tvb(${flags.offset}, ${flags.size}))
  pinfo.cols.src = string.format("VM 0x%x", from)
  pinfo.cols.dst = string.format("VM 0x%x", to)
  pinfo.cols.protocol = "Gunyah"
  local left = tvb:len() - size
  if kind == ${MessageType.Rpc} and left > 0 then
    rm_rpc(tvb(size):tvb(), pinfo, root, queue, from, to)
  elseif kind == ${MessageType.Doorbell} and left >= 8 then
    tree:add_le(h.bell, tvb(size, 8))
    pinfo.cols.info = "doorbell db:" .. queue .. " flags 0x" .. tvb(size, 8):le_uint64():tohex()
  else
    if left > 0 then tree:add(h.bytes, tvb(size)) end
    pinfo.cols.info = string.format("message on mq:%d, %d bytes", queue, left)
  end
  return tvb:len()
end

-- Link type 147: no preference has to be set.
DissectorTable.get("wtap_encap"):add(wtap.USER0, el2)
`;
}
