// Panels of curves: axes, ticks and lines drawn as SVG text, one assignment per panel and frame.

const PANEL = { left: 46, right: 24, top: 6, bottom: 20, height: 140 };
const LEGEND = [["truth", "truth"], ["trained", "trained"], ["model", "now"], ["envelope", "envelope ±|λ̄|ᵏ"]];

// A gap (null) lifts the pen; far outside the panel a value is clamped, as SVG loses huge numbers.
function curvePath(values, x, y, sign = 1) {
  let path = "", down = false;
  values.forEach((value, index) => {
    if (value === null) { down = false; return; }
    const height = Math.min(1e4, Math.max(-1e4, y(sign * value)));
    path += `${down ? "L" : "M"}${x(index).toFixed(1)} ${height.toFixed(1)}`;
    down = true;
  });
  return path;
}

function panelMarkup(panel, width, name) {
  const { left, right, top, bottom, height } = PANEL;
  const length = Math.max(...panel.curves.map((curve) => curve.y.length));
  const [low, high] = panel.range;
  const begin = panel.start, end = panel.start + panel.step * (length - 1);
  const across = (time) => left + ((time - begin) / (end - begin)) * (width - left - right);
  const x = (index) => across(begin + panel.step * index);
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  const floor = height - bottom;
  const vertical = niceTicks(low, high, 4), horizontal = niceTicks(begin, end, Math.max(2, width / 90));
  let markup = `<clipPath id="${name}"><rect x="${left}" y="${top}" width="${width - left - right}" height="${floor - top}"/></clipPath>`;
  for (const tick of vertical.ticks) {
    markup += `<path class="eigenplane-rule" d="M${left} ${y(tick)}H${width - right}"/>`
      + `<text x="${left - 6}" y="${y(tick) + 4}" text-anchor="end">${number(tick, vertical.digits)}</text>`;
  }
  horizontal.ticks.forEach((tick, index) => {
    const unit = index === horizontal.ticks.length - 1 ? ` ${panel.unit}` : "";
    markup += `<path class="eigenplane-axis" d="M${across(tick)} ${floor}v4"/>`
      + `<text x="${across(tick)}" y="${height - 3}" text-anchor="middle">${number(tick, horizontal.digits)}${unit}</text>`;
  });
  markup += `<path class="eigenplane-axis" d="M${left} ${top}V${floor}H${width - right}"/><g clip-path="url(#${name})">`;
  for (const curve of panel.curves) {
    const path = curvePath(curve.y, x, y) + (curve.role === "envelope" ? curvePath(curve.y, x, y, -1) : "");
    markup += `<path class="eigenplane-curve ${curve.role}" d="${path}"/>`;
  }
  return `${markup}</g>`;
}

// Keeps one figure element per panel, so that a redraw changes lines and nothing else.
function makePanels(parent, prefix) {
  const legend = parent.appendChild(document.createElement("div"));
  legend.className = "eigenplane-legend";
  const grid = parent.appendChild(document.createElement("div"));
  grid.className = "eigenplane-panels";
  const figures = [];

  function addFigure() {
    const figure = grid.appendChild(document.createElement("figure"));
    figure.className = figures.length ? "eigenplane-panel" : "eigenplane-panel first";
    const caption = figure.appendChild(document.createElement("figcaption"));
    const svg = figure.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    svg.setAttribute("height", PANEL.height);
    svg.setAttribute("role", "img");
    figures.push({ figure, caption, svg });
  }

  function drawLegend(panels) {
    const roles = new Set(panels.flatMap((panel) => panel.curves.map((curve) => curve.role)));
    const markup = LEGEND.filter(([role]) => roles.has(role)).map(([role, text]) =>
      `<span><svg width="26" height="8" aria-hidden="true"><path class="eigenplane-curve ${role}" d="M0 4H26"/></svg>${text}</span>`).join("");
    if (legend.innerHTML !== markup) legend.innerHTML = markup;
  }

  return function draw(panels) {
    while (figures.length < panels.length) addFigure();
    while (figures.length > panels.length) figures.pop().figure.remove();
    drawLegend(panels);
    panels.forEach((panel, index) => {
      const { caption, svg } = figures[index];
      if (caption.textContent !== panel.title) {
        caption.textContent = panel.title;
        svg.setAttribute("aria-label", panel.title);
      }
      const width = svg.clientWidth || 300;
      svg.setAttribute("viewBox", `0 0 ${width} ${PANEL.height}`);
      svg.innerHTML = panelMarkup(panel, width, `${prefix}-${index}`);
    });
  };
}
