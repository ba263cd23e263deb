// The books that rules cite.

/** The books that rules cite, as the surroundings have them. */
export interface Books {
  /** Text of a section that is cited as `hypervisor 4.4`; undefined if no book has it. */
  section(cited: string): Promise<string | undefined>;
  /** Target of a hyperlink to it; undefined if it is nowhere but inside the program. */
  target(cited: string): string | undefined;
}
