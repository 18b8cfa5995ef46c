/** Before the first paint: the theme that was chosen here, if any. A plain script, so that nothing flashes. */
try {
  const chosen = localStorage.getItem("nightloop-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; then the system's choice holds.
}
