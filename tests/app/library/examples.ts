// The examples of mod.ts: the code in the documentation of each symbol that it exports.

/** A symbol of mod.ts. */
export interface DocumentedSymbol {
  readonly name: string;
  /** The code of its examples. */
  readonly examples: readonly string[];
}

/** A symbol of `deno doc --json`. */
interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly { readonly jsDoc?: { readonly doc?: string } }[];
}

/** All symbols that a module exports, and the module itself as the symbol "module". */
export async function documentedSymbols(module: string): Promise<DocumentedSymbol[]> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), { args: ["doc", "--json", module] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as {
    nodes: Record<string, { readonly module_doc?: { readonly doc?: string }; readonly symbols: readonly DocSymbol[] }>;
  };
  return Object.values(nodes).flatMap(({ module_doc, symbols }) => [
    { name: "module", examples: examplesIn(module_doc?.doc) },
    ...symbols.map(({ name, declarations }) => ({ name, examples: declarations.flatMap(({ jsDoc }) => examplesIn(jsDoc?.doc)) })),
  ]);
}

function examplesIn(doc = ""): string[] {
  return Array.from(doc.matchAll(/^```ts\n(.*?)^```$/gms), ([, code]) => code);
}

/**
 * Records the run that the examples open, whole in one file, as `bug.rec` of a folder.
 * @param program the command line of el2
 */
export async function recordExample(folder: string, program: (...args: string[]) => readonly string[]): Promise<void> {
  const run = ["run", "demo", "--headless", "--turbo", "--for", "20ms", "--record", `${folder}/run.rec`];
  for (const args of [run, ["recording", "pack", `${folder}/run.rec`, `${folder}/bug.rec`]]) {
    const [command, ...words] = program(...args);
    const { success, stderr } = await new Deno.Command(command, { args: words, cwd: folder }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
  await Deno.remove(`${folder}/run.rec`);
}

/** Writes a module for each example into a folder, and `main.ts`, which runs all of them. */
export async function writeExamples(symbols: readonly DocumentedSymbol[], folder: string): Promise<void> {
  const files = symbols.flatMap(({ name, examples }) => examples.map((code, index) => ({ file: `${name}-${index}.ts`, code })));
  for (const { file, code } of files) await Deno.writeTextFile(`${folder}/${file}`, code);
  await Deno.writeTextFile(`${folder}/main.ts`, files.map(({ file }) => `console.log("${file}");\nawait import("./${file}");\n`).join(""));
}
