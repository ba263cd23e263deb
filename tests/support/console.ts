// A program whose standard streams are a guest's console: tests type into it and wait for what it
// prints.

/** Text that came while waiting, kept for messages. */
const SHOWN = 2000;
/**
 * A prompt of Linux' shells at the end of what was printed. The kernel may print after it: its
 * messages about links or modules follow the prompt, and come together with it on a busy computer.
 * After its prompt, busybox asks the terminal for the cursor's position when no input waits.
 */
function promptOf(text: string): RegExp {
  return new RegExp(`${text}(\\x1b\\[6n)?(?=$|\\[ *\\d+\\.\\d+\\] )`);
}

/** The prompt of the catalog's busybox guests. */
export const PROMPT = promptOf("(\\/root|~) # ");
/** The prompt of the catalog's disks, which are whole systems. */
export const DISK_PROMPT = promptOf("root@debian:~# ");

export class ConsoleProgram {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #complaint: Promise<string>;
  readonly #reading: Promise<void>;
  #text = "";
  /** Where the next `expect` starts to look. */
  #seen = 0;
  #ended = false;
  /** Time (ms) of `waitedForCpu` by which limits were extended. */
  #waited = 0;
  #wake: () => void = () => {};

  constructor(command: readonly string[]) {
    const [program, ...args] = command;
    this.#child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#complaint = new Response(this.#child.stderr).text();
    this.#reading = this.#read();
  }

  /** Everything that was printed so far, without carriage returns. */
  get text(): string {
    return this.#text;
  }

  /**
   * Waits until what follows the previous match matches `pattern`, and returns the match.
   * @param seconds wall time to wait, besides that for which its threads wait for a CPU of a busy
   *   computer
   * @throws Error with the end of the console when it does not come.
   */
  async expect(pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    let limit = Date.now() + seconds * 1000;
    for (;;) {
      const match = pattern.exec(this.#text.slice(this.#seen));
      if (match) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      if (!this.#ended && limit <= Date.now()) limit += await this.#newWaits();
      const left = limit - Date.now();
      if (this.#ended || left <= 0) {
        const why = this.#ended ? "the program ended" : `nothing of that in ${seconds} s`;
        throw new Error(`expected ${pattern}: ${why}. The console ends with:\n${this.#text.slice(-SHOWN)}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => (clearTimeout(timer), resolve());
      });
    }
  }

  /**
   * Types a line. `enter` is what the key sends: programs without a terminal driver take a carriage
   * return.
   */
  async type(line: string, enter = "\n"): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(line + enter));
  }

  /** Those of `waitedForCpu` that no limit was extended by yet. */
  async #newWaits(): Promise<number> {
    const before = this.#waited;
    return (this.#waited = await this.waitedForCpu()) - before;
  }

  /** Milliseconds that its threads, and those of this process, have waited for a CPU (Linux). */
  async waitedForCpu(): Promise<number> {
    const files = [this.#child.pid, Deno.pid].map((pid) => `/proc/${pid}/task/*/schedstat`).join(" ");
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `cat ${files}`] }).output();
    const waits = new TextDecoder().decode(stdout).trim().split("\n").map((line) => Number(line.split(" ")[1]));
    return waits.reduce((sum, ns) => sum + ns) / 1e6;
  }

  /**
   * Peak resident memory so far (VmHWM) in MiB. Deno reads /proc only with all permissions, so that
   * another program has to.
   */
  async peakMemory(): Promise<number> {
    const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${this.#child.pid}/status`] }).output();
    return Number(/(\d+) kB/.exec(new TextDecoder().decode(stdout))?.[1]) / 1024;
  }

  /** Its mappings, as proc_pid_smaps(5) has them. */
  async mappings(): Promise<string> {
    const { stdout } = await new Deno.Command("cat", { args: [`/proc/${this.#child.pid}/smaps`] }).output();
    return new TextDecoder().decode(stdout);
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the program's end: its exit code and what it wrote to stderr. */
  async end(): Promise<{ code: number; stderr: string }> {
    const { code } = await this.#child.status;
    await this.#reading;
    await this.#writer.close().catch(() => {}); // its reader is gone
    return { code, stderr: await this.#complaint };
  }

  /** Ends the program if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended already
    }
    await this.end();
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#text += text.replaceAll("\r", "");
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }
}
