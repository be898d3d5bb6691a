// Two robots and one scrub bar. The pictures are here from the start; `step` and `playing` are the
// truth of both sides, and everything on the page is drawn from them.

const LEFT = 64, RIGHT = 14, BOTTOM = 22, RISE = 94; // pixels of the plot; RISE from floor to top
const THUMB = 16; // pixels
let players = 0;

const meters = (value) => (value === null ? "not a number" : `${number(value, value < 0.1 ? 3 : 2)} m`);

function runs(steps) { // [3, 4, 5, 9] to [[3, 5], [9, 9]]
  const found = [];
  for (const step of steps) {
    const last = found[found.length - 1];
    if (last && step === last[1] + 1) last[1] = step;
    else found.push([step, step]);
  }
  return found;
}

function render({ model, el }) {
  const name = `frameplayer-${++players}-${Math.random().toString(36).slice(2, 8)}`;
  const distance = model.get("distance"), end = distance.length - 1, dt = model.get("dt");
  const threshold = model.get("threshold"), divergence = model.get("divergence");
  const labels = model.get("labels"), travelled = model.get("travelled");
  const time = (step) => `${(step * dt).toFixed(3)} s`;
  const left = (step) => divergence !== null && step >= divergence;

  const root = htmlNode("div", "frameplayer", el);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", `The ${labels[0]} and the ${labels[1]} robot, step by step`);
  keepKeys(root);

  // --- pictures ------------------------------------------------------------------------------
  const pair = htmlNode("div", "frameplayer-pair", root);
  const [height, width] = model.get("shape");
  const sides = ["true_frames", "predicted_frames"].map((trait, side) => {
    const figure = htmlNode("figure", "frameplayer-side", pair);
    const caption = htmlNode("figcaption", "", figure);
    htmlNode("b", "", caption, labels[side]);
    const remark = htmlNode("span", "", caption), image = htmlNode("img", "", figure);
    Object.assign(image, { width, height, decoding: "sync", draggable: false });
    return { figure, remark, image, film: filmOf(model.get(trait)) };
  });

  // --- scrub bar -----------------------------------------------------------------------------
  const { bar, speed, seek, begin, stop } = transport(model, root, { end, dt, draw });

  // --- plot ----------------------------------------------------------------------------------
  const board = htmlNode("div", "frameplayer-board", root);
  const plot = svgNode("svg", { class: "frameplayer-plot", role: "img" }, board);
  const scene = svgNode("g", {}, plot), head = svgNode("g", { class: "frameplayer-head" }, plot);
  const upright = svgNode("path", {}, head), dot = svgNode("circle", { r: 5 }, head);
  const flag = htmlNode(divergence === null ? "span" : "button", "frameplayer-flag", board);
  if (divergence === null) {
    flag.textContent = `No visible divergence: never more than ${threshold} m apart`;
  } else {
    flag.type = "button";
    flag.textContent = `First visible divergence: step ${divergence}, ${time(divergence)}`;
    flag.title = "Jump there";
    flag.addEventListener("click", () => seek(divergence));
  }

  // --- what it says --------------------------------------------------------------------------
  const readout = htmlNode("div", "frameplayer-readout", root);
  const [where, when, apart] = ["step", "time", "largest distance"].map((title) => {
    const cell = htmlNode("span", "", readout, title);
    return htmlNode("strong", "", cell);
  });
  const pace = htmlNode("label", "", readout, "speed");
  pace.appendChild(speed);
  const note = htmlNode("p", "frameplayer-note", root, model.get("note"));

  // --- moving along the plot ------------------------------------------------------------------
  let held = null; // the pointer that moves along the plot
  const across = (event) => seek(Math.round(((event.clientX - plot.getBoundingClientRect().left - LEFT) / inner()) * end));
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    plot.setPointerCapture(held = event.pointerId);
    across(event);
  });
  plot.addEventListener("pointermove", (event) => { if (event.pointerId === held) across(event); });
  for (const over of ["pointerup", "pointercancel"]) plot.addEventListener(over, () => { held = null; });

  // --- drawing -------------------------------------------------------------------------------
  const known = distance.filter((value) => value !== null);
  const top = 1.1 * Math.max(1.5 * threshold, ...known);
  let ceiling = 34, floor = ceiling + RISE; // below the flag, which may take two lines
  const inner = () => Math.max(1, (plot.clientWidth || 600) - LEFT - RIGHT);
  const x = (step) => LEFT + (end ? step / end : 0) * inner();
  const y = (value) => floor - (value / top) * RISE;

  function areas() { // closed outlines and open lines, a gap where nothing finite was predicted
    let area = "", line = "";
    for (const [from, to] of runs(distance.flatMap((value, step) => (value === null ? [] : [step])))) {
      const points = [];
      for (let step = from; step <= to; step++) points.push(`${x(step).toFixed(1)} ${y(distance[step]).toFixed(1)}`);
      area += `M${x(from).toFixed(1)} ${floor}L${points.join("L")}L${x(to).toFixed(1)} ${floor}Z`;
      line += `M${points.join("L")}`;
    }
    return { area, line };
  }

  function drawPlot() {
    ceiling = (flag.offsetHeight || 24) + 10;
    floor = ceiling + RISE;
    const width = plot.clientWidth || 600, height = floor + BOTTOM, right = width - RIGHT, bound = y(threshold);
    plot.setAttribute("height", height);
    plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { area, line } = areas();
    const missing = distance.flatMap((value, step) => (value === null ? [step] : []));
    const half = end ? inner() / end / 2 : 0;
    const box = (side, from, to) => `<clipPath id="${name}-${side}"><rect x="0" y="${from}" width="${width}" height="${to - from}"/></clipPath>`;
    let markup = box("far", 0, bound) + box("near", bound, height);
    for (const [from, to] of runs([...new Set([...model.get("clipped"), ...missing])].sort((a, b) => a - b))) {
      markup += `<rect class="frameplayer-shade" x="${Math.max(LEFT, x(from) - half)}" y="${ceiling}" width="${Math.min(right, x(to) + half) - Math.max(LEFT, x(from) - half)}" height="${RISE}"/>`;
    }
    const vertical = niceTicks(0, top, 3), horizontal = niceTicks(0, end * dt || 1, Math.max(2, width / 130));
    for (const tick of vertical.ticks) {
      markup += `<path class="frameplayer-rule" d="M${LEFT} ${y(tick)}H${right}"/>`
        + `<text x="${LEFT - 8}" y="${y(tick) + 4}" text-anchor="end">${number(tick, vertical.digits)} m</text>`;
    }
    for (const tick of horizontal.ticks) {
      markup += `<path class="frameplayer-axis" d="M${x(tick / dt)} ${floor}v4"/>`
        + `<text x="${Math.min(x(tick / dt), width - 22)}" y="${height - 3}" text-anchor="middle">${number(tick, horizontal.digits)} s</text>`;
    }
    for (const side of ["near", "far"]) {
      markup += `<g class="${side}" clip-path="url(#${name}-${side})"><path class="frameplayer-area" d="${area}"/><path class="frameplayer-line" d="${line}"/></g>`;
    }
    markup += `<path class="frameplayer-axis" d="M${LEFT} ${floor}H${right}"/>`
      + `<path class="frameplayer-bound" d="M${LEFT} ${bound}H${right}"/>`
      + `<text class="frameplayer-halo" x="${LEFT + 6}" y="${bound - 5}">visible above ${threshold} m</text>`;
    if (divergence !== null) markup += `<path class="frameplayer-mark" d="M${x(divergence)} ${ceiling - 10}V${floor}"/>`;
    scene.innerHTML = markup;
    placeFlag(width);
    draw();
  }

  function placeFlag(width) { // over its place on the time axis, inside the board
    const wide = flag.offsetWidth, aim = divergence === null ? LEFT : x(divergence) - wide / 2;
    flag.style.left = `${Math.max(4, Math.min(width - wide - 2, aim))}px`;
  }

  function draw() {
    const step = model.get("step"), value = distance[step];
    sides.forEach(({ figure, image, film: { addresses }, remark }, side) => {
      if (image.src !== addresses[step]) image.src = addresses[step];
      image.alt = `The ${labels[side]} robot at step ${step}`;
      remark.textContent = travelled.length ? `${number(travelled[side][step], 2)} m forward` : "";
      figure.classList.toggle("left", side === 1 && left(step));
    });
    bar.setAttribute("aria-valuetext", `step ${step} of ${end}, ${time(step)}, ${meters(value)} apart`);
    where.textContent = `${step} of ${end}`;
    when.textContent = time(step);
    apart.textContent = meters(value);
    apart.classList.toggle("left", value === null || value > threshold);
    upright.setAttribute("d", `M${x(step)} ${ceiling}V${floor}`);
    dot.setAttribute("cx", x(step));
    dot.setAttribute("cy", value === null ? floor : y(value));
  }

  // --- life ----------------------------------------------------------------------------------
  const peak = known.length ? Math.max(...known) : null;
  plot.setAttribute("aria-label", `Largest distance between the two bodies over time, up to ${meters(peak)}. ${flag.textContent}.`);
  root.style.setProperty("--bar-left", `${LEFT - THUMB / 2}px`);
  root.style.setProperty("--bar-right", `${RIGHT - THUMB / 2}px`);
  note.hidden = !note.textContent;
  const watcher = new ResizeObserver(drawPlot);
  watcher.observe(board);
  drawPlot();
  begin();
  return () => {
    watcher.disconnect();
    stop();
    for (const { film } of sides) film.forget();
  };
}

export default { render };
