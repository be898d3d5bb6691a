// Several robots and one scrub bar, over the distance that each has come.

const LEFT = 64, RIGHT = 14, BOTTOM = 22, RISE = 84, CEILING = 10; // pixels of the plot
const THUMB = 16;

function render({ model, el }) {
  const names = model.get("names"), travelled = model.get("travelled"), ends = model.get("ends");
  const colours = model.get("colours"), dt = model.get("dt"), end = travelled[0].length - 1;
  const floor = CEILING + RISE;
  const time = (step) => `${(step * dt).toFixed(2)} s`;
  const over = (robot, step) => ends[robot] !== null && step >= ends[robot];

  const root = htmlNode("div", "frameplayer lineup", el);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", `${names.join(", ")}, step by step`);
  keepKeys(root);

  const row = htmlNode("div", "frameplayer-pair", root);
  const [height, width] = model.get("shape");
  const robots = names.map((name, robot) => {
    const figure = htmlNode("figure", "frameplayer-side", row);
    const caption = htmlNode("figcaption", "", figure);
    htmlNode("b", "", caption, name).style.borderBottom = `3px solid ${colours[robot]}`;
    const remark = htmlNode("span", "", caption), image = htmlNode("img", "", figure);
    Object.assign(image, { width, height, decoding: "sync", draggable: false });
    return { figure, remark, image, film: filmOf(model.get("frames")[robot]) };
  });
  const { bar, speed, seek, begin, stop } = transport(model, root, { end, dt, draw });

  const board = htmlNode("div", "frameplayer-board", root);
  const plot = svgNode("svg", { class: "frameplayer-plot", role: "img" }, board);
  plot.setAttribute("aria-label", "Metres that each robot has come, over time");
  const scene = svgNode("g", {}, plot), head = svgNode("g", { class: "frameplayer-head" }, plot);
  const upright = svgNode("path", {}, head);
  const readout = htmlNode("div", "frameplayer-readout", root);
  const when = htmlNode("strong", "", htmlNode("span", "", readout, "time"));
  const pace = htmlNode("label", "", readout, "speed");
  pace.appendChild(speed);
  const note = htmlNode("p", "frameplayer-note", root, model.get("note"));
  note.hidden = !note.textContent;

  let held = null; // the pointer that moves along the plot
  const inner = () => Math.max(1, (plot.clientWidth || 600) - LEFT - RIGHT);
  const across = (event) => seek(Math.round(((event.clientX - plot.getBoundingClientRect().left - LEFT) / inner()) * end));
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    plot.setPointerCapture(held = event.pointerId);
    across(event);
  });
  plot.addEventListener("pointermove", (event) => { if (event.pointerId === held) across(event); });
  for (const done of ["pointerup", "pointercancel"]) plot.addEventListener(done, () => { held = null; });

  const far = travelled.flat();
  const low = Math.min(0, ...far), top = Math.max(low + 0.1, ...far);
  const x = (step) => LEFT + (end ? step / end : 0) * inner();
  const y = (value) => floor - ((value - low) / (top - low)) * RISE;

  function drawPlot() {
    const wide = plot.clientWidth || 600, tall = floor + BOTTOM;
    plot.setAttribute("height", tall);
    plot.setAttribute("viewBox", `0 0 ${wide} ${tall}`);
    const vertical = niceTicks(low, top, 3), horizontal = niceTicks(0, end * dt || 1, Math.max(2, wide / 130));
    let markup = "";
    for (const tick of vertical.ticks) {
      markup += `<path class="frameplayer-rule" d="M${LEFT} ${y(tick)}H${wide - RIGHT}"/>`
        + `<text x="${LEFT - 8}" y="${y(tick) + 4}" text-anchor="end">${number(tick, vertical.digits)} m</text>`;
    }
    for (const tick of horizontal.ticks) {
      markup += `<path class="frameplayer-axis" d="M${x(tick / dt)} ${floor}v4"/>`
        + `<text x="${Math.min(x(tick / dt), wide - 22)}" y="${tall - 3}" text-anchor="middle">${number(tick, horizontal.digits)} s</text>`;
    }
    travelled.forEach((metres, robot) => {
      const last = ends[robot] ?? end;
      const points = metres.slice(0, last + 1).map((value, step) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
      markup += `<path class="lineup-line" stroke="${colours[robot]}" d="M${points.join("L")}"/>`;
      if (ends[robot] !== null) {
        const [cx, cy] = [x(last), y(metres[last])];
        markup += `<path class="lineup-end" stroke="${colours[robot]}" d="M${cx - 5} ${cy - 5}l10 10m0 -10l-10 10"/>`;
      }
    });
    scene.innerHTML = `${markup}<path class="frameplayer-axis" d="M${LEFT} ${floor}H${wide - RIGHT}"/>`;
    draw();
  }

  function draw() {
    const step = model.get("step");
    robots.forEach(({ figure, image, film, remark }, robot) => {
      if (image.src !== film.addresses[step]) image.src = film.addresses[step];
      const far = `${number(travelled[robot][step], 2)} m`;
      remark.textContent = over(robot, step) ? `over, ${far}` : far;
      image.alt = `${names[robot]} at ${time(step)}: ${remark.textContent}`;
      figure.classList.toggle("left", over(robot, step));
    });
    bar.setAttribute("aria-valuetext", `step ${step} of ${end}, ${time(step)}`);
    when.textContent = time(step);
    upright.setAttribute("d", `M${x(step)} ${CEILING}V${floor}`);
  }

  root.style.setProperty("--bar-left", `${LEFT - THUMB / 2}px`);
  root.style.setProperty("--bar-right", `${RIGHT - THUMB / 2}px`);
  const watcher = new ResizeObserver(drawPlot);
  watcher.observe(board);
  drawPlot();
  begin();
  return () => {
    watcher.disconnect();
    stop();
    for (const { film } of robots) film.forget();
  };
}

export default { render };
