// The numbered sections of the specification (spec/), which reasons name.

/** All of them, by file. A section that a reason names and that is not here is none. */
const SECTIONS: Readonly<Record<string, string>> = {
  "hypervisor":
    "1 1.1 1.2 1.3 1.4 1.5 2 3 3.1 3.2 3.3 3.4 3.5 3.6 4 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12 4.13 5 5.1 5.2 5.3 5.4 5.5 " +
    "5.6 6 6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8 7 7.1 7.2 8 8.1 8.2 8.3 8.4 8.5 8.6 8.7 9 9.1 9.2 10",
  "resource-manager":
    "1 1.1 1.2 1.3 1.4 1.5 1.6 1.7 2 3 3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13 3.14 3.15 4 4.1 4.2 4.3 4.4 4.5 4.6 5 " +
    "5.1 5.2 5.3 5.4 6 6.1 6.2 6.3 6.4 6.5 7 7.1 7.2 7.3 7.4 7.5 7.6 8 8.1 8.2 8.3 8.4 8.5 8.6 9 9.1 9.2 9.3 10 10.1 11 12 13 14 15 16",
  "vm-manager": "1 1.1 2 2.1 2.2 3 4 5 5.1 5.2 5.3 5.4 6 7 7.1 8 9 10 11 12 13 14 14.1 14.2 14.3 15 16 17",
  "geniezone": "1 2 3 3.1 3.2 3.3 4 5 6 7 8 9 10 11 12 13",
};

/** Whether this is a section of the specification: `hypervisor 4.4`. */
export function isSection(text: string): boolean {
  const [file, number, ...more] = text.split(" ");
  return more.length === 0 && (SECTIONS[file]?.split(" ").includes(number) ?? false);
}
