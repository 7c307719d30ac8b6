// Light and dark: as the system has it, until somebody chooses.

import { button, put } from "./dom.ts";
import { icon } from "./states.ts";

const KEY = "shipsec-studio-theme";

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Applies what was chosen before, and gives the button that chooses. */
export function themeButton(): HTMLButtonElement {
  const root = document.documentElement;
  const isDark = () => root.dataset["theme"] ? root.dataset["theme"] === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const before = stored();
  if (before === "light" || before === "dark") root.dataset["theme"] = before;
  const toggle = button("", () => {
    const theme = isDark() ? "light" : "dark";
    root.dataset["theme"] = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Then it lasts as long as the page does.
    }
  }, { class: "quiet", title: "Light or dark", "aria-label": "Light or dark", "data-testid": "theme" });
  put(toggle, icon("sun"));
  return toggle;
}
