// The consoles of VMs as one text for a client. If several print, each line names its console.

export class ConsoleText {
  readonly #decoders = new Map<string, TextDecoder>();
  #last: string | undefined;
  #several = false;
  #atLineStart = true;

  /** Text for what a console has printed. */
  text(console: string, bytes: Uint8Array): string {
    let decoder = this.#decoders.get(console);
    if (!decoder) this.#decoders.set(console, decoder = new TextDecoder());
    const printed = decoder.decode(bytes, { stream: true });
    if (printed === "") return "";
    let text = "";
    if (this.#last !== undefined && this.#last !== console) {
      this.#several = true;
      if (!this.#atLineStart) text = "\n";
      this.#atLineStart = true;
    }
    this.#last = console;
    if (this.#several) {
      const name = `[${console}] `;
      text += (this.#atLineStart ? name : "") + printed.replace(/\n(?!$)/g, `\n${name}`);
    } else text += printed;
    this.#atLineStart = printed.endsWith("\n");
    return text;
  }
}
