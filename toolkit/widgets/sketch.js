// A pad on which a curve is drawn by mouse, touch or keys. Heights are shares of the pad's own, 0 at
// the bottom; null where nothing is drawn yet. Python knows what they mean.

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 260, 64, 44, 10];

function render({ model, el }) {
  const count = model.get("heights").length;
  const right = WIDTH - 12;
  const x = (column) => LEFT + ((right - LEFT) * column) / (count - 1);
  const y = (height) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * height;
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  let column = 0;
  let last = null; // the column and height of the stroke so far

  const svg = svgNode("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sketch-pad", tabindex: "0", role: "application",
    "aria-label": model.get("instructions"),
  });
  el.appendChild(svg);
  svgNode("rect", { x: LEFT, y: TOP, width: right - LEFT, height: HEIGHT - BOTTOM - TOP, class: "sketch-field" }, svg);
  for (const [at, text] of model.get("y_ticks")) {
    svgNode("line", { x1: LEFT, x2: right, y1: y(at), y2: y(at), class: "sketch-grid" }, svg);
    svgNode("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, svg).textContent = text;
  }
  for (const [at, text] of model.get("x_ticks"))
    svgNode("text", { x: x(at), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, svg).textContent = text;
  svgNode("text", { x: (LEFT + right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, svg).textContent = model.get("x_label");
  const side = svgNode("text", { transform: `translate(14 ${(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)`, "text-anchor": "middle" }, svg);
  side.textContent = model.get("y_label");
  const truth = svgNode("path", { class: "sketch-truth" }, svg);
  const curve = svgNode("path", { class: "sketch-curve" }, svg);
  const cursor = svgNode("circle", { r: 5, class: "sketch-cursor" }, svg);
  const hint = htmlNode("p", "sketch-hint", el, model.get("instructions"));

  function path(heights) {
    let text = "";
    heights.forEach((height, i) => {
      if (height === null) return;
      text += `${text ? "L" : "M"}${x(i).toFixed(1)},${y(height).toFixed(1)}`;
    });
    return text;
  }

  function draw() {
    const heights = model.get("heights");
    curve.setAttribute("d", path(heights));
    truth.setAttribute("d", path(model.get("truth")));
    cursor.setAttribute("cx", x(column));
    cursor.setAttribute("cy", y(heights[column] ?? 0.5));
    svg.classList.toggle("sketch-closed", model.get("disabled"));
    hint.hidden = model.get("disabled");
  }

  function put(changes) {
    const heights = [...model.get("heights")];
    for (const [at, height] of changes) heights[at] = clamp(height, 0, 1);
    model.set("heights", heights);
    model.save_changes();
  }

  function place(event) {
    const box = svg.getBoundingClientRect();
    const scale = WIDTH / box.width;
    const across = (event.clientX - box.left) * scale;
    const down = (event.clientY - box.top) * scale;
    return [
      clamp(Math.round(((across - LEFT) / (right - LEFT)) * (count - 1)), 0, count - 1),
      clamp((HEIGHT - BOTTOM - down) / (HEIGHT - BOTTOM - TOP), 0, 1),
    ];
  }

  function stroke(event) {
    const [to, height] = place(event);
    const [from, before] = last ?? [to, height];
    const steps = Math.max(1, Math.abs(to - from));
    const changes = [];
    for (let i = 0; i <= steps; i++) {
      const share = i / steps;
      changes.push([Math.round(from + (to - from) * share), before + (height - before) * share]);
    }
    column = to;
    last = [to, height];
    put(changes);
  }

  svg.addEventListener("pointerdown", (event) => {
    if (model.get("disabled")) return;
    svg.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  svg.addEventListener("pointermove", (event) => last && stroke(event));
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => (last = null));
  svg.addEventListener("keydown", (event) => {
    const [along, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if ((!along && !up) || model.get("disabled")) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? 0.01 : 0.05;
    const heights = model.get("heights");
    const here = heights[column] ?? 0.5;
    if (up) return put([[column, here + up * step]]);
    column = clamp(column + along, 0, count - 1);
    if (heights[column] === null) put([[column, here]]);
    else draw();
  });

  const listeners = ["heights", "truth", "disabled"].map((name) => `change:${name}`);
  for (const name of listeners) model.on(name, draw);
  draw();
  return () => listeners.forEach((name) => model.off(name, draw));
}

export default { render };
