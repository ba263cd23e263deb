// The locale that the environment names for characters, in the order of POSIX (Base Definitions,
// "Internationalization Variables").

interface CharacterLocale {
  /** Empty if the environment names none. */
  readonly name: string;
  readonly utf8: boolean;
}

export function characterLocale(environment: (name: string) => string | undefined): CharacterLocale {
  const name = environment("LC_ALL") || environment("LC_CTYPE") || environment("LANG") || "";
  return { name, utf8: /utf-?8/i.test(name) };
}
