// Draws each plotly figure when the reader comes near it; plotly itself is loaded once, then.
(() => {
  const script = document.currentScript.src;
  const figures = [...document.querySelectorAll(".plotly-figure")];
  let plotly;
  const load = () =>
    (plotly ??= new Promise((resolve, reject) => {
      const tag = document.createElement("script");
      tag.src = script.replace(/figures\.js.*$/, "plotly.min.js");
      tag.onload = () => resolve(window.Plotly);
      tag.onerror = () => reject(new Error("plotly.min.js could not be loaded"));
      document.head.append(tag);
    }));
  const draw = async (place) => {
    const { data, layout } = JSON.parse(place.querySelector("script").textContent);
    delete layout.width; // the page decides
    layout.autosize = true;
    const Plotly = await load();
    const canvas = document.createElement("div");
    if (layout.height) canvas.style.height = `${layout.height}px`;
    place.append(canvas);
    await Plotly.newPlot(canvas, data, layout, { responsive: true, displaylogo: false });
    place.dataset.drawn = "true";
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        watcher.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "800px" },
  );
  figures.forEach((place) => watcher.observe(place));
})();
