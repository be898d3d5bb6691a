// Play button, scrub bar and speed of a film whose pictures are all here. `step` and `playing` are
// the truth of both sides; `draw` shows the present step. Put behind parts.js.

const TELL_EVERY = 100; // ms between messages to the kernel while playing
const ICONS = { play: "M5 3L17 10L5 17Z", pause: "M5 3H9V17H5ZM12 3H16V17H12Z" };

function keepKeys(root) { // JupyterLab would move between cells, or add one
  root.addEventListener("keydown", (event) => {
    const elsewhere = event.key === "Enter" && event.shiftKey;
    if (!elsewhere && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
}

function filmOf(frames) { // addresses of JPEG bytes, loaded so that playing has no gap
  const addresses = frames.map((bytes) => URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })));
  const loaded = addresses.map((address) => Object.assign(new Image(), { src: address }));
  return { addresses, loaded, forget: () => addresses.forEach((address) => URL.revokeObjectURL(address)) };
}

function transport(model, root, { end, dt, draw }) {
  const line = htmlNode("div", "frameplayer-transport", root);
  const play = htmlNode("button", "frameplayer-play", line);
  play.type = "button";
  const icon = svgNode("path", {}, svgNode("svg", { viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": true }, play));
  const bar = htmlNode("input", "frameplayer-bar", line);
  Object.assign(bar, { type: "range", min: 0, max: end, step: 1 });
  bar.setAttribute("aria-label", "Step");
  const speed = document.createElement("select");
  for (const value of model.get("speeds")) {
    const option = htmlNode("option", "", speed, value === 1 ? "real time" : `1/${Math.round(1 / value)}`);
    option.value = value;
  }
  let clock = null, frame = 0, told = 0;

  function show(step, tell = true) {
    model.set("step", Math.min(end, Math.max(0, step)));
    if (!tell && performance.now() - told < TELL_EVERY) return;
    told = performance.now();
    model.save_changes();
  }

  function seek(step) {
    if (model.get("playing")) model.set("playing", false);
    show(step);
  }

  function toggle() {
    model.set("playing", !model.get("playing"));
    model.save_changes();
  }

  function start() { // the clock counts from the present step
    clock = { from: model.get("step"), since: performance.now(), shown: model.get("step") };
  }

  function tick() {
    frame = 0;
    if (!model.get("playing")) return;
    const passed = ((performance.now() - clock.since) / 1000) * model.get("speed");
    const step = Math.min(end, clock.from + Math.floor(passed / dt + 1e-9));
    if (step >= end) model.set("playing", false);
    clock.shown = step;
    if (step !== model.get("step") || step >= end) show(step, step >= end);
    if (model.get("playing")) frame = requestAnimationFrame(tick);
  }

  function followPlaying() {
    const playing = model.get("playing");
    icon.setAttribute("d", playing ? ICONS.pause : ICONS.play);
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    play.title = playing ? "Pause" : "Play";
    if (!playing || frame) return;
    if (model.get("step") >= end) model.set("step", 0);
    start();
    frame = requestAnimationFrame(tick);
  }

  function followSpeed() {
    speed.value = model.get("speed");
    if (model.get("playing")) start();
  }

  function follow() {
    if (clock && model.get("playing") && model.get("step") !== clock.shown) start();
    bar.value = model.get("step");
    draw();
  }

  play.addEventListener("click", toggle);
  bar.addEventListener("input", () => seek(Number(bar.value)));
  bar.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    toggle();
  });
  speed.addEventListener("change", () => {
    model.set("speed", Number(speed.value));
    model.save_changes();
  });

  const listeners = [["change:step", follow], ["change:playing", followPlaying], ["change:speed", followSpeed]];
  function begin() {
    for (const [event, callback] of listeners) model.on(event, callback);
    follow();
    followSpeed();
    followPlaying();
  }
  function stop() {
    cancelAnimationFrame(frame);
    for (const [event, callback] of listeners) model.off(event, callback);
  }
  return { bar, speed, seek, begin, stop };
}
