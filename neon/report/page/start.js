// Draw the page; colours follow the system until the button says otherwise.

function theme() {
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    readTheme();
    button.textContent = dark ? "Light" : "Dark";
    redraws.forEach((each) => each());
    if (report.kind === "image") draw();
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
}

overview();
rows();
theme();
let resized;
window.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => redraws.forEach((each) => each()), 150);
});
