// Names that values of keys can have, for commands and screens that load no schema.

/** Themes of the screens; `src/app/tui/look/themes.ts` has the colors. */
export const THEMES = ["terminal", "dark", "light", "high-contrast", "solarized", "gruvbox", "nord", "deuteranopia"] as const;

/** Profiles of phones by the name of the chip; `phones.ts` has their values. */
export const PHONE_NAMES = ["generic", "sm8550", "sm8650", "sm8750", "sm8850", "mt6989", "mt6991"] as const;
export type PhoneName = typeof PHONE_NAMES[number];
