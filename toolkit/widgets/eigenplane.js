// The eigenvalue plane: drag a discrete eigenvalue with mouse, touch or keys; the kernel answers
// with curves. `points` is the truth of both sides; the kernel keeps the history of gestures.

const SIZE = 440, MARGIN = 34, REACH = 1.25, LIMIT = 4;
const STEP = 0.01, FINE = 0.1, GRIP = 14;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
let views = 0;

const unstable = ([re, im]) => Math.hypot(re, im) > 1 + 1e-6;
const digits = (value, count) => value.toPrecision(count).replace("-", "−");

function facts([re, im], dt) {
  const size = Math.hypot(re, im), angle = Math.atan2(im, re), decay = -Math.log(Math.max(size, 1e-12)) / dt;
  const lasting = Math.abs(decay) < 1e-6 / dt ? "∞" : `${digits(Math.abs(1 / decay), 3)} s`;
  return {
    size: size.toFixed(4), angle: `${angle.toFixed(3)} rad`.replace("-", "−"),
    frequency: `${digits(Math.abs(angle) / (2 * Math.PI * dt), 3)} Hz`, grows: unstable([re, im]), lasting,
  };
}

function render({ model, el }) {
  const prefix = `eigenplane-${++views}-${Math.random().toString(36).slice(2, 8)}`;
  const root = htmlNode("div", "eigenplane", el);
  root.addEventListener("keydown", (event) => { // JupyterLab would move between cells, or add one
    const runs = event.key === "Enter" && event.shiftKey;
    if (!runs && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  const columns = htmlNode("div", "eigenplane-columns", root);
  const left = htmlNode("div", "eigenplane-left", columns);
  const right = htmlNode("div", "eigenplane-right", columns);
  const drawPanels = makePanels(right, prefix);

  const furthest = () => Math.max(...model.get("points").map(([re, im]) => Math.max(Math.abs(re), Math.abs(im))));
  const whole = () => ({ re: 0, im: 0, half: Math.max(REACH, 1.1 * furthest()) });
  let view = whole(), zoomed = false, drag = null, frame = 0, unsaved = false, keysMoved = false;

  // --- the plane -----------------------------------------------------------------------------
  const svg = svgNode("svg", {
    class: "eigenplane-plane", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "group",
    "aria-label": "Eigenvalues in the complex plane. Tab to a point, arrow keys move it, Shift for fine steps, Escape cancels.",
  }, left);
  const inner = SIZE - MARGIN - 6, scale = () => inner / (2 * view.half);
  const toX = (re) => MARGIN + (re - view.re + view.half) * scale();
  const toY = (im) => 6 + (view.im + view.half - im) * scale();
  svgNode("rect", { x: MARGIN, y: 6, width: inner, height: inner }, svgNode("clipPath", { id: `${prefix}-box` }, svg));
  const box = { x: MARGIN, y: 6, width: inner, height: inner };
  svgNode("rect", { class: "eigenplane-outside", ...box }, svg);
  const clipped = svgNode("g", { "clip-path": `url(#${prefix}-box)` }, svg);
  const disc = ["eigenplane-disc", "eigenplane-inside"].map((name) => svgNode("circle", { class: name }, clipped));
  const grid = svgNode("g", { class: "eigenplane-grid" }, clipped);
  const cross = svgNode("path", { class: "eigenplane-cross" }, clipped);
  const mirror = svgNode("path", { class: "eigenplane-mirror" }, clipped);
  const minor = ["", " unstable"].map((extra) => svgNode("path", { class: `eigenplane-minor${extra}` }, clipped));
  const way = svgNode("path", { class: "eigenplane-way" }, clipped);
  const homes = svgNode("g", {}, clipped);
  const handles = new Map(model.get("selectable").map((index) => [index, makeHandle(index)]));
  svgNode("rect", { class: "eigenplane-frame", ...box }, svg);
  const ticks = svgNode("g", {}, svg);

  function makeHandle(index) {
    const group = svgNode("g", { class: "eigenplane-point", tabindex: 0, role: "slider", "aria-valuemin": 0 }, clipped);
    svgNode("circle", { class: "grip", r: GRIP }, group);
    svgNode("circle", { class: "ring", r: 10 }, group);
    svgNode("path", { class: "dot" }, group);
    group.addEventListener("focus", () => select(index));
    group.addEventListener("keydown", (event) => press(event, index));
    group.addEventListener("keyup", settleKeys);
    group.addEventListener("blur", settleKeys);
    return group;
  }

  // Grips overlap where eigenvalues crowd, so the nearest point is taken, not the topmost.
  svg.addEventListener("pointerdown", (event) => {
    const index = nearest(event);
    if (index !== null) grab(event, index, handles.get(index));
  });
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", cancel);

  function nearest(event) {
    const frame = svg.getBoundingClientRect(), ratio = SIZE / frame.width;
    const x = (event.clientX - frame.left) * ratio, y = (event.clientY - frame.top) * ratio;
    const distance = (index) => {
      const [re, im] = model.get("points")[index];
      return Math.hypot(toX(re) - x, toY(im) - y);
    };
    const [best] = [...handles.keys()].sort((a, b) => distance(a) - distance(b));
    return distance(best) <= GRIP * Math.max(1, ratio) ? best : null;
  }

  // --- moving --------------------------------------------------------------------------------
  function select(index) {
    if (model.get("selected") === index) return;
    model.set("selected", index);
    schedule();
  }

  function place(index, [re, im]) {
    const inside = (value) => Math.min(LIMIT, Math.max(-LIMIT, value));
    model.set("points", model.get("points").map((point, i) => (i === index ? [inside(re), inside(im)] : point)));
    schedule();
  }

  function schedule() { // at most one message and one redraw of the plane per frame
    unsaved = true;
    if (!frame) frame = requestAnimationFrame(flush);
  }

  function flush() {
    cancelAnimationFrame(frame);
    frame = 0;
    if (!drag && !zoomed && whole().half !== view.half) look(whole()); // nothing lies outside
    if (unsaved) model.save_changes();
    unsaved = false;
    drawPoints();
  }

  function finish() { // the gesture travels with its last points, so the kernel sees them together
    model.set("gesture", model.get("gesture") + 1);
    unsaved = true;
    flush();
  }

  function grab(event, index, group) {
    if (event.button !== 0 || drag) return;
    event.preventDefault();
    event.stopPropagation();
    group.focus({ preventScroll: true });
    svg.setPointerCapture(event.pointerId);
    select(index);
    drag = { index, group, pointer: event.pointerId, x: event.clientX, y: event.clientY, before: model.get("points"), moved: false };
    group.classList.add("dragged");
  }

  function follow(event) {
    if (!drag || event.pointerId !== drag.pointer) return;
    const plane = (2 * view.half) / (inner * (svg.getBoundingClientRect().width / SIZE));
    const pace = plane * (event.shiftKey ? FINE : 1);
    const [re, im] = model.get("points")[drag.index];
    place(drag.index, [re + (event.clientX - drag.x) * pace, im - (event.clientY - drag.y) * pace]);
    Object.assign(drag, { x: event.clientX, y: event.clientY, moved: true });
  }

  function endDrag() {
    const ended = drag;
    drag = null;
    ended.group.classList.remove("dragged");
    if (svg.hasPointerCapture(ended.pointer)) svg.releasePointerCapture(ended.pointer);
    return ended;
  }

  function release(event) {
    if (drag && event.pointerId === drag.pointer && endDrag().moved) finish();
  }

  function cancel() {
    if (!drag) return;
    model.set("points", endDrag().before);
    schedule();
  }

  function press(event, index) {
    if (event.key === "Escape") cancel();
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const length = STEP * (event.shiftKey ? FINE : 1), [re, im] = model.get("points")[index];
    place(index, [re + arrow[0] * length, im + arrow[1] * length]);
    keysMoved = true;
  }

  function settleKeys() { // a held key is one gesture
    if (keysMoved) finish();
    keysMoved = false;
  }

  function order(command) {
    model.set("command", [command, model.get("command")[1] + 1]);
    model.save_changes();
  }

  root.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || !["z", "y"].includes(key)) return;
    event.preventDefault();
    event.stopPropagation();
    settleKeys();
    order(key === "y" || event.shiftKey ? "redo" : "undo");
  });

  // --- buttons and readout -------------------------------------------------------------------
  const bar = htmlNode("div", "eigenplane-buttons", left);
  function button(text, title, act) {
    const node = htmlNode("button", "", bar, text);
    Object.assign(node, { type: "button", title });
    node.addEventListener("click", act);
    return node;
  }
  const snap = button("Snap back", "The selected eigenvalue returns to where training left it", () => order("snap"));
  const snapAll = button("Snap all back", "Every eigenvalue returns to where training left it", () => order("snap all"));
  const undo = button("Undo", "Ctrl+Z", () => order("undo"));
  const redo = button("Redo", "Ctrl+Shift+Z", () => order("redo"));
  button("Zoom in", "Twice as large around the selected eigenvalue", () => {
    const [re, im] = model.get("points")[model.get("selected")];
    zoomed = true;
    look({ re, im, half: view.half / 2 });
  });
  button("Whole plane", "The whole disc again", () => {
    zoomed = false;
    look(whole());
  });
  const gridLabel = htmlNode("label", "", bar);
  const gridBox = htmlNode("input", "", gridLabel);
  gridBox.type = "checkbox";
  gridLabel.append("Grid");
  gridBox.addEventListener("change", drawFrame);
  const readout = htmlNode("div", "eigenplane-readout", left);
  readout.setAttribute("aria-live", "polite");
  const heading = htmlNode("b", "", readout);
  const cells = ["|λ̄|", "angle", "frequency", "lifetime"].map((name) => {
    const cell = htmlNode("span", "", readout, name);
    return { cell, value: htmlNode("strong", "", cell) };
  });
  const alarm = htmlNode("p", "eigenplane-error", left);
  alarm.setAttribute("role", "alert");

  function drawReadout() {
    const index = model.get("selected"), now = facts(model.get("points")[index], model.get("dt"));
    const verdict = now.grows ? ": outside the circle, it grows" : "";
    heading.textContent = model.get("names")[index] + verdict;
    heading.classList.toggle("unstable", now.grows);
    cells[3].cell.firstChild.textContent = now.grows ? "grows e-fold in" : "lifetime";
    [now.size, now.angle, now.frequency, now.lasting].forEach((text, i) => { cells[i].value.textContent = text; });
    const moved = model.get("points").map((point, i) => point.some((value, k) => value !== model.get("trained")[i][k]));
    snap.disabled = !moved[index];
    snapAll.disabled = !moved.some(Boolean);
    undo.disabled = !model.get("can_undo");
    redo.disabled = !model.get("can_redo");
    alarm.textContent = model.get("error");
  }

  // --- drawing -------------------------------------------------------------------------------
  function look(next) {
    view = next;
    drawFrame();
    drawPoints();
  }

  function drawFrame() {
    disc.forEach((circle) => {
      for (const [name, value] of [["cx", toX(0)], ["cy", toY(0)], ["r", scale()]]) circle.setAttribute(name, value);
    });
    cross.setAttribute("d", `M${toX(-9)} ${toY(0)}H${toX(9)}M${toX(0)} ${toY(9)}V${toY(-9)}`);
    grid.innerHTML = gridBox.checked ? gridMarkup() : "";
    ticks.innerHTML = tickMarkup();
  }

  function gridMarkup() { // circles: equal damping; rays: equal frequency
    const dt = model.get("dt"), ring = (r) => `<circle class="eigenplane-cross" cx="${toX(0)}" cy="${toY(0)}" r="${r * scale()}"/>`;
    let markup = [0.25, 0.5, 0.75].map((r) => ring(r)
      + `<text x="${toX(0) + 3}" y="${toY(r) - 3}">${digits(-dt / Math.log(r), 2)} s</text>`).join("");
    for (let k = -7; k <= 8; k++) {
      const angle = (k * Math.PI) / 8, [re, im] = [Math.cos(angle), Math.sin(angle)];
      markup += `<path d="M${toX(0)} ${toY(0)}L${toX(re)} ${toY(im)}"/>`;
      if (k > 0) markup += `<text text-anchor="middle" x="${toX(1.12 * re)}" y="${toY(1.12 * im) + 4}">${digits(k / (16 * dt), 2)} Hz</text>`;
    }
    return markup;
  }

  function tickMarkup() {
    const re = niceTicks(view.re - view.half, view.re + view.half, 5), im = niceTicks(view.im - view.half, view.im + view.half, 5);
    return re.ticks.map((t) => `<text text-anchor="middle" x="${toX(t)}" y="${SIZE - 12}">${number(t, re.digits)}</text>`).join("")
      + im.ticks.map((t) => `<text text-anchor="end" x="${MARGIN - 5}" y="${toY(t) + 4}">${number(t, im.digits)}</text>`).join("")
      + `<text text-anchor="end" x="${SIZE - 6}" y="${SIZE - 0.5}">Re λ̄</text><text x="2" y="14">Im λ̄</text>`;
  }

  function drawPoints() {
    const points = model.get("points"), trained = model.get("trained"), chosen = model.get("selected");
    const dots = (list) => list.map(([re, im]) => `M${toX(re).toFixed(1)} ${toY(im).toFixed(1)}h0`).join("");
    mirror.setAttribute("d", dots(points.map(([re, im]) => [re, -im])));
    const rest = points.filter((_, index) => !handles.has(index));
    minor[0].setAttribute("d", dots(rest.filter((point) => !unstable(point))));
    minor[1].setAttribute("d", dots(rest.filter(unstable)));
    const moved = [...points.keys()].filter((i) => points[i].some((value, k) => value !== trained[i][k]));
    way.setAttribute("d", moved.map((i) => `M${toX(trained[i][0])} ${toY(trained[i][1])}L${toX(points[i][0])} ${toY(points[i][1])}`).join(""));
    homes.innerHTML = moved.map((i) => `<circle class="eigenplane-home" r="4.5" cx="${toX(trained[i][0])}" cy="${toY(trained[i][1])}"/>`).join("");
    for (const [index, group] of handles) drawHandle(group, points[index], index, index === chosen);
    drawReadout();
  }

  function drawHandle(group, point, index, chosen) {
    const now = facts(point, model.get("dt"));
    group.setAttribute("transform", `translate(${toX(point[0])} ${toY(point[1])})`);
    group.classList.toggle("unstable", now.grows);
    group.classList.toggle("selected", chosen);
    group.lastChild.setAttribute("d", now.grows ? "M0 -7.5L7.5 0L0 7.5L-7.5 0Z" : "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z");
    group.setAttribute("aria-label", model.get("names")[index]);
    group.setAttribute("aria-valuemax", LIMIT);
    group.setAttribute("aria-valuenow", now.size);
    group.setAttribute("aria-valuetext", `magnitude ${now.size}, angle ${now.angle}, ${now.frequency}, ${now.grows ? "grows" : `lifetime ${now.lasting}`}`);
  }

  // --- life ----------------------------------------------------------------------------------
  const redraw = () => drawPanels(model.get("curves"));
  const show = () => { if (!frame) frame = requestAnimationFrame(flush); };
  const listeners = [["change:curves", redraw]];
  for (const name of ["points", "trained", "selected", "can_undo", "can_redo", "error"]) listeners.push([`change:${name}`, show]);
  for (const [name, callback] of listeners) model.on(name, callback);
  const watcher = new ResizeObserver(redraw);
  watcher.observe(right);
  drawFrame();
  drawPoints();
  redraw();
  return () => {
    watcher.disconnect();
    cancelAnimationFrame(frame);
    for (const [name, callback] of listeners) model.off(name, callback);
  };
}

export default { render };
