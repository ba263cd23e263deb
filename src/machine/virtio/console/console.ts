// The console device (virtio 1.2 section 5.3) with several ports: each is a pair of queues; port 0
// is the guest's console (hvc0), others are named character devices (/dev/virtio-ports/NAME).

import * as v from "valibot";
import { bytes, count, countersLike, inForm, list } from "../../../kit/support/values/forms.ts";
import { LIMITS } from "../limits.ts";
import { AttachedDevice, serve, type VirtioDevice, VirtioId } from "../device.ts";
import type { Chain } from "../virtqueue.ts";

const ConsoleFeature = { SIZE: 0, MULTIPORT: 1 } as const;
/** Control messages (section 5.3.6.2): le32 port, le16 event, le16 value. */
const Control = { DEVICE_READY: 0, DEVICE_ADD: 1, PORT_READY: 3, CONSOLE_PORT: 4, RESIZE: 5, PORT_OPEN: 6, PORT_NAME: 7 } as const;
const CONTROL_SIZE = 8;
const CONTROL_RX = 2, CONTROL_TX = 3;
const Config = { Columns: 0, Rows: 2, MaxPorts: 4, Size: 12 } as const;
/** Bytes of input that wait for the guest, per port; more are refused. */
const INPUT_MAX = 1 << 16;
/** Control messages that wait for buffers of the guest. */
const CONTROL_WAITING_MAX = 256;

interface Port {
  readonly name: string;
  /** Input that the guest has not taken. */
  input: Uint8Array[];
  waiting: number;
  /** Whether the guest has it open. */
  open: boolean;
}

/** The device's calls to its user. */
interface ConsoleDeviceOptions {
  /** Names of the ports; the first is the console. */
  readonly ports: readonly string[];
  /** Output of a port. */
  readonly onOutput: (port: number, bytes: Uint8Array) => void;
}

export class ConsoleDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Console;
  readonly name = "console";
  readonly queueCount: number;
  readonly features = [ConsoleFeature.SIZE, ConsoleFeature.MULTIPORT];
  readonly #ports: Port[];
  #control: Uint8Array[] = [];
  #columns = 80;
  #rows = 24;
  #metrics = { in_bytes: 0, out_bytes: 0, control_dropped: 0 };

  constructor(readonly options: ConsoleDeviceOptions) {
    super();
    this.queueCount = options.ports.length === 1 ? 4 : 2 + 2 * options.ports.length;
    this.#ports = options.ports.map((name) => ({ name, input: [], waiting: 0, open: false }));
  }

  /** Queue 0, that of control messages, and the first of each further port. */
  override takesInput(queue: number): boolean {
    return queue % 2 === 0;
  }

  limits() {
    return LIMITS.console;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(Config.Size);
    const view = new DataView(bytes.buffer);
    view.setUint16(Config.Columns, this.#columns, true);
    view.setUint16(Config.Rows, this.#rows, true);
    view.setUint32(Config.MaxPorts, this.#ports.length, true);
    return bytes;
  }

  /** Queues: 0 and 1 are port 0's, 2 and 3 control, then two for each further port. */
  notify(queue: number): void {
    if (queue === CONTROL_RX) return this.#sendControl();
    const port = this.port;
    if (queue === CONTROL_TX) return serve(port, port.queues[queue], (chain) => this.#receiveControl(chain));
    const index = queue < CONTROL_RX ? 0 : queue - 2 >> 1;
    if (queue % 2 === 0) return this.#deliver(index);
    serve(port, port.queues[queue], (chain, turn) => {
      const bytes = new Uint8Array(Math.min(chain.readable, turn.left));
      chain.read(bytes);
      turn.continues = chain.readable > 0;
      this.#metrics.out_bytes += bytes.length;
      this.options.onOutput(index, bytes);
    });
  }

  /** Input for a port; gives how many bytes it takes. */
  type(index: number, bytes: Uint8Array): number {
    const port = this.#ports[index];
    const taken = bytes.slice(0, Math.max(0, INPUT_MAX - port.waiting));
    if (taken.length) {
      port.input.push(taken);
      port.waiting += taken.length;
      if (this.port.running) this.port.perform(() => this.#deliver(index));
    }
    return taken.length;
  }

  /** The window that shows the console has another size. */
  resize(columns: number, rows: number): void {
    this.#columns = columns;
    this.#rows = rows;
    if (!this.#multiport) return this.port.configurationChanged();
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint16(0, rows, true);
    new DataView(size.buffer).setUint16(2, columns, true);
    this.#queueControl(0, Control.RESIZE, 0, size);
    if (this.port.running) this.port.perform(() => this.#sendControl());
  }

  reset(): void {
    this.#control = [];
    for (const port of this.#ports) port.open = false;
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.#metrics };
  }

  save(): unknown {
    return {
      ports: this.#ports.map(({ input, open }) => ({ input: input.map((bytes) => bytes.slice()), open })),
      control: this.#control.map((message) => message.slice()),
      size: [this.#columns, this.#rows],
      metrics: { ...this.#metrics },
    };
  }

  restore(state: unknown): void {
    const saved = inForm(
      v.strictObject({
        ports: v.pipe(list(v.strictObject({ input: list(bytes), open: v.boolean() })), v.length(this.#ports.length)),
        control: v.pipe(list(bytes), v.maxLength(CONTROL_WAITING_MAX)),
        size: v.strictTuple([count, count]),
        metrics: countersLike(this.#metrics),
      }),
      state,
    );
    saved.ports.forEach(({ input, open }, index) => {
      const port = this.#ports[index];
      port.input = input.map((bytes) => bytes.slice());
      port.waiting = input.reduce((sum, bytes) => sum + bytes.length, 0);
      port.open = open;
    });
    this.#control = saved.control.map((message) => message.slice());
    [this.#columns, this.#rows] = saved.size;
    Object.assign(this.#metrics, saved.metrics);
  }

  get #multiport(): boolean {
    return this.port.accepted(ConsoleFeature.MULTIPORT);
  }

  #deliver(index: number): void {
    const port = this.#ports[index];
    const queue = this.port.queues[index === 0 ? 0 : 2 + 2 * index];
    // With several ports, typed input waits until the guest has opened the port: its driver
    // discards earlier input.
    if (this.#multiport && !port.open) return;
    while (port.input.length) {
      const chain = queue.pop();
      if (!chain) break;
      while (port.input.length && chain.writable > 0) {
        const written = chain.write(port.input[0]);
        port.waiting -= written;
        this.#metrics.in_bytes += written;
        if (written === port.input[0].length) port.input.shift();
        else port.input[0] = port.input[0].subarray(written);
      }
      queue.push(chain);
      if (chain.written === 0) break;
    }
    this.port.signal(queue);
  }

  #receiveControl(chain: Chain): void {
    const message = new Uint8Array(CONTROL_SIZE);
    if (chain.read(message) < CONTROL_SIZE) return;
    const view = new DataView(message.buffer);
    const index = view.getUint32(0, true), event = view.getUint16(4, true), value = view.getUint16(6, true);
    if (event === Control.DEVICE_READY) {
      if (value === 1) this.#ports.forEach((_, added) => this.#queueControl(added, Control.DEVICE_ADD, 1));
      return this.#sendControl();
    }
    const port = this.#ports[index];
    if (!port) return;
    if (event === Control.PORT_READY && value === 1) {
      if (index === 0) this.#queueControl(0, Control.CONSOLE_PORT, 1);
      this.#queueControl(index, Control.PORT_NAME, 1, new TextEncoder().encode(port.name));
      this.#queueControl(index, Control.PORT_OPEN, 1);
      return this.#sendControl();
    }
    if (event === Control.PORT_OPEN) {
      port.open = value === 1;
      this.#deliver(index);
    }
  }

  #queueControl(port: number, event: number, value: number, rest: Uint8Array = new Uint8Array(0)): void {
    if (this.#control.length >= CONTROL_WAITING_MAX) {
      this.#metrics.control_dropped++;
      return;
    }
    const message = new Uint8Array(CONTROL_SIZE + rest.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, port, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    message.set(rest, CONTROL_SIZE);
    this.#control.push(message);
  }

  #sendControl(): void {
    const queue = this.port.queues[CONTROL_RX];
    for (let message = this.#control[0]; message; message = this.#control[0]) {
      const chain = queue.pop();
      if (!chain) break;
      this.#control.shift();
      chain.write(message);
      queue.push(chain);
    }
    this.port.signal(queue);
  }
}
