// Light or dark? As the system is, until somebody chooses; then as chosen.

const KEPT = "hybridsearch-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Shows the theme that was chosen, and lets the button change it. */
export function followTheme(button) {
  const show = () => {
    const theme = localStorage.getItem(KEPT) ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    const other = theme === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Change to ${other} colours`);
    button.title = `Change to ${other} colours`;
    button.textContent = theme === "dark" ? "☀" : "☾";
    button.onclick = () => {
      localStorage.setItem(KEPT, other);
      show();
    };
  };
  dark.addEventListener("change", show);
  show();
}
