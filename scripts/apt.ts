// Packages for tests and benches, by apt in a private state folder: no root, and the machine's own
// apt and dpkg state stays untouched. The mirror is the one that the machine's apt already uses,
// unless the caller names another; apt checks the signatures.

import { exists, withLock } from "../src/kit/support/files/cache.ts";
import { type PackageFields, parseFields } from "../src/app/catalog/deb.ts";
import { runTool } from "../src/app/catalog/tool.ts";

/** The target of an `Apt` state folder. */
export interface AptOptions {
  /** Folder for lists, downloads and locks; made when missing. */
  folder: string;
  /** Suite lines, each `URI SUITE COMPONENT...`. */
  sources: readonly string[];
  /**
   * Whether `downloadSource` is wanted: the sources' lists of source packages are fetched as well.
   */
  sourcePackages?: boolean;
  /** Debian architecture name, such as `arm64`. */
  architecture: string;
  /** Called with 0..100 and the work in words, such as "fetching package lists". */
  progress?: (percent: number, what: string) => void;
}

/** A source of packages in the machine's own apt configuration. */
interface MachineSource {
  uri: string;
  suite: string;
  component: string;
  architecture: string;
}

/** Paths that the archives of Debian and its derivatives have on every mirror. */
const DISTRIBUTION_PATH = /\/(debian|debian-security|ubuntu|ubuntu-ports)\/?$/;

/**
 * The machine's own distribution archives, third parties left out. Empty where apt is not
 * configured.
 */
export async function machineSources(): Promise<MachineSource[]> {
  const format = "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(ARCHITECTURE)";
  const text = await runTool(["apt-get", "indextargets", "--format", format, "Created-By: Packages"]);
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [uri, suite, component, architecture] = line.split("\t");
    return { uri, suite, component, architecture };
  }).filter(({ uri }) => DISTRIBUTION_PATH.test(uri));
}

/**
 * A Debian `sources.list` line without its `deb`: checked against the archive's keyring. Undefined
 * if the machine has no keyring, or neither the caller nor its apt names a Debian mirror, as on
 * Ubuntu.
 */
export async function debianSource(suite: string, mirror?: string): Promise<string | undefined> {
  const uri = mirror ?? (await machineSources()).find(({ uri }) => /\/debian\/?$/.test(uri))?.uri;
  if (uri === undefined) return undefined;
  for (const name of ["gpg", "pgp"]) {
    const keyring = `/usr/share/keyrings/debian-archive-keyring.${name}`;
    if (await exists(keyring)) return `[signed-by=${keyring}] ${uri} ${suite} main`;
  }
  return undefined;
}

/** apt's pattern for the packages that every system needs. */
const REQUIRED = "?priority(required)";

/** One private apt state. */
export class Apt {
  readonly #options: AptOptions;
  readonly #flags: string[];

  private constructor(options: AptOptions, flags: string[]) {
    this.#options = options;
    this.#flags = flags;
  }

  /** Prepares the state folder. Nothing is fetched yet. */
  static async open(options: AptOptions): Promise<Apt> {
    const folder = await absolute(options.folder);
    for (const part of ["lists/partial", "cache/archives/partial", "dpkg"]) await Deno.mkdir(`${folder}/${part}`, { recursive: true });
    const kinds = options.sourcePackages ? ["deb", "deb-src"] : ["deb"];
    const lines = kinds.flatMap((kind) => options.sources.map((line) => `${kind} ${line}\n`));
    await Deno.writeTextFile(`${folder}/sources.list`, lines.join(""));
    // Nothing is ever installed here, only unpacked.
    await Deno.writeTextFile(`${folder}/dpkg/status`, "");
    const settings: Record<string, string> = {
      "Dir::Etc::sourcelist": `${folder}/sources.list`,
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::Etc::preferencesparts": "/dev/null",
      "Dir::State": folder,
      "Dir::State::lists": `${folder}/lists`,
      "Dir::State::status": `${folder}/dpkg/status`,
      "Dir::State::extended_states": `${folder}/dpkg/extended_states`,
      "Dir::Cache": `${folder}/cache`,
      "Dir::Cache::archives": `${folder}/cache/archives`,
      "Dir::Log": folder,
      "APT::Architecture": options.architecture,
      "APT::Architectures": options.architecture,
      // Otherwise apt would drop root for a user who cannot read this folder.
      "APT::Sandbox::User": "",
      "APT::Install-Recommends": "false",
      "APT::Status-Fd": "1",
      "APT::Update::Error-Mode": "any", // a list that cannot be fetched is an error, not a warning
      "Acquire::Languages": "none",
      "Acquire::Retries": "3",
    };
    return new Apt({ ...options, folder }, Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]));
  }

  /** Fetches the package lists. */
  async update(): Promise<void> {
    await this.#locked(() => this.#apt("apt-get", ["update", "-q"], "fetching package lists"));
  }

  /**
   * The newest version of a package.
   * @throws Error when the suite has none.
   */
  async show(name: string): Promise<PackageFields> {
    const text = await this.#apt("apt-cache", ["show", "--no-all-versions", name], name);
    return parseFields(text.split("\n\n")[0]);
  }

  /**
   * Downloads packages, not their dependencies, into `folder`. Returns the paths of the .debs;
   * their checksums have been verified.
   */
  async download(names: readonly string[], folder: string): Promise<string[]> {
    await Deno.mkdir(folder, { recursive: true });
    const before = new Set(await debs(folder));
    await this.#locked(() =>
      this.#apt("apt-get", ["download", "-q", ...names], `fetching ${names.length === 1 ? names[0] : `${names.length} packages`}`, folder)
    );
    const fresh = (await debs(folder)).filter((file) => !before.has(file));
    if (fresh.length !== names.length) throw new Error(`downloading ${names.join(", ")} left ${fresh.length} new packages in ${folder}`);
    return fresh.map((file) => `${folder}/${file}`);
  }

  /**
   * Downloads the files of a source package into `folder` and returns their paths; their checksums
   * have been verified.
   */
  async downloadSource(name: string, folder: string): Promise<string[]> {
    await Deno.mkdir(folder, { recursive: true });
    await this.#locked(() => this.#apt("apt-get", ["source", "--download-only", "-q", name], `source of ${name}`, folder));
    return (await Array.fromAsync(Deno.readDir(folder), (entry) => `${folder}/${entry.name}`)).sort();
  }

  /**
   * Names of `names`, with `required` also of the packages of that priority, and every package that
   * they depend on, as a system with nothing installed would get them.
   */
  async closure(names: readonly string[], required = false): Promise<string[]> {
    const wanted = required ? [REQUIRED, ...names] : names;
    const simulated = await this.#apt("apt-get", ["install", "--simulate", ...wanted], "dependencies");
    return [...simulated.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name);
  }

  #locked<T>(work: () => Promise<T>): Promise<T> {
    return withLock(`${this.#options.folder}/el2.lock`, work);
  }

  #apt(tool: "apt-get" | "apt-cache", args: string[], what: string, cwd?: string): Promise<string> {
    const progress = this.#options.progress;
    return runTool([tool, ...this.#flags, ...args], cwd, (line) => {
      // APT::Status-Fd: "dlstatus:COUNT:PERCENT:TEXT"
      const [kind, , percent] = line.split(":");
      if (kind !== "dlstatus") return false;
      progress?.(Math.round(Number(percent)), what);
      return true;
    });
  }
}

async function debs(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) if (entry.name.endsWith(".deb")) names.push(entry.name);
  return names.sort();
}

async function absolute(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  return await Deno.realPath(folder);
}
